"""A row has an identity that no database gives twice, and a process knows its journal.

The journal is replaced, deleted, restored or linked while a process runs. Before that process
spends again it notices; and what is paid keeps its ticket and its video.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fakes
import pytest
import sqlalchemy as sa
from fakes import Request
from journals import Clock, elsewhere, new, sql
from running import Desk, is_poll, move, until

from seedance.errors import BadOrder, SeedanceError
from seedance.journal import Journal, JournalReplaced
from seedance.order import Order
from seedance.runner import Runner, active

pytestmark = pytest.mark.slow

FOREVER = 10**6
TASK = "lumenfall:vid_0001"


@pytest.fixture
def desk(url: str, tmp_path: Path) -> Iterator[Desk]:
    """A desk at Lumenfall whose journal is on each of the databases."""
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        yield Desk(fake, tmp_path, SEEDANCE_JOURNAL_URL=url)


@pytest.fixture
def file_desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk whose journal is a file of SQLite."""
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        journal = f"sqlite:///{tmp_path}/journal.db"
        yield Desk(fake, tmp_path, SEEDANCE_JOURNAL_URL=journal)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def remove(file: Path) -> None:
    """Delete a journal and the files beside it."""
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()


def copy(file: Path, to: Path) -> None:
    """Copy a journal as a backup does."""
    with sqlite3.connect(file) as source, sqlite3.connect(to) as target:
        source.backup(target)
    source.close()
    target.close()


def refused(desk: Desk, runner: Runner, seed: int) -> BadOrder:
    """The error of an order that is not sent."""
    sent = desk.sent_creates
    with pytest.raises(BadOrder) as caught:
        desk.video(runner, seed=seed)
    assert desk.sent_creates == sent
    assert caught.value.spent == "no"
    return caught.value


# ------------------------------------------------------------------- what a process knew is noticed


def deleted(file: Path, backup: Path) -> None:
    remove(file)


def moved_away(file: Path, backup: Path) -> None:
    for path in file.parent.glob(f"{file.name}*"):
        path.rename(path.with_name(f"old {path.name}"))


def replaced_by_an_empty_one(file: Path, backup: Path) -> None:
    remove(file)
    Journal(file).newest()


def replaced_by_a_copy(file: Path, backup: Path) -> None:
    remove(file)
    shutil.copyfile(backup, file)


def renamed_over(file: Path, backup: Path) -> None:
    for path in file.parent.glob(f"{file.name}-*"):
        path.unlink()
    os.replace(backup, file)


def went_back_in_place(file: Path, backup: Path) -> None:
    """The same file, with what a copy has."""
    with sqlite3.connect(backup) as source, sqlite3.connect(file) as target:
        source.backup(target)
    source.close()
    target.close()


def copied_over(file: Path, backup: Path) -> None:
    """As `cp` puts a backup back: into the file that the process has open."""
    shutil.copyfile(backup, file)


def copied_over_without_its_log(file: Path, backup: Path) -> None:
    shutil.copyfile(backup, file)
    for path in file.parent.glob(f"{file.name}-*"):
        path.unlink()


def emptied(file: Path, backup: Path) -> None:
    file.write_bytes(b"")


def overwritten_with_something_else(file: Path, backup: Path) -> None:
    file.write_bytes(b"no journal at all\n" * 1000)


def second_name(file: Path, backup: Path) -> None:
    os.link(file, file.with_name("second name.db"))


@pytest.mark.parametrize(
    "change",
    [
        deleted,
        moved_away,
        replaced_by_an_empty_one,
        replaced_by_a_copy,
        renamed_over,
        went_back_in_place,
        copied_over,
        copied_over_without_its_log,
        emptied,
        overwritten_with_something_else,
        second_name,
    ],
)
def test_a_journal_that_is_not_the_same_any_more_lets_nothing_be_spent(
    file_desk: Desk, file: Path, tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    desk, runner = file_desk, file_desk.runner()
    desk.video(runner, seed=0)
    backup = tmp_path / "backup.db"
    copy(file, backup)
    desk.video(runner, seed=1)
    change(file, backup)
    error = refused(desk, runner, seed=2)
    what = "second name" if change is second_name else "was replaced, or went back"
    assert what in error.message
    refused(desk, runner, seed=3)  # and it stays so
    assert desk.fake.creates == 2


def test_a_copy_that_was_written_again_up_to_the_same_number_of_writes_is_noticed(
    file_desk: Desk, file: Path, tmp_path: Path
) -> None:
    desk, runner = file_desk, file_desk.runner()
    desk.video(runner, seed=0)
    backup = tmp_path / "backup.db"
    copy(file, backup)
    desk.video(runner, seed=1)
    went_back_in_place(file, backup)
    other = desk.runner()
    for seed in range(5, 9):
        desk.video(other, seed=seed)  # who did not know the journal may go on
    refused(desk, runner, seed=2)


def failover(url: str) -> None:
    """A server took over that did not get the last commits: the last row is lost."""
    sql(url, "DELETE FROM orders WHERE id = (SELECT max(id) FROM orders)")
    sql(url, "UPDATE identity SET revision = revision - 4")


@pytest.mark.parametrize("written_again", [0, 30])
def test_a_failover_that_lost_rows_is_noticed(desk: Desk, url: str, written_again: int) -> None:
    runner = desk.runner()
    for seed in (0, 1):
        desk.video(runner, seed=seed)
    failover(url)
    sql(url, "UPDATE identity SET revision = revision + :more", more=written_again)
    refused(desk, runner, seed=2)
    assert desk.fake.creates == 2


def test_a_process_that_is_about_to_send_notices_it_at_the_last_moment(
    desk: Desk, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_send = Journal.may_send

    def after_a_failover(self: Journal, *row: Any) -> bool:
        sql(url, "UPDATE identity SET revision = revision - 1")
        return may_send(self, *row)

    monkeypatch.setattr(Journal, "may_send", after_a_failover)
    refused(desk, desk.runner(), seed=0)
    assert desk.sent_creates == 0


def test_another_database_behind_the_same_address_is_noticed(desk: Desk, url: str) -> None:
    runner = desk.runner()
    desk.video(runner)
    sql(url, "UPDATE identity SET uid = 'another', revision = revision + 1000")
    refused(desk, runner, seed=1)


def test_who_starts_anew_is_let_in(desk: Desk, url: str) -> None:
    desk.video(seed=0)
    failover(url)
    assert desk.video(desk.runner(), seed=1).state == "saved"


def test_a_link_that_is_there_at_the_start_is_told(file_desk: Desk, file: Path) -> None:
    file_desk.video(file_desk.runner())
    second_name(file, file)
    refused(file_desk, file_desk.runner(), seed=1)
    file.with_name("second name.db").unlink()
    assert file_desk.video(file_desk.runner(), seed=1).state == "saved"


def test_a_link_that_is_removed_again_stops_nobody(file_desk: Desk, file: Path) -> None:
    runner = file_desk.runner()
    file_desk.video(runner)
    second_name(file, file)
    refused(file_desk, runner, seed=1)
    file.with_name("second name.db").unlink()
    assert file_desk.video(runner, seed=1).state == "saved"


# ----------------------------------------------------------- no false alarm among one's own threads


def test_a_transaction_that_is_not_committed_yet_alarms_no_other_thread(url: str) -> None:
    journal = Journal(url)
    first, _ = journal.reserve(new("a"))
    if url.startswith("sqlite"):
        pytest.skip("SQLite writes one transaction after the other")
    row, _ = journal.reserve(new("b"))
    begun, go = threading.Event(), threading.Event()

    def slowly() -> None:
        with journal._writing() as connection:
            journal._count(connection)
            begun.set()
            assert go.wait(60)

    thread = threading.Thread(target=slowly)
    thread.start()
    assert begun.wait(60)
    with journal._writing() as connection:
        journal._check_same(connection)
    go.set()
    thread.join(60)
    assert journal.take_slot(row.id, None)[0] is not None
    assert journal.take_slot(first.id, None)[0] is not None


def test_a_transaction_that_was_rolled_back_alarms_nobody(url: str) -> None:
    journal = Journal(url)
    journal.reserve(new("a"))

    class Boom(Exception):
        pass

    with pytest.raises(Boom), journal._writing() as connection:
        journal._insert(connection, new("b"))
        raise Boom
    assert journal.reserve(new("c"))[1]


# --------------------------------------------------------- what is paid keeps its ticket and video


def running(desk: Desk, runner: Runner) -> Any:
    """An order that was paid and goes on until `polls_until_done` is lowered."""
    desk.fake.polls_until_done = FOREVER
    job = desk.start(runner)
    until(lambda: any(map(is_poll, desk.fake.requests)))
    return job


@pytest.mark.parametrize("change", [deleted, replaced_by_an_empty_one, renamed_over])
def test_a_paid_task_whose_journal_is_gone_keeps_its_ticket_and_its_video(
    file_desk: Desk, file: Path, tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    desk, runner = file_desk, file_desk.runner()
    backup = tmp_path / "backup.db"
    empty = Journal(backup)
    empty.newest()
    empty.close()
    job = running(desk, runner)
    change(file, backup)
    desk.fake.polls_until_done = 0
    result = job.wait()
    assert (result.task, result.file.read_bytes()) == (TASK, desk.fake.clip)
    (row,) = Journal(file).newest()
    assert (row.task, row.state, row.file) == (TASK, "saved", result.file)
    # A process that is started now finds it, free.
    again = desk.video(desk.runner())
    assert (again.reused, again.task, desk.fake.creates) == (True, TASK, 1)


def test_a_journal_that_is_deleted_while_the_create_is_answered_gets_the_ticket(
    file_desk: Desk, file: Path
) -> None:
    desk, done = file_desk, list[bool]()

    def delete(request: Request) -> bool:
        if request.method == "POST" and not done:
            done.append(True)
            remove(file)
        return False

    desk.fake.fault(delete, "reset")
    assert desk.video().task == TASK
    (row,) = Journal(file).newest()
    assert (row.task, row.state) == (TASK, "saved")
    assert desk.fake.creates == 1


def test_a_paid_task_whose_row_vanished_gets_another_row(desk: Desk, url: str) -> None:
    runner = desk.runner()
    job = running(desk, runner)
    sql(url, "DELETE FROM orders")
    desk.fake.polls_until_done = 0
    assert job.wait().task == TASK
    (row,) = desk.rows()
    assert (row.task, row.state) == (TASK, "saved")
    assert desk.fake.creates == 1


@pytest.mark.parametrize("state", ["preparing", "submitting", "unclear"])
def test_a_paid_task_whose_row_went_back_gets_its_ticket_again(
    desk: Desk, url: str, state: str
) -> None:
    """A failover lost what was written after the create."""
    runner = desk.runner()
    job = running(desk, runner)
    row_id = job.row
    sql(url, "UPDATE orders SET state = :state, ticket = NULL", state=state)
    if state == "unclear":
        sql(url, "UPDATE orders SET holder = NULL, lease_until = NULL")
    desk.fake.polls_until_done = 0
    result = job.wait()
    assert (result.task, result.row) == (TASK, row_id)
    (row,) = desk.rows()
    assert (row.task, row.state) == (TASK, "saved")
    assert desk.fake.creates == 1


def test_a_row_that_went_back_and_was_taken_is_not_sent_a_second_time(desk: Desk, url: str) -> None:
    runner = desk.runner()
    job = running(desk, runner)
    sql(url, "UPDATE orders SET state = 'preparing', ticket = NULL, holder = NULL, lease_until = 0")
    other = elsewhere(url)
    assert other.claim(job.row) is not None
    desk.fake.polls_until_done = 0
    assert job.wait().task == TASK
    with pytest.raises(Exception, match="row 1"):
        other.take_slot(job.row, None)
    assert [(row.task, row.state) for row in desk.rows()] == [(TASK, "saved")]
    assert desk.fake.creates == 1


# ------------------------------------------------ never another row's number, order or video


def restored_with_another_order(desk: Desk, url: str, row_id: int) -> None:
    """In the journal that is there now, this number is a hare's, which runs at the provider."""
    hare = desk.fake.accept({"model": "seedance-2.0", "prompt": "a hare"}, "vid_{n:04d}")
    sql(
        url,
        "UPDATE orders SET uid = 'a hare''s', fingerprint = 'hare', asked = 'hare',"
        " prompt = 'hare', state = 'running', ticket = :ticket, holder = NULL, lease_until = 0,"
        " target = :target WHERE id = :id",
        ticket=f"lumenfall:{hare.id}",
        target=str(desk.output / "hare.mp4"),
        id=row_id,
    )


def test_an_order_never_gets_the_video_of_the_row_that_has_its_number_now(
    desk: Desk, url: str
) -> None:
    runner = desk.runner()
    job = running(desk, runner)
    restored_with_another_order(desk, url, job.row)
    desk.fake.polls_until_done = 0
    mine = job.wait()
    assert (mine.task, mine.row) == (TASK, 2)
    hare = desk.runner().collect("lumenfall:vid_0002").wait()
    assert (hare.task, hare.row, hare.file.name) == ("lumenfall:vid_0002", 1, "hare.mp4")


def test_who_asks_for_the_row_that_has_the_number_now_does_not_join_the_other_order(
    desk: Desk, url: str
) -> None:
    runner = desk.runner()
    job = running(desk, runner)
    restored_with_another_order(desk, url, job.row)
    hare = runner.collect("lumenfall:vid_0002")
    desk.fake.polls_until_done = 0
    assert hare.wait().task == "lumenfall:vid_0002"
    assert job.wait().task == TASK


def test_who_waits_for_another_process_does_not_take_the_row_that_has_the_number_now(
    desk: Desk, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(active, "WATCH_SECONDS", 0.05)
    theirs = elsewhere(url)
    runner = desk.runner()
    order: Order = desk.order()
    from seedance.runner import quotes

    fingerprint = quotes.prepare(order, desk.settings()).fingerprint
    row, _ = theirs.reserve(new(fingerprint))
    move(theirs, row.id, "submitting")
    job = desk.start(runner)
    until(lambda: job.progress.code == "other_process")
    restored_with_another_order(desk, url, row.id)
    with pytest.raises(SeedanceError, match="not in the journal any more") as caught:
        job.wait()
    assert (caught.value.task, desk.sent_creates) == (None, 0)


@pytest.mark.parametrize("what", ["cancel", "forget"])
def test_cancel_and_forget_by_ticket_touch_no_other_row(desk: Desk, url: str, what: str) -> None:
    runner = desk.runner()
    job = running(desk, runner)
    restored_with_another_order(desk, url, job.row)
    with pytest.raises(SeedanceError):
        getattr(runner, what)(TASK)
    assert runner.journal.get(1).state == "running"
    assert runner.journal.get(1).task == "lumenfall:vid_0002"
    desk.fake.polls_until_done = 0
    assert job.wait().task == TASK


def test_moves_by_a_number_and_an_identity_touch_no_other_row(url: str) -> None:
    clock = Clock()
    journal = Journal(url, clock=clock)
    row, _ = journal.reserve(new("a"))
    move(journal, row.id, "unclear")
    sql(url, "UPDATE orders SET uid = 'another'")
    assert journal.resolve_unclear(row.id, TASK, row.uid) is None
    with pytest.raises(BadOrder, match="another order's"):
        journal.forget(row.id, row.uid)
    sql(url, "UPDATE orders SET state = 'running', lease_until = 0")
    assert journal.claim(row.id, row.uid) is None
    sql(url, "UPDATE orders SET state = 'failed'")
    with pytest.raises(BadOrder, match="another order's"):
        journal.reopen(row.id, "running", row.uid)  # type: ignore[arg-type]
    assert journal.get(row.id).state == "failed"


def test_every_row_has_an_identity_of_its_own(url: str) -> None:
    journal = Journal(url)
    rows = [journal.reserve(new(str(number)))[0] for number in range(20)]
    assert len({row.uid for row in rows}) == 20
    assert all(len(row.uid) == 32 for row in rows)
    with journal._opened().begin() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.execute(sa.text("UPDATE orders SET uid = 'the same'"))


def test_a_row_of_a_process_of_an_older_version_gets_an_identity_when_it_is_taken(url: str) -> None:
    row, _ = elsewhere(url).reserve(new("a"))
    sql(url, "UPDATE orders SET uid = NULL, holder = NULL, lease_until = 0")
    journal = Journal(url)
    taken = journal.claim(row.id)
    assert taken is not None
    assert len(taken.uid) == 32
    assert taken.uid != row.uid
    assert journal.take_slot(row.id, None)[0] is not None


def test_a_replaced_journal_is_a_bad_order() -> None:
    assert issubclass(JournalReplaced, BadOrder)
