"""Orders that are sent again although an earlier one of them may have been paid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .. import providers
from ..journal import Journal, Row, State
from ..said import Said, say
from .quotes import Prepared

BILLED = {
    "yes": say("it was billed"),
    "unknown": say("it is not known whether it was billed"),
}


def noted(new: Iterable[Prepared], journal: Journal) -> list[Prepared]:
    """The orders, each with what is to be said of the row that it had before."""
    return [replace(each, repeats=_words(each, journal)) for each in new]


def _words(prepared: Prepared, journal: Journal) -> tuple[Said, ...]:
    """A row that a person has forgotten is left out: they were told then."""
    if providers.is_free(prepared.provider.id):
        return ()
    row = journal.last_ended(prepared.fingerprint)
    billed = BILLED.get(_spent(row)) if row is not None else None
    if row is None or billed is None:
        return ()
    return (
        say(
            "The same order was sent before, as row {number} ({ticket}): {ended}, and {billed}. "
            "This one is paid on its own.",
            number=row.id,
            ticket=row.task,
            ended=_ended(row),
            billed=billed,
        ),
    )


def _spent(row: Row) -> str:
    return str((row.error or {}).get("spent"))


def _ended(row: Row) -> Said:
    if row.state == State.FAILED:
        return say("it failed")
    if row.state == State.EXPIRED:
        return say("it gave no video")
    return say("it was cancelled")
