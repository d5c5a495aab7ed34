"""The pages of large arrays: huge ones are kept only where the system has them at hand."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import clips
import numpy as np
import pytest

from seedance import media
from seedance.media import huge_pages
from seedance.media.huge_pages import HUGE, SLOW, Pages

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a choice of pages")


def clock(monkeypatch: pytest.MonkeyPatch, *seconds: float) -> None:
    """Let the pages that are touched take so long, one after the other."""

    def moments() -> Iterator[float]:
        now = 0.0
        for each in seconds:
            yield now
            now += each
            yield now

    monkeypatch.setattr(huge_pages, "time", SimpleNamespace(perf_counter=moments().__next__))


def array() -> tuple[np.ndarray, Pages]:
    """64 MB that nobody has written to."""
    return huge_pages.empty((8, HUGE))


def has_small_pages(array: np.ndarray) -> bool:
    """Whether Linux was told to use no huge pages in the middle of an array."""
    address = array.ctypes.data + array.nbytes // 2
    here = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, _, rest = line.partition("-")
        if rest and not line.startswith("VmFlags"):
            last = rest.partition(" ")[0]
            try:
                here = int(first, 16) <= address < int(last, 16)
            except ValueError:
                continue
        elif line.startswith("VmFlags") and here:
            return "nh" in line.split()
    raise AssertionError("the array lies nowhere")


@linux
@pytest.mark.parametrize(
    ("seconds", "small"),
    [
        ([SLOW * 3] * 4, True),
        ([SLOW / 3] * 4, False),
        ([SLOW / 3, SLOW * 100, SLOW / 3, SLOW / 3], False),
        ([0.0, SLOW * 3, SLOW * 3, SLOW * 3], True),
    ],
    ids=["slow", "quick", "interrupted once", "the first was there"],
)
def test_where_huge_pages_come_slowly_the_rest_is_small(
    monkeypatch: pytest.MonkeyPatch, seconds: list[float], small: bool
) -> None:
    whole, ours = array()
    clock(monkeypatch, *seconds)
    ours.touch(whole[0])
    assert has_small_pages(whole) is small
    whole.fill(0.5)
    assert whole.min() == whole.max() == 0.5


def test_once_decided_nothing_is_timed_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, ours = array()
    clock(monkeypatch, *[SLOW * 3] * 4)
    for part in whole:  # a fifth look at the clock would fail
        ours.touch(part)


def test_where_the_system_gives_no_choice_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(mmap, "MADV_NOHUGEPAGE", raising=False)
    clock(monkeypatch)
    whole, ours = array()
    ours.touch(whole[0])


@linux
def test_frames_are_the_same_on_small_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.write(tmp_path / "a.mp4", width=640, height=360, frames=24)
    before = media.decode_frames(path)
    monkeypatch.setattr(huge_pages, "SLOW", -1.0)
    frames = media.decode_frames(path)
    assert has_small_pages(frames)
    assert np.array_equal(frames, before)
