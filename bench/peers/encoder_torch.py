"""The image encoder as plain PyTorch writes it (eager, inference mode), for bench_encoder: ViT-B/16 of CLIP at 256x128 with random
weights, all tokens through all blocks. Prints one JSON line.

    python encoder_torch.py [--batch 16] [--rounds 7] [--threads N] [--dtype f32|bf16]
"""
import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

WIDTH, LAYERS, HEADS, EMBED, TOKENS = 768, 12, 12, 512, 129
GFLOP_PER_IMAGE = (2 * 128 * WIDTH * 768 + LAYERS * TOKENS * (24 * WIDTH * WIDTH + 4 * TOKENS * WIDTH) + 2 * WIDTH * EMBED) / 1e9


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.c_fc, self.c_proj = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        batch, tokens, _ = x.shape
        q, k, v = self.qkv(self.ln_1(x)).view(batch, tokens, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, WIDTH))
        hidden = self.c_fc(self.ln_2(x))
        return x + self.c_proj(hidden * torch.sigmoid(1.702 * hidden))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTH, 16, 16, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(WIDTH) * 0.02)
        self.positional_embedding = nn.Parameter(torch.randn(TOKENS, WIDTH) * 0.02)
        self.ln_pre, self.ln_post = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
        self.proj = nn.Parameter(torch.randn(WIDTH, EMBED) * 0.02)

    def forward(self, images):
        x = self.conv1(images).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(x), 1, WIDTH)
        x = self.blocks(self.ln_pre(torch.cat([first, x], 1) + self.positional_embedding))
        return self.ln_post(x)[:, 0] @ self.proj


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    dtype = torch.float32 if options.dtype == "f32" else torch.bfloat16
    encoder = Encoder().eval().to(dtype)
    images = torch.randn(options.batch, 3, 256, 128, dtype=dtype)
    rates = []
    with torch.inference_mode():
        encoder(images)
        for _ in range(options.rounds):
            begin = time.perf_counter()
            encoder(images)
            rates.append(options.batch / (time.perf_counter() - begin))
    rate = statistics.median(rates)
    print(json.dumps({"what": "encoder", "peer": f"torch {torch.__version__} eager", "dtype": options.dtype, "batch": options.batch,
                      "threads": torch.get_num_threads(), "images_per_second": rate, "gflops": rate * GFLOP_PER_IMAGE}))


if __name__ == "__main__":
    main()
