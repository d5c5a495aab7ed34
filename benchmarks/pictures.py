"""How fast nine reference pictures of 2048 x 2048 become PNG files.

Compares `seedance.media.encode_png` with Pillow's `save(..., "PNG")` at its default, both on all
cores (a thread for each), in turns. The best of the rounds counts.

    python benchmarks/pictures.py [--side 2048 --pictures 9 --rounds 3] [PICTURE ...]

PICTURE: photographs to enlarge to that size; without any, photograph-like ones are made.
"""

from __future__ import annotations

import argparse
import io
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import stage
from PIL import Image

from seedance import media


def pillow(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def photographs(side: int, count: int, sources: list[str]) -> list[np.ndarray]:
    """Pictures with soft areas, edges and grain; or the given ones, enlarged."""
    if sources:
        made = [
            Image.open(sources[number % len(sources)]).convert("RGB") for number in range(count)
        ]
        return [np.asarray(p.resize((side, side), Image.Resampling.LANCZOS)) for p in made]
    pictures = []
    for number in range(count):
        generator = np.random.default_rng(number)
        coarse = generator.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        soft = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        grain = generator.normal(0, 1.2, (side, side, 3))
        pictures.append((np.asarray(soft) + grain).clip(0, 255).astype(np.uint8))
    return pictures


def seconds(encode: Callable[[np.ndarray], bytes], pictures: list[np.ndarray]) -> tuple[float, int]:
    start = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        size = sum(map(len, pool.map(encode, pictures)))
    return time.perf_counter() - start, size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--pictures", type=int, default=9)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("sources", nargs="*", metavar="PICTURE")
    options = parser.parse_args()
    pictures = photographs(options.side, options.pictures, options.sources)
    ways = {"seedance.media.encode_png": media.encode_png, "Pillow, default": pillow}
    rounds = [
        {name: seconds(way, pictures) for name, way in ways.items()} for _ in range(options.rounds)
    ]
    best = {name: min(done[name] for done in rounds) for name in ways}
    ours, our_size = best["seedance.media.encode_png"]
    rows = [
        (name, f"{took:.2f} s", f"{took / ours:.2f}", f"{size / our_size:.2f}")
        for name, (took, size) in best.items()
    ]
    stage.table(("", "time", "time / ours", "size / ours"), rows)


if __name__ == "__main__":
    main()
