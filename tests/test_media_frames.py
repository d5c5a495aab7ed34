"""A clip as frames: how many, in which colours, and what happens to broken files."""

from __future__ import annotations

import io
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import clips
import numpy as np
import pytest

from seedance import media
from seedance.errors import BadOrder
from seedance.media import memory
from seedance.media.clips import convert_sound

MEDIA = Path(__file__).parent.parent.parent / "shared" / "media"
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
    from dataclasses import replace

    from seedance.media import frames

    path = clips.write(tmp_path / "a.mp4", frames=12)
    whole = media.decode_frames(path)
    truth = media.probe(path)
    monkeypatch.setattr(frames, "probe", lambda path: replace(truth, frames=promised))
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
    from seedance.media import frames

    decoded = []
    original = frames._decoded

    def counting(container: object, name: str) -> object:
        for frame in original(container, name):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(frames, "_decoded", counting)
    media.last_frame(clips.write(tmp_path / "a.mp4", frames=60, keyframe_every=10))
    assert len(decoded) <= 10


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
        [sys.executable, "-c", LEAVES_EARLY, str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


# -------------------------------------------------------------------------------------- memory


def test_bytes_of_frames_are_those_of_the_array(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=12)
    info = media.probe(path)
    assert media.frames_bytes(info) == media.decode_frames(path).nbytes
    assert media.frames_bytes(info, 5) == media.decode_frames(path, count=5).nbytes


def test_too_little_memory_is_said_with_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=12)
    monkeypatch.setattr(memory, "free_memory", lambda: 1_000_000)
    with pytest.raises(BadOrder) as raised:
        media.decode_frames(path)
    assert "12 frames of 160x96 need 2.2 MB of memory, and 1.0 MB are free" in str(raised.value)
    assert "video output" in raised.value.hint and "safe on disk" in raised.value.hint


def test_decodes_under_way_count_until_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    with media.ensure_memory(600):
        with media.ensure_memory(400):
            pass
        with pytest.raises(BadOrder, match="beside"), media.ensure_memory(401):
            pass
    with media.ensure_memory(1000):
        pass


def test_what_a_decode_has_filled_is_not_counted_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=12)
    frame = media.frames_bytes(media.probe(path), 1)
    monkeypatch.setattr(memory, "free_memory", lambda: 100 * frame)
    with media.ensure_memory(40 * frame) as promise:
        media.decode_frames(path, memory=promise)  # from now on the system says so
        with media.ensure_memory(72 * frame):
            pass
        with pytest.raises(BadOrder, match=r"beside 5\.2 MB"), media.ensure_memory(73 * frame):
            pass
    with media.ensure_memory(100 * frame):
        pass


def test_a_decode_that_failed_gives_its_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    with pytest.raises(RuntimeError), media.ensure_memory(1000):
        raise RuntimeError
    with media.ensure_memory(1000):
        pass


def test_unknown_memory_allows_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    with media.ensure_memory(10**18):
        pass


def test_a_little_memory_stays_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_available", lambda: memory.SPARE + 600)
    monkeypatch.setattr(memory, "_group_rest", lambda: memory.SPARE + 500)
    assert memory.free_memory() == 500
    monkeypatch.setattr(memory, "_group_rest", lambda: 3)
    assert memory.free_memory() == 0


def test_where_there_is_no_proc_psutil_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = SimpleNamespace(virtual_memory=lambda: SimpleNamespace(available=700))
    monkeypatch.setitem(sys.modules, "psutil", there)
    assert memory._available(tmp_path / "none") == 700


def test_the_limit_of_a_container_counts(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("4000\n")
    (tmp_path / "memory.stat").write_text("anon 3000\ninactive_file 700\n")
    assert memory._group_rest(tmp_path) == 1700
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._group_rest(tmp_path) is None


# --------------------------------------------------------------------------------------- sound


def test_sound_comes_back_as_it_went_in(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=48, audio=True)
    decoded = media.decode_audio(path)
    assert decoded is not None
    samples, rate = decoded
    assert (rate, samples.dtype, samples.shape[0]) == (48000, np.float32, 2)
    assert samples.shape[1] == pytest.approx(2 * 48000, abs=2048)
    spectrum = np.abs(np.fft.rfft(samples[0, 12000:60000]))
    assert spectrum.argmax() == 440
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.safety
@pytest.mark.parametrize("rate", [1, 40, 268_483_456, 2**31 - 1])
def test_an_absurd_rate_of_sound_is_refused_at_once(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(
        media.encode_wav(clips.samples(0.2), 48000).replace(
            (48000).to_bytes(4, "little"), rate.to_bytes(4, "little"), 1
        )
    )
    reads = (
        media.probe_sound,
        media.decode_audio,
        lambda path: convert_sound(path, tmp_path / "b.mp3", "mp3"),
    )
    for read in reads:
        with pytest.raises(BadOrder, match="sound"):
            read(path)


def test_a_silent_clip_has_no_sound(tmp_path: Path) -> None:
    assert media.decode_audio(clips.write(tmp_path / "a.mp4")) is None


def test_wav_keeps_16_bits_and_clips_what_is_louder() -> None:
    import wave

    samples = np.array([[0.0, 0.5, 1.0, 7.0], [-0.5, -1.0, -7.0, 0.0]], np.float32)
    data = media.encode_wav(samples, 44100)
    assert data == media.encode_wav(samples, 44100)
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 44100, 4)
        levels = np.frombuffer(file.readframes(4), "<i2").reshape(4, 2).T
    assert levels.tolist() == [[0, 16384, 32767, 32767], [-16384, -32767, -32767, 0]]


# ------------------------------------------------------------------------------------- writing


def test_a_written_clip_holds_what_went_in(tmp_path: Path) -> None:
    pictures = [clips.pattern(160, 96, number) for number in range(25)]
    sound = (clips.samples(25 / 24), 48000)
    path = tmp_path / "a.mp4"
    # Nearly lossless: what the encoder leaves out differs from run to run on a busy machine.
    media.write_clip(path, iter(pictures), 24, sound, crf=4)
    info = media.probe(path)
    assert (info.frames, info.fps, info.has_audio, info.pixel_format) == (25, 24, True, "yuv420p")
    assert (info.matrix, info.primaries, info.transfer, info.colour_range) == (1, 1, 1, 1)
    frames = media.to_8bit(media.decode_frames(path)).astype(int)
    assert np.abs(frames - pictures).mean() < 0.8
    assert abs((frames - pictures).mean(axis=(0, 1, 2))).max() < 0.5


def test_a_clip_that_cannot_be_finished_is_removed(tmp_path: Path) -> None:
    def pictures() -> object:
        yield clips.pattern(160, 96)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        media.write_clip(tmp_path / "a.mp4", pictures(), 24)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_five_generations_do_not_shift_colours(tmp_path: Path) -> None:
    """A last frame that becomes the next shot's first must not drift in colour."""
    first = picture = np.full((720, 128, 3), (200, 90, 40), np.uint8)
    for number in range(5):
        path = tmp_path / f"{number}.mp4"
        media.write_clip(path, [picture] * 3, 24, crf=10)
        picture = media.last_frame(path)
    assert np.abs(picture.astype(int) - first).max() <= 3


def test_ten_generations_do_not_move_a_colour(tmp_path: Path) -> None:
    """4:2:0 has one colour for four pixels: where it lies must be the same for both directions."""
    first = np.full((96, 160, 3), (200, 40, 40), np.uint8)
    first[:, 80:] = (40, 160, 40)
    picture = first
    for number in range(10):
        path = tmp_path / f"{number}.mp4"
        media.write_clip(path, [picture] * 2, 24, crf=0)
        picture = media.last_frame(path)
    red = picture[48, :, 0].astype(int)
    assert abs((red > 120).sum() - 80) <= 1
    assert np.abs(red - first[48, :, 0])[[70, 89]].max() <= 3


@pytest.mark.skipif(
    int(av.__version__.partition(".")[0]) < 17, reason="an older PyAV does not ask where they lie"
)
@pytest.mark.parametrize(("place", "shift"), [(None, 0.0), (0, 0.0), (1, 0.5)])
def test_colours_lie_where_the_clip_says_and_else_on_the_left_pixels(
    tmp_path: Path, place: int | None, shift: float
) -> None:
    options = {} if place is None else {"x264-params": f"chromaloc={place}"}
    path = clips.write_ramp(tmp_path / "a.mp4", **options)
    red = media.decode_frames(path)[0, 48, :, 0] * 255
    level = (red - 255 / 219 * 104) / (2 * (1 - 0.2126) * 255 / 224)  # of V, above 128
    pixels = np.arange(40, 120)
    assert (pixels - 2 * (level[pixels] + 32)).mean() == pytest.approx(shift, abs=0.05)


# ---------------------------------------------------------------------------------------- tags


@pytest.mark.skipif(
    int(av.__version__.partition(".")[0]) < 18, reason="an older PyAV cannot copy with other tags"
)
def test_tags_are_added_without_touching_the_pictures(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.mp4", height=720, frames=5, audio=True)
    before = media.decode_frames(path)
    assert media.tag_colour(path) is True
    info = media.probe(path)
    assert (info.matrix, info.primaries, info.transfer, info.frames) == (1, 1, 1, 5)
    assert info.has_audio
    assert np.array_equal(media.decode_frames(path), before)
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    "options", [{"height": 720, "matrix": clips.BT601}, {"height": 480}], ids=["tagged", "SD"]
)
def test_other_clips_are_left_alone(tmp_path: Path, options: dict[str, int]) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=5, **options)
    before = path.read_bytes()
    assert media.tag_colour(path) is False
    assert path.read_bytes() == before
