"""How much processor time it takes to write pictures as PNG, and how large the files become.

Compares `seedance.media.encode_png` with FFmpeg's encoder (PyAV) at options that suit photographs,
and with Pillow's `save(..., "PNG")` at its quickest that packs and at its default. Each way encodes
each picture in turn, in one thread; the least processor time of the rounds counts. Every file is
read back and compared.

    python benchmarks/pictures.py [--rounds 5] [PICTURE ...]

PICTURE: photographs. They are encoded as they are, and fitted to 1920x1080 as first frames are.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import stage
from PIL import Image, ImageDraw

from seedance import media

WIDTH, HEIGHT = 1920, 1080
Encode = Callable[[np.ndarray], bytes]


def pillow(pixels: np.ndarray, **options: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def pyav(pixels: np.ndarray, **options: str) -> bytes:
    encoder: Any = av.CodecContext.create("png", "w")
    encoder.height, encoder.width, _ = pixels.shape
    encoder.pix_fmt = "rgb24"
    encoder.time_base = encoder.sample_aspect_ratio = Fraction(1)
    encoder.thread_count = 1
    encoder.options = options
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    return b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))


WAYS: dict[str, Encode] = {
    "seedance.media.encode_png": media.encode_png,
    "PyAV, pred=paeth, compression_level=2": lambda pixels: pyav(
        pixels, pred="paeth", compression_level="2"
    ),
    "Pillow, compress_level=1": lambda pixels: pillow(pixels, compress_level=1),
    "Pillow, default": pillow,
}


def grainy(count: int = 3) -> list[np.ndarray]:
    """Pictures with soft areas and grain, as cameras give them at night."""
    pictures = []
    for number in range(count):
        generator = np.random.default_rng(number)
        coarse = generator.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        soft = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        grain = generator.normal(0, 1.2, (HEIGHT, WIDTH, 3))
        pictures.append((np.asarray(soft) + grain).clip(0, 255).astype(np.uint8))
    return pictures


def drawings() -> list[np.ndarray]:
    """Flat shapes and writing on white."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(picture)
    for number in range(30):
        x, y = number * 50, number * 20
        draw.ellipse((x, y, x + 300, y + 200), outline=(number * 8, 20, 200 - number * 5), width=5)
        draw.text((30 + x // 5, y * 1.6), "A storyboard with words " * 6, fill="black")
    return [np.asarray(picture)]


def groups(sources: list[Path]) -> dict[str, list[np.ndarray]]:
    """The pictures by kind."""
    given = [media.read_picture(path) for path in sources]
    found = {
        "photographs": given,
        f"photographs, {WIDTH}x{HEIGHT}": [media.fit_cover(one, WIDTH, HEIGHT) for one in given],
        f"soft areas with grain, {WIDTH}x{HEIGHT}": grainy(),
        f"drawings, {WIDTH}x{HEIGHT}": drawings(),
    }
    return {kind: pictures for kind, pictures in found.items() if pictures}


def measure(pictures: list[np.ndarray], rounds: int) -> dict[str, tuple[float, int]]:
    """For each way, the processor seconds and the bytes of all pictures together."""
    seconds = {name: [float("inf")] * len(pictures) for name in WAYS}
    sizes = dict.fromkeys(WAYS, 0)
    for turn in range(rounds):
        for number, pixels in enumerate(pictures):
            for name, encode in WAYS.items():
                began = time.process_time()
                data = encode(pixels)
                took = time.process_time() - began
                seconds[name][number] = min(seconds[name][number], took)
                if turn == 0:
                    sizes[name] += len(data)
                    check(data, pixels)
    return {name: (sum(seconds[name]), sizes[name]) for name in WAYS}


def check(data: bytes, pixels: np.ndarray) -> None:
    """Exit if a file does not hold exactly these pixels."""
    if not np.array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels):
        raise SystemExit("A PNG file does not hold the pixels that went into it.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("sources", nargs="*", type=Path, metavar="PICTURE")
    options = parser.parse_args()
    rows = []
    for kind, pictures in groups(options.sources).items():
        measured = measure(pictures, options.rounds)
        ours, our_size = measured["seedance.media.encode_png"]
        for name, (took, size) in measured.items():
            cells = (f"{took / len(pictures) * 1000:.0f} ms", took / ours, size / our_size)
            rows.append((kind, name, cells[0], f"{cells[1]:.2f}", f"{cells[2]:.2f}"))
    head = ("", "", "CPU time a picture", "CPU time / ours", "size / ours")
    stage.table(head, rows)


if __name__ == "__main__":
    main()
