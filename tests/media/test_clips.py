"""Clips and sounds that are written, sound that is read, tags that are added."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import clips
import numpy as np
import pytest

from seedance import media
from seedance.errors import BadOrder
from seedance.media.clips import ClipPlan, ClipWriter, convert_clip, convert_sound

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


@pytest.mark.parametrize("channels", [1, 2, 6, 7, 8, 9, 16])
def test_any_number_of_channels_is_read_and_written(tmp_path: Path, channels: int) -> None:
    """With eight or more planes, PyAV 18 reads memory that is none of theirs."""
    sound = np.stack([clips.samples(0.5, hertz=100 * (n + 2))[0] for n in range(channels)])
    path = tmp_path / "a.wav"
    path.write_bytes(media.encode_wav(sound, 48000))
    decoded = media.decode_audio(path)
    assert decoded is not None
    assert np.abs(decoded[0] - sound).max() < 1 / 32000
    media.write_clip(tmp_path / "a.mp4", [clips.pattern(160, 96)] * 12, 24, decoded)
    mixed = media.decode_audio(tmp_path / "a.mp4")
    assert mixed is not None
    assert len(mixed[0]) == min(channels, 2)
    assert np.abs(mixed[0]).max() > 0.2


def mp3(folder: Path, layout: str, rate: int) -> bytes:
    """Half a second of a tone."""
    path = folder / "one.mp3"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libmp3lame", rate=rate, layout=layout)
        samples = clips.samples(0.5, rate)[: 1 if layout == "mono" else 2]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", layout)
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize("other", [("mono", 48000), ("stereo", 32000), ("mono", 16000)])
def test_a_sound_that_changes_its_form_midway_is_read_as_its_header_says(
    tmp_path: Path, other: tuple[str, int]
) -> None:
    path, wav = tmp_path / "a.mp3", tmp_path / "a.wav"
    path.write_bytes(mp3(tmp_path, "stereo", 48000) + mp3(tmp_path, *other))
    convert_sound(path, wav, "wav")
    for file in (path, wav):
        info, decoded = media.probe_sound(file), media.decode_audio(file)
        assert decoded is not None
        samples, rate = decoded
        assert (rate, len(samples)) == (info.rate, info.channels)
        assert samples.shape[1] == pytest.approx(rate, rel=0.15)
        middle = samples[0, rate * 6 // 10 : rate * 85 // 100]  # of the second half
        assert np.abs(np.fft.rfft(middle)).argmax() == 110  # 440 Hz in a quarter of a second


def test_a_clip_whose_sound_changes_its_form_midway_is_converted(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    halves = [
        clips.write(tmp_path / "half.ts", container="mpegts", audio=True, rate=rate).read_bytes()
        for rate in (48000, 32000)
    ]
    path.write_bytes(b"".join(halves))
    convert_clip(path, tmp_path / "b.mp4", ClipPlan(seconds=1.0))
    decoded = media.decode_audio(tmp_path / "b.mp4")
    assert decoded is not None
    assert decoded[1] == 48000
    assert decoded[0].shape[1] == pytest.approx(48000, abs=6000)


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


# ------------------------------------------------------------------------------- what goes wrong


def test_a_clip_without_frames_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        media.write_clip(tmp_path / "a.mp4", [], 24)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["inside", "at the end"])
def test_a_clip_that_cannot_be_finished_leaves_no_file(tmp_path: Path, where: str) -> None:
    class Full:
        def encode(self, frame: object) -> None:
            raise OSError("No space left on device")

    class Watched:
        closed = False

        def __init__(self, container: Any) -> None:
            self.mux, self._close = container.mux, container.close

        def close(self) -> None:
            self.closed = True
            self._close()

    writer = ClipWriter(tmp_path / "a.mp4", 64, 48, Fraction(24))
    writer.container = watched = Watched(writer.container)  # type: ignore[assignment]
    with pytest.raises(OSError, match="No space left"), writer:
        writer.add(clips.pattern(64, 48))
        writer.video = Full()
        if where == "inside":
            writer.add(clips.pattern(64, 48))
    assert watched.closed
    assert list(tmp_path.iterdir()) == []


def test_a_sample_that_is_no_number_is_silent() -> None:
    odd = np.array([[0.5, np.nan, np.inf, -np.inf]], np.float32)
    assert media.encode_wav(odd, 8000) == media.encode_wav(np.array([[0.5, 0, 1, -1]]), 8000)
