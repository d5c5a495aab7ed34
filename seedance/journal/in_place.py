"""Whether the file of an SQLite journal has what its open connections believe it has.

Who puts a backup back with `cp`, or empties the file, writes into the very file that a running
process has open. SQLite does not look: it goes on with the pages that it has in memory, and mixes
them with those of the other file. So the file itself is read, beside all that SQLite has in memory.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

ATTEMPTS = 20
PAUSE_SECONDS = 0.05  # between two of them
UNREADABLE = 5  # attempts after which a file that cannot be read is believed to be no journal

Identity = tuple[str, int]  # of the journal: its uid, and how often it was written


def overwritten(file: Path, seen: Identity) -> bool:
    """Whether another file was written over that of the journal in place. `seen` is what a
    transaction that may write has just read in it, so that nobody else writes it now.

    The file may lag behind while others read an older state, or bring the log into it just now.
    Where it does so for all the time, nothing is concluded.
    """
    unreadable = 0
    for _ in range(ATTEMPTS):
        found = _identity_in(file)
        if found == seen:
            return False
        unreadable = unreadable + 1 if found is None else 0
        if unreadable >= UNREADABLE:
            return True
        if found is not None and _is_whole(file) and _identity_in(file) not in (seen, None):
            return True
        time.sleep(PAUSE_SECONDS)
    return False


def _identity_in(file: Path) -> Identity | None:
    """What stands in the file alone, None where that cannot be read. (SQLite opens it, since to
    close it would take the locks from the connections of this process otherwise.)"""
    address = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
            row = connection.execute("SELECT uid, revision FROM identity").fetchone()
    except sqlite3.Error:
        return None
    return (row[0], row[1]) if row else None


def _is_whole(file: Path) -> bool:
    """Bring what is in the log into the file; says whether all of it is there then."""
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=0.1)) as connection:
            busy, log, done = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error:
        return False
    return not busy and log == done
