#!/usr/bin/env python3
"""Runs every benchmark beside its peers, in turns, and prints one table of ratios; writes build/bench.json.

    ./dev bench                 everything that fits in about ten minutes
    ./dev bench --only image    encoder, image, retrieval or train
    ./dev bench --large         also re-ranking by every peer at Market size (9 GiB, a quarter of an hour)

Both sides of a ratio are measured alternately in the same run, so that a machine that changes its speed changes both. Peaks are
measured in the same run as well.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
PEERS = ROOT / "bench" / "peers"


def run_json(command):
    """The JSON lines that a program prints. Our programs get what vlreid gives itself (vlreid/cli/main/short_spins.cpp)."""
    is_ours = BUILD in pathlib.Path(command[0]).parents
    environment = {**os.environ, "GOMP_SPINCOUNT": "5000"} if is_ours else None
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: exit code {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def alternate(rounds, ours, peer):
    """[(ours, peer), ...]: lists of JSON lines, measured in turns."""
    return [(run_json(ours), run_json(peer)) for _ in range(rounds)]


def row(rows, workload, unit, ours, peers, peer_name, more_is_better, goal="", note=""):
    ratios = [a / b if more_is_better else b / a for a, b in zip(ours, peers)]
    rows.append({"workload": workload, "unit": unit, "ours": statistics.median(ours), "peer": peer_name, "peer_value": statistics.median(peers),
                 "ratio": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios), "rounds": len(ratios), "goal": goal, "note": note})


def image_folders(scratch):
    """Crops as cameras give them, and larger ones, from the made dataset; real crops when they are beside the checkout."""
    binary = BUILD / "vlreid"
    common = ["--train-identities", "1", "--test-identities", "20", "--force"]
    subprocess.run([binary, "synth", scratch / "crops", *common], check=True, capture_output=True)
    subprocess.run([binary, "synth", scratch / "large", "--height", "400", "--width", "200", *common], check=True, capture_output=True)
    folders = {"made crops 128x64": scratch / "crops", "made crops 400x200": scratch / "large"}
    real = ROOT.parent / "shared" / "data" / "pets09-reid"
    return {**({"real crops 85x35": real} if real.exists() else {}), **folders}


def bench_image(rows, options, scratch):
    for name, folder in image_folders(scratch).items():
        rounds = alternate(options.rounds, [BUILD / "bench/image/bench_image", folder, "1"], [sys.executable, PEERS / "image_pillow.py", folder, "1"])
        for what in ("decode_resize", "decode", "resize"):
            pick = [[next(line["images_per_second"] for line in side if line["what"] == what) for side in pair] for pair in rounds]
            row(rows, f"{what.replace('_', ' + ')}, {name}", "images/s/core", [a for a, _ in pick], [b for _, b in pick], "Pillow", True,
                ">= 3" if what == "decode_resize" else "")


def seconds_of(side):
    return side[-1]["seconds"]


RERANK_PEERS = {"rerank": "numpy reference", "rerank-lists": "faiss + numpy", "rerank-torchreid": "torchreid", "rerank-fastreid": "fastreid"}


def save_features(scratch, size):
    saved = scratch / size
    run_json([BUILD / "bench/retrieval/bench_retrieval", "--size", size, "--what", "distances", "--repeat", "1", "--save", saved])
    return saved


def bench_rerank(rows, size, saved, rounds, goal=""):
    """Each peer in turns with ours; a peer whose scores differ from ours is no peer."""
    program, script = BUILD / "bench/retrieval/bench_retrieval", PEERS / "retrieval_reference.py"
    for what, name in RERANK_PEERS.items():
        pairs = alternate(rounds, [program, "--size", size, "--what", "rerank", "--repeat", "1"], [sys.executable, script, saved, "--what", what])
        ours, peer = pairs[0][0][-1], pairs[0][1][-1]
        if abs(ours["scores"]["mAP"] - peer["mAP"]) > 0.002:
            raise RuntimeError(f"re-ranking: mAP {ours['scores']['mAP']}, by {name} {peer['mAP']}")
        row(rows, f"re-ranking, {size}", "s", [seconds_of(a) for a, _ in pairs], [seconds_of(b) for _, b in pairs], name, False, goal if what == "rerank" else "> 1",
            f"peak memory {ours['peak_mib']:.0f} against {peer['peak_mib']:.0f} MiB")


def bench_retrieval(rows, options, scratch):
    program, peer = BUILD / "bench/retrieval/bench_retrieval", PEERS / "retrieval_reference.py"
    market = save_features(scratch, "market")
    for what, goal in (("ranking", ">= 30"), ("evaluate", ">= 5")):
        rounds = alternate(min(options.rounds, 3), [program, "--size", "market", "--what", what, "--repeat", "1"], [sys.executable, peer, market, "--what", what])
        row(rows, f"{what}, 3368 x 15913", "s", [seconds_of(a) for a, _ in rounds], [seconds_of(b) for _, b in rounds], "numpy reference", False, goal)
    quarter = "842x3978x1280"
    bench_rerank(rows, quarter, save_features(scratch, quarter), min(options.rounds, 3))
    if options.large:
        bench_rerank(rows, "market", market, 1, ">= 25")


def bench_encoder(rows, options, _scratch):
    once = ["--rounds", "1"]
    rounds = alternate(options.rounds, [BUILD / "bench/encoder/bench_encoder", *once], [sys.executable, PEERS / "encoder_torch.py", *once])
    ours, peers = [a[-1] for a, _ in rounds], [b[-1] for _, b in rounds]
    row(rows, "ViT-B/16 float32, 256x128", "images/s", [a["images_per_second"] for a in ours], [b["images_per_second"] for b in peers], "torch eager", True)
    row(rows, "ViT-B/16 float32, 256x128", "GFLOP/s", [a["gflops"] for a in ours], [a["peak_gflops"] for a in ours], "peak of at::mm", True, ">= 0.8")


def has_fast_bf16():
    return any(flag in pathlib.Path("/proc/cpuinfo").read_text() for flag in ("avx512_bf16", "amx_bf16"))


def bench_train(rows, options, _scratch):
    """A step of batch 64 takes half a minute on two cores, so there are few."""
    program, script = BUILD / "bench/train/bench_train", PEERS / "train_torch.py"
    few, once = min(options.rounds, 3), 3 if options.large else 1

    def compare(workload, unit, pairs, peer_name, goal="", pick="per_second", note=""):
        row(rows, workload, unit, [a[-1][pick] for a, _ in pairs], [b[-1][pick] for _, b in pairs], peer_name, pick == "per_second", goal, note)

    first = [program, "--what", "stage1", "--steps", "5"]
    compare("stage 1, batch 64", "prompts/s", alternate(few, first, [program, "--what", "stage1", "--naive", "--steps", "1"]), "without exact savings", ">= 8")
    compare("stage 1, batch 64", "prompts/s", alternate(few, first, [sys.executable, script, "--what", "stage1", "--steps", "1"]), "torch eager", ">= 12")
    ours, peer = [program, "--what", "stage2", "--steps", "1"], [sys.executable, script, "--what", "stage2", "--steps", "1"]
    whole = alternate(once, ours, peer)
    compare("stage 2, ViT-B/16, batch 64", "images/s", whole, "torch eager", "> 1")
    compare("stage 2, ViT-B/16, batch 64", "MiB", whole, "torch eager", "> 1", "peak_mib")
    row(rows, "stage 2, ViT-B/16, batch 64", "GFLOP/s", [a[-1]["gflops"] for a, _ in whole], [a[-1]["peak_gflops"] for a, _ in whole], "peak of at::mm", True, ">= 0.65")
    adapted = alternate(once, [*ours, "--lora"], [*peer, "--lora"])
    compare("stage 2 with LoRA", "images/s", adapted, "torch eager", "> 1")
    compare("stage 2 with LoRA", "MiB", adapted, "torch eager", "> 1", "peak_mib")
    compare("stage 2 with LoRA", "MiB", [(a, b) for (a, _), (b, _) in zip(adapted, whole)], "ours without LoRA", ">= 1.33", "peak_mib")
    if has_fast_bf16():
        narrow = alternate(once, [*ours, "--dtype", "bf16"], [*peer, "--dtype", "bf16"])
        compare("stage 2, bf16", "images/s", narrow, "torch autocast", "> 1")
        compare("stage 2, bf16", "images/s", [(a, b) for (a, _), (b, _) in zip(narrow, whole)], "ours in float32", ">= 1.8")


PARTS = {"encoder": bench_encoder, "image": bench_image, "retrieval": bench_retrieval, "train": bench_train}


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=sorted(PARTS), action="append")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="vlreid-bench-") as scratch:
        for name in options.only or sorted(PARTS):
            PARTS[name](rows, options, pathlib.Path(scratch))
    print(f"\n{cpu_name()}, {platform.system()} {platform.release()}\n")
    print(f"{'workload':<42} {'ours':>10} {'peer':>10}  {'unit':<14} {'ratio (min to max)':<24} {'goal':<6} against")
    for r in rows:
        spread = f"{r['ratio']:.2f} ({r['ratio_min']:.2f} to {r['ratio_max']:.2f})"
        print(f"{r['workload']:<42} {r['ours']:>10.4g} {r['peer_value']:>10.4g}  {r['unit']:<14} {spread:<24} {r['goal']:<6} {r['peer']} {r['note']}")
    out = ROOT / "build" / "bench.json"
    out.write_text(json.dumps({"cpu": cpu_name(), "rows": rows}, indent=1) + "\n")
    print(f"\n{out.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
