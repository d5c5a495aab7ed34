"""Orders that were sent: polls, leaving, cancelling."""

from __future__ import annotations

import logging
import subprocess
import time
from pathlib import Path
from typing import Any

import fakes
import pytest
from fakes import Answer
from running import (
    FOREVER,
    Desk,
    age,
    failing,
    is_create,
    is_delete,
    is_poll,
    left_running,
    picture,
    until,
)

from seedance import providers
from seedance.errors import Cancelled, StillRunning, TaskFailed
from seedance.journal import NewRow
from seedance.order import fingerprint
from seedance.runner import poll, quotes
from seedance.runner.worker import Worker

pytestmark = pytest.mark.slow


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
    wait = Worker._bring_on_in

    def noted(self: Worker, seconds: float, *rest: Any) -> None:
        asked.append(seconds)
        wait(self, 0.0, *rest)

    monkeypatch.setattr(Worker, "_bring_on_in", noted)
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


def test_who_collects_asks_once_whatever_the_time_to_wait(desk: Desk, tmp_path: Path) -> None:
    desk.fake.polls_until_done = 0
    ticket = left_running(desk)
    runner = desk.runner(SEEDANCE_TIMEOUT="0", SEEDANCE_POLL_INTERVAL="0.6")
    assert runner.collect(ticket).wait().state == "saved"
    other = left_running(Desk(desk.fake, tmp_path / "other"))
    desk.fake.polls_until_done = FOREVER
    with pytest.raises(StillRunning, match="still running after 0 s"):
        runner.collect(other).wait()


def test_a_task_that_was_ordered_long_ago_is_asked_for_at_once(desk: Desk, tmp_path: Path) -> None:
    ticket = left_running(desk)
    elsewhere = Desk(desk.fake, tmp_path / "elsewhere", SEEDANCE_POLL_INTERVAL="100000")
    assert elsewhere.runner().collect(ticket).wait().state == "saved"
    age(desk, 200_000, "submitted")
    runner = desk.runner(SEEDANCE_POLL_INTERVAL="100000")
    assert runner.collect(ticket).wait().state == "saved"


def test_who_gives_up_hears_why_it_is_not_known_how_a_task_stands(desk: Desk) -> None:
    desk.fake.fault(is_poll, "status:500", times=10**6)
    with pytest.raises(StillRunning) as caught:
        desk.video(desk.runner(SEEDANCE_TIMEOUT="1"))
    assert "How it stands is not known after 1 s: " in caught.value.message
    assert "500" in caught.value.message
    assert (caught.value.spent, "seedance collect" in caught.value.hint) == ("yes", True)


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
