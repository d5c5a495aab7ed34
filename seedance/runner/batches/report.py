"""What became of each take of a list: a table for review tools and spreadsheets, or JSON."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from ...errors import BadOrder, Cancelled, SeedanceError, StillRunning, Unclear
from ...files import write_atomically
from ...texts import cell
from .. import Result
from ..files import SIDECAR
from .progress import Shooting, Standing

FIELDS = (
    *("shot", "take", "state", "file", "cost", "seed", "error"),
    *("currency", "provider", "task", "project"),
)
OTHER_NAME = "Choose another name for the report."
_START = ",".join(FIELDS).encode() + b"\r\n"
_MOST_BYTES = 64 * 2**20  # of a report that is read
_OF_VIDEOS = (".mp4", ".mov", ".png", SIDECAR)


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
        record |= {"state": _state_of(outcome, standing.begun), "error": str(outcome)}
        record["task"] = outcome.task or record["task"]
    return record


def _state_of(error: SeedanceError, begun: bool) -> str:
    if isinstance(error, (StillRunning, Unclear)) and not begun:
        return "waiting"  # for the shot that it follows, which is that
    if isinstance(error, StillRunning):
        return "running"
    if isinstance(error, Unclear):
        return "unclear"
    if isinstance(error, Cancelled):
        return "cancelled"
    return "failed" if error.task else "refused"


def check_report(path: Path, *others: Path | None) -> None:
    """Raise BadOrder unless a report can be written as `path`: in a folder that exists and can be
    written, in place of nothing but an earlier report, and not as one of `others`, which the
    command reads or writes too."""
    try:
        if not path.parent.is_dir():
            raise BadOrder(f"There is no folder {path.parent}.", hint="Make it first.")
        for other in others:
            if other is not None and _is_same(path, other):
                raise BadOrder(
                    f"The report cannot be {path.name}: that is the list or the film.",
                    hint=OTHER_NAME,
                )
        if path.name.lower().endswith(_OF_VIDEOS):
            raise BadOrder(
                f"{path.name} is the name of a video or of what belongs to one, and no report's.",
                hint="Choose a name that ends in .csv or .json.",
            )
        _check_replaced(path)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise BadOrder(
            f"The report {path} cannot be written: {error.strerror}.",
            hint="Choose a folder that can be written.",
        ) from error


def _is_same(path: Path, other: Path) -> bool:
    both_there = path.exists() and other.exists()
    return path.samefile(other) if both_there else path.resolve() == other.resolve()


def _check_replaced(path: Path) -> None:
    """Raise BadOrder for a file that a report must not replace; OSError where it cannot be read."""
    if not path.exists():
        return
    if not path.is_file():
        what = "a folder" if path.is_dir() else "a device"
        raise BadOrder(f"The report cannot be {path}, which is {what}.", hint=OTHER_NAME)
    if not _is_report(path):
        raise BadOrder(
            f"{path} is there already, and is no report of a batch; it is left as it is.",
            hint=OTHER_NAME,
        )


def _is_report(path: Path) -> bool:
    """Whether a file is empty, or begins as reports do."""
    with path.open("rb") as file:
        start = file.read(len(_START))
        if start in (b"", _START):
            return True
        if not start.startswith(b"[") or path.stat().st_size > _MOST_BYTES:
            return False
        try:
            found = json.loads(start + file.read())
        except (ValueError, RecursionError):
            return False
    return all(isinstance(each, dict) and tuple(each) == FIELDS for each in found)


def write_report(path: Path, shooting: Shooting) -> None:
    """Write what became of each take to `path`, as JSON if it ends so and else as CSV; whole or not
    at all. Raises BadOrder, which says what was spent, where it cannot be written."""
    found = records(shooting)
    if path.suffix.lower() == ".json":
        text = json.dumps(found, indent=1, ensure_ascii=False)
    else:
        file = io.StringIO(newline="")
        writer = csv.DictWriter(file, FIELDS, extrasaction="ignore", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows({name: cell(value) for name, value in record.items()} for record in found)
        text = file.getvalue()
    try:
        _check_replaced(path)
        write_atomically(path, text)
    except BadOrder as error:
        error.spent = shooting.spent
        raise
    except OSError as error:
        raise BadOrder(
            f"The report {path} cannot be written: {error.strerror}.",
            hint="The videos stay where they are. The same command writes it; what is saved is not "
            "paid again.",
            spent=shooting.spent,
        ) from error
