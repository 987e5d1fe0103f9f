"""One run of `vlreid embed` with random weights, watched: when its weights are ready, how long it takes then, and its memory."""
import dataclasses
import os
import pathlib
import subprocess
import time

import places

READY = "numbers before the neck"  # of the line that embed logs before it reads images


@dataclasses.dataclass
class Run:
    ready: float  # seconds
    after: float  # seconds
    resident_mib: float  # when ready
    peak_mib: float


def memory_mib(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    return 0


def run(images, out, dtype, batch=32):
    command = [places.PROGRAM, "embed", "--weights", places.towers() / "vit.safetensors", "--images", images, "--out", out, "--dtype", dtype,
               "--batch", batch, "INPUT.SIZE_TEST", "[256, 128]"]
    begin = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    ready, resident, said = 0.0, 0.0, ""
    for said in process.stderr:
        if READY in said:
            ready, resident = time.perf_counter(), memory_mib(process.pid, "VmRSS:")
            break
    said = process.stderr.read() or said
    _, status, usage = os.wait4(process.pid, 0)
    end = time.perf_counter()
    process.returncode = status
    if status != 0 or ready == 0:
        raise RuntimeError(f"embed: status {status}: {said[-300:]}")
    return Run(ready - begin, end - ready, resident, usage.ru_maxrss / 1024)
