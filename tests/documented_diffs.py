#!/usr/bin/env python3
"""Checks that every ```diff of docs/adding-a-method.md still applies to the tree, one after the other in a copy.

    documented_diffs.py [--keep FOLDER]      leaves the changed copy there, to be built
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "adding-a-method.md"


def main():
    if not shutil.which("git"):
        print("skipped: no git")
        return 77
    diffs = re.findall(r"^```diff\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(sys.argv[2]) if "--keep" in sys.argv else pathlib.Path(folder) / "vlreid"
        shutil.copytree(ROOT / "vlreid", copy / "vlreid", dirs_exist_ok=True)
        for number, diff in enumerate(diffs, 1):
            # Below a folder that is no repository, so that git takes the names as they are.
            done = subprocess.run(["git", "apply", "-"], cwd=copy, input=diff, text=True, capture_output=True,
                                  env={"GIT_CEILING_DIRECTORIES": str(copy.parent), "PATH": "/usr/bin:/bin"})
            if done.returncode != 0:
                print(f"{DOCUMENT.name}: diff {number} does not apply:\n{done.stderr}")
                return 1
    print(f"{len(diffs)} diffs apply")
    return 0 if diffs else 1


if __name__ == "__main__":
    sys.exit(main())
