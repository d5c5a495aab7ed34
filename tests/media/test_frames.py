"""A clip as frames: how many, in which colours, and what happens to broken files."""

from __future__ import annotations

import struct
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import clips
import numpy as np
import pytest
from paths import MEDIA

from seedance import media
from seedance.errors import BadOrder
from seedance.media import frames as media_frames
from seedance.media import info as media_info
from seedance.media import parts

BUNNY = MEDIA / "bigbuckbunny.mp4"

LEVEL = 1 / 255
needs_media = pytest.mark.skipif(not BUNNY.is_file(), reason="../shared/media is not here")


def test_probe_tells_what_the_header_says(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=30, audio=True, matrix=clips.BT709)
    info = media.probe(path)
    assert (info.width, info.height, info.frames, info.fps) == (160, 96, 30, Fraction(24))
    assert info.duration == pytest.approx(30 / 24)
    assert (info.has_audio, info.video_codec, info.audio_codec) == (True, "h264", "aac")
    assert (info.mime, info.size, info.matrix) == ("video/mp4", path.stat().st_size, 1)


def test_probe_tells_a_silent_clip(tmp_path: Path) -> None:
    info = media.probe(clips.write(tmp_path / "a.mp4"))
    assert (info.has_audio, info.audio_codec) == (False, None)


def test_probe_counts_frames_where_the_header_does_not(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.mkv", frames=17, container="matroska")
    assert media.probe(path).frames == 17


def test_decoding_gives_every_frame_as_float_rgb(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=30)
    frames = media.decode_frames(path)
    assert (frames.shape, frames.dtype) == ((30, 96, 160, 3), np.float32)
    assert frames.flags.c_contiguous
    for number in (0, 13, 29):
        expected = clips.pattern(160, 96, number) / 255
        assert np.abs(frames[number] - expected).mean() < 3 * LEVEL


def test_a_part_is_the_same_as_that_part_of_the_whole(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=30)
    assert np.array_equal(
        media.decode_frames(path, start=11, count=7), media.decode_frames(path)[11:18]
    )


def counted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The frames that are decoded from now on."""
    decoded: list[object] = []
    original = media_frames._decoded

    def counting(container: object, name: str, **options: object) -> object:
        for frame in original(container, name, **options):
            decoded.append(frame)
            yield frame

    monkeypatch.setattr(media_frames, "_decoded", counting)
    return decoded


@pytest.mark.parametrize("open_gop", [0, 1])
@pytest.mark.parametrize(
    ("start", "count", "step", "most"), [(50, 2, 1, 30), (0, None, 20, 45), (59, None, 1, 24)]
)
def test_frames_that_no_wanted_one_depends_on_are_not_decoded(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    open_gop: int,
    start: int,
    count: int | None,
    step: int,
    most: int,
) -> None:
    options = f"keyint=12:min-keyint=12:scenecut=0:bframes=3:open-gop={open_gop}"
    path = clips.write(tmp_path / "a.mp4", frames=60, x264=options)
    expected = media.decode_frames(path)[start::step][:count]
    decoded = counted(monkeypatch)
    some = media.decode_frames(path, start=start, count=count, step=step)
    assert np.array_equal(some, expected)
    assert len(decoded) <= (most if not open_gop else 45)


@pytest.mark.parametrize(
    ("container", "x264"),
    [
        ("mp4", "keyint=9:bframes=4:intra-refresh=1"),  # its key frames depend on what was before
        ("avi", "keyint=12:bframes=3"),  # its packets do not have the times of their frames
        ("matroska", "keyint=12:bframes=3"),
    ],
)
def test_a_part_is_the_same_however_a_clip_was_written(
    tmp_path: Path, container: str, x264: str
) -> None:
    path = clips.write(tmp_path / "a", frames=50, container=container, x264=x264)
    whole = media.decode_frames(path)
    for start, count, step in ((0, None, 12), (7, 4, 7), (49, None, 1)):
        some = media.decode_frames(path, start=start, count=count, step=step)
        assert np.array_equal(some, whole[start::step][:count])


def test_a_part_of_a_clip_whose_packets_do_not_tell_is_decoded_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=30)
    expected = media.decode_frames(path)[20:]
    monkeypatch.setattr(media_frames, "choose", lambda *_: None)
    assert np.array_equal(media.decode_frames(path, start=20), expected)


def test_where_a_wanted_frame_is_not_in_its_packet_all_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=30)
    expected = media.decode_frames(path)[::10]
    chosen = parts.choose(path, media.probe(path), 0, None, 10)
    assert chosen is not None
    wrong = replace(chosen, wanted=[chosen.wanted[0], -1, *chosen.wanted[1:]])
    monkeypatch.setattr(media_frames, "choose", lambda *_: wrong)
    assert np.array_equal(media.decode_frames(path, step=10), expected)


@pytest.mark.parametrize("part", [{"start": -1}, {"count": -1}, {"step": 0}])
def test_a_part_that_makes_no_sense_is_named(tmp_path: Path, part: dict[str, int]) -> None:
    path = clips.write(tmp_path / "a.mp4")
    ((name, value),) = part.items()
    with pytest.raises(BadOrder, match=f"{name} cannot be {value}"):
        media.decode_frames(path, **part)


@pytest.mark.parametrize(("start", "count", "step"), [(0, None, 12), (3, 4, 5), (29, 9, 2)])
def test_every_so_manyth_frame(tmp_path: Path, start: int, count: int | None, step: int) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=30)
    some = media.decode_frames(path, start=start, count=count, step=step)
    assert np.array_equal(some, media.decode_frames(path)[start::step][:count])
    assert len(some) == media.part_of(30, start, count, step)


def test_a_part_beyond_the_end_is_cut_there(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=12)
    assert len(media.decode_frames(path, start=10, count=5)) == 2
    assert len(media.decode_frames(path, start=12)) == 0


def test_nothing_is_decoded_into_an_array_where_no_frame_is_wanted(tmp_path: Path) -> None:
    out = np.zeros((5, 96, 160, 3), np.float32)
    frames = media.decode_frames(clips.write(tmp_path / "a.mp4"), out=out, count=0)
    assert len(frames) == 0
    assert not out.any()


def test_frames_go_into_the_array_that_is_given(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=12)
    out = np.zeros((5, 96, 160, 3), np.float32)
    frames = media.decode_frames(path, out=out)
    assert np.shares_memory(frames, out)
    assert np.array_equal(out, media.decode_frames(path)[:5])


@pytest.mark.parametrize(
    "out",
    [np.zeros((5, 90, 160, 3), np.float32), np.zeros((5, 96, 160, 3), np.float64)],
    ids=["another size", "another type"],
)
def test_an_array_that_does_not_suit_is_refused(tmp_path: Path, out: np.ndarray) -> None:
    with pytest.raises(ValueError, match="float32"):
        media.decode_frames(clips.write(tmp_path / "a.mp4"), out=out)


@pytest.mark.parametrize("promised", [3, 40])
def test_a_wrong_number_of_frames_in_the_header_does_no_harm(
    tmp_path: Path, promised: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=12)
    whole = media.decode_frames(path)
    truth = media.probe(path)
    monkeypatch.setattr(media_frames, "probe", lambda path: replace(truth, frames=promised))
    assert np.array_equal(media.decode_frames(path), whole)


# -------------------------------------------------------------------------------------- colour

FLAT = (120, 100, 160)


def centre(path: Path) -> np.ndarray:
    frame = media.decode_frames(path, count=1)[0]
    return frame[frame.shape[0] // 2, frame.shape[1] // 2]


@pytest.mark.parametrize(
    ("height", "tag", "read_as"),
    [
        (720, None, clips.BT709),
        (718, None, clips.BT601),
        (96, None, clips.BT601),
        (96, clips.BT709, clips.BT709),
        (720, clips.BT601, clips.BT601),
    ],
)
def test_tags_choose_the_matrix_and_without_them_the_lines_do(
    tmp_path: Path, height: int, tag: int | None, read_as: int
) -> None:
    path = clips.write(tmp_path / "a.mp4", height=height, frames=2, matrix=tag, planes=FLAT)
    expected = clips.rgb_of(FLAT, matrix=read_as)
    other = clips.rgb_of(FLAT, matrix=clips.BT709 + clips.BT601 - read_as)
    assert np.abs(centre(path) - expected).max() < 0.6 * LEVEL
    assert np.abs(expected - other).max() > 4 * LEVEL


@pytest.mark.parametrize(
    ("tag", "full"), [(None, False), (clips.LIMITED, False), (clips.FULL, True)]
)
@pytest.mark.parametrize("matrix", [clips.BT709, clips.BT601])
def test_the_range_is_limited_unless_tagged_full(
    tmp_path: Path, tag: int | None, full: bool, matrix: int
) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=2, matrix=matrix, colour_range=tag, planes=FLAT)
    expected = clips.rgb_of(FLAT, matrix=matrix, full=full)
    assert np.abs(centre(path) - expected).max() < 0.6 * LEVEL


@pytest.mark.parametrize("matrix", [clips.BT709, clips.BT601])
def test_ten_bit_hevc_is_within_a_level(tmp_path: Path, matrix: int) -> None:
    planes = (503, 410, 605)
    path = clips.write(tmp_path / "a.mp4", codec="libx265", frames=2, matrix=matrix, planes=planes)
    assert media.probe(path).pixel_format == "yuv420p10le"
    expected = clips.rgb_of(planes, matrix=matrix, bits=10)
    assert np.abs(centre(path) - expected).max() < LEVEL


def test_frames_are_on_the_grid_of_8_bits(tmp_path: Path) -> None:
    frames = media.decode_frames(clips.write(tmp_path / "a.mp4", frames=2))
    assert np.array_equal(media.to_8bit(frames) / np.float32(255), frames)


# ---------------------------------------------------------------------------------- last frame


@pytest.mark.parametrize("keyframe_every", [5, 100])
def test_the_last_frame_is_the_last_of_all(tmp_path: Path, keyframe_every: int) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=33, keyframe_every=keyframe_every)
    assert np.array_equal(media.last_frame(path), media.to_8bit(media.decode_frames(path)[-1]))


def test_only_the_end_is_decoded_for_the_last_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = counted(monkeypatch)
    media.last_frame(clips.write(tmp_path / "a.mp4", frames=60, keyframe_every=10))
    assert len(decoded) <= 10


def with_b_frames(path: Path, frames: int) -> Path:
    """A clip as generations are: one key frame, and pictures that no other refers to."""
    pictures = (clips.pattern(160, 96, number) for number in range(frames))
    media.write_clip(path, pictures, 24)
    return path


@pytest.mark.parametrize("frames", [*range(1, 12), 48])
def test_pictures_that_no_other_refers_to_are_not_decoded_for_the_last_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: int
) -> None:
    path = with_b_frames(tmp_path / "a.mp4", frames)
    expected = media.to_8bit(media.decode_frames(path)[-1])
    decoded = counted(monkeypatch)
    assert np.array_equal(media.last_frame(path), expected)
    assert len(decoded) <= max(frames - frames // 4, 1)


def test_where_the_last_picture_is_damaged_the_one_before_it_is_the_last(tmp_path: Path) -> None:
    path = with_b_frames(tmp_path / "a.mp4", 30)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        last = max(packets, key=lambda packet: packet.pts)
        place, size = last.pos, last.size
    data = bytearray(path.read_bytes())
    data[place + 4 : place + size] = bytes(size - 4)
    path.write_bytes(data)
    frames = media.decode_frames(path)
    assert len(frames) == 29
    assert np.array_equal(media.last_frame(path), media.to_8bit(frames[-1]))


@needs_media
def test_the_last_frame_of_a_real_clip() -> None:
    last = media.last_frame(BUNNY)
    assert np.array_equal(last, media.to_8bit(media.decode_frames(BUNNY, start=131)[0]))


def test_frames_one_by_one_are_those_of_the_whole(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=6)
    assert np.array_equal(list(media.iter_frames(path)), media.to_8bit(media.decode_frames(path)))


# --------------------------------------------------------------------------------- broken files


def broken_files(folder: Path) -> dict[str, Path]:
    whole = clips.write(folder / "whole.mp4", frames=24, audio=True).read_bytes()
    contents = {
        "empty": b"",
        "text": b"<html>not a video</html>" * 50,
        "cut before the index": whole[: len(whole) // 2],
        "only its first bytes": whole[:40],
        "zeros": bytes(5000),
        "a picture": clips.picture_bytes(),
        "a sound": media.encode_wav(clips.samples(0.2), 48000),
        "a playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nwhole.mp4\n#EXT-X-ENDLIST\n",
        "ffmpeg's list of files": b"ffconcat version 1.0\nfile whole.mp4\n",
    }
    paths = {}
    for name, content in contents.items():
        paths[name] = folder / f"{name}.mp4"
        paths[name].write_bytes(content)
    return paths


BROKEN = [
    "empty",
    "text",
    "cut before the index",
    "only its first bytes",
    "zeros",
    "a picture",
    "a sound",
    "a playlist",
    "ffmpeg's list of files",
]


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("read", [media.probe, media.decode_frames, media.last_frame])
def test_what_is_no_video_is_a_bad_order(tmp_path: Path, name: str, read: object) -> None:
    with pytest.raises(BadOrder, match=r"is not a readable video"):
        read(broken_files(tmp_path)[name])  # type: ignore[operator]


def test_it_is_known_whether_a_picture_could_be_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.write(tmp_path / "a.mp4", audio=True)
    before = media.probe(path)
    assert before.decodes
    monkeypatch.setattr(media_info, "_FIRST_PACKETS", 0)
    assert media.probe(path) == replace(before, decodes=False)


def test_a_header_that_its_pictures_contradict_is_not_believed(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.mp4")
    true = media.probe(path)
    at = path.read_bytes().index(b"avc1", path.read_bytes().index(b"stsd")) + 28
    content = bytearray(path.read_bytes())
    assert struct.unpack_from(">HH", content, at) == true.stored
    struct.pack_into(">HH", content, at, *(2 * side for side in true.stored))
    path.write_bytes(content)
    assert media.probe(path) == true


def test_a_clip_is_opened_once_to_be_probed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.write(tmp_path / "a.mp4", audio=True)
    opened, open_one = [], av.open

    def noted(*given: Any, **named: Any) -> Any:
        opened.append(given)
        return open_one(*given, **named)

    monkeypatch.setattr(av, "open", noted)
    assert media.probe(path).frames == 12
    assert len(opened) == 1


def test_a_file_that_is_not_there_is_a_bad_order(tmp_path: Path) -> None:
    with pytest.raises(BadOrder, match="There is no file"):
        media.probe(tmp_path / "none.mp4")


def test_an_address_is_not_opened() -> None:
    with pytest.raises(BadOrder, match="There is no file"):
        media.probe("http://127.0.0.1:9/video.mp4")  # type: ignore[arg-type]


def index_first(path: Path) -> Path:
    """The same clip with its index before its data, as providers send it."""
    target = path.with_name("index-first.mp4")
    media.write_clip(target, media.iter_frames(path), 24)
    return target


def test_a_clip_cut_after_its_index_gives_the_frames_that_came(tmp_path: Path) -> None:
    path = index_first(clips.write(tmp_path / "a.mp4", width=320, height=240, frames=48))
    whole = media.decode_frames(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    frames = media.decode_frames(path)
    assert 0 < len(frames) < 48
    assert np.array_equal(frames[: len(frames) - 4], whole[: len(frames) - 4])
    assert np.array_equal(media.last_frame(path), media.to_8bit(frames[-1]))


def test_flipped_bits_do_no_more_than_spoil_pictures(tmp_path: Path) -> None:
    path = index_first(clips.write(tmp_path / "a.mp4", frames=24))
    data = bytearray(path.read_bytes())
    generator = np.random.default_rng(5)
    for place in generator.integers(len(data) // 2, len(data), 60):
        data[place] ^= 0xFF
    path.write_bytes(bytes(data))
    assert media.decode_frames(path).shape[1:] == (96, 160, 3)


LEAVES_EARLY = """
import sys
from pathlib import Path
from typing import Any
import av
from seedance import media
av.logging.set_level(av.logging.PANIC)  # as another node pack may do
for number in range(100):
    media.decode_frames(Path(sys.argv[1]), count=3 + number % 20)
"""


@pytest.mark.safety
@pytest.mark.slow
def test_leaving_a_damaged_clip_early_does_not_freeze_the_process(tmp_path: Path) -> None:
    """Where PyAV logs, FFmpeg's threads take the interpreter's lock to tell of damage: whoever
    closes the clip, holding the lock, and waits for them waits for ever."""
    path = clips.write(tmp_path / "a.mp4", width=320, height=240, frames=60)
    data = bytearray(path.read_bytes())
    for place in np.random.default_rng(1).integers(2000, len(data) - 3000, 300):
        data[place] ^= 0xFF
    path.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", LEAVES_EARLY, str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
