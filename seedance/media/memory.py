"""Whether decoded frames fit into memory, beside those that are being decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from .. import forks
from ..errors import BadOrder
from ..said import Said, say
from ..units import size_in_words

if TYPE_CHECKING:
    from .info import ClipInfo

_lock = forks.Lock()
_promised = 0  # bytes that decodes of this process may still fill


def _afresh() -> None:
    global _promised
    _promised = 0  # its threads decode nothing here


forks.in_child(_afresh)

SPARE = 256 * 2**20  # bytes that stay free: for the decoders, and so that nothing begins to swap


class Promise:
    """Memory that a decode may fill. What it has filled already is not free any more, and is taken
    off so that it does not count twice."""

    def __init__(self, nbytes: int) -> None:
        self._all = self._left = nbytes

    @property
    def fraction(self) -> float:
        """How much of it is filled, 0..1."""
        return 1 - self._left / self._all if self._all else 1.0

    def filled(self, nbytes: int) -> None:
        """Note that `nbytes` more are in use now."""
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


OF_FRAMES = say("The decoded frames")
OF_A_VIDEO = say(
    "What was made is safe on disk. Use the video output instead of the frames, or a lower "
    "resolution, a shorter duration or fewer takes."
)


@contextmanager
def ensure_memory(
    nbytes: int, what: Said = OF_FRAMES, hint: Said = OF_A_VIDEO
) -> Iterator[Promise]:
    """Promise `nbytes` to the `with` block.

    Raises BadOrder, with `hint`, if they do not fit beside what other decodes under way will still
    fill, or if a MemoryError is raised in the block. Where the system does not tell how much is
    free, any number is promised.
    """
    global _promised
    with _lock:
        free = free_memory()
        if free is not None and _promised + nbytes > free:
            raise BadOrder(
                "{what} need {need} of memory beside {busy} for others being decoded, and {free} "
                "are free."
                if _promised
                else "{what} need {need} of memory, and {free} are free.",
                hint=hint,
                what=what,
                need=size_in_words(nbytes),
                busy=size_in_words(_promised),
                free=size_in_words(free),
            )
        _promised += nbytes
    promise = Promise(nbytes)
    try:
        yield promise
    except MemoryError:
        raise BadOrder(
            "{what} need more memory than there is ({need}).",
            hint=hint,
            what=what,
            need=size_in_words(nbytes),
        ) from None
    finally:
        promise.end()


def left() -> int | None:
    """Bytes that may be promised now; None where the system does not tell."""
    with _lock:
        free = free_memory()
        return None if free is None else max(free - _promised, 0)


def free_memory() -> int | None:
    """Bytes that can be had without swapping, less SPARE; None where the system does not tell."""
    found = [value for value in (_available(), _group_rest()) if value is not None]
    return max(min(found) - SPARE, 0) if found else None


def _available() -> int | None:
    """What the machine has, None where psutil cannot read it."""
    with suppress(OSError, RuntimeError, psutil.Error):
        return int(psutil.virtual_memory().available)
    return None


# A group's limit, what it uses, and the part of that which is file cache, dropped on demand.
_NEW_GROUPS = ("memory.max", "memory.current", "inactive_file")  # cgroup v2
_OLD_GROUPS = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")  # v1


def _group_rest(
    root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> int | None:
    """What the limits of a container or of a service leave, None where there is none. psutil reads
    the machine's memory only."""
    found = []
    for base, place, files in _groups(root, own):
        # A limit of a group above holds too. In a container, `root` is its own group.
        for group in (base / place, *(base / above for above in Path(place).parents)):
            if (rest := _rest_of(group, *files)) is not None:
                found.append(rest)
    return min(found, default=None)


def _groups(root: Path, own: Path) -> Iterator[tuple[Path, str, tuple[str, str, str]]]:
    """Where this process stands in the hierarchies that may limit memory: its root, the place below
    it, and the names of its files."""
    with suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, place = line.split(":", 2)
            if not controllers:
                yield root, place.lstrip("/"), _NEW_GROUPS
            elif "memory" in controllers.split(","):
                yield root / "memory", place.lstrip("/"), _OLD_GROUPS
        return
    yield root, "", _NEW_GROUPS


def _rest_of(group: Path, limit_file: str, used_file: str, cached: str) -> int | None:
    with suppress(OSError, ValueError):
        limit = int((group / limit_file).read_text())  # "max" where there is none
        used = int((group / used_file).read_text())
        for line in (group / "memory.stat").read_text().splitlines():
            if line.startswith(f"{cached} "):
                used -= int(line.split()[1])
        return max(limit - used, 0)
    return None
