#!/usr/bin/env python3
"""Decode and resize with Pillow, on one thread: the peer of bench/image. Prints the same JSON lines.

usage: image_pillow.py FOLDER SECONDS [--height 256 --width 128]
"""
import argparse
import json
import pathlib
import time

import PIL
from PIL import Image


def measure(name, seconds, items, work):
    """Runs whole rounds over the items until so much processor time is used: other work on the machine disturbs it less."""
    images = 0
    start = time.process_time()
    while (elapsed := time.process_time() - start) < seconds:
        for item in items:
            work(item)
        images += len(items)
    line = {"what": name, "by": f"Pillow {PIL.__version__}", "images": images, "seconds": round(elapsed, 4),
            "images_per_second": round(images / elapsed, 1)}
    print(json.dumps(line), flush=True)


def decode(path):
    with open(path, "rb") as file:
        return Image.open(file).convert("RGB")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--width", type=int, default=128)
    options = parser.parse_args()
    paths = sorted(str(path) for path in options.folder.rglob("*.jpg"))[:1000]
    size = (options.width, options.height)
    decoded = [decode(path) for path in paths[:200]]

    def resize(image):
        return image.resize(size, Image.Resampling.BILINEAR)

    measure("decode_resize", options.seconds, paths, lambda path: resize(decode(path)))
    measure("decode", options.seconds, paths, decode)
    measure("resize", options.seconds, decoded, resize)


if __name__ == "__main__":
    main()
