"""How true the colours of decoded frames are: levels off by, against the formulas of the standards.

Clips of known Y, U and V levels, in patches of one colour so that no way of enlarging the colour
planes matters, are decoded as a user would decode them; the middle of each patch is compared with
what BT.709 and BT.601 say. Then a chain of ten shots, each beginning on the last frame of the one
before: how far its colours drift.

    python benchmarks/colour.py

COMFYUI_PATH names a ComfyUI folder, COMFYUI_PYTHON its interpreter. What is not installed is left
out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import decode
import numpy as np
import stage

PATCH = 40  # pixels
BT709, BT601 = 1, 5
CASES: dict[str, dict[str, Any]] = {
    "untagged, 1080 lines": dict(height=1080, meant=BT709),
    "tagged BT.709, 1080 lines": dict(height=1080, tag=BT709, meant=BT709),
    "untagged, 480 lines": dict(height=480, meant=BT601),
    "untagged, 1080 lines, HEVC of 10 bits": dict(height=1080, meant=BT709, codec="libx265"),
}
WAYS = ("seedance", "comfyui", "opencv", "imageio")


def levels(height: int, width: int, bits: int) -> np.ndarray:
    """Random Y, U, V levels (3, rows, columns), of colours that RGB can show."""
    dice = np.random.default_rng(3)
    shape = (height // PATCH, width // PATCH)
    rgb = dice.uniform(0.02, 0.98, (3, *shape))
    y = 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]
    u, v = (rgb[2] - y) / 1.8556, (rgb[0] - y) / 1.5748
    step = 2 ** (bits - 8)
    return np.rint(np.array([16 + 219 * y, 128 + 224 * u, 128 + 224 * v]) * step).astype(int)


def reference(planes: np.ndarray, matrix: int, bits: int) -> np.ndarray:
    """RGB (rows, columns, 3) in levels of 255, unrounded, of limited-range Y, U, V levels."""
    red, blue = (0.2126, 0.0722) if matrix == BT709 else (0.299, 0.114)
    step = 2 ** (bits - 8)
    y = (planes[0] / step - 16) / 219
    u, v = (planes[1] / step - 128) / 224, (planes[2] / step - 128) / 224
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    g = (y - red * r - blue * b) / (1 - red - blue)
    return 255 * np.stack([r, g, b], axis=-1).clip(0, 1)


def write(path: Path, planes: np.ndarray, height: int, width: int, codec: str, tag: int) -> None:
    """A lossless clip of two equal frames of these patches."""
    import av

    deep = codec == "libx265"
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=24)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv420p10le" if deep else "yuv420p"
        lossless = {"x265-params": "log-level=none:lossless=1:bframes=0"} if deep else {"qp": "0"}
        stream.options = {"preset": "ultrafast", **lossless}
        if tag:
            context = stream.codec_context
            context.colorspace = context.color_primaries = context.color_trc = tag
        for number in range(2):
            frame = av.VideoFrame(width, height, stream.pix_fmt)
            for plane, patches, size in zip(frame.planes, planes, (PATCH, PATCH // 2, PATCH // 2)):
                dtype = np.dtype("<u2" if deep else "u1")
                rows = np.zeros((plane.height, plane.line_size // dtype.itemsize), dtype)
                rows[:, : plane.width] = patches.repeat(size, 0).repeat(size, 1)
                plane.update(rows.tobytes())
            frame.pts, frame.time_base = number, Fraction(1, 24)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def decoded(way: str, clip: Path) -> np.ndarray | None:
    """The last frame, float32 in levels of 255, decoded in a process of its own."""
    python = sys.executable
    if way == "comfyui":
        if "COMFYUI_PATH" not in os.environ:
            return None
        python = os.environ.get("COMFYUI_PYTHON", sys.executable)
    result = clip.with_name(f"{way}.npy")
    command = [python, __file__, "--run", way, str(clip), str(result)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return None
    return np.load(result) * 255


def middles(frame: np.ndarray) -> np.ndarray:
    return frame[PATCH // 2 :: PATCH, PATCH // 2 :: PATCH]


def compare(folder: Path) -> None:
    rows = []
    for name, case in CASES.items():
        height, codec = case["height"], case.get("codec", "libx264")
        width, bits = height * 16 // 9 // PATCH * PATCH, 10 if codec == "libx265" else 8
        planes = levels(height, width, bits)
        clip = folder / "clip.mp4"
        write(clip, planes, height, width, codec, case.get("tag", 0))
        truth = reference(planes, case["meant"], bits)
        row = [name]
        for way in WAYS:
            frame = decoded(way, clip)
            off = None if frame is None else middles(frame) - truth
            row.append("-" if off is None else f"{off.mean():+.2f}, {np.abs(off).max():.2f}")
        rows.append(row)
    stage.table(
        ("mean error, largest (/ 255)", *(decode.CONTESTANTS[way][0] for way in WAYS)), rows
    )


# ----------------------------------------------------------------------------------------- a chain


def chain(shots: int = 10) -> None:
    """What writing and reading again and again does to a picture; the encoder is lossless."""
    from seedance import media

    first = picture = stage.picture(1280, 720)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        for number in range(1, shots + 1):
            media.write_clip(clip, [picture] * 5, 24, crf=0)
            picture = media.last_frame(clip)
            if number in (1, shots):
                off = picture.astype(int) - first
                rows.append((number, f"{off.mean():+.2f}", f"{np.abs(off).mean():.2f}"))
    head = ("shots, each from the last frame before", "mean shift / 255", "mean error / 255")
    stage.table(head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        way, clip, result = options.run
        sys.argv = sys.argv[:1]  # ComfyUI reads it
        np.save(result, np.asarray(decode.CONTESTANTS[way][1](clip)()[-1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder))
    print()
    chain()


if __name__ == "__main__":
    main()
