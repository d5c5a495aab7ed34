"""Who sends is who has the row at the moment of sending: real processes that sleep before it.

A process is stopped (SIGSTOP) between `submitting` and the first byte of the paid call; meanwhile
another process sees its lease run out.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakes
import pytest
import sqlalchemy as sa
from fakes import Request
from journals import elsewhere, new
from paths import HELPERS
from running import Desk, is_create, until

from seedance.errors import BadOrder, SeedanceError
from seedance.journal import Journal
from seedance.journal.journal import LEASE_SECONDS
from seedance.runner import Runner
from seedance.transport import Withheld
from seedance.wire import Call

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="signals of POSIX"),
]

POINTS = ("before the create is sent", "when the connection is made")


@pytest.fixture
def desk(url: str, tmp_path: Path) -> Iterator[Desk]:
    """A desk at Lumenfall whose journal is on each of the databases."""
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        yield Desk(fake, tmp_path, SEEDANCE_JOURNAL_URL=url)


class Sleeper:
    """A process that orders what `Desk.order` describes, and sleeps before it is sent."""

    def __init__(self, desk: Desk, url: str, folder: Path, point: str) -> None:
        self.video = folder / "video.mp4"
        self._marker = folder / "asleep"
        environment = {
            **os.environ,
            **desk.fake.environment(),
            "SEEDANCE_HOME": str(folder / "home"),
            "SEEDANCE_JOURNAL_URL": url,
            "SEEDANCE_POLL_INTERVAL": "0.05",
        }
        words = ["generate", "--provider", "lumenfall", "--prompt", "a fox", "--json"]
        child = [str(HELPERS / "stopping_child.py"), f"asleep {point}", str(self._marker)]
        self._process = subprocess.Popen(
            [sys.executable, *child, *words, "-o", str(self.video)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until(self._sleeps, 120)

    def _sleeps(self) -> bool:
        assert self._process.poll() is None, self._process.communicate()
        if not self._marker.exists():
            return False
        stat = Path(f"/proc/{self._process.pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "T"

    def wake(self) -> dict[str, Any]:
        """Let it go on; its JSON, with the exit code."""
        self._process.send_signal(signal.SIGCONT)
        out, err = self._process.communicate()
        assert out, err
        return {"exit": self._process.returncode, **json.loads(out)}

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def asleep(desk: Desk, url: str, tmp_path: Path, request: Any) -> Iterator[Sleeper]:
    """A process that sleeps at the point of the test's parameter."""
    sleeper = Sleeper(desk, url, tmp_path, request.param)
    yield sleeper
    sleeper.end()


def late(url: str) -> Journal:
    """The journal as another process sees it after the lease."""
    return elsewhere(url, lambda: time.time() + LEASE_SECONDS + 1)


both = pytest.mark.parametrize("asleep", POINTS, indirect=True)


@both
def test_who_slept_while_nobody_took_the_row_sends_once(desk: Desk, asleep: Sleeper) -> None:
    assert desk.row().state == "submitting"
    outcome = asleep.wake()
    assert (outcome["exit"], outcome["state"]) == (0, "saved")
    assert (desk.fake.creates, desk.sent_creates) == (1, 1)


@both
def test_who_wakes_after_the_order_was_given_up_and_sent_anew_sends_nothing(
    desk: Desk, url: str, asleep: Sleeper
) -> None:
    taken = late(url).claim(1)
    assert taken is not None
    assert taken.state == "unclear"
    runner: Runner = desk.runner()
    runner.forget(1)
    video = desk.video(runner)
    assert (video.row, desk.fake.creates) == (2, 1)
    outcome = asleep.wake()
    assert (outcome["exit"], outcome["error"]["kind"]) == (130, "Cancelled")
    assert not asleep.video.exists()
    assert (desk.fake.creates, desk.sent_creates) == (1, 1)
    assert [row.state for row in desk.rows()] == ["saved", "cancelled"]


@both
def test_who_wakes_while_the_order_is_only_unclear_goes_on_and_pays_once(
    desk: Desk, url: str, asleep: Sleeper
) -> None:
    taken = late(url).claim(1)
    assert taken is not None
    assert taken.state == "unclear"
    outcome = asleep.wake()
    assert (outcome["exit"], outcome["state"]) == (0, "saved")
    assert asleep.video.read_bytes() == desk.fake.clip
    assert (desk.fake.creates, desk.sent_creates) == (1, 1)
    assert [row.state for row in desk.rows()] == ["saved"]


@both
def test_who_wakes_while_another_prepares_the_order_does_not_send_it_too(
    desk: Desk, url: str, asleep: Sleeper
) -> None:
    other = late(url)
    other.claim(1)
    taken = other.resolve_unclear(1, None)
    assert taken is not None
    assert other.take_slot(1, None)[0] is not None
    desk.fake.accept({"model": "seedance-2.0", "prompt": "a fox"}, "vid_{n:04d}")
    other.advance(1, "running", task="lumenfall:vid_0001")
    other.release(1, rest=False)
    outcome = asleep.wake()
    assert (outcome["exit"], outcome["task"]) == (0, "lumenfall:vid_0001")
    assert desk.sent_creates == 0


# ------------------------------------------------------------------------------- in this process


def test_who_sleeps_in_the_middle_of_a_write_stops_nobody(postgres_url: str) -> None:
    """A database file has no server that could end the transaction of who sleeps."""
    sleeper, other = Journal(postgres_url), elsewhere(postgres_url)
    row, _ = sleeper.reserve(new())
    went_on: list[Any] = []
    with pytest.raises(BadOrder), sleeper._writing(lock="seedance-reserve") as connection:
        connection.execute(sa.text("UPDATE orders SET target = 'lost'"))
        went_on.append(other.claim(row.id))  # waits for the row, whose lease runs
        went_on.append(other.reserve(new("another"))[1])  # waits for who reserves
    assert went_on == [None, True]
    assert sleeper.get(row.id) == row


def test_the_gate_is_asked_when_the_connection_is_made_and_before_the_first_byte(
    desk: Desk,
) -> None:
    server = desk.fake._server
    assert server is not None
    accepted: list[Any] = []
    get_request = server.get_request

    def accepting() -> Any:
        accepted.append(get_request())
        return accepted[-1]

    server.get_request = accepting  # type: ignore[method-assign]
    access = desk.settings().access("lumenfall")
    transport = desk.runner()._clients.at("lumenfall", access).transport
    call = Call("POST", f"{desk.fake.base_url}/videos", json={"prompt": "a fox"}, spends=True)

    def shut() -> bool:
        until(lambda: accepted)
        return False

    with pytest.raises(Withheld):
        transport.perform(call, gate=shut)
    assert (len(accepted), desk.fake.requests) == (1, [])


def test_a_gate_that_cannot_ask_the_journal_sends_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def may_send(*_: Any) -> bool:
        raise BadOrder("The journal cannot be written: disk I/O error.")

    monkeypatch.setattr(Journal, "may_send", may_send)
    with pytest.raises(SeedanceError, match="disk I/O") as caught:
        desk.video()
    assert (caught.value.spent, desk.row().state) == ("no", "refused")
    assert desk.sent_creates == 0


@pytest.mark.parametrize("fault", ["refused connection", "429:0", "status:400"])
def test_what_was_surely_not_accepted_is_so_also_for_who_slept_meanwhile(
    desk: Desk, url: str, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """The other process only knows that it is unclear; this one knows better."""
    taken: list[Any] = []

    def take(request: Request | None = None) -> bool:
        if not taken and (request is None or is_create(request)):
            taken.append(late(url).claim(1))
        return False

    if fault == "refused connection":
        import urllib3.connection

        connect = urllib3.connection.connection.create_connection

        def create_connection(*args: Any, **kwargs: Any) -> Any:
            if desk.row().state == "submitting" and not taken:
                take()
                raise ConnectionRefusedError(111, "Connection refused")
            return connect(*args, **kwargs)

        monkeypatch.setattr(urllib3.connection.connection, "create_connection", create_connection)
    else:
        desk.fake.fault(take, "reset")
        desk.fake.fault(is_create, fault)
    runner = desk.runner()
    if fault == "status:400":
        with pytest.raises(SeedanceError) as caught:
            desk.video(runner)
        assert (caught.value.kind, caught.value.spent) == ("Refused", "no")
        assert (desk.row().state, desk.fake.creates) == ("refused", 0)
    else:
        assert desk.video(runner).state == "saved"
        assert desk.fake.creates == 1
    assert taken[0].state == "unclear"
