#!/usr/bin/env python3
"""Measures every workload beside its peers, in turns, and prints one table; writes build/bench.json.

    ./dev bench                       everything, in about half an hour
    ./dev bench --only encoder        one of the workloads (may be repeated)
    ./dev bench --large               whole batches, Market-1501's size, 10 000 images
    ./dev bench --accuracy            what bf16 and int8 change: cosines and mAP (--weights FILE: of trained weights too)
    ./dev bench --profile encoder     where our time goes, by perf

All contenders of a workload are processes that prepare once and are measured alternately, round by round, so that a machine that changes
its speed changes it for all. A peer counts only when it computes what ours does: outputs are compared first.
"""
import argparse
import pathlib
import platform
import time

import places
import profiling
from table import Table
from workloads import accuracy, embed, encoder, image, peak, retrieval, startup, train

WORKLOADS = {"peak": peak.measure, "encoder": encoder.measure, "latency": encoder.measure_latency, "resnet": encoder.measure_resnet,
             "embed": embed.measure, "image": image.measure, "train": train.measure, "retrieval": retrieval.measure, "startup": startup.measure}


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=WORKLOADS, action="append", help="may be repeated")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--dtype", choices=["f32", "bf16", "int8", "f32x3"], action="append",
                        help="measure this precision even where the processor has no instructions for it (may be repeated)")
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--weights", type=pathlib.Path, action="append", default=[], help="trained weights, for --accuracy")
    parser.add_argument("--profile", choices=profiling.PROGRAMS)
    parser.add_argument("--out", type=pathlib.Path, default=places.ROOT / "build" / "bench.json")
    return parser.parse_args()


def dtypes(options):
    """bf16 without instructions for it is slower than float32: measured only when asked for."""
    return options.dtype or ["f32", "int8", *(["bf16", "f32x3"] if places.has_bf16() else [])]


def show(row):
    print("  " + " | ".join(cell for cell in row.cells() if cell), flush=True)


def main():
    options = parse()
    if options.profile:
        return profiling.show(options.profile)
    options.dtypes = dtypes(options)
    table, begin = Table(show), time.monotonic()
    for name in ["accuracy"] if options.accuracy else options.only or WORKLOADS:
        print(f"{name} ({time.monotonic() - begin:.0f} s)", flush=True)
        try:
            (accuracy.measure if options.accuracy else WORKLOADS[name])(table, options)
        except Exception as error:  # one workload that fails must not lose the others
            table.unmeasured(name, f"{type(error).__name__}: {error}")
    print(f"\n{cpu_name()}, {platform.system()} {platform.release()}, {time.strftime('%Y-%m-%d')}, {time.monotonic() - begin:.0f} s\n")
    print(table.markdown())
    options.out.write_text(table.json(cpu=cpu_name(), date=time.strftime("%Y-%m-%d"), rounds=options.rounds, large=options.large))
    print(f"\n{options.out}")


if __name__ == "__main__":
    main()
