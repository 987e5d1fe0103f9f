#!/usr/bin/env python3
"""Makes every write of a training run fail in turn, as a full disk does (support/full_disk.cpp), and lets the run go on with room again.

    full_disk.py VLREID FULL_DISK.so [--samples 12 | --all] [--kill]

Expected: exit code 74 and one line that says so; every checkpoint and state that is there is whole; after --resume (or --overwrite
before there is a state) everything is as an undisturbed run leaves it, to the bit. With --kill the run is killed at the write instead.
"""
import argparse
import concurrent.futures
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

from tiny_runs import Job, differences, results


class Disk:
    def __init__(self, job, shim, is_kill):
        self.job, self.shim, self.is_kill, self.whole = job, str(pathlib.Path(shim).resolve()), is_kill, set()

    def environment(self, name, first):
        kills = {"FULL_DISK_KILLS": "1"} if self.is_kill else {}
        return kills | {"LD_PRELOAD": self.shim, "FULL_DISK_FOLDER": str(self.job.run_folder(name).resolve()), "FULL_DISK_AT": str(first),
                        "FULL_DISK_COUNT": str(self.job.folder / name / "writes")}

    def count_writes(self, name):
        code, errors = self.job.run(name, **self.environment(name, 0))
        if code != 0:
            sys.exit(f"the undisturbed run: exit code {code}: {errors}")
        return int((self.job.folder / name / "writes").read_text())

    def is_whole(self, path):
        digest = hashlib.sha256(path.read_bytes()).digest()
        if digest not in self.whole and subprocess.run([self.job.binary, "inspect", str(path), "--brief"], capture_output=True).returncode == 0:
            self.whole.add(digest)
        return digest in self.whole

    def problems_at(self, number, expected):
        name = f"write{number}"
        code, errors = self.job.run(name, **self.environment(name, number))
        folder = self.job.run_folder(name)
        files = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
        problems = [f"{path.name} is not whole" for path in files if path.suffix in (".pth", ".safetensors") and not self.is_whole(path)]
        if code != (-9 if self.is_kill else 74):
            problems.append(f"exit code {code}: {errors}")
        if not self.is_kill:
            if len(errors) != 1 or "No space left on device" not in errors[0]:
                problems.append(f"{len(errors)} error lines: {errors}")
            problems += [f"{path.name} is left by the failure" for path in files if path.suffix == ".tmp"]
        code, errors = self.job.run(name, "--resume" if (folder / "state.safetensors").exists() else "--overwrite")
        problems += [f"going on: exit code {code}: {errors}"] if code != 0 else differences(expected, folder)
        shutil.rmtree(self.job.folder / name)
        print("x" if problems else ".", end="", flush=True)
        return [f"write {number}: {problem}" for problem in problems]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vlreid")
    parser.add_argument("full_disk")
    parser.add_argument("--samples", type=int, default=12)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vlreid-disk-") as folder:
        disk = Disk(Job(arguments.vlreid, folder, epochs=(1, 2)), arguments.full_disk, arguments.kill)
        writes = disk.count_writes("undisturbed")
        expected = results(disk.job.run_folder("undisturbed"))
        samples = writes if arguments.all else min(arguments.samples, writes)
        numbers = [1 + i * writes // samples for i in range(samples)]
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            problems = sum(pool.map(lambda number: disk.problems_at(number, expected), numbers), [])
    print(f"\n{len(numbers)} of {writes} writes failed, one run each")
    print("\n".join(problems) or "all runs equal the undisturbed one")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
