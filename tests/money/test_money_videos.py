"""Videos that were paid: their downloads, and the same order again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import Answer
from running import Desk, failing, is_create, is_poll, is_result

from seedance import download
from seedance.errors import BadOrder, Refused, StillRunning, TaskFailed
from seedance.runner import files

pytestmark = pytest.mark.slow


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
