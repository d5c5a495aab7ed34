"""Make the thumbnails of an example workflow of the clip that it makes: NAME.webp, which moves, and
NAME.jpg for a ComfyUI that shows still ones only.

    python scripts/thumbnails.py CLIP NAME
"""

from __future__ import annotations

import sys
from pathlib import Path

import av
from PIL import Image

SIZE = (400, 300)  # at most
SECONDS = 3.0
FPS = 8


def thumbnails(clip: Path, stem: Path) -> None:
    with av.open(str(clip)) as container:
        rate = float(container.streams.video[0].average_rate or 24)
        frames = [frame.to_image() for frame in container.decode(video=0)]
    count = min(round(SECONDS * FPS), len(frames))
    step = max((len(frames) - 1) / max(count - 1, 1), rate / FPS)
    chosen = [frames[min(round(number * step), len(frames) - 1)] for number in range(count)]
    for picture in chosen:
        picture.thumbnail(SIZE, Image.Resampling.LANCZOS)
    first, *others = chosen
    chosen[len(chosen) // 2].save(stem.with_suffix(".jpg"), quality=80, optimize=True)
    first.save(
        stem.with_suffix(".webp"),
        save_all=True,
        append_images=others,
        duration=round(1000 / FPS),
        loop=0,
        quality=55,
        method=6,
    )


if __name__ == "__main__":
    thumbnails(Path(sys.argv[1]), Path(sys.argv[2]))
