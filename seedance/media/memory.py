"""Whether decoded frames fit into memory. Knows the machine's memory; must not know PyAV."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadOrder

if TYPE_CHECKING:
    from .info import ClipInfo

_lock = threading.Lock()
_under_way = 0  # bytes promised to decodes of this process that have not ended yet


def frames_bytes(info: ClipInfo, count: int | None = None) -> int:
    """Bytes that `count` decoded float32 frames take (all frames of the clip by default)."""
    return (info.frames if count is None else count) * info.height * info.width * 3 * 4


OF_A_VIDEO = (
    "The video itself is safe on disk. Use the video output instead of the frames, or a lower "
    "resolution or a shorter duration."
)


@contextmanager
def ensure_memory(
    nbytes: int, what: str = "The decoded frames", hint: str = OF_A_VIDEO
) -> Iterator[None]:
    """Hold `nbytes` for the time of the `with` block.

    Raises BadOrder, with `hint`, if they do not fit beside the other decodes under way, or if in
    the block the memory turns out not to suffice. Where the system does not tell how much is free,
    everything is tried.
    """
    global _under_way
    with _lock:
        free = free_memory()
        if free is not None and _under_way + nbytes > free:
            busy = f" beside {_size(_under_way)} being decoded" if _under_way else ""
            raise BadOrder(
                f"{what} need {_size(nbytes)} of memory{busy}, and {_size(free)} are free.",
                hint=hint,
            )
        _under_way += nbytes
    try:
        yield
    except MemoryError:
        raise BadOrder(
            f"{what} need more memory than there is ({_size(nbytes)}).", hint=hint
        ) from None
    finally:
        with _lock:
            _under_way -= nbytes


def free_memory() -> int | None:
    """Bytes that can be had without swapping, or None where the system does not tell."""
    found = [value for value in (_available(), _group_rest()) if value is not None]
    return min(found, default=None)


def _available() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
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


def _size(nbytes: int) -> str:
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e8 else f"{nbytes / 1e6:.1f} MB"
