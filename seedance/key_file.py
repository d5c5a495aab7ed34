"""The key file: a JSON object that only its owner can read.

It is parsed once for each change of it, and replaced as a whole, by one writer at a time.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from . import forks
from .errors import BadOrder
from .files import write_atomically
from .said import say

HOME = "SEEDANCE_HOME must name a folder that can be written, or one that can be made."
LOCK_SECONDS = 30.0  # to wait for other writers, each of which takes milliseconds

_SECRETS = ("key", "access_key_id", "secret_access_key")

_one_writer = forks.Lock()  # in this process, where the file system may have no locks


class Key(str):
    """A secret as text. Tools that print variables do not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "(a key)" if self else "''"


def texts_of(record: Any, *names: str) -> tuple[Key, ...]:
    """The texts of those names in an object of the file, each empty where there is none."""
    values = record if isinstance(record, dict) else {}
    found = (values.get(name) for name in names)
    return tuple(Key(value) if isinstance(value, str) else Key() for value in found)


class _Parsed(NamedTuple):
    version: tuple[int, ...]  # another one after each change of the file
    values: dict[str, Any]


_MISSING = _Parsed((), {})


class KeyFile:
    """The file at `path`, which need not exist. It holds an object for each provider id, and for
    `s3` and `budget`. Its secrets are read as Key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parsed = _MISSING

    def read(self) -> Mapping[str, Any]:
        """What the file holds, not to be changed; empty if there is no file.

        Each call looks whether the file has changed, and whether it is ours alone. Raises BadOrder
        if others can read or replace it, or if it cannot be read.
        """
        self._parsed = self._load(self._parsed)
        return self._parsed.values

    def record(self, name: str) -> Mapping[str, Any]:
        """One object of the file, empty if there is none. Raises BadOrder as `read` does."""
        record = self.read().get(name)
        return record if isinstance(record, dict) else {}

    def secrets(self) -> dict[str, list[Key]]:
        """The secrets in each object of the file, at every depth. Raises BadOrder as `read`
        does."""
        return {name: list(_secrets_in(record)) for name, record in self.read().items()}

    @contextlib.contextmanager
    def editing(self) -> Iterator[dict[str, Any]]:
        """What the file holds, to be changed in the `with` block and written at its end.

        Other writers wait. An error in the block leaves the file as it is. Raises BadOrder if the
        file cannot be read or written.
        """
        self._check_folders()
        with self._lock():
            values = self._load(_MISSING).values.copy()
            yield values
            kept = {name: record for name, record in values.items() if record}
            with self._write_errors():
                write_atomically(self.path, json.dumps(kept, indent=1), mode=0o600)

    def _load(self, known: _Parsed) -> _Parsed:
        """The file as it is now: `known` if that is its present version, else parsed."""
        try:
            with open(self.path, "rb", opener=_without_waiting) as file:
                status = os.fstat(file.fileno())
                self._check_ours(status)
                version = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
                if version == known.version:
                    return known
                values = json.load(file, object_hook=_with_keys)
        except FileNotFoundError:
            return _MISSING
        except BadOrder:
            raise
        except NotADirectoryError:
            raise BadOrder(
                "{parent}, where the key file would be, is not a folder.",
                hint=HOME,
                parent=self.path.parent,
            ) from None
        except OSError as error:
            raise BadOrder(
                "The key file {path} cannot be read: {reason}.",
                hint="Give yourself the right to read it. {home}",
                path=self.path,
                reason=error.strerror,
                home=say(HOME),
            ) from None
        except ValueError:
            # The parser's message may quote the file, so it is not repeated.
            raise BadOrder(
                "The key file {path} cannot be read.", hint="Mend or delete it.", path=self.path
            ) from None
        return _Parsed(version, values if isinstance(values, dict) else {})

    def _check_ours(self, status: os.stat_result) -> None:
        """Raise BadOrder if others can read the file, or may have put it there. Windows has no such
        owners and modes."""
        if os.name != "posix":
            return
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no ordinary file")
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise BadOrder(
                "Others can read the key file {path}, so it is not used.",
                hint="Run: chmod 600 '{path}'. If this machine is shared, replace the keys in it.",
                path=self.path,
            )
        if status.st_uid != os.geteuid():
            raise BadOrder(
                "The key file {path} belongs to another user, so it is not used.",
                hint="Whoever has put it there chooses which keys are used, and where they go. "
                "Delete it, and store the keys again.",
                path=self.path,
            )
        self._check_folders()

    def _check_folders(self) -> None:
        """Raise BadOrder if others can put another file in place of the key file: in its folder, or
        in that of the file that a link at its place names."""
        if os.name != "posix":
            return
        for folder in {self.path.parent, self.path.resolve().parent}:
            with contextlib.suppress(FileNotFoundError):
                if _others_can_write(folder.stat()):
                    raise BadOrder(
                        "Others can write in {folder}, the folder of the key file, so it is "
                        "not used.",
                        hint="Run: chmod go-w '{folder}'. If this machine is shared, replace the "
                        "keys in it.",
                        folder=folder,
                    )

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Let one writer in, of all processes. Otherwise two keys that are stored at the same time
        could undo each other."""
        # Loaded here, because it takes 40 ms and few starts write.
        from filelock import FileLock, Timeout

        with _one_writer, contextlib.ExitStack() as held:
            with self._write_errors():
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(f"{self.path}.lock", timeout=LOCK_SECONDS, mode=0o600)
            try:
                held.enter_context(lock)
            except Timeout:
                raise BadOrder(
                    "The key file {path} cannot be written: another program has locked it.",
                    hint="If none is running, delete {lock_file}.",
                    path=self.path,
                    lock_file=lock.lock_file,
                ) from None
            except (OSError, NotImplementedError):
                pass  # The file system has no locks.
            yield

    @contextlib.contextmanager
    def _write_errors(self) -> Iterator[None]:
        """Turn an OSError of the block into BadOrder."""
        try:
            yield
        except OSError as error:
            raise BadOrder(
                "The key file {path} cannot be written: {reason}.",
                hint=HOME,
                path=self.path,
                reason=error.strerror,
            ) from error


def _without_waiting(path: str, flags: int) -> int:
    """Open a file to read it; also a pipe that somebody has put there, whose other end nobody
    has."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _others_can_write(folder: os.stat_result) -> bool:
    """Whether another user can replace our files in a folder. One of another user counts only for
    who is not root: in a container, a mounted folder often is that of a user outside."""
    me, mode = os.geteuid(), stat.S_IMODE(folder.st_mode)
    if me != 0 and folder.st_uid not in (0, me):
        return True
    if mode & stat.S_ISVTX:  # as in /tmp, where only its owner can replace a file
        return False
    return bool(mode & 0o002) or (bool(mode & 0o020) and not _is_mine_alone(folder.st_gid))


def _is_mine_alone(group: int) -> bool:
    """Whether nobody else is in a group. Linux gives each user such a group, for which new files
    are often writable."""
    import grp
    import pwd

    try:
        me, found = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return found.gr_gid == me.pw_gid and set(found.gr_mem) <= {me.pw_name}


def _with_keys(record: dict[str, Any]) -> dict[str, Any]:
    """An object of the file, with its secrets as Key."""
    return {
        name: Key(value) if name in _SECRETS and isinstance(value, str) else value
        for name, value in record.items()
    }


def _secrets_in(value: Any) -> Iterator[Key]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _secrets_in(inner)
    elif isinstance(value, Key):
        yield value
