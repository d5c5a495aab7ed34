"""The last frame of a saved video: made when it is used or when it is quiet, the same each time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import fakes
import numpy as np
import pytest
from fakes._ark import LAST_FRAME, last_frame
from fakes.byteplus import FakeBytePlus
from PIL import Image
from running import Desk, until

from seedance import media
from seedance.order import Order
from seedance.runner import Runner, files, last_frames, worker
from seedance.runner.files import Files

GRAPH = {"prompt": '{"1": {}}', "workflow": '{"nodes": ["first"]}'}


def graph_in(picture: Path) -> dict[str, str]:
    with Image.open(picture) as image:
        image.load()
        return {name: image.info.get(name, "") for name in GRAPH}


@pytest.fixture
def never_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "QUIET_SECONDS", float("inf"))


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_others_wait", lambda: True)


@pytest.fixture
def runner(desk: Desk) -> Iterator[Runner]:
    """A runner as ComfyUI has it."""
    with closing(desk.runner()) as made:
        made.make_pictures_later()
        yield made


def test_a_saved_video_does_not_wait_for_its_last_frame(
    desk: Desk, runner: Runner, never_quiet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Path] = []
    monkeypatch.setattr(media, "last_frame", decoded.append)
    result = desk.video(runner)
    again = desk.video(runner)
    assert (again.reused, again.state, decoded) == (True, "saved", [])
    assert [path.exists() for path in (result.file, result.sidecar, result.last_frame)] == [
        *(True, True, False)
    ]


def test_it_is_made_when_it_is_quiet_and_carries_the_graph(
    desk: Desk, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "QUIET_SECONDS", 0.0)
    (job,) = runner.start(desk.order(), graph=GRAPH)
    result = job.wait()
    until(lambda: result.last_frame.exists() and graph_in(result.last_frame) == GRAPH)
    assert np.array_equal(media.read_picture(result.last_frame), media.last_frame(result.file))


def test_who_uses_it_has_it_in_its_file(desk: Desk, runner: Runner, never_quiet: None) -> None:
    result = desk.video(runner)
    assert np.array_equal(
        last_frames.pixels(Files(result.file)), media.read_picture(result.last_frame)
    )


def test_it_is_the_same_whenever_it_is_used(
    desk: Desk,
    runner: Runner,
    never_quiet: None,
    busy: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (job,) = runner.start(desk.order(), graph=GRAPH)
    result = job.wait()
    saved = Files(result.file)
    first = last_frames.pixels(saved)
    assert not result.last_frame.exists()  # it waits for those who have something to decode
    last_frames.make(saved)
    assert graph_in(result.last_frame) == GRAPH
    monkeypatch.setattr(media, "last_frame", lambda video: pytest.fail("decoded again"))
    assert np.array_equal(last_frames.pixels(saved), first)
    assert np.array_equal(media.read_picture(result.last_frame), first)


def test_who_starts_again_makes_it_from_the_video_with_its_graph(
    desk: Desk, runner: Runner, never_quiet: None
) -> None:
    (job,) = runner.start(desk.order(), graph=GRAPH)
    result = job.wait()
    runner.close()
    last_frames.make(Files(result.file))
    assert graph_in(result.last_frame) == GRAPH
    assert np.array_equal(media.read_picture(result.last_frame), media.last_frame(result.file))


def test_another_process_finds_it_beside_the_video(
    desk: Desk, runner: Runner, never_quiet: None
) -> None:
    result = desk.video(runner)
    with closing(desk.runner()) as command_line:
        assert desk.video(command_line).last_frame.is_file()
    assert desk.sent_creates == 1
    assert result.last_frame.is_file()


def test_where_it_cannot_be_written_it_is_given_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    result = desk.video()
    expected = media.read_picture(result.last_frame)
    result.last_frame.unlink()
    monkeypatch.setattr(last_frames, "write_last_frame", full)
    assert np.array_equal(last_frames.pixels(Files(result.file)), expected)
    assert not result.last_frame.exists()


def test_many_that_are_used_at_once_are_not_all_held_in_memory(
    desk: Desk,
    runner: Runner,
    never_quiet: None,
    busy: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = [desk.video(runner, seed=seed) for seed in range(2)]
    one = media.last_frame(results[0].file).nbytes
    monkeypatch.setattr(last_frames, "MOST_HELD", one)
    for result in results:
        last_frames.pixels(Files(result.file))
    assert [result.last_frame.exists() for result in results] == [False, True]


def test_it_is_never_that_of_a_video_which_was_replaced(
    desk: Desk, runner: Runner, never_quiet: None, tmp_path: Path
) -> None:
    target = tmp_path / "shot.mp4"
    saved = Files(target)
    runner.start(desk.order(), target=target)[0].wait()
    last_frames.make(saved)
    saved.last_frame.write_bytes(b"of the first")
    runner.start(desk.order(1), target=target, overwrite=True)[0].wait()
    assert np.array_equal(last_frames.pixels(saved), media.last_frame(target))


def test_a_picture_that_was_changed_is_neither_taken_for_it_nor_replaced(
    desk: Desk, runner: Runner, never_quiet: None
) -> None:
    result = desk.video(runner)
    saved = Files(result.file)
    first = last_frames.pixels(saved)
    assert files.is_picture(result.last_frame, files.read_sidecar(saved))
    Image.new("RGB", (first.shape[1], first.shape[0]), (200, 10, 10)).save(result.last_frame)
    changed = result.last_frame.read_bytes()
    assert np.array_equal(last_frames.pixels(saved), first)
    last_frames.make(saved)
    assert result.last_frame.read_bytes() == changed
    written = last_frames.file_or_bytes(saved)
    result.last_frame.unlink()
    last_frames.make(saved)
    assert result.last_frame.read_bytes() == written
    result.file.unlink()
    assert desk.video(runner).file == result.file  # what was made later is known as its own
    assert desk.sent_creates == 1


def test_none_is_made_for_a_video_that_is_gone(
    desk: Desk, runner: Runner, never_quiet: None, busy: None
) -> None:
    result = desk.video(runner)
    last_frames.pixels(Files(result.file))
    result.file.unlink()
    last_frames.provide(Files(result.file))
    assert not result.last_frame.exists()


def test_a_last_frame_is_never_there_without_its_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = Files(tmp_path / "clip.mp4")
    there: list[bool] = []
    add = media.add_graph

    def looked_at(file: Path, graph: Mapping[str, str]) -> bool:
        there.append(saved.last_frame.exists())
        return add(file, graph)

    monkeypatch.setattr(media, "add_graph", looked_at)
    files.write_last_frame(saved, np.zeros((8, 8, 3), np.uint8), GRAPH)
    assert there == [False]
    assert graph_in(saved.last_frame) == GRAPH


def test_one_that_a_process_left_is_made_by_the_next(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "QUIET_SECONDS", float("inf"))
    with closing(desk.runner()) as first:
        first.make_pictures_later()
        left, deleted = desk.video(first, 1), desk.video(first, 2)
        last_frames.make(Files(deleted.file))
    deleted.last_frame.unlink()
    assert not left.last_frame.exists()
    monkeypatch.setattr(worker, "QUIET_SECONDS", 0.0)
    with closing(desk.runner()) as second:
        second.make_pictures_later()
        second.recover()
        until(left.last_frame.exists)
        until(lambda: not last_frames._waiting)
    assert not deleted.last_frame.exists(), "it was made once, and somebody deleted it"


def test_the_providers_own_is_fetched_beside_the_video(tmp_path: Path) -> None:
    asked = threading.Event()
    there: list[bool] = []

    class Picture(FakeBytePlus):
        """Sends the video once it was asked for the picture."""

        def _answer(self, request: fakes.Request) -> tuple[fakes.Answer | None, str]:
            if request.path == fakes.RESULT_PATH:
                there.append(asked.wait(60))
            elif request.path == LAST_FRAME:
                asked.set()
            return super()._answer(request)

    with Picture(polls_until_done=1) as fake, closing(Desk(fake, tmp_path).runner()) as runner:
        (job,) = runner.start(Order(prompt="a fox", provider="byteplus"))
        result = job.wait()
    assert (result.state, there) == ("saved", [True])
    assert np.array_equal(media.read_picture(result.last_frame), media.read_picture(last_frame()))
