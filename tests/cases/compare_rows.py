"""Compares rows that `vlreid embed` wrote with the reference's: compare_rows.py ROWS.safetensors GOLDEN.safetensors TENSOR INPUTS.json RELATIVE

The golden rows are in the order of INPUTS.json's file names; ROWS.safetensors may hold only some of them.
"""
import json
import pathlib
import sys

from safetensors import float_rows, read

rows_path, golden_path, tensor, inputs_path, relative = sys.argv[1:]
rows = float_rows(read(rows_path)["features"])
names = [pathlib.Path(line).name for line in pathlib.Path(rows_path + ".paths.txt").read_text().splitlines()]
golden = dict(zip(json.load(open(inputs_path))["files"], float_rows(read(golden_path)[tensor])))
worst = max(abs(a - b) / max(1, abs(b)) for name, row in zip(names, rows, strict=True) for a, b in zip(row, golden[name], strict=True))
print(f"{len(rows)} rows equal" if rows and worst <= float(relative) else f"{len(rows)} rows, largest difference {worst}")
