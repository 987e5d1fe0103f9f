#!/usr/bin/env python3
"""Random image towers of CLIP for images of 256x128, under OpenAI's names as .safetensors, the same numbers for every contender; and crops to embed.

    random_weights.py FOLDER                writes vit.safetensors (ViT-B/16) and resnet.safetensors (RN50)
    random_weights.py FOLDER --crops FROM   also crops.npy: JPEG files below FROM, resized to 256x128, normalised

Deviations are those that CLIP starts from; convolutions are drawn so that every layer keeps the size of its values.
"""
import argparse
import pathlib

import numpy
import torch
from safetensors.torch import save_file

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
CROPS = 128
GRID = (16, 8)  # of patches, and of the last map: positions for 256x128


class Noise:
    def __init__(self):
        self.generator = torch.Generator().manual_seed(1)

    def __call__(self, *shape, std):
        return torch.randn(shape, generator=self.generator) * std


def vit_b16(width=768, layers=12, patch=16, embed=512):
    noise, state = Noise(), {}

    def norm(name):
        state[name + ".weight"], state[name + ".bias"] = 1 + noise(width, std=0.1), noise(width, std=0.1)

    state["class_embedding"] = noise(width, std=width**-0.5)
    state["positional_embedding"] = noise(1 + GRID[0] * GRID[1], width, std=width**-0.5)
    state["proj"] = noise(width, embed, std=width**-0.5)
    state["conv1.weight"] = noise(width, 3, patch, patch, std=width**-0.5)
    for name in ("ln_pre", "ln_post"):
        norm(name)
    for i in range(layers):
        block = f"transformer.resblocks.{i}."
        norm(block + "ln_1"), norm(block + "ln_2")
        shapes = {"attn.in_proj_": (3 * width, width, 1), "attn.out_proj.": (width, width, 2 * layers),
                  "mlp.c_fc.": (4 * width, width, 2), "mlp.c_proj.": (width, 4 * width, 2 * layers)}
        for name, (rows, columns, shrink) in shapes.items():
            state[block + name + "weight"] = noise(rows, columns, std=(width * shrink) ** -0.5)
            state[block + name + "bias"] = noise(rows, std=0.02)
    return state


def resnet_50(width=64, depths=(3, 4, 6, 3), embed=1024):
    noise, state = Noise(), {}

    def conv(name, norm, out, inner, kernel, scale=1.0):
        state[name + ".weight"] = noise(out, inner, kernel, kernel, std=(2 / (inner * kernel * kernel)) ** 0.5)
        state[norm + ".weight"], state[norm + ".bias"] = scale * (1 + noise(out, std=0.1)), noise(out, std=0.1)
        state[norm + ".running_mean"], state[norm + ".running_var"] = noise(out, std=0.1), 1 + noise(out, std=0.1).abs()
        state[norm + ".num_batches_tracked"] = torch.tensor(1)

    for i, (out, inner) in enumerate(((width // 2, 3), (width // 2, width // 2), (width, width // 2)), 1):
        conv(f"conv{i}", f"bn{i}", out, inner, 3)
    inner = width
    for i, depth in enumerate(depths):
        planes = width << i
        for j in range(depth):
            block = f"layer{i + 1}.{j}."
            conv(block + "conv1", block + "bn1", planes, inner, 1)
            conv(block + "conv2", block + "bn2", planes, planes, 3)
            conv(block + "conv3", block + "bn3", 4 * planes, planes, 1, scale=0.3)
            if j == 0:
                conv(block + "downsample.0", block + "downsample.1", 4 * planes, inner, 1)
            inner = 4 * planes
    state["attnpool.positional_embedding"] = noise(1 + GRID[0] * GRID[1], inner, std=inner**-0.5)
    for name, out in (("k_proj", inner), ("q_proj", inner), ("v_proj", inner), ("c_proj", embed)):
        state[f"attnpool.{name}.weight"], state[f"attnpool.{name}.bias"] = noise(out, inner, std=inner**-0.5), noise(out, std=0.02)
    return state


def load_crops(folder):
    from PIL import Image

    paths = sorted(folder.rglob("*.jpg"))
    paths = paths[::max(1, len(paths) // CROPS)][:CROPS]
    images = [numpy.asarray(Image.open(path).convert("RGB").resize((128, 256), Image.Resampling.BILINEAR)) for path in paths]
    pixels = (numpy.stack(images).astype(numpy.float32) / 255 - numpy.float32(MEAN)) / numpy.float32(STD)
    return numpy.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--crops", type=pathlib.Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, state in (("vit", vit_b16()), ("resnet", resnet_50())):
        save_file({"visual." + key: value.contiguous() for key, value in state.items()}, options.folder / f"{name}.safetensors")
    if options.crops:
        numpy.save(options.folder / "crops.npy", load_crops(options.crops))


if __name__ == "__main__":
    main()
