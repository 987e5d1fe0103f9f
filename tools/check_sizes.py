#!/usr/bin/env python3
"""Fails on a source over 600 lines or a function over 80, and prints the median and 90th percentile of both.

Functions are found by layout: with clang-format, the body of a function at namespace scope ends at a '}' in the first column.
"""
import pathlib
import re
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_FILE, MAX_FUNCTION = 600, 80
NO_FUNCTION = re.compile(r"^(namespace|struct|class|enum|union|extern|template|typedef|using|#|//|}|\)|constexpr .*=|const .*=)")


def functions(lines):
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("}"):
            if start is not None:
                yield start, number - start + 1
            start = None
        elif line and not line[0].isspace() and start is None and "(" in line and not NO_FUNCTION.match(line):
            start = number if not line.endswith(";") else None


def summary(name, sizes):
    sizes = sorted(sizes)
    return f"{name}: median {statistics.median(sizes):.0f}, 90th percentile {sizes[int(len(sizes) * 0.9)]}, longest {sizes[-1]}"


def main():
    problems, files, bodies = [], [], []
    for path in sorted(p for top in ("vlreid", "bench", "tests", "fuzz") for p in (ROOT / top).rglob("*") if p.suffix in (".h", ".cpp")):
        lines = path.read_text().splitlines()
        files.append(len(lines))
        if len(lines) > MAX_FILE:
            problems.append(f"{path.relative_to(ROOT)}: {len(lines)} lines; at most {MAX_FILE}: split it by concept")
        for start, size in functions(lines):
            bodies.append(size)
            if size > MAX_FUNCTION:
                problems.append(f"{path.relative_to(ROOT)}:{start}: a function of {size} lines; at most {MAX_FUNCTION}")
    print("\n".join(problems + [summary("lines a file", files), summary("lines a function", bodies)]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
