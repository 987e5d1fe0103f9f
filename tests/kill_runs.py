#!/usr/bin/env python3
"""Kills training runs at random moments and lets them go on: what they leave must be what an undisturbed run leaves, to the bit.

    kill_runs.py VLREID [--kills 50] [--seed 1] [--config multimodal/promptsrc]

Most kills are SIGKILL; some are SIGTERM or SIGINT, after which the program saves its state and exits with 143 or 130. Every second run
saves its state after every batch, the others where the options say so.
"""
import argparse
import collections
import random
import shutil
import signal
import sys
import tempfile
import time

from tiny_runs import Job, differences, results

SIGNALS = [signal.SIGKILL] * 6 + [signal.SIGTERM, signal.SIGINT]
# The second: before the program has set its handlers.
EXIT_CODES = {signal.SIGKILL: [-9], signal.SIGTERM: [143, -15], signal.SIGINT: [130, -2]}
MOST_STARTS = 60  # of one run


def place_of(folder):
    log = folder / "train_log.txt"
    text = log.read_text() if log.exists() else ""
    if "done:" in text:
        return "at the end"
    return "in stage 2" if "training, stage 2" in text else "in stage 1" if "training, stage 1" in text else "before the first step"


class Killer:
    def __init__(self, job, kills, seed):
        self.job, self.wanted, self.dice, self.count = job, kills, random.Random(seed), collections.Counter()
        self.kills, self.runs, self.problems = 0, 0, []
        begin = time.monotonic()
        code, errors = job.run("undisturbed")
        self.window = time.monotonic() - begin  # seconds in which a kill comes
        if code != 0:
            sys.exit(f"the undisturbed run: exit code {code}: {errors}")
        self.expected = results(job.run_folder("undisturbed"))

    def start_and_kill(self, name, words):
        """True when the run came to its end."""
        begin, process = time.monotonic(), self.job.start(name, *words)
        by = self.dice.choice(SIGNALS)
        if self.kills < self.wanted:
            time.sleep(self.dice.uniform(0, self.window))
            process.send_signal(by)
        errors = process.communicate()[1]
        if process.returncode == 0:
            self.window = min(self.window, max(0.3, time.monotonic() - begin))
            return True
        if process.returncode not in EXIT_CODES[by]:
            self.problems.append(f"{by.name}: exit code {process.returncode}: {errors[-500:]}")
        folder = self.job.run_folder(name)
        self.kills += 1
        self.count[by.name] += 1
        self.count[place_of(folder)] += 1
        self.count["while a file was written"] += any(folder.glob(".*.tmp"))
        return False

    def run_to_its_end(self):
        self.runs += 1
        name, save_every = f"run{self.runs}", 0 if self.runs % 2 else 600
        for start in range(MOST_STARTS):
            is_done = self.start_and_kill(name, ["--save-every", str(save_every)] + (["--resume"] if start else []))
            if is_done or self.problems:
                break
        else:
            self.problems.append(f"not done after {MOST_STARTS} starts")
        self.problems += [] if self.problems else differences(self.expected, self.job.run_folder(name))
        shutil.rmtree(self.job.folder / name)
        print(f"{name}, --save-every {save_every}: {self.kills} kills up to here", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vlreid")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--config", default="person/vit_clipreid", help="the method, as a file of configs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vlreid-kills-") as folder:
        killer = Killer(Job(arguments.vlreid, folder, config=arguments.config, vision_blocks=2, text_blocks=2), arguments.kills, arguments.seed)
        while killer.kills < killer.wanted and not killer.problems:
            killer.run_to_its_end()
    print(f"{killer.kills} kills in {killer.runs} runs:", ", ".join(f"{n} {what}" for what, n in sorted(killer.count.items())))
    print("\n".join(killer.problems) or "all runs equal the undisturbed one")
    return 1 if killer.problems else 0


if __name__ == "__main__":
    sys.exit(main())
