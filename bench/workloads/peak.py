"""What the processor can do at most, beside LibTorch's matrix product: what shares of the peak are shares of."""
import places
from contenders import Contest
from table import Row, Spread


def measure(table, options):
    with Contest() as contest:
        peak = contest.add("peak", [places.bench("products", "bench_peak")])
        given = [answer for answer in contest.turns(options.rounds, torch=True)["peak"]]
    for dtype, instructions in peak.facts["instructions"].items():
        one, all_threads = (Spread.of([answer[key][dtype] for answer in given]) for key in ("peak_one_thread", "peak"))
        table.add(Row(f"peak {dtype}, {instructions}", "Gop/s" if dtype == "int8" else "GFLOP/s", all_threads.median, "one thread", one.median,
                      Spread.of([a["peak"][dtype] / a["peak_one_thread"][dtype] for a in given]), rounds=len(given)))
    share = Spread.of([answer["torch_mm"] / answer["peak"]["f32"] for answer in given])
    table.bound("at::mm f32", "GFLOP/s", Spread.of([answer["torch_mm"] for answer in given]).median, rounds=len(given), share=share)
