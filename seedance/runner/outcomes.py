"""The errors that orders end with, in words: for failed tasks, ended rows and failed calls."""

from __future__ import annotations

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
    "prompt": "the prompt was refused",
    "input": "an input was refused",
    "output": "the finished video was refused",
    "service": "the service failed",
}


def failure(status: Failed) -> TaskFailed:
    """The error for a failed task: its stage, the provider's reason, and whether it is billed."""
    said = " ".join(status.message.split())[:400].rstrip(".") or "no reason was given"
    code = " ".join(status.code.split())[:100]
    code = f" ({code})" if code and code not in said else ""
    error = TaskFailed(
        f"The task failed, {STAGE_WORDS[status.stage]}: {said}{code}.",
        hint=BILLED_WORDS[status.billed],
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


_SPENT: dict[State, Spent] = {
    State.PREPARING: "no",
    State.REFUSED: "no",
    State.SUBMITTING: "unknown",
    State.UNCLEAR: "unknown",
    State.RUNNING: "yes",
    State.SUCCEEDED: "yes",
    State.SAVED: "yes",
}


def told(row: Row, error: SeedanceError) -> SeedanceError:
    """The error with what is known of the order's money in `spent`.

    That follows from the state of the row, not from the kind of the error: if a copy fails, that is
    a BadOrder, but the video is paid. For an ended row, the error in the row says what is billed.
    """
    error.task, error.row = error.task or row.task, row.id
    if row.state == State.SUBMITTING and row.task:
        error.spent = "yes"  # the answer is here, and the journal does not have it yet
        return error
    ended: Spent | None = (row.error or {}).get("spent")
    error.spent = _SPENT.get(row.state) or ended or ("yes" if row.task else error.spent)
    return error
