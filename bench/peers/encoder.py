#!/usr/bin/env python3
"""An image encoder under one of the engines that people use; a contender (contender.py) for bench/encoder/bench_encoder.

    encoder.py --engine eager|compile|onnxruntime|openvino --weights FILE [--dtype f32|bf16|int8] [--batch 16] [--latency]
               [--images FILE] [--calibration FILE]

--images and --calibration are float32 [N, 3, 256, 128] as .npy: what is embedded, and what 8-bit scales are calibrated on (OpenVINO with
NNCF's post-training quantisation for transformers; its own defaults otherwise). bf16 is autocast in torch, a hint in OpenVINO. Exported
models are kept beside the weights.
"""
import argparse
import os
import pathlib
import sys
import time

import numpy
from contender import serve

os.environ.setdefault("TORCHINDUCTOR_FREEZING", "1")  # weights are constants, packed when compiled
import torch  # noqa: E402

from clip_image import load_tower  # noqa: E402

THREADS = len(os.sched_getaffinity(0))


def torch_engine(options, tower, example):
    narrow = torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.dtype == "bf16")
    call = torch.compile(tower) if options.engine == "compile" else tower

    def forward(images):
        with torch.inference_mode() if options.engine == "eager" else torch.no_grad(), narrow:
            return call(torch.from_numpy(images)).float().numpy()

    return forward, f"torch {torch.__version__.split('+')[0]} {options.engine}"


def onnxruntime_engine(options, tower, example):
    import onnxruntime

    path = options.kept(f"opset{options.opset}.onnx")
    if not path.exists():
        torch.onnx.export(tower, (torch.from_numpy(example),), dynamo=True, opset_version=options.opset, verbose=False).save(path)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = THREADS
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    settings.add_session_config_entry("session.force_spinning_stop", "1")  # idle while others are measured
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0], f"ONNX Runtime {onnxruntime.__version__}"


def quantised(model, options):
    import nncf

    crops = numpy.load(options.calibration)
    batches = [crops[i:i + options.batch] for i in range(0, len(crops) - options.batch + 1, options.batch)]
    kind = nncf.ModelType.TRANSFORMER if options.is_vit else None
    return nncf.quantize(model, nncf.Dataset(batches), model_type=kind, subset_size=len(batches))


def openvino_engine(options, tower, example):
    import openvino

    path = options.kept("int8.xml" if options.dtype == "int8" else "f32.xml")
    if not path.exists():
        model = openvino.convert_model(tower, example_input=torch.from_numpy(example))
        model.reshape(list(example.shape))
        openvino.save_model(quantised(model, options) if options.dtype == "int8" else model, path, compress_to_fp16=False)
    model = openvino.Core().read_model(path)
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "bf16" if options.dtype == "bf16" else "f32",
             "INFERENCE_NUM_THREADS": THREADS, "NUM_STREAMS": 1}
    compiled = openvino.Core().compile_model(model, "CPU", hints)
    request = compiled.create_infer_request()
    return lambda images: request.infer({0: images})[0], f"OpenVINO {openvino.__version__.split('-')[0]}"


ENGINES = {"eager": torch_engine, "compile": torch_engine, "onnxruntime": onnxruntime_engine, "openvino": openvino_engine}


def kept(weights, suffix):
    """Where a model made from the weights stands; one of older weights is removed."""
    path = weights.with_suffix(suffix)
    if path.exists() and path.stat().st_mtime < weights.stat().st_mtime:
        path.unlink()
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--dtype", choices=["f32", "bf16", "int8"], default="f32")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--opset", type=int, default=18)
    parser.add_argument("--images", required=True)
    parser.add_argument("--calibration")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    tower = load_tower(options.weights)
    options.kept = lambda name: kept(pathlib.Path(options.weights), f".{options.batch}.{name}")
    options.is_vit = type(tower).__name__ == "Vit"
    images = numpy.ascontiguousarray(numpy.load(options.images)[:options.batch])
    forward, name = ENGINES[options.engine](options, tower, images)
    for _ in range(2):
        forward(images)

    def run(request):
        seconds = []
        for _ in range(request.get("calls", 1)):
            begin = time.perf_counter()
            forward(images)
            seconds.append(time.perf_counter() - begin)
        return {"seconds": seconds}

    def check(request):
        numpy.save(request["out"], forward(images))
        return {}

    serve({"run": run, "check": check}, name=name, threads=THREADS)


if __name__ == "__main__":
    sys.exit(main())
