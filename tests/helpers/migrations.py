"""New journals without running the migrations for each of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic.config import Config

Statement = tuple[str, Any]


class Replayed:
    """Stands for `alembic.command.upgrade`. The first new journal of each database is made by
    alembic; what it said to that database is said again to each new, empty one after it. A database
    that has tables already, and any other revision than the newest, are left to alembic.
    """

    def __init__(self, real: Callable[..., None]) -> None:
        self.real = real
        self._statements: dict[str, list[Statement]] = {}

    def __call__(self, config: Config, revision: str, **options: Any) -> None:
        connection = config.attributes["connection"]
        if revision != "head" or sa.inspect(connection).get_table_names():
            self.real(config, revision, **options)
            return
        dialect = connection.dialect.name
        if dialect not in self._statements:
            self._statements[dialect] = self._recorded(connection, config)
            return
        for statement, parameters in self._statements[dialect]:
            connection.exec_driver_sql(statement, _anew(statement, parameters))

    def _recorded(self, connection: sa.Connection, config: Config) -> list[Statement]:
        said: list[Statement] = []

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            if not statement.lstrip().startswith(("SELECT", "PRAGMA")):
                said.append((statement, parameters))

        sa.event.listen(connection, "before_cursor_execute", note)
        try:
            self.real(config, "head")
        finally:
            sa.event.remove(connection, "before_cursor_execute", note)
        return said


def _anew(statement: str, parameters: Any) -> Any:
    """The parameters with what differs from journal to journal made anew."""
    if not parameters:
        return parameters
    assert statement.startswith("INSERT INTO identity"), f"is it the same always? {statement}"
    uid = uuid.uuid4().hex
    return dict.fromkeys(parameters, uid) if isinstance(parameters, dict) else (uid,)
