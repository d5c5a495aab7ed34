"""An order of a farm's queue: delivered again after it has ended, it is not paid again."""

from __future__ import annotations

from journals import new
from running import Desk, is_create

from seedance.errors import Refused, SeedanceError, TaskFailed
from seedance.journal import State
from seedance.runner import Runner


def deliver(desk: Desk, runner: Runner | None = None, queued: str = "q1") -> SeedanceError | None:
    """What an order of the queue ends with."""
    try:
        (job,) = (runner or desk.runner()).start(desk.order(), queued=queued)
        job.wait()
        return None
    except SeedanceError as error:
        return error


def test_what_failed_is_not_paid_when_it_is_delivered_again(desk: Desk) -> None:
    desk.fake.fail_with = desk.fake.failure("It broke.", "internal")
    first, again = deliver(desk), deliver(desk)
    assert isinstance(first, TaskFailed) and isinstance(again, TaskFailed)
    assert again.message == first.message and again.task == first.task
    assert desk.sent_creates == 1
    desk.fake.fail_with = None
    assert deliver(desk, queued="q2") is None  # a person asked for it anew
    assert desk.sent_creates == 2


def test_what_was_forgotten_is_not_paid_when_it_is_delivered_late(desk: Desk) -> None:
    assert deliver(desk) is None
    desk.runner().forget(desk.row().id)
    assert isinstance(deliver(desk), SeedanceError)
    assert desk.sent_creates == 1


def test_what_was_certainly_not_accepted_is_sent_when_it_is_delivered_again(desk: Desk) -> None:
    desk.fake.fault(is_create, "status:402")
    assert isinstance(deliver(desk), Refused)
    assert deliver(desk) is None
    assert desk.fake.creates == 1


def test_what_was_given_up_before_it_was_sent_is_sent_when_it_is_delivered_again(
    desk: Desk,
) -> None:
    runner = desk.runner()
    row, _ = runner.journal.reserve(new(queued="q1"))
    runner.forget(row.id)
    assert desk.row().state == State.CANCELLED
    assert deliver(desk) is None
    assert desk.fake.creates == 1
