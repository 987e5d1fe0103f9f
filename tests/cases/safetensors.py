"""The safetensors format in plain Python, for scripts beside the cases: names -> (header entry, bytes)."""
import json
import pathlib
import struct


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


def float_rows(tensor):
    entry, data = tensor
    width = entry["shape"][1]
    numbers = struct.unpack(f"<{len(data) // 4}f", data)
    return [numbers[i:i + width] for i in range(0, len(numbers), width)]
