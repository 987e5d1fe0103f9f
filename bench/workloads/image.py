"""Decoding, resizing and training augmentation on one core, beside Pillow with torchvision's arithmetic and libjpeg-turbo with OpenCV."""
import places
from contenders import Contest
from table import Goal

SECONDS = 0.25  # of a repetition, processor time
KINDS = {"decode": "decode", "decode_resize": "decode + resize", "resize": "resize", "decode_augment": "decode + augment"}
GOALS = {"decode_augment": {"Pillow + torchvision's": Goal(4), "simplejpeg + OpenCV": Goal(1.5)}}


def folders():
    real = {"real crops 85x35": places.REAL_CROPS} if places.REAL_CROPS.exists() else {}
    return {**real, "made crops 128x64": places.made_crops(), "made crops 400x200": places.made_crops(400, 200)}


def measure(table, options):
    for name, folder in folders().items():
        with Contest() as contest:
            contest.add("ours", [places.bench("image", "bench_image"), folder])
            contest.add("Pillow + torchvision's", [places.PYTHON, places.PEERS / "image_pillow.py", folder])
            contest.add("simplejpeg + OpenCV", [places.PYTHON, places.PEERS / "image_opencv.py", folder])
            for kind, title in KINDS.items():
                answers = contest.turns(options.rounds, kind=kind, seconds=SECONDS)
                rates = {who: [answer["images_per_second"] for answer in given] for who, given in answers.items()}
                ours = rates.pop("ours")
                table.compare(f"{title}, {name}, one core", "images/s", ours, rates, GOALS.get(kind))
