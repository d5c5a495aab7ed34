"""The provider preview: real clips from an adapter that answers inside the process."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import clips
import numpy as np
import pytest
import requests

from seedance import media, providers
from seedance.addresses import origin
from seedance.fit import fit
from seedance.money import Money
from seedance.order import MODELS, RATIOS, RESOLUTIONS, SIZES, Medium, Order
from seedance.preview import render, server, text
from seedance.providers.preview import Preview
from seedance.transport import Credentials, Transport
from seedance.wire import (
    Call,
    CannotCancel,
    Config,
    Delivered,
    Done,
    Expired,
    Failed,
    Flow,
    Pause,
    Running,
    Status,
    TaskCancelled,
    Ticket,
)

pytestmark = pytest.mark.slow

T = TypeVar("T")
TEXT = Order(prompt="A kite over a harbour", resolution="480p", ratio="16:9", duration=4, seed=7)


class Desk:
    """What the runner does, as far as these tests need it."""

    def __init__(self, home: Path, **options: str) -> None:
        self.home = home
        self.provider = Preview(Config("preview://local", options=options))
        self.adapter = server.PreviewAdapter(home)
        self.transport = Transport(
            Credentials("Bearer", "", frozenset({origin("preview://local")})),
            {"preview://": self.adapter},
        )
        self.calls: list[Call] = []

    def play(self, flow: Flow[T]) -> T:
        reply = None
        while True:
            try:
                call = flow.send(reply)  # type: ignore[arg-type]
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            assert not isinstance(call, Pause)
            self.calls.append(call)
            reply = self.transport.perform(call)

    def send(self, order: Order, **media_files: Any) -> Ticket:
        return self.play(self.provider.submit(order, Delivered(**media_files)))

    def upload(self, medium: Medium) -> str:
        limits = Preview.limits.of(medium.kind)
        assert limits is not None
        if medium.kind == "image":
            blob, _ = media.picture_blob(medium, limits)
        else:
            make = media.clip_blob if medium.kind == "video" else media.sound_blob
            blob, _ = make(medium, limits, nearest=False, work_dir=self.home / "work")
        return self.play(self.provider.upload(blob)).reference

    def check(self, ticket: Ticket) -> Status:
        return self.play(self.provider.check(ticket))

    def wait(self, ticket: Ticket) -> Status:
        while isinstance(status := self.check(ticket), Running):
            time.sleep(0.05)
        return status

    def clip(self, order: Order, **media_files: Any) -> Path:
        """The finished clip of an order."""
        status = self.wait(self.send(order, **media_files))
        assert isinstance(status, Done) and status.video_url
        path = self.home / "clip.mp4"
        path.write_bytes(self.fetch(status.video_url).content)
        return path

    def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        session = requests.Session()
        session.mount("preview://", self.adapter)
        return session.get(url, headers=headers, stream=True)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    for rendering in list(server._service(tmp_path / "preview")._rendering.values()):
        rendering.cancelled.set()


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


def test_a_task_can_be_made_to_take_its_time(tmp_path: Path, quick: None) -> None:
    desk = Desk(tmp_path, seconds="3600")
    ticket = desk.send(TEXT)
    assert desk.calls[0].json["seconds"] == 3600.0
    while server._service(tmp_path / "preview")._rendering:
        time.sleep(0.01)
    status = desk.check(ticket)
    assert isinstance(status, Running) and status.note == "rendering"
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


# ------------------------------------------------------------------------------------- the clips


def frames_of(path: Path) -> np.ndarray:
    return media.to_8bit(media.decode_frames(path)).astype(int)


def without_label(frame: np.ndarray) -> np.ndarray:
    """The frame without its lowest part, where the label is."""
    return frame[: frame.shape[0] * 9 // 10]


@pytest.mark.parametrize("resolution", ["480p", "720p", "1080p"])
@pytest.mark.parametrize("ratio", [ratio for ratio in RATIOS if ratio != "adaptive"])
def test_the_size_is_that_of_the_table(
    desk: Desk, quick: None, resolution: str, ratio: str
) -> None:
    order = replace(TEXT, resolution=resolution, ratio=ratio, generate_audio=False)
    info = media.probe(desk.clip(order))
    assert (info.width, info.height) == SIZES[resolution][ratio]


def test_every_size_is_even_and_of_its_ratio() -> None:
    for sizes in SIZES.values():
        assert set(sizes) == set(RATIOS) - {"adaptive"}
        for ratio, (width, height) in sizes.items():
            across, down = map(int, ratio.split(":"))
            assert width % 2 == height % 2 == 0
            assert width / height == pytest.approx(across / down, rel=0.04)


def test_five_seconds_are_121_frames(desk: Desk) -> None:
    order = replace(TEXT, duration=-1, generate_audio=False)
    info = media.probe(desk.clip(order))
    assert (info.frames, info.has_audio) == (121, False)


@pytest.mark.parametrize(
    ("width", "height", "ratio"), [(640, 360, "16:9"), (300, 640, "9:21"), (400, 410, "1:1")]
)
def test_adaptive_takes_the_ratio_of_the_first_picture(
    desk: Desk, quick: None, width: int, height: int, ratio: str
) -> None:
    first = desk.upload(Medium.from_pixels(picture(0, width, height)))
    order = replace(TEXT, ratio="adaptive", first_frame=Medium("image", data=b"x"))
    info = media.probe(desk.clip(order, first_frame=first))
    assert (info.width, info.height) == SIZES["480p"][ratio]


def test_the_first_frame_is_the_picture(desk: Desk, quick: None) -> None:
    pixels = picture(1)
    first = desk.upload(Medium.from_pixels(pixels))
    order = replace(TEXT, first_frame=Medium("image", data=b"x"))
    frames = frames_of(desk.clip(order, first_frame=first))
    expected = media.fit_cover(pixels, 864, 496)
    assert np.abs(without_label(frames[0] - expected)).mean() < 1
    assert np.abs(without_label(frames[-1] - expected)).mean() > 5


@pytest.mark.parametrize("camera_fixed", [False, True])
def test_it_moves(desk: Desk, quick: None, camera_fixed: bool) -> None:
    first = desk.upload(Medium.from_pixels(picture(1)))
    order = replace(TEXT, first_frame=Medium("image", data=b"x"), camera_fixed=camera_fixed)
    frames = frames_of(desk.clip(order, first_frame=first))
    assert np.abs(without_label(frames[2] - frames[0])).mean() > 1


def test_both_frames_are_met(desk: Desk, quick: None) -> None:
    one, two = picture(1), picture(3)
    order = replace(
        TEXT, first_frame=Medium("image", data=b"x"), last_frame=Medium("image", data=b"y")
    )
    frames = frames_of(
        desk.clip(
            order,
            first_frame=desk.upload(Medium.from_pixels(one)),
            last_frame=desk.upload(Medium.from_pixels(two)),
        )
    )
    assert np.abs(without_label(frames[0] - media.fit_cover(one, 864, 496))).mean() < 1
    assert np.abs(without_label(frames[-1] - media.fit_cover(two, 864, 496))).mean() < 1


def test_references_are_shown_in_turn(desk: Desk) -> None:
    red = np.full((360, 640, 3), (220, 20, 20), np.uint8)
    blue = np.full((360, 640, 3), (20, 20, 220), np.uint8)
    clip = clips.write(desk.home / "a.mp4", width=640, height=360, matrix=1, planes=(173, 42, 26))
    order = replace(TEXT, references=(Medium("image", data=b"x"),))
    frames = frames_of(
        desk.clip(
            order,
            images=(desk.upload(Medium.from_pixels(red)), desk.upload(Medium.from_pixels(blue))),
            videos=(desk.upload(Medium.from_path("video", clip)),),
        )
    )
    middles = [frames[number][248, 432] for number in (16, 48, 80)]
    assert [int(middle.argmax()) for middle in middles] == [0, 2, 1]


def test_an_address_is_not_fetched_but_stood_for(desk: Desk, quick: None) -> None:
    order = replace(TEXT, first_frame=Medium("image", address="https://example.com/a.png"))
    frames = frames_of(desk.clip(order, first_frame="https://example.com/a.png"))
    assert np.abs(frames[0][30, 30] - (44, 48, 60)).max() <= 4


def test_an_edit_keeps_the_pictures_but_shows_that_it_worked(desk: Desk) -> None:
    clip = clips.write(
        desk.home / "a.mp4", width=864, height=496, frames=120, matrix=clips.BT709, audio=True
    )
    order = replace(TEXT, video=Medium("video", data=b"x"), duration=-1, generate_audio=False)
    path = desk.clip(order, video=desk.upload(Medium.from_path("video", clip)))
    info = media.probe(path)
    assert (info.frames, info.has_audio) == (121, False)
    frame, source = frames_of(path)[100], clips.pattern(864, 496, 100).astype(int)
    assert np.abs(without_label(frame - source)).mean() > 15
    luma = [(without_label(each) @ (0.299, 0.587, 0.114)).ravel() for each in (frame, source)]
    assert np.corrcoef(luma)[0, 1] > 0.75


def test_an_edit_can_keep_the_sound(desk: Desk, quick: None) -> None:
    clip = clips.write(desk.home / "a.mp4", frames=96, audio=True)
    order = replace(TEXT, video=Medium("video", data=b"x"), keep_audio=True, generate_audio=False)
    path = desk.clip(order, video=desk.upload(Medium.from_path("video", clip)))
    sound = media.decode_audio(path)
    assert sound is not None
    assert np.abs(np.fft.rfft(sound[0][0, 24000:72000])).argmax() == 440


def test_an_extension_begins_with_the_last_frame(desk: Desk, quick: None) -> None:
    clip = clips.write(desk.home / "a.mp4", width=864, height=496, frames=48, matrix=clips.BT709)
    order = replace(TEXT, video=Medium("video", data=b"x"), operation="extend")
    frames = frames_of(desk.clip(order, video=desk.upload(Medium.from_path("video", clip))))
    assert np.abs(without_label(frames[0] - media.last_frame(clip))).mean() < 1.5


def test_a_reference_sound_is_heard(desk: Desk, quick: None) -> None:
    sound = media.encode_wav(clips.samples(2.0, hertz=1000.0), 48000)
    order = replace(TEXT, references=(Medium("audio", data=b"x"),))
    path = desk.clip(order, audios=(desk.upload(Medium.from_data("audio", sound)),))
    decoded = media.decode_audio(path)
    assert decoded is not None
    assert np.abs(np.fft.rfft(decoded[0][0, 24000:72000])).argmax() == 1000
    assert np.abs(decoded[0][0, 110_000:]).max() < 0.01


def scene(**fields: Any) -> render.Scene:
    order = {"resolution": "480p", "ratio": "16:9", "duration": 4, "prompt": "a kite", **fields}
    return render.Scene.read(order, lambda address: None)


def rendered(folder: Path, **fields: Any) -> bytes:
    path = folder / "a.mp4"
    render.render(scene(**fields), path, lambda progress: True)
    return path.read_bytes()


def test_the_seed_decides_the_clip(tmp_path: Path, quick: None) -> None:
    from seedance.preview import sound

    one, again, other = (
        next(render._clip(scene(seed=seed), (160, 96), 2)).tobytes() for seed in (1, 1, 2)
    )
    assert one == again != other
    tones = [sound.track(scene(seed=seed, generate_audio=True), 2.0) for seed in (1, 1, 2)]
    assert all(tone is not None for tone in tones)
    first, same, different = (tone[0] for tone in tones if tone)
    assert np.array_equal(first, same) and not np.array_equal(first, different)
    assert first.shape == (2, 96000) and 0.02 < np.abs(first).max() < 0.5


def test_the_prompt_can_be_read(tmp_path: Path, quick: None) -> None:
    with_words, without = (
        text.Writing(scene(prompt=prompt), (864, 496), 5) for prompt in ("a kite", "")
    )
    plain = text.card((864, 496), "")
    changed = np.asarray(with_words.on(plain, 3)).astype(int) - np.asarray(without.on(plain, 3))
    rows, columns, _ = np.nonzero(np.abs(changed) > 60)
    assert len(rows) > 500
    assert rows.mean() == pytest.approx(248, abs=30)
    assert columns.mean() == pytest.approx(432, abs=30)


def test_only_the_label_is_on_the_first_and_the_last_frame(tmp_path: Path) -> None:
    frames_job = replace(scene(), mode="image", first_frame=tmp_path / "a.png")
    writing = text.Writing(frames_job, (864, 496), 97)
    plain = text.card((864, 496), "")
    for number in (0, 96):
        changed = np.asarray(writing.on(plain, number)).astype(int) - np.asarray(plain)
        rows, columns, _ = np.nonzero(changed)
        assert rows.min() > 460 and columns.min() > 600
    changed = np.asarray(writing.on(plain, 48)).astype(int) - np.asarray(plain)
    assert 380 < np.nonzero(changed)[0].min() < 460


def test_a_watermark_is_added_when_asked_for() -> None:
    plain = text.card((864, 496), "")
    marked, unmarked = (
        np.asarray(text.Writing(scene(prompt="", watermark=wanted), (864, 496), 5).on(plain, 0))
        for wanted in (True, False)
    )
    assert np.nonzero(marked.astype(int) - unmarked)[1].max() < 300


def test_lines_break_at_spaces_and_between_chinese_characters() -> None:
    font = text.font_for("a", 20)
    width = int(font.getlength("one two")) + 1
    assert text.wrap("one two three", font, width) == ["one two", "three"]
    chinese = text.wrap("\u9ece\u660e\u65f6\u5206\u7684\u6e2f\u53e3", font, 60)
    assert "".join(chinese) == "\u9ece\u660e\u65f6\u5206\u7684\u6e2f\u53e3" and len(chinese) > 1


def test_a_word_longer_than_a_line_is_broken() -> None:
    font = text.font_for("a", 20)
    lines = text.wrap("x" * 100, font, 120)
    assert "".join(lines) == "x" * 100
    assert all(font.getlength(line) <= 120 for line in lines)


def test_characters_without_a_font_are_left_out() -> None:
    font = text.font_for("a", 20)
    assert text.readable("a \U0010fffd kite", font) == "a kite"
    assert "2 characters" in text.readable("\U0010fffd\U0010fffe", font)


def test_a_prompt_too_long_to_show_ends_in_an_ellipsis() -> None:
    font, lines = text._set("many words " * 200, 600, 6, 40, 20)
    assert len(lines) == 6 and lines[-1].endswith("\u2026")
    assert all(font.getlength(line) <= 600 for line in lines)
