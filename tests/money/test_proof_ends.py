"""An end is the provider's own word, to the account that ordered, at the address that took it."""

from __future__ import annotations

import email.utils
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import fakes
import pytest
from fakes import Answer, Fake
from journals import sql
from running import Desk, is_create, is_poll, is_result, left_running, until

from seedance.errors import BadOrder, Refused, SeedanceError, StillRunning
from seedance.runner import Runner, collect, poll

pytestmark = pytest.mark.slow

FOREVER = 10**6
OTHER_KEY = "sk-another-account-0123456789"
TASK = "lumenfall:vid_0001"
ARK_TASK = "byteplus:cgt-20261120093000-00001"


def failing(job: Any) -> SeedanceError:
    with pytest.raises(SeedanceError) as caught:
        job.wait()
    return caught.value


def with_other_key(desk: Desk) -> Runner:
    """A runner with another key, which the provider accepts as well."""
    fake = desk.fake
    fake.authorized = lambda request, scheme="Bearer": True  # type: ignore[method-assign]
    variable = next(name for name, value in fake.environment().items() if value == fake.key)
    return desk.runner(**{variable: OTHER_KEY})


ENDS = {
    "failed": {"id": "cgt-1", "status": "failed", "error": {"code": "x", "message": "No."}},
    "cancelled": {"id": "cgt-1", "status": "cancelled"},
    "expired": {"id": "cgt-1", "status": "expired"},
}


# --------------------------------------------------------------------------------- another key


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_with_another_key_no_end_is_believed(ark: Desk, end: dict[str, Any]) -> None:
    task = left_running(ark)
    ark.fake.fault(is_poll, Answer(200, json=end))
    error = failing(with_other_key(ark).collect(task))
    assert isinstance(error, StillRunning)
    assert (error.spent, error.task, error.row) == ("yes", task, 1)
    assert "another key than the one that ordered" in error.message
    assert "Set the key that ordered it again" in error.hint
    assert ark.row().state == "running"
    assert ark.video().task == task
    assert ark.fake.creates == 1


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_key_that_is_not_let_in_ends_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(poll, "UNKNOWN_SECONDS", 0.0)
    task = left_running(desk)
    desk.fake.fault(is_poll, f"status:{status}", times=50)
    error = failing(with_other_key(desk).collect(task))
    assert isinstance(error, StillRunning)
    assert (error.spent, error.task, desk.row().state) == ("yes", task, "running")
    assert "key" in f"{error.message} {error.hint}"
    desk.fake._faults.clear()
    assert desk.video().task == task
    assert desk.fake.creates == 1


def test_a_key_that_is_gone_is_asked_for_and_ends_nothing(desk: Desk) -> None:
    task = left_running(desk)
    with pytest.raises(SeedanceError) as caught:
        desk.runner(LUMENFALL_API_KEY="").collect(task)
    assert (caught.value.kind, caught.value.spent, caught.value.task) == ("NeedsKey", "yes", task)
    assert desk.row().state == "running"


def test_another_key_cancels_nothing(ark: Desk) -> None:
    ark.fake.polls_until_done = FOREVER
    task = left_running(ark)
    ark.fake.polls_until_done = FOREVER
    with pytest.raises(BadOrder, match="only the key that ordered it") as caught:
        with_other_key(ark).cancel(task)
    assert caught.value.spent == "yes"
    assert (ark.row().state, ark.fake.sent("DELETE")) == ("running", [])


def test_a_lost_file_is_not_called_gone_by_another_key(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "QUESTIONS", 4)
    first = desk.video()
    first.file.unlink()
    desk.fake.fault(is_poll, "status:404", times=4)
    error = failing(with_other_key(desk).collect(first.task))
    assert isinstance(error, StillRunning)
    assert "forget" not in str(error)
    assert error.spent == "yes"
    assert desk.video().file.read_bytes() == desk.fake.clip
    assert desk.fake.creates == 1


def test_what_another_key_is_given_is_taken(desk: Desk) -> None:
    """A video is a video: only what is bad news needs the right key."""
    task = left_running(desk)
    assert with_other_key(desk).collect(task).wait().task == task


def test_an_order_that_another_key_sends_belongs_to_that_key(desk: Desk) -> None:
    """The row is from a process that had another key and address, and sent nothing."""
    runner = with_other_key(desk)
    desk.fake.fault(is_create, "429:600")
    first = desk.start(desk.runner())
    until(lambda: desk.sent_creates)
    until(lambda: desk.row().state == "preparing")
    before = desk.row()
    sql(
        str(runner.journal.url),
        "UPDATE orders SET holder = NULL, lease_until = 0, origin = 'http://127.0.0.1:9'",
    )
    assert desk.video(runner).task == TASK
    after = desk.row()
    assert (before.account, before.id) != (after.account, 0)
    assert after.origin == desk.fake.url
    first.cancel()
    assert desk.fake.creates == 1


# ----------------------------------------------------------------------------- another address


def test_another_address_is_not_asked_and_the_right_one_is_told(desk: Desk) -> None:
    task = left_running(desk)
    with fakes.all()["lumenfall"]() as another:
        runner = desk.runner(**another.environment())
        for call in (runner.collect, runner.cancel):
            with pytest.raises(StillRunning) as caught:
                call(task)
            assert desk.fake.url in caught.value.message
            assert another.url in caught.value.message
            assert (caught.value.spent, caught.value.task) == ("yes", task)
        with pytest.raises(StillRunning):
            desk.video(runner)
        assert runner.recover() == 0
        assert another.requests == []
    assert desk.row().state == "running"
    assert desk.video().task == task
    assert desk.fake.creates == 1


# ------------------------------------------------------------------------------------- a 404


def test_a_404_for_long_ends_no_task(ark: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll, "UNKNOWN_SECONDS", 0.2)
    task = left_running(ark)
    ark.fake.fault(is_poll, "status:404", times=FOREVER)
    for _ in range(3):
        error = failing(ark.runner().collect(task))
        assert isinstance(error, StillRunning)
        assert "no proof" in error.message
        assert "queue it again" not in str(error)
        assert ark.row().state == "running"
    ark.fake._faults.clear()
    assert ark.video().task == task
    assert ark.fake.creates == 1


def aged(desk: Desk, days: float) -> None:
    sql(
        str(desk.runner().journal.url),
        "UPDATE orders SET submitted = submitted - :age",
        age=days * 86400,
    )


@pytest.mark.parametrize("what", ["our clock is ahead", "no date"])
def test_a_clock_alone_makes_no_task_forgotten(
    ark: Desk, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(poll, "UNKNOWN_SECONDS", 0.0)
    task = left_running(ark)
    now = time.time
    if what == "no date":
        aged(ark, 8)
        _without_date(monkeypatch)
    else:
        monkeypatch.setattr(time, "time", lambda: now() + 8 * 86400)
        right = lambda *_: email.utils.formatdate(now(), usegmt=True)  # noqa: E731
        monkeypatch.setattr(BaseHTTPRequestHandler, "date_time_string", right)
    ark.fake.fault(is_poll, "status:404", times=20)
    error = failing(ark.runner().collect(task))
    assert isinstance(error, StillRunning)
    assert ark.row().state == "running"


def _without_date(monkeypatch: pytest.MonkeyPatch) -> None:
    send_header = BaseHTTPRequestHandler.send_header

    def send(self: BaseHTTPRequestHandler, name: str, value: str) -> None:
        if name.lower() != "date":
            send_header(self, name, value)

    monkeypatch.setattr(BaseHTTPRequestHandler, "send_header", send)


def test_a_clock_that_is_weeks_ahead_ends_no_task_that_runs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = left_running(desk)
    desk.fake.polls_until_done = FOREVER
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 30 * 86400)
    error = failing(desk.runner().collect(task))
    assert isinstance(error, StillRunning)
    assert (desk.row().state, error.task) == ("running", task)
    desk.fake.polls_until_done = 0
    assert desk.runner().collect(task).wait().task == task


# ----------------------------------------------------------------------- the right account says so


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_the_providers_own_word_to_the_right_account_ends_a_task(
    ark: Desk, end: dict[str, Any]
) -> None:
    task = left_running(ark)
    ark.fake.fault(is_poll, Answer(200, json=end))
    error = failing(ark.runner().collect(task))
    assert not isinstance(error, StillRunning)
    assert ark.row().state == end["status"]


def test_a_video_that_the_right_account_is_not_given_any_more_is_told_as_gone(desk: Desk) -> None:
    first = desk.video()
    first.file.unlink()
    desk.fake.fault(is_poll, "status:404", times=20)
    error = failing(desk.runner().collect(first.task))
    assert isinstance(error, Refused)
    assert f"forget {first.row}" in error.hint
    assert (error.spent, desk.row().state) == ("yes", "saved")
    assert not any(map(is_result, desk.fake.requests[-3:]))


def test_rows_keep_the_account_and_the_origin_that_took_the_order(
    desk: Desk, tmp_path: Path
) -> None:
    desk.video()
    row = desk.row()
    assert row.origin == desk.fake.url
    fake: Fake = desk.fake
    assert fake.key not in f"{row.account} {row.origin}"
    assert row.account
