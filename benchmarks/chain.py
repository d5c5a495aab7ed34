"""Shots that each begin on the last frame of the one before: what a chain of them loses, and
whether a picture jumps where two meet. And how fast many clips become one film.

The chain goes the whole way, `seedance.batch` with `after`, to a fake provider that only encodes
again, as a provider does (H.264 of so many bits a second): each shot is a stretch of real footage,
beginning on exactly the picture that it was given, so that what was lost before stays. Its own
conversion from RGB is by the formulas of BT.709, in NumPy.

Beside it, the same chain in which the last frames are decoded by those formulas too: what both lose
alike is lost in the provider's encoding, what ours loses more is ours.

The film is of clips that share a kind of stream, so that pictures are copied, and sound but for its
joints; beside a copy of the same bytes.

    python benchmarks/chain.py --footage FILE [--shots 10 --frames 25 --mbit 6 --clips 100]

Without footage, a scene that is made up takes its place.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import stage
from fakes import Answer, Request, Task, ranged
from fakes.byteplus import FakeBytePlus

WIDTH, HEIGHT = 1280, 720
RED, BLUE = 0.2126, 0.0722  # BT.709


def footage(file: Path | None, count: int) -> list[np.ndarray]:
    """`count` pictures, uint8 (720, 1280, 3), of a film, forwards and backwards; or made up."""
    from seedance import media

    if file is None:
        scene = stage.picture(WIDTH * 2, HEIGHT)
        pictures = [scene[:, 4 * number :][:, :WIDTH] for number in range(min(count, 120))]
    else:
        pictures = []
        for picture in media.iter_frames(file):
            if picture.shape != (HEIGHT, WIDTH, 3):
                raise SystemExit(f"{file} is not {WIDTH}x{HEIGHT}.")
            pictures.append(picture.copy())
            if len(pictures) == count:
                break
    back_and_forth = [*pictures, *pictures[-2:0:-1]]
    return [back_and_forth[number % len(back_and_forth)] for number in range(count)]


def planes(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels of Y, U and V, of a picture in levels of 255. The samples of U and V stand where H.264
    has them: on the left of two columns, between two rows."""
    r, g, b = (rgb[..., each] / 255 for each in range(3))
    y = RED * r + (1 - RED - BLUE) * g + BLUE * b
    colours = []
    for full in ((b - y) / (2 - 2 * BLUE), (r - y) / (2 - 2 * RED)):
        wide = np.pad(full, ((0, 0), (1, 1)), "edge")
        half = (wide[:, :-2:2] + 2 * wide[:, 1:-1:2] + wide[:, 2::2]) / 4
        colours.append(128 + 224 * (half[::2] + half[1::2]) / 2)
    y, u, v = (np.rint(plane).astype(np.uint8) for plane in (16 + 219 * y, *colours))
    return y, u, v


def encoded(pictures: Iterator[np.ndarray], mbit: float) -> bytes:
    """An MP4 as a provider makes it."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream: Any = out.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = int(mbit * 1e6)
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
            for plane, levels in zip(frame.planes, planes(picture)):
                rows = np.zeros((plane.height, plane.line_size), np.uint8)
                rows[:, : plane.width] = levels
                plane.update(rows.tobytes())
            frame.pts, frame.time_base = number, Fraction(1, 24)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


def last_by_formula(clip: bytes) -> np.ndarray:
    """The last picture of a clip in RGB, uint8. Between samples of U and V lie straight lines."""
    import av

    with av.open(io.BytesIO(clip)) as container:
        *_, last = container.decode(video=0)
    y, u, v = (
        np.frombuffer(plane, np.uint8)
        .reshape(plane.height, plane.line_size)[:, : plane.width]
        .astype(np.float64)
        for plane in last.planes
    )
    y, u, v = (y - 16) / 219, (_enlarged(u) - 128) / 224, (_enlarged(v) - 128) / 224
    r, b = y + 2 * (1 - RED) * v, y + 2 * (1 - BLUE) * u
    g = (y - RED * r - BLUE * b) / (1 - RED - BLUE)
    return np.rint(255 * np.stack([r, g, b], -1).clip(0, 1)).astype(np.uint8)


def _enlarged(samples: np.ndarray) -> np.ndarray:
    high = np.pad(samples, ((1, 1), (0, 0)), "edge")
    rows = np.empty((2 * samples.shape[0], samples.shape[1]))
    rows[0::2] = (high[:-2] + 3 * high[1:-1]) / 4
    rows[1::2] = (3 * high[1:-1] + high[2:]) / 4
    wide = np.pad(rows, ((0, 0), (0, 1)), "edge")
    return np.stack([rows, (wide[:, :-1] + wide[:, 1:]) / 2], axis=-1).reshape(len(rows), -1)


class Encoder(FakeBytePlus):
    """Answers each order with the next stretch of the footage, from the picture that it was
    given. `by_formula`: the last pictures of the other chain."""

    def __init__(self, pictures: list[np.ndarray], frames: int, mbit: float) -> None:
        super().__init__(b"", polls_until_done=0)
        self._pictures, self._frames, self._mbit = pictures, frames, mbit
        self._clips: dict[str, bytes] = {}
        self.by_formula: list[np.ndarray] = []

    def accept(self, body: Any, form: str = "task-{n:04d}") -> Task:
        from PIL import Image

        task = super().accept(body, form)
        [first] = [item for item in body["content"] if item.get("role") == "first_frame"]
        data = base64.b64decode(first["image_url"]["url"].partition(",")[2])
        given = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        number = int(re.findall(r"shot (\d+)", str(body["content"]))[0])
        self._clips[f"/results/{task.id}.mp4"] = self._shot(number, given)
        other = self.by_formula[-1] if number else given
        self.by_formula.append(last_by_formula(self._shot(number, other)))
        return task

    def _shot(self, number: int, given: np.ndarray) -> bytes:
        start = number * (self._frames - 1)
        stretch = self._pictures[start : start + self._frames]
        lost = given.astype(np.float32) - stretch[0]
        return encoded(((picture + lost).clip(0, 255) for picture in stretch), self._mbit)

    def handle(self, request: Request) -> Answer:
        if request.path in self._clips:
            return ranged(request, self._clips[request.path], "video/mp4")
        return super().handle(request)

    def _show(self, task: Task) -> dict[str, Any]:
        shown = super()._show(task)
        shown["content"]["video_url"] = f"{self.url}/results/{task.id}.mp4"
        return shown


def chain(file: Path | None, shots: int, frames: int, mbit: float, folder: Path) -> None:
    """Make the shots and their film, and measure both."""
    import seedance
    from seedance import media

    pictures = footage(file, shots * (frames - 1) + 1)
    with Encoder(pictures, frames, mbit) as fake:
        os.environ.update(
            fake.environment()
            | {"SEEDANCE_POLL_INTERVAL": "0.5", "SEEDANCE_HOME": str(folder / "home")}
        )
        common = {"provider": "byteplus", "resolution": "720p", "ratio": "16:9", "duration": 4}
        orders = [
            {**common, "name": f"s{number}", "prompt": f"shot {number}", "seed": number}
            | ({"after": f"s{number - 1}"} if number else {"image": str(folder / "first.png")})
            for number in range(shots)
        ]
        from PIL import Image

        Image.fromarray(pictures[0]).save(folder / "first.png")
        made = seedance.batch(orders, out=folder / "shots", join=folder / "film.mp4")
    if made.errors:
        raise SystemExit(f"A shot failed: {made.errors}")
    film = [picture.astype(np.float32) for picture in media.iter_frames(folder / "film.mp4")]
    assert len(film) == shots * frames, (len(film), shots, frames)
    rows = []
    for number in range(1, shots + 1):
        true = pictures[number * (frames - 1)].astype(np.float32)
        ours, other = film[number * frames - 1] - true, fake.by_formula[number - 1] - true
        more = (ours - other).mean(axis=(0, 1))
        shifts = (
            f"{ours.mean():+.3f}",
            f"{other.mean():+.3f}",
            f"{ours.mean() - other.mean():+.3f}",
        )
        errors = (f"{np.abs(ours).mean():.2f}", f"{np.abs(other).mean():.2f}")
        rows.append((number, *shifts, f"{np.abs(more).max():.3f}", *errors))
    head = ("shots", "mean shift / 255", "by formula", "ours more", "at most in a channel")
    stage.table(
        (*head, "mean error / 255", "by formula"),
        [rows[each] for each in sorted({0, 1, shots // 2 - 1, shots - 1})],
    )
    print()
    joints, inside = [], []
    for number, (one, other) in enumerate(pairwise(film), start=1):
        step = other - one
        kept = (float(step.mean()), float(np.abs(step).mean()))
        (inside if number % frames else joints).append(kept)
    true_steps = [
        float(np.abs(two.astype(np.float32) - one).mean()) for one, two in pairwise(pictures)
    ]
    rows = [
        ("where shots meet (the same picture twice)", *_most(joints)),
        ("from picture to picture in a shot", *_most(inside)),
        ("the same in the footage", "", f"{np.median(true_steps):.2f}", f"{max(true_steps):.2f}"),
    ]
    stage.table(("steps / 255", "mean shift, largest", "difference, median", "largest"), rows)


def _most(steps: list[tuple[float, float]]) -> tuple[str, str, str]:
    shifts, sizes = zip(*steps)
    largest = max(shifts, key=abs)
    return f"{largest:+.3f}", f"{np.median(sizes):.2f}", f"{max(sizes):.2f}"


def film(clips: int, folder: Path) -> None:
    """Join the clips, and copy the same bytes, in turns; on one disk."""
    from seedance import media

    clip = stage.make_clip(folder / "clip.mp4", WIDTH, HEIGHT, 121)
    sources = [folder / f"part-{number}.mp4" for number in range(clips)]
    for source in sources:
        shutil.copyfile(clip, source)
    size = clips * clip.stat().st_size
    times: dict[str, list[float]] = {}
    for _ in range(3):
        began = time.perf_counter()
        joined = media.join_clips(sources, folder / "joined.mp4")
        _synced(folder / "joined.mp4")
        times.setdefault("film", []).append(time.perf_counter() - began)
        assert not joined.encoded, joined.encoded
        began = time.perf_counter()
        with (folder / "copy").open("wb") as out:
            for source in sources:
                with source.open("rb") as part:
                    shutil.copyfileobj(part, out, 1 << 20)
        _synced(folder / "copy")
        times.setdefault("copy", []).append(time.perf_counter() - began)
    best = {name: min(each) for name, each in times.items()}
    stage.table(
        (f"{clips} clips of 5 s with sound, {size / 1e6:.0f} MB", "time", "time / copy", "MB a s"),
        [
            (
                name,
                f"{best[key]:.2f} s",
                f"{best[key] / best['copy']:.1f}",
                f"{size / best[key] / 1e6:.0f}",
            )
            for key, name in (("film", "media.join_clips"), ("copy", "a copy of the same bytes"))
        ],
    )


def _synced(file: Path) -> None:
    with file.open("rb+") as written:
        os.fsync(written.fileno())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--footage", type=Path, help=f"a film of {WIDTH}x{HEIGHT}")
    parser.add_argument("--shots", type=int, default=10)
    parser.add_argument("--frames", type=int, default=25, help="of a shot")
    parser.add_argument("--mbit", type=float, default=6, help="a second, of the provider's clips")
    parser.add_argument("--clips", type=int, default=100, help="of the film")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        chain(options.footage, options.shots, options.frames, options.mbit, Path(name))
    print()
    with tempfile.TemporaryDirectory() as name:
        film(options.clips, Path(name))


if __name__ == "__main__":
    main()
