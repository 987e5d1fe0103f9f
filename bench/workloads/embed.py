"""`vlreid embed` on a folder of JPEG crops, without its start-up, as a share of the encoder's own rate on batches in memory."""
import os
import pathlib
import subprocess
import tempfile
import time

import places
from contenders import SHORT_SPINS, Contest
from table import Goal
from workloads.encoder import ours_command

BATCH = 32  # what embed takes by itself
FEW = 32    # images of the run that start-up is measured with
MANY = {False: 160, True: 10_000}


def folder_of(scratch, count):
    """So many crops, copied from a few hundred."""
    sources = sorted(places.made_crops().rglob("*.jpg"))
    folder = pathlib.Path(scratch) / str(count)
    folder.mkdir()
    for i in range(count):
        (folder / f"{i:05}.jpg").write_bytes(sources[i % len(sources)].read_bytes())
    return folder


def seconds_of(folder, dtype):
    command = [places.PROGRAM, "embed", "--weights", places.towers() / "vit.safetensors", "--images", folder, "--out", folder.with_suffix(".npy"),
               "--dtype", dtype, "--batch", str(BATCH), "INPUT.SIZE_TEST", "[256, 128]"]
    begin = time.perf_counter()
    subprocess.run([str(word) for word in command], check=True, capture_output=True, env={**os.environ, **SHORT_SPINS})
    return time.perf_counter() - begin


def turns(contest, options, few, many, dtype):
    """[(images/s of embed, images/s of the encoder), ...]. The encoder is measured before and after, as embed runs in between."""
    count, rates = MANY[options.large] - FEW, []
    for _ in range(1 if options.large else options.rounds):
        before = contest.members[0].ask(calls=2)["seconds"]
        short, long = seconds_of(few, dtype), seconds_of(many, dtype)
        after = contest.members[0].ask(calls=2)["seconds"]
        rates.append((count / (long - short), 4 * BATCH / sum(before + after)))
    return rates


def measure(table, options):
    with tempfile.TemporaryDirectory(dir=places.DATA) as scratch:
        few, many = folder_of(scratch, FEW), folder_of(scratch, MANY[options.large])
        for dtype in options.dtypes:
            with Contest() as contest:
                contest.add(f"ours {dtype}", ours_command("vit", dtype, BATCH))
                rates = turns(contest, options, few, many, dtype)
            table.compare(f"embed, {MANY[options.large]} JPEG crops, {dtype}", "images/s", [a for a, _ in rates], {"the encoder alone": [b for _, b in rates]},
                          {"best": Goal(0.92)})
