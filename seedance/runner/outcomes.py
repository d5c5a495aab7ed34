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
from ..journal import STATE_WORDS, Row, State
from ..providers import registry
from ..said import Said, say
from ..transport import Lost
from ..wire import Failed
from .client import Busy, NoAnswer

SAFE = say("It is safe to try again.")
BILLED_WORDS = {
    "yes": say("It is billed."),
    "no": say("It is not billed."),
    "unknown": say("Whether it is billed is not documented."),
}
STAGE_WORDS = {
    "prompt": say(", the prompt was refused"),
    "input": say(", an input was refused"),
    "output": say(", the finished video was refused"),
    "service": Said(""),
}
NEXT_STEPS = {
    "prompt": say("Change the prompt"),
    "input": say("Change the picture, clip or sound that it is about"),
    "output": say("Change the prompt, or take another seed"),
    "service": say("If it is about the prompt or the media, change them"),
}


def failure(status: Failed) -> TaskFailed:
    """The error for a failed task: its stage, the provider's reason, and whether it is billed."""
    said = status.message.rstrip(".") or say("no reason was given")
    code = " ".join(status.code.split())
    code = f" ({code})" if code and code not in said else ""
    error = TaskFailed(
        "The task failed{stage}: {said}{code}.",
        hint="{billed} {next}, then queue it again: that is a new order.",
        spent=status.billed,
        stage=STAGE_WORDS[status.stage],
        said=said,
        code=code,
        billed=BILLED_WORDS[status.billed],
        next=NEXT_STEPS[status.stage],
    )
    error.stage = status.stage
    return error


def look_first(row: Row) -> Said:
    """What to do about an unclear order."""
    provider = registry().get(row.provider)
    where = (provider.where_to_look if provider else "") or say(
        "Look at {provider}'s own list of tasks.",
        provider=provider.name if provider else row.provider,
    )
    return say(
        "{where} If there is none, the order can be sent again: run seedance forget {number} (or "
        "use the Seedance tab) and queue it again, or change the seed.",
        where=where,
        number=row.id,
    )


def as_public(error: SeedanceError) -> SeedanceError:
    """An error of the client or the transport as one of the documented kinds. For use only where
    nothing was spent."""
    if isinstance(error, (NoAnswer, Lost, Busy)):
        return Unreachable(error.message, hint=error.hint or SAFE)
    if isinstance(error, OddReply):
        hint = error.hint or say("The order was not sent. Check the base URL, and try again.")
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
        error = Cancelled("The order ended as {state}.", state=STATE_WORDS[row.state])
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
