"""Where our time goes: the functions that perf finds in a benchmark of ours."""
import os
import shutil
import subprocess

import places
from contenders import SHORT_SPINS

LINES = 40
PROGRAMS = {
    "encoder": [places.bench("encoder", "bench_encoder"), "--rounds", "5"],
    "encoder-int8": [places.bench("encoder", "bench_encoder"), "--rounds", "5", "--dtype", "int8"],
    "resnet": [places.bench("encoder", "bench_encoder"), "--model", "resnet", "--rounds", "5"],
    "stage1": [places.bench("train", "bench_train"), "--what", "stage1", "--steps", "10"],
    "stage2": [places.bench("train", "bench_train"), "--what", "stage2", "--steps", "2", "--batch", "16"],
    "evaluate": [places.bench("retrieval", "bench_retrieval"), "--size", "market", "--what", "evaluate"],
    "rerank": [places.bench("retrieval", "bench_retrieval"), "--size", "842x3978x1280", "--what", "rerank"],
}


def show(name):
    perf = shutil.which("perf")
    if perf is None:
        raise SystemExit("bench: perf is not installed (Debian: linux-perf); nothing was profiled")
    record = places.DATA / "perf.data"
    places.logs()
    subprocess.run([perf, "record", "-q", "-o", record, "--", *map(str, PROGRAMS[name])], check=True, env={**os.environ, **SHORT_SPINS})
    report = subprocess.run([perf, "report", "--stdio", "-q", "-i", record, "--sort", "dso,symbol"], check=True, capture_output=True, text=True)
    print("\n".join([line.rstrip(" -") for line in report.stdout.splitlines() if line.strip()][:LINES]))
