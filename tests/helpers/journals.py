"""The journal in tests: clocks that a test moves, processes elsewhere, databases as they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from running import move

from seedance import journal as journal_module
from seedance.journal import Journal, NewRow, Row
from seedance.journal.process import new_holder
from seedance.order import Order

MIGRATIONS = Path(journal_module.__file__).parent / "migrations"


class Clock:
    """Seconds that only a test moves: Unix seconds, or those of a clock that nobody sets."""

    def __init__(self, now: float | None = None) -> None:
        self.now = time.time() if now is None else now

    def __call__(self) -> float:
        return self.now


def new(fingerprint: str = "f", **fields: Any) -> NewRow:
    """What a row is made from."""
    order = Order(prompt="a fox", provider="lumenfall").describe()
    row = NewRow(fingerprint, "as asked", "lumenfall", "account", order, target="/out/a.mp4")
    return replace(row, **fields)


def elsewhere(url: str, clock: Callable[[], float] = time.time, **options: Any) -> Journal:
    """The journal as another process has it open, on a machine that we cannot look into."""
    opened = Journal(url, clock=clock, **options)
    opened.holder = "elsewhere#1#0badcafe"
    return opened


def dead_holder() -> str:
    """The id of a process of this machine that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    place, _, secret = new_holder().split("#")
    return f"{place}#{child.pid}#{secret}"


def sql(url: str, statement: str, **values: Any) -> list[Any]:
    """Run a statement on a journal from outside; its rows, if it gives some."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        result = connection.execute(sa.text(statement), values)
        rows = list(result) if result.returns_rows else []
    engine.dispose()
    return rows


def alembic(url: str, revision: str) -> None:
    """Bring a database to a revision by alembic itself."""
    from alembic import command
    from alembic.config import Config

    engine = sa.create_engine(url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def reserved(journal: Journal, fingerprint: str = "f", **fields: Any) -> Row:
    """A row that was reserved just now."""
    return journal.reserve(new(fingerprint, **fields))[0]


def submitted(journal: Journal, fingerprint: str = "f", task: str = "lumenfall:1") -> Row:
    """A row whose task runs at its provider."""
    row = reserved(journal, fingerprint)
    journal.take_slot(row.id, None)
    return move(journal, row.id, "running", task=task)


def in_processes(script: str, count: int, *arguments: object) -> list[Any]:
    """What `count` Python processes at once print as JSON; each is also told its number."""
    first, *rest = arguments
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(first), str(number), *map(str, rest)],
            stdout=subprocess.PIPE,
            env=os.environ,
        )
        for number in range(count)
    ]
    outputs = [child.communicate(timeout=250)[0] for child in children]
    assert [child.returncode for child in children] == [0] * count
    return [json.loads(output) for output in outputs]
