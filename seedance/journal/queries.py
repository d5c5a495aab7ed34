"""The journal's queries that only read: rows by number, ticket or order, the newest, the usual time
of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from typing import Any

import sqlalchemy as sa

from ..errors import BadOrder
from .budget import Part, Total, spent, spent_by
from .rows import Row, row_of
from .schema import is_held, orders, words
from .states import ENDED, LIVE, State

PAGE = 10_000  # rows that are looked through at once
MOST_IDS = 500  # in one query: older SQLites take 999 values at the most
MOST_ALIKE = 100  # rows with the same words, of which one has the same media and switches
_MEDIA = ("first_frame", "last_frame", "video", "references")
_SWITCHES = (
    *("generate_audio", "watermark", "camera_fixed", "keep_audio", "draft", "web_search"),
    *("operation", "output_format"),
)


class Queries(ABC):
    """The part of the journal that only reads. Methods block; they raise BadOrder where it cannot
    be read."""

    holder: str
    _clock: Callable[[], float]

    @abstractmethod
    def _is_leased(self, row: Any) -> bool:
        """Whether another process works on a row, as far as that can be known."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[sa.Connection]:
        """A connection to read with."""

    def spent(self, days: int) -> list[Total]:
        """What the orders of the last `days` days cost, by day, provider and currency, the oldest
        day first. Days are this machine's."""
        with self._reading() as connection:
            return spent(connection, days, self._clock())

    def spent_by(self, by: str, free: Collection[str] = ()) -> list[Part]:
        """What all orders cost, by `day` (the newest first), `project`, `provider` or `model`, and
        currency; with those whose cost nobody told, and what was not paid twice. Providers that are
        `free` are left out."""
        with self._reading() as connection:
            return spent_by(connection, by, free)

    def get(self, row_id: int, uid: str | None = None) -> Row:
        """A row by its number. Raises BadOrder if there is none, or if it is not `uid`."""
        with self._reading() as connection:
            record = connection.execute(sa.select(orders).where(orders.c.id == row_id)).first()
        if record is None:
            raise BadOrder(
                "There is no row {number} in the journal.",
                hint="See: seedance tasks.",
                number=row_id,
            )
        if uid is not None and uid != (record.uid or ""):
            raise BadOrder(
                "Row {number} is another order's now: the journal was replaced, or "
                "went back to an earlier copy.",
                hint="See: seedance tasks.",
                number=row_id,
            )
        return row_of(record)

    def by_uid(self, uid: str) -> Row | None:
        """The row with this `uid`, whatever its number is."""
        return self._first(orders.c.uid == uid)

    def by_ticket(self, ticket: str) -> Row | None:
        """The row of a ticket: the one that holds it, else the newest that had it."""
        has_it = orders.c.ticket == ticket
        return self._first(has_it, is_held) or self._first(has_it)

    def held(self, fingerprint: str) -> Row | None:
        """The live, saved or unclear row of a fingerprint."""
        return self._first(orders.c.fingerprint == fingerprint, is_held)

    def last_ended(self, fingerprint: str) -> Row | None:
        """The newest row of a fingerprint that had a ticket, and ended without a video."""
        had = (orders.c.fingerprint == fingerprint, orders.c.ticket.is_not(None))
        return self._first(*had, orders.c.state.in_(ENDED))

    def held_as_asked(self, asked: str, but: Sequence[str] = ()) -> Row | None:
        """The newest live, saved or unclear row of an order as it was asked, at any provider."""
        return self._first(
            orders.c.asked == asked,
            is_held,
            orders.c.provider.not_in(list(but)),
        )

    def going_to(self, target: Path) -> Row | None:
        """The live row whose video a person wants saved as `target`."""
        return self._first(orders.c.target == str(target), orders.c.state.in_(LIVE))

    def held_alike(self, order: Mapping[str, Any], providers: Collection[str]) -> Row | None:
        """The newest held row at one of these providers that has the words and values of `order`,
        and media of the same kinds, whatever they show: those of a graph that has not run are not
        known."""
        names = ("seed", "model", "resolution", "duration")
        same = (orders.c[name] == order[name] for name in names)
        begins = words == order["prompt"][:80]
        # Where a column is compared with a value, SQLite puts that into `words`, and then does not
        # find the index.
        prompt = sa.func.coalesce(orders.c.prompt, "") == order["prompt"]
        there = orders.c.provider.in_(list(providers))
        found = self._newest_of(MOST_ALIKE, begins, prompt, *same, is_held, there)
        return next((row for row in found if _is_alike(row.order, order)), None)

    def _first(self, *conditions: Any) -> Row | None:
        return next(iter(self._newest_of(1, *conditions)), None)

    def _newest_of(self, count: int, *conditions: Any) -> list[Row]:
        newest = sa.select(orders).where(*conditions).order_by(orders.c.id.desc()).limit(count)
        return self._list(newest)

    def newest(self, limit: int = 50, since: float = 0.0) -> list[Row]:
        """At most `limit` rows, the newest first. With `since` (Unix seconds), only those of them
        that are live or have changed since then."""
        query = sa.select(orders).order_by(orders.c.id.desc())
        if since:
            newest = sa.select(orders.c.id).order_by(orders.c.id.desc()).limit(limit).subquery()
            news = sa.or_(orders.c.updated >= since, orders.c.state.in_(LIVE))
            query = query.where(orders.c.id.in_(sa.select(newest.c.id)), news)
        return self._list(query.limit(limit))

    def found(self, limit: int, *, states: Collection[State] = (), text: str = "") -> list[Row]:
        """At most `limit` rows, the newest first: in one of these states, where some are given, and
        with `text` in the prompt, in capitals or not."""
        # Of other rows only the prompts are read, a page at a time: a database elsewhere sends
        # what is asked for, whether it is used or not.
        query = sa.select(orders.c.id, orders.c.prompt).order_by(orders.c.id.desc()).limit(PAGE)
        if states:
            query = query.where(orders.c.state.in_(states))
        text = text.casefold()
        wanted: list[int] = []
        page: Sequence[Any] = []
        with self._reading() as connection:
            while len(wanted) < limit:
                older = query.where(orders.c.id < page[-1].id) if page else query
                page = connection.execute(older).all()
                wanted += [each.id for each in page if text in each.prompt.casefold()]
                if len(page) < PAGE:
                    break
        del wanted[limit:]
        parts = (wanted[at : at + MOST_IDS] for at in range(0, len(wanted), MOST_IDS))
        return [row for part in parts for row in self._newest_of(MOST_IDS, orders.c.id.in_(part))]

    def unpriced(self, but: Collection[State] = ()) -> list[tuple[float, str]]:
        """When each order with a ticket was made whose cost nobody told (Unix seconds), and at
        which provider, in any state `but` these."""
        query = sa.select(orders.c.created, orders.c.provider).where(
            orders.c.ticket.is_not(None),
            orders.c.cost_amount.is_(None),
            orders.c.state.not_in(but),
        )
        with self._reading() as connection:
            return [(created, provider) for created, provider in connection.execute(query)]

    def abandoned(self, limit: int = 1000, active: Collection[int] = ()) -> list[Row]:
        """Live rows that no process works on, as far as that is known, the newest first; without
        those released less than `REST_SECONDS` ago. `active` are those that this process works on;
        others of its own count once their lease has run out.
        """
        now = self._clock()
        rested = sa.or_(orders.c.holder.is_not(None), orders.c.lease_until <= now)
        others = sa.or_(
            orders.c.holder.is_(None),
            orders.c.holder != self.holder,
            sa.and_(orders.c.lease_until <= now, orders.c.id.not_in(active)),
        )
        query = sa.select(orders).where(orders.c.state.in_(LIVE), rested, others)
        # Rows whose lease has run out come first: a process is likely to work on the others.
        over = sa.case((orders.c.lease_until <= now, 0), else_=1)
        rows = self._list(query.order_by(over, orders.c.id.desc()).limit(limit))
        return [row for row in rows if not self._is_leased(row)]

    def unclear(self, providers: Collection[str], since: float) -> list[Row]:
        """At most 100 unclear rows of some providers that were sent since then (Unix seconds), the
        newest first."""
        sent = sa.func.coalesce(orders.c.submitted, orders.c.created)
        query = sa.select(orders).where(
            orders.c.state == State.UNCLEAR, orders.c.provider.in_(providers), sent >= since
        )
        return self._list(query.order_by(orders.c.id.desc()).limit(100))

    def _list(self, query: sa.Select[Any]) -> list[Row]:
        with self._reading() as connection:
            return [row_of(record) for record in connection.execute(query)]

    def typical_seconds(self, row: Row) -> float | None:
        """The median time from create to success for rows like this one, None if there are none."""
        same = [orders.c.provider == row.provider, orders.c.model == row.model]
        alike = [
            orders.c.resolution == row.order["resolution"],
            orders.c.duration == row.order["duration"],
        ]
        for conditions in (same + alike, same):
            query = (
                sa.select(orders.c.finished - orders.c.submitted)
                .where(*conditions, orders.c.finished > orders.c.submitted)
                .order_by(orders.c.id.desc())
                .limit(20)
            )
            with self._reading() as connection:
                seconds = [value for (value,) in connection.execute(query)]
            if seconds:
                return float(median(seconds))
        return None


def _is_alike(known: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Whether a recorded order has media where `asked` has some, and its switches. What an old row
    does not tell is the same. A ratio may have become that of a picture."""
    if any(bool(known.get(name)) != bool(asked.get(name)) for name in _MEDIA):
        return False
    names = _SWITCHES if asked.get("ratio") == "adaptive" else (*_SWITCHES, "ratio")
    return all(known.get(name, asked.get(name)) == asked.get(name) for name in names)
