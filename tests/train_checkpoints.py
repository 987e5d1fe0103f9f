#!/usr/bin/env python3
"""Trains every kind of method for an epoch and reads what comes out with torch alone: names, types and shapes, beside those of the
references' golden checkpoints (CLIP-ReID's in their order too) and those that spec/multimodal.md (section 3) lists.

    train_checkpoints.py VLREID      exit code 77 where torch is missing
"""
import pathlib
import sys
import tempfile

try:
    import torch
except ImportError:
    print("skipped: no torch for this Python")
    sys.exit(77)

from tiny_runs import CONFIGS, CONTEXT, MULTIMODAL, find_golden, run_vlreid, write_clip

LORA = ["MODEL.USE_LORA", "True", "r", "4", "alpha", "2", "params", "['q', 'k', 'v', 'o', 'mlp']"]
# configuration, weights, image size, identities, further options, {our file: the golden one}
CASES = [
    ("person/vit_clipreid", "common/tiny-vit.pt", "[256, 128]", 8, [], {"ViT-B-16_1": "clipreid/ckpt-vit-stage2"}),
    ("person/cnn_clipreid", "common/tiny-rn.pt", "[256, 128]", 8, [],
     {"RN50_stage1_1": "clipreid/ckpt-rn-stage1", "RN50_1": "clipreid/ckpt-rn-stage2"}),
    ("person/vit_clipreid", "mini.safetensors", "[64, 32]", 8, [], {"ViT-B-16_stage1_1": "clipreid/ckpt-mini-vit-stage1"}),
    ("person/vit_ted_lora", "mini-ted.safetensors", "[64, 32]", 8, LORA,
     {"ViT-B-16_stage1_1": "clipreid/ckpt-mini-ted-lora-stage1", "ViT-B-16_1": "clipreid/ckpt-mini-ted-lora-stage2"}),
    ("multimodal/coop", "common/tiny-vit.pt", "[64, 32]", 5, [], {"ViT-B-16_1": "multimodal/ckpt-coop"}),
]

# Multimodal-ReID's methods on small weights of our own, 64 x 32 pixels: strides of 12 on patches of 16 give 5 x 2;
# PromptSRC's frozen encoder has strides of 16 with one set, of 12 with two in turns.
WIDTH, EMBED, PATCH, BLOCKS, TOKENS, FROZEN_TOKENS = 64, 32, 16, 2, 11, 9
IDENTITIES, SECOND_IDENTITIES, DEEP = 5, 4, 2
ONE_STAGE = ["SOLVER.MAX_EPOCHS", "1", "SOLVER.IMS_PER_BATCH", "8"]


def blocks_of(prefix):
    made = {}
    for block in range(BLOCKS):
        place = f"{prefix}transformer.resblocks.{block}."
        made |= {place + "attn.in_proj_weight": [3 * WIDTH, WIDTH], place + "attn.in_proj_bias": [3 * WIDTH],
                 place + "attn.out_proj.weight": [WIDTH, WIDTH], place + "attn.out_proj.bias": [WIDTH],
                 place + "mlp.c_fc.weight": [4 * WIDTH, WIDTH], place + "mlp.c_fc.bias": [4 * WIDTH],
                 place + "mlp.c_proj.weight": [WIDTH, 4 * WIDTH], place + "mlp.c_proj.bias": [WIDTH]}
        made |= {place + name + part: [WIDTH] for name in ("ln_1", "ln_2") for part in (".weight", ".bias")}
    return made


def image_encoder(prefix, tokens):
    made = {"class_embedding": [WIDTH], "positional_embedding": [tokens, WIDTH], "proj": [WIDTH, EMBED],
            "conv1.weight": [WIDTH, 3, PATCH, PATCH]}
    made |= {f"{name}.{part}": [WIDTH] for name in ("ln_pre", "ln_post") for part in ("weight", "bias")}
    return {prefix + name: shape for name, shape in made.items()} | blocks_of(prefix)


def text_encoder(prefix):
    made = {"positional_embedding": [CONTEXT, WIDTH], "text_projection": [WIDTH, EMBED], "ln_final.weight": [WIDTH], "ln_final.bias": [WIDTH]}
    return {prefix + name: shape for name, shape in made.items()} | blocks_of(prefix)


def deep_tokens(prefix, first=False):
    made = {f"{prefix}transformer.resblocks.{block}.VPT_shallow": [DEEP, WIDTH] for block in range(1, BLOCKS)}
    return made | ({prefix + "VPT": [DEEP, WIDTH]} if first else {})


def learned_words(prefix, name, identities, count, fixed):
    return {prefix + name: [identities, count, WIDTH], prefix + "token_prefix": [1, fixed, WIDTH],
            prefix + "token_suffix": [1, CONTEXT - fixed - count, WIDTH]}


def classifiers(prefix, identities):
    made = {}
    for suffix, width in (("", WIDTH), ("_proj", EMBED)):
        neck = f"{prefix}vision_bottleneck{suffix}."
        made |= {neck + name: [width] for name in ("weight", "bias", "running_mean", "running_var")} | {neck + "num_batches_tracked": []}
        made[f"{prefix}vision_classifier{suffix}.weight"] = [identities, width]
    return made


def words_of(method, prefix, identities):
    """The prompt learner of a method: `coop` has five words after a fixed prefix of four tokens, the others four after five."""
    if method in ("coop", "coop_hard_sharing"):
        return learned_words(prefix, "cls_ctx", identities, 5, 4)
    if method == "coop_augmented":
        return {prefix + "cls_ctx": [identities, 4, WIDTH], prefix + "token_prefixes": [4, 5, WIDTH],
                prefix + "token_suffixes": [4, CONTEXT - 9, WIDTH]}
    return learned_words(prefix, "ctx" if method.startswith("ivlp") or method == "promptsrc" else "cls_ctx", identities, 4, 5)


def expected_state(method, identities, takes_turns):
    made = image_encoder("image_encoder.", TOKENS) | classifiers("", identities)
    has_deep = method.startswith("ivlp") or method in ("promptsrc", "visual_prompts")
    made |= deep_tokens("image_encoder.", first=True) if has_deep else {}
    if method == "visual_prompts":  # no text
        return made
    made |= text_encoder("text_encoder.") | words_of(method, "prompt_learner.", identities) | {"logit_scale": []}
    made |= deep_tokens("text_encoder.") if has_deep else {}
    if "adapter" in method:
        made |= {"adapter.fc.0.weight": [WIDTH // 4, WIDTH], "adapter.fc.2.weight": [WIDTH, WIDTH // 4]}
    if method == "promptsrc":
        made |= image_encoder("ZS_image_encoder.", TOKENS if takes_turns else FROZEN_TOKENS)
    if "hard_sharing" in method:
        made |= words_of(method, "second.prompt_learner.", SECOND_IDENTITIES) | classifiers("second.", SECOND_IDENTITIES)
        made |= {"second.logit_scale": []}
    if method == "ivlp_hard_sharing":
        made |= text_encoder("second.text_encoder.") | deep_tokens("second.text_encoder.")
    return made


def described(path):
    state = torch.load(path, weights_only=True, map_location="cpu")
    return [(name, str(tensor.dtype), list(tensor.shape)) for name, tensor in state.items()]


def train(binary, folder, config, weights, size, data, options, run):
    words = ["train", "--config-file", f"{CONFIGS}/{config}.yml", "--weights", str(find_golden(weights) or folder / weights)]
    for stage in ("STAGE1", "STAGE2"):
        words += [f"SOLVER.{stage}.MAX_EPOCHS", "1", f"SOLVER.{stage}.IMS_PER_BATCH", "8"]
    words += ["INPUT.SIZE_TRAIN", size, "INPUT.SIZE_TEST", size, "DATASETS.ROOT_DIR", str(folder / data), *options]
    run_vlreid(binary, *words, "OUTPUT_DIR", str(folder / run))
    return folder / run


def compare(place, found, expected):
    if found == expected:
        return []
    both = [f"+ {row}" for row in found if row not in expected] + [f"- {row}" for row in expected if row not in found]
    return [f"{place}: " + ("; ".join(both[:12]) or "another order")]


def make_set(binary, folder, identities, domain="a"):
    run_vlreid(binary, "synth", str(folder), "--domain", domain, "--train-identities", str(identities), "--test-identities", "2",
               "--cameras", "2", "--images-per-camera", "2", "--distractors", "0", "--junk", "0")


def compare_with_golden(binary, folder):
    problems, compared = [], 0
    for number, (config, weights, size, identities, options, files) in enumerate(CASES):
        pairs = {ours: golden for ours, name in files.items() if (golden := find_golden(f"{name}.pth"))}
        if not pairs or not (find_golden(weights) or (folder / weights).exists()):
            continue
        run = train(binary, folder, config, weights, size, f"set{identities}", options, f"run{number}")
        for ours, golden in pairs.items():
            arranged = sorted if config.startswith("multimodal") else list
            problems += compare(golden.name, arranged(described(run / f"{ours}.pth")), arranged(described(golden)))
            compared += 1
    print(f"{compared} files compared with the references'")
    return problems


def compare_with_lists(binary, folder):
    problems = []
    for method, (prompt, options) in MULTIMODAL.items():
        options = ["MODEL.PROMPT", prompt, *ONE_STAGE, *options]
        run = train(binary, folder, "multimodal/coop", "clip.safetensors", "[64, 32]", "both", options, method)
        identities = IDENTITIES + SECOND_IDENTITIES if method.endswith(("merged", "turns")) else IDENTITIES
        shapes = expected_state(prompt, identities, "DATASETS.ALTERNATE" in options)
        expected = sorted((name, "torch.int64" if name.endswith("num_batches_tracked") else "torch.float32", shape)
                          for name, shape in shapes.items())
        files = sorted(run.glob("ViT-B-16_*1.pth"))
        for file in files:
            problems += compare(f"{method}/{file.name}", sorted(described(file)), expected)
        problems += [] if len(files) == (1 if method == "visual_prompts" else 2) else [f"{method}: files of {len(files)} stages"]
    print(f"{len(MULTIMODAL)} methods of Multimodal-ReID read")
    return problems


def main():
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory(prefix="vlreid-checkpoints-") as name:
        folder = pathlib.Path(name)
        write_clip(folder / "mini.safetensors", vision_blocks=12, text_blocks=2)
        write_clip(folder / "mini-ted.safetensors", vision_blocks=12, text_blocks=9)
        write_clip(folder / "clip.safetensors", WIDTH, BLOCKS, BLOCKS, EMBED, PATCH)
        for identities in sorted({case[3] for case in CASES}):  # as many as the golden files have
            make_set(binary, folder / f"set{identities}", identities)
        make_set(binary, folder / "both" / "Market1501", IDENTITIES)
        make_set(binary, folder / "both" / "DukeMTMC-reID", SECOND_IDENTITIES, "b")
        problems = compare_with_golden(binary, folder) + compare_with_lists(binary, folder)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
