#!/usr/bin/env python3
"""Trains with the weights, sizes and options of the references' golden checkpoints and compares what comes out, read by torch alone:
names in their order, types and shapes.

    train_checkpoints.py VLREID      exit code 77 where torch or every golden file is missing
"""
import pathlib
import sys
import tempfile

try:
    import torch
except ImportError:
    print("skipped: no torch for this Python")
    sys.exit(77)

from tiny_runs import CONFIGS, find_golden, run_vlreid, write_clip

LORA = ["MODEL.USE_LORA", "True", "r", "4", "alpha", "2", "params", "['q', 'k', 'v', 'o', 'mlp']"]
# configuration, weights, image size, further options, {our file: the golden one}
CASES = [
    ("vit_clipreid", "common/tiny-vit.pt", "[256, 128]", [], {"ViT-B-16_1": "ckpt-vit-stage2"}),
    ("cnn_clipreid", "common/tiny-rn.pt", "[256, 128]", [], {"RN50_stage1_1": "ckpt-rn-stage1", "RN50_1": "ckpt-rn-stage2"}),
    ("vit_clipreid", "mini.safetensors", "[64, 32]", [], {"ViT-B-16_stage1_1": "ckpt-mini-vit-stage1"}),
    ("vit_ted_lora", "mini-ted.safetensors", "[64, 32]", LORA,
     {"ViT-B-16_stage1_1": "ckpt-mini-ted-lora-stage1", "ViT-B-16_1": "ckpt-mini-ted-lora-stage2"}),
]


def described(path):
    state = torch.load(path, weights_only=True, map_location="cpu")
    return [(name, str(tensor.dtype), list(tensor.shape)) for name, tensor in state.items()]


def train(binary, folder, case, number):
    config, weights, size, options, _ = case
    words = ["train", "--config-file", f"{CONFIGS}/person/{config}.yml", "--weights", str(find_golden(weights) or folder / weights)]
    for stage in ("STAGE1", "STAGE2"):
        words += [f"SOLVER.{stage}.MAX_EPOCHS", "1", f"SOLVER.{stage}.IMS_PER_BATCH", "8"]
    words += ["INPUT.SIZE_TRAIN", size, "INPUT.SIZE_TEST", size, "DATASETS.ROOT_DIR", str(folder / "set"), *options]
    run_vlreid(binary, *words, "OUTPUT_DIR", str(folder / f"run{number}"))
    return folder / f"run{number}"


def compare(ours, reference):
    found, expected = described(ours), described(reference)
    if found == expected:
        return []
    both = [f"+ {row}" for row in found if row not in expected] + [f"- {row}" for row in expected if row not in found]
    return [f"{reference.name}: " + ("; ".join(both[:12]) or "another order")]


def main():
    binary, compared, problems = str(pathlib.Path(sys.argv[1]).resolve()), 0, []
    with tempfile.TemporaryDirectory(prefix="vlreid-checkpoints-") as name:
        folder = pathlib.Path(name)
        # As many identities as the golden files have.
        run_vlreid(binary, "synth", str(folder / "set"), "--train-identities", "8", "--test-identities", "2", "--cameras", "2",
                   "--images-per-camera", "2", "--distractors", "0", "--junk", "0")
        write_clip(folder / "mini.safetensors", vision_blocks=12, text_blocks=2)
        write_clip(folder / "mini-ted.safetensors", vision_blocks=12, text_blocks=9)
        for number, case in enumerate(CASES):
            pairs = {ours: golden for ours, name in case[4].items() if (golden := find_golden(f"clipreid/{name}.pth"))}
            if not pairs or not (find_golden(case[1]) or (folder / case[1]).exists()):
                continue
            run = train(binary, folder, case, number)
            problems += sum((compare(run / f"{ours}.pth", golden) for ours, golden in pairs.items()), [])
            compared += len(pairs)
    print("\n".join(problems + [f"{compared} files compared with the references'"]))
    return 1 if problems else 0 if compared else 77


if __name__ == "__main__":
    sys.exit(main())
