"""An order that is sent: what may be repeated, and what is never sent twice."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakes
import pytest
import urllib3.connection
from fakes import Answer, Request
from running import FOREVER, Desk, age, failing, is_create, is_poll, until

from seedance import providers, transport
from seedance.errors import BadOrder, OutOfCredit, Refused, Unclear, Unreachable
from seedance.journal import Journal
from seedance.journal.journal import LEASE_SECONDS
from seedance.runner.active import ActiveOrder
from seedance.wire import Delivered, Flow, Ticket

pytestmark = pytest.mark.slow


def is_list(request: Request) -> bool:
    return is_poll(request) and request.path.endswith("/tasks")


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
