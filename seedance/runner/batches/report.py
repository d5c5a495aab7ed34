"""What became of each take of a list: a table for review tools and spreadsheets, or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import BadOrder, Cancelled, SeedanceError, StillRunning, Unclear
from ...files import write_atomically
from ...texts import cell
from .. import Result
from .progress import Shooting, Standing

FIELDS = (
    *("shot", "take", "state", "file", "cost", "seed", "error"),
    *("currency", "provider", "task", "project"),
)


def records(shooting: Shooting) -> list[dict[str, Any]]:
    """A record of `FIELDS` for each take, in the order of the list. `cost` is a number, `error` a
    sentence; None where there is none. `state` is that of the journal, or `waiting` for a take that
    was not begun."""
    return [record_of(each) for each in shooting.standings]


def record_of(standing: Standing) -> dict[str, Any]:
    """The record of one take."""
    take, outcome = standing.take, standing.outcome
    record: dict[str, Any] = {
        "shot": take.shot.name,
        "take": take.number + 1,
        "state": "running" if standing.begun else "waiting",
        "file": None,
        "cost": None,
        "seed": take.seed,
        "error": None,
        "currency": None,
        "provider": take.provider,
        "task": standing.task or (take.row.task if take.row else None),
        "project": take.shot.values.get("project"),
    }
    if isinstance(outcome, Result):
        cost = outcome.cost
        record |= {"state": outcome.state, "file": str(outcome.file), "seed": outcome.seed}
        record |= {"provider": outcome.provider, "task": outcome.task}
        record |= {"cost": cost.amount, "currency": cost.currency} if cost else {}
    elif isinstance(outcome, SeedanceError):
        record |= {"state": _state_of(outcome), "error": str(outcome)}
        record["task"] = outcome.task or record["task"]
    return record


def _state_of(error: SeedanceError) -> str:
    if isinstance(error, StillRunning):
        return "running"
    if isinstance(error, Unclear):
        return "unclear"
    if isinstance(error, Cancelled):
        return "cancelled"
    return "failed" if error.task else "refused"


def write_report(path: Path, found: Sequence[dict[str, Any]]) -> None:
    """Write the records to `path`, as JSON if it ends so and else as CSV; whole or not at all.
    Raises BadOrder where it cannot be written."""
    if path.suffix.lower() == ".json":
        text = json.dumps(list(found), indent=1, ensure_ascii=False)
    else:
        file = io.StringIO(newline="")
        writer = csv.DictWriter(file, FIELDS, extrasaction="ignore", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows({name: cell(value) for name, value in record.items()} for record in found)
        text = file.getvalue()
    try:
        write_atomically(path, text)
    except OSError as error:
        raise BadOrder(f"The report {path} cannot be written: {error.strerror}.") from error
