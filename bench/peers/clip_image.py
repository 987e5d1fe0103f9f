"""The image towers of CLIP as plain PyTorch writes them, for the engines that are measured beside ours: ViT-B/16 and ModifiedResNet-50
at 256x128 as ReID uses them (layer4 keeps the resolution), all tokens through all blocks. Weights come
from a .safetensors file with OpenAI's names; images [B, 3, 256, 128] -> projections [B, E]."""
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

HEAD_WIDTH = 64


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.c_fc, self.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.heads = width // HEAD_WIDTH

    def forward(self, x):
        batch, tokens, width = x.shape
        q, k, v = self.qkv(self.ln_1(x)).view(batch, tokens, 3, self.heads, HEAD_WIDTH).permute(2, 0, 3, 1, 4).unbind()
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, width))
        return x + self.c_proj(quick_gelu(self.c_fc(self.ln_2(x))))


class Vit(nn.Module):
    NAMES = {"transformer.resblocks.": "blocks.", "attn.in_proj_": "qkv.", "attn.out_proj.": "out.", "mlp.": ""}

    def __init__(self, state):
        super().__init__()
        width, _, patch, _ = state["conv1.weight"].shape
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty_like(state["positional_embedding"]))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        depth = sum(name.endswith("ln_1.weight") for name in state)
        self.blocks = nn.Sequential(*[Block(width) for _ in range(depth)])
        self.proj = nn.Parameter(torch.empty_like(state["proj"]))

    def forward(self, images):
        x = self.conv1(images).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(x.shape[0], 1, -1)
        x = self.blocks(self.ln_pre(torch.cat([first, x], 1) + self.positional_embedding))
        return self.ln_post(x)[:, 0] @ self.proj


class Bottleneck(nn.Module):
    def __init__(self, inner, planes, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inner, planes, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False), nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = nn.Conv2d(planes, 4 * planes, 1, bias=False), nn.BatchNorm2d(4 * planes)
        self.pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        self.downsample = None
        if stride > 1 or inner != 4 * planes:
            self.downsample = nn.Sequential(nn.Conv2d(inner, 4 * planes, 1, bias=False), nn.BatchNorm2d(4 * planes))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.pool(F.relu(self.bn2(self.conv2(y))))
        if self.downsample is not None:
            x = self.downsample(self.pool(x))
        return F.relu(x + self.bn3(self.conv3(y)))


class AttentionPool(nn.Module):
    def __init__(self, width, embed, positions):
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.empty(positions, width))
        self.k_proj, self.q_proj, self.v_proj = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)
        self.c_proj = nn.Linear(width, embed)

    def forward(self, x):
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([x.mean(1, keepdim=True), x], 1) + self.positional_embedding
        q, k, v = [p(y).unflatten(2, (-1, HEAD_WIDTH)).transpose(1, 2) for p, y in ((self.q_proj, x[:, :1]), (self.k_proj, x), (self.v_proj, x))]
        return self.c_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))[:, 0]


class Resnet(nn.Module):
    NAMES = {}

    def __init__(self, state):
        super().__init__()
        width = state["conv3.weight"].shape[0]
        self.conv1, self.bn1 = nn.Conv2d(3, width // 2, 3, 2, 1, bias=False), nn.BatchNorm2d(width // 2)
        self.conv2, self.bn2 = nn.Conv2d(width // 2, width // 2, 3, padding=1, bias=False), nn.BatchNorm2d(width // 2)
        self.conv3, self.bn3 = nn.Conv2d(width // 2, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.pool, inner = nn.AvgPool2d(2), width
        for i in range(4):
            depth, planes = sum(name.startswith(f"layer{i + 1}.") and name.endswith(".conv1.weight") for name in state), width << i
            strides = [2 if i in (1, 2) else 1] + [1] * (depth - 1)
            blocks = [Bottleneck(inner if j == 0 else 4 * planes, planes, stride) for j, stride in enumerate(strides)]
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
            inner = 4 * planes
        self.attnpool = AttentionPool(inner, len(state["attnpool.c_proj.bias"]), len(state["attnpool.positional_embedding"]))

    def forward(self, x):
        for conv, bn in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
            x = F.relu(bn(conv(x)))
        return self.attnpool(self.layer4(self.layer3(self.layer2(self.layer1(self.pool(x))))))


def load_tower(path):
    state = {name.removeprefix("visual."): value.float() for name, value in load_file(path).items() if name.startswith("visual.")}
    kind = Vit if "class_embedding" in state else Resnet
    tower = kind(state)
    renamed = {}
    for name, value in state.items():
        for old, new in kind.NAMES.items():
            name = name.replace(old, new)
        renamed[name] = value
    tower.load_state_dict(renamed, strict=True)
    return tower.eval()
