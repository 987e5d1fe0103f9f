"""The image encoder at 256x128 in images per second and as latency, beside the engines that people run it with."""
import numpy

import places
from contenders import Contest
from table import Goal, Spread

ENGINES = {"torch eager": "eager", "torch compile": "compile", "ONNX Runtime": "onnxruntime", "OpenVINO": "openvino"}
NARROW = {"bf16": {"OpenVINO bf16": "openvino", "torch autocast bf16": "eager"}, "int8": {"OpenVINO int8": "openvino"}, "f32x3": {}}
# Of a peer's output to that of plain PyTorch in float32; ours has a goal of its own.
LEAST_COSINE = {"f32": 0.99999, "f32x3": 0.99999, "bf16": 0.999, "int8": 0.98}
LARGEST_DIFFERENCE = {"ours f32": 1e-4, "ours f32x3": 1e-5}
CALLS_A_TURN = 16  # of single images, the first of which does not count: 7 rounds make more than 100


def difference(values, reference):
    """(smallest cosine, largest difference as a share of the largest value)."""
    cosines = (values * reference).sum(1) / numpy.linalg.norm(values, axis=1) / numpy.linalg.norm(reference, axis=1)
    return float(cosines.min()), float(abs(values - reference).max() / abs(reference).max())


def ours_command(model, dtype, batch):
    data = places.towers()
    return [places.bench("encoder", "bench_encoder"), "--serve", "--weights", data / f"{model}.safetensors", "--images", data / "crops.npy",
            "--dtype", dtype, "--batch", batch]


def peer_command(model, engine, dtype, batch):
    data = places.towers()
    return [places.PYTHON, places.PEERS / "encoder.py", "--engine", engine, "--weights", data / f"{model}.safetensors", "--dtype", dtype,
            "--batch", batch, "--images", data / "crops.npy", "--calibration", data / "crops.npy"]


def check(contest, names, table, workload):
    """Everybody computes the same; plain PyTorch is the reference. Returns our largest difference in float32."""
    outputs = {}
    for member in contest.members:
        if member.name not in names:
            continue
        path = places.DATA / "output.npy"
        member.ask("check", out=str(path))
        outputs[member.name] = numpy.load(path)
    reference = outputs["torch eager"]
    for name, values in outputs.items():
        cosine, largest = difference(values, reference)
        if cosine < LEAST_COSINE[names[name]]:
            raise RuntimeError(f"{workload}: {name} has a cosine of {cosine:.5f} to torch eager")
        if name in LARGEST_DIFFERENCE:
            table.bound(f"{workload}, {name[5:]}: difference to torch", "relative", largest, Goal(at_most=LARGEST_DIFFERENCE[name]))


def contest_of(contest, table, model, batch, dtypes, workload):
    """Starts everybody; returns {name: dtype}."""
    contest.add("peak", [places.bench("products", "bench_peak")])
    names = {}
    for dtype in ["f32", *(d for d in dtypes if d != "f32")]:
        contest.add(f"ours {dtype}", ours_command(model, dtype, batch))
        names[f"ours {dtype}"] = dtype
        for name, engine in (ENGINES if dtype == "f32" else NARROW[dtype]).items():
            contest.add(name, peer_command(model, engine, dtype, batch))
            names[name] = dtype
    check(contest, names, table, workload)
    return names


def gflop_of(contest, name):
    return next(member.facts["gflop"] for member in contest.members if member.name == name)


def throughput(table, options, model, title, goals):
    """goals: {dtype: {name of a peer or "best": Goal}}. f32x3 is float32 from three products of bf16."""
    dtypes = [d for d in options.dtypes if d in goals]
    with Contest() as contest:
        names = contest_of(contest, table, model, 16, dtypes, title)
        answers = contest.turns(options.rounds)
        peaks = answers.pop("peak")
        rates = {name: [16 / answer["seconds"][0] for answer in given] for name, given in answers.items()}
        for dtype in dtypes:
            ours, gflop = rates[f"ours {dtype}"], gflop_of(contest, f"ours {dtype}")
            share = Spread.of([rate * gflop / peak["peak"][dtype] for rate, peak in zip(ours, peaks)]) if dtype in peaks[0]["peak"] else None
            peers = {name: values for name, values in rates.items() if names[name] == dtype and not name.startswith("ours")}
            if dtype != "f32":
                peers["ours f32"] = rates["ours f32"]
            if dtype == "int8" and "ours bf16" in rates:
                peers["ours bf16"] = rates["ours bf16"]
            note = contest.idle_note()
            table.compare(f"{title}, {dtype}", "images/s", ours, peers, goals[dtype], share=share, note=note)
    for dtype in goals:
        if dtype not in dtypes:
            table.unmeasured(f"{title}, {dtype}", f"no {dtype} instructions")


def measure(table, options):
    int8 = {"OpenVINO int8": Goal(1.2)}
    if places.has_vnni():
        int8["ours bf16"] = Goal(1.4)
    throughput(table, options, "vit", "ViT-B/16, batch 16",
               {"f32": {"best": Goal(1.1)}, "bf16": {"OpenVINO bf16": Goal(1.5), "torch autocast bf16": Goal(2)}, "int8": int8,
                "f32x3": {"ours f32": Goal(1)}})


def measure_resnet(table, options):
    throughput(table, options, "resnet", "ResNet-50, batch 16", {"f32": {"best": Goal(1)}, "bf16": {"OpenVINO bf16": Goal(1)}})


def measure_latency(table, options):
    """Medians of every turn are compared; the percentiles are of all calls."""
    title = "ViT-B/16, one image"
    with Contest() as contest:
        contest_of(contest, table, "vit", 1, ["f32"], title)
        answers = contest.turns(options.rounds, calls=CALLS_A_TURN)
        answers.pop("peak")
        # The first call of a turn wakes caches and threads up after the others' turns.
        calls = {name: [answer["seconds"][1:] for answer in given] for name, given in answers.items()}
        medians = {name: [1e3 * float(numpy.median(turn)) for turn in turns] for name, turns in calls.items()}
        ours = medians.pop("ours f32")
        table.compare(title + ", f32, p50", "ms", ours, medians, {"best": Goal(1.3)}, more_is_better=False, note=contest.idle_note())
        for name in ("ours f32", *medians):
            all_calls = numpy.concatenate(calls[name])
            p50, p99 = numpy.percentile(all_calls, [50, 99])
            if name == "ours f32":
                table.bound(f"{title}, f32, p99 / p50", "", float(p99 / p50), Goal(at_most=1.5), f"{len(all_calls)} calls, p99 {1e3 * p99:.0f} ms")
            else:
                table.bound(f"{title}, f32, p99 / p50 of {name}", "", float(p99 / p50), note=f"p99 {1e3 * p99:.0f} ms")
