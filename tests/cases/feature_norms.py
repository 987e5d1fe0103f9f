"""Whether the mean length of projected features is the root of the scale: feature_norms.py ROWS.safetensors WEIGHTS.safetensors WIDTH

The projected feature is the last WIDTH numbers of a row; the scale is the exponential of the tensor logit_scale.
"""
import math
import struct
import sys

from safetensors import float_rows, read

rows_path, weights_path, width = sys.argv[1:]
rows = [row[-int(width):] for row in float_rows(read(rows_path)["features"])]
scale = math.exp(struct.unpack("<f", read(weights_path)["logit_scale"][1])[0])
mean = sum(math.hypot(*row) for row in rows) / len(rows)
print(abs(mean / math.sqrt(scale) - 1) < 1e-3)
