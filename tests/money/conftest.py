"""Journals on SQLite and on PostgreSQL, and desks at which orders are carried."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakes
import postgres
import pytest
from journals import Clock, elsewhere
from running import Desk

from seedance.journal import Journal
from seedance.runner import clearing


@pytest.fixture(scope="session")
def postgres_database() -> Iterator[str]:
    """A database that the tests have in turn."""
    with postgres.server() as url:
        yield postgres.create_database(url, "journal")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new, empty journal."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/journal.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def postgres_url(postgres_database: str) -> str:
    """The URL of a new, empty journal on PostgreSQL."""
    return postgres.empty(postgres_database)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(url: str, clock: Clock) -> Journal:
    return Journal(url, clock=clock)


@pytest.fixture
def other(url: str, clock: Clock) -> Journal:
    """The journal as another process has it open, on a machine that we cannot look into."""
    return elsewhere(url, clock)


@pytest.fixture(autouse=True)
def nothing_left_open(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close every journal that a test opens."""
    opened: list[Journal] = []
    make = Journal.__init__

    def remembered(self: Journal, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        opened.append(self)

    monkeypatch.setattr(Journal, "__init__", remembered)
    yield
    for journal in opened:
        journal.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk at Lumenfall, whose list of requests cannot be read; it has no free cancel."""
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        fake.logs_requests = False  # type: ignore[attr-defined]
        yield Desk(fake, tmp_path)


@pytest.fixture
def ark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk at BytePlus, which lists its tasks and cancels queued ones free of charge."""
    monkeypatch.setattr(clearing, "FIND_SECONDS", 0.1)
    with fakes.all()["byteplus"](polls_until_done=1) as fake:
        yield Desk(fake, tmp_path)
