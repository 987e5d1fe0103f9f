#!/usr/bin/env python3
"""Starts a run with every YAML file of configs/person, veri, multimodal and VehicleID on small weights and pictures: one epoch of each stage.

    train_configs.py VLREID [FAMILY/NAME ...]

VehicleID's lists are only taken with all of their 13164 identities, too many for an epoch here: dry runs, two steps of each stage.
"""
import itertools
import pathlib
import subprocess
import sys
import tempfile

from tiny_runs import CONFIGS, ENVIRONMENT, find_golden, make_set, write_clip

TRAIN_IDENTITIES, TEST_IDENTITIES = 13164, 800  # of VehicleID
STAGE = ["IMS_PER_BATCH", "8", "MAX_EPOCHS", "1", "LOG_PERIOD", "1"]


def make_vehicleid(folder, pictures):
    """The lists of the release, whose names all lead to a few pictures."""
    (folder / "image").mkdir(parents=True)
    (folder / "train_test_split").mkdir()
    for i, picture in enumerate(pictures):
        (folder / "image" / f"{i:07}.jpg").write_bytes(picture.read_bytes())
    names = itertools.cycle(f"{i:07}" for i in range(len(pictures)))
    for name, count, images in (("train_list", TRAIN_IDENTITIES, 1), ("test_list_800", TEST_IDENTITIES, 2)):
        lines = [f"{next(names)} {identity}\n" for identity in range(count) for _ in range(images)]
        (folder / "train_test_split" / f"{name}.txt").write_text("".join(lines))


def command(config, folder):
    family, name = config.parent.name, config.stem
    side = ["64", "32"] if family in ("person", "multimodal") else ["64", "64"]
    is_resnet, has_stages = name.startswith("cnn"), "base" not in name and name != "visual_prompts"
    words = ["train", "--config-file", str(config), "--weights", str(find_golden("common/tiny-rn.pt")) if is_resnet else "clip.safetensors"]
    words += ["--out", f"runs/{family}/{name}"] + (["--dry-run"] if family == "VehicleID" else [])
    for section in ("STAGE1.", "STAGE2.") if has_stages else ("",):
        for key, value in zip(STAGE[::2], STAGE[1::2]):
            words += [f"SOLVER.{section}{key}", value]
    for key in ("INPUT.SIZE_TRAIN", "INPUT.SIZE_TEST"):
        words += [key, f"[{', '.join(side)}]"]
    return words + ["DATASETS.ROOT_DIR", str(folder / ("person" if family == "multimodal" else family))]


def problem_of(binary, config, folder):
    words = command(config, folder)
    done = subprocess.run([binary, *words], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    errors = [line for line in done.stderr.splitlines() if line.startswith("vlreid: ")]
    if done.returncode != 0 or errors:
        return f"exit code {done.returncode}: {' '.join(words)}\n  " + "\n  ".join(errors)
    page = folder / "runs" / config.parent.name / config.stem / "report.html"
    return None if "--dry-run" in words or page.exists() else f"no {page}"


def main():
    binary, wanted = str(pathlib.Path(sys.argv[1]).resolve()), sys.argv[2:]
    configs = [path for family in ("person", "veri", "multimodal", "VehicleID") for path in sorted((CONFIGS / family).glob("*.yml"))]
    configs = [path for path in configs if not wanted or f"{path.parent.name}/{path.stem}" in wanted]
    with tempfile.TemporaryDirectory(prefix="vlreid-configs-") as name:
        folder = pathlib.Path(name)
        write_clip(folder / "clip.safetensors", text_blocks=9)  # as deep as the vectors of deep prompts go
        make_set(binary, folder / "person")
        make_set(binary, folder / "veri" / "VeRi", "vehicle")
        make_vehicleid(folder / "VehicleID" / "VehicleID_V1.0", sorted(folder.glob("veri/VeRi/image_train/*.jpg")))
        problems = [(path, problem) for path in configs if (problem := problem_of(binary, path, folder))]
    for path, problem in problems:
        print(f"{path}: {problem}")
    print(f"{len(configs) - len(problems)} of {len(configs)} configurations run")
    return 1 if problems or not configs else 0


if __name__ == "__main__":
    sys.exit(main())
