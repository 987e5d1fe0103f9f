#!/usr/bin/env python3
"""Runs tests/cases/*.case against the real binary.

A case is a list of steps, run one after the other by bash in an empty folder that is removed afterwards:

    # a comment
    needs clipreid/eval.safetensors      skip the whole case where this golden file is not there
    if unshare -rm true                  skip the rest of the case where this command fails
    $ vlreid eval --features "$GOLDEN/x" the command; vlreid, $GOLDEN(name), $DATA (tests/data) and $SHARED are set
    = 65                                 its exit code (0 when not said)
    | mAP: 12.3%                         one line of standard output
    ! vlreid: x: <re:.*>; do that        one line of standard error, with a regular expression in <re:...>
    | ...                                any number of lines (also "! ...")

Without any "|" (or "!") line, that stream is not looked at; "| nothing" wants it empty.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parent
SHARED = TESTS.parent.parent / "shared"
TIME_LIMIT_S = int(os.environ.get("VLREID_CASE_SECONDS", "240"))


def find_golden(name):
    for folder in (SHARED / "golden", TESTS / "golden"):
        if (folder / name).exists():
            return folder / name
    return None


class Step:
    def __init__(self, command, line, is_condition=False):
        self.command, self.line, self.code, self.is_condition = command, line, 0, is_condition
        self.expected = {"|": [], "!": []}


def parse(path):
    needs, steps = [], []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("needs "):
            needs.append(line[6:].strip())
        elif line.startswith("if "):
            steps.append(Step(line[3:], number, is_condition=True))
        elif line.startswith("$ "):
            steps.append(Step(line[2:], number))
        elif line.startswith("= "):
            steps[-1].code = int(line[2:])
        elif line[:1] in "|!":
            steps[-1].expected[line[0]].append(line[2:])
        else:
            sys.exit(f"{path}:{number}: a step line starts with '$', '=', '|' or '!', not with '{line[:10]}'")
    return needs, steps


def pattern_of(line):
    parts = re.split(r"<re:(.*?)>(?=[^>]|$)", line)
    return "".join(part if i % 2 else re.escape(part) for i, part in enumerate(parts))


def lines_match(expected, actual):
    if expected == ["nothing"]:
        return not actual
    if not expected:
        return not actual
    if expected[0] == "...":
        return any(lines_match(expected[1:], actual[i:]) for i in range(len(actual) + 1))
    return bool(actual) and re.fullmatch(pattern_of(expected[0]), actual[0]) is not None and lines_match(expected[1:], actual[1:])


def run_step(step, folder, environment):
    # A shell function finds golden files by name, wherever they are.
    prelude = "golden() { for d in \"$SHARED/golden\" \"$TESTS/golden\"; do [ -e \"$d/$1\" ] && { echo \"$d/$1\"; return; }; done; echo \"no-golden-$1\"; }\n"
    done = subprocess.run(["bash", "-c", prelude + step.command], cwd=folder, env=environment, capture_output=True, timeout=TIME_LIMIT_S)
    problems = []
    if done.returncode != step.code:
        problems.append(f"exit code {done.returncode}, expected {step.code}")
    for mark, stream in (("|", done.stdout), ("!", done.stderr)):
        text = stream.decode("utf-8", "replace")
        if step.expected[mark] and not lines_match(step.expected[mark], text.splitlines()):
            problems.append("expected\n" + "\n".join(f"    {mark} {line}" for line in step.expected[mark]))
    if problems:
        shown = [f"    {mark} {line}" for mark, s in (("|", done.stdout), ("!", done.stderr)) for line in s.decode("utf-8", "replace").splitlines()[:60]]
        problems.append("got\n" + "\n".join(shown))
    return problems


def run_case(path, binary):
    needs, steps = parse(path)
    missing = [name for name in needs if not find_golden(name) and not (SHARED / name).exists()]
    if missing:
        return "skipped", f"{missing[0]} is not part of a bare clone"
    folder = tempfile.mkdtemp(prefix="vlreid-case-")
    environment = dict(os.environ, PATH=f"{binary.parent}:{os.environ['PATH']}", DATA=str(TESTS / "data"), TESTS=str(TESTS),
                       SHARED=str(SHARED), PYTHON=sys.executable, LC_ALL="C.UTF-8")
    try:
        for step in steps:
            problems = run_step(step, folder, environment)
            if problems and step.is_condition:
                return "skipped", f"from line {step.line} on: '{step.command}' does not work here"
            if problems:
                return "failed", f"{path.name}:{step.line}: $ {step.command}\n  " + "\n  ".join(problems)
    except subprocess.TimeoutExpired:
        return "failed", f"{path.name}:{step.line}: $ {step.command}\n  took longer than {TIME_LIMIT_S} s"
    finally:
        subprocess.run(["chmod", "-R", "u+w", folder], check=False)
        shutil.rmtree(folder, ignore_errors=True)
    return "passed", ""


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    wanted = sys.argv[2:]
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for path in sorted((TESTS / "cases").glob("*.case")):
        if wanted and path.stem not in wanted:
            continue
        result, text = run_case(path, binary)
        count[result] += 1
        if text:
            print(f"{result}: {path.stem}: {text}")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
