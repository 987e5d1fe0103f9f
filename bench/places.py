"""Where things are, and what is made once for the benchmarks."""
import functools
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
PROGRAM = BUILD / "vlreid"
PEERS = ROOT / "bench" / "peers"
DATA = ROOT / "build" / "bench-data"
REAL_CROPS = ROOT.parent / "shared" / "data" / "pets09-reid"
PYTHON = sys.executable
SYNTH = ["--train-identities", "1", "--test-identities", "20", "--force"]


def logs():
    folder = DATA / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def bench(name, program):
    return BUILD / "bench" / name / program


@functools.cache
def cpu_flags():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    return frozenset(next((line for line in text.splitlines() if line.startswith("flags")), "").split())


def has_bf16():
    return bool(cpu_flags() & {"avx512_bf16", "amx_bf16"})


def has_vnni():
    return bool(cpu_flags() & {"avx512_vnni", "avx_vnni", "amx_int8"})


def program_dtypes(options):
    """What vlreid's --dtype knows of them."""
    return [dtype for dtype in options.dtypes if dtype != "f32x3"]


@functools.cache
def made_crops(*size):
    """Folder of crops that are drawn, 128x64 or of another size."""
    folder = DATA / ("crops-" + ("x".join(map(str, size)) or "128x64"))
    words = ["--height", str(size[0]), "--width", str(size[1])] if size else []
    if not folder.exists():
        DATA.mkdir(parents=True, exist_ok=True)
        partial = folder.with_suffix(".unfinished")
        subprocess.run([PROGRAM, "synth", partial, *SYNTH, *words], check=True, capture_output=True)
        partial.rename(folder)
    return folder


def crops():
    """Real ones when they are beside the checkout."""
    return REAL_CROPS if REAL_CROPS.exists() else made_crops()


@functools.cache
def towers():
    """Folder with random vit.safetensors and resnet.safetensors, and crops.npy: [N, 3, 256, 128] to embed and calibrate with."""
    if not (DATA / "crops.npy").exists():
        subprocess.run([PYTHON, PEERS / "random_weights.py", DATA, "--crops", crops()], check=True)
    return DATA
