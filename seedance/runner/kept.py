"""The media of orders, kept below the home, so that an order can be loaded into a node again with
its pictures: those that no file holds, under the digest that the journal has of each."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from .. import media
from ..files import replacing
from ..order import Kind, Medium
from ..texts import logger_of

logger = logger_of(__name__)

MOST_BYTES = 1 << 30  # of all; the ones that were used last stay
LARGEST = 64 << 20  # bytes of one
_ENDINGS: dict[Kind, str] = {"image": "png", "video": "mp4", "audio": "wav"}
_DIGEST = re.compile(r"[0-9a-f]{64}")


def keep(home: Path, medium: Medium) -> None:
    """Keep a medium that came as pixels or bytes. One that is a file of its own has a name by which
    it is found again. What cannot be kept is logged."""
    if medium.pixels is None and medium.data is None:
        return
    try:
        file = _file(home, medium.kind, medium.digest)
        if file.exists():
            os.utime(file)
            return
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        data = medium.data if medium.pixels is None else media.encode_png(medium.pixels)
        if data is not None and len(data) <= LARGEST:
            with replacing(file) as part:
                part.write_bytes(data)
            _clear(file.parent)
    except OSError as error:
        logger.warning("A medium of an order is not kept: %s", error)


def find(home: Path, kind: Kind, digest: str) -> Path | None:
    """The file of a medium by its digest, None where it is not kept (any more)."""
    if not _DIGEST.fullmatch(digest):
        return None
    file = _file(home, kind, digest)
    return file if file.is_file() else None


def _file(home: Path, kind: Kind, digest: str) -> Path:
    return home / "media" / f"{digest}.{_ENDINGS[kind]}"


def _clear(folder: Path) -> None:
    """Delete those that were not used for the longest time, while there are too many."""
    with contextlib.suppress(OSError):  # another process may be at it too
        there = sorted(_sizes(folder), reverse=True)
        total = 0
        for _, size, file in there:
            total += size
            if total > MOST_BYTES:
                file.unlink(missing_ok=True)


def _sizes(folder: Path) -> Iterator[tuple[float, int, Path]]:
    for file in folder.iterdir():
        if not file.name.startswith("."):
            status = file.stat()
            yield status.st_mtime, status.st_size, file
