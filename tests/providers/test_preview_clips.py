"""The clips that the provider preview renders: sizes, frames, sounds, labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest
from preview_desk import TEXT, Desk, opened

from seedance import media
from seedance.order import RATIOS, SIZES, Medium
from seedance.preview import render, text

pytestmark = pytest.mark.slow


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path) as made:
        yield made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five frames instead of a hundred, where their number is not what is tested."""
    monkeypatch.setattr(render, "FPS", 1)


def picture(number: int, width: int = 640, height: int = 360) -> np.ndarray:
    return clips.pattern(width, height, number * 7)


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


@pytest.mark.parametrize("operation", ["edit", "extend"])
def test_adaptive_takes_the_ratio_that_is_seen_of_a_phones_clip(
    desk: Desk, quick: None, operation: str
) -> None:
    path = clips.turned(desk.home / "a.mp4", (0, 1, -1, 0), width=320, height=180)
    order = replace(
        TEXT, ratio="adaptive", video=Medium("video", data=b"x"), operation=operation, duration=4
    )
    clip = desk.clip(order, video=desk.upload(Medium.from_path("video", path)))
    info = media.probe(clip)
    assert (info.width, info.height) == SIZES["480p"]["9:16"]
    if operation == "extend":
        seen = media.fit_cover(np.ascontiguousarray(media.last_frame(path)), 496, 864).astype(int)
        assert np.abs(without_label(frames_of(clip)[0] - seen)).mean() < 3


def test_an_edited_clip_shows_each_picture_for_its_time(desk: Desk) -> None:
    """A last picture that is held is not shown for a moment only."""
    path = clips.film(desk.home / "a.mp4", [0, 0.5, 1.0, 1.5], end=4.0)
    order = replace(TEXT, video=Medium("video", data=b"x"), duration=-1, generate_audio=False)
    frames = frames_of(desk.clip(order, video=desk.upload(Medium.from_path("video", path))))
    levels = without_label(frames[0]).mean(), *(frames[n][:400].mean() for n in (6, 18, 30, 42, 90))
    assert len(frames) == 4 * 24 + 1
    assert levels[1] < levels[2] < levels[3] < levels[4] == pytest.approx(levels[5], abs=1)


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
    assert (
        text.readable("a \U0010fffd kite", font) == "a kite (and 1 character without a font here)"
    )
    assert "2 characters" in text.readable("\U0010fffd\U0010fffe", font)


def test_a_prompt_too_long_to_show_ends_in_an_ellipsis() -> None:
    font, lines = text._set("many words " * 200, 600, 6, 40, 20)
    assert len(lines) == 6 and lines[-1].endswith("\u2026")
    assert all(font.getlength(line) <= 600 for line in lines)
