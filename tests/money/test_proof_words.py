"""What is said about money comes from what is known of the order, never from the kind of an error.

Each sentence about an order is compared with its row: `spent` must be true to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from journals import elsewhere, new
from running import Desk, is_create, is_poll, is_result, move, order_for, until

from seedance.errors import (
    BadOrder,
    Cancelled,
    NeedsKey,
    OddReply,
    OverBudget,
    Refused,
    SeedanceError,
    StillRunning,
    TaskFailed,
    Unclear,
    Unreachable,
)
from seedance.journal import Journal, Row, State
from seedance.runner import Runner, active, collect, files
from seedance.runner.outcomes import told

pytestmark = pytest.mark.slow

FOREVER = 10**6
TASK = "lumenfall:vid_0001"

KINDS = (
    BadOrder,
    NeedsKey,
    Refused,
    OverBudget,
    Unclear,
    TaskFailed,
    StillRunning,
    Unreachable,
    OddReply,
    Cancelled,
)
# What is known of an order in a state in which it has no ticket, and in which it has one.
TRUE = {
    State.PREPARING: ("no", "no"),
    State.SUBMITTING: ("unknown", "yes"),
    State.RUNNING: ("yes", "yes"),
    State.SUCCEEDED: ("yes", "yes"),
    State.SAVED: ("yes", "yes"),
    State.REFUSED: ("no", "no"),
    State.UNCLEAR: ("unknown", "unknown"),
}


# ------------------------------------------------------------------------------------ the table


@pytest.fixture
def row(tmp_path: Path) -> Row:
    return Journal(tmp_path / "journal.db").reserve(new())[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", TRUE)
@pytest.mark.parametrize("task", [None, TASK])
def test_no_kind_of_error_decides_what_is_said(
    row: Row, state: State, kind: type[SeedanceError], task: str | None
) -> None:
    without, with_ticket = TRUE[state]
    if task is None and state in (State.RUNNING, State.SUCCEEDED, State.SAVED):
        return  # there is no such row
    error = told(replace(row, state=state, task=task), kind("something"))
    assert error.spent == (with_ticket if task else without)
    assert (error.task, error.row) == (task, row.id)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED, State.EXPIRED])
@pytest.mark.parametrize("billed", ["no", "yes", "unknown"])
def test_an_end_says_itself_whether_it_is_billed(
    row: Row, state: State, kind: type[SeedanceError], billed: Any
) -> None:
    record = TaskFailed("It failed.", spent=billed).as_dict()
    error = told(replace(row, state=state, task=TASK, error=record), kind("something"))
    assert error.spent == billed
    # An end without words about money, of an order that had a ticket.
    assert told(replace(row, state=state, task=TASK), kind("something")).spent == "yes"


# ---------------------------------------------------------------------------------- the sentences


def saved(desk: Desk) -> str:
    """An order that was paid, and whose video is there."""
    return desk.video().task


def ordered(desk: Desk) -> str:
    """An order that was paid, and that nobody works on now."""
    polls, desk.fake.polls_until_done = desk.fake.polls_until_done, FOREVER
    runner = desk.runner(SEEDANCE_TIMEOUT="0")
    with pytest.raises(StillRunning) as caught:
        desk.video(runner)
    runner.close()
    desk.fake.polls_until_done = polls
    return caught.value.task or ""


def a_folder_in_the_way(desk: Desk) -> Path:
    folder = desk.output / "a folder"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def no_folder(desk: Desk) -> Path:
    """A path that no file can be written to."""
    desk.output.mkdir(parents=True, exist_ok=True)
    (desk.output / "a file").write_text("")
    return desk.output / "a file" / "video.mp4"


def copy_that_fails(desk: Desk) -> Any:
    saved(desk)
    desk.runner().start(desk.order(), target=no_folder(desk))[0].wait()


def collect_to_where_nothing_can_be_written(desk: Desk) -> Any:
    desk.runner().collect(saved(desk), target=no_folder(desk)).wait()


def collect_to_a_folder(desk: Desk) -> Any:
    desk.runner().collect(ordered(desk), target=a_folder_in_the_way(desk))


def cancel_where_that_is_not_free(desk: Desk) -> Any:
    desk.runner().cancel(ordered(desk))


def cancel_what_another_process_has(desk: Desk) -> Any:
    task = ordered(desk)
    assert elsewhere(desk.settings().journal_url).claim(1) is not None
    desk.runner().cancel(task)


def cancel_what_is_saved(desk: Desk) -> Any:
    desk.runner().cancel(saved(desk))


def forget_what_another_process_has(desk: Desk) -> Any:
    task = ordered(desk)
    assert elsewhere(desk.settings().journal_url).claim(1) is not None
    desk.runner().forget(task)


def collect_without_a_key(desk: Desk) -> Any:
    task = ordered(desk)
    desk.runner(LUMENFALL_API_KEY="").collect(task)


def order_again_without_a_key(desk: Desk) -> Any:
    ordered(desk)
    desk.video(desk.runner(LUMENFALL_API_KEY=""))


def collect_what_was_given_up_for_another_row(desk: Desk) -> Any:
    task = ordered(desk)
    runner = desk.runner()
    runner.forget(task)
    desk.video(runner)
    runner.collect(task)


def a_disk_that_is_full(desk: Desk) -> Any:
    ordered(desk)
    desk.output.joinpath("x").mkdir(parents=True, exist_ok=True)
    Journal(desk.settings().journal_url).newest()
    desk.fake.fault(is_result, "status:500", times=FOREVER)
    desk.video()


PAID: tuple[Callable[[Desk], Any], ...] = (
    copy_that_fails,
    collect_to_where_nothing_can_be_written,
    collect_to_a_folder,
    cancel_where_that_is_not_free,
    cancel_what_another_process_has,
    cancel_what_is_saved,
    forget_what_another_process_has,
    collect_without_a_key,
    order_again_without_a_key,
    collect_what_was_given_up_for_another_row,
    a_disk_that_is_full,
)


@pytest.mark.parametrize("what", PAID)
def test_no_sentence_about_a_paid_order_says_that_nothing_was_spent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, what: Callable[[Desk], Any]
) -> None:
    monkeypatch.setattr("seedance.download.TRIES_WITHOUT_PROGRESS", 1)
    with pytest.raises(SeedanceError) as caught:
        what(desk)
    error = caught.value
    assert (error.spent, error.task, error.row) == ("yes", TASK, 1)
    assert "othing was spent" not in str(error)


def test_a_ticket_that_the_journal_does_not_know_is_not_said_to_be_free(desk: Desk) -> None:
    with pytest.raises(BadOrder) as caught:
        desk.runner().collect("lumenfall:vid_9999", target=a_folder_in_the_way(desk))
    assert (caught.value.spent, caught.value.task) == ("unknown", "lumenfall:vid_9999")


def test_a_text_that_is_no_ticket_is_about_no_order(desk: Desk) -> None:
    with pytest.raises(BadOrder) as caught:
        desk.runner().collect("no ticket at all")
    assert (caught.value.spent, caught.value.task) == ("no", None)


@pytest.fixture
def jammed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Lets no move to a state be written any more."""
    monkeypatch.setattr(active, "WRITE_PAUSE", 0.01)
    advance = Journal.advance
    states: list[str] = []

    def advance_or_fail(self: Journal, row_id: int, state: str, **values: Any) -> Any:
        if state in states:
            raise BadOrder("The journal cannot be written: disk I/O error.")
        return advance(self, row_id, state, **values)

    monkeypatch.setattr(Journal, "advance", advance_or_fail)
    yield states.append
    states.clear()


def test_a_journal_that_breaks_after_the_create_is_no_reason_to_say_that_it_was_free(
    desk: Desk, jammed: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seedance.download.TRIES_WITHOUT_PROGRESS", 1)
    jammed("running")
    desk.fake.fault(is_result, "status:500", times=FOREVER)
    with pytest.raises(StillRunning) as caught:
        desk.video()
    assert (caught.value.spent, caught.value.task) == ("yes", TASK)


def test_a_task_that_failed_free_of_charge_is_so_also_where_that_cannot_be_written(
    ark: Desk, jammed: Callable[[str], None]
) -> None:
    jammed("failed")
    ark.fake.fail_with = ark.fake.failure("No.", "InternalServiceError")
    with pytest.raises(TaskFailed) as caught:
        ark.video()
    assert caught.value.spent == "no"


def test_a_refusal_is_free_also_where_that_cannot_be_written(
    desk: Desk, jammed: Callable[[str], None]
) -> None:
    jammed("refused")
    desk.fake.fault(is_create, "status:400")
    with pytest.raises(Refused) as caught:
        desk.video()
    assert caught.value.spent == "no"


def test_who_waits_for_the_order_of_another_process_is_told_of_its_money(desk: Desk) -> None:
    desk.fake.fault(is_create, "hang:2")
    first = desk.start()
    until(lambda: desk.fake.creates)
    runner: Runner = desk.runner()
    second = desk.start(runner)
    second.cancel()
    with pytest.raises(Cancelled) as caught:
        second.wait()
    assert (caught.value.spent, caught.value.row) == ("unknown", 1)
    assert first.wait().task == TASK


def test_an_order_that_was_never_sent_is_free(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SMALLEST_FREE", 10**18)
    with pytest.raises(BadOrder) as caught:
        desk.video()
    assert (caught.value.spent, desk.fake.requests) == ("no", [])


def test_an_unclear_order_stays_unknown_whatever_else_happens(desk: Desk) -> None:
    desk.fake.fault(is_create, "reset-after")
    with pytest.raises(Unclear):
        desk.video()
    for call in (desk.video, lambda: desk.runner().cancel(1)):
        with pytest.raises(SeedanceError) as caught:
            call()
        assert (caught.value.spent, caught.value.row) == ("unknown", 1)
    assert desk.runner().forget(1).state == "cancelled"


def test_a_forgotten_running_order_is_not_said_to_be_free(desk: Desk) -> None:
    """The process that waits for it hears of the forgetting."""
    desk.fake.polls_until_done = FOREVER
    runner = desk.runner()
    job = desk.start(runner)
    until(lambda: any(map(is_poll, desk.fake.requests)))
    runner.forget(TASK)
    desk.fake.polls_until_done = 0
    with pytest.raises(SeedanceError) as caught:
        job.wait()
    assert (caught.value.spent, caught.value.task) == ("yes", TASK)


def test_a_task_that_was_cancelled_free_of_charge_is_free(ark: Desk) -> None:
    ark.fake.polls_until_done = FOREVER
    job = ark.start(ark.runner(SEEDANCE_POLL_INTERVAL="30"))
    until(lambda: job.task)
    job.cancel()
    with pytest.raises(Cancelled) as caught:
        job.wait()
    assert (caught.value.spent, ark.row().cost) == ("no", None)


def test_an_address_that_never_comes_is_about_a_paid_order(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "QUESTIONS", 2)
    desk.video().file.unlink()
    desk.fake.fault(is_poll, "status:500", times=FOREVER)
    with pytest.raises(SeedanceError) as caught:
        desk.video()
    assert (caught.value.spent, caught.value.task) == ("yes", TASK)


def test_moves_of_the_table_are_those_of_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    for state in State:
        row = move(journal, journal.reserve(new(state.value))[0].id, state)
        assert told(row, BadOrder("x")).spent in ("no", "yes", "unknown")
    assert order_for("lumenfall").provider == "lumenfall"
