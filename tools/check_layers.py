#!/usr/bin/env python3
"""Fails on any #include that the layers do not allow.

A folder of vlreid/ includes itself, base, and the folders in the DEPS of its own CMakeLists.txt: the list that it links with.
Dependencies must not form a circle. Folders without TORCH or NN include nothing of LibTorch, and no source includes the heavy
umbrella headers.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ROOT / "vlreid"
FORBIDDEN = ("torch/torch.h", "torch/all.h", "torch/nn.h", "torch/extension.h", "ATen/ATen.h", "ATen/Functions.h")


def read_folders():
    """name -> (DEPS, libraries for tests, whether LibTorch is linked)"""
    folders = {}
    for lists in sorted(SOURCES.glob("*/CMakeLists.txt")):
        match = re.search(r"vlreid_folder\(([^)]*)\)", lists.read_text())
        if not match:
            continue
        words = match.group(1).split()
        groups, key = {"": []}, ""
        for word in words[1:]:
            if word in ("DEPS", "LIBS", "TEST_LIBS", "TORCH", "NN", "HOT"):
                key = word
                groups.setdefault(key, [])
            else:
                groups[key].append(word)
        tests = {name.removeprefix("vlreid::") for name in groups.get("TEST_LIBS", [])}
        folders[words[0]] = (set(groups.get("DEPS", [])), tests, "TORCH" in groups or "NN" in groups)
    return folders


def find_circle(folders):
    state = {}

    def visit(name, path):
        if state.get(name) == "done":
            return None
        if name in path:
            return path[path.index(name):] + [name]
        for dep in folders[name][0]:
            circle = visit(dep, path + [name])
            if circle:
                return circle
        state[name] = "done"
        return None

    for name in folders:
        circle = visit(name, [])
        if circle:
            return circle
    return None


def check_file(path, folder, folders):
    deps, tests, has_torch = folders[folder]
    allowed = {folder, "base"} | deps | (tests if path.name.endswith("_test.cpp") else set())
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+[<"]([^>"]+)[>"]', line)
        if not match:
            continue
        header = match.group(1)
        place = f"{path.relative_to(ROOT)}:{number}"
        if header.startswith("vlreid/") and header.split("/")[1] not in allowed:
            yield f"{place}: {folder} includes {header}; allowed: {', '.join(sorted(allowed))}"
        if header in FORBIDDEN:
            yield f"{place}: includes {header}; take the narrow headers"
        if not has_torch and header.split("/")[0] in ("ATen", "torch", "c10"):
            yield f"{place}: includes {header}, but {folder} does not link LibTorch"


def main():
    folders = read_folders()
    problems = [f"vlreid/{n}: DEPS names '{d}', which is no folder" for n, f in folders.items() for d in f[0] if d not in folders]
    circle = None if problems else find_circle(folders)
    if circle:
        problems.append("folders depend on each other in a circle: " + " -> ".join(circle))
    for folder in folders:
        for path in sorted((SOURCES / folder).iterdir()):
            if path.suffix in (".h", ".cpp"):
                problems += check_file(path, folder, folders)
    print("\n".join(problems) or f"layers: {len(folders)} folders, no include outside its layer")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
