"""Whether decoded frames fit into memory. Knows the machine's memory; must not know PyAV."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadOrder
from ..units import size_in_words

if TYPE_CHECKING:
    from .info import ClipInfo

_lock = threading.Lock()
_promised = 0  # bytes that decodes of this process may still fill

SPARE = 256 * 2**20  # bytes that stay free: for the decoders, and so that nothing begins to swap


class Promise:
    """Memory that a decode may fill. What it has filled, the system no longer calls free, so it
    must not count twice."""

    def __init__(self, nbytes: int) -> None:
        self._left = nbytes

    def filled(self, nbytes: int) -> None:
        """Take note that so many bytes more are in use now."""
        global _promised
        with _lock:
            nbytes = min(nbytes, self._left)
            self._left -= nbytes
            _promised -= nbytes

    def end(self) -> None:
        """Give back what was not needed."""
        self.filled(self._left)


def frames_bytes(info: ClipInfo, count: int | None = None) -> int:
    """Bytes that `count` decoded float32 frames take (all frames of the clip by default)."""
    return (info.frames if count is None else count) * info.height * info.width * 3 * 4


OF_A_VIDEO = (
    "What was made is safe on disk. Use the video output instead of the frames, or a lower "
    "resolution, a shorter duration or fewer takes."
)


@contextmanager
def ensure_memory(
    nbytes: int, what: str = "The decoded frames", hint: str = OF_A_VIDEO
) -> Iterator[Promise]:
    """Hold `nbytes` for the time of the `with` block.

    Raises BadOrder, with `hint`, if they do not fit beside what other decodes under way will still
    fill, or if in the block the memory turns out not to suffice. Where the system does not tell how
    much is free, everything is tried.
    """
    global _promised
    with _lock:
        free = free_memory()
        if free is not None and _promised + nbytes > free:
            busy = (
                f" beside {size_in_words(_promised)} for others being decoded" if _promised else ""
            )
            raise BadOrder(
                f"{what} need {size_in_words(nbytes)} of memory{busy}, and {size_in_words(free)} "
                "are free.",
                hint=hint,
            )
        _promised += nbytes
    promise = Promise(nbytes)
    try:
        yield promise
    except MemoryError:
        raise BadOrder(
            f"{what} need more memory than there is ({size_in_words(nbytes)}).", hint=hint
        ) from None
    finally:
        promise.end()


def free_memory() -> int | None:
    """Bytes that can be had without swapping, less a little; None where the system does not tell.

    ComfyUI brings psutil; Linux needs none.
    """
    found = [value for value in (_available(), _group_rest()) if value is not None]
    return max(min(found) - SPARE, 0) if found else None


def _available(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with suppress(ImportError):
        psutil: Any = importlib.import_module("psutil")
        return int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _group_rest(group: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What a container's own limit (cgroup v2) leaves, or None where there is no limit."""
    with suppress(OSError, ValueError):
        limit = int((group / "memory.max").read_text())  # "max" where there is none
        used = int((group / "memory.current").read_text())
        for line in (group / "memory.stat").read_text().splitlines():
            if line.startswith("inactive_file "):
                used -= int(line.split()[1])  # file cache that is given back on demand
        return max(limit - used, 0)
    return None
