"""Makes the small files of this folder and the seeds of fuzz/corpus/{archive,safetensors}, all by torch itself or byte by byte.

    python tests/data/weights/make.py        # needs torch; the files are kept in the repository
"""
import builtins
import collections
import io
import json
import os
import pathlib
import pickle
import struct
import zipfile

import torch

here = pathlib.Path(__file__).parent
corpus = here.parents[2] / "fuzz" / "corpus"
archive, safetensors = corpus / "archive", corpus / "safetensors"
for folder in (archive, safetensors):
    folder.mkdir(parents=True, exist_ok=True)


def repack(source, target, method, keep=lambda name: True):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", method) as new:
        for entry in old.infolist():
            if keep(entry.filename):
                new.writestr(entry.filename, old.read(entry))


def torch_files():
    state = collections.OrderedDict(
        a=torch.arange(4.0),
        b=torch.arange(6).reshape(2, 3).t(),
        c=torch.tensor([1.5, -2.0], dtype=torch.float16),
        d=torch.tensor(True),
        e=torch.ones(1, 3, dtype=torch.bfloat16).expand(4, 3),
        f=torch.arange(10, dtype=torch.float64)[2:5],
    )
    torch.save(state, here / "flat.pth")
    wrapped = {"epoch": 3, "lr": 0.5, "names": ["x", ("y", None)],
               "state_dict": {"module.w": torch.nn.Parameter(torch.ones(2, 2)), "module.v": torch.zeros(0, 3)}}
    torch.save(wrapped, here / "wrapped.pth")
    torch.save(state, here / "legacy.pth", _use_new_zipfile_serialization=False)
    repack(here / "flat.pth", here / "deflated.pth", zipfile.ZIP_DEFLATED)


class Module(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 2)
        self.linear.load_state_dict({"weight": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "bias": torch.tensor([5.0, 6.0])})
        self.register_buffer("resolution", torch.tensor(224))

    def forward(self, x):
        return self.linear(x)


def script_archive():
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(Module(), torch.ones(1, 2)), buffer)
    repack(buffer, here / "script.pt", zipfile.ZIP_STORED, lambda name: "/code/" not in name)


class Call:
    def __init__(self, function, *arguments):
        self.parts = (function, arguments)

    def __reduce__(self):
        return self.parts


def hostile_pickles():
    for name, call in (("os_system", Call(os.system, "true")), ("eval", Call(builtins.eval, "1"))):
        for protocol in (2, 4):
            (archive / f"{name}{protocol}.pkl").write_bytes(pickle.dumps({"w": call}, protocol))
        with zipfile.ZipFile(here / f"{name}.pth", "w") as file:
            file.writestr("archive/data.pkl", pickle.dumps({"state_dict": call}, 2))
            file.writestr("archive/version", "3\n")


def harmless_pickles():
    value = {"a": [1, -2, 2**40, 2**70, 1.5, None, True, b"x", bytearray(b"y")], "b": {1, 2}, "c": (1,), "d": "t" * 300,
             "f": frozenset([3])}
    for protocol in (2, 3, 4, 5):
        (archive / f"pickle{protocol}.pkl").write_bytes(pickle.dumps(value, protocol))


def safetensors_files():
    def file(header, data):
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data

    def tensor(dtype, shape, begin, end):
        return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}

    two = {"__metadata__": {"format": "pt"}, "a": tensor("F32", [2, 2], 0, 16), "b": tensor("BF16", [3], 16, 22)}
    sizes = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
    types, offset = {}, 0
    for name, size in sizes.items():
        types[name] = tensor(name, [], offset, offset + size)
        offset += size
    for name, content in {
        "two": file(two, b"x" * 22),
        "types": file(types, b"x" * offset),
        "empty": file({}, b""),
        "zero": file({"z": tensor("F32", [0, 4], 0, 0)}, b""),
        "huge_length": struct.pack("<Q", 1 << 63) + b"{}",
        "overflow": file({"z": tensor("F32", [1 << 62, 1 << 62], 0, 4)}, b"1234"),
    }.items():
        (safetensors / f"{name}.safetensors").write_bytes(content)


torch_files()
script_archive()
hostile_pickles()
harmless_pickles()
safetensors_files()
for name in ("flat.pth", "wrapped.pth", "legacy.pth", "deflated.pth", "script.pt"):
    (archive / name).write_bytes((here / name).read_bytes())
