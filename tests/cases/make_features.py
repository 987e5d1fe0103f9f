"""Golden evaluation set -> the file that `vlreid eval --features` reads: make_features.py EVAL.safetensors SET OUT"""
import json
import pathlib
import sys

from safetensors import read, write


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
