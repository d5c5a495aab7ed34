"""Clips joined to a film: pictures to the bit where they can be copied, sound to the sample."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import clips
import numpy as np
import pytest

from seedance import media
from seedance.errors import BadOrder

RATE = 48000


def sine(
    path: Path,
    *,
    frames: int = 24,
    fps: int = 24,
    size: tuple[int, int] = (160, 96),
    hertz: float = 440.0,
    loud: float = 0.5,
    begin: int = 0,
    rate: int = RATE,
    channels: int = 2,
    codec: str = "aac",
    grey: int = 0,
    crf: str = "12",
    bframes: str = "2",
) -> Path:
    """A clip whose sound is the part of one endless sine that begins at the sample `begin`."""
    with av.open(str(path), "w", format="mov" if path.suffix == ".mov" else "mp4") as out:
        video: Any = out.add_stream("libx264", rate=fps)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        video.options = {"crf": crf, "preset": "ultrafast", "bf": bframes}
        sound: Any = None
        if channels:
            sound = out.add_stream(codec, rate=rate)
            sound.layout = "stereo" if channels == 2 else "mono"
            if codec == "aac":
                sound.bit_rate = 256_000
        for number in range(frames):
            pixels = clips.pattern(*size, number) // 2 + grey
            frame = av.VideoFrame.from_ndarray(pixels.astype(np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound is not None:
            count = round(frames / fps * rate)
            wave = loud * np.sin(2 * np.pi * hertz * (begin + np.arange(count)) / rate)
            samples = np.tile(wave.astype(np.float32), (channels, 1))
            blocks = av.AudioResampler(
                format="fltp" if codec == "aac" else "s16",
                layout=sound.layout,
                rate=rate,
                frame_size=1024,
            )
            whole = av.AudioFrame.from_ndarray(samples, "fltp", sound.layout.name)
            whole.sample_rate, whole.pts, whole.time_base = rate, 0, Fraction(1, rate)
            for ready in (*blocks.resample(whole), *blocks.resample(None)):
                out.mux(sound.encode(ready))
            out.mux(sound.encode(None))
    return path


def pictures(path: Path) -> list[tuple[Fraction, str]]:
    """The time and the digest of each packet of pictures, in the order of time."""
    with media_open(path) as container:
        found = [
            (packet.pts * packet.time_base, hashlib.sha256(bytes(packet)).hexdigest())
            for packet in container.demux(video=0)
            if packet.size and packet.pts is not None and packet.time_base
        ]
    return sorted(found)


def media_open(path: Path) -> Any:
    return av.open(str(path))


def heard(path: Path) -> np.ndarray:
    decoded = media.decode_audio(path)
    assert decoded is not None
    return decoded[0]


def end_to_end(*sources: Path) -> np.ndarray:
    """The sound of clips one after the other, each as long as its pictures are seen."""
    infos = [media.probe(source) for source in sources]
    counts = [round(info.frames / info.fps * RATE) for info in infos]
    return np.concatenate([heard(each)[:, :n] for each, n in zip(sources, counts)], axis=1)


def joined(folder: Path, *sources: Path, name: str = "film.mp4") -> tuple[Path, media.Joined]:
    target = folder / name
    return target, media.join_clips(sources, target)


def test_pictures_are_copied_to_the_bit_and_keep_their_time(tmp_path: Path) -> None:
    sources = [sine(tmp_path / f"{n}.mp4", frames=24 + n, grey=20 * n) for n in range(3)]
    film, done = joined(tmp_path, *sources)
    assert done.encoded == "" and done.seconds == Fraction(24 + 25 + 26, 24)
    expected, begin = [], Fraction(0)
    for source, frames in zip(sources, (24, 25, 26)):
        expected += [(begin + time, digest) for time, digest in pictures(source)]
        begin += Fraction(frames, 24)
    assert pictures(film) == expected
    info = media.probe(film)
    assert (info.frames, info.fps, info.has_audio) == (75, 24, True)
    frames = media.to_8bit(media.decode_frames(film))
    whole = np.concatenate([media.to_8bit(media.decode_frames(source)) for source in sources])
    assert np.array_equal(frames, whole)


def test_sound_is_continuous_to_the_sample(tmp_path: Path) -> None:
    """One sine cut into three clips is one sine again, without a gap, a click or a shift."""
    sources, begin = [], 0
    for number, frames in enumerate((25, 31, 24)):
        clip = tmp_path / f"{number}.mov"
        sources.append(sine(clip, frames=frames, begin=begin, codec="pcm_s16le"))
        begin += frames * RATE // 24
    film, _ = joined(tmp_path, *sources)
    found = heard(film)
    assert 0 <= found.shape[1] - begin <= 1024  # the last block of AAC is filled up
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(begin) / RATE)
    assert np.abs(found[:, :begin] - wave).max() < 0.02


def test_sound_in_aac_is_that_of_the_clips_end_to_end(tmp_path: Path) -> None:
    """Without what an encoder put before the first and after the last sample of each clip. Each
    clip is moved to where packets begin, by half a packet at most."""
    sources = [sine(tmp_path / f"{n}.mp4", frames=24 + n, hertz=400.3 + 50 * n) for n in range(3)]
    film, _ = joined(tmp_path, *sources)
    found, begin = heard(film), 0
    assert 0 <= found.shape[1] - 75 * 2000 < 1024
    for number, source in enumerate(sources):
        at = round(begin / 1024) * 1024
        count = (24 + number) * 2000
        part = slice(800, count - 800)
        assert np.abs(found[:, at:][:, part] - heard(source)[:, part]).max() < 0.03
        begin += count


def test_each_sound_begins_with_its_pictures_also_after_silent_and_odd_lengths(
    tmp_path: Path,
) -> None:
    sources = [
        sine(tmp_path / "a.mp4", frames=25, fps=25),
        sine(tmp_path / "b.mp4", frames=13, fps=25, channels=0),
        sine(tmp_path / "c.mp4", frames=26, fps=25, hertz=880, rate=44100, channels=1),
    ]
    film, done = joined(tmp_path, *sources)
    assert done.encoded == ""
    found = heard(film)
    begin, end = 38 * RATE // 25, 64 * RATE // 25
    wave = 0.5 * np.sin(2 * np.pi * 880 * np.arange(end - begin) / RATE)
    for channel in found:  # mono is as loud on both sides as it was
        part = channel[begin:end]
        assert np.abs(part[3000:-3000] - wave[3000:-3000]).max() < 0.03
        assert np.abs(channel[25 * RATE // 25 + 2500 : begin - 2500]).max() < 0.002


def test_loudness_is_not_touched(tmp_path: Path) -> None:
    sources = [
        sine(tmp_path / "loud.mp4", loud=0.9),
        sine(tmp_path / "soft.mp4", loud=0.01),
    ]
    film, _ = joined(tmp_path, *sources)
    found = heard(film)
    for number, level in enumerate((0.9, 0.01)):
        part = found[:, number * RATE + 4000 : (number + 1) * RATE - 4000]
        assert np.sqrt((part**2).mean()) == pytest.approx(level / np.sqrt(2), rel=0.02)


def test_masters_keep_their_sound_to_the_bit(tmp_path: Path) -> None:
    sources = [
        sine(tmp_path / f"{n}.mov", frames=24 + n, codec="pcm_s16le", hertz=300 + n)
        for n in range(2)
    ]
    film, done = joined(tmp_path, *sources, name="film.mov")
    assert done.encoded == ""
    whole = np.concatenate([heard(source) for source in sources], axis=1)
    assert np.array_equal(heard(film), whole)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"size": (128, 96)}, "size"),
        ({"fps": 30}, "clock"),
        ({"crf": "30", "bframes": "0"}, "settings"),
    ],
)
def test_clips_that_differ_are_encoded_once(
    tmp_path: Path, other: dict[str, Any], words: str
) -> None:
    first = sine(tmp_path / "a.mp4", frames=48)
    second = sine(tmp_path / "b.mp4", **{"frames": 24, "grey": 60, "begin": 2 * RATE, **other})
    film, done = joined(tmp_path, first, second)
    assert words in done.encoded
    info = media.probe(film)
    length = Fraction(48, 24) + Fraction(24, other.get("fps", 24))
    assert (info.width, info.height, info.fps) == (160, 96, 24)
    assert info.frames == round(length * 24) and done.seconds == length
    frames = media.decode_frames(film)
    assert np.abs(frames[:48] - media.decode_frames(first)).mean() < 0.01
    if "size" in other:  # whole, in the middle
        assert frames[60, :, :14].max() < 0.06 < frames[60, :, 40:60].mean()
    whole = end_to_end(first, second)
    assert np.abs(heard(film)[:, : whole.shape[1]] - whole).max() < 0.03


def test_a_film_of_one_clip_and_of_silent_ones(tmp_path: Path) -> None:
    one = sine(tmp_path / "a.mp4")
    film, done = joined(tmp_path, one)
    assert (done.encoded, pictures(film)) == ("", pictures(one))
    silent = clips.write(tmp_path / "b.mp4", frames=30)
    film, _ = joined(tmp_path, silent, silent)
    info = media.probe(film)
    assert (info.frames, info.has_audio, info.duration) == (60, False, 2.5)


def test_a_held_picture_is_held_in_the_film(tmp_path: Path) -> None:
    held = clips.film(tmp_path / "a.mp4", [0.0, 0.5], end=1.0, sound=(0.0, 3.0))
    plain = clips.film(tmp_path / "b.mp4", [0.0, 0.5], end=1.0, sound=(0.0, 1.0))
    film, done = joined(tmp_path, held, plain)
    assert done.encoded == "" and 3.95 < done.seconds < 4.05
    assert [float(time) for time, _ in pictures(film)] == pytest.approx([0, 0.5, 3, 3.5], abs=0.05)


def test_what_cannot_be_joined_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    good = sine(tmp_path / "a.mp4")
    bad = tmp_path / "b.mp4"
    bad.write_bytes(b"no video")
    with pytest.raises(BadOrder, match="not a readable video"):
        media.join_clips([good, bad], tmp_path / "film.mp4")
    assert not (tmp_path / "film.mp4").exists()
    with pytest.raises(ValueError, match="at least one"):
        media.join_clips([], tmp_path / "film.mp4")
    bad.write_bytes(good.read_bytes()[:-2000])
    told: list[float] = []
    media.join_clips([good, good], tmp_path / "film.mp4", told.append)
    assert told == sorted(told) and 0.9 < told[-1] <= 1.0
