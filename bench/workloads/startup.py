"""Seconds until `vlreid --help` is done, and until the weights of ViT-B/16 are ready to embed; memory then and at most."""
import pathlib
import statistics
import subprocess
import tempfile
import time

import embedding
import places
from table import Goal, Spread

MIB = 1 << 20


def help_seconds():
    begin = time.perf_counter()
    subprocess.run([places.PROGRAM, "--help"], check=True, capture_output=True)
    return time.perf_counter() - begin


def embed_once(dtype, scratch):
    """(seconds until ready, resident MiB then, the most at the end) of embedding one image."""
    names = scratch / "one.txt"
    names.write_text(f"{next(places.made_crops().rglob('*.jpg'))}\n")
    run = embedding.run(names, scratch / "one.npy", dtype)
    return run.ready, run.resident_mib, run.peak_mib


def measure(table, options):
    places.towers()
    with tempfile.TemporaryDirectory() as scratch:
        helps, runs = [], {dtype: [] for dtype in places.program_dtypes(options)}
        for _ in range(options.rounds):
            helps.append(help_seconds())
            for dtype in places.program_dtypes(options):
                runs[dtype].append(embed_once(dtype, pathlib.Path(scratch)))
    table.bound("vlreid --help", "s", statistics.median(helps), Goal(at_most=0.5), f"{Spread.of(helps)}", options.rounds)
    weights = (places.towers() / "vit.safetensors").stat().st_size / MIB
    for dtype, given in runs.items():
        more = Spread.of([run[0] - own for run, own in zip(given, helps)])
        table.bound(f"ViT-B/16 {dtype} ready, beyond --help", "s", more.median, Goal(at_most=0.4), f"{more}", options.rounds)
        resident, most = (statistics.median(run[i] for run in given) for i in (1, 2))
        limit = Goal(at_most=round(1.15 * weights + 250)) if dtype == "f32" else None
        table.bound(f"ViT-B/16 {dtype} ready, resident", "MiB", resident, limit, f"weights {weights:.0f} MiB; at most {most:.0f} MiB, one image embedded", options.rounds)
