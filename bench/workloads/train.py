"""Training steps of both stages beside a plain PyTorch loop, and their memory."""
import places
from contenders import Contest, run_json
from table import Goal, Spread

# A step of 64 images takes half a minute on two cores; with fewer images a step is the same work for each.
STAGE2_BATCH = {False: 16, True: 64}
LARGEST_DIFFERENCE = 1e-5  # of losses, relative


def ours(*words):
    return [places.bench("train", "bench_train"), *words]


def peer(*words):
    return [places.PYTHON, places.PEERS / "train_torch.py", *words]


def rates_of(answers):
    return {name: [answer["per_second"] for answer in given] for name, given in answers.items()}


def measure_stage1(table, options):
    with Contest() as contest:
        contest.add("ours", ours("--serve", "--what", "stage1"))
        contest.add("torch eager", peer("--serve", "--what", "stage1"))
        contest.add("peak", [places.bench("products", "bench_peak")])
        answers = contest.turns(options.rounds, {"ours": {"steps": 4}})
        peaks = answers.pop("peak")
        rates, gflop = rates_of(answers), contest.members[0].facts["gflop_each"]
        share = Spread.of([rate * gflop / peak["peak"]["f32"] for rate, peak in zip(rates["ours"], peaks)])
        table.compare("stage 1, batch 64, f32", "prompts/s", rates.pop("ours"), rates, {"best": Goal(12)}, share=share, note=contest.idle_note())


def measure_losses(table, steps):
    """The step without exact savings, from the same weights on the same batch, has the same losses."""
    with Contest() as contest:
        contest.add("ours", ours("--serve", "--what", "stage1", "--batch", "16"))
        contest.add("ours without exact savings", ours("--serve", "--what", "stage1", "--batch", "16", "--naive"))
        answers = contest.turns(steps)
        rates = rates_of(answers)
        table.compare("stage 1, batch 16, f32", "prompts/s", rates["ours"], {"ours without exact savings": rates["ours without exact savings"]})
        losses = [[answer["loss"] for answer in given] for given in answers.values()]
        largest = max(abs(a - b) / abs(b) for a, b in zip(*losses))
        table.bound(f"stage 1, losses of {steps} steps", "relative", largest, Goal(at_most=LARGEST_DIFFERENCE), "to the step without exact savings", steps)


def measure_stage2(table, options, dtype, words, title, goals):
    batch = STAGE2_BATCH[options.large]
    rounds = min(options.rounds, 3) if options.large else options.rounds
    common = ["--serve", "--what", "stage2", "--batch", str(batch), "--dtype", dtype, *words]
    name = "torch autocast bf16" if dtype == "bf16" else "torch eager"
    with Contest() as contest:
        contest.add("ours", ours(*common))
        contest.add(name, peer(*common))
        contest.add("peak", [places.bench("products", "bench_peak")])
        answers = contest.turns(rounds)
        peaks, gflop = answers.pop("peak"), contest.members[0].facts["gflop_each"]
        rates = rates_of(answers)
        share = Spread.of([rate * gflop / peak["peak"][dtype] for rate, peak in zip(rates["ours"], peaks)])
        table.compare(f"{title}, batch {batch}", "images/s", rates.pop("ours"), rates, goals, share=share, note=contest.idle_note())


def measure_memory(table, words, title, at_most):
    """Peak of a process that makes one step of the whole batch."""
    values = [run_json(side("--what", "stage2", "--steps", "1", *words))[-1]["peak_mib"] for side in (ours, peer)]
    table.compare(f"{title}, batch 64, peak memory", "MiB", values[:1], {"torch eager": values[1:]}, {"best": Goal(round(1 / at_most, 3))}, more_is_better=False)
    return values[0]


def measure(table, options):
    measure_stage1(table, options)
    measure_losses(table, 100 if options.large else 10)
    measure_stage2(table, options, "f32", [], "stage 2, f32", {"best": Goal(1.25)})
    if "bf16" in options.dtypes:
        measure_stage2(table, options, "bf16", [], "stage 2, bf16", {"best": Goal(1.6)})
    else:
        table.unmeasured("stage 2, bf16", "no bf16 instructions")
    if not options.large:
        return
    measure_stage2(table, options, "f32", ["--lora"], "stage 2 with LoRA, f32", {"best": Goal(1)})
    whole = measure_memory(table, [], "stage 2", 0.8)
    lora = measure_memory(table, ["--lora"], "stage 2 with LoRA", 0.6)
    table.compare("stage 2 with LoRA, batch 64, peak memory", "MiB", [lora], {"ours without LoRA": [whole]}, more_is_better=False)
