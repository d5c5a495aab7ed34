"""Files: their SHA-256, and writing so that a crash leaves the old file or the new one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

BLOCK = 1 << 20  # bytes read at once


def sha256_of(path: Path, prefix: bytes = b"") -> str:
    """The SHA-256 of `prefix` and the bytes of a file, as 64 hex digits. Raises OSError."""
    sha = hashlib.sha256(prefix)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            sha.update(block)
    return sha.hexdigest()


def write_atomically(path: Path, text: str, mode: int = 0o666) -> None:
    """Write `text` as UTF-8 in place of `path`, and return when it is on the disk. Raises OSError.

    `mode` is that of the file from its first byte on, less what the umask forbids. A link at `path`
    is replaced, not followed.
    """

    def create(part: str, flags: int) -> int:
        return os.open(part, flags, mode)

    with replacing(path) as part, open(part, "x", encoding="utf-8", opener=create) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Put a rename on the disk. (Windows opens no folder, and some file systems sync none.)"""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path in the same folder, for a new file that replaces `path` at the end of the block.

    After an error the new file is removed, and `path` is as it was. Each call gives another path.
    """
    part = path.with_name(f".{secrets.token_hex(6)}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
