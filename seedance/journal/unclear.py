"""The journal's unclear rows: what is recorded of them, and their ways out but for `forget`."""

from __future__ import annotations

import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ..errors import BadOrder
from .rows import Row, row_of
from .schema import is_row, orders
from .states import State


class TicketTaken(Exception):
    """Another held row has this ticket: the provider gave one id to two orders."""


class UnclearRows(ABC):
    """The part of the journal that is about unclear rows."""

    _clock: Callable[[], float]

    @abstractmethod
    def _writing(self, lock: str | None = None) -> AbstractContextManager[sa.Connection]:
        """A transaction that writes."""

    @abstractmethod
    def _move(
        self,
        connection: sa.Connection,
        row_id: int,
        state: str,
        *conditions: sa.ColumnElement[bool],
        **values: Any,
    ) -> Row | None:
        """Move a row to `state`."""

    @abstractmethod
    def _lease(self) -> dict[str, Any]:
        """The columns of a lease of this process."""

    @abstractmethod
    def _check_same(self, connection: sa.Connection) -> None:
        """Raise JournalReplaced unless this is the journal that this process knew."""

    @contextlib.contextmanager
    def _writing_ticket(self, ticket: str | None) -> Iterator[sa.Connection]:
        """As `_writing`, for a move that may bring a ticket. Raises TicketTaken."""
        try:
            with self._writing() as connection:
                yield connection
        except BadOrder as error:
            if ticket is not None and isinstance(error.__cause__, IntegrityError):
                raise TicketTaken(ticket) from error
            raise

    def resolve_unclear(self, row_id: int, task: str | None, uid: str | None = None) -> Row | None:
        """Move an unclear row to `running`, with the ticket `task` that was found for it, or to
        `preparing` (`task` is None): its order certainly never arrived and may be sent again. This
        process takes the lease. None if another process has resolved the row first, or if the row
        of that number is not `uid` any more."""
        values: dict[str, Any] = {"error_json": None, **self._lease()}
        if task:
            values["ticket"] = task
        state = State.RUNNING if task else State.PREPARING
        with self._writing_ticket(task) as connection:
            unclear = (is_row(row_id, uid), orders.c.state == State.UNCLEAR)
            return self._move(connection, row_id, state, *unclear, **values)

    def repeat_unclear(self, row_id: int, uid: str | None = None) -> Row | None:
        """Move an unclear row back to `submitting`, because its create is sent again with the same
        idempotency key. This process takes the lease. None if another process has the row now, or
        has resolved it."""
        with self._writing() as connection:
            self._check_same(connection)
            unclear = (is_row(row_id, uid), orders.c.state == State.UNCLEAR)
            return self._move(connection, row_id, State.SUBMITTING, *unclear, **self._lease())

    def note_look(
        self, row_id: int, error: Mapping[str, Any], *, counts: bool, uid: str | None = None
    ) -> Row | None:
        """Record what is known of an unclear order after a look for its task; `counts` where the
        provider's list did not have it, and was not looked through shortly before. None if the row
        is not unclear any more."""
        values: dict[str, Any] = {"error_json": json.dumps(dict(error))}
        if counts:
            looks = sa.func.coalesce(orders.c.looks, 0) + 1
            values.update(looked=self._clock(), looks=looks)
        with self._writing() as connection:
            record = connection.execute(
                sa.update(orders)
                .where(is_row(row_id, uid), orders.c.state == State.UNCLEAR)
                .values(**values)
                .returning(orders)
            ).first()
        return row_of(record) if record is not None else None
