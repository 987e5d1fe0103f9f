#!/usr/bin/env python3
"""Kills training runs at random moments and lets them go on: what they leave must be what an undisturbed run leaves, to the bit.

    kill_runs.py VLREID [--kills 50] [--seed 1]

Most kills are SIGKILL; some are SIGTERM or SIGINT, after which the program saves its state and exits with 143 or 130.
"""
import argparse
import collections
import random
import signal
import sys
import tempfile
import time

from tiny_runs import Job, differences, results

SIGNALS = [signal.SIGKILL] * 6 + [signal.SIGTERM, signal.SIGINT]
EXIT_CODES = {signal.SIGKILL: [-9], signal.SIGTERM: [143], signal.SIGINT: [130]}
# Before the program has set its handlers, or when it was just about to end.
ALSO_ALLOWED = {signal.SIGKILL: [0], signal.SIGTERM: [0, -15], signal.SIGINT: [0, -2]}
MOST_STARTS = 60  # of one run


def place_of(folder):
    log = folder / "train_log.txt"
    text = log.read_text() if log.exists() else ""
    started = text.count("start training, stage 2") + 1 if "start training" in text else 0
    return ["before the first step", "stage 1", "stage 2"][min(started, 2)] if "done:" not in text else "at the end"


def interrupted_run(job, name, save_every, seconds, kills_left, dice, count):
    """Starts and kills until the run ends by itself. Returns what went wrong."""
    folder = job.run_folder(name)
    for start in range(MOST_STARTS):
        process = job.start(name, "--save-every", str(save_every), *(["--resume"] if start else []))
        if kills_left <= 0:
            code = process.wait()
            return [] if code == 0 else [f"exit code {code} after {start} kills: {process.stderr.read()[-500:]}"]
        time.sleep(dice.uniform(0, seconds))
        by = dice.choice(SIGNALS)
        process.send_signal(by)
        errors = process.communicate()[1]
        code = process.returncode
        if code not in EXIT_CODES[by] + ALSO_ALLOWED[by]:
            return [f"{by.name}: exit code {code}: {errors[-500:]}"]
        if code == 0:
            return []
        kills_left -= 1
        count[by.name] += 1
        count[place_of(folder)] += 1
        count["while a file was written"] += any(folder.glob(".*.tmp"))
    return [f"not done after {MOST_STARTS} starts"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vlreid")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    dice, count, problems = random.Random(arguments.seed), collections.Counter(), []
    with tempfile.TemporaryDirectory(prefix="vlreid-kills-") as folder:
        job = Job(arguments.vlreid, folder)
        begin = time.monotonic()
        code, errors = job.run("undisturbed")
        seconds = time.monotonic() - begin
        if code != 0:
            sys.exit(f"the undisturbed run: exit code {code}: {errors}")
        expected = results(job.run_folder("undisturbed"))
        kills = lambda: sum(count[s.name] for s in EXIT_CODES)  # noqa: E731
        while kills() < arguments.kills and not problems:
            count["runs"] += 1
            name, save_every = f"run{count['runs']}", 0 if count["runs"] % 2 else 600
            problems = interrupted_run(job, name, save_every, seconds, arguments.kills - kills(), dice, count)
            problems = problems or differences(expected, job.run_folder(name))
            problems = [f"{name}, --save-every {save_every}: {problem}" for problem in problems]
    print(f"{kills()} kills in {count['runs']} runs of {seconds:.1f} s:", ", ".join(f"{n} {what}" for what, n in sorted(count.items()) if what != "runs"))
    print("\n".join(problems) or "all runs equal the undisturbed one")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
