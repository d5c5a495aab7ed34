"""What many orders at once take of the process that they share with ComfyUI."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.lumenfall import FakeLumenfall
from running import Desk, until

from seedance import media
from seedance.order import Medium
from seedance.runner import files, places, worker

FOREVER = 10**9  # polls


@pytest.fixture
def fake() -> Iterator[FakeLumenfall]:
    with FakeLumenfall() as fake:
        yield fake


class AtOnce:
    """Counts how often a function runs, and how often at the same time.

    Calls wait until `expected` of them run at once; then a moment more, in which one too many
    would come in.
    """

    def __init__(self, function: Callable[..., Any], expected: int) -> None:
        self.function, self.expected = function, expected
        self.calls = self.most = self._now = 0
        self._lock = threading.Lock()
        self._reached = threading.Event()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with self._lock:
            self.calls += 1
            self._now += 1
            self.most = max(self.most, self._now)
            if self.most >= self.expected:
                self._reached.set()
        self._reached.wait(60)
        time.sleep(0.1)
        try:
            return self.function(*args, **kwargs)
        finally:
            with self._lock:
                self._now -= 1


def test_no_more_videos_are_finished_at_once_than_there_are_cores(
    fake: FakeLumenfall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_turns", threading.BoundedSemaphore(2))
    finish = AtOnce(files.finish, expected=2)
    monkeypatch.setattr(files, "finish", finish)
    desk = Desk(fake, tmp_path)
    runner = desk.runner()
    jobs = [desk.start(runner, seed) for seed in range(8)]
    assert [job.wait().state for job in jobs] == ["saved"] * 8
    assert (finish.calls, finish.most) == (8, 2)


def test_no_more_pictures_are_encoded_at_once_than_there_are_cores(
    fake: FakeLumenfall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_turns", threading.BoundedSemaphore(2))
    encode = AtOnce(media.picture_blob, expected=2)
    monkeypatch.setattr(media, "picture_blob", encode)
    pictures = tuple(
        Medium.from_pixels(np.full((320, 320, 3), level, np.uint8)) for level in range(8)
    )
    Desk(fake, tmp_path).video(references=pictures)
    assert (encode.calls, encode.most) == (8, 2)


def test_tasks_that_run_take_no_threads(fake: FakeLumenfall, tmp_path: Path) -> None:
    fake.polls_until_done = FOREVER
    desk = Desk(fake, tmp_path, SEEDANCE_POLL_INTERVAL="3600")
    runner = desk.runner()
    before = set(threading.enumerate())
    jobs = [desk.start(runner, seed) for seed in range(100)]
    until(lambda: fake.creates == 100)

    def ours() -> set[str]:
        found = set(threading.enumerate()) - before
        return {t.name for t in found if t.name.startswith("seedance-")} - {"seedance-idle"}

    until(lambda: ours() == {"seedance-heartbeat", "seedance-watchdog"})
    assert all(not job.ended for job in jobs)


def test_a_video_that_is_where_it_was_saved_is_not_looked_for(
    fake: FakeLumenfall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An output folder may have as many files as a person made in years."""
    looked: list[Path] = []
    monkeypatch.setattr(places, "videos_below", lambda folder: looked.append(folder) or ())
    desk = Desk(fake, tmp_path)
    first, again = desk.video(), desk.video()
    assert first.file == again.file and fake.creates == 1
    assert looked == []
