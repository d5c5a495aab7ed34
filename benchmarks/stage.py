"""What several benchmarks stand on: a provider that takes its time, in a process of its own; clips
like those that a generation gives; tables; and the line that says which machine it was.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for folder in (ROOT / "tests" / "helpers", ROOT):
    sys.path.insert(0, str(folder))


# ------------------------------------------------------------------------------ what is printed


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A Markdown table."""
    for cells in (head, ["---"] * len(head), *rows):
        row(cells)


def row(cells: Sequence[object]) -> None:
    """A line of one."""
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def machine() -> str:
    """The machine, the versions, and how busy it is."""
    parts = [f"{os.cpu_count()} cores{_processor()}{_memory()}", platform.system()]
    parts.append(f"Python {platform.python_version()}")
    for name, package in (("NumPy", "numpy"), ("PyAV", "av"), ("Pillow", "pillow")):
        with suppress(PackageNotFoundError):
            parts.append(f"{name} {version(package)}")
    if hasattr(os, "getloadavg"):
        parts.append(f"load {os.getloadavg()[0]:.1f} at the start")
    return ", ".join(parts)


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f" ({line.partition(':')[2].strip()})"
    return f" ({platform.processor()})" if platform.processor() else ""


def _memory() -> str:
    with suppress(OSError, ValueError, AttributeError):
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return f", {total / 2**30:.0f} GB"
    return ""


# ----------------------------------------------------------------------------------------- clips


def picture(width: int, height: int) -> Any:
    """A picture with soft areas, texture and colour, uint8 (height, width, 3)."""
    import numpy as np

    x = np.linspace(0, 12, width, dtype=np.float32)[None, :, None]
    y = np.linspace(0, 9, height, dtype=np.float32)[:, None, None]
    scene = 100 + 60 * np.sin(x + y * np.array([1, -1, 0.5], np.float32)) * np.cos(y - x / 2)
    return (scene + np.random.default_rng(1).integers(0, 18, (height, width, 1))).astype(np.uint8)


def make_clip(path: Path, width: int, height: int, frames: int, below: Any = None) -> Path:
    """A clip with detail, movement, grain and sound: 13 Mbit a second at 1080p. `below`, uint8
    (rows, width, 3), is what the lowest rows of each picture show instead."""
    import numpy as np

    from seedance import media

    dice = np.random.default_rng(1)
    scene = picture(width * 2, height)
    grain = dice.integers(0, 10, (height * 2, width * 2, 1), dtype=np.uint8)

    def pictures() -> Iterator[np.ndarray]:
        for number in range(frames):
            top, left = dice.integers(0, height), dice.integers(0, width)
            moved = scene[:, number * 4 % width :][:, :width]
            shown = moved + grain[top : top + height, left : left + width]
            if below is not None:
                shown[-len(below) :] = below
            yield shown

    tone = dice.uniform(-0.1, 0.1, (2, frames * 2000)).astype(np.float32)
    media.write_clip(path, pictures(), 24, (tone, 48000), crf=20)
    return path


# ------------------------------------------------------------------------------------- providers


@contextmanager
def providers(seconds: float, clip: Path | None, *names: str) -> Iterator[dict[str, str]]:
    """Fake providers whose tasks take so long, and give `clip`, in a process of their own. Gives
    the variables that point the pack at them."""
    with in_a_process(_serve, seconds, clip, names) as variables:
        yield variables


@contextmanager
def in_a_process(serve: Callable[..., None], *given: Any) -> Iterator[dict[str, str]]:
    """A server in a process of its own: `serve(*given, pipe)` sends the variables that point the
    pack at it, and serves until it is ended."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=serve, args=(*given, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def give_last_frame(clip: Path) -> None:
    """Have the fakes of this process whose providers give the last frame give that of `clip`."""
    from fakes import _ark

    from seedance import media

    picture = clip.with_name("last_frame.png")
    media.save_png(picture, media.last_frame(clip))
    data = picture.read_bytes()
    _ark.last_frame = lambda: data


def _serve(seconds: float, clip: Path | None, names: Sequence[str], pipe: Any) -> None:
    from contextlib import ExitStack

    import fakes

    data = clip.read_bytes() if clip else None
    if clip:
        give_last_frame(clip)

    def timed(name: str) -> type[fakes.Fake]:
        class Timed(fakes.all()[name]):  # type: ignore[misc]
            """A task is done by the clock, however often it is asked for."""

            def accept(self, *args: Any, **kwargs: Any) -> fakes.Task:
                task: fakes.Task = super().accept(*args, **kwargs)
                born[task.id] = time.monotonic()
                return task

            def done(self, task: fakes.Task) -> bool:
                return self.done_by_clock(task, time.monotonic() - born[task.id] >= seconds)

        born: dict[str, float] = {}
        return Timed

    with ExitStack() as stack:
        variables: dict[str, str] = {}
        for name in names:
            variables |= stack.enter_context(timed(name)(data)).environment()
        pipe.send(variables)
        pipe.poll(None)
