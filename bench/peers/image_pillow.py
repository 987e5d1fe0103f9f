#!/usr/bin/env python3
"""Decode and resize with Pillow, augment as torchvision and the references do with Pillow and PyTorch, on one thread: the
peer of bench/image. Prints the same JSON lines.

usage: image_pillow.py FOLDER SECONDS [--height 256 --width 128]
"""
import argparse
import json
import math
import pathlib
import random
import time

import numpy
import PIL
import torch
from PIL import Image, ImageOps

PADDING = 10
MEAN = STD = torch.full((3, 1, 1), 0.5)


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


def erase(tensor):
    """One rectangle of normal noise in half of the images."""
    if random.random() > 0.5:
        return tensor
    channels, height, width = tensor.shape
    for _ in range(10):
        area = random.uniform(0.02, 1 / 3) * height * width
        aspect = math.exp(random.uniform(math.log(0.3), math.log(1 / 0.3)))
        h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if w < width and h < height:
            top, left = random.randint(0, height - h), random.randint(0, width - w)
            tensor[:, top:top + h, left:left + w] = torch.empty((channels, h, w)).normal_()
            break
    return tensor


def augment(image):
    """What follows the resize: flip, pad and crop on the Pillow image, then a float tensor, normalised and erased."""
    width, height = image.size
    if torch.rand(1) < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = ImageOps.expand(image, border=PADDING, fill=0)
    top = torch.randint(0, 2 * PADDING + 1, (1,)).item()
    left = torch.randint(0, 2 * PADDING + 1, (1,)).item()
    image = image.crop((left, top, left + width, top + height))
    tensor = torch.from_numpy(numpy.array(image, numpy.uint8, copy=True)).permute(2, 0, 1).contiguous()
    tensor = tensor.to(torch.float32).div(255)
    return erase(tensor.clone().sub_(MEAN).div_(STD))


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

    torch.set_num_threads(1)

    def enlarge(image):
        return image.resize(size, Image.Resampling.BICUBIC)

    resized = [enlarge(image) for image in decoded]
    measure("decode_augment", options.seconds, paths, lambda path: augment(enlarge(decode(path))))
    measure("augment_cached", options.seconds, resized, augment)
    values = torch.empty((3, options.height, options.width))
    measure("noise_of_an_image", options.seconds, resized, lambda image: values.normal_())


if __name__ == "__main__":
    main()
