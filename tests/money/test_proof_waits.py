"""Every wait has a limit: databases that say nothing, stopped processes, clocks that are wrong.

Limits are made short here. Nothing is asserted about the time that something takes: a wait without
a limit ends in the time limit of the test.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fakes
import postgres
import pytest
import sqlalchemy as sa
from fakes import Task
from journals import Clock, dead_holder, elsewhere, new, sql
from running import Desk, is_poll, left_running, move, until

from seedance.errors import BadOrder, SeedanceError
from seedance.journal import Journal, engine, schema
from seedance.journal.journal import LEASE_SECONDS
from seedance.runner import Runner, active, poll, quotes, recovery, worker
from seedance.transport import Watchdog

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

TASK = "lumenfall:vid_0001"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short limits."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.5)
    monkeypatch.setattr(engine, "BUSY_ATTEMPT_MS", 100)
    monkeypatch.setattr(engine, "CONNECT_SECONDS", 2)
    monkeypatch.setattr(engine, "SILENT_SECONDS", 1.0)
    monkeypatch.setattr(active, "WRITE_PAUSE", 0.05)


CALLS: dict[str, Callable[[Desk, Runner], Any]] = {
    "start": lambda desk, runner: desk.video(runner, seed=7),
    "collect": lambda desk, runner: runner.collect("lumenfall:vid_0009"),
    "cancel": lambda desk, runner: runner.cancel(1),
    "forget": lambda desk, runner: runner.forget(1),
}


# ------------------------------------------------------------------------- SQLite, kept by another

HOLD = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("begun", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.fixture
def file_desk(tmp_path: Path) -> Iterator[Desk]:
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        url = f"sqlite:///{tmp_path}/journal.db"
        yield Desk(fake, tmp_path, SEEDANCE_JOURNAL_URL=url)


@pytest.fixture
def stopped_in_a_transaction(file_desk: Desk, tmp_path: Path) -> Iterator[None]:
    """A process was stopped while it wrote the journal, which has one running row."""
    left_running(file_desk)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "journal.db")],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        yield
        child.kill()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_process_that_is_stopped_in_a_transaction_holds_nobody_for_ever(
    file_desk: Desk, stopped_in_a_transaction: None, short: None, call: Any
) -> None:
    sent = file_desk.sent_creates
    # A cancel at Lumenfall is refused, for which the journal is only read.
    written = r"journal .* cannot be written: database is locked|does not document"
    with pytest.raises(BadOrder, match=written):
        call(file_desk, file_desk.runner())
    assert file_desk.sent_creates == sent


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_who_only_looks_waits_for_nobody(file_desk: Desk, stopped_in_a_transaction: None) -> None:
    runner = file_desk.runner()
    assert [row.task for row in runner.tasks()] == [TASK]
    assert runner.journal.spent(1) != []


# ------------------------------------------------------------------- PostgreSQL, which says nothing


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    """A server of these tests alone."""
    with postgres.server() as url:
        postgres.create_database(url, "journal")
        yield postgres.Server(url)


@pytest.fixture
def there(server: postgres.Server, tmp_path: Path) -> Iterator[Desk]:
    """A desk whose journal is on that server."""
    url = postgres.empty(f"{server.url}/journal")
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        yield Desk(fake, tmp_path, SEEDANCE_JOURNAL_URL=url)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("known", [True, False], ids=["connected", "not yet connected"])
def test_a_server_that_says_nothing_holds_nobody_for_ever(
    server: postgres.Server, there: Desk, short: None, call: Any, known: bool
) -> None:
    left_running(there)
    runner = there.runner()
    if known:
        runner.tasks()
    sent = there.sent_creates
    with server.stopped(), pytest.raises(BadOrder, match=r"journal .* cannot be"):
        call(there, runner)
    assert there.sent_creates == sent
    # The server is back, and so is the journal.
    assert [row.task for row in runner.tasks()] == [TASK]


def test_a_server_that_falls_silent_after_the_create_costs_no_video(
    server: postgres.Server, there: Desk, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.2)
    silence = server.stopped()
    done: list[bool] = []

    def fall_silent(request: Any) -> bool:
        if request.method == "POST" and not done:
            done.append(True)
            silence.__enter__()
        return False

    there.fake.fault(fall_silent, "reset")
    runner = there.runner()
    try:
        result = there.video(runner)
    finally:
        silence.__exit__(None, None, None)
    assert (result.task, result.file.read_bytes()) == (TASK, there.fake.clip)
    until(lambda: [row.state for row in runner.tasks()] == ["saved"], 120)
    assert there.fake.creates == 1


def test_connections_have_limits_of_their_own(postgres_url: str) -> None:
    journal = Journal(postgres_url)
    with journal._reading() as connection:
        for name, limit in (
            ("statement_timeout", "15s"),
            ("lock_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "5s"),
        ):
            assert connection.execute(sa.text(f"SHOW {name}")).scalar() == limit
        driver: Any = connection.connection.driver_connection
        parameters = driver.info.get_parameters()
        assert parameters["connect_timeout"] == "10"
        assert parameters["tcp_user_timeout"] == "15000"


def test_opening_a_journal_that_is_up_to_date_takes_no_lock(url: str) -> None:
    first = Journal(url)
    first.reserve(new("a"))
    with first._writing(lock="seedance-reserve") as connection:
        connection.execute(sa.update(schema.orders).values(prompt="locked"))
        if connection.dialect.name == "postgresql":
            text = "SELECT pg_advisory_xact_lock(hashtext('seedance-schema'))"
            connection.execute(sa.text(text))
        assert [row.id for row in Journal(url).newest()] == [1]


def test_a_limit_that_cannot_be_kept_ends_no_other_limit() -> None:
    watchdog, kept = Watchdog(), threading.Event()

    def broken() -> None:
        raise OSError("the connection is closed already")

    with watchdog.limit(0.0, broken), watchdog.limit(0.05, kept.set):
        assert kept.wait(60)
    watchdog.close()


# --------------------------------------------------------------------------- clocks that are wrong


def test_a_lease_that_is_hours_ahead_is_over_when_nobody_renews_it(url: str) -> None:
    clock, monotonic = Clock(), Clock(1000.0)
    ahead = elsewhere(url, Clock(clock.now + 7200))
    row, _ = ahead.reserve(new("a"))
    move(ahead, row.id, "running", task=TASK)
    mine = Journal(url, clock=clock, monotonic=monotonic)
    for _ in range(3):
        assert mine.claim(row.id) is None
        assert mine.abandoned() == []
        monotonic.now += LEASE_SECONDS / 4
    monotonic.now += LEASE_SECONDS
    assert [each.id for each in mine.abandoned()] == [row.id]
    taken = mine.claim(row.id)
    assert taken is not None
    assert (taken.holder, taken.task) == (mine.holder, TASK)


def test_a_lease_that_is_hours_ahead_and_renewed_is_left_to_its_process(url: str) -> None:
    clock, monotonic = Clock(), Clock(1000.0)
    theirs = Clock(clock.now + 7200)
    ahead = elsewhere(url, theirs)
    row, _ = ahead.reserve(new("a"))
    mine = Journal(url, clock=clock, monotonic=monotonic)
    for _ in range(8):
        assert mine.claim(row.id) is None
        monotonic.now += LEASE_SECONDS / 2
        theirs.now += LEASE_SECONDS / 2
        ahead.renew([row.id])


def test_our_own_clock_that_jumps_does_not_take_a_row_from_this_process(url: str) -> None:
    clock = Clock()
    mine = Journal(url, clock=clock)
    row, _ = mine.reserve(new("a"))
    mine.take_slot(row.id, None)
    clock.now += 7200
    assert mine.may_send(row.id)
    assert mine.abandoned(active=[row.id]) == []


def test_a_row_that_this_process_forgot_to_release_is_recovered_in_time(url: str) -> None:
    clock = Clock()
    mine = Journal(url, clock=clock)
    lost, _ = mine.reserve(new("a"))
    kept, _ = mine.reserve(new("b"))
    clock.now += LEASE_SECONDS - 1
    mine.renew([kept.id])
    assert mine.abandoned(active=[kept.id]) == []
    clock.now += 2
    assert [row.id for row in mine.abandoned(active=[kept.id])] == [lost.id]


def test_an_order_that_nobody_sends_any_more_is_unclear_and_not_held_for_ever(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process could write nothing when the sending had failed, and still runs."""
    runner = desk.runner()
    prepared = quotes.prepare(desk.order(), desk.settings())
    row, _ = runner.journal.reserve(new(prepared.fingerprint))
    runner.journal.take_slot(row.id, None)
    with pytest.raises(SeedanceError) as caught:
        desk.video(runner)
    assert (caught.value.kind, caught.value.spent) == ("Unclear", "unknown")
    assert (desk.row().state, desk.sent_creates) == ("unclear", 0)


# ------------------------------------------------------------------------ many at start

AT_ONCE = 16  # instead of 64, so that a test polls less
MANY = int(os.environ.get("SEEDANCE_MANY_ROWS", "100"))


@pytest.fixture
def crowded(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A journal with many running rows of processes that died; their tasks go on."""
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 1.0)
    monkeypatch.setattr(recovery, "RECOVER_AT_ONCE", AT_ONCE)
    monkeypatch.setattr(poll, "UNKNOWN_SECONDS", 1.0)
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        desk = Desk(fake, tmp_path, SEEDANCE_JOURNAL_URL=url, SEEDANCE_POLL_INTERVAL="1")
        journal = Journal(url)
        row, _ = journal.reserve(new("model of a row"))
        move(journal, row.id, "cancelled")
        account = quotes.account_of("lumenfall", fake.key)
        holder, now = dead_holder(), time.time()
        one = dict(journal.get(row.id).order)
        import json

        values = [
            {
                "fingerprint": f"many {number}",
                "asked": f"many {number}",
                "uid": f"{number:032d}",
                "provider": "lumenfall",
                "account": account,
                "model": one["model"],
                "resolution": one["resolution"],
                "duration": one["duration"],
                "prompt": "a fox",
                "seed": number,
                "order_json": json.dumps(one),
                "changes_json": "[]",
                "state": "running",
                "ticket": f"lumenfall:many_{number}",
                "target": str(desk.output / f"{number}.mp4"),
                "holder": holder,
                "lease_until": 0.0,
                "created": 1.7e9,
                "updated": 1.7e9,
                "submitted": now,
            }
            for number in range(MANY)
        ]
        with journal._opened().begin() as connection:
            connection.execute(sa.insert(schema.orders), values)
        for number in range(MANY):
            fake.tasks[f"many_{number}"] = Task(f"many_{number}", {"model": "seedance-2.0"})
        finish = fake.done
        fake.done = lambda task: (  # type: ignore[method-assign]
            False if task.id.startswith("many_") else finish(task)
        )
        yield desk


@pytest.mark.timeout(600)
def test_many_rows_are_taken_up_in_batches_the_newest_first_and_hold_nobody_up(
    crowded: Desk,
) -> None:
    desk, fake = crowded, crowded.fake
    runner = desk.runner()
    runner.recover()  # beside the heartbeat, which does so too
    until(lambda: runner._worker.count == AT_ONCE)
    newest = {f"/v1/videos/many_{MANY - 1 - number}" for number in range(AT_ONCE)}

    def asked() -> set[str]:
        return {item.path for item in list(fake.requests) if is_poll(item)}

    until(lambda: newest <= asked(), 120)
    # Meanwhile a new order is carried through.
    assert desk.video(runner, seed=1).state == "saved"
    polls = {path for path in asked() if "/many_" in path}
    assert polls == newest
    # As those end, the next ones are taken up.
    for number in range(AT_ONCE):
        fake.tasks.pop(f"many_{MANY - 1 - number}").cancelled = True
    sql(
        str(desk.settings().journal_url),
        "UPDATE orders SET state = 'cancelled', holder = NULL WHERE seed >= :first",
        first=MANY - AT_ONCE,
    )
    next_ones = {f"/v1/videos/many_{MANY - 1 - number}" for number in range(AT_ONCE, 2 * AT_ONCE)}
    until(lambda: next_ones <= asked(), 240)
    assert desk.sent_creates == 1


def test_rows_of_living_processes_are_not_written_to_find_that_out(url: str) -> None:
    theirs = elsewhere(url)
    for number in range(50):
        theirs.reserve(new(str(number)))
    mine = Journal(url)
    written: list[str] = []
    sa.event.listen(
        mine._opened(),
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_: written.append(statement.split()[0]),
    )
    assert mine.abandoned() == []
    assert set(written) == {"SELECT"}
