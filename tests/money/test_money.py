"""What each fault does to a person's money: creates counted, rows, errors, and the next click."""

from __future__ import annotations

import email.utils
import logging
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fakes
import pytest
import sqlalchemy as sa
import urllib3.connection
from fakes import Answer, Request
from running import Desk, is_create, is_poll, is_result, picture, until

from seedance import download, providers, transport
from seedance.errors import (
    BadOrder,
    Cancelled,
    OutOfCredit,
    Refused,
    SeedanceError,
    StillRunning,
    TaskFailed,
    Unclear,
    Unreachable,
)
from seedance.journal import Journal, NewRow, schema
from seedance.journal.journal import LEASE_SECONDS
from seedance.order import fingerprint
from seedance.runner import files, poll, quotes
from seedance.runner.active import ActiveOrder
from seedance.wire import Delivered, Flow, Ticket

pytestmark = pytest.mark.slow

FOREVER = 10**6


def failing(desk: Desk, **fields: Any) -> SeedanceError:
    """The error that one take ends with."""
    with pytest.raises(SeedanceError) as caught:
        desk.video(**fields)
    return caught.value


def is_list(request: Request) -> bool:
    return is_poll(request) and request.path.endswith("/tasks")


def is_delete(request: Request) -> bool:
    return request.method == "DELETE"


# ---------------------------------------------------------------- the create: what may be repeated


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the next so many connections be refused by the system."""
    connect = urllib3.connection.connection.create_connection
    left = 0

    def create_connection(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            raise ConnectionRefusedError(111, "Connection refused")
        return connect(*args, **kwargs)

    monkeypatch.setattr(urllib3.connection.connection, "create_connection", create_connection)

    def refuse(times: int) -> None:
        nonlocal left
        left = times

    return refuse


def test_an_order_that_never_left_is_sent_again(
    desk: Desk, unreachable: Callable[[int], None]
) -> None:
    unreachable(1)
    assert desk.video().state == "saved"
    assert (desk.fake.creates, desk.sent_creates) == (1, 1)


def test_an_order_that_cannot_leave_costs_nothing_and_may_be_tried_again(
    desk: Desk, unreachable: Callable[[int], None]
) -> None:
    unreachable(FOREVER)
    runner = desk.runner(SEEDANCE_TIMEOUT="0.5")
    with pytest.raises(Unreachable) as caught:
        desk.video(runner)
    assert (caught.value.exit_code, caught.value.spent) == (8, "no")
    assert desk.row().state == "refused"
    unreachable(0)
    assert desk.video().state == "saved"
    assert desk.fake.creates == 1


def in_a_second() -> str:
    return email.utils.formatdate(time.time() + 1, usegmt=True)


@pytest.mark.parametrize("told", ["1", "a date", ""])
def test_a_busy_provider_is_asked_again_as_it_says(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    asked: list[float] = []
    pause = ActiveOrder.pause

    def noted(self: ActiveOrder, seconds: float) -> None:
        asked.append(seconds)
        pause(self, min(seconds, 0.05))

    monkeypatch.setattr(ActiveOrder, "pause", noted)
    later = "Fri, 01 Jan 2100 00:00:00 GMT"
    headers = {"retry-after": later if told == "a date" else told} if told else {}
    desk.fake.fault(is_create, Answer(429, json={"error": {"message": "busy"}}, headers=headers))
    assert desk.video().state == "saved"
    assert (desk.fake.creates, desk.sent_creates) == (1, 2)
    # A date is followed up to ten minutes; where nothing is told, we begin with two seconds.
    assert asked[0] == {"1": 1.0, "a date": 600.0, "": 2.0}[told]


def test_a_provider_that_stays_busy_refuses_in_the_end(desk: Desk) -> None:
    busy = {"error": {"message": "slow down", "code": "RATE_LIMITED"}}
    desk.fake.fault(is_create, Answer(429, json=busy, headers={"retry-after": "5"}), times=FOREVER)
    runner = desk.runner(SEEDANCE_TIMEOUT="1")
    with pytest.raises(Refused) as caught:
        desk.video(runner)
    assert (caught.value.spent, desk.row().state, desk.fake.creates) == ("no", "refused", 0)
    assert caught.value.message.startswith(
        "Lumenfall is busy (HTTP 429): slow down; it was still busy"
    )


def test_a_quota_that_is_used_up_is_not_waited_for(desk: Desk) -> None:
    used_up = {"error": {"message": "Quota exceeded.", "code": "insufficient_quota"}}
    desk.fake.fault(is_create, Answer(429, json=used_up, headers={"retry-after": "1"}))
    error = failing(desk)
    assert isinstance(error, OutOfCredit)
    assert (error.exit_code, error.spent, desk.row().state) == (4, "no", "refused")
    assert desk.sent_creates == 1


# ------------------------------------------------------------ the create: what is never sent again


UNCLEAR = {
    "reset before it was read": "reset",
    "reset after it was read": "reset-after",
    "read time-out": "hang",
    "answer cut in the middle": "truncate",
    "408": "status:408",
    "409": "status:409",
    "500": "status:500",
    "502, a web page": "html:502",
    "503 with Retry-After": Answer(503, json={}, headers={"retry-after": "1"}),
    "200, a web page": "html:200",
    "200 without an id": Answer(200, json={"object": "video"}),
    "200 with an id that is none": Answer(200, json={"id": {"nested": True}}),
    "200, empty": Answer(200, body=b""),
    "200, a list": Answer(200, json=["vid_0001"]),
}


@pytest.mark.parametrize("what", UNCLEAR.values(), ids=UNCLEAR)
def test_an_unclear_order_is_never_sent_again_by_itself(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, what: str | Answer
) -> None:
    monkeypatch.setattr("seedance.transport.session.SPEND_SECONDS", 0.5)
    desk.fake.fault(is_create, what)
    error = failing(desk)
    row = desk.row()
    assert isinstance(error, Unclear)
    assert (error.exit_code, error.spent, row.state) == (5, "unknown", "unclear")
    assert f"forget {row.id}" in str(error)
    again = failing(desk)
    assert isinstance(again, Unclear)
    assert f"forget {row.id}" in str(again)
    assert desk.sent_creates == 1


def test_an_unclear_order_is_sent_again_once_it_is_forgotten(desk: Desk) -> None:
    desk.fake.fault(is_create, "reset")
    failing(desk)
    runner = desk.runner()
    runner.forget(desk.row().id)
    assert desk.video(runner).state == "saved"


def test_another_seed_is_another_order(desk: Desk) -> None:
    desk.fake.fault(is_create, "reset-after")
    failing(desk)
    assert desk.video(seed=1).seed == 1
    assert desk.fake.creates == 2


class Boom(RuntimeError):
    """An error that nobody foresaw."""


def test_an_unforeseen_error_while_sending_is_unclear(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = desk.runner()

    def perform(self: Any, call: Any) -> Any:
        raise Boom("in the middle of the request")

    monkeypatch.setattr(transport.Transport, "perform", perform)
    with pytest.raises(Unclear):
        desk.video(runner)
    assert desk.row().state == "unclear"


@pytest.mark.parametrize("kind", [Boom, BadOrder, Unreachable])
def test_no_error_after_an_accepting_answer_means_that_nothing_was_spent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    provider = providers.get("lumenfall")
    submit = provider.submit

    def submit_and_fail(self: Any, order: Any, delivered: Delivered) -> Flow[Ticket]:
        yield from submit(self, order, delivered)
        raise kind("while the answer was read")

    monkeypatch.setattr(provider, "submit", submit_and_fail)
    error = failing(desk)
    assert (error.kind, desk.row().state, desk.fake.creates) == ("Unclear", "unclear", 1)


REFUSED = {"400": 400, "401": 401, "403": 403, "404": 404, "413": 413, "422": 422}


@pytest.mark.parametrize("status", REFUSED.values(), ids=REFUSED)
def test_a_clear_no_costs_nothing_and_may_be_sent_again(desk: Desk, status: int) -> None:
    desk.fake.fault(is_create, f"status:{status}")
    error = failing(desk)
    assert isinstance(error, Refused)
    assert (error.exit_code, error.spent, desk.row().state) == (4, "no", "refused")
    assert desk.video().state == "saved"
    assert desk.fake.creates == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_an_order_is_never_sent_on_to_where_a_redirect_points(desk: Desk, status: int) -> None:
    with fakes.all()["lumenfall"]() as elsewhere:
        there = {"location": f"{elsewhere.base_url}/videos"}
        desk.fake.fault(is_create, Answer(status, json={}, headers=there))
        error = failing(desk)
        assert elsewhere.requests == []
    assert isinstance(error, Refused)
    assert (error.spent, desk.row().state) == ("no", "refused")


def test_a_create_has_a_connection_of_its_own(desk: Desk) -> None:
    server = desk.fake._server
    assert server is not None
    connections: list[Any] = []
    at_creates: list[int] = []
    get_request = server.get_request

    def accepting() -> Any:
        connections.append(get_request())
        return connections[-1]

    def noting(request: Request) -> bool:
        if is_create(request):
            at_creates.append(len(connections))
        return False

    server.get_request = accepting  # type: ignore[method-assign]
    desk.fake.fault(noting, "reset")
    runner = desk.runner()
    desk.video(runner, seed=0)
    before = len(connections)
    desk.video(runner, seed=1)
    # The pooled connection of the first order's polls serves those of the second, not its create.
    assert at_creates == [1, before + 1]
    assert len(connections) == before + 1
    assert {item.headers["connection"] for item in desk.fake.sent("POST")} == {"close"}


def test_nothing_is_sent_where_the_journal_cannot_be_written(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    runner = desk.runner(SEEDANCE_JOURNAL_URL=f"sqlite:///{tmp_path}/file/journal.db")
    with pytest.raises(BadOrder, match="journal"):
        desk.video(runner)
    assert desk.fake.requests == []


def test_nothing_is_sent_where_the_journal_breaks_before_the_create(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = desk.runner()
    jammed = BadOrder("The journal cannot be written: disk I/O error.")

    def take_slot(*_: Any) -> Any:
        raise jammed

    monkeypatch.setattr(runner.journal, "take_slot", take_slot)
    with pytest.raises(BadOrder, match="disk I/O"):
        desk.video(runner)
    assert desk.sent_creates == 0


def test_a_journal_that_breaks_after_the_create_does_not_lose_the_video(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = desk.runner()
    advance = runner.journal.advance
    broken = [True, True, True]

    def advance_or_fail(row_id: int, state: str, **values: Any) -> Any:
        if broken:
            broken.pop()
            raise BadOrder("The journal cannot be written: disk I/O error.")
        return advance(row_id, state, **values)

    monkeypatch.setattr(runner.journal, "advance", advance_or_fail)
    result = desk.video(runner)
    assert (result.state, result.task) == ("saved", "lumenfall:vid_0001")
    assert desk.row().task == "lumenfall:vid_0001"
    assert broken == []


def test_an_answer_that_comes_after_the_lease_was_lost_still_counts(desk: Desk) -> None:
    desk.fake.fault(is_create, "hang")
    job = desk.start()
    until(lambda: desk.fake.creates)
    # The machine slept: meanwhile another process saw the lease run out.
    url = desk.settings().journal_url
    late = Journal(url, clock=lambda: time.time() + LEASE_SECONDS + 1)
    late.holder = "elsewhere#1#0badcafe"
    claimed = late.claim(job.row or 0)
    assert claimed is not None
    assert claimed.state == "unclear"
    desk.fake.let_go()
    assert job.wait().state == "saved"
    assert (desk.row().task, desk.sent_creates) == ("lumenfall:vid_0001", 1)


# --------------------------------------------------------- the create: cleared by the list of tasks


def test_the_list_of_tasks_clears_an_unclear_order(ark: Desk) -> None:
    ark.fake.fault(is_create, "reset-after")
    assert ark.video().state == "saved"
    assert (ark.fake.creates, ark.sent_creates) == (1, 1)


def test_an_order_that_is_not_listed_yet_stays_unclear(ark: Desk) -> None:
    ark.fake.fault(is_create, "reset")
    assert isinstance(failing(ark), Unclear)
    assert isinstance(failing(ark), Unclear)
    assert ark.sent_creates == 1


def age(desk: Desk, seconds: float, *columns: str) -> None:
    """Make the newest row (and what the provider made of it) older."""
    orders = schema.orders
    values = {name: orders.c[name] - seconds for name in columns}
    older = sa.update(orders).where(orders.c.id == desk.row().id).values(**values)
    with desk.runner().journal._opened().begin() as connection:
        connection.execute(older)
    for task_id in getattr(desk.fake, "created", {}):
        desk.fake.created[task_id] -= int(seconds)  # type: ignore[attr-defined]


def test_that_an_order_is_not_listed_proves_nothing(ark: Desk) -> None:
    ark.fake.fault(is_create, "reset")
    failing(ark)
    age(ark, 3600, "submitted", "updated")
    assert isinstance(failing(ark), Unclear)
    assert (ark.fake.creates, ark.sent_creates) == (0, 1)


def test_a_task_with_another_mark_is_never_taken_up(ark: Desk) -> None:
    """Same prompt, seed, size and time: another journal on this account ordered it."""
    ark.fake.fault(is_create, "reset-after")
    ark.fake.fault(is_list, "status:403")
    failing(ark)
    for task in ark.fake.tasks.values():
        task.body["execution_expires_after"] -= 1
    assert isinstance(failing(ark), Unclear)
    assert (ark.fake.creates, ark.sent_creates) == (1, 1)


def test_an_order_older_than_the_list_of_tasks_stays_unclear(ark: Desk) -> None:
    ark.fake.fault(is_create, "reset-after")
    ark.fake.fault(is_list, "status:403")
    failing(ark)
    week = providers.get("byteplus").limits.task_life
    age(ark, week + 60, "submitted", "updated", "created")
    ark.fake.tasks.clear()
    assert isinstance(failing(ark), Unclear)
    assert ark.sent_creates == 1


def test_a_task_is_looked_for_from_when_it_was_sent_not_from_when_that_was_noticed(
    ark: Desk,
) -> None:
    ark.fake.fault(is_list, "status:403")
    ark.fake.fault(is_create, "reset-after")
    failing(ark)
    # A holder that died is noticed whenever somebody next looks, e.g. on the next morning.
    age(ark, 40_000, "submitted")
    assert ark.video().state == "saved"
    assert (ark.fake.creates, ark.sent_creates) == (1, 1)


def test_a_task_of_another_order_is_not_taken_for_the_unclear_one(ark: Desk) -> None:
    runner = ark.runner()
    first = ark.video(runner)
    ark.fake.fault(is_create, "reset-after")
    # The list tells neither prompt: both tasks look alike there.
    order = ark.order(generate_audio=True)
    other = runner.start(type(order)(**{**vars(order), "prompt": "a hare"}))[0].wait()
    assert other.task != first.task
    assert (ark.fake.creates, ark.sent_creates) == (2, 2)


# ------------------------------------------------------------------------------------------ polls


PASSING = {
    "reset": "reset",
    "reset after": "reset-after",
    "time-out": "hang:2",
    "cut": "truncate",
    "408": "status:408",
    "425": "status:425",
    "500": "status:500",
    "502, a web page": "html:502",
    "200, a web page": "html:200",
    "404 just after the create": "status:404",
    "a redirect": Answer(302, headers={"location": "https://example.com/"}),
    "an odd word": Answer(200, json={"id": "vid_0001", "status": "dancing"}),
    "no word": Answer(200, json={"id": "vid_0001"}),
    "success without an address": Answer(200, json={"id": "vid_0001", "status": "completed"}),
}


@pytest.mark.parametrize("what", PASSING.values(), ids=PASSING)
def test_polling_survives(desk: Desk, monkeypatch: pytest.MonkeyPatch, what: str | Answer) -> None:
    monkeypatch.setattr("seedance.transport.session.READ_SECONDS", 0.5)
    desk.fake.fault(is_poll, what, times=3)
    assert desk.video().state == "saved"
    assert desk.sent_creates == 1


def test_a_clock_that_is_set_while_a_task_runs_does_not_end_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.fake.polls_until_done = FOREVER
    job = desk.start()
    until(lambda: any(map(is_poll, desk.fake.requests)))
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 30 * 86400)
    polls = len(desk.fake.requests)
    until(lambda: len(desk.fake.requests) > polls + 3)
    desk.fake.polls_until_done = 0
    assert job.wait().state == "saved"


def test_an_odd_word_is_logged_once_with_the_answer(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    odd = Answer(200, json={"id": "vid_0001", "status": "dancing"})
    desk.fake.fault(is_poll, odd, times=3)
    with caplog.at_level(logging.WARNING):
        desk.video()
    (record,) = (item for item in caplog.records if "dancing" in item.getMessage())
    assert '"id": "vid_0001"' in record.getMessage()


def test_a_poll_waits_as_long_as_the_provider_says(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    pause = ActiveOrder.pause

    def noted(self: ActiveOrder, seconds: float) -> None:
        asked.append(seconds)
        pause(self, 0.0)

    monkeypatch.setattr(ActiveOrder, "pause", noted)
    desk.fake.fault(is_poll, "429:7")
    desk.video()
    assert [round(seconds) for seconds in asked if seconds > 1] == [7]


def test_a_permanent_answer_stops_the_waiting_and_keeps_the_ticket(desk: Desk) -> None:
    desk.fake.fault(is_poll, "status:401", times=poll.PERMANENT_ANSWERS)
    runner = desk.runner()
    with pytest.raises(StillRunning) as caught:
        desk.video(runner)
    assert (caught.value.task, caught.value.exit_code) == ("lumenfall:vid_0001", 7)
    # Another process can have it at once: nobody works on the row any more.
    assert desk.row().holder is None
    assert desk.runner().collect("lumenfall:vid_0001").wait().state == "saved"
    assert desk.sent_creates == 1


def test_a_404_is_no_proof_that_a_paid_task_has_ended(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "UNKNOWN_SECONDS", 0.0)
    desk.fake.fault(is_poll, "status:404", times=poll.PERMANENT_ANSWERS)
    error = failing(desk)
    assert isinstance(error, StillRunning)
    assert "no proof" in error.message
    assert (error.spent, desk.row().state) == ("yes", "running")
    assert desk.video().state == "saved"
    assert desk.fake.creates == 1


def test_a_404_ends_a_task_that_its_provider_forgets_by_its_document(
    ark: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "UNKNOWN_SECONDS", 0.0)
    ark.start().wait()
    row = ark.row()
    assert row.file is not None
    row.file.unlink()
    ark.runner().forget(row.id)
    age(ark, 8 * 24 * 3600, "submitted")
    ark.fake.tasks.clear()
    with pytest.raises(TaskFailed, match="gave the task up"):
        ark.runner().collect(row.task or "").wait()
    assert ark.row().state == "expired"


def test_leonardo_tells_with_a_200_that_it_does_not_know_a_task(tmp_path: Path) -> None:
    with fakes.all()["leonardo"](polls_until_done=1) as fake:
        desk = Desk(fake, tmp_path)
        with pytest.raises(StillRunning, match="no proof"):
            desk.runner().collect("leonardo:00000000-0000-4000-8000-00000000dead").wait()
        assert len(fake.requests) == poll.PERMANENT_ANSWERS
        # A task that was just created may not be known everywhere yet.
        nothing = Answer(200, json={"generations_by_pk": None})
        fake.fault(is_poll, nothing, times=poll.PERMANENT_ANSWERS + 1)
        assert desk.video().state == "saved"


def test_evolink_tells_with_a_400_that_it_does_not_know_a_task(tmp_path: Path) -> None:
    with fakes.all()["evolink"]() as fake, pytest.raises(StillRunning, match="no proof"):
        Desk(fake, tmp_path).runner().collect("evolink:task-unified-1-none").wait()


def test_a_success_that_never_gets_an_address_can_be_collected(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "ROUNDS_WITHOUT_ADDRESS", 3)
    without = Answer(200, json={"id": "vid_0001", "status": "completed"})
    desk.fake.fault(is_poll, without, times=3)
    assert isinstance(failing(desk), StillRunning)
    assert desk.runner().collect("lumenfall:vid_0001").wait().state == "saved"


def test_a_flagged_video_whose_address_comes_later_is_kept(tmp_path: Path) -> None:
    with fakes.all()["leonardo"](polls_until_done=1) as fake:
        flagged = {"status": "COMPLETE", "generated_images": [{"url": None, "nsfw": True}]}
        fake.fault(is_poll, Answer(200, json={"generations_by_pk": flagged}), times=2)
        assert Desk(fake, tmp_path).video().state == "saved"


def test_a_flagged_video_that_never_gets_an_address_was_withheld(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "ROUNDS_WITHOUT_ADDRESS", 3)
    with fakes.all()["leonardo"](polls_until_done=0) as fake:
        fake.nsfw = True
        desk = Desk(fake, tmp_path)
        error = failing(desk)
        assert isinstance(error, TaskFailed)
        assert "the finished video was refused" in error.message
        assert "not safe for work" in error.message
        assert desk.row().state == "failed"
        assert sum(map(is_poll, fake.requests)) == len(fake.sent("GET")) == 3


# -------------------------------------------------------------------------------------- downloads


def test_a_download_that_broke_goes_on_where_it_stopped(desk: Desk) -> None:
    padding = 2**20
    clip = desk.fake.clip + padding.to_bytes(4, "big") + b"free" + bytes(padding - 8)
    desk.fake._clip = clip
    desk.fake.fault(is_result, "truncate")
    assert desk.video().file.read_bytes() == clip
    first, second = (item for item in desk.fake.requests if is_result(item))
    assert "range" not in first.headers
    # What arrived is kept, but for the block that was being read.
    begin = int(second.headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert len(clip) // 2 - 2**16 <= begin <= len(clip) // 2


BAD_FILES = {
    "no video": Answer(200, body=b"this is no video", headers={"content-type": "video/mp4"}),
    "half of the video, said to be all": "half",
    "a web page": "html:200",
    "a web page with 502": "html:502",
    "empty": Answer(200, body=b"", headers={"content-type": "video/mp4"}),
    "a stall": "hang:2",
    "reset": "reset",
    "429": "429:1",
}


@pytest.mark.parametrize("what", BAD_FILES.values(), ids=BAD_FILES)
def test_what_is_no_whole_video_is_fetched_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, what: str | Answer
) -> None:
    monkeypatch.setattr("seedance.transport.session.READ_SECONDS", 0.5)
    if what == "half":
        half = desk.fake.clip[: len(desk.fake.clip) // 2]
        what = Answer(200, body=half, headers={"content-type": "video/mp4"})
    desk.fake.fault(is_result, what)
    result = desk.video()
    assert result.file.read_bytes() == desk.fake.clip
    assert desk.sent_creates == 1


def test_an_expired_address_is_asked_for_again_by_ticket(desk: Desk) -> None:
    desk.fake.fault(is_result, "status:403")
    assert desk.video().state == "saved"
    paths = [item.path for item in desk.fake.requests]
    first = paths.index("/results/clip.mp4")
    assert paths[first:] == ["/results/clip.mp4", "/v1/videos/vid_0001", "/results/clip.mp4"]


def test_a_video_that_cannot_be_fetched_now_can_be_collected(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TRIES_WITHOUT_PROGRESS", 1)
    desk.fake.fault(is_result, "status:500", times=3)
    error = failing(desk)
    assert isinstance(error, StillRunning)
    assert (error.spent, error.task, desk.row().state) == (
        "yes",
        "lumenfall:vid_0001",
        "succeeded",
    )
    assert desk.row().holder is None
    assert desk.runner().collect("lumenfall:vid_0001").wait().state == "saved"
    assert desk.sent_creates == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for little more than a folder."""
    folder = tmp_path / "output"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small file system, and not everywhere")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_full_leaves_the_video_collectable(
    desk: Desk, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SMALLEST_FREE", 0)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(64 * 1024 - len(desk.fake.clip)))
    error = failing(desk)
    assert isinstance(error, StillRunning)
    assert "No space left on device" in error.message
    assert [path.name for path in small_disk.iterdir()] == ["filler"]
    filler.unlink()
    result = desk.runner().collect(error.task or "").wait()
    assert result.file.read_bytes() == desk.fake.clip
    assert desk.sent_creates == 1


def test_a_disk_that_is_nearly_full_refuses_before_anything_is_sent(
    desk: Desk, small_disk: Path
) -> None:
    with pytest.raises(BadOrder, match="free"):
        desk.video()
    assert desk.fake.requests == []


# ---------------------------------------------------------------------------- the same order again


def test_the_same_finished_order_is_free(desk: Desk) -> None:
    first = desk.video()
    requests = len(desk.fake.requests)
    again = desk.video()
    assert (again.file, again.reused, first.reused) == (first.file, True, False)
    assert len(desk.fake.requests) == requests


def test_a_saved_file_that_was_deleted_is_fetched_by_ticket(desk: Desk) -> None:
    desk.video().file.unlink()
    again = desk.video()
    assert again.file.read_bytes() == desk.fake.clip
    assert desk.sent_creates == 1


def test_a_deleted_file_that_nobody_has_any_more_is_not_paid_for_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.video().file.unlink()
    desk.fake.tasks.clear()
    error = failing(desk)
    assert isinstance(error, Refused)
    assert f"forget {desk.row().id}" in str(error)
    assert isinstance(failing(desk), Refused)
    assert desk.sent_creates == 1


def test_two_processes_with_the_same_order_pay_once_and_both_get_the_video(desk: Desk) -> None:
    jobs = [desk.start(desk.runner()), desk.start(desk.runner())]
    files = {job.wait().file for job in jobs}
    assert len(files) == 1
    assert desk.sent_creates == 1


def test_two_processes_that_miss_the_same_file_fetch_it_both(desk: Desk) -> None:
    first = desk.video()
    first.file.unlink()
    runners = [desk.runner(), desk.runner()]
    rows = [runner.journal.held(desk.row().fingerprint) for runner in runners]
    assert [row.state for row in rows if row] == ["saved", "saved"]
    jobs = [desk.start(runner) for runner in runners]
    assert {job.wait().file for job in jobs} == {first.file}
    assert desk.sent_creates == 1


def test_takes_are_separate_orders_and_one_that_is_refused_leaves_the_others(desk: Desk) -> None:
    is_second = lambda item: is_create(item) and item.json["seed"] == 1  # noqa: E731
    desk.fake.fault(is_second, "status:400")
    jobs = desk.runner().start(desk.order(), takes=3)
    outcomes = []
    for job in jobs:
        try:
            outcomes.append(job.wait().state)
        except Refused as error:
            outcomes.append(error.kind)
    assert outcomes == ["saved", "Refused", "saved"]
    again = desk.runner().start(desk.order(), takes=3)
    assert [job.wait().state for job in again] == ["saved"] * 3
    assert desk.fake.creates == 3


def test_a_moderated_take_tells_the_stage_and_that_it_is_not_billed(ark: Desk) -> None:
    code = "OutputVideoSensitiveContentDetected"
    ark.fake.fail_with = {"code": code, "message": "The video may be sensitive."}
    error = failing(ark)
    assert isinstance(error, TaskFailed)
    assert (error.stage, error.spent, error.exit_code) == ("output", "no", 6)
    assert "not billed" in str(error)
    assert ark.row().state == "failed"


def test_a_failed_task_may_be_sent_again(ark: Desk) -> None:
    ark.fake.fail_with = {"code": "InternalServiceError", "message": "Try again."}
    failing(ark)
    ark.fake.fail_with = None
    assert ark.video().state == "saved"
    assert ark.fake.creates == 2


@pytest.mark.parametrize("word", ["expired", "cancelled"])
def test_a_task_that_is_not_billed_costs_nothing(ark: Desk, word: str) -> None:
    """Ark charges only for success."""
    task = {"id": "cgt-1", "model": "dreamina-seedance-2-0-260128", "status": word}
    ark.fake.fault(is_poll, Answer(200, json=task))
    error = failing(ark)
    assert (error.spent, ark.row().state, ark.row().cost) == ("no", word, None)
    assert ark.runner().journal.spent(1) == []


def test_whether_a_task_that_ended_there_is_billed_may_be_unknown(desk: Desk) -> None:
    task = {"id": "vid_0001", "status": "cancelled"}
    desk.fake.fault(is_poll, Answer(200, json=task))
    error = failing(desk)
    assert (error.spent, desk.row().state) == ("unknown", "cancelled")
    assert desk.row().cost is not None


# --------------------------------------------------------------------- waiting, leaving, cancelling


def test_who_stops_waiting_can_collect_later(desk: Desk) -> None:
    desk.fake.polls_until_done = FOREVER
    runner = desk.runner(SEEDANCE_TIMEOUT="0.3")
    with pytest.raises(StillRunning) as caught:
        desk.video(runner)
    desk.fake.polls_until_done = 0
    runner.settings.timeout = 60.0
    assert runner.collect(caught.value.task or "").wait().state == "saved"
    assert desk.sent_creates == 1


def test_an_order_is_carried_through_though_nobody_waits(desk: Desk) -> None:
    desk.start()
    until(lambda: desk.row().state == "saved")


def test_a_dead_process_is_taken_over_from(desk: Desk) -> None:
    runner = desk.runner()
    order = quotes.prepare(desk.order(), desk.settings()).order
    dead = desk.runner().journal
    child = subprocess.Popen(["true"])
    child.wait()
    dead.holder = f"{dead.holder.split('#')[0]}#{child.pid}#dead"
    target = desk.output / "taken over.mp4"
    account = quotes.account_of("lumenfall", desk.fake.key)
    new = NewRow(
        fingerprint(order), "asked", "lumenfall", account, order.describe(), target=str(target)
    )
    row, _ = dead.reserve(new)
    dead.take_slot(row.id, None)
    desk.fake.accept({"model": "seedance-2.0", "prompt": "a fox"}, "vid_{n:04d}")
    dead.advance(row.id, "running", task="lumenfall:vid_0001")
    assert runner.recover() == 1
    until(lambda: desk.row().state == "saved")
    assert target.read_bytes() == desk.fake.clip
    assert desk.sent_creates == 0


def test_an_order_that_a_dead_process_only_prepared_is_given_up_free_of_charge(
    desk: Desk,
) -> None:
    order = desk.order()
    dead = desk.runner().journal
    child = subprocess.Popen(["true"])
    child.wait()
    dead.holder = f"{dead.holder.split('#')[0]}#{child.pid}#dead"
    new = NewRow("f", "asked", "lumenfall", "account", order.describe(), target="x.mp4")
    dead.reserve(new)
    desk.runner().recover()
    until(lambda: desk.row().state == "cancelled")
    assert desk.row().error is not None
    assert desk.row().error["spent"] == "no"
    assert desk.fake.requests == []


def test_with_a_timeout_of_0_it_is_ordered_and_not_waited_for(desk: Desk) -> None:
    runner = desk.runner(SEEDANCE_TIMEOUT="0")
    job = desk.start(runner)
    with pytest.raises(StillRunning) as caught:
        job.wait()
    assert caught.value.task == "lumenfall:vid_0001"
    assert runner.collect("lumenfall:vid_0001").row == job.row
    until(lambda: desk.row().state == "saved")


def test_cancel_says_that_it_goes_on_where_cancelling_is_not_free(desk: Desk) -> None:
    desk.fake.polls_until_done = 5
    job = desk.start()
    until(lambda: job.task)
    job.cancel()
    assert "cannot cancel lumenfall:vid_0001 free of charge" in job.cancel_note
    assert job.wait().state == "saved"
    assert not any(map(is_delete, desk.fake.requests))


def test_cancel_asks_the_provider_where_that_is_free(ark: Desk) -> None:
    ark.fake.polls_until_done = FOREVER
    job = ark.start(ark.runner(SEEDANCE_POLL_INTERVAL="30"))
    until(lambda: job.task)
    job.cancel()
    assert "asked to cancel" in job.cancel_note
    with pytest.raises(Cancelled) as caught:
        job.wait()
    assert caught.value.spent == "no"
    assert ark.row().state == "cancelled"
    assert sum(map(is_delete, ark.fake.requests)) == 1


def test_cancel_keeps_the_video_where_the_provider_says_that_it_is_too_late(ark: Desk) -> None:
    job = ark.start()
    until(lambda: sum(map(is_poll, ark.fake.requests)) >= 1)
    ark.fake.polls_until_done = 5  # it renders: only queued tasks are cancelled
    ark.fake.tasks["cgt-20261120093000-00001"].polls = 2
    job.cancel()
    assert job.wait().state == "saved"


def test_cancel_stops_nothing_while_somebody_else_waits(ark: Desk) -> None:
    ark.fake.polls_until_done = 5
    runner = ark.runner()
    mine, theirs = ark.start(runner), ark.start(runner)
    until(lambda: mine.task)
    mine.cancel()
    assert "Somebody else waits" in mine.cancel_note
    assert theirs.wait().state == "saved"
    assert not any(map(is_delete, ark.fake.requests))


def test_the_last_of_several_who_cancel_cancels_the_task(ark: Desk) -> None:
    ark.fake.polls_until_done = FOREVER
    runner = ark.runner(SEEDANCE_POLL_INTERVAL="30")
    jobs = [ark.start(runner) for _ in range(4)]
    until(lambda: jobs[0].task)
    for job in jobs:
        job.cancel()
    with pytest.raises(Cancelled):
        jobs[0].wait()
    assert sum(map(is_delete, ark.fake.requests)) == 1


def test_cancel_before_the_create_sends_nothing(ark: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = ark.runner()
    provider = providers.get("byteplus")
    full = provider.limits.__class__(**{**vars(provider.limits), "concurrent": 0})
    monkeypatch.setattr(provider, "limits", full)
    job = ark.start(runner)
    until(lambda: "waiting for a slot" in job.progress.text)
    job.cancel()
    with pytest.raises(Cancelled, match="nothing was spent"):
        job.wait()
    assert (ark.row().state, ark.fake.requests) == ("cancelled", [])


def test_cancel_during_an_upload_sends_no_create(tmp_path: Path) -> None:
    with fakes.all()["leonardo"](polls_until_done=1) as fake:
        desk = Desk(fake, tmp_path)
        fake.fault(lambda request: True, "hang", times=FOREVER)
        job = desk.start(first_frame=picture())
        until(lambda: fake.requests)
        job.cancel()
        with pytest.raises(Cancelled, match="nothing was spent"):
            job.wait()
        assert (fake.creates, desk.row().state) == (0, "cancelled")


def test_a_cancel_while_the_create_is_under_way_keeps_its_ticket(ark: Desk) -> None:
    ark.fake.polls_until_done = FOREVER
    ark.fake.fault(is_create, "hang")
    job = ark.start(ark.runner(SEEDANCE_POLL_INTERVAL="30"))
    until(lambda: ark.sent_creates)
    job.cancel()
    ark.fake.let_go()
    with pytest.raises(Cancelled):
        job.wait()
    assert ark.row().task == "byteplus:cgt-20261120093000-00001"
    assert sum(map(is_delete, ark.fake.requests)) == 1


def test_uploads_are_not_repeated_for_the_next_take(tmp_path: Path) -> None:
    with fakes.all()["leonardo"](polls_until_done=1) as fake:
        desk = Desk(fake, tmp_path)
        jobs = desk.runner().start(desk.order(first_frame=picture()), takes=2)
        for job in jobs:
            job.wait()
        uploads = [item for item in fake.requests if "init-image" in item.path]
        assert (len(uploads), fake.creates) == (1, 2)


def test_a_failed_upload_spends_nothing(tmp_path: Path) -> None:
    with fakes.all()["leonardo"]() as fake:
        desk = Desk(fake, tmp_path)
        fake.fault(lambda request: True, "status:400", times=FOREVER)
        error = failing(desk, first_frame=picture())
        assert (error.spent, fake.creates, desk.row().state) == ("no", 0, "refused")


def test_an_upload_that_is_answered_with_a_web_page_is_an_odd_reply(tmp_path: Path) -> None:
    with fakes.all()["leonardo"]() as fake:
        desk = Desk(fake, tmp_path)
        fake.fault(lambda request: True, "html:200", times=FOREVER)
        error = failing(desk, first_frame=picture())
        assert (error.kind, error.exit_code, error.spent) == ("OddReply", 9, "no")
        assert (fake.creates, desk.row().state) == (0, "refused")
