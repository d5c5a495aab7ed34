"""The journal in tests: clocks that a test moves, processes elsewhere, databases as they were."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
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


_AT_ONCE = """
import os, sys, traceback
import alembic.command, seedance.runner, sqlalchemy.dialects.postgresql  # once for all

script, count, folder, first, *rest = sys.argv[1:]
children = []
for number in range(int(count)):
    children.append(os.fork())
    if not children[-1]:
        sys.argv = ["", first, str(number), *rest]
        try:
            with open(f"{folder}/{number}", "w") as sys.stdout:
                exec(script, {})
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def in_processes(script: str, count: int, *arguments: object) -> list[Any]:
    """What `count` Python processes at once print as JSON; each is also told its number. They are
    forked from one that has imported all that they need, so that they begin together."""
    with tempfile.TemporaryDirectory() as folder:
        words = [script, str(count), folder, *map(str, arguments)]
        subprocess.run([sys.executable, "-c", _AT_ONCE, *words], check=True, timeout=250)
        return [json.loads((Path(folder) / str(number)).read_text()) for number in range(count)]
