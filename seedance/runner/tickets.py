"""Tickets of paid orders, each in a file of its own below the home.

Only the answer to a paid call has the ticket of what was paid. The ticket is written and synced
here before anything else happens. A file that is here when a program starts is from a process that
died, or whose journal could not be written. Once the journal has the ticket, its file lies in a
folder below, until the order has ended: from there it comes back if the journal is lost.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ..errors import BadOrder
from ..files import write_atomically
from ..journal import Journal, NewRow, Row, sensible
from ..money import Money, in_usd
from ..texts import logger_of

logger = logger_of(__name__)

LARGEST_TICKET = 4 << 20  # bytes of its file; an order has at most some hundred kilobytes


def folder(home: Path) -> Path:
    """Where the files are."""
    return home / "tickets"


def running(home: Path) -> Path:
    """Where the files are of orders under way, whose tickets the journal has."""
    return folder(home) / "running"


def write(home: Path, row: Row, ticket: str) -> None:
    """Write a ticket into its file. If the disk refuses, that is logged with the ticket, and the
    journal is written all the same."""
    _write(folder(home), row, ticket)


def _write(place: Path, row: Row, ticket: str) -> None:
    new = new_row(row)
    price = new.estimate.as_dict() if new.estimate else None
    record = {"ticket": ticket, "uid": row.uid, "row": asdict(new) | {"estimate": price}}
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(place / f"{row.uid}.json", json.dumps(record))
    except OSError as error:
        logger.error("The ticket %s could not be written to %s: %s", ticket, place, error)


def keep(home: Path, row: Row) -> None:
    """The journal has the ticket of a row: its file is no longer among those that it lacks, and
    stays for as long as the order is under way."""
    if row.task is None or not row.uid:
        return
    lacking, kept = folder(home) / f"{row.uid}.json", running(home) / f"{row.uid}.json"
    if not row.live:
        remove(home, row)
        return
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.replace(lacking, kept)
    if not os.path.exists(kept):  # a ticket from elsewhere, or of an older version
        _write(kept.parent, row, row.task)


def remove(home: Path, row: Row) -> None:
    """Remove the file of a ticket: its order has ended, or the ticket is not the row's."""
    for place in (folder(home), running(home)):
        with contextlib.suppress(OSError):
            (place / f"{row.uid}.json").unlink(missing_ok=True)


def waiting(home: Path) -> list[str]:
    """The tickets that the journal may not have, for `doctor`."""
    return [record["ticket"] for _, record in _records(folder(home))]


def lost(home: Path, journal: Journal) -> bool:
    """Whether the journal was lost: it has no row, and there are tickets that it had."""
    return bool(_files(running(home))) and not journal.newest(1)


def restore_running(home: Path, journal: Journal) -> int:
    """As `restore`, for those that the journal had: it was lost, or went back to an earlier copy.
    Files of orders that have ended are removed."""
    count = 0
    for file, record in _records(running(home)):
        ticket = record["ticket"]
        row = journal.by_ticket(ticket)
        if row is None:
            new = _new_row_of(record["row"])
            row = journal.keep_ticket(new, ticket, new.estimate, record["uid"])
            journal.release(row.id, rest=False, uid=row.uid)
            logger.warning("Row %s of the journal has %s again.", row.id, ticket)
            count += 1
            keep(home, row)
        if not row.live or row.uid != record["uid"]:
            file.unlink(missing_ok=True)
    return count


def restore(home: Path, journal: Journal) -> int:
    """Write the tickets into the journal that it does not have; returns how many those were.

    Rows that another process works on are left alone. Raises BadOrder if the journal cannot be
    read or written.
    """
    count = 0
    for file, record in _records(folder(home)):
        ticket, uid = record["ticket"], record["uid"]
        if journal.by_ticket(ticket) is None:
            row = journal.by_uid(uid)
            if row is not None and row.live and not _take(journal, row):
                continue
            new = _new_row_of(record["row"])
            given = journal.keep_ticket(new, ticket, new.estimate, uid)
            journal.release(given.id, rest=False, uid=given.uid)
            logger.warning("Row %s of the journal has %s now.", given.id, ticket)
            count += 1
            keep(home, given)
        file.unlink(missing_ok=True)
    return count


def new_row(row: Row) -> NewRow:
    """What is needed to write the row once more."""
    price = sensible(row.cost)
    return NewRow(
        fingerprint=row.fingerprint,
        asked=row.asked,
        provider=row.provider,
        account=row.account,
        order=row.order,
        changes=row.changes,
        target=row.target,
        estimate=price,
        budget_usd=in_usd(price),
        origin=row.origin,
        mark=row.mark,
        created=row.created.timestamp(),
    )


def _new_row_of(record: dict[str, Any]) -> NewRow:
    """A row as `write` has written it, perhaps in a version of the pack that knows more of it.
    Raises KeyError, TypeError or ValueError for anything else."""
    known = {each.name for each in fields(NewRow)}
    values = {name: value for name, value in record.items() if name in known}
    price = values.pop("estimate", None)
    new = NewRow(**values, estimate=Money(**price) if price else None)
    for name in ("model", "resolution", "duration", "prompt", "seed"):
        new.order[name]
    return new


def _take(journal: Journal, row: Row) -> bool:
    """Take the lease of a live row that no process works on; says whether that is so."""
    return row.holder != journal.holder and journal.claim(row.id, row.uid) is not None


def _files(place: Path) -> list[Path]:
    try:
        return sorted(place.glob("*.json"))
    except OSError as error:  # a home that cannot be entered
        logger.error("The tickets in %s cannot be read: %s", place, error)
        return []


def _records(place: Path) -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for file in _files(place):
        try:
            if file.stat().st_size > LARGEST_TICKET:
                raise ValueError(f"it is larger than {LARGEST_TICKET >> 10} KiB")
            record = json.loads(file.read_text("utf-8"))
            _new_row_of(record["row"])
            if isinstance(record["ticket"], str) and isinstance(record["uid"], str):
                found.append((file, record))
        except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            logger.error("The ticket in %s cannot be read: %s", file, error)
    return found


def explain_lost(row: Row) -> BadOrder:
    """The error for an unpaid row that is no longer in the journal."""
    return BadOrder(
        "Row {number} is not in the journal any more, or is another order's.",
        hint="The journal was replaced, or went back to an earlier copy. Start the program again.",
        number=row.id,
    )
