"""Clips and sounds on their way up: untouched where they fit, refused or brought within limits."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import clips
import numpy as np
import pytest

from seedance import media
from seedance.errors import BadOrder
from seedance.order import Medium
from seedance.wire import MediaLimits

MP4 = MediaLimits(("video/mp4", "video/quicktime"))
MP3_WAV = MediaLimits(("audio/mpeg", "audio/wav"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """320x240, 24 fps, 3 s, with sound."""
    return clips.write(
        tmp_path_factory.mktemp("clips") / "secret name.mp4",
        width=320,
        height=240,
        frames=72,
        audio=True,
    )


def as_is(path: Path) -> Medium:
    return Medium.from_path("video", path)


def test_a_clip_that_fits_goes_up_byte_for_byte_from_its_path(clip: Path, tmp_path: Path) -> None:
    limits = replace(
        MP4,
        seconds=(2, 3),
        fps=(24, 60),
        sides=(240, 320),
        pixels=(76_800, 76_800),
        max_bytes=clip.stat().st_size,
    )
    blob, changes = media.clip_blob(as_is(clip), limits, nearest=True, work_dir=tmp_path)
    assert changes == []
    assert (blob.path, blob.data, blob.size) == (clip, None, clip.stat().st_size)
    assert blob.digest == hashlib.sha256(clip.read_bytes()).hexdigest()
    assert (blob.width, blob.height, blob.fps) == (320, 240, 24.0)
    assert blob.seconds == pytest.approx(3.0)
    assert (blob.mime, blob.extension) == ("video/mp4", "mp4") and "secret" not in blob.name
    assert list(tmp_path.iterdir()) == []


def test_a_clip_given_as_bytes_goes_up_byte_for_byte(clip: Path, tmp_path: Path) -> None:
    medium = Medium.from_data("video", clip.read_bytes())
    blob, changes = media.clip_blob(medium, MP4, nearest=False, work_dir=tmp_path)
    assert changes == [] and blob.path is not None
    assert blob.path.read_bytes() == clip.read_bytes()


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (replace(MP4, seconds=(1, 2)), "1 to 2 s are taken"),
        (replace(MP4, max_bytes=1000), "at most 1,000 bytes are taken"),
        (replace(MP4, formats=("video/quicktime",)), "video/mp4 is not taken, only video/quick"),
        (replace(MP4, fps=(25, 60)), "25 to 60 frames a second are taken"),
        (replace(MP4, fps=(1, 12)), "1 to 12 frames a second are taken"),
        (replace(MP4, pixels=(1, 70_000)), "at most 70,000 pixels in all are taken"),
        (replace(MP4, pixels=(409_600, 927_408)), "at least 409,600 pixels in all are needed"),
        (replace(MP4, sides=(300, 6000)), "at least 300 pixels a side are needed"),
        (replace(MP4, sides=(16, 200)), "at most 200 pixels a side are taken"),
    ],
)
def test_a_clip_that_does_not_fit_is_refused_with_the_limit(
    clip: Path, tmp_path: Path, limits: MediaLimits, says: str
) -> None:
    with pytest.raises(BadOrder) as raised:
        media.clip_blob(as_is(clip), limits, nearest=False, work_dir=tmp_path)
    assert says in raised.value.message
    assert "The clip (320x240, 3.0 s, 24 fps, " in raised.value.message
    assert "nearest" in raised.value.hint


@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (replace(MP4, seconds=(4, 15)), "too short: 4 to 15 s are taken"),
        (replace(MP4, aspect=(1.5, 2.5)), "width / height = 1.33, and 1.5 to 2.5 is taken"),
    ],
)
def test_what_no_change_of_ours_would_mend_is_refused(
    clip: Path, tmp_path: Path, limits: MediaLimits, says: str, nearest: bool
) -> None:
    with pytest.raises(BadOrder, match=says):
        media.clip_blob(as_is(clip), limits, nearest=nearest, work_dir=tmp_path)


@pytest.mark.parametrize("nearest", [False, True])
def test_a_clip_whose_shape_alone_is_outside_the_limits_is_refused(
    clip: Path, tmp_path: Path, nearest: bool
) -> None:
    with pytest.raises(BadOrder, match=r"320x240 .* = 1.33, and 1.5 to 2.5 is taken") as raised:
        media.clip_blob(
            as_is(clip), replace(MP4, aspect=(1.5, 2.5)), nearest=nearest, work_dir=tmp_path
        )
    assert raised.value.hint == "Crop the clip."
    blob, changes = media.clip_blob(
        as_is(clip), replace(MP4, aspect=(0.4, 2.5)), nearest=nearest, work_dir=tmp_path
    )
    assert (blob.path, changes) == (clip, [])


def fitted(clip: Path, work_dir: Path, limits: MediaLimits) -> tuple[media.ClipInfo, list[str]]:
    before = clip.read_bytes()
    blob, changes = media.clip_blob(as_is(clip), limits, nearest=True, work_dir=work_dir)
    assert blob.path is not None and blob.path.parent == work_dir
    assert list(work_dir.iterdir()) == [blob.path]
    assert blob.digest == hashlib.sha256(blob.path.read_bytes()).hexdigest()
    assert clip.read_bytes() == before
    info = media.probe(blob.path)
    assert (blob.width, blob.height, blob.seconds) == (info.width, info.height, info.duration)
    assert (info.video_codec, info.mime, info.matrix) == ("h264", "video/mp4", 1)
    return info, changes


def test_a_clip_too_long_is_trimmed_with_its_sound(clip: Path, tmp_path: Path) -> None:
    info, changes = fitted(clip, tmp_path, replace(MP4, seconds=(1, 2)))
    assert (info.frames, info.duration, info.has_audio) == (48, 2.0, True)
    assert changes == ["1 to 2 s are taken"]
    frames = media.to_8bit(media.decode_frames(next(tmp_path.iterdir())))
    assert np.abs(frames[40].astype(int) - clips.pattern(320, 240, 40)).mean() < 3
    sound = media.decode_audio(next(tmp_path.iterdir()))
    assert sound is not None and sound[0].shape[1] == pytest.approx(96_000, abs=2048)


def test_a_clip_too_large_is_scaled_to_even_sides(clip: Path, tmp_path: Path) -> None:
    info, _ = fitted(clip, tmp_path, replace(MP4, pixels=(1, 20_000)))
    assert (info.width, info.height, info.frames) == (162, 122, 72)


def test_a_clip_too_small_is_scaled_up(clip: Path, tmp_path: Path) -> None:
    info, _ = fitted(clip, tmp_path, replace(MP4, pixels=(409_600, 927_408)))
    assert info.width * info.height >= 409_600
    assert info.width / info.height == pytest.approx(4 / 3, abs=0.01)


@pytest.mark.parametrize(("bounds", "fps", "frames"), [((30, 60), 30, 89), ((1, 12), 12, 36)])
def test_a_frame_rate_is_brought_within_limits_at_the_same_speed(
    clip: Path, tmp_path: Path, bounds: tuple[float, float], fps: int, frames: int
) -> None:
    info, _ = fitted(clip, tmp_path, replace(MP4, fps=bounds))
    assert info.fps == fps
    assert abs(info.frames - frames) <= 1
    assert info.duration == pytest.approx(3.0, abs=0.1)


def test_too_many_bytes_are_encoded_smaller(tmp_path: Path) -> None:
    source = clips.write(tmp_path / "a.mp4", width=640, height=480, frames=48, quality=1)
    work = tmp_path / "work"
    work.mkdir()
    limits = replace(MP4, max_bytes=60_000)
    assert source.stat().st_size > 60_000
    info, _ = fitted(source, work, limits)
    assert info.size <= 60_000 and info.frames == 48


def test_another_container_becomes_mp4(tmp_path: Path) -> None:
    source = clips.write(tmp_path / "a.mkv", frames=24, container="matroska", audio=True)
    assert media.probe(source).mime == "video/x-matroska"
    work = tmp_path / "work"
    work.mkdir()
    info, changes = fitted(source, work, MP4)
    assert (info.frames, info.has_audio, len(changes)) == (24, True, 1)


def test_a_clip_of_no_size_is_refused(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.mp4", width=64, height=12)
    with pytest.raises(BadOrder, match="The clip is 64x12 pixels"):
        media.clip_blob(as_is(path), MP4, nearest=True, work_dir=tmp_path)


@pytest.mark.parametrize("make", [media.clip_blob, media.sound_blob])
def test_rubbish_is_refused(tmp_path: Path, make: object) -> None:
    medium = Medium.from_data("video", b"rubbish" * 100)
    with pytest.raises(BadOrder, match="not a readable"):
        make(medium, MP4, nearest=True, work_dir=tmp_path)  # type: ignore[operator]


# ---------------------------------------------------------------------------------------- sounds


def wav(seconds: float, rate: int = 48000) -> Medium:
    return Medium.from_data("audio", media.encode_wav(clips.samples(seconds, rate), rate))


def test_a_sound_that_fits_goes_up_byte_for_byte(tmp_path: Path) -> None:
    medium = wav(2)
    limits = replace(MP3_WAV, seconds=(2, 2), max_bytes=len(medium.data or b""))
    blob, changes = media.sound_blob(medium, limits, nearest=False, work_dir=tmp_path)
    assert changes == [] and blob.path is not None
    assert blob.path.read_bytes() == medium.data
    assert (blob.kind, blob.mime, blob.extension, blob.seconds) == ("audio", "audio/wav", "wav", 2)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (replace(MP3_WAV, seconds=(1, 2)), "1 to 2 s are taken"),
        (replace(MP3_WAV, max_bytes=1000), "at most 1,000 bytes are taken"),
        (MediaLimits(("audio/mpeg",)), "audio/wav is not taken, only audio/mpeg"),
    ],
)
def test_a_sound_that_does_not_fit_is_refused(
    tmp_path: Path, limits: MediaLimits, says: str
) -> None:
    with pytest.raises(BadOrder, match=says):
        media.sound_blob(wav(3), limits, nearest=False, work_dir=tmp_path)


@pytest.mark.parametrize(
    ("formats", "codec"), [(("audio/mpeg", "audio/wav"), "mp3"), (("audio/wav",), "pcm_s16le")]
)
def test_a_sound_too_long_is_trimmed(tmp_path: Path, formats: tuple[str, ...], codec: str) -> None:
    limits = MediaLimits(formats, seconds=(1, 2))
    blob, changes = media.sound_blob(wav(3), limits, nearest=True, work_dir=tmp_path)
    assert changes == ["1 to 2 s are taken"] and blob.path is not None
    info = media.probe_sound(blob.path)
    assert info.codec.startswith(codec[:3]) and 1.9 < info.duration <= 2.05
    decoded = media.decode_audio(blob.path)
    assert decoded is not None
    assert np.abs(np.fft.rfft(decoded[0][0, 24000:72000])).argmax() == 440


def test_a_sound_too_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOrder, match="too short: 2 to 15 s"):
        media.sound_blob(wav(1), replace(MP3_WAV, seconds=(2, 15)), nearest=True, work_dir=tmp_path)


def test_the_sound_of_a_clip_can_go_up_alone(clip: Path, tmp_path: Path) -> None:
    medium = Medium.from_path("audio", clip)
    blob, changes = media.sound_blob(medium, MP3_WAV, nearest=True, work_dir=tmp_path)
    assert blob.mime == "audio/mpeg" and len(changes) == 1
    assert blob.seconds == pytest.approx(3.0, abs=0.1)
