#!/usr/bin/env python3
"""Trains every method of Multimodal-ReID on one made domain with several seeds, scores it there and on another one (other cameras,
other clothes), and prints one table: mean and spread of the scores, seconds an epoch of each stage (the fastest one).

    python bench/domains.py --seeds 3 --out build/domains [METHOD ...]

Everything is made: people of both domains, others for the CLIP's pre-training. Runs that are there already are not repeated, so
single methods can be trained first and the table be printed at the end.
"""
import argparse
import json
import os
import pathlib
import shutil
import time

from study import BINARY, ROOT, call, spread

# Market-1501's and DukeMTMC-reID's folders, in which two sets can lie side by side.
SETS = {"market1501": ("Market1501", "a", 1), "dukemtmc": ("DukeMTMC-reID", "b", 2)}
PRETRAINING = ["--epochs", "16", "--batch", "64", "--lr", "1e-3", "--eval-every", "16", "SOLVER.WEIGHT_DECAY", "0.05"]
CONFIG = ROOT / "configs" / "demo" / "multimodal.yml"
TWO_SETS = ["DATASETS.MERGED", "dukemtmc", "DATASETS.ALTERNATE", "True"]
# Sums are rounded as the threads share them, so these numbers belong to the results.
PRETRAINING_THREADS, THREADS = "2", "1"
# What differs from CONFIG.
METHODS = {
    "coop": ["MODEL.PROMPT", "coop"],
    "coop_augmented": ["MODEL.PROMPT", "coop_augmented"],
    "adapter": ["MODEL.PROMPT", "adapter"],
    "ivlp": ["MODEL.PROMPT", "ivlp"],
    "promptsrc": ["MODEL.PROMPT", "promptsrc"],
    "clip_adapter": ["MODEL.PROMPT", "clip_adapter", "SOLVER.STAGE2.BASE_LR", "3e-3"],
    "visual_prompts": ["MODEL.PROMPT", "visual_prompts", "SOLVER.MAX_EPOCHS", "6", "SOLVER.IMS_PER_BATCH", "32", "SOLVER.BASE_LR", "3e-4",
                       "SOLVER.WARMUP_ITERS", "2", "SOLVER.STEPS", "[5]", "SOLVER.EVAL_PERIOD", "6", "SOLVER.CHECKPOINT_PERIOD", "6"],
    "clipreid": ["MODEL.PROMPT", "clipreid"],
    "ted": ["MODEL.PROMPT", "ted"],
    "coop_in_turns": ["MODEL.PROMPT", "coop", *TWO_SETS],
    "coop_hard_sharing": ["MODEL.PROMPT", "coop_hard_sharing", *TWO_SETS],
    "ivlp_hard_sharing": ["MODEL.PROMPT", "ivlp_hard_sharing", *TWO_SETS],
}


def make(folder, *words):
    """What `vlreid` makes in a folder, once."""
    if not folder.exists():
        partial = folder.with_name(folder.name + ".unfinished")
        shutil.rmtree(partial, ignore_errors=True)
        call([word if word != "FOLDER" else partial for word in words])
        partial.rename(folder)


def make_all(binary, out):
    for name, domain, seed in SETS.values():
        make(out / "sets" / name, binary, "synth", "FOLDER", "--domain", domain, "--seed", seed, "--train-identities", 50,
             "--test-identities", 40, "--images-per-camera", 2, "--distractors", 40, "--junk", 0)
    others = out / "others"
    make(others, binary, "synth", "FOLDER", "--seed", 9, "--train-identities", 150, "--test-identities", 10, "--distractors", 0, "--junk", 0)
    os.environ["OMP_NUM_THREADS"] = PRETRAINING_THREADS
    make(out / "clip", binary, "pretrain", "--sizes", ROOT / "configs" / "clip" / "demo.yml", "--captions", others / "captions.json",
         "--images", others, "--out", "FOLDER", *PRETRAINING)
    os.environ["OMP_NUM_THREADS"] = THREADS


def run_folder(out, method, seed):
    return out / "runs" / f"{method}-{seed}"


def train(binary, out, method, seed):
    make(run_folder(out, method, seed), binary, "train", "--config-file", CONFIG, "--weights", out / "clip" / "clip.pth", "--out", "FOLDER",
         "DATASETS.ROOT_DIR", out / "sets", "SOLVER.SEED", seed, *METHODS[method])


def scores(binary, out, weights):
    """Per file or folder: {dataset: (mAP, Rank-1)}, and the datasets that it was trained on."""
    words = [binary, "cross", *weights, "--datasets", *(f"{name}:{out / 'sets'}" for name in SETS), "--checkpoint", "last", "--config-file",
             CONFIG, "--json"]
    cells = json.loads(call(words))["cells"]
    rows = [cells[i:i + len(SETS)] for i in range(0, len(cells), len(SETS))]
    return [({cell["dataset"]: (cell["mAP"], cell["CMC"][0]) for cell in row}, [c["dataset"] for c in row if c["same_domain"]]) for row in rows]


def seconds_an_epoch(folder, stage):
    records = [json.loads(line) for line in (folder / "timing.jsonl").read_text().splitlines()]
    return [r["time"] * r["iteration"] for r in records if r["stage"] == stage]


def row_of(name, found, folders):
    cells = [name]
    for dataset in SETS:
        mark = " *" if dataset in found[0][1] else ""
        for score in (0, 1):
            values = [one[0][dataset][score] for one in found]
            cells.append((spread(values) if len(values) > 1 else f"{100 * values[0]:.1f}") + mark)
    for stage in (1, 2):
        times = sum((seconds_an_epoch(folder, stage) for folder in folders), [])
        cells.append(f"{min(times):.1f}" if times else "")
    return f"| {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "domains")
    parser.add_argument("--binary", type=pathlib.Path, default=BINARY)
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=f"of {', '.join(METHODS)}; all when none is named")
    options = parser.parse_args()
    out, start = options.out.resolve(), time.monotonic()
    (out / "runs").mkdir(parents=True, exist_ok=True)
    make_all(options.binary, out)
    titles = [f"{domain}: {score}" for _, domain, _ in SETS.values() for score in ("mAP", "Rank-1")]
    print(f"| method | {' | '.join(titles)} | stage 1, s an epoch | stage 2 |\n|{' --- |' * 7}", flush=True)
    print(row_of("zero-shot", scores(options.binary, out, [out / "clip" / "clip.pth"]), []), flush=True)
    for method in options.methods or METHODS:
        folders = [run_folder(out, method, seed) for seed in range(1, options.seeds + 1)]
        for seed in range(1, options.seeds + 1):
            train(options.binary, out, method, seed)
        print(row_of(method, scores(options.binary, out, folders), folders), flush=True)
    print(f"\n* trained on it. {time.monotonic() - start:.0f} s.")


if __name__ == "__main__":
    main()
