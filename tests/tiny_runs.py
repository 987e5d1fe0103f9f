"""Small training runs for the programs beside this file: data, weights and options that vlreid itself makes or reads, and what has to
be equal between two runs of the same job."""
import argparse
import math
import os
import pathlib
import random
import re
import struct
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parent
CONFIGS = TESTS.parent / "configs"
sys.path.insert(0, str(TESTS / "cases"))
import safetensors  # noqa: E402

# One thread, and no second start to set the spin count: small models only wait for more threads.
ENVIRONMENT = dict(os.environ, OMP_NUM_THREADS="1", GOMP_SPINCOUNT="5000", LC_ALL="C.UTF-8")
VOCABULARY, CONTEXT = 49408, 77

# Multimodal-ReID's methods over configs/multimodal/coop.yml: MODEL.PROMPT, and further pairs.
TWO_SETS = ["DATASETS.MERGED", "dukemtmc", "DATASETS.ALTERNATE", "True"]
MULTIMODAL = {name: (name, []) for name in ("coop", "coop_augmented", "adapter", "ivlp", "promptsrc", "clip_adapter", "visual_prompts")}
MULTIMODAL |= {name: (name, TWO_SETS) for name in ("coop_hard_sharing", "ivlp_hard_sharing")}
MULTIMODAL |= {"coop_merged": ("coop", TWO_SETS[:2]), "coop_in_turns": ("coop", TWO_SETS), "promptsrc_in_turns": ("promptsrc", TWO_SETS)}


def find_golden(name):
    for folder in (TESTS.parent.parent / "shared" / "golden", TESTS / "golden"):
        if (folder / name).exists():
            return folder / name
    return None


def halves(count, deviation, seed):
    """Numbers of both signs near a power of two, as half floats: random bits in sign and mantissa, one exponent."""
    exponent = 15 + round(math.log2(deviation))
    keep = int.from_bytes(struct.pack("<H", 0x83ff) * count, "little")
    fixed = int.from_bytes(struct.pack("<H", exponent << 10) * count, "little")
    bits = int.from_bytes(random.Random(seed).randbytes(2 * count), "little")
    return (bits & keep | fixed).to_bytes(2 * count, "little")


def blocks(prefix, count, width, seed):
    made = {}
    for block in range(count):
        place = f"{prefix}transformer.resblocks.{block}."
        for name, shape in (("attn.in_proj_weight", (3 * width, width)), ("attn.in_proj_bias", (3 * width,)),
                            ("attn.out_proj.weight", (width, width)), ("attn.out_proj.bias", (width,)),
                            ("mlp.c_fc.weight", (4 * width, width)), ("mlp.c_fc.bias", (4 * width,)),
                            ("mlp.c_proj.weight", (width, 4 * width)), ("mlp.c_proj.bias", (width,))):
            made[place + name] = (shape, f"{seed}/{place}{name}")
        for name in ("ln_1", "ln_2"):
            made[place + name + ".weight"] = ((width,), None)
            made[place + name + ".bias"] = ((width,), f"{seed}/{place}{name}")
    return made


def write_clip(path, width=64, vision_blocks=1, text_blocks=1, embed=32, patch=16, side=64, seed=1):
    """A random CLIP under OpenAI's names, in half precision."""
    shapes = {"visual.class_embedding": (width,), "visual.positional_embedding": (1 + (side // patch) ** 2, width),
              "visual.proj": (width, embed), "visual.conv1.weight": (width, 3, patch, patch),
              "positional_embedding": (CONTEXT, width), "text_projection": (width, embed),
              "token_embedding.weight": (VOCABULARY, width)}
    made = {name: (shape, f"{seed}/{name}") for name, shape in shapes.items()}
    for name in ("visual.ln_pre", "visual.ln_post", "ln_final"):
        made[name + ".weight"], made[name + ".bias"] = ((width,), None), ((width,), f"{seed}/{name}")
    made["logit_scale"] = ((), None)
    made |= blocks("visual.", vision_blocks, width, seed) | blocks("", text_blocks, width, seed)
    one = struct.pack("<e", 1.0)
    safetensors.write(path, {name: ({"dtype": "F16", "shape": list(shape)},
                                    one * math.prod(shape) if key is None else halves(math.prod(shape), width ** -0.5 / 2, key))
                             for name, (shape, key) in made.items()})


def run_vlreid(binary, *words, folder="."):
    done = subprocess.run([binary, *words], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{binary} {' '.join(words)}: exit code {done.returncode}\n{done.stderr}")


def make_set(binary, folder, kind="person"):
    run_vlreid(binary, "synth", str(folder), "--kind", kind, "--train-identities", "4", "--test-identities", "3", "--cameras", "3",
               "--images-per-camera", "2", "--distractors", "2", "--junk", "1")


def make_job(binary, folder, epochs=(2, 2), kind="person", config="person/vit_clipreid", **clip):
    """Images, weights and the configuration of a run of seconds (CLIP-ReID if nothing is said): set, clip.safetensors, tiny.yml."""
    folder = pathlib.Path(folder).resolve()
    folder.mkdir(exist_ok=True)
    make_set(binary, folder / "set", kind)
    write_clip(folder / "clip.safetensors", **clip)
    common = {"IMS_PER_BATCH": 8, "LOG_PERIOD": 1, "EVAL_PERIOD": 1, "CHECKPOINT_PERIOD": 1}
    stage = ", ".join(f"{key}: {value}" for key, value in common.items()) + ", MAX_EPOCHS: "
    one_stage = "".join(f"  {key}: {value}\n" for key, value in (common | {"MAX_EPOCHS": epochs[1]}).items())
    name, size = ("veri", [64, 64]) if kind == "vehicle" else ("market1501", [64, 32])
    (folder / "tiny.yml").write_text(f"""_BASE_: {CONFIGS}/{config}.yml
INPUT: {{SIZE_TRAIN: {size}, SIZE_TEST: {size}}}
DATASETS: {{NAMES: {name}, ROOT_DIR: {folder}/set}}
SOLVER:
{one_stage}  STAGE1: {{{stage}{epochs[0]}}}
  STAGE2: {{{stage}{epochs[1]}, BASE_LR: 1e-4}}
""")


class Job:
    """One training job in `folder`. Its run NAME works in the folder NAME and leaves everything in NAME/run: the same OUTPUT_DIR for
    all, since it stands in the files."""

    def __init__(self, binary, folder, epochs=(2, 2), **job):
        self.binary, self.folder = str(pathlib.Path(binary).resolve()), pathlib.Path(folder)
        make_job(self.binary, folder, epochs, **job)

    def run_folder(self, name):
        return self.folder / name / "run"

    def start(self, name, *words, **environment):
        (self.folder / name).mkdir(exist_ok=True)
        command = [self.binary, "train", "--config-file", "../tiny.yml", "--weights", "../clip.safetensors", "--out", "run", *words]
        return subprocess.Popen(command, cwd=self.folder / name, env=ENVIRONMENT | environment, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    def run(self, name, *words, **environment):
        """(exit code, the error lines of standard error)"""
        process = self.start(name, *words, **environment)
        text = process.communicate()[1]
        return process.returncode, [line for line in text.splitlines() if line.startswith("vlreid: ")]


# Seconds and speeds; and what each start of the program says again: the data set, the weights, where it goes on.
NOT_COMPARED = re.compile(r"transreid\.train INFO: (Epoch \d+ done|start training|Dataset|  (-|subset|train|query|gallery)|market1501|$)|"
                          r"vlreid (INFO|WARNING): ")


def log_lines(path):
    lines = [line[len("2026-01-31 12:00:00,000 "):] for line in path.read_text().splitlines()]
    return "\n".join(line for line in lines if not NOT_COMPARED.match(line)).encode()


def state_without_log_size(path):
    """The log's size depends on how the seconds in it are written."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    return re.sub(rb'\\"log_bytes\\":\d+', b"", data[8:8 + size].rstrip()) + data[8 + size:]


def results(folder):
    """What a run leaves that must be the same however often it was interrupted: name -> bytes."""
    folder = pathlib.Path(folder)
    names = [p.name for p in folder.iterdir() if p.suffix in (".pth", ".safetensors")]
    made = {name: (folder / name).read_bytes() for name in names + ["metrics.jsonl", "ranked.json", "config.yaml", "run.json"]}
    made["train_log.txt"] = log_lines(folder / "train_log.txt")
    made["state.safetensors"] = state_without_log_size(folder / "state.safetensors")
    return made


def differences(expected, folder):
    found = results(folder)
    names = sorted(expected.keys() | found.keys())
    told = [f"{name} {'is missing' if name not in found else 'is too much' if name not in expected else 'differs'}"
            for name in names if expected.get(name) != found.get(name)]
    return told + [f"{p.name} is left" for p in pathlib.Path(folder).rglob("*.tmp")]


def main():
    parser = argparse.ArgumentParser(description="Makes what the cases need: set, clip.safetensors, tiny.yml.")
    parser.add_argument("vlreid")
    parser.add_argument("folder")
    parser.add_argument("--kind", default="person")
    parser.add_argument("--config", default="person/vit_clipreid")
    parser.add_argument("--vision-blocks", type=int, default=1)
    parser.add_argument("--text-blocks", type=int, default=1)
    arguments = parser.parse_args()
    make_job(arguments.vlreid, arguments.folder, kind=arguments.kind, config=arguments.config, vision_blocks=arguments.vision_blocks, text_blocks=arguments.text_blocks)


if __name__ == "__main__":
    main()
