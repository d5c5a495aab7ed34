"""Tickets that the journal does not have yet, each in a file of its own below the home.

Only the answer to a paid call has the ticket of what was paid. The ticket is written and synced
here before anything else happens, and removed once the journal has it. A file that is here when a
program starts is from a process that died, or whose journal could not be written.
"""

from __future__ import annotations

import contextlib
import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import BadOrder
from ..files import write_atomically
from ..journal import Journal, NewRow, Row, State
from ..money import Money

logger = logging.getLogger(__name__)


def folder(home: Path) -> Path:
    """Where the files are."""
    return home / "tickets"


def write(home: Path, row: Row, ticket: str, cost: Money | None) -> None:
    """Write a ticket into its file. If the disk refuses, that is logged with the ticket, and the
    journal is written all the same."""
    record = {
        "ticket": ticket,
        "uid": row.uid,
        "cost": cost.as_dict() if cost else None,
        "row": asdict(new_row(row)) | {"estimate": None},
    }
    try:
        folder(home).mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(_file(home, row.uid), json.dumps(record))
    except OSError as error:
        logger.error("The ticket %s could not be written to %s: %s", ticket, home, error)


def remove(home: Path, row: Row) -> None:
    """Remove the file of a ticket, because the journal has it."""
    with contextlib.suppress(OSError):
        _file(home, row.uid).unlink(missing_ok=True)


def waiting(home: Path) -> list[str]:
    """The tickets that the journal may not have, for `doctor`."""
    return [record["ticket"] for _, record in _records(home)]


def restore(home: Path, journal: Journal) -> int:
    """Write the tickets into the journal that it does not have; returns how many those were.

    Rows that another process works on are left alone. Raises BadOrder if the journal cannot be
    written.
    """
    count = 0
    for file, record in _records(home):
        row = journal.by_uid(record["uid"])
        if row is not None and row.task == record["ticket"]:
            file.unlink(missing_ok=True)
        elif _give(journal, row, record):
            logger.warning("The journal has the ticket %s now.", record["ticket"])
            file.unlink(missing_ok=True)
            count += 1
    return count


def new_row(row: Row) -> NewRow:
    """What is needed to write the row once more."""
    return NewRow(
        fingerprint=row.fingerprint,
        asked=row.asked,
        provider=row.provider,
        account=row.account,
        order=row.order,
        changes=row.changes,
        target=row.target,
        origin=row.origin,
        mark=row.mark,
    )


def _give(journal: Journal, row: Row | None, record: dict[str, Any]) -> bool:
    """Put a ticket into its row, or into a new one; returns whether that could be done."""
    ticket = record["ticket"]
    if row is not None and row.live:
        claimed = journal.claim(row.id)
        if claimed is None or (claimed.live and claimed.holder == row.holder):
            return False  # another process works on it, or this one does
        row = claimed
    if row is not None and row.state == State.UNCLEAR:
        given = journal.resolve_unclear(row.id, ticket)
    else:
        told = record.get("cost")
        cost = Money(**told) if told else None
        given = journal.keep_ticket(NewRow(**record["row"]), ticket, cost)
    if given is not None:
        journal.release(given.id, rest=False)
    return given is not None


def _file(home: Path, uid: str) -> Path:
    return folder(home) / f"{uid}.json"


def _records(home: Path) -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for file in sorted(folder(home).glob("*.json")):
        try:
            record = json.loads(file.read_text("utf-8"))
            if isinstance(record["ticket"], str) and isinstance(record["uid"], str):
                found.append((file, record))
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.error("The ticket in %s cannot be read: %s", file, error)
    return found


def explain_lost(row: Row) -> BadOrder:
    """The error for an unpaid row that is no longer in the journal."""
    return BadOrder(
        f"Row {row.id} is not in the journal any more, or is another order's.",
        hint="The journal was replaced, or went back to an earlier copy. Start the program again.",
    )
