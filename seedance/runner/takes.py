"""The takes of an order before they are started: the row that each has already, or what would be
sent for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from .. import providers
from ..errors import SeedanceError
from ..journal import Journal, Row
from ..order import Order, asked_fingerprint
from .quotes import Prepared


@dataclass(frozen=True)
class Take:
    """A take before it is started: the row that it has already, and the order as it goes to its
    provider (None for a row that was found as it was asked, at any provider); or why neither is."""

    order: Order
    row: Row | None = None
    prepared: Prepared | None = None
    error: SeedanceError | None = None

    def of_queue(self, queued: str) -> Take:
        """The same as an order of a farm's queue, which has the id `queued` there."""
        if self.prepared is None or not queued:
            return self
        return replace(self, prepared=replace(self.prepared, queued=queued))


def plan(
    order: Order, typed: str, takes: int, journal: Journal, prepare: Callable[[Order], Prepared]
) -> list[Take]:
    """The takes of an order, with the rows that they have already. `typed` is the prompt before it
    was trimmed: an older version of the pack ordered with that."""
    prepared: Prepared | SeedanceError | None = None  # once for all takes
    planned = []
    for number in range(takes):
        take = order.take(number)
        unknown = any(medium.unknown for medium in order.media)
        try:
            row = None if unknown else _held_as_asked(take, typed, journal)
            if row is not None:
                planned.append(Take(take, row))
                continue
            prepared = prepared or _prepared(order, prepare)
            if isinstance(prepared, SeedanceError):
                raise prepared
            mine = prepared.take(number)
            planned.append(Take(take, None if unknown else _held(mine, typed, journal), mine))
        except SeedanceError as error:
            planned.append(Take(take, error=error))
    return planned


def _prepared(order: Order, prepare: Callable[[Order], Prepared]) -> Prepared | SeedanceError:
    try:
        return prepare(order)
    except SeedanceError as error:
        return error


def _held_as_asked(order: Order, typed: str, journal: Journal) -> Row | None:
    """For `auto`: the held row of the same order, at any provider that is not free."""
    if order.provider != providers.AUTO:
        return None
    free = [each for each in providers.ids() if providers.is_free(each)]
    for prompt in dict.fromkeys((order.prompt, typed)):
        asked = asked_fingerprint(replace(order, prompt=prompt))
        if (row := journal.held_as_asked(asked, but=free)) is not None:
            return row
    return None


def _held(prepared: Prepared, typed: str, journal: Journal) -> Row | None:
    """The held row of an order at its provider."""
    row = journal.held(prepared.fingerprint)
    if row is None and typed != prepared.order.prompt:
        former = replace(prepared, order=replace(prepared.order, prompt=typed))
        row = journal.held(former.fingerprint)
    return row
