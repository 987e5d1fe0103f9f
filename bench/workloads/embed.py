"""`vlreid embed` on a folder of JPEG crops, without its start-up, as a share of the encoder's own rate on batches in memory."""
import pathlib
import tempfile

import embedding
import places
from contenders import Contest
from table import Goal
from workloads.encoder import ours_command

BATCH = 32  # what embed takes by itself
MANY = {False: 96, True: 10_000}


def folder_of(scratch, count):
    """So many crops, copied from a few hundred."""
    sources = sorted(places.made_crops().rglob("*.jpg"))
    folder = pathlib.Path(scratch) / str(count)
    folder.mkdir()
    for i in range(count):
        (folder / f"{i:05}.jpg").write_bytes(sources[i % len(sources)].read_bytes())
    return folder


def turns(contest, options, folder, dtype):
    """[(images/s of embed, images/s of the encoder), ...]. The encoder is measured before and after, as embed runs in between."""
    encoder, rates = contest.members[0], []
    for _ in range(1 if options.large else options.rounds):
        before = encoder.ask()["seconds"]
        seconds = embedding.run(folder, folder.with_suffix(".npy"), dtype, BATCH).after
        after = encoder.ask()["seconds"]
        rates.append((MANY[options.large] / seconds, 2 * BATCH / sum(before + after)))
    return rates


def measure(table, options):
    with tempfile.TemporaryDirectory(dir=places.DATA) as scratch:
        folder = folder_of(scratch, MANY[options.large])
        for dtype in places.program_dtypes(options):
            with Contest() as contest:
                contest.add(f"ours {dtype}", ours_command("vit", dtype, BATCH))
                rates = turns(contest, options, folder, dtype)
            table.compare(f"embed, {MANY[options.large]} JPEG crops, {dtype}", "images/s", [a for a, _ in rates], {"the encoder alone": [b for _, b in rates]},
                          {"best": Goal(0.92)})
