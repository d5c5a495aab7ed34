"""What was paid, where it is, and what came of it.

Owns the rows of orders, who works on them (leases) and how many tasks run at once (slots).
SQLAlchemy Core over SQLite, or over PostgreSQL where several machines share it. Must not know
providers, media or the network.

    rows        what goes in and what comes out
    looking     what stands there: the queries that only read
    spending    the budget, and what was spent by day
    uploads     which uploads can be used again
    hosted      which objects in the user's own bucket are still needed
    opening     the database: its tables, made and brought up to date (schema, migrations)
    holder      which process holds a row

Every change of a row's state goes through `advance`, which only its holder can do. Methods block;
they raise BadOrder where the journal cannot be read or written: then nothing may be spent.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from ..errors import BadOrder
from ..wire import Money
from .holder import is_gone, new_holder
from .hosted import BUCKET, Hosted
from .looking import Looking
from .opening import open_engine
from .rows import NewRow, Row, row_of
from .schema import ENDED, HELD, LIVE, is_held, orders
from .spending import Total, check_budget
from .uploads import SPARE_SECONDS, Uploads

__all__ = [
    "BUCKET",
    "ENDED",
    "HELD",
    "LIVE",
    "SPARE_SECONDS",
    "Journal",
    "LeaseLost",
    "NewRow",
    "Row",
    "Total",
]

LEASE_SECONDS = 60.0
# A row that was laid down is not taken up unasked for so long.
REST_SECONDS = 300.0
# A task that nobody follows counts as running at its provider for so long.
ABANDONED_SECONDS = 1800.0

NOT_BILLED = dict(budget_usd=0.0, cost_amount=None, cost_currency=None, cost_estimated=None)


class LeaseLost(Exception):
    """Another process works on the row now; this one must stop."""


class Journal(Looking):
    """The journal behind an SQLAlchemy URL, or in the SQLite file of a path; opened (and brought up
    to date) at the first use."""

    def __init__(self, url: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        try:
            if isinstance(url, Path):
                self.url = sa.URL.create("sqlite", database=str(url))
            else:
                self.url = sa.make_url(url)
        except (SQLAlchemyError, ValueError):  # their words may quote it, with its password
            raise BadOrder(
                "SEEDANCE_JOURNAL_URL is not the address of a database.",
                hint="It looks like postgresql+psycopg://user:password@host/database.",
            ) from None
        self.holder = new_holder()
        self._clock = clock
        self._engine: sa.Engine | None = None
        self._opening = threading.Lock()
        self.hosted = Hosted(self._writing, clock)
        self.uploads = Uploads(self._reading, self._writing, clock)

    # -------------------------------------------------------------------------- opening

    def _opened(self) -> sa.Engine:
        with self._opening:
            if self._engine is None:
                self._engine = open_engine(self.url)
                # A journal that is dropped without `close` must not leave connections behind.
                weakref.finalize(self, self._engine.dispose).atexit = False
            return self._engine

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._explained("read"), self._opened().connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextlib.contextmanager
    def _writing(self, lock: str | None = None) -> Iterator[sa.Connection]:
        """A transaction; writers of one `lock` come one after the other."""
        with self._explained("written"), self._opened().begin() as connection:
            if lock is not None and connection.dialect.name == "postgresql":
                connection.execute(
                    sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": lock}
                )
            yield connection

    @contextlib.contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            where = self.url.render_as_string(hide_password=True)
            cause = str(getattr(error, "orig", None) or error).splitlines()[0][:200]
            raise BadOrder(
                f"The journal {where} cannot be {what}: {cause}.",
                hint="Without it nothing is sent, so that nothing can be paid twice. Check the "
                "disk and the folder's rights, or set SEEDANCE_JOURNAL_URL.",
            ) from error

    def close(self) -> None:
        """Close all connections."""
        if self._engine is not None:
            self._engine.dispose()

    # ------------------------------------------------------------------------ reserving

    def reserve(self, new: NewRow, budget: Mapping[str, float] | None = None) -> tuple[Row, bool]:
        """The row for an order, and whether it is new and ours.

        If a live, saved or unclear row has the same fingerprint, that one is returned instead.
        `budget`: `day` and `month` in USD. Raises OverBudget if the new row would exceed it.
        """
        while True:
            try:
                with self._writing(lock="seedance-reserve") as connection:
                    held = connection.execute(
                        sa.select(orders).where(orders.c.fingerprint == new.fingerprint, is_held)
                    ).first()
                    if held is not None:
                        return row_of(held), False
                    check_budget(connection, new.budget_usd, budget or {}, self._clock())
                    return self._insert(connection, new), True
            except BadOrder as error:
                if not isinstance(error.__cause__, IntegrityError):
                    raise  # otherwise another process was quicker: look again

    def _insert(self, connection: sa.Connection, new: NewRow) -> Row:
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
                order_json=json.dumps(order),
                changes_json=json.dumps(list(new.changes)),
                state="preparing",
                target=new.target,
                cost_amount=new.estimate.amount if new.estimate else None,
                cost_currency=new.estimate.currency if new.estimate else None,
                cost_estimated=True if new.estimate else None,
                budget_usd=new.budget_usd,
                holder=self.holder,
                lease_until=now + LEASE_SECONDS,
                created=now,
                updated=now,
            )
            .returning(orders)
        ).one()
        return row_of(record)

    def adopt(self, ticket: str, new: NewRow) -> tuple[Row, bool]:
        """A row for a task that was made elsewhere: an existing one of the ticket, or a new one in
        state `running` that is ours."""
        with self._writing(lock="seedance-reserve") as connection:
            known = connection.execute(
                sa.select(orders).where(orders.c.ticket == ticket).order_by(orders.c.id.desc())
            ).first()
            if known is not None:
                return row_of(known), False
            row = self._insert(connection, new)
            record = connection.execute(
                sa.update(orders)
                .where(orders.c.id == row.id)
                .values(state="running", ticket=ticket)
                .returning(orders)
            ).one()
            return row_of(record), True

    # ---------------------------------------------------------------- leases and states

    def claim(self, row_id: int) -> Row | None:
        """Take over a live row whose holder is gone (or is us); None if somebody works on it.

        A row that was `submitting` when its holder went away becomes `unclear`: nobody knows
        whether its order arrived. It is returned in that state.
        """
        now = self._clock()
        with self._writing() as connection:
            record = connection.execute(
                sa.select(orders).where(orders.c.id == row_id).with_for_update()
            ).first()
            if record is None or record.state not in LIVE:
                return None
            if (
                record.holder != self.holder
                and (record.lease_until or 0.0) > now
                and not is_gone(record.holder)
            ):
                return None
            values: dict[str, Any] = {"holder": self.holder, "lease_until": now + LEASE_SECONDS}
            if record.state == "submitting" and record.holder != self.holder:
                values = {"state": "unclear", "holder": None, "lease_until": None, "updated": now}
            record = connection.execute(
                sa.update(orders).where(orders.c.id == row_id).values(**values).returning(orders)
            ).one()
            return row_of(record)

    def lay_down(self, row_id: int) -> None:
        """Give back the lease of a live row that cannot be brought on now: whoever asks for it can
        claim it at once, and it is taken up unasked when it has rested."""
        with self._writing() as connection:
            connection.execute(
                sa.update(orders)
                .where(
                    orders.c.id == row_id,
                    orders.c.holder == self.holder,
                    orders.c.state.in_(LIVE),
                )
                .values(holder=None, lease_until=self._clock() + REST_SECONDS)
            )

    def renew(self) -> None:
        """Keep the leases of this process's live rows."""
        with self._writing() as connection:
            connection.execute(
                sa.update(orders)
                .where(orders.c.holder == self.holder, orders.c.state.in_(LIVE))
                .values(lease_until=self._clock() + LEASE_SECONDS)
            )

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
        changes: Sequence[Mapping[str, Any]] | None = None,
        not_billed: bool = False,
    ) -> Row:
        """Move a row that this process holds to `state`. Raises LeaseLost if it no longer does.

        `not_billed` takes the price off the row and the budget. A state outside `LIVE` gives the
        lease back.
        """
        now = self._clock()
        values: dict[str, Any] = {"state": state, "updated": now}
        values["error_json"] = json.dumps(dict(error)) if error else None
        if task is not None:
            values.update(ticket=task, submitted=now)
        if state == "succeeded":
            values["finished"] = now
        if file is not None:
            values["file"] = str(file)
        if result is not None:
            values["result_json"] = json.dumps(dict(result))
        if changes is not None:
            values["changes_json"] = json.dumps(list(changes))
        if cost is not None:
            values.update(
                cost_amount=cost.amount,
                cost_currency=cost.currency[:16],
                cost_estimated=cost.estimated,
            )
            if cost.currency == "USD":
                values["budget_usd"] = cost.amount
        if not_billed:
            values.update(NOT_BILLED)
        if state not in LIVE:
            values.update(holder=None, lease_until=None)
        with self._writing() as connection:
            record = connection.execute(
                sa.update(orders)
                .where(orders.c.id == row_id, orders.c.holder == self.holder)
                .values(**values)
                .returning(orders)
            ).first()
        if record is None:
            raise LeaseLost(f"row {row_id}")
        return row_of(record)

    def take_slot(self, row_id: int, limit: int | None) -> tuple[Row | None, int]:
        """Move a prepared row to `submitting` if fewer than `limit` tasks of its provider and
        account are under way. Returns the row (None if there is no slot) and how many are."""
        with self._writing(lock="seedance-slots") as connection:
            record = connection.execute(
                sa.select(orders).where(
                    orders.c.id == row_id,
                    orders.c.holder == self.holder,
                    orders.c.state == "preparing",
                )
            ).first()
            if record is None:
                raise LeaseLost(f"row {row_id}")
            now = self._clock()
            busy = connection.execute(
                sa.select(sa.func.count()).where(
                    orders.c.state.in_(("submitting", "running")),
                    orders.c.provider == record.provider,
                    orders.c.account == record.account,
                    sa.or_(orders.c.lease_until > now, orders.c.updated > now - ABANDONED_SECONDS),
                )
            ).scalar_one()
            if limit is not None and busy >= limit:
                return None, busy
            record = connection.execute(
                sa.update(orders)
                .where(orders.c.id == row_id)
                .values(state="submitting", submitted=now, updated=now)
                .returning(orders)
            ).one()
            return row_of(record), busy

    def reopen(self, row_id: int, state: str) -> Row:
        """Take up an ended row again, ours from now on: a collected task, a lost file.

        A row that somebody else took up first is returned as it is. Raises BadOrder if its order is
        meanwhile held by another row.
        """
        now = self._clock()
        with self._writing(lock="seedance-reserve") as connection:
            mine = sa.select(orders.c.fingerprint).where(orders.c.id == row_id).scalar_subquery()
            held_by = connection.execute(
                sa.select(orders.c.id).where(
                    orders.c.fingerprint == mine, is_held, orders.c.id != row_id
                )
            ).scalar()
            if held_by is not None:
                raise BadOrder(
                    f"Row {row_id} was given up, and its order is held by row {held_by} now.",
                    hint=f"To go back to row {row_id}: seedance forget {held_by}, then collect "
                    "its task.",
                )
            record = connection.execute(
                sa.update(orders)
                .where(orders.c.id == row_id, orders.c.state.not_in(LIVE))
                .values(
                    state=state,
                    holder=self.holder,
                    lease_until=now + LEASE_SECONDS,
                    updated=now,
                    error_json=None,
                )
                .returning(orders)
            ).first()
        return row_of(record) if record is not None else self.get(row_id)

    def settle_unclear(self, row_id: int, task: str | None) -> Row | None:
        """An unclear order was found (`task`: it runs, and is ours) or is certainly not there
        (None: it may be sent again, and is ours). None if somebody else settled it."""
        now = self._clock()
        values: dict[str, Any] = {
            "state": "running" if task else "preparing",
            "holder": self.holder,
            "lease_until": now + LEASE_SECONDS,
            "updated": now,
            "error_json": None,
        }
        if task:
            values["ticket"] = task
        with self._writing() as connection:
            record = connection.execute(
                sa.update(orders)
                .where(orders.c.id == row_id, orders.c.state == "unclear")
                .values(**values)
                .returning(orders)
            ).first()
        return row_of(record) if record is not None else None

    def forget(self, row_id: int) -> Row:
        """Let the order be sent again: the row ends as `cancelled`. Files stay where they are, and
        what may be billed still counts. A row that has ended otherwise stands in nobody's way, and
        what became of it stays written.

        Raises BadOrder for a row that another process works on, and for one that is being sent: the
        answer to that is the only way to what was paid.
        """
        row: Row | None = self.get(row_id)
        if row is not None and row.state in ENDED:
            return row
        if row is not None and row.live:
            row = self.claim(row_id)
        if row is None:
            raise BadOrder(
                f"Row {row_id} is being worked on by another process.",
                hint="Cancel it there, or wait until it has ended.",
            )
        if row.state == "submitting":
            raise BadOrder(
                f"Row {row_id} is being sent right now.", hint="Try again in a few seconds."
            )
        values = dict(state="cancelled", holder=None, lease_until=None, updated=self._clock())
        if row.state == "preparing":
            values.update(NOT_BILLED)
        with self._writing() as connection:
            record = connection.execute(
                sa.update(orders)
                .where(orders.c.id == row_id, orders.c.state == row.state)
                .values(**values)
                .returning(orders)
            ).first()
        if record is None:
            raise BadOrder(f"Row {row_id} has just changed.", hint="Look at it again.")
        return row_of(record)
