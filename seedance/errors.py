"""The errors a person may meet, and what each says about their money.

    SeedanceError
    +-- BadOrder       the order or a setting is wrong; nothing was sent
    +-- NeedsKey       no key for the provider; nothing was sent
    +-- Refused        the provider, or our budget, did not accept it; nothing is billed
    |   +-- Moderated      a content policy refused a prompt or an input
    |   +-- OutOfCredit    the account has no credit or quota left
    |   +-- OverBudget     our own budget refused before anything was sent
    +-- Unclear        it may have been accepted and billed; look before sending again
    +-- TaskFailed     accepted, then failed
    +-- StillRunning   paid, and not saved yet; collect it later
    +-- Unreachable    could not be sent; safe to try again
    +-- OddReply       an answer that makes no sense, outside a create
    +-- Cancelled      a person cancelled

Each error carries one sentence that says what happened (`message`), one that says what to do
(`hint`), the ticket of the task if one exists, and whether money was spent. Most also inherit the
builtin error that a caller would expect.

The two sentences are templates with values, see `said`:

    BadOrder("{name} holds no picture.", hint="Connect one that is not empty.", name="first_frame")
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from .said import Said, said_of, say
from .texts import shown

Spent = Literal["no", "yes", "unknown"]


class SeedanceError(Exception):
    """Base of all errors raised on purpose by this package.

    `message`: what happened, one sentence. `hint`: what to do next, may be empty. Both have their
    `{name}`s replaced by `values`, unless they were said already, and are cut where they quote too
    much. `task`: the ticket, if the task has one. `spent`: whether money was spent. `row`: the
    journal row.
    """

    exit_code = 1
    spent_by_default: Spent = "no"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        task: str | None = None,
        spent: Spent | None = None,
        row: int | None = None,
        **values: object,
    ) -> None:
        self.message: str = _said(message, values)
        self.hint: str = _said(hint, values)
        super().__init__(self.message)
        self.task = task
        self.spent: Spent = spent or self.spent_by_default
        self.row = row

    @property
    def kind(self) -> str:
        """The name that JSON answers and exit codes go by: the nearest class of the tree above."""
        names = (base.__name__ for base in type(self).__mro__)
        return next((name for name in names if name in KINDS), "SeedanceError")

    def __str__(self) -> str:
        parts = [self.message]
        if self.hint:
            parts.append(self.hint)
        if self.task:
            parts.append(f"Task: {self.task}")
        return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form: `{kind, message, hint, task, spent}`, and what the two sentences are made
        of: `{code, values, hint_code, hint_values}`."""
        return {
            "kind": self.kind,
            "message": str(self.message),
            "hint": str(self.hint),
            "task": self.task,
            "spent": self.spent,
            **self.sentences(),
        }

    def sentences(self) -> dict[str, Any]:
        """What message and hint are made of: `{code, values, hint_code, hint_values}`."""
        message, hint = (Said.of(text).as_dict() for text in (self.message, self.hint))
        return {
            "code": message["code"],
            "values": message["values"],
            "hint_code": hint["code"],
            "hint_values": hint["values"],
        }


class BadOrder(SeedanceError, ValueError):
    """The order or a setting is wrong. Nothing was sent."""

    exit_code = 2


class NeedsKey(SeedanceError):
    """There is no key for the provider. Nothing was sent."""

    exit_code = 3


class Refused(SeedanceError):
    """The provider, or our own budget, did not accept the order. Nothing is billed."""

    exit_code = 4


class Moderated(Refused):
    """A content policy refused the prompt or an input, before a task was made."""


class OutOfCredit(Refused):
    """The account has no credit or quota left."""


class OverBudget(Refused):
    """The budget set by the user would be exceeded; nothing was sent."""


class Unclear(SeedanceError):
    """The order may have been accepted and billed. It is sent again by itself only with an
    idempotency key that its provider documents."""

    exit_code = 5
    spent_by_default = "unknown"


class TaskFailed(SeedanceError):
    """The task was accepted, then failed. `stage` is `prompt`, `input`, `output` or `service`."""

    exit_code = 6
    spent_by_default = "unknown"
    stage: str = "service"


class StillRunning(SeedanceError, TimeoutError):
    """We stopped waiting. The task is paid and goes on; collect it by its ticket."""

    exit_code = 7
    spent_by_default = "yes"


class Unreachable(SeedanceError, ConnectionError):
    """Nothing could be sent. It is safe to try again."""

    exit_code = 8


class OddReply(SeedanceError):
    """An answer that makes no sense, to anything but a create."""

    exit_code = 9
    spent_by_default = "unknown"


class Cancelled(SeedanceError):
    """A person cancelled. The message says whether the task goes on and is billed."""

    exit_code = 130
    spent_by_default = "unknown"


KINDS: dict[str, type[SeedanceError]] = {
    kind.__name__: kind
    for kind in (
        BadOrder,
        NeedsKey,
        Refused,
        Moderated,
        OutOfCredit,
        OverBudget,
        Unclear,
        TaskFailed,
        StillRunning,
        Unreachable,
        OddReply,
        Cancelled,
    )
}


def _said(text: str, values: Mapping[str, object]) -> Said:
    return (text if isinstance(text, Said) else say(text, **values)).each(shown)


def from_dict(record: Mapping[str, Any]) -> SeedanceError:
    """The error that `as_dict` described, e.g. one kept in the journal."""
    kind = KINDS.get(record.get("kind") or "", SeedanceError)
    spent = record.get("spent")
    message = record.get("message") or "unknown error"
    return kind(
        said_of(message, record.get("code"), record.get("values")),
        hint=said_of(record.get("hint") or "", record.get("hint_code"), record.get("hint_values")),
        task=record.get("task"),
        spent=spent if spent in ("no", "yes", "unknown") else None,
    )
