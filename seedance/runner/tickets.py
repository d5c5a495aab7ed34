"""Tickets that the journal does not have yet, each in a file of its own below the home.

Only the answer to a paid call has the ticket of what was paid. The ticket is written and synced
here before anything else happens, and removed once the journal has it. A file that is here when a
program starts is from a process that died, or whose journal could not be written.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ..errors import BadOrder
from ..files import write_atomically
from ..journal import Journal, NewRow, Row, sensible
from ..money import Money
from ..texts import logger_of

logger = logger_of(__name__)


def folder(home: Path) -> Path:
    """Where the files are."""
    return home / "tickets"


def write(home: Path, row: Row, ticket: str) -> None:
    """Write a ticket into its file. If the disk refuses, that is logged with the ticket, and the
    journal is written all the same."""
    new = new_row(row)
    price = new.estimate.as_dict() if new.estimate else None
    record = {"ticket": ticket, "uid": row.uid, "row": asdict(new) | {"estimate": price}}
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
    read or written.
    """
    count = 0
    for file, record in _records(home):
        ticket, uid = record["ticket"], record["uid"]
        if journal.by_ticket(ticket) is None:
            row = journal.by_uid(uid)
            if row is not None and row.live and not _take(journal, row):
                continue
            new = _new_row_of(record["row"])
            given = journal.keep_ticket(new, ticket, uid=uid)
            journal.release(given.id, rest=False, uid=given.uid)
            logger.warning("Row %s of the journal has %s now.", given.id, ticket)
            count += 1
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
        budget_usd=price.amount if price and price.currency == "USD" else None,
        origin=row.origin,
        mark=row.mark,
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


def _file(home: Path, uid: str) -> Path:
    return folder(home) / f"{uid}.json"


def _records(home: Path) -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for file in sorted(folder(home).glob("*.json")):
        try:
            record = json.loads(file.read_text("utf-8"))
            _new_row_of(record["row"])
            if isinstance(record["ticket"], str) and isinstance(record["uid"], str):
                found.append((file, record))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            logger.error("The ticket in %s cannot be read: %s", file, error)
    return found


def explain_lost(row: Row) -> BadOrder:
    """The error for an unpaid row that is no longer in the journal."""
    return BadOrder(
        f"Row {row.id} is not in the journal any more, or is another order's.",
        hint="The journal was replaced, or went back to an earlier copy. Start the program again.",
    )
