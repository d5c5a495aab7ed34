"""The states of an order in the journal, and the moves between them that are allowed.

    preparing -> submitting -> running -> succeeded -> saved
    ends: refused, failed, cancelled, expired; and unclear, until it is known what became of it

`Journal` is the only place that moves a row, and it allows no other move than those of `MOVES`. The
database refuses a state that is not in `State` (a CHECK).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from ..said import Said, say


class State(str, enum.Enum):
    """Where an order stands. A member equals its name in text: `State.SAVED == "saved"`."""

    PREPARING = "preparing"
    """Reserved, and nothing is sent yet: media may go up, or it waits for a slot."""

    SUBMITTING = "submitting"
    """The paid call may be under way. If its process dies now, nobody knows whether it arrived."""

    RUNNING = "running"
    """The provider accepted it, and there is a ticket."""

    SUCCEEDED = "succeeded"
    """The provider has finished the video, which is not saved here yet."""

    SAVED = "saved"
    """The video lies in a folder of ours."""

    REFUSED = "refused"
    """The provider, or a rule of ours, did not accept it; nothing is billed."""

    FAILED = "failed"
    """The provider accepted it and could not make the video."""

    CANCELLED = "cancelled"
    """A person cancelled it, or cleared it with `forget`."""

    EXPIRED = "expired"
    """The provider gave the task up, or no longer has its video."""

    UNCLEAR = "unclear"
    """It may have been accepted and billed. It is sent again by itself only where a document says
    that the provider makes one task of both."""

    def __str__(self) -> str:
        return self.value

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)


_S = State

MOVES: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        _S.PREPARING: frozenset({_S.SUBMITTING, _S.REFUSED, _S.CANCELLED}),
        # Back to preparing only where it is proven that nothing was accepted.
        _S.SUBMITTING: frozenset({_S.PREPARING, _S.RUNNING, _S.REFUSED, _S.UNCLEAR}),
        _S.RUNNING: frozenset({_S.SUCCEEDED, _S.FAILED, _S.CANCELLED, _S.EXPIRED}),
        _S.SUCCEEDED: frozenset({_S.SAVED, _S.EXPIRED, _S.CANCELLED}),
        # Back to succeeded where its file is gone and is fetched again.
        _S.SAVED: frozenset({_S.SUCCEEDED, _S.CANCELLED}),
        # Submitting once more only where a document says that the same create is made once.
        _S.UNCLEAR: frozenset({_S.RUNNING, _S.PREPARING, _S.SUBMITTING, _S.CANCELLED}),
        _S.REFUSED: frozenset(),
        # A person may collect a task that has ended: to ask for it once more costs nothing.
        _S.FAILED: frozenset({_S.RUNNING}),
        _S.CANCELLED: frozenset({_S.RUNNING}),
        _S.EXPIRED: frozenset({_S.RUNNING}),
    }
)

STATE_WORDS: Mapping[State, Said] = MappingProxyType(
    {
        State.PREPARING: say("preparing"),
        State.SUBMITTING: say("submitting"),
        State.RUNNING: say("running"),
        State.SUCCEEDED: say("succeeded"),
        State.SAVED: say("saved"),
        State.REFUSED: say("refused"),
        State.FAILED: say("failed"),
        State.CANCELLED: say("cancelled"),
        State.EXPIRED: say("expired"),
        State.UNCLEAR: say("unclear"),
    }
)
"""What a person calls a state; in English, its name."""

LIVE = (_S.PREPARING, _S.SUBMITTING, _S.RUNNING, _S.SUCCEEDED)
"""Under way: a process works on such a row, or recovers it."""

UNSETTLED = (_S.PREPARING, _S.SUBMITTING, _S.UNCLEAR)
"""What came of the paid call is not known yet, or it was not made."""

HELD = (*LIVE, _S.SAVED, _S.UNCLEAR)
"""There is at most one row in these states for each fingerprint: the database itself refuses to let
the same order be bought twice."""

ENDED = (_S.REFUSED, _S.FAILED, _S.CANCELLED, _S.EXPIRED)
"""Over: the same order may be sent again."""


class IllegalMove(ValueError):
    """A move that `MOVES` does not have, or a state that does not exist. Nothing was changed."""


def check_move(before: State, after: str) -> State:
    """`after` as a State. Raises IllegalMove unless a row may go there from `before`."""
    try:
        wanted = State(after)
    except ValueError:
        raise IllegalMove(f"There is no state {after!r}.") from None
    if wanted not in MOVES[before]:
        raise IllegalMove(f"A row cannot go from {before} to {wanted}.")
    return wanted
