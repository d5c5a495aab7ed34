"""The journal's migrations and files, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from journals import alembic, reserved
from migrations import Replayed

from seedance import journal as journal_module
from seedance.errors import BadOrder
from seedance.journal import ENDED, HELD, Journal, database, engine, schema

pytestmark = [
    pytest.mark.usefixtures("real_migrations"),
    # Of `orders_words` SQLAlchemy and alembic say that they cannot see it in SQLite;
    # test_large_journal.py sees it in use.
    pytest.mark.filterwarnings("ignore:.* expression-based index"),
]

VERSIONS = Path(journal_module.__file__).parent / "migrations" / "versions"


# ------------------------------------------------------------------------------------ migrations


def test_migrations_make_what_the_schema_says(journal: Journal) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    journal.newest()
    with journal._opened().connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_migrations_make_the_rule_against_second_rows(journal: Journal) -> None:
    # alembic does not compare the condition of a partial index.
    journal.newest()
    with journal._opened().connect() as connection:
        (index,) = (
            index
            for index in sa.inspect(connection).get_indexes("orders")
            if index["name"] == "orders_one_held"
        )
    made = str(next(value for key, value in index["dialect_options"].items() if "where" in key))
    states = [state for state in (*HELD, *ENDED) if f"'{state}'" in made]
    assert (bool(index["unique"]), states) == (True, list(HELD))


def test_the_newest_revision_is_the_one_that_is_looked_for() -> None:
    newest = max(path.stem.partition("_")[0] for path in VERSIONS.glob("0*.py"))
    assert newest == engine.NEWEST_REVISION


FIRST_SCHEMA_ROW = {
    "id": 41,
    "fingerprint": "old",
    "asked": "old",
    "provider": "lumenfall",
    "account": "account",
    "model": "seedance-2.0",
    "resolution": "720p",
    "duration": 5,
    "prompt": "an old fox",
    "seed": 2**32 - 1,
    "order_json": '{"model": "seedance-2.0", "resolution": "720p", "duration": 5}',
    "changes_json": "[]",
    "state": "saved",
    "ticket": "lumenfall:old",
    "file": "/out/old.mp4",
    "created": 1.7e9,
    "updated": 1.7e9,
}


def test_a_journal_of_the_first_schema_keeps_its_rows(url: str) -> None:
    alembic(url, "0001")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        names = ", ".join(FIRST_SCHEMA_ROW)
        values = ", ".join(f":{name}" for name in FIRST_SCHEMA_ROW)
        insert = sa.text(f"INSERT INTO orders ({names}) VALUES ({values})")
        connection.execute(insert, FIRST_SCHEMA_ROW)
    engine.dispose()
    row = Journal(url).held("old")
    assert row is not None
    assert (row.id, row.task, row.prompt, row.seed) == (
        41,
        "lumenfall:old",
        "an old fox",
        2**32 - 1,
    )


def test_a_journal_of_a_newer_version_is_left_alone(journal: Journal, url: str) -> None:
    row = reserved(journal)
    with journal._opened().begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BadOrder, match="newer version"):
        Journal(url).get(row.id)


def test_the_journals_of_other_tests_are_what_alembic_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "upgrade", Replayed(command.upgrade))
    made = []
    for name in "ab":
        Journal(f"sqlite:///{tmp_path}/{name}.db").newest()
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            ((uid,),) = connection.execute("SELECT uid FROM identity")
            made.append((uid, "\n".join(connection.iterdump()).replace(uid, "UID")))
    (first, by_alembic), (second, replayed) = made
    assert replayed == by_alembic
    assert first != second


@pytest.mark.parametrize("name", ["home?uri=true", "home#1", "home%20 x", "家"])
def test_a_journal_lies_in_the_very_file_of_its_path(tmp_path: Path, name: str) -> None:
    file = tmp_path / name / "journal.db"
    row = reserved(Journal(file))
    assert file.is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert Journal(file).get(row.id).id == row.id


def test_threads_that_come_at_once_open_one_engine(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def slowly(url: sa.URL, *rest: Any) -> sa.Engine:
        opened.append(url)
        time.sleep(0.1)
        return engine.open_engine(url, *rest)

    monkeypatch.setattr(database, "open_engine", slowly)
    with ThreadPoolExecutor(6) as threads:
        rows = list(threads.map(lambda _: journal.newest(), range(6)))
    assert (rows, len(opened)) == ([[]] * 6, 1)
