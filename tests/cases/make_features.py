"""Golden evaluation set -> the file that `vlreid eval --features` reads: make_features.py EVAL.safetensors SET OUT"""
import json
import pathlib
import struct
import sys


def read(path):
    data = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {name: (entry, data[8 + size + entry["data_offsets"][0]:8 + size + entry["data_offsets"][1]]) for name, entry in header.items()}


def write(path, tensors):
    header, offset = {}, 0
    for name, (entry, data) in tensors.items():
        header[name] = dict(entry, data_offsets=[offset, offset + len(data)])
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, data in tensors.values()))


def rows(tensor, begin, end):
    entry, data = tensor
    row_bytes = len(data) // entry["shape"][0]
    return dict(entry, shape=[end - begin] + entry["shape"][1:]), data[begin * row_bytes:end * row_bytes]


golden, chosen, out = sys.argv[1:]
tensors = read(golden)
facts = json.loads(pathlib.Path(golden).with_suffix(".json").read_text())[chosen]
features = tensors[f"{chosen}/feats"]
split, total = facts["num_query"], features[0]["shape"][0]
made = {}
for part, begin, end in (("query", 0, split), ("gallery", split, total)):
    for name, key in (("features", "feats"), ("ids", "pids"), ("cameras", "camids")):
        made[f"{part}_{name}"] = rows(tensors[f"{chosen}/{key}"], begin, end)
write(out, made)
