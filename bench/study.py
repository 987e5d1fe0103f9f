#!/usr/bin/env python3
"""Trains methods with several seeds and prints one table: mean and spread of the scores, seconds a run.

    python bench/study.py --root data --weights clip.pth --seeds 5 --out build/study \\
        baseline=configs/demo/baseline.yml clipreid=configs/demo/clipreid.yml

Every run is `vlreid train`; zero-shot is `vlreid eval` of the starting weights. Runs that are there already are not repeated.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = ROOT / "build" / "release" / "vlreid"


def call(words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(str(word) for word in words)}\n{done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def zero_shot(options, pairs):
    words = [BINARY, "eval", "--weights", options.weights, "--dataset", options.dataset, "--root", options.root, "--json", *pairs]
    scores = json.loads(call(words))
    return scores["mAP"], scores["CMC"][0]


def trained(options, name, config, seed, pairs):
    folder = pathlib.Path(options.out) / f"{name}-{seed}"
    done = folder / "seconds.txt"
    if not done.exists():
        start = time.monotonic()
        call([BINARY, "train", "--config-file", config, "--weights", options.weights, "--out", folder, "--overwrite", "DATASETS.NAMES",
              options.dataset, "DATASETS.ROOT_DIR", options.root, "SOLVER.SEED", str(seed), *pairs])
        done.write_text(f"{time.monotonic() - start:.1f}\n")
    last = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines() if '"eval"' in line][-1]
    return last["mAP"], last["rank1"], float(done.read_text())


def spread(values):
    values = [100 * value for value in values]
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values) if len(values) > 1 else 0:.1f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True)
    parser.add_argument("--dataset", default="market1501")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", default="build/study")
    parser.add_argument("--pairs", default="", help="KEY VALUE pairs for every run, separated by blanks")
    parser.add_argument("methods", nargs="+", metavar="NAME=CONFIG")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    pairs = options.pairs.split()
    size = next((pairs[i + 1] for i in range(0, len(pairs), 2) if pairs[i] == "INPUT.SIZE_TEST"), None)
    m, r = zero_shot(options, ["INPUT.SIZE_TEST", size] if size else [])
    print("| method | mAP | Rank-1 | s a run |\n| --- | --- | --- | --- |")
    print(f"| zero-shot | {100 * m:.1f} | {100 * r:.1f} | |")
    for method in options.methods:
        name, config = method.split("=", 1)
        rows = [trained(options, name, config, seed, pairs) for seed in range(1, options.seeds + 1)]
        print(f"| {name} | {spread([row[0] for row in rows])} | {spread([row[1] for row in rows])} | {statistics.mean([row[2] for row in rows]):.0f} |",
              flush=True)


if __name__ == "__main__":
    main()
