"""The journal's rows: reserved, claimed, moved from state to state, forgotten.

Every change of a row is made here. A state changes only in `Journal._move`, which allows the moves
of `states.MOVES` and no other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ..errors import BadOrder
from ..money import Money, in_usd
from .assets import Assets
from .bucket_objects import BucketObjects
from .budget import believed, check_budget
from .database import Database, is_damage
from .engine import (
    Limit,
    database_file,
    no_limit,
)
from .process import has_ended, new_holder
from .queries import Queries
from .rows import NewRow, Row, row_of
from .schema import is_held, is_row, orders
from .states import ENDED, HELD, LIVE, UNSETTLED, State, check_move
from .unclear import UnclearRows
from .uploads import Uploads

LEASE_SECONDS = 60.0
# Recovery leaves a released row alone for this long.
REST_SECONDS = 300.0
# A row that no process works on still takes a slot for this long after its last change.
ABANDONED_SECONDS = 1800.0

# A provider's list of tasks may show a task for this long.
MARK_SECONDS = 30 * 24 * 3600.0
MARK_ATTEMPTS = 1000

NOT_BILLED: dict[str, Any] = dict(
    budget_usd=0.0, cost_amount=None, cost_currency=None, cost_estimated=None
)


class LeaseLost(Exception):
    """Another process works on the row now; this one must stop."""


class Journal(Database, Queries, UnclearRows):
    """The journal behind an SQLAlchemy URL, or in the SQLite file of a path; opened (and brought up
    to date) at the first use. Safe to use from several threads.

    `clock` gives Unix seconds, `monotonic` seconds of a clock that nobody can set. `limit` ends a
    statement whose server does not answer; none is waited for longer than `patience` seconds.
    """

    def __init__(
        self,
        url: str | Path,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        limit: Limit = no_limit,
        patience: float = float("inf"),
    ) -> None:
        super().__init__(url, limit, patience)
        self.holder = new_holder()
        self._clock, self._monotonic = clock, monotonic
        self._watched: dict[int, tuple[str | None, float, float]] = {}
        self.bucket_objects = BucketObjects(self._writing, clock)
        self.uploads = Uploads(self._reading, self._writing, clock)
        self.assets = Assets(self._reading, self._writing, clock)

    def set_aside(self) -> Path | None:
        """Give a damaged SQLite file another name, so that a new one can take its place; returns
        that name, None where the journal can be read."""
        file = database_file(self.url)
        try:
            self.newest(sys.maxsize)
            return None
        except BadOrder as error:
            if file is None or not is_damage(error.message):
                raise
        self.close()
        aside = file.with_name(f"{file.name}.damaged-{secrets.token_hex(3)}")
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{file}{ending}", f"{aside}{ending}")
        with self._knowing:
            self._known, self._first_file = None, None
        return aside

    # ------------------------------------------------------------------------ reserving

    def reserve(self, new: NewRow, budget: Mapping[str, float] | None = None) -> tuple[Row, bool]:
        """The row for an order, and whether it is new and ours.

        If a live, saved or unclear row has the same fingerprint, that one is returned instead; or
        else the row that was made for the same order of a farm's queue and may be paid: the queue
        may deliver an order again after it has ended.
        `budget`: `day`, `month` and `project` in USD. Raises OverBudget if the new row would exceed
        it.
        """
        while True:
            try:
                with self._writing(lock="seedance-reserve") as connection:
                    held = connection.execute(
                        sa.select(orders).where(orders.c.fingerprint == new.fingerprint, is_held)
                    ).first()
                    held = held or self._paid_for(connection, new.queued)
                    if held is not None:
                        return row_of(held), False
                    self._check_same(connection)
                    project = str(new.order.get("project") or "")
                    check_budget(connection, new.budget_usd, budget or {}, self._clock(), project)
                    return self._insert(connection, new), True
            except BadOrder as error:
                if not isinstance(error.__cause__, IntegrityError):
                    raise  # else another process has just reserved the order: read its row

    @staticmethod
    def _paid_for(connection: sa.Connection, queued: str) -> Any:
        """The newest row of an order of a farm's queue that may be paid, whatever became of it."""
        if not queued:
            return None
        maybe_paid = sa.or_(
            orders.c.ticket.is_not(None), sa.func.coalesce(orders.c.budget_usd, 1.0) != 0.0
        )
        return connection.execute(
            sa.select(orders)
            .where(orders.c.queued == queued, maybe_paid)
            .order_by(orders.c.id.desc())
        ).first()

    def _insert(
        self,
        connection: sa.Connection,
        new: NewRow,
        state: State = State.PREPARING,
        ticket: str | None = None,
        submitted: float | None = None,
    ) -> Row:
        now = self._clock()
        order = dict(new.order)
        record = connection.execute(
            sa.insert(orders)
            .values(
                fingerprint=new.fingerprint,
                asked=new.asked,
                provider=new.provider,
                account=new.account,
                model=order["model"],
                resolution=order["resolution"],
                duration=order["duration"],
                prompt=order["prompt"],
                seed=order["seed"],
                project=str(order.get("project") or "")[:80] or None,
                order_json=json.dumps(order),
                changes_json=json.dumps(list(new.changes)),
                state=state,
                ticket=ticket,
                target=new.target,
                cost_amount=new.estimate.amount if new.estimate else None,
                cost_currency=new.estimate.currency if new.estimate else None,
                cost_estimated=True if new.estimate else None,
                budget_usd=new.budget_usd,
                holder=self.holder,
                lease_until=now + LEASE_SECONDS,
                created=now if new.created is None else new.created,
                updated=now,
                submitted=submitted,
                uid=secrets.token_hex(16),
                origin=new.origin,
                mark=new.mark or self._draw_mark(connection, new),
                queued=new.queued or None,
            )
            .returning(orders)
        ).one()
        self._count(connection)
        return self._seen(row_of(record))

    def _draw_mark(self, connection: sa.Connection, new: NewRow) -> str | None:
        """One of `new.marks` that no other order of the last days has."""
        lately = orders.c.created > self._clock() - MARK_SECONDS
        for _ in range(MARK_ATTEMPTS if new.marks else 0):
            mark = str(secrets.choice(new.marks))
            same = (lately, orders.c.provider == new.provider, orders.c.mark == mark)
            if connection.execute(sa.select(orders.c.id).where(*same)).first() is None:
                return mark
        return None

    def _seen(self, row: Row) -> Row:
        """Note a row of this transaction, for `_check_same`, if this process has its lease."""
        news = self._news.known
        if row.holder == self.holder and row.id > news.row_id:
            news.row_id, news.row_uid = row.id, row.uid
        return row

    def _is_mine(self, row_id: int, uid: str | None) -> sa.ColumnElement[bool]:
        """The condition that this process has leased a row, and that it still has that number."""
        return sa.and_(is_row(row_id, uid), orders.c.holder == self.holder)

    def adopt(self, ticket: str, new: NewRow) -> tuple[Row, bool]:
        """The row for a task that another journal ordered, and whether it is new.

        A new row is `running`, and this process has the lease. If the journal has rows of the
        ticket, the newest of them is returned.
        """
        with self._writing(lock="seedance-reserve") as connection:
            known = connection.execute(
                sa.select(orders)
                .where(orders.c.ticket == ticket)
                .order_by(is_held.desc(), orders.c.id.desc())
            ).first()
            if known is not None:
                return row_of(known), False
            return self._insert(connection, new, State.RUNNING, ticket), True

    def keep_ticket(
        self, new: NewRow, ticket: str, cost: Money | None = None, uid: str = ""
    ) -> Row:
        """The row that has a ticket from now on, `running`, with its lease here.

        That is the row `uid`, which was paid for it, if it has no ticket yet and has not ended.
        Otherwise it is a row of its own: the other was forgotten meanwhile, or is gone with a
        journal that was replaced. That one has the fingerprint and the target of `new` unless
        another row holds the fingerprint. A row that holds the ticket already is returned as it is.
        """
        with self._writing(lock="seedance-reserve") as connection:
            known = connection.execute(
                sa.select(orders).where(orders.c.ticket == ticket, is_held)
            ).first()
            if known is not None:
                return row_of(known)
            paid = connection.execute(
                sa.select(orders).where(orders.c.uid == uid, orders.c.ticket.is_(None))
            ).first()
            if uid and paid is not None and paid.state in HELD:
                return self._bring_ticket(connection, paid, ticket, cost)
            if uid and paid is not None:  # its price goes with the ticket
                new = replace(new, estimate=row_of(paid).cost, budget_usd=paid.budget_usd)
                connection.execute(
                    sa.update(orders).where(orders.c.id == paid.id).values(**NOT_BILLED)
                )
            if (cost := believed(cost, new.estimate, new.budget_usd)) is not None:
                usd = _counted(cost, new.estimate, new.budget_usd)
                new = replace(new, estimate=cost, budget_usd=usd)
            taken = connection.execute(
                sa.select(orders.c.id).where(orders.c.fingerprint == new.fingerprint, is_held)
            ).first()
            if taken is not None:  # the order was sent anew meanwhile, and has these names
                other = hashlib.sha256(f"ticket {ticket}".encode()).hexdigest()
                target = Path(new.target or "video.mp4")
                target = target.with_name(f"{target.stem}-{other[:8]}{target.suffix}")
                new = replace(new, fingerprint=other, asked=other, target=str(target))
            return self._insert(connection, new, State.RUNNING, ticket, self._clock())

    def _bring_ticket(
        self, connection: sa.Connection, paid: Any, ticket: str, cost: Money | None
    ) -> Row:
        """Move a row that was paid to `running`, whoever has it: who would send it must not."""
        if paid.state == State.PREPARING:  # the journal went back to before it was sent
            self._move(connection, paid.id, State.SUBMITTING)
        values = dict(ticket=ticket, submitted=self._clock(), error_json=None)
        row = self._move(connection, paid.id, State.RUNNING, told=cost, **values, **self._lease())
        assert row is not None
        return row

    # --------------------------------------------------------------------------- leases

    def claim(self, row_id: int, uid: str | None = None) -> Row | None:
        """Take the lease of a live row: one whose lease has run out or whose process has ended, or
        one that this process has already. None if another process works on the row, or if it is not
        live, or if the row of that number is not `uid` any more.

        A row that was `submitting` when its process ended becomes `unclear`: nobody knows whether
        its order arrived. It is returned in that state.
        """
        with self._writing() as connection:
            record = connection.execute(
                sa.select(orders).where(is_row(row_id, uid)).with_for_update()
            ).first()
            if record is None or record.state not in LIVE:
                return None
            mine = record.holder == self.holder
            if not mine and self._is_leased(record):
                return None
            if record.state == State.SUBMITTING and not mine:
                return self._move(connection, row_id, State.UNCLEAR)
            record = connection.execute(
                sa.update(orders)
                .where(orders.c.id == row_id)
                .values(**self._lease())
                .returning(orders)
            ).one()
            self._watched.pop(row_id, None)
            return self._seen(row_of(record))

    def _is_leased(self, record: Any) -> bool:
        """Whether another process works on a row, as far as that can be known.

        A lease that is not renewed for `LEASE_SECONDS` of our own clock has run out, also if the
        clock of the other process is ahead.
        """
        if has_ended(record.holder) or (record.lease_until or 0.0) <= self._clock():
            return False
        now, seen = self._monotonic(), (record.holder, record.lease_until or 0.0)
        watched = self._watched.get(record.id)
        if watched is None or watched[:2] != seen:
            self._watched[record.id] = (*seen, now)
            return True
        return now - watched[2] <= LEASE_SECONDS

    def release(self, row_id: int, *, rest: bool = True, uid: str | None = None) -> None:
        """Release the lease of a live row. Anyone may claim the row now; recovery retries it after
        `REST_SECONDS`, or at once without `rest`."""
        with self._writing() as connection:
            connection.execute(
                sa.update(orders)
                .where(self._is_mine(row_id, uid), orders.c.state.in_(LIVE))
                .values(holder=None, lease_until=self._clock() + (REST_SECONDS if rest else 0.0))
            )

    def renew(self, row_ids: Collection[int]) -> None:
        """Keep the leases that this process has on live rows. Others of its rows, which nobody
        works on any more, are given up in time."""
        with self._writing() as connection:
            connection.execute(
                sa.update(orders)
                .where(
                    orders.c.id.in_(row_ids),
                    orders.c.holder == self.holder,
                    orders.c.state.in_(LIVE),
                )
                .values(lease_until=self._clock() + LEASE_SECONDS)
            )

    def may_send(self, row_id: int, uid: str | None = None) -> bool:
        """Whether this process still has the row in `submitting`: asked right before the first byte
        of a paid call. It renews the lease. Raises JournalReplaced."""
        with self._writing() as connection:
            self._check_same(connection)
            record = connection.execute(
                sa.update(orders)
                .where(self._is_mine(row_id, uid), orders.c.state == State.SUBMITTING)
                .values(lease_until=self._clock() + LEASE_SECONDS)
                .returning(orders.c.id)
            ).first()
            return record is not None

    def _lease(self) -> dict[str, Any]:
        # A process of an older version of the pack gives its rows no identity.
        uid = sa.func.coalesce(orders.c.uid, secrets.token_hex(16))
        return {"holder": self.holder, "lease_until": self._clock() + LEASE_SECONDS, "uid": uid}

    # ----------------------------------------------------------------------------- moves

    def advance(
        self,
        row_id: int,
        state: str,
        *,
        task: str | None = None,
        file: Path | None = None,
        result: Mapping[str, Any] | None = None,
        error: Mapping[str, Any] | None = None,
        cost: Money | None = None,
        not_billed: bool = False,
        uid: str | None = None,
    ) -> Row:
        """Move a row that this process has leased to `state`.

        `cost` is what the provider told; it replaces the estimate where it has sense beside it.
        `not_billed` takes the price off the row and the budget. Raises LeaseLost if another process
        has the row, TicketTaken if another held row has the ticket, IllegalMove if `states.MOVES`
        does not allow it; then nothing is changed.
        """
        values: dict[str, Any] = {"error_json": json.dumps(dict(error)) if error else None}
        if task is not None:
            values.update(ticket=task, submitted=self._clock())
        if state == State.SUCCEEDED:
            values["finished"] = self._clock()
        if file is not None:
            values["file"] = str(file)
        if result is not None:
            values["result_json"] = json.dumps(dict(result))
        if not_billed:
            values.update(NOT_BILLED)
            cost = None
        with self._writing_ticket(task) as connection:
            mine = self._is_mine(row_id, uid)
            row = self._move(connection, row_id, state, mine, told=cost, **values)
        if row is None:
            raise LeaseLost(f"row {row_id}")
        return row

    def count_reuse(self, row_id: int, uid: str) -> None:
        """Note that an order was asked for again, and its row found: it is not paid again."""
        with self._writing() as connection:
            again = sa.func.coalesce(orders.c.reuses, 0) + 1
            row = is_row(row_id, uid)
            connection.execute(sa.update(orders).where(row).values(reuses=again))

    def note_changes(
        self, row_id: int, changes: Sequence[Mapping[str, Any]], uid: str | None = None
    ) -> Row:
        """Record what is sent differently from what was asked. Raises LeaseLost if another process
        has the row."""
        return self._note(row_id, uid, changes_json=json.dumps(list(changes)))

    def note_sender(self, row_id: int, account: str, origin: str, uid: str | None = None) -> Row:
        """Record who sends an order, and where to. Raises LeaseLost if another process has the
        row."""
        return self._note(row_id, uid, account=account, origin=origin)

    def _note(self, row_id: int, uid: str | None, **values: Any) -> Row:
        with self._writing() as connection:
            record = connection.execute(
                sa.update(orders)
                .where(self._is_mine(row_id, uid))
                .values(updated=self._clock(), **values)
                .returning(orders)
            ).first()
        if record is None:
            raise LeaseLost(f"row {row_id}")
        return row_of(record)

    def note_create(self, row_id: int, create: str, uid: str | None = None) -> Row:
        """Keep the paid call of an order, as JSON, before it is sent. Raises LeaseLost if another
        process has the row."""
        return self._note(row_id, uid, create_json=create)

    def take_slot(
        self, row_id: int, limit: int | None, uid: str | None = None
    ) -> tuple[Row | None, int]:
        """Move a row from `preparing` to `submitting` if fewer than `limit` tasks of its provider
        and account are under way. Returns the row (None if no slot is free) and how many are."""
        with self._writing(lock="seedance-slots") as connection:
            record = connection.execute(
                sa.select(orders).where(
                    self._is_mine(row_id, uid), orders.c.state == State.PREPARING
                )
            ).first()
            if record is None:
                raise LeaseLost(f"row {row_id}")
            self._check_same(connection)
            now = self._clock()
            busy = self._busy(connection, record.provider, record.account)
            if limit is not None and busy >= limit:
                return None, busy
            return self._move(connection, row_id, State.SUBMITTING, submitted=now), busy

    def busy(self, provider: str, account: str) -> int:
        """How many tasks of a provider and account are under way, so that they take a slot."""
        with self._reading() as connection:
            return self._busy(connection, provider, account)

    def _busy(self, connection: sa.Connection, provider: str, account: str) -> int:
        now = self._clock()
        return connection.execute(
            sa.select(sa.func.count()).where(
                orders.c.state.in_((State.SUBMITTING, State.RUNNING)),
                orders.c.provider == provider,
                orders.c.account == account,
                sa.or_(orders.c.lease_until > now, orders.c.updated > now - ABANDONED_SECONDS),
            )
        ).scalar_one()

    def reopen(self, row_id: int, state: State, uid: str | None = None) -> Row:
        """Make a row live again whose task has ended or whose file is gone, and take its lease.

        A row that another process has reopened first is returned as it is. Raises BadOrder if
        another row of the same order is held now, or if the row of that number is not `uid` any
        more; IllegalMove for a state that cannot follow.
        """
        with self._writing(lock="seedance-reserve") as connection:
            mine = sa.select(orders.c.fingerprint).where(orders.c.id == row_id).scalar_subquery()
            held_by = connection.execute(
                sa.select(orders.c.id).where(
                    orders.c.fingerprint == mine, is_held, orders.c.id != row_id
                )
            ).scalar()
            if held_by is not None:
                raise BadOrder(
                    "Row {number} was given up, and its order is held by row {held_by} now.",
                    hint="To go back to row {number}: seedance forget {held_by}, then collect "
                    "its task.",
                    number=row_id,
                    held_by=held_by,
                )
            row = self._move(
                connection,
                row_id,
                state,
                is_row(row_id, uid),
                orders.c.state.not_in(LIVE),
                error_json=None,
                **self._lease(),
            )
        return row if row is not None else self.get(row_id, uid)

    def forget(self, row_id: int, uid: str | None = None) -> Row:
        """End a row as `cancelled`, so that its order may be sent again.

        Files are left where they are, and what may be billed still counts as spent. A row that has
        ended already is returned unchanged. Raises BadOrder for a row that another process works
        on, and for one that is being sent: only the answer to that call has the ticket.
        """
        row: Row | None = self.get(row_id, uid)
        if row is not None and row.state in ENDED:
            return row
        if row is not None and row.live:
            row = self.claim(row_id, row.uid)
        if row is None:
            raise BadOrder(
                "Row {number} is being worked on by another process.",
                hint="Cancel it there, or wait until it has ended.",
                number=row_id,
            )
        if row.state == State.SUBMITTING:
            raise BadOrder(
                "Row {number} is being sent right now.",
                hint="Try again in a few seconds.",
                number=row_id,
            )
        unsent = NOT_BILLED if row.state == State.PREPARING else {}
        with self._writing() as connection:
            same = (is_row(row_id, row.uid), orders.c.state == row.state)
            forgotten = self._move(connection, row_id, State.CANCELLED, *same, **unsent)
        if forgotten is None:
            raise BadOrder(
                "Row {number} has just changed.", hint="Look at it again.", number=row_id
            )
        return forgotten

    def _move(
        self,
        connection: sa.Connection,
        row_id: int,
        state: str,
        *conditions: sa.ColumnElement[bool],
        told: Money | None = None,
        **values: Any,
    ) -> Row | None:
        """Move a row from its present state to `state`: the only UPDATE of a state there is.

        `told` is what a provider says that it costs. None if there is no such row under
        `conditions`. A row that is no longer live loses its lease. Raises IllegalMove, and changes
        nothing, where `MOVES` does not allow it.
        """
        chosen = (orders.c.id == row_id, *conditions)
        known = connection.execute(sa.select(orders).where(*chosen).with_for_update()).first()
        if known is None:
            return None
        before: State = known.state
        after = check_move(before, state)
        values.update(_priced(told, row_of(known), after))
        if after not in LIVE:
            values.update(holder=None, lease_until=None)
        if after not in UNSETTLED:
            values.update(create_json=None)
        record = connection.execute(
            sa.update(orders)
            .where(*chosen, orders.c.state == before)
            .values(state=after, updated=self._clock(), **values)
            .returning(orders)
        ).first()
        if record is None:
            return None
        self._count(connection)
        return self._seen(row_of(record))


def _priced(told: Money | None, row: Row, after: State) -> dict[str, Any]:
    """The columns for what a provider said that an order costs; none where that makes no sense
    beside its price."""
    if (cost := believed(told, row.cost, row.budget_usd)) is None:
        return {}
    usd = in_usd(cost)
    if after in LIVE and after != State.SUCCEEDED:
        usd = _counted(cost, row.cost, row.budget_usd)
    columns = dict(
        cost_amount=cost.amount,
        cost_currency=cost.currency[:16],
        cost_estimated=cost.estimated,
    )
    return columns if usd is None else {**columns, "budget_usd": usd}


def _counted(told: Money, price: Money | None, counted: float | None) -> float | None:
    """What an order that is not made yet counts in budgets, in USD, once its provider has told a
    cost: never less than its known price, beside which the cost that is told at its end must have
    sense too."""
    usd = in_usd(told)
    if usd is None or counted is None or price is None:
        return counted if usd is None else usd
    return max(usd, counted)
