"""The last frame of a saved video, as a PNG beside it.

In ComfyUI it is made when something uses it, or while the process has nothing else to compute; else
before anybody is given the video. It is decoded from the saved file, so that it is the same to the
bit whenever that happens.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import forks, media
from ..errors import SeedanceError
from ..texts import logger_of
from .files import (
    Files,
    is_picture,
    last_frame_turn,
    read_sidecar,
    save_picture,
    write_last_frame,
)
from .graphs import Graph

if TYPE_CHECKING:
    import numpy as np

logger = logger_of(__name__)

LOOK_SECONDS = 0.5  # between two looks whether it is quiet
MOST_HELD = 256 * 2**20  # bytes of decoded pictures that wait to be written


@dataclass
class _Waiting:
    """A picture that is to be made later: the graph that it carries, and what was decoded of it."""

    graph: Callable[[], Graph]
    pixels: np.ndarray | None = None


_waiting: dict[Files, _Waiting] = {}
_changed = threading.Condition()
_makers: list[Callable[[], bool]] = []  # for each thread that makes what waits, whether it is busy


def _afresh() -> None:
    global _changed
    _waiting.clear()
    _makers.clear()  # the threads are the parent's
    _changed = threading.Condition()


forks.in_child(_afresh)


def later(saved: Files, graph: Callable[[], Graph]) -> None:
    """Have the last frame of a saved video made later, with that graph."""
    with _changed:
        _waiting[_of(saved)] = _Waiting(graph)
        _changed.notify_all()


def make(saved: Files) -> None:
    """Make the last frame of a saved video, unless it is there. Keeps a processor busy. Raises
    BadOrder if it cannot be decoded, OSError if it cannot be written."""
    with last_frame_turn(saved):
        if not saved.last_frame.exists():
            _write(saved, _decoded(saved))
        _done(saved)


def provide(saved: Files) -> None:
    """As `make`, for who can do without: what goes wrong is logged."""
    try:
        make(saved)
    except (OSError, SeedanceError) as error:
        logger.warning("The last frame of %s could not be made: %s", saved.video, error)


def pixels(saved: Files, *records: Mapping[str, Any]) -> np.ndarray:
    """The last frame, uint8 (height, width, 3), RGB, also where it cannot be written. Keeps a
    processor busy. A PNG that is not as the sidecar or one of the `records` says is left alone: the
    frame is that of the video. Raises BadOrder if it can neither be read nor decoded."""
    with last_frame_turn(saved):
        there = os.path.lexists(saved.last_frame)
        if there and not _was_changed(saved, *records):
            return media.read_picture(saved.last_frame)
        picture = _decoded(saved)
        if not there and not _held(saved, picture):
            try:
                _write(saved, picture)
                _done(saved)
            except OSError as error:
                logger.warning("%s could not be written: %s", saved.last_frame, error)
        return picture


def file_or_bytes(saved: Files) -> Path | bytes:
    """The PNG of the last frame: its path, or the bytes that are written there if the file that is
    there was changed. Raises BadOrder if it can neither be read nor decoded."""
    provide(saved)
    with last_frame_turn(saved):
        if not _was_changed(saved):
            return saved.last_frame
        with tempfile.TemporaryDirectory() as folder:
            picture = Path(folder, saved.last_frame.name)
            save_picture(picture, _decoded(saved), media.graph_in(saved.video))
            return picture.read_bytes()


def _was_changed(saved: Files, *records: Mapping[str, Any]) -> bool:
    """Whether the PNG is not the one that was written. One of an older version, whose digest no
    sidecar has, is trusted."""
    try:
        return is_picture(saved.last_frame, read_sidecar(saved), *records) is False
    except OSError:
        return True


def keep_making(
    closed: threading.Event, quiet: Callable[[], bool], busy: Callable[[], bool]
) -> None:
    """Make what waits, one after the other, until `closed` is set; each when it is `quiet`. While
    it is `busy`, what was decoded is not even written by those who use it."""
    with _changed:
        _makers.append(busy)
    try:
        while not closed.is_set():
            with _changed:
                _changed.wait_for(lambda: _waiting or closed.is_set())
                saved = next(iter(_waiting), None)
            if saved is None:
                continue
            if quiet():
                provide(saved)
                _done(saved)  # also if it failed: whoever uses it tries again
            else:
                closed.wait(LOOK_SECONDS)
    finally:
        with _changed:
            _makers.remove(busy)
            if not _makers:  # they are made when they are used
                _waiting.clear()


def wake() -> None:
    """Have those that wait for something to make look whether they are closed."""
    with _changed:
        _changed.notify_all()


def _of(saved: Files) -> Files:
    return Files(saved.video.absolute())


def _done(saved: Files) -> None:
    with _changed:
        _waiting.pop(_of(saved), None)


def _decoded(saved: Files) -> np.ndarray:
    with _changed:
        waiting = _waiting.get(_of(saved))
    if waiting is not None and waiting.pixels is not None:
        return waiting.pixels
    return media.last_frame(saved.video)


def _held(saved: Files, picture: np.ndarray) -> bool:
    """Keep a decoded picture, to be written later, if others wait for a processor; says whether
    somebody will write it, and there is room."""
    with _changed:
        held = sum(each.pixels.nbytes for each in _waiting.values() if each.pixels is not None)
        if not any(busy() for busy in _makers) or held + picture.nbytes > MOST_HELD:
            return False
        waiting = _waiting.setdefault(_of(saved), _Waiting(lambda: media.graph_in(saved.video)))
        waiting.pixels = picture
        _changed.notify_all()
        return True


def _write(saved: Files, picture: np.ndarray) -> None:
    """Write the picture, if its video is still there."""
    with _changed:
        waiting = _waiting.get(_of(saved))
    graph = waiting.graph() if waiting is not None else media.graph_in(saved.video)
    if os.path.lexists(saved.video):
        write_last_frame(saved, picture, graph)
