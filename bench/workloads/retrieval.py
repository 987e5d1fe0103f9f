"""Evaluation and re-ranking beside the reference's way and public implementations, with equal scores; what a query costs as the gallery
grows."""
import places
from contenders import Contest, run_json
from table import Goal, Spread

RERANK_PEERS = {"rerank": "NumPy reference", "rerank-lists": "faiss + NumPy", "rerank-torchreid": "torchreid", "rerank-fastreid": "fastreid"}
LARGEST_DIFFERENCE = 0.002  # of mAP; the reference encodes in half precision
CURVE = [10_000, 30_000, 100_000, 300_000, 1_000_000]
CURVE_QUERIES, CURVE_DIMS = 256, 512


def program(*words):
    return [places.bench("retrieval", "bench_retrieval"), "--serve", *words]


def script(*words):
    return [places.PYTHON, places.PEERS / "retrieval_reference.py", *words]


def saved(size):
    """Features in files for the peers."""
    folder = places.DATA / f"features-{size}"
    if not (folder / "gallery_cameras.npy").exists():
        run_json([places.bench("retrieval", "bench_retrieval"), "--size", size, "--save", folder])
    return folder


def check_scores(what, ours, peer):
    if abs(ours["mAP"] - peer["mAP"]) > LARGEST_DIFFERENCE:
        raise RuntimeError(f"{what}: mAP {ours['mAP']}, by the peer {peer['mAP']}")


def measure_evaluation(table, options):
    with Contest() as contest:
        contest.add("ours", program("--size", "market"))
        contest.add("ours ranking", program("--size", "market"))
        contest.add("NumPy reference", script(saved("market")))
        contest.add("peak", [places.bench("products", "bench_peak")])
        answers = contest.turns(options.rounds, {"ours ranking": {"kind": "ranking"}}, kind="evaluate")
        ours, peers = answers["ours"], answers["NumPy reference"]
        check_scores("evaluation", ours[0], peers[0])
        share = [a["gflop"] / a["seconds"] / p["peak"]["f32"] for a, p in zip(ours, answers["peak"])]
        size = "3368 x 15913 x 1280"
        table.compare(f"ranking, {size}", "s", [a["seconds"] for a in answers["ours ranking"]], {"NumPy reference": [p["ranking_seconds"] for p in peers]},
                      {"best": Goal(50)}, more_is_better=False)
        table.compare(f"evaluation, {size}", "s", [a["seconds"] for a in ours], {"NumPy reference": [p["seconds"] for p in peers]}, {"best": Goal(6)},
                      more_is_better=False, share=Spread.of(share), note=f"peak memory {ours[-1]['peak_mib']:.0f} and {peers[-1]['peak_mib']:.0f} MiB")


def measure_rerank(table, size, rounds, goals):
    """Each peer is a process of its own, so that each has its own peak of memory."""
    with Contest() as contest:
        contest.add("ours", program("--size", size))
        for what, name in RERANK_PEERS.items():
            contest.add(name, script(saved(size), "--what", what))
        answers = contest.turns(rounds, kind="rerank")
        ours = answers.pop("ours")
        for name, given in answers.items():
            check_scores(name, ours[0], given[0])
        memory = ", ".join(f"{name} {given[-1]['peak_mib']:.0f}" for name, given in answers.items())
        table.compare(f"re-ranking, {size}", "s", [a["seconds"] for a in ours], {name: [a["seconds"] for a in given] for name, given in answers.items()},
                      goals, more_is_better=False, note=f"peak memory {ours[-1]['peak_mib']:.0f} MiB, {memory}")


def measure_msmt17(table):
    with Contest() as contest:
        contest.add("ours", program("--size", "msmt17"))
        answer = contest.members[0].ask(kind="rerank")
        table.bound("re-ranking, 11659 x 82161 x 1280", "s", answer["seconds"])
        table.bound("its peak memory", "MiB", answer["peak_mib"], Goal(at_most=4096), "features included")


def measure_curve(table, options):
    """Milliseconds a query; growing ten times, the cost may grow ten times and little more."""
    with Contest() as contest:
        contest.add("ours", program("--size", f"{CURVE_QUERIES}x{CURVE[-1]}x{CURVE_DIMS}"))
        costs = {}
        for gallery in CURVE:
            contest.turns(1, kind="evaluate", gallery=gallery)  # makes buffers
            rounds = contest.turns(options.rounds, kind="evaluate", gallery=gallery)["ours"]
            costs[gallery] = sorted(1e3 * a["seconds"] / CURVE_QUERIES for a in rounds)[len(rounds) // 2]
            table.bound(f"a query among {gallery:,} x {CURVE_DIMS}", "ms", costs[gallery], rounds=options.rounds)
        growth = costs[CURVE[-1]] / costs[CURVE[-3]] / (CURVE[-1] / CURVE[-3])
        table.bound("its growth from 100,000 to 1,000,000, divided by ten", "", growth, Goal(at_most=1.15))


def measure(table, options):
    measure_evaluation(table, options)
    measure_rerank(table, "300x1500x256", options.rounds, {"NumPy reference": Goal(40)})
    measure_curve(table, options)
    if options.large:
        measure_rerank(table, "842x3978x1280", min(options.rounds, 3), {"NumPy reference": Goal(40)})
        measure_rerank(table, "market", 1, {"NumPy reference": Goal(40)})
        measure_msmt17(table)
