"""An order without a ticket keeps nobody waiting beyond their time, whatever it waits for."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from journals import new
from running import Desk, is_create, until

from seedance.errors import SeedanceError, StillRunning
from seedance.journal import Journal, engine
from seedance.runner import job, submit
from seedance.runner.active import ActiveOrder
from seedance.runner.client import Stopped

pytestmark = pytest.mark.timeout(100)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "LATE_SECONDS", 0.0)
    monkeypatch.setattr(job, "GIVE_UP_SECONDS", 0.1)


def late(desk: Desk, seconds: str = "0.2") -> SeedanceError:
    """The error of an order in its time."""
    with pytest.raises(SeedanceError) as caught:
        desk.video(desk.runner(SEEDANCE_TIMEOUT=seconds))
    return caught.value


def test_an_upload_that_does_not_end_is_given_up_free_of_charge(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upload(active: ActiveOrder, _: Path) -> Any:
        active.stop.wait(1000)
        raise Stopped

    monkeypatch.setattr(submit, "upload", upload)
    error = late(desk)
    assert (error.kind, error.spent) == ("Unreachable", "no")
    assert "could not be sent within 0 s" in error.message
    until(lambda: desk.row().state == "cancelled")
    assert desk.sent_creates == 0


def test_what_cannot_be_stopped_is_not_waited_for_and_sends_nothing_afterwards(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    take_slot = Journal.take_slot

    def slow(self: Journal, *args: Any) -> Any:
        goes_on.wait(1000)  # as a database does that says nothing
        return take_slot(self, *args)

    monkeypatch.setattr(Journal, "take_slot", slow)
    error = late(desk)
    assert (error.kind, error.spent) == ("Unreachable", "no")
    goes_on.set()
    until(lambda: desk.row().state == "cancelled")
    assert desk.sent_creates == 0


def test_an_order_that_another_process_has_not_sent_yet_is_not_waited_for(desk: Desk) -> None:
    desk.video()  # so that the journal is there
    runner = desk.runner(SEEDANCE_TIMEOUT="0.2")
    with closing(sqlite3.connect(runner.journal.url.database or "")) as connection:
        connection.execute(
            "UPDATE orders SET state = 'preparing', ticket = NULL, holder = 'another#1#process', "
            "lease_until = lease_until + 7200, created = created + 7200"
        )
        connection.execute("UPDATE orders SET lease_until = created")
        connection.commit()
    with pytest.raises(StillRunning, match="Another process works on the order") as caught:
        desk.video(runner)
    assert caught.value.spent == "no"
    assert desk.fake.creates == 1


def test_a_paid_call_under_way_is_never_cut(desk: Desk) -> None:
    desk.fake.polls_until_done = 10**6
    desk.fake.fault(is_create, "hang:1")
    error = late(desk)
    assert (error.kind, error.task, error.spent) == ("StillRunning", "lumenfall:vid_0001", "yes")


def test_with_no_time_to_wait_the_order_is_sent_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload: Callable[..., Any] = submit.upload

    def slow(active: ActiveOrder, folder: Path) -> Any:
        active.stop.wait(0.7)
        return upload(active, folder)

    monkeypatch.setattr(submit, "upload", slow)
    desk.fake.polls_until_done = 10**6
    assert late(desk, "0").task == "lumenfall:vid_0001"


def test_a_journal_is_waited_for_as_long_as_its_user_has_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 1000.0)
    monkeypatch.setattr(engine, "BUSY_ATTEMPT_MS", 50)
    journal = Journal(tmp_path / "journal.db", patience=0.1)
    journal.reserve(new("a"))
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SeedanceError, match="is locked") as caught:
            journal.reserve(new("b"))
    assert "Another program keeps it" in caught.value.hint


def test_a_server_is_waited_for_as_long_as_its_user_has_patience(postgres_url: str) -> None:
    journal = Journal(postgres_url, patience=7.5)
    with journal._reading() as connection:
        for name in ("statement_timeout", "lock_timeout"):
            assert connection.execute(sa.text(f"SHOW {name}")).scalar() == "7s"
        driver: Any = connection.connection.driver_connection
        assert driver.info.get_parameters()["connect_timeout"] == "7"


def test_who_waits_for_a_short_time_waits_a_short_time_for_the_journal(desk: Desk) -> None:
    assert desk.runner(SEEDANCE_TIMEOUT="10").journal._patience == 15.0
