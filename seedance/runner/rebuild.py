"""Rows of the journal again, from the sidecars beside the videos.

A sidecar is a file that anybody may have put there, so that each value is checked.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import BadOrder, SeedanceError
from ..journal import REBUILD, Journal, NewRow, State, sensible
from ..money import Money, in_usd
from ..texts import logger_of
from ..wire import Ticket
from .files import KEPT, LARGEST_SIDECAR, PICTURE, Files
from .places import record_of, videos_below

logger = logger_of(__name__)

_DIGEST = re.compile(r"[0-9a-f]{64}")
_ORDER = {"model": str, "resolution": str, "duration": int, "prompt": str, "seed": int}


def rebuild(journal: Journal, output: Path) -> int:
    """Take in what the sidecars below the output folder say and the journal does not know; returns
    how many rows those are. Raises BadOrder where the journal cannot be written."""
    count = 0
    for video, record in _sidecars(output):
        count += take_in(journal, video, record, record_of(Files(video), output))
    return count


def take_in(journal: Journal, video: Path, record: dict[str, Any], place: dict[str, Any]) -> bool:
    """Take in what the sidecar of a video says, unless the journal knows it; says whether it did
    not. `place` is what a row keeps of where the video is. An order that the journal has as not
    sent, because it went back to an earlier copy, is paid: its row gets the video."""
    try:
        new, result = _read(record)
    except (SeedanceError, KeyError, TypeError, ValueError, AttributeError) as error:
        logger.warning("The sidecar of %s cannot be used: %r", video, error)
        return False
    ticket, held = record["task"], journal.held(new.fingerprint)
    if held is not None and held.task is None and journal.by_ticket(ticket) is None:
        row, is_new = journal.keep_ticket(new, ticket, new.estimate, held.uid), True
    else:
        if held is not None:
            new = _alone(new, ticket)
        row, is_new = journal.adopt(ticket, new)
    if is_new:
        journal.advance(row.id, State.SUCCEEDED, cost=new.estimate, uid=row.uid)
        result |= place
        journal.advance(row.id, State.SAVED, file=video, result=result, uid=row.uid)
    return is_new


def check_new(output: Path, fingerprint: str) -> None:
    """Raise BadOrder if the video of an order lies below the output folder. To be called where the
    journal has no rows: it may have been lost."""
    for video, record in _sidecars(output):
        if record.get("fingerprint") == fingerprint and video.exists():
            raise BadOrder(
                "The journal has no orders, but {video} was made by this one. The "
                "journal may have been lost, so nothing is sent.",
                hint="Put the journal back. {rebuild} (With --comfyui DIR for that of ComfyUI.)",
                video=video,
                rebuild=REBUILD,
            )


def _sidecars(output: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for video in videos_below(output):
        sidecar = Files(video).sidecar
        try:
            if sidecar.stat().st_size > LARGEST_SIDECAR:
                continue
            record = json.loads(sidecar.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(record, dict) and "film" not in record:  # a film is made of others' videos
            yield video, record


def _read(record: dict[str, Any]) -> tuple[NewRow, dict[str, Any]]:
    """A row from a sidecar, and what was measured. Raises for what makes no sense."""
    ticket = Ticket.parse(record["task"])
    order = {**record["order"], "seed": record["seed"]}
    for name, kind in _ORDER.items():
        if type(order[name]) is not kind:
            raise TypeError(name)
    result = {name: record[name] for name in KEPT}
    numbers = (value for name, value in result.items() if name != "sha256")
    if not all(isinstance(value, (int, float)) for value in numbers):
        raise TypeError("measured")
    if not _DIGEST.fullmatch(result["sha256"]):
        raise ValueError("sha256")
    if _DIGEST.fullmatch(str(record.get(PICTURE))):
        result[PICTURE] = record[PICTURE]
    price = sensible(Money(**record["cost"])) if record["cost"] else None
    new = NewRow(
        fingerprint=record.get("fingerprint") or "",
        asked=record.get("asked") or "",
        provider=ticket.provider,
        account="",
        order=order,
        changes=[dict(change) for change in record["changes"]],
        estimate=price,
        budget_usd=in_usd(price),
        origin=record.get("origin"),
        created=datetime.fromisoformat(record["created"].replace("Z", "+00:00")).timestamp(),
    )
    if not (_DIGEST.fullmatch(new.fingerprint) and _DIGEST.fullmatch(new.asked)):
        new = _alone(new, str(ticket))  # of an older version
    return new, result


def _alone(new: NewRow, ticket: str) -> NewRow:
    """The row with an identity of its own: it is found by its ticket only."""
    other = hashlib.sha256(f"ticket {ticket}".encode()).hexdigest()
    return replace(new, fingerprint=other, asked=other)
