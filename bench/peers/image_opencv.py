#!/usr/bin/env python3
"""Decode with libjpeg-turbo (simplejpeg), resize and augment with OpenCV and NumPy, as fast loaders in Python do, on one thread; a contender
(contender.py) for bench_image. OpenCV's resize does not smooth where it shrinks, so that it does less than the others.

    image_opencv.py FOLDER [--height 256 --width 128]
"""
import argparse
import math
import pathlib
import random

import cv2
import numpy
import simplejpeg
from image_pillow import PADDING, serve_kinds

GENERATOR = numpy.random.default_rng(1)


def decode(path):
    with open(path, "rb") as file:
        return simplejpeg.decode_jpeg(file.read(), "RGB")


def erase(values):
    """One rectangle of normal noise in half of the images."""
    if random.random() > 0.5:
        return values
    height, width, channels = values.shape
    for _ in range(10):
        area = random.uniform(0.02, 1 / 3) * height * width
        aspect = math.exp(random.uniform(math.log(0.3), math.log(1 / 0.3)))
        h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if w < width and h < height:
            top, left = random.randint(0, height - h), random.randint(0, width - w)
            values[top:top + h, left:left + w] = GENERATOR.standard_normal((h, w, channels), numpy.float32)
            break
    return values


def augment(image):
    """Flip, pad and crop in bytes, then normalised floats, erased, [3, H, W]."""
    height, width, _ = image.shape
    if random.random() < 0.5:
        image = cv2.flip(image, 1)
    image = cv2.copyMakeBorder(image, PADDING, PADDING, PADDING, PADDING, cv2.BORDER_CONSTANT)
    top, left = random.randint(0, 2 * PADDING), random.randint(0, 2 * PADDING)
    values = image[top:top + height, left:left + width].astype(numpy.float32)
    values *= 2 / 255
    values -= 1
    return numpy.ascontiguousarray(erase(values).transpose(2, 0, 1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--width", type=int, default=128)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted(str(path) for path in options.folder.rglob("*.jpg"))[:200]
    decoded, size = [decode(path) for path in paths], (options.width, options.height)

    def resize(image):
        return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)

    def enlarge(image):
        return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)

    serve_kinds({"decode": (paths, decode), "decode_resize": (paths, lambda path: resize(decode(path))), "resize": (decoded, resize),
                 "decode_augment": (paths, lambda path: augment(enlarge(decode(path))))})


if __name__ == "__main__":
    main()
