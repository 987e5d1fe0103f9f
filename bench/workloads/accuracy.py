"""What a precision changes: cosines of all embeddings to float32's, and the retrieval's mAP, with random and with trained weights."""
import json
import pathlib
import subprocess
import tempfile

import numpy
from safetensors.numpy import load_file

import places
from contenders import Contest
from table import Goal
from workloads import encoder

LEAST_COSINE = {"bf16": 0.9995, "int8": 0.99}
LARGEST_CHANGE = {"bf16": 0.1, "int8": 0.3}  # of mAP, in points


def evaluate(weights, root, dtype, scratch, words):
    """(scores, features) of the test images."""
    saved = scratch / f"{dtype}.safetensors"
    command = [places.PROGRAM, "eval", "--weights", weights, "--dataset", "market1501", "--root", root, "--dtype", dtype, "--save-features", saved,
               "--json", *words]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    tensors = load_file(saved)
    features = numpy.concatenate([tensors[name] for name in sorted(tensors) if tensors[name].ndim == 2])
    return json.loads(done.stdout), features.astype(numpy.float64)


def cosines(a, b):
    return (a * b).sum(1) / numpy.linalg.norm(a, axis=1) / numpy.linalg.norm(b, axis=1)


def measure_weights(table, title, weights, root, dtypes, scratch, words):
    scores, exact = evaluate(weights, root, "f32", scratch, words)
    table.bound(f"{title}, f32: mAP", "%", 100 * scores["mAP"], note=f"{len(exact)} images")
    for dtype in dtypes:
        changed, features = evaluate(weights, root, dtype, scratch, words)
        alike = cosines(features, exact)
        table.bound(f"{title}, {dtype}: smallest cosine to f32", "", float(alike.min()), Goal(LEAST_COSINE[dtype]), f"{alike.min():.6f}, mean {alike.mean():.6f}")
        change = 100 * (changed["mAP"] - scores["mAP"])
        table.bound(f"{title}, {dtype}: change of mAP", "points", abs(change), Goal(at_most=LARGEST_CHANGE[dtype]), f"{change:+.3f}")


def measure(table, options):
    """Every precision, also those that this processor is slow in."""
    dtypes = [dtype for dtype in options.dtype or LEAST_COSINE if dtype in LEAST_COSINE]
    for model, title in (("vit", "ViT-B/16"), ("resnet", "ResNet-50")):
        with Contest() as contest:
            contest.add("torch eager", encoder.peer_command(model, "eager", "f32", 16))
            names = {"torch eager": "f32"}
            for dtype in ("f32", "f32x3"):
                contest.add(f"ours {dtype}", encoder.ours_command(model, dtype, 16))
                names[f"ours {dtype}"] = dtype
            encoder.check(contest, names, table, f"random {title}")
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch) / "sets"
        root.mkdir()
        (root / "Market1501").symlink_to(places.crops())
        data = "real crops" if places.crops() == places.REAL_CROPS else "made crops"
        measure_weights(table, f"random ViT-B/16, {data}", places.towers() / "vit.safetensors", root, dtypes, pathlib.Path(scratch),
                        ["INPUT.SIZE_TEST", "[256, 128]"])
        for weights in options.weights:
            measure_weights(table, f"{weights.name}, {data}", weights.resolve(), root, dtypes, pathlib.Path(scratch), [])
