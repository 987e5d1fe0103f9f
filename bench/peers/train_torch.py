"""A training step as plain PyTorch writes it (eager), for bench_train: ViT-B/16 of CLIP at 256x128 with random weights. Prints one JSON
line, or takes turns with others (contender.py) with --serve.

    python train_torch.py --what stage1|stage2 [--lora] [--dtype f32|bf16] [--batch 64] [--steps 3] [--threads N] [--serve]

stage1: every image's prompt through the text encoder at all 77 positions, gradients of all text weights, contrastive loss both ways,
Adam on the words of the identities. stage2: image encoder, two necks and classifiers, identity, triplet and image-to-text losses,
Adam on everything; --lora: rank 2 on q, k and v, everything else in the blocks but the LayerNorms is frozen. bf16 is autocast.
"""
import argparse
import statistics
import time

import torch
from contender import peak_mib, serve, tell
from torch import nn
from torch.nn import functional as F

IDENTITIES, EMBED, TOKENS, CONTEXT = 751, 512, 129, 77
WORDS_AT, WORDS, END = 5, 4, 11  # "A photo of a X X X X person."


class LoraLinear(nn.Linear):
    def __init__(self, width, rank=2, alpha=1, dropout=0.25):
        super().__init__(width, width)
        self.w_lora_A, self.w_lora_B = nn.Parameter(torch.randn(rank, width) * 0.02), nn.Parameter(torch.zeros(width, rank))
        self.scale, self.dropout = alpha / rank**0.5, dropout

    def forward(self, x):
        return super().forward(x) + self.scale * (F.dropout(x, self.dropout) @ self.w_lora_A.T @ self.w_lora_B.T)


class Attention(nn.Module):
    def __init__(self, width, has_lora):
        super().__init__()
        self.width, self.has_lora = width, has_lora
        if has_lora:
            self.q, self.k, self.v = LoraLinear(width), LoraLinear(width), LoraLinear(width)
        else:
            self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x, mask):
        parts = [self.q(x), self.k(x), self.v(x)] if self.has_lora else self.qkv(x).split(self.width, 2)
        q, k, v = [part.unflatten(2, (-1, 64)).transpose(1, 2) for part in parts]
        return self.out(F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width, has_lora=False):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width, has_lora)
        self.c_fc, self.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, mask=None):
        x = x + self.attn(self.ln_1(x), mask)
        hidden = self.c_fc(self.ln_2(x))
        return x + self.c_proj(hidden * torch.sigmoid(1.702 * hidden))


class ImageSide(nn.Module):
    def __init__(self, has_lora, width=768, layers=12):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 16, 16, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width) * 0.02)
        self.positional_embedding = nn.Parameter(torch.randn(TOKENS, width) * 0.02)
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.blocks = nn.ModuleList([Block(width, has_lora) for _ in range(layers)])
        self.proj = nn.Parameter(torch.randn(width, EMBED) * 0.02)
        self.necks = nn.ModuleList([nn.BatchNorm1d(width), nn.BatchNorm1d(EMBED)])
        self.classifiers = nn.ModuleList([nn.Linear(width, IDENTITIES, bias=False), nn.Linear(EMBED, IDENTITIES, bias=False)])

    def forward(self, images):
        x = self.conv1(images).flatten(2).transpose(1, 2)
        x = self.ln_pre(torch.cat([self.class_embedding.expand(len(x), 1, -1), x], 1) + self.positional_embedding)
        for block in self.blocks[:-1]:
            x = block(x)
        y = self.ln_post(self.blocks[-1](x))
        features = x[:, 0], y[:, 0], (y @ self.proj)[:, 0]
        return features, [classify(neck(f)) for classify, neck, f in zip(self.classifiers, self.necks, features[1:])]


class TextSide(nn.Module):
    def __init__(self, width=512, layers=12):
        super().__init__()
        self.words = nn.Parameter(torch.randn(IDENTITIES, WORDS, width) * 0.02)
        self.register_buffer("prefix", torch.randn(1, WORDS_AT, width) * 0.02)
        self.register_buffer("suffix", torch.randn(1, CONTEXT - WORDS_AT - WORDS, width) * 0.02)
        self.positional_embedding = nn.Parameter(torch.randn(CONTEXT, width) * 0.01)
        self.blocks = nn.ModuleList([Block(width) for _ in range(layers)])
        self.ln_final, self.projection = nn.LayerNorm(width), nn.Parameter(torch.randn(width, EMBED) * 0.04)
        self.register_buffer("mask", torch.full((CONTEXT, CONTEXT), float("-inf")).triu(1))

    def forward(self, labels):
        prefix, suffix = self.prefix.expand(len(labels), -1, -1), self.suffix.expand(len(labels), -1, -1)
        x = torch.cat([prefix, self.words[labels], suffix], 1) + self.positional_embedding
        for block in self.blocks:
            x = block(x, self.mask)
        return self.ln_final(x)[:, END] @ self.projection


def contrast(rows, columns, labels):
    same = (labels[:, None] == labels[None]).float()
    return -((same * F.log_softmax(rows @ columns.T, 1)).sum(1) / same.sum(1)).mean()


def triplet(features, labels, margin=0.3):
    squares = features.pow(2).sum(1, keepdim=True)
    distances = (squares + squares.T - 2 * features @ features.T).clamp(min=1e-12).sqrt()
    same = labels[:, None] == labels[None]
    farthest = distances.masked_fill(~same, -torch.inf).amax(1)
    nearest = distances.masked_fill(same, torch.inf).amin(1)
    return F.relu(farthest - nearest + margin).mean()


def prepare_stage1(options):
    model, labels = TextSide(), torch.randint(IDENTITIES, (options.batch,))
    images = torch.randn(options.batch, EMBED)

    def loss():
        texts = model(labels).float()
        return contrast(images, texts, labels) + contrast(texts, images, labels)

    return loss, [model.words]


def prepare_stage2(options):
    model, labels = ImageSide(options.lora), torch.arange(options.batch) // 4
    images, texts = torch.randn(options.batch, 3, 256, 128), torch.randn(IDENTITIES, EMBED)
    if options.lora:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(any(part in name for part in ("lora", "ln_", "necks", "classifiers")))

    def loss():
        features, scores = model(images)
        total = F.cross_entropy((features[2] @ texts.T).float(), labels, label_smoothing=0.1)
        total = total + 0.25 * sum(F.cross_entropy(s.float(), labels, label_smoothing=0.1) for s in scores)
        with torch.autocast("cpu", enabled=False):
            return total + sum(triplet(f.float(), labels) for f in features)

    return loss, [p for p in model.parameters() if p.requires_grad]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--what", choices=["stage1", "stage2"], default="stage2")
    parser.add_argument("--lora", action="store_true")
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    loss_of, parameters = (prepare_stage1 if options.what == "stage1" else prepare_stage2)(options)
    optimizer = torch.optim.Adam(parameters, lr=5e-6)

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.dtype == "bf16"):
            loss = loss_of()
        loss.backward()
        optimizer.step()
        return loss.item()

    def run(request):
        steps, begin, processor = request.get("steps", 1), time.perf_counter(), time.process_time()
        for _ in range(steps):
            loss = step()
        return {"per_second": steps * options.batch / (time.perf_counter() - begin), "processor_seconds": (time.process_time() - processor) / steps,
                "loss": loss}

    step()  # only makes buffers
    if options.serve:
        return serve({"run": run})
    given = [run({}) for _ in range(options.steps)]
    tell({"what": options.what, "peer": f"torch {torch.__version__} eager", "lora": options.lora, "dtype": options.dtype, "batch": options.batch,
          "threads": torch.get_num_threads(), "steps": options.steps, "per_second": statistics.median(line["per_second"] for line in given),
          "processor_seconds": statistics.median(line["processor_seconds"] for line in given), "last_loss": given[-1]["loss"], "peak_mib": peak_mib()})


if __name__ == "__main__":
    main()
