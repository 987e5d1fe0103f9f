#!/usr/bin/env python3
"""Decode and resize with Pillow, augment as the references do with torchvision, on one thread; a contender (contender.py) for bench_image.
torchvision cannot be imported beside this PyTorch for CPUs, so its transforms are written out here: they too are calls of Pillow on the
image and of PyTorch on the tensor.

    image_pillow.py FOLDER [--height 256 --width 128]
"""
import argparse
import math
import pathlib
import random
import time

import numpy
import torch
from contender import serve
from PIL import Image, ImageOps

PADDING = 10
MEAN = STD = torch.full((3, 1, 1), 0.5)


def rate(seconds, items, work):
    """Runs whole rounds over the items until so much processor time is used: other work on the machine disturbs it less."""
    images, start = 0, time.process_time()
    while (elapsed := time.process_time() - start) < seconds:
        for item in items:
            work(item)
        images += len(items)
    return {"images_per_second": images / elapsed}


def serve_kinds(kinds):
    """kinds: {name: (items, work)}."""
    serve({"run": lambda request: rate(request["seconds"], *kinds[request["kind"]])})


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
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--width", type=int, default=128)
    options = parser.parse_args()
    paths = sorted(str(path) for path in options.folder.rglob("*.jpg"))[:200]
    size = (options.width, options.height)
    decoded = [decode(path) for path in paths]

    def resize(image):
        return image.resize(size, Image.Resampling.BILINEAR)

    def enlarge(image):
        return image.resize(size, Image.Resampling.BICUBIC)

    torch.set_num_threads(1)
    resized, values = [enlarge(image) for image in decoded], torch.empty((3, options.height, options.width))
    serve_kinds({"decode": (paths, decode), "decode_resize": (paths, lambda path: resize(decode(path))), "resize": (decoded, resize),
                 "decode_augment": (paths, lambda path: augment(enlarge(decode(path)))), "augment_cached": (resized, augment),
                 "noise_of_an_image": (resized, lambda image: values.normal_())})


if __name__ == "__main__":
    main()
