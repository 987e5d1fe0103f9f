#!/usr/bin/env python3
"""Makes the pictures of this folder: broken/ has files that must be refused, pillow/ has NAME and NAME.png, its pixels as Pillow
loads them. Needs Pillow 13 and numpy. Everything is drawn here; nothing is a photograph."""
import pathlib
import struct
import zlib

import numpy
from PIL import Image, ImageDraw

HERE = pathlib.Path(__file__).resolve().parent


def drawing(width=37, height=61):
    x, y = numpy.meshgrid(numpy.arange(width), numpy.arange(height))
    pixels = numpy.stack([x * 255 // width, y * 255 // height, (x * 7 + y * 3) % 256], axis=-1).astype(numpy.uint8)
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    draw.ellipse((8, 5, 28, 25), fill=(220, 170, 140))
    draw.rectangle((6, 26, 30, 58), fill=(20, 60, 200))
    return image


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, depth, colour_type, rows, interlaced=0, extra=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", zlib.compress(rows))
            + png_chunk(b"IEND", b""))


def interlaced_png(image):
    """Adam7 by hand: Pillow does not write it."""
    pixels = numpy.asarray(image)
    rows = b""
    for top, left, down, right in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
        part = pixels[top::down, left::right]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    return png(image.width, image.height, 8, 2, rows, interlaced=1)


def packed_rows(values, depth):
    per_byte = 8 // depth
    rows = b""
    for row in values:
        row = numpy.concatenate([row, numpy.zeros(-len(row) % per_byte, numpy.uint8)]).reshape(-1, per_byte)
        rows += b"\0" + bytes(sum(int(v) << (8 - depth * (i + 1)) for i, v in enumerate(group)) for group in row)
    return rows


def many_scans(jpeg, copies):
    """Repeats the last scan of a progressive JPEG."""
    start = jpeg.rindex(b"\xff\xda")
    return jpeg[:start] + jpeg[start:-2] * copies + b"\xff\xd9"


def bmp32_with_masks(image):
    pixels = numpy.asarray(image)[::-1, :, ::-1]
    body = numpy.concatenate([pixels, numpy.zeros_like(pixels[..., :1])], axis=-1).tobytes()
    header = struct.pack("<IiiHHIIiiII", 40, image.width, image.height, 1, 32, 3, len(body), 0, 0, 0, 0)
    masks = struct.pack("<III", 0xff0000, 0xff00, 0xff)
    return b"BM" + struct.pack("<IHHI", 66 + len(body), 0, 0, 66) + header + masks + body


def bmp24_top_down(image):
    stride = -(-image.width * 3 // 4) * 4
    rows = b"".join(row.tobytes().ljust(stride, b"\0") for row in numpy.asarray(image)[:, :, ::-1])
    header = struct.pack("<IiiHHIIiiII", 40, image.width, -image.height, 1, 24, 0, len(rows), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + header + rows


def write_pillow_files(folder):
    image = drawing()
    image.save(folder / "lossy.webp", quality=70)
    image.save(folder / "lossless.webp", lossless=True)
    with_alpha = image.copy()
    with_alpha.putalpha(Image.fromarray(numpy.asarray(image)[..., 0]))
    with_alpha.save(folder / "alpha.webp", quality=80)
    for name, subsampling in (("s444", 0), ("s422", 1), ("s420", 2)):
        image.save(folder / f"{name}.jpg", quality=85, subsampling=subsampling)
    image.save(folder / "restarts.jpg", quality=85, restart_marker_blocks=2)
    image.convert("CMYK").save(folder / "cmyk.jpg", quality=90)
    image.save(folder / "keep-rgb.jpg", quality=85, keep_rgb=True)
    image.quantize(11).save(folder / "palette.bmp")
    image.convert("L").save(folder / "grey.bmp")
    image.convert("RGBA").save(folder / "rgba.bmp")
    (folder / "masks.bmp").write_bytes(bmp32_with_masks(image))
    (folder / "top-down.bmp").write_bytes(bmp24_top_down(image))
    (folder / "interlaced.png").write_bytes(interlaced_png(image))
    values = numpy.asarray(image)[..., 0]
    for depth in (2, 4):
        rows = packed_rows(values >> (8 - depth), depth)
        (folder / f"grey{depth}.png").write_bytes(png(image.width, image.height, depth, 0, rows))
    palette = bytes(range(0, 120, 10))  # four colours for up to 16 indices: the others are out of range
    rows = packed_rows(values >> 4, 4)
    (folder / "short-palette.png").write_bytes(png(image.width, image.height, 4, 3, rows, extra=png_chunk(b"PLTE", palette)))
    wide = numpy.asarray(image).astype(">u2") * 257
    rows = b"".join(b"\0" + numpy.concatenate([row, row[:, :1]], axis=1).astype(">u2").tobytes() for row in wide)
    (folder / "rgba16.png").write_bytes(png(image.width, image.height, 16, 6, rows))
    for path in sorted(folder.iterdir()):
        Image.open(path).convert("RGB").save(folder / f"{path.name}.png")


def patched(data, offset, new):
    return data[:offset] + new + data[offset + len(new):]


def write_broken_files(folder):
    image = drawing()
    made = {}
    for name, options in (("jpg", {"quality": 85}), ("png", {}), ("bmp", {}), ("webp", {"quality": 80})):
        path = folder / f"cut.{name}"
        image.save(path, **options)
        made[name] = path.read_bytes()
        path.write_bytes(made[name][: len(made[name]) * 2 // 3])
    image.save(folder / "scans.jpg", progressive=True, quality=40)
    (folder / "scans.jpg").write_bytes(many_scans((folder / "scans.jpg").read_bytes(), 101))
    frame = made["jpg"].index(b"\xff\xc0")
    (folder / "huge.jpg").write_bytes(patched(made["jpg"], frame + 5, struct.pack(">HH", 65500, 65500)))
    (folder / "huge.png").write_bytes(png(40000, 40000, 8, 2, b"\0"))
    (folder / "wide.png").write_bytes(png(2**31 - 1, 1, 8, 2, b"\0"))
    (folder / "huge.bmp").write_bytes(patched(made["bmp"], 18, struct.pack("<ii", 40000, 40000)))
    key = made["webp"].index(b"\x9d\x01\x2a")
    (folder / "huge.webp").write_bytes(patched(made["webp"], key + 3, struct.pack("<HH", 16383, 16383)))
    (folder / "text.jpg").write_text("This is a note, not a picture.\n")
    (folder / "page.jpg").write_text("<!DOCTYPE html><title>404 Not Found</title>\n")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "zeros.png").write_bytes(bytes(64))
    image.quantize(16).save(folder / "really-gif.jpg", "GIF")
    flipped = bytearray(made["png"])
    flipped[len(flipped) // 2] ^= 0x10
    (folder / "bit-flipped.png").write_bytes(flipped)
    image.save(folder / "frames.webp", save_all=True, append_images=[image.rotate(90)], quality=30)
    (folder / "header-only.jpg").write_bytes(made["jpg"][:12])


def main():
    for name, write in (("pillow", write_pillow_files), ("broken", write_broken_files)):
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        write(folder)


if __name__ == "__main__":
    main()
