"""How an order ends, in words: the errors for failed tasks, ended rows and failures below."""

from __future__ import annotations

from ..errors import (
    Cancelled,
    OddReply,
    SeedanceError,
    TaskFailed,
    Unclear,
    Unreachable,
    from_dict,
)
from ..journal import Row, State
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
    """The error that a failed task is, with its stage and whether it was billed."""
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


def as_public(error: SeedanceError) -> SeedanceError:
    """An error of the layers below as one of the documented kinds, before anything was spent."""
    if isinstance(error, (NoAnswer, Lost, Busy)):
        return Unreachable(error.message, hint=error.hint or "It is safe to try again.")
    if isinstance(error, OddReply):
        hint = error.hint or "The order was not sent. Check the base URL, and try again."
        return OddReply(error.message, hint=hint, spent="no")
    return error


def error_of(row: Row) -> SeedanceError:
    """The error that an ended row stands for."""
    if row.error:
        error = from_dict(row.error)
    elif row.state == State.UNCLEAR:
        error = Unclear(
            "The program ended while the order was being sent; it may be accepted and billed.",
            hint="Look at the provider's own list of tasks. If there is none, send it anew with: "
            f"seedance forget {row.id} (or the Seedance tab), or change the seed.",
        )
    else:
        error = Cancelled(f"The order ended as {row.state}.")
    error.task, error.row = row.task, row.id
    return error
