"""A row of the journal as the rest of the pack sees it: what goes in, and what comes out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..money import Money
from ..texts import moment, shown
from .states import LIVE, State

# Letters of an error as JSON: what is longer is of an older version, or of somebody else who writes
# into the journal, and is shown without what its sentences are made of.
LONGEST_ERROR = 120_000


@dataclass(frozen=True)
class NewRow:
    """What is written before anything is sent.

    `origin` is the provider's. `mark` is a value that only this order has and that the provider's
    list of tasks shows, or its idempotency key; None where there is neither. `created` is in Unix
    seconds, None for now. `queued` is the id that the order has in the queue of a farm.
    """

    fingerprint: str
    asked: str
    provider: str
    account: str
    order: Mapping[str, Any]
    changes: Sequence[Mapping[str, Any]] = ()
    target: str | None = None
    estimate: Money | None = None
    budget_usd: float | None = None
    origin: str | None = None
    mark: str | None = None
    marks: Sequence[int] = ()
    created: float | None = None
    queued: str = ""


@dataclass(frozen=True)
class Row:
    """One order in the journal. `task` is the ticket, `created` and `updated` are UTC.

    `create` is the paid call as JSON, where it is kept and its outcome is not known. `looks` counts
    how often the provider's list did not have the task, `looked` is when it last did not (Unix
    seconds). `reuses` counts how often the order was asked for again, and not paid again.
    `budget_usd` is what it counts in budgets.
    """

    id: int
    fingerprint: str
    asked: str
    provider: str
    account: str
    model: str
    state: State
    prompt: str
    seed: int
    order: dict[str, Any]
    changes: list[dict[str, Any]]
    task: str | None
    target: str | None
    file: Path | None
    result: dict[str, Any]
    error: dict[str, Any] | None
    cost: Money | None
    holder: str | None
    lease_until: float
    created: datetime
    updated: datetime
    submitted: float | None
    finished: float | None
    uid: str
    origin: str | None
    mark: str | None
    create: str | None = None
    looked: float | None = None
    looks: int = 0
    project: str = ""
    reuses: int = 0
    budget_usd: float | None = None

    @property
    def live(self) -> bool:
        """Whether the order is under way."""
        return self.state in LIVE

    @property
    def only_ticket(self) -> bool:
        """Whether nothing is known of the order but its ticket: it was made elsewhere."""
        return self.fingerprint == self.asked

    def as_dict(self) -> dict[str, Any]:
        """The JSON form of `tasks --json`."""
        return {
            "row": self.id,
            "task": self.task,
            "provider": self.provider,
            "model": self.model,
            "state": self.state.value,
            "created": moment(self.created),
            "updated": moment(self.updated),
            "prompt": self.prompt,
            "seed": self.seed,
            "file": str(self.file) if self.file else None,
            "cost": self.cost.as_dict() if self.cost else None,
            "error": self.error,
        }


def _error_of(text: str | None) -> dict[str, Any] | None:
    """The error of a row, cut: an older version of the pack kept whatever a provider said."""
    error = json.loads(text) if text else None
    if not isinstance(error, dict):
        return None
    if len(text or "") > LONGEST_ERROR:
        error = {name: error.get(name) for name in ("kind", "message", "hint", "task", "spent")}
    return {
        name: shown(value) if name in ("message", "hint") and isinstance(value, str) else value
        for name, value in error.items()
    }


def row_of(record: Any) -> Row:
    """A row as the database gives it."""
    cost = None
    if record.cost_amount is not None:
        cost = Money(record.cost_amount, record.cost_currency or "", bool(record.cost_estimated))
    return Row(
        id=record.id,
        fingerprint=record.fingerprint,
        asked=record.asked,
        provider=record.provider,
        account=record.account,
        model=record.model,
        state=record.state,
        prompt=record.prompt,
        seed=record.seed,
        order=json.loads(record.order_json),
        changes=json.loads(record.changes_json),
        task=record.ticket,
        target=record.target,
        file=Path(record.file) if record.file else None,
        result=json.loads(record.result_json) if record.result_json else {},
        error=_error_of(record.error_json),
        cost=cost,
        holder=record.holder,
        lease_until=record.lease_until or 0.0,
        created=datetime.fromtimestamp(record.created, timezone.utc),
        updated=datetime.fromtimestamp(record.updated, timezone.utc),
        submitted=record.submitted,
        finished=record.finished,
        uid=record.uid or "",
        origin=record.origin,
        mark=record.mark,
        create=record.create_json,
        looked=record.looked,
        looks=record.looks or 0,
        project=record.project or "",
        reuses=record.reuses or 0,
        budget_usd=record.budget_usd,
    )
