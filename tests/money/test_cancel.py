"""Cancel from the panel and the command line: it tells the truth, at once, and stops nobody else.

What Cancel on a node does stands in test_money_waits.py.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import fakes
import pytest
from running import Desk, is_poll, move, picture, until

from seedance.errors import BadOrder, Cancelled, NeedsKey
from seedance.journal import State
from seedance.runner.active import ActiveOrder

pytestmark = pytest.mark.slow

FOREVER = 10**6
TICKET = "byteplus:cgt-20261120093000-00001"


@pytest.fixture
def ark(tmp_path: Path) -> Iterator[Desk]:
    """A desk at BytePlus, which cancels queued tasks free of charge, and no others."""
    with fakes.all()["byteplus"](polls_until_done=FOREVER) as fake:
        yield Desk(fake, tmp_path)


def test_a_queued_task_is_cancelled(ark: Desk) -> None:
    runner = ark.runner(SEEDANCE_POLL_INTERVAL="30")
    job = ark.start(runner)
    until(lambda: ark.row().task)
    job.release()
    assert "nothing is billed" in runner.cancel(TICKET)
    assert ark.row().state == "cancelled"


def test_a_task_that_renders_goes_on_and_the_provider_s_reason_is_told_at_once(ark: Desk) -> None:
    runner = ark.runner()
    job = ark.start(runner)
    until(lambda: sum(map(is_poll, ark.fake.requests)) >= 3)  # it renders by then
    job.release()
    with pytest.raises(BadOrder, match=r"goes on, and its video is kept: .*running") as caught:
        runner.cancel(TICKET)
    assert TICKET in caught.value.hint
    ark.fake.polls_until_done = 1
    assert job.wait().state == "saved"


def test_what_another_process_works_on_is_not_called_cancelled(ark: Desk) -> None:
    job = ark.start()
    until(lambda: ark.row().task)
    with pytest.raises(BadOrder, match="Another process works on row 1"):
        ark.runner().cancel(TICKET)
    ark.fake.polls_until_done = 1
    assert job.wait().state == "saved"


def test_a_task_that_somebody_waits_for_goes_on(ark: Desk) -> None:
    runner = ark.runner()
    job = ark.start(runner)
    until(lambda: ark.row().task)
    with pytest.raises(BadOrder, match="Somebody waits for row 1"):
        runner.cancel(TICKET)
    ark.fake.polls_until_done = 1
    assert job.wait().state == "saved"


def test_who_orders_the_same_after_a_cancel_is_not_cancelled_too(tmp_path: Path) -> None:
    with fakes.all()["leonardo"](polls_until_done=1) as fake:
        desk = Desk(fake, tmp_path)
        fake.fault(lambda request: True, "hang")
        runner = desk.runner()
        mine = desk.start(runner, first_frame=picture())
        until(lambda: fake.requests)
        mine.cancel()
        joined = desk.start(runner, first_frame=picture())
        fake.let_go()
        assert joined.wait().state == "saved"
        assert fake.creates == 1


def test_who_orders_the_same_while_it_is_cancelled_orders_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fakes.all()["byteplus"](polls_until_done=1) as fake:
        desk = Desk(fake, tmp_path)
        runner = desk.runner()
        fake.fault(lambda request: request.method == "POST", "429:30")
        mine = desk.start(runner)
        until(lambda: "busy" in mine.progress.text)
        decided, go = threading.Event(), threading.Event()
        cancelled = ActiveOrder.cancelled

        def slowly(active: ActiveOrder) -> bool:
            answer = cancelled(active)
            if answer:
                decided.set()
                assert go.wait(30)
            return answer

        monkeypatch.setattr(ActiveOrder, "cancelled", slowly)
        mine.cancel()
        assert decided.wait(30)
        threading.Timer(0.2, go.set).start()
        again = desk.start(runner)
        assert again.wait().state == "saved"
        with pytest.raises(Cancelled, match="nothing was spent"):
            mine.wait()
        assert fake.creates == 1
        assert again.row != mine.row


def test_the_one_who_cancels_alone_is_told_that_nothing_was_spent(ark: Desk) -> None:
    runner = ark.runner()
    ark.fake.fault(lambda request: request.method == "POST", "429:30", times=FOREVER)
    job = ark.start(runner)
    until(lambda: "busy" in job.progress.text)
    job.cancel()
    with pytest.raises(Cancelled, match="nothing was spent"):
        job.wait()


# ------------------------------------------------------------------- collecting without a key


@pytest.mark.parametrize("state", ["failed", "saved"])
def test_collecting_without_a_key_leaves_the_row_as_it_is(tmp_path: Path, state: str) -> None:
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        desk = Desk(fake, tmp_path)
        result = desk.video()
        journal = desk.runner().journal
        if state == "failed":
            journal.forget(result.row)
            journal.reopen(result.row, State.RUNNING)
            move(journal, result.row, "failed", error={"kind": "TaskFailed", "message": "bad"})
        result.file.unlink()
        before = desk.row()
        without = {name: "" for name in fake.environment() if name.endswith("_KEY")}
        keyless = desk.runner(**without)
        with pytest.raises(NeedsKey) as caught:
            keyless.collect(result.task)
        assert (caught.value.spent, caught.value.task) == ("yes", result.task)
        assert desk.row() == before
        if state == "saved":
            with pytest.raises(NeedsKey):
                keyless.start(desk.order())
            assert desk.row() == before


def test_rows_without_a_key_are_left_for_who_has_one(tmp_path: Path) -> None:
    with fakes.all()["lumenfall"](polls_until_done=FOREVER) as fake:
        desk = Desk(fake, tmp_path)
        job = desk.start()
        until(lambda: job.task)
        job._active.journal.release(1)  # type: ignore[union-attr]
        without = {name: "" for name in fake.environment() if name.endswith("_KEY")}
        keyless = desk.runner(**without)
        assert keyless.recover() == 0
        assert desk.row().holder is None
        fake.polls_until_done = 1
        assert job.wait().state == "saved"


# ------------------------------------------------------- a cancel that is only a request to cancel


@pytest.fixture
def fal(tmp_path: Path) -> Iterator[Desk]:
    with fakes.all()["fal"](polls_until_done=FOREVER) as fake:
        yield Desk(fake, tmp_path)


@pytest.mark.parametrize("stops", [True, False])
def test_a_requested_cancel_is_no_end_until_the_provider_says_so(fal: Desk, stops: bool) -> None:
    fal.fake.stops_on_signal = stops
    runner = fal.runner()
    job = fal.start(runner)
    until(lambda: sum(request.path.endswith("/status") for request in fal.fake.requests) >= 3)
    job.release()
    with pytest.raises(BadOrder, match=r"asked to cancel fal:.* has not said yet"):
        runner.cancel(job.task or "")
    if stops:
        until(lambda: fal.row().state == "cancelled")
    else:
        fal.fake.polls_until_done = 1
        until(lambda: fal.row().state == "saved")
    assert len([request for request in fal.fake.requests if request.method == "PUT"]) == 1


def test_an_interrupted_wait_asks_no_provider_to_cancel_what_may_be_billed(fal: Desk) -> None:
    runner = fal.runner()
    job = fal.start(runner)
    until(lambda: job.task)
    job.cancel()
    assert "goes on" in job.cancel_note
    fal.fake.polls_until_done = 1
    until(lambda: fal.row().state == "saved")
    assert not [request for request in fal.fake.requests if request.method == "PUT"]


def test_the_queue_may_not_run_a_paid_request_again_by_itself(tmp_path: Path) -> None:
    with fakes.all()["fal"](polls_until_done=1) as fake:
        Desk(fake, tmp_path).video()
        headers = [r.headers.get("x-fal-no-retry") for r in fake.requests if r.method == "POST"]
        assert headers == ["1"]


def test_takes_are_different_orders_where_no_seed_is_sent(tmp_path: Path) -> None:
    with fakes.all()["fal"](polls_until_done=1) as fake:
        desk = Desk(fake, tmp_path)
        runner = desk.runner()
        for job in runner.start(desk.order(), takes=2):
            job.wait()
        assert fake.creates == 2
        assert ["seed" in r.json for r in fake.requests if r.method == "POST"] == [False, False]
        for job in runner.start(desk.order(), takes=2):
            assert job.wait().reused
        assert fake.creates == 2
