"""Downloads a whole file from an address: ranges, lengths, stalls, limits.

An address that has expired is an error: the caller asks for a fresh one.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from .errors import OddReply, SeedanceError
from .transport import Lost, NotSent, Stop, Transport
from .units import size_in_words

LARGEST_FILE = 4 * 10**9
LONGEST_SECONDS = 3600.0
PAUSE_SECONDS = 0.5  # before an attempt that goes on; doubled by each one that brought no byte
TRIES_WITHOUT_PROGRESS = 5
# A number of bytes, for `int`, which raises an error for thousands of digits.
_NUMBER = "[0-9]{1,18}"
BLOCK = 1 << 16  # bytes; where a connection breaks, the block that is being read is lost


class AddressExpired(SeedanceError):
    """The address no longer serves the file (HTTP 401, 403, 404, 410)."""

    spent_by_default = "yes"


def fetch(
    transport: Transport,
    url: str,
    part: Path,
    *,
    own_origin: str,
    on_progress: Callable[[int, int | None], None] = lambda done, total: None,
    largest: int = LARGEST_FILE,
    with_key: bool = True,
    stop: Stop | None = None,
) -> None:
    """Fetch `url` into `part`; after a broken connection, go on where it stopped.

    `on_progress(bytes so far, bytes in all or None)`. With `with_key`, the key is sent to
    `own_origin` if it asks for one: right for an address that the provider gave, not for one from a
    workflow. The download is cut off when `stop` is set.

    Raises AddressExpired, OddReply for an answer that is no file or too large, Lost or
    NotSent when several attempts in a row brought no byte, and OSError when the disk refuses.
    """
    attempt = _Attempt(
        transport, url, part, own_origin, on_progress, largest, with_key, stop or Stop()
    )
    part.unlink(missing_ok=True)
    failures = 0
    while not attempt.finished:
        before = attempt.done
        try:
            attempt.go_on()
        except (Lost, NotSent):
            attempt.check_time()
            failures = 0 if attempt.done > before else failures + 1
            if failures >= TRIES_WITHOUT_PROGRESS:
                raise
            if attempt.stop.wait(min(PAUSE_SECONDS * 2.0**failures, 8.0)):
                raise


def _opened(part: Path, *, new: bool) -> BinaryIO:
    """A part file to be written to: one that nobody else has put there, and no link. Raises OSError
    for anything else at that path."""
    flags = os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    flags |= os.O_CREAT | os.O_EXCL if new else os.O_APPEND
    return os.fdopen(os.open(part, flags, 0o666), "wb" if new else "ab")


class _Attempt:
    """The state of one download across its connections."""

    def __init__(
        self,
        transport: Transport,
        url: str,
        part: Path,
        own_origin: str,
        on_progress: Callable[[int, int | None], None],
        largest: int,
        with_key: bool,
        stop: Stop,
    ) -> None:
        self.transport, self.url, self.part = transport, url, part
        self.own_origin, self.on_progress = own_origin, on_progress
        self.largest, self.with_key, self.stop = largest, with_key, stop
        self.done = 0
        self.total: int | None = None
        self.finished = False
        self._validator: str | None = None
        self._authorized = False
        self._deadline = time.monotonic() + LONGEST_SECONDS

    def go_on(self) -> None:
        """One connection: from where the last one stopped, until the end or a break."""
        headers = {}
        if self.done:
            headers["Range"] = f"bytes={self.done}-"
            if self._validator:
                headers["If-Range"] = self._validator
        with self.transport.fetching(
            self.url,
            headers=headers,
            own_origin=self.own_origin,
            authorized=self._authorized,
            seconds=max(self._deadline - time.monotonic(), 0.0),
            stop=self.stop,
        ) as response:
            status = response.status_code
            if status == 401 and self.with_key and not self._authorized:
                # Some gateways ask for the key before they give a result. No other origin gets it.
                self._authorized = True
                return
            if status in (401, 403, 404, 410):
                raise AddressExpired(
                    "The address of the video no longer works (HTTP {status}).", status=status
                )
            if status == 416:  # the part that is here is of another file: start again
                self._restart()
                raise Lost("The file changed during the download.")
            if status >= 500 or status in (408, 429):
                raise Lost("The file's host answered HTTP {status}.", status=status)
            if status not in (200, 206):
                raise OddReply(
                    "The file's host answered HTTP {status}.", spent="yes", status=status
                )
            packing = response.headers.get("content-encoding", "identity").strip().lower()
            if packing not in ("identity", ""):  # a few bytes might become gigabytes
                raise OddReply(
                    "The file's host sent the file packed, which was not asked for.", spent="yes"
                )
            if "text/html" in response.headers.get("content-type", ""):
                raise Lost("The file's host answered with a web page.")
            self._place(response.headers, status)
            self._receive(response)

    def check_time(self) -> None:
        """Raise OddReply if the download has taken longer than `LONGEST_SECONDS`."""
        if time.monotonic() > self._deadline:
            raise OddReply("The download takes too long.", spent="yes")

    def _place(self, headers: object, status: int) -> None:
        """Find out where the bytes that follow belong, and how many there will be."""
        get = headers.get  # type: ignore[attr-defined]
        if status == 206:
            match = re.fullmatch(
                rf"bytes ({_NUMBER})-{_NUMBER}/({_NUMBER}|\*)", get("content-range", "")
            )
            if not match or int(match[1]) != self.done:
                self._restart()
                raise Lost("The file's host answered with another range.")
            total = None if match[2] == "*" else int(match[2])
        else:
            self._restart()
            length = get("content-length", "")
            total = int(length) if re.fullmatch(_NUMBER, length) else None
        if self.total is not None and total is not None and total != self.total:
            self._restart()
            raise Lost("The file changed during the download.")
        self.total = total if total is not None else self.total
        if (self.total or 0) > self.largest:
            raise self._too_large()
        etag = get("etag", "")
        self._validator = etag if etag and not etag.startswith("W/") else get("last-modified")

    def _too_large(self) -> OddReply:
        return OddReply(
            "The file is larger than {size}.", spent="yes", size=size_in_words(self.largest)
        )

    def _restart(self) -> None:
        self.done, self.total = 0, None
        self.part.unlink(missing_ok=True)

    def _receive(self, response: object) -> None:
        if not self.done:
            self.part.unlink(missing_ok=True)  # of an attempt that brought no byte
        with _opened(self.part, new=not self.done) as file:
            for block in response.iter_content(BLOCK):  # type: ignore[attr-defined]
                file.write(block)
                self.done += len(block)
                if self.done > self.largest:
                    raise self._too_large()
                self.check_time()
                self.on_progress(self.done, self.total)
        self.check_time()  # a connection that is cut then can look like the end of the file
        if self.stop.is_set():
            raise Lost("The download was stopped.")
        if self.total is not None and self.done < self.total:
            raise Lost("The download was cut short.")
        if self.done == 0:
            raise Lost("The file's host sent an empty file.")
        self.finished = True
