"""Found means recognised, and absence proves nothing: orders at Ark, which lists its tasks."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import fakes
import pytest
from fakes import Answer, Request
from journals import new, sql
from running import Desk, is_create, is_poll

from seedance.errors import SeedanceError, Unclear
from seedance.journal import Journal
from seedance.providers import get
from seedance.runner import Runner
from seedance.wire import Config, Reply

pytestmark = pytest.mark.slow


def is_list(request: Request) -> bool:
    return is_poll(request) and request.path.endswith("/tasks")


def unclear(desk: Desk, runner: Runner | None = None, **order: Any) -> Unclear:
    """One take that ends unclear."""
    with pytest.raises(Unclear) as caught:
        desk.video(runner, **order)
    return caught.value


def cut_off(desk: Desk, **order: Any) -> None:
    """One order whose create arrives, and whose answer does not; the list cannot be read then."""
    desk.fake.fault(is_create, "reset-after")
    desk.fake.fault(is_list, "status:403")
    unclear(desk, **order)


def prompt_of(desk: Desk, task: str | None) -> str:
    """What the provider was asked for with a task."""
    body = desk.fake.tasks[(task or "").partition(":")[2]].body
    return str(body["content"][0]["text"])


# ------------------------------------------------------------------------------------ recognised


def test_two_orders_with_the_same_seed_that_are_cut_off_together_get_each_its_own(
    ark: Desk,
) -> None:
    for prompt in ("a fox", "a dog"):
        cut_off(ark, prompt=prompt)
    for prompt in ("a dog", "a fox"):
        result = ark.video(prompt=prompt)
        assert prompt_of(ark, result.task) == prompt
    assert (ark.fake.creates, ark.sent_creates) == (2, 2)


def test_a_second_journal_on_the_same_account_takes_nothing_of_the_first(
    ark: Desk, tmp_path: Path
) -> None:
    theirs = Desk(ark.fake, tmp_path / "another computer")
    cut_off(ark)
    ark.fake.fault(is_create, "reset")  # theirs never arrives
    unclear(theirs)
    unclear(theirs)
    assert theirs.row().task is None
    assert ark.video().task == "byteplus:cgt-20261120093000-00001"
    assert (ark.fake.creates, ark.sent_creates) == (1, 2)


def test_two_tasks_with_the_mark_of_one_order_adopt_none(ark: Desk) -> None:
    cut_off(ark)
    (task,) = ark.fake.tasks.values()
    twin = ark.fake.accept(task.body, "cgt-20261120093000-{n:05d}")
    ark.fake.created[twin.id] = ark.fake.created[task.id]  # type: ignore[attr-defined]
    unclear(ark)
    assert (ark.row().state, ark.row().task, ark.sent_creates) == ("unclear", None, 1)


def test_a_task_that_another_row_has_is_not_adopted(ark: Desk) -> None:
    cut_off(ark)
    (task,) = ark.fake.tasks.values()
    assert ark.runner().collect(f"byteplus:{task.id}").wait().row == 2
    unclear(ark)
    assert [row.task for row in ark.rows()] == [f"byteplus:{task.id}", None]


@pytest.mark.parametrize(
    ("field", "value"), [("seed", 4), ("resolution", "480p"), ("generate_audio", False)]
)
def test_a_task_that_shows_something_else_than_the_order_is_not_adopted(
    ark: Desk, field: str, value: Any
) -> None:
    cut_off(ark)
    for task in ark.fake.tasks.values():
        task.body[field] = value
    unclear(ark)
    assert (ark.row().task, ark.sent_creates) == (None, 1)


def test_no_two_orders_of_a_journal_have_the_same_mark(url: str) -> None:
    known = Journal(url)
    rows = [
        known.reserve(new(str(number), provider="byteplus", marks=range(5)))[0]
        for number in range(5)
    ]
    assert {row.mark for row in rows} == set("01234")
    assert known.reserve(new("more", provider="byteplus", marks=range(5)))[0].mark is None
    other = known.reserve(new("elsewhere", provider="volcengine", marks=range(5)))[0]
    assert other.mark in set("01234")
    assert known.reserve(new("without"))[0].mark is None


def test_the_mark_is_in_the_journal_before_it_is_sent_and_is_what_is_sent(ark: Desk) -> None:
    seen: list[Any] = []

    def noted(request: Request) -> bool:
        if is_create(request):
            seen.append((request.json["execution_expires_after"], ark.row().mark))
        return False

    ark.fake.fault(noted, "reset")
    ark.video()
    ((sent, kept),) = seen
    assert str(sent) == kept
    assert 172_800 <= sent <= 259_200


def test_a_task_that_moves_to_the_next_page_meanwhile_is_one_task() -> None:
    provider = get("byteplus")(Config("http://127.0.0.1:1/api/v3"), "200000")
    task = {
        "id": "cgt-1",
        "created_at": 1000.0,
        "execution_expires_after": 200_000,
        "seed": 0,
    }
    flow = provider.find({"seed": 0}, 1000.0)
    next(flow)
    page: Any = {"items": [task], "total": 2}
    body = json.dumps(page).encode()
    flow.send(Reply(200, {}, body))  # the pause between two pages
    flow.send(Reply(0))
    with pytest.raises(StopIteration) as found:
        flow.send(Reply(200, {}, body))
    assert str(found.value.value) == "byteplus:cgt-1"


def test_who_sets_the_marked_field_gets_it_and_is_never_found_by_it(ark: Desk) -> None:
    extra = {"byteplus": {"execution_expires_after": 200_000}}
    (quote,) = [
        each for each in ark.runner().check(ark.order(extra=extra)) if each.provider == "byteplus"
    ]
    assert quote.payload["execution_expires_after"] == 200_000
    cut_off(ark, extra=extra)
    assert ark.fake.sent("POST")[0].json["execution_expires_after"] == 200_000
    sql(str(ark.runner().journal.url), "UPDATE orders SET mark = '200000'")
    unclear(ark, extra=extra)
    assert ark.sent_creates == 1


def test_a_row_of_before_marks_stays_unclear(ark: Desk) -> None:
    cut_off(ark)
    sql(str(ark.runner().journal.url), "UPDATE orders SET mark = NULL")
    unclear(ark)
    assert (ark.row().state, ark.sent_creates) == ("unclear", 1)


# ------------------------------------------------------------------------ absence proves nothing


def nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is special."""


def clock_ahead(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our clock was 400 s ahead when the order was sent."""
    sql(
        str(desk.runner().journal.url),
        "UPDATE orders SET submitted = submitted + 400, created = created + 400",
    )


def clock_behind(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our clock was two hours behind when the order was sent."""
    sql(
        str(desk.runner().journal.url),
        "UPDATE orders SET submitted = submitted - 7200, created = created - 7200",
    )


def no_date(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider's answers have no Date."""
    send_header = BaseHTTPRequestHandler.send_header

    def without_date(self: BaseHTTPRequestHandler, name: str, value: str) -> None:
        if name.lower() != "date":
            send_header(self, name, value)

    monkeypatch.setattr(BaseHTTPRequestHandler, "send_header", without_date)


def empty_list(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list is empty, for long."""
    desk.fake.fault(is_list, Answer(200, json={"items": [], "total": 0}), times=100)


def collected_there(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person looked at the task and deleted it from the list."""
    desk.fake.deleted.update(desk.fake.tasks)  # type: ignore[attr-defined]


@pytest.mark.parametrize("arrived", [True, False], ids=["arrived", "lost"])
@pytest.mark.parametrize(
    "circumstance",
    [nothing, clock_ahead, clock_behind, no_date, empty_list, collected_there],
)
def test_an_order_is_never_sent_again_because_it_is_not_found(
    ark: Desk,
    monkeypatch: pytest.MonkeyPatch,
    arrived: bool,
    circumstance: Callable[[Desk, pytest.MonkeyPatch], None],
) -> None:
    ark.fake.fault(is_create, "reset-after" if arrived else "reset")
    ark.fake.fault(is_list, "status:403")
    unclear(ark)
    circumstance(ark, monkeypatch)
    for age in (0.0, 3600.0, 10 * 86400.0):
        sql(
            str(ark.runner().journal.url),
            "UPDATE orders SET submitted = submitted - :age, updated = updated - :age",
            age=age,
        )
        try:
            assert ark.video().task == "byteplus:cgt-20261120093000-00001"
        except SeedanceError as error:
            assert isinstance(error, Unclear)
            assert (error.spent, error.task) == ("unknown", None)
    assert ark.sent_creates == 1


def test_another_account_in_between_proves_nothing(ark: Desk) -> None:
    cut_off(ark)
    mine, ark.fake.key = ark.fake.key, "sk-another-account-0123456789"
    there = dict(ark.fake.tasks)
    ark.fake.tasks.clear()
    lists = sum(map(is_list, ark.fake.requests))
    unclear(ark)
    # Another account's list is not even read.
    assert sum(map(is_list, ark.fake.requests)) == lists
    ark.fake.key = mine
    ark.fake.tasks.update(there)
    assert ark.video().task == "byteplus:cgt-20261120093000-00001"
    assert ark.sent_creates == 1


def test_another_address_in_between_proves_nothing(ark: Desk) -> None:
    cut_off(ark)
    with fakes.all()["byteplus"]() as another:
        there = ark.runner(**another.environment())
        unclear(ark, there)
        assert another.requests == []
    assert ark.video().task == "byteplus:cgt-20261120093000-00001"
    assert ark.sent_creates == 1


def test_recovering_sends_no_unclear_order_again(ark: Desk) -> None:
    ark.fake.fault(is_create, "reset")
    unclear(ark)
    runner = ark.runner()
    runner.recover()
    assert (ark.row().state, ark.sent_creates) == ("unclear", 1)


def test_an_unclear_order_is_told_with_what_to_do(ark: Desk) -> None:
    ark.fake.fault(is_create, "reset")
    error = unclear(ark)
    assert "seedance forget 1" in error.hint
    ark.runner().forget(1)
    assert ark.video().state == "saved"
    assert ark.sent_creates == 2


@pytest.mark.parametrize("ahead", [400.0, -400.0, 3000.0])
def test_a_task_is_recognised_by_its_mark_though_the_clock_was_wrong(
    ark: Desk, ahead: float
) -> None:
    cut_off(ark)
    sql(
        str(ark.runner().journal.url),
        "UPDATE orders SET submitted = submitted + :ahead, created = created + :ahead",
        ahead=ahead,
    )
    assert ark.video().task == "byteplus:cgt-20261120093000-00001"
    assert ark.sent_creates == 1


def test_a_task_with_the_mark_of_another_time_is_shown_and_not_adopted(ark: Desk) -> None:
    cut_off(ark)
    for task in ark.fake.tasks:
        ark.fake.created[task] -= 2 * 3600  # type: ignore[attr-defined]
    error = unclear(ark)
    assert "byteplus:cgt-20261120093000-00001" in str(error)
    assert "probably not created" not in str(error)
    assert (ark.row().state, ark.row().task, ark.sent_creates) == ("unclear", None, 1)


def test_the_task_of_an_order_that_has_ended_is_not_adopted_for_another(ark: Desk) -> None:
    cut_off(ark)
    (task,) = ark.fake.tasks.values()
    ticket = f"byteplus:{task.id}"
    ark.runner().collect(ticket).wait()
    ark.runner().forget(ticket)
    unclear(ark)
    assert [row.task for row in ark.rows()] == [ticket, None]


def test_an_order_that_is_not_looked_for_says_what_is_needed(ark: Desk) -> None:
    cut_off(ark)
    mine, ark.fake.key = ark.fake.key, "sk-another-account-0123456789"
    assert "Set that key again" in unclear(ark).hint
    ark.fake.key = mine
    here = ark.fake.environment()["SEEDANCE_BYTEPLUS_BASE_URL"]
    there = here.replace("127.0.0.1", "localhost")
    error = unclear(ark, ark.runner(SEEDANCE_BYTEPLUS_BASE_URL=there))
    assert f"another address of BytePlus ModelArk, {here.partition('/api')[0]}" in error.hint
    assert ark.sent_creates == 1
