"""The errors that orders end with, in words: for failed tasks, ended rows and failed calls."""

from __future__ import annotations

from .. import providers
from ..errors import (
    Cancelled,
    OddReply,
    SeedanceError,
    Spent,
    TaskFailed,
    Unclear,
    Unreachable,
    from_dict,
)
from ..journal import Row, State
from ..providers import registry
from ..transport import Lost
from ..wire import Failed
from .client import Busy, NoAnswer

BILLED_WORDS = {
    "yes": "It is billed.",
    "no": "It is not billed.",
    "unknown": "Whether it is billed is not documented.",
}
STAGE_WORDS = {
    "prompt": ", the prompt was refused",
    "input": ", an input was refused",
    "output": ", the finished video was refused",
    "service": "",
}
NEXT_STEPS = {
    "prompt": "Change the prompt",
    "input": "Change the picture, clip or sound that it is about",
    "output": "Change the prompt, or take another seed",
    "service": "If it is about the prompt or the media, change them",
}


def failure(status: Failed) -> TaskFailed:
    """The error for a failed task: its stage, the provider's reason, and whether it is billed."""
    said = " ".join(status.message.split())[:400].rstrip(".") or "no reason was given"
    code = " ".join(status.code.split())[:100]
    code = f" ({code})" if code and code not in said else ""
    error = TaskFailed(
        f"The task failed{STAGE_WORDS[status.stage]}: {said}{code}.",
        hint=f"{BILLED_WORDS[status.billed]} {NEXT_STEPS[status.stage]}, then queue it again: that "
        "is a new order.",
        spent=status.billed,
    )
    error.stage = status.stage
    return error


def look_first(row: Row) -> str:
    """What to do about an unclear order."""
    provider = registry().get(row.provider)
    where = (provider.where_to_look if provider else "") or (
        f"Look at {provider.name if provider else row.provider}'s own list of tasks."
    )
    return (
        f"{where} If there is none, the order can be sent again: run seedance forget {row.id} (or "
        "use the Seedance tab) and queue it again, or change the seed."
    )


def as_public(error: SeedanceError) -> SeedanceError:
    """An error of the client or the transport as one of the documented kinds. For use only where
    nothing was spent."""
    if isinstance(error, (NoAnswer, Lost, Busy)):
        return Unreachable(error.message, hint=error.hint or "It is safe to try again.")
    if isinstance(error, OddReply):
        hint = error.hint or "The order was not sent. Check the base URL, and try again."
        return OddReply(error.message, hint=hint, spent="no")
    return error


def error_of(row: Row) -> SeedanceError:
    """The error for a row that ended without a video, or is unclear."""
    if row.error:
        error = from_dict(row.error)
    elif row.state == State.UNCLEAR:
        error = Unclear(
            "The program ended while the order was being sent; it may be accepted and billed.",
            hint=look_first(row),
        )
    else:
        error = Cancelled(f"The order ended as {row.state}.")
    error.task, error.row = row.task, row.id
    return error


def was_forgotten(row: Row) -> bool:
    """Whether a row is cancelled because a person forgot it: nobody told its provider."""
    kept = (row.error or {}).get("kind")
    return row.state == State.CANCELLED and kept in (None, Unclear.__name__)


_SPENT: dict[State, Spent] = {
    State.PREPARING: "no",
    State.REFUSED: "no",
    State.SUBMITTING: "unknown",
    State.UNCLEAR: "unknown",
    State.RUNNING: "yes",
    State.SUCCEEDED: "yes",
    State.SAVED: "yes",
}


def costs_nothing(row: Row) -> bool:
    """Whether the order of a row is free, whatever becomes of it: its provider is."""
    return row.provider in providers.registry() and providers.is_free(row.provider)


def goes_on(row: Row) -> str:
    """What the task of an accepted order does, in words."""
    return "goes on" if costs_nothing(row) else "is paid and goes on"


def told(row: Row, error: SeedanceError) -> SeedanceError:
    """The error with what is known of the order's money in `spent`.

    That follows from the state of the row, not from the kind of the error: if a copy fails, that is
    a BadOrder, but the video is paid. For an ended row, the error in the row says what is billed.
    """
    error.task, error.row = error.task or row.task, row.id
    if costs_nothing(row):
        error.spent = "no"
        return error
    if row.state == State.SUBMITTING and row.task:
        error.spent = "yes"  # the answer is here, and the journal does not have it yet
        return error
    ended: Spent | None = (row.error or {}).get("spent")
    error.spent = _SPENT.get(row.state) or ended or ("yes" if row.task else error.spent)
    return error
