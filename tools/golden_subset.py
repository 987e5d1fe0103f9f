#!/usr/bin/env python3
"""Makes a TorchScript archive of the golden collection small enough for tests/golden: embeddings of words that no test reads become zeros, and
the archive is compressed. What the tests compute from it stays the same.

    python3 tools/golden_subset.py ../shared/golden/common/tiny-vit.pt tests/golden/common/tiny-vit.pt

The words that stay are those of the prompts, and of the sentences of common/clip-zero-shot.
"""
import array
import json
import pathlib
import struct
import sys
import zipfile

VOCABULARY = 49408
START, END = 49406, 49407
# "A photo of a X X X X person.", "... X X X X X X X X", vehicle, man, woman, this, that, the, with, in, on
PROMPT_WORDS = [320, 1125, 539, 343, 344, 2533, 269, 5299, 1615, 1571, 589, 682, 518, 593, 530, 525, START, END]
FLOAT16 = 2


def tensor(path, name):
    """An integer tensor of a safetensors file."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    entry = json.loads(data[8:8 + size])[name]
    begin, end = entry["data_offsets"]
    values = array.array({"I64": "q", "I32": "i"}[entry["dtype"]])
    values.frombytes(data[8 + size + begin:8 + size + end])
    return values


def kept_rows(archive, words):
    """The bytes of a [VOCABULARY, width] table with zeros in all other rows."""
    row = len(archive) // VOCABULARY
    table = bytearray(len(archive))
    for word in words:
        table[word * row:(word + 1) * row] = archive[word * row:(word + 1) * row]
    return bytes(table)


def reduce(source, target):
    words = sorted({*PROMPT_WORDS, *tensor(source.parent / "clip-zero-shot.safetensors", "tokens")})
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as small:
        for entry in whole.infolist():
            data = whole.read(entry)
            is_table = entry.file_size >= VOCABULARY * FLOAT16 and entry.file_size % (VOCABULARY * FLOAT16) == 0
            small.writestr(zipfile.ZipInfo(entry.filename), kept_rows(data, words) if is_table else data, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    reduce(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
