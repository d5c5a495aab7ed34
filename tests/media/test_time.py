"""Time: what is written anew is as long as what it was made of, and nothing in it moves."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import clips
import numpy as np
import pytest

from seedance import media
from seedance.errors import BadOrder
from seedance.media import clip_blobs
from seedance.media.clips import ClipPlan, convert_clip
from seedance.order import Medium
from seedance.wire import Blob, MediaLimits

MP4 = MediaLimits(("video/mp4",), fps=(24, 60))
RATE = 48000


def fitted(path: Path, limits: MediaLimits, work: Path) -> tuple[Blob, Path]:
    """The clip as it goes up, written anew."""
    blob, changes = media.clip_blob(
        Medium.from_path("video", path), limits, nearest=True, work_dir=work
    )
    assert changes and blob.path is not None and blob.path != path
    return blob, blob.path


def greys(path: Path) -> list[int]:
    """The number of the picture that each frame of a clip shows."""
    return [round(float(frame.mean()) / 20) for frame in media.iter_frames(path)]


def heard(path: Path) -> tuple[float, float]:
    """From when to when something is heard, in seconds."""
    decoded = media.decode_audio(path)
    assert decoded is not None
    loud = np.flatnonzero(np.abs(decoded[0][0]) > 0.05)
    return loud[0] / decoded[1], loud[-1] / decoded[1]


def every(seconds: float, fps: float) -> list[float]:
    return [number / fps for number in range(round(seconds * fps))]


@pytest.mark.parametrize("fps", [8, 10, 12.5, 15, 20])
def test_a_clip_at_the_shortest_length_keeps_it(tmp_path: Path, fps: float) -> None:
    path = clips.film(tmp_path / "a.mp4", every(2, fps))
    blob, _ = fitted(path, replace(MP4, seconds=(2, 15)), tmp_path)
    assert blob.seconds == 2.0
    assert media.probe(blob.path or path).frames == 48


@pytest.mark.parametrize("fps", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(24)])
def test_whole_frames_stay_within_the_bounds(tmp_path: Path, fps: Fraction) -> None:
    path = clips.film(tmp_path / "a.mp4", every(4.06, 10))
    for bounds in ((4.0, 4.05), (4.0, 15), (4.1, 15), (1, 2.03)):
        limits = replace(MP4, seconds=bounds, fps=(float(fps), float(fps)))
        blob, _ = fitted(path, limits, tmp_path)
        assert bounds[0] - 1e-6 <= (blob.seconds or 0) <= bounds[1] + 1e-6


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_the_last_picture_is_held(tmp_path: Path, container: str) -> None:
    path = clips.film(tmp_path / "a.bin", every(1, 10), end=3.0, container=container)
    assert media.probe(path).duration == pytest.approx(3.0, abs=0.01)
    _, result = fitted(path, replace(MP4, formats=("video/mp4",), fps=(30, 60)), tmp_path)
    shown = greys(result)
    assert len(shown) == 90
    assert shown[:30] == [number for number in range(10) for _ in range(3)]
    assert set(shown[30:]) == {9}


def test_a_picture_that_is_held_midway_is_not_replaced_by_the_next(tmp_path: Path) -> None:
    path = clips.film(tmp_path / "a.mp4", [0, 0.25, 0.5, 2.0, 2.25], end=2.5)
    _, result = fitted(path, replace(MP4, fps=(24, 24), seconds=(1, 2.5)), tmp_path)
    shown = greys(result)
    assert shown == [0] * 6 + [1] * 6 + [2] * 36 + [3] * 6 + [4] * 6


def test_the_rate_of_the_pictures_is_not_that_of_the_average(tmp_path: Path) -> None:
    path = clips.film(tmp_path / "a.mp4", every(1, 24)[:12], end=6.0)
    info = media.probe(path)
    assert (float(info.fps), info.rate) == (pytest.approx(2.0, abs=0.01), 24)
    blob, result = fitted(path, replace(MP4, sides=(16, 120)), tmp_path)
    assert (blob.fps, blob.seconds) == (24, pytest.approx(6.0))
    assert greys(result)[:12] == list(range(12))


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_one_picture_is_shown_as_long_as_its_sound(tmp_path: Path, container: str) -> None:
    path = clips.film(tmp_path / "a.bin", [0.0], sound=(0.0, 4.0), container=container)
    assert media.probe(path).duration == pytest.approx(4.0, abs=0.03)
    blob, result = fitted(path, replace(MP4, seconds=(2, 15), sides=(16, 120)), tmp_path)
    assert blob.seconds == pytest.approx(4.0, abs=0.05)
    assert set(greys(result)) == {0}
    assert heard(result) == pytest.approx((0.0, 4.0), abs=0.05)


@pytest.mark.parametrize("container", ["mp4", "matroska"])
@pytest.mark.parametrize("begin", [0.0, 0.3, 1.5])
def test_the_sound_begins_where_it_began(tmp_path: Path, container: str, begin: float) -> None:
    path = clips.film(tmp_path / "a.bin", every(3, 10), sound=(begin, 2.5), container=container)
    _, result = fitted(path, MP4, tmp_path)
    assert heard(result) == pytest.approx((begin, 2.5), abs=0.04)
    assert media.probe(result).duration == pytest.approx(3.0)


def test_pictures_that_begin_after_the_sound_stay_behind_it(tmp_path: Path) -> None:
    path = clips.film(
        tmp_path / "a.mkv", [1 + t for t in every(2, 10)], sound=(0, 3), container="matroska"
    )
    assert media.probe(path).duration == pytest.approx(3.0, abs=0.05)
    _, result = fitted(path, MP4, tmp_path)
    assert heard(result) == pytest.approx((0.0, 3.0), abs=0.05)
    assert greys(result)[:26] == [0] * 26


def test_sound_is_cut_where_the_pictures_are(tmp_path: Path) -> None:
    path = clips.film(tmp_path / "a.mp4", every(4, 24), sound=(0, 4))
    _, result = fitted(path, replace(MP4, seconds=(1, 2)), tmp_path)
    with av.open(str(result)) as container:
        assert container.duration == 2_000_000
    assert heard(result)[1] == pytest.approx(2.0, abs=0.03)


# -------------------------------------------------------------------------------- what lies


def lying(path: Path, box: bytes, at: int, seconds: float) -> Path:
    """The clip with another duration in its first box of this name, whose scale is kept."""
    data = bytearray(path.read_bytes())
    place = data.index(box) + 4 + at
    scale = struct.unpack(">I", data[place - 4 : place])[0]
    data[place : place + 4] = struct.pack(">I", round(seconds * scale))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("claimed", [0.3, 40.0])
@pytest.mark.parametrize("sound", [None, (0.0, 8.0)])
def test_pictures_are_believed_and_not_the_header_of_their_track(
    tmp_path: Path, claimed: float, sound: tuple[float, float] | None
) -> None:
    path = lying(clips.film(tmp_path / "a.mp4", every(8, 24), sound=sound), b"mdhd", 16, claimed)
    with av.open(str(path)) as container:  # FFmpeg itself does not believe too long a track
        stream = container.streams.video[0]
        told = float((stream.duration or 0) * (stream.time_base or 0))
        assert told == pytest.approx(min(claimed, 8.0), abs=0.01)
    assert media.probe(path).duration == pytest.approx(8.0, abs=0.05)
    medium, limits = Medium.from_path("video", path), replace(MP4, seconds=(2, 15))
    blob, changes = media.clip_blob(medium, limits, nearest=False, work_dir=tmp_path)
    assert (blob.path, changes) == (path, [])
    _, result = fitted(path, replace(limits, sides=(16, 120)), tmp_path)
    assert media.probe(result).duration == pytest.approx(8.0, abs=0.05)


def test_a_recording_without_any_length_is_measured(tmp_path: Path) -> None:
    """As a browser streams it: fragments, and no length in the header."""
    path = tmp_path / "a.mp4"
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    with av.open(str(path), "w", options=options) as out:
        stream: Any = out.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(72):
            frame = av.VideoFrame.from_ndarray(clips.pattern(160, 96, number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    info = media.probe(path)
    assert (info.frames, info.duration) == (72, pytest.approx(3.0, abs=0.05))


@pytest.mark.parametrize(
    ("container", "codec"), [("matroska", "libopus"), ("webm", "libopus"), ("mp3", "libmp3lame")]
)
def test_a_sound_whose_header_does_not_tell_is_measured(
    tmp_path: Path, container: str, codec: str
) -> None:
    """As a browser streams it: no length. MP3 without its first frame guesses."""
    whole = io.BytesIO()
    options = {"live": "1"} if container != "mp3" else {"write_xing": "0"}
    with av.open(whole, "w", format=container, options=options) as out:
        stream: Any = out.add_stream(codec, rate=RATE)
        stream.layout = "stereo"
        quiet = av.AudioResampler("s16p" if codec == "libmp3lame" else "s16", "stereo", RATE)
        for frame in clips.tone(3.0, RATE):
            for ready in quiet.resample(frame):
                out.mux(stream.encode(ready))
        out.mux(stream.encode(None))
    medium = Medium.from_data("audio", whole.getvalue())
    assert media.measure(medium).seconds == pytest.approx(3.0, abs=0.1)


# -------------------------------------------------------------------- what is cut out of a clip


@pytest.mark.parametrize("start", [0.0, 0.5, 2.0])
def test_a_part_is_cut_out_at_its_time(tmp_path: Path, start: float) -> None:
    path = clips.film(tmp_path / "a.mp4", every(4, 3), sound=(1.0, 3.0))
    convert_clip(path, tmp_path / "b.mp4", ClipPlan(fps=Fraction(24), start=start, seconds=2.0))
    shown = greys(tmp_path / "b.mp4")
    assert shown == [int((start + number / 24) * 3 + 1e-6) % 12 for number in range(48)]
    begin, end = max(1.0 - start, 0.0), min(3.0 - start, 2.0)
    assert heard(tmp_path / "b.mp4") == pytest.approx((begin, end), abs=0.04)


# --------------------------------------------------------------- what was made is measured again


def test_a_converted_clip_that_still_does_not_fit_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.film(tmp_path / "a.mp4", every(3, 10))

    def short(source: Path, target: Path, plan: ClipPlan) -> None:
        convert_clip(source, target, replace(plan, seconds=0.5))

    monkeypatch.setattr(clip_blobs, "convert_clip", short)
    with pytest.raises(BadOrder, match=r"could not be brought within.*0\.5 s.*2 to 15 s are taken"):
        fitted(path, replace(MP4, seconds=(2, 15)), tmp_path)
