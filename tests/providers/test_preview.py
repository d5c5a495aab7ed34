"""The provider preview: what it takes, and the service inside the process that answers it."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest
import requests
from preview_desk import TEXT, Desk, opened

from seedance import media, providers
from seedance.fit import fit
from seedance.money import Money
from seedance.order import MODELS, RATIOS, RESOLUTIONS, Medium, Order
from seedance.preview import render, server
from seedance.providers.preview import Preview
from seedance.wire import (
    CannotCancel,
    Config,
    Done,
    Expired,
    Failed,
    Running,
    TaskCancelled,
    Ticket,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path) as made:
        yield made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five frames instead of a hundred, where their number is not what is tested."""
    monkeypatch.setattr(render, "FPS", 1)


@pytest.fixture
def drawn_by_hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Rendering that waits until it is cancelled."""
    jobs: list[Any] = []

    def waiting(job: Any, target: Path, report: Any) -> None:
        jobs.append(job)
        target.write_bytes(b"unfinished")
        while report(0.25):
            time.sleep(0.01)
        raise render.Stopped

    monkeypatch.setattr(render, "render", waiting)
    yield jobs


def picture(number: int, width: int = 640, height: int = 360) -> np.ndarray:
    return clips.pattern(width, height, number * 7)


# ------------------------------------------------------------------------------- the description


def test_the_registry_has_it_first() -> None:
    assert providers.ids()[0] == "preview"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_everything_fits_without_a_change(model: str, resolution: str, ratio: str) -> None:
    order = Order(
        prompt="@Image30 @Video10 @Audio10",
        model=model,
        resolution=resolution,
        ratio=ratio,
        duration=30,
        watermark=True,
        camera_fixed=True,
        seed=2**32 - 1,
        references=tuple(
            Medium(kind, data=b"x")
            for kind, count in (("image", 30), ("video", 10), ("audio", 10))
            for _ in range(count)  # type: ignore[arg-type]
        ),
    )
    assert fit(order, Preview).changes == ()


@pytest.mark.parametrize("operation", ["edit", "extend"])
@pytest.mark.parametrize("duration", [-1, 4, 30])
def test_clips_can_be_worked_on_with_their_sound(operation: str, duration: int) -> None:
    order = Order(
        video=Medium("video", data=b"x"),
        operation=operation,
        keep_audio=True,
        duration=duration,
    )
    assert fit(order, Preview).changes == ()


def test_it_is_free() -> None:
    assert Preview(Config("preview://local")).estimate(TEXT) == Money(0.0, "USD")
    assert Preview.key_variable is None and Preview.cancel_is_free


def test_one_call_spends_and_says_everything(desk: Desk, quick: None) -> None:
    order = replace(TEXT, watermark=True, camera_fixed=True, keep_audio=True, model="seedance-2.5")
    ticket = desk.send(order, images=("https://a/b.png",), video="preview://local/files/x")
    (call,) = desk.calls
    assert (call.method, call.url, call.spends) == ("POST", "preview://local/tasks", True)
    assert call.json == {
        "model": "seedance-2.5",
        "mode": "text",
        "prompt": "A kite over a harbour",
        "resolution": "480p",
        "ratio": "16:9",
        "duration": 4,
        "generate_audio": True,
        "seed": 7,
        "watermark": True,
        "camera_fixed": True,
        "keep_audio": True,
        "first_frame": None,
        "last_frame": None,
        "images": ["https://a/b.png"],
        "videos": [],
        "audios": [],
        "video": "preview://local/files/x",
        "seconds": 0.0,
    }
    assert ticket.cost == Money(0.0, "USD")
    assert Ticket.parse(str(ticket)) == Ticket("preview", ticket.opaque)


# ----------------------------------------------------------------------------------- the service


def test_a_clip_is_made_and_served(desk: Desk) -> None:
    status = desk.wait(desk.send(TEXT))
    assert isinstance(status, Done) and status.video_url
    assert (status.seed, status.cost) == (7, Money(0.0, "USD"))
    answer = desk.fetch(status.video_url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    whole = b"".join(answer.iter_content(1000))
    assert int(answer.headers["content-length"]) == len(whole)
    (desk.home / "a.mp4").write_bytes(whole)
    info = media.probe(desk.home / "a.mp4")
    assert (info.width, info.height, info.fps, info.frames) == (864, 496, 24, 97)
    assert (info.has_audio, info.video_codec, info.audio_codec) == (True, "h264", "aac")
    assert (info.matrix, info.primaries, info.transfer, info.colour_range) == (1, 1, 1, 1)


def test_a_part_of_a_file_is_served(desk: Desk) -> None:
    url = desk.upload(Medium.from_data("image", clips.picture_bytes()))
    whole = desk.fetch(url).content
    part = desk.fetch(url, {"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
    rest = desk.fetch(url, {"Range": f"bytes={len(whole) - 7}-"})
    assert (rest.status_code, rest.content) == (206, whole[-7:])
    assert desk.fetch(url, {"Range": f"bytes={len(whole)}-"}).status_code == 416


def test_the_same_upload_has_the_same_address(desk: Desk) -> None:
    medium = Medium.from_data("image", clips.picture_bytes())
    assert desk.upload(medium) == desk.upload(medium)


def test_progress_is_told_while_it_renders(desk: Desk, drawn_by_hand: list[Any]) -> None:
    ticket = desk.send(TEXT)
    while (status := desk.check(ticket)) == Running(0.0, "queued"):
        time.sleep(0.01)
    assert status == Running(0.25, "rendering")
    assert drawn_by_hand[0].prompt == "A kite over a harbour"


def test_a_cancelled_task_stops_and_leaves_nothing(desk: Desk, drawn_by_hand: list[Any]) -> None:
    ticket = desk.send(TEXT)
    while desk.check(ticket) == Running(0.0, "queued"):
        time.sleep(0.01)
    assert desk.play(desk.provider.cancel(ticket)) == TaskCancelled()
    assert desk.check(ticket) == TaskCancelled()
    assert desk.play(desk.provider.cancel(ticket)) == TaskCancelled()
    while server._service(desk.home / "preview")._rendering:
        time.sleep(0.01)
    assert [path.name for path in (desk.home / "preview").iterdir() if path.is_file()] == []
    assert list((desk.home / "preview" / "files").iterdir()) == []


def test_a_finished_task_is_not_cancelled(desk: Desk, quick: None) -> None:
    ticket = desk.send(TEXT)
    assert isinstance(desk.wait(ticket), Done)
    assert isinstance(desk.play(desk.provider.cancel(ticket)), CannotCancel)
    assert isinstance(desk.check(ticket), Done)


def test_a_task_outlives_a_restart(
    desk: Desk, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server._Service, "_start", lambda self, task: server._Rendering())
    ticket = desk.send(TEXT)
    assert desk.check(ticket) == Running(0.0, "queued")
    monkeypatch.undo()
    monkeypatch.setattr(render, "FPS", 1)
    monkeypatch.setattr(server, "_services", {})
    after = Desk(desk.home)
    assert isinstance(after.check(ticket), Running)
    assert isinstance(after.wait(ticket), Done)


def test_a_task_that_ends_while_it_is_read_is_not_rendered_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()
    rendered: list[threading.Thread] = []

    def rendering(job: Any, target: Path, report: Any) -> None:
        rendered.append(threading.current_thread())
        assert may_end.wait(60)
        target.write_bytes(b"a clip")

    monkeypatch.setattr(render, "render", rendering)
    ticket = desk.send(TEXT)
    while not rendered:
        time.sleep(0.01)
    read = server._Service._read

    def slowly(service: Any, task_id: str) -> Any:
        task = read(service, task_id)
        if not may_end.is_set():
            may_end.set()
            rendered[0].join(0.5)  # all the time it needs, unless it has to wait for this look
        return task

    monkeypatch.setattr(server._Service, "_read", slowly)
    desk.check(ticket)
    assert isinstance(desk.wait(ticket), Done)
    assert len(rendered) == 1


def test_a_task_whose_folder_is_deleted_ends_without_a_word(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def rendering(job: Any, target: Path, report: Any) -> None:
        threads.append(threading.current_thread())
        shutil.rmtree(desk.home / "preview")
        raise OSError("The folder is gone.")

    monkeypatch.setattr(render, "render", rendering)
    ticket = desk.send(TEXT)
    while not threads:
        time.sleep(0.01)
    threads[0].join()  # pytest reports what a thread raises
    assert desk.check(ticket) == Expired()


def test_a_task_can_be_made_to_take_its_time(tmp_path: Path, quick: None) -> None:
    desk = Desk(tmp_path, seconds="3600")
    ticket = desk.send(TEXT)
    assert desk.calls[0].json["seconds"] == 3600.0
    while server._service(tmp_path / "preview")._rendering:
        time.sleep(0.01)
    status = desk.check(ticket)
    assert isinstance(status, Running) and status.phase == "rendering"
    assert status.progress is not None and 0 < status.progress < 0.5


@pytest.mark.parametrize("opaque", ["0" * 24, "x", "..", "a" * 400])
def test_an_unknown_task_has_expired(desk: Desk, opaque: str) -> None:
    assert desk.check(Ticket("preview", opaque)) == Expired()


@pytest.mark.parametrize("path", ["files/../../keys.json", "files/%2e%2e", "files/x", "x", ""])
def test_nothing_else_is_served(desk: Desk, path: str) -> None:
    (desk.home / "keys.json").write_text("secret")
    answer = desk.fetch(f"preview://local/{path}")
    assert answer.status_code == 404 and "message" in answer.json()["error"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_create_that_is_no_object_is_refused(desk: Desk, body: bytes) -> None:
    session = requests.Session()
    session.mount("preview://", desk.adapter)
    answer = session.post("preview://local/tasks", data=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "The body is not a JSON object."


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"resolution": "9k", "ratio": "1:1", "duration": 5},
        {"resolution": "480p", "ratio": "1:1", "duration": "long"},
        {"resolution": "480p", "ratio": "1:1", "duration": 10**9},
    ],
)
def test_an_order_that_cannot_be_drawn_fails_unbilled(desk: Desk, order: dict[str, Any]) -> None:
    session = requests.Session()
    session.mount("preview://", desk.adapter)
    task = session.post("preview://local/tasks", json=order).json()["id"]
    status = desk.wait(Ticket("preview", task))
    assert isinstance(status, Failed)
    assert status.billed == "no" and status.message.startswith("The preview ")


def test_a_broken_picture_fails_with_its_reason(desk: Desk) -> None:
    folder = desk.home / "preview" / "files"
    folder.mkdir(parents=True)
    (folder / f"{'a' * 24}.img").write_bytes(b"rubbish")
    order = replace(TEXT, first_frame=Medium("image", data=b"x"))
    ticket = desk.send(order, first_frame=f"preview://local/files/{'a' * 24}.img")
    status = desk.wait(ticket)
    assert isinstance(status, Failed) and "not a readable picture" in status.message


def test_a_damaged_task_file_is_an_expired_task(desk: Desk, drawn_by_hand: list[Any]) -> None:
    ticket = desk.send(TEXT)
    (desk.home / "preview" / "tasks" / f"{ticket.opaque}.json").write_text("{")
    assert desk.check(ticket) == Expired()


def test_what_is_a_week_old_is_removed(desk: Desk, drawn_by_hand: list[Any]) -> None:
    old, young = desk.send(TEXT), desk.send(TEXT)
    path = desk.home / "preview" / "tasks" / f"{old.opaque}.json"
    eight_days_ago = time.time() - 8 * 24 * 3600
    os.utime(path, (eight_days_ago, eight_days_ago))
    desk.send(TEXT)
    assert desk.check(old) == Expired()
    assert isinstance(desk.check(young), Running)


def test_tasks_are_written_as_plain_json(desk: Desk, drawn_by_hand: list[Any]) -> None:
    ticket = desk.send(TEXT)
    record = json.loads(
        (desk.home / "preview" / "tasks" / f"{ticket.opaque}.json").read_text("utf-8")
    )
    assert record["order"]["prompt"] == TEXT.prompt and record["status"] == "queued"
