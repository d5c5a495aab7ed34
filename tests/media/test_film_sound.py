"""Sound that is copied into a film: at its joints as good as if all of it had been encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from seedance import media
from seedance.media import aac, film_sound, join, voices

FPS = 24
Sound = Callable[[np.ndarray, int], np.ndarray]  # (seconds, number of the clip) -> (channels, n)


def tone(time: np.ndarray, number: int) -> np.ndarray:
    return np.tile(0.5 * np.sin(2 * np.pi * (300 + 53 * number) * time), (2, 1))


def chirp(time: np.ndarray, number: int) -> np.ndarray:
    return np.tile(0.5 * np.sin(2 * np.pi * (100 * time + (200 + 90 * number) * time**2)), (2, 1))


def speech(time: np.ndarray, number: int) -> np.ndarray:
    """Noise whose lower frequencies are the louder ones, in syllables; another one on each side."""
    dice = np.random.default_rng(number)
    bands = np.fft.rfft(dice.normal(size=(2, len(time))))
    shape = 1 / np.maximum(np.fft.rfftfreq(len(time), time[1]), 80) ** 1.5
    sound = np.fft.irfft(bands * shape, len(time)) * np.abs(np.sin(9 * time + number))
    return 0.5 * sound / np.abs(sound).max()


def claps(time: np.ndarray, number: int) -> np.ndarray:
    dice = np.random.default_rng(number)
    sound = dice.normal(size=(2, len(time))) * np.exp(-((time + 0.07 * number) % 0.2) * 250)
    return 0.5 * sound / np.abs(sound).max()


def hiss(time: np.ndarray, number: int) -> np.ndarray:
    return np.random.default_rng(number).uniform(-0.1, 0.1, (2, len(time)))


def clip(
    path: Path,
    sound: np.ndarray | None,
    frames: int,
    *,
    rate: int = 48000,
    late: int = 0,
    codec: str = "aac",
    bits: int = 192_000,
) -> Path:
    """A clip with this sound, which begins `late` samples after the pictures."""
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        video.options = {"preset": "ultrafast"}
        voice: Any = None
        if sound is not None:
            voice = out.add_stream(codec, rate=rate)
            voice.layout, voice.bit_rate = "mono" if len(sound) == 1 else "stereo", bits
        for number in range(frames):
            frame = av.VideoFrame(32, 32, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([number]) * plane.buffer_size)
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound is not None:
            wanted = "fltp" if codec == "aac" else "s16"
            blocks = av.AudioResampler(wanted, voice.layout, rate, frame_size=1024)
            whole = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(sound, np.float32), "fltp", voice.layout.name
            )
            whole.sample_rate, whole.pts, whole.time_base = rate, late, Fraction(1, rate)
            for ready in (*blocks.resample(whole), *blocks.resample(None)):
                out.mux(voice.encode(ready))
            out.mux(voice.encode(None))
    return path


def made(
    folder: Path, kind: Sound, lengths: Sequence[int], rate: int = 48000, channels: int = 2
) -> list[Path]:
    sources = []
    for number, frames in enumerate(lengths):
        sound = kind(np.arange(round(frames * rate / FPS)) / rate, number)[:channels]
        sources.append(clip(folder / f"{kind.__name__}{number}.mp4", sound, frames, rate=rate))
    return sources


def packets(path: Path) -> list[tuple[int, int, bytes]]:
    """Of the sound: time and length in samples, and what is in it."""
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        assert stream.time_base == Fraction(1, stream.rate)
        return [
            (each.pts or 0, each.duration or 0, bytes(each))
            for each in file.demux(stream)
            if each.size
        ]


@dataclass
class Film:
    path: Path
    done: media.Joined
    copied: list[bool]  # of each clip
    moved: list[int]  # samples

    @property
    def sound(self) -> np.ndarray:
        decoded = media.decode_audio(self.path)
        assert decoded is not None
        return decoded[0]


Join = Callable[..., Film]


@pytest.fixture
def joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Join]:
    """Joins clips; tells which were copied, and that no film had to be begun anew. `copy=False`:
    with all sound encoded."""
    films: list[list[Any]] = []

    def make(sources: Sequence[Path], *, copy: bool = True, again: bool = False) -> Film:
        films.clear()

        class Watched(film_sound.FilmSound):
            def __init__(self, container: Any, parts: Any, pcm: bool, may_copy: bool) -> None:
                super().__init__(container, parts, pcm, may_copy and copy)
                films.append(self._places)

        monkeypatch.setattr(join, "FilmSound", Watched)
        target = tmp_path / ("film.mp4" if copy else "encoded.mp4")
        told: list[float] = []
        done = media.join_clips(sources, target, told.append)
        assert told == sorted(told)
        assert len(films) == 1 + again
        places = films[-1]
        return Film(target, done, [each.copies for each in places], [each.moved for each in places])

    yield make


def wanted(
    sources: Sequence[Path], moved: Sequence[int], count: int
) -> tuple[np.ndarray, list[int]]:
    """What is to be heard, but for joints, and where those are, in samples."""
    begin = Fraction(0)
    whole: np.ndarray | None = None
    joints = []
    for source, move in zip(sources, moved):
        info, decoded = media.probe(source), media.decode_audio(source)
        assert decoded is not None
        sound, rate = decoded
        whole = np.zeros((len(sound), count), np.float32) if whole is None else whole
        first = round(begin * rate) + move
        begin += info.frames / info.fps
        sound = sound[:, max(-first, 0) : round(info.frames / info.fps * rate)]
        first = max(first, 0)
        sound = sound[:, : count - first]
        whole[:, first : first + sound.shape[1]] = sound
        joints.append(first)
    assert whole is not None
    return whole, joints[1:]


def below(sound: np.ndarray, hertz: float, rate: int) -> float:
    """The power of a sound below a frequency."""
    bands = np.abs(np.fft.rfft(sound * np.hanning(sound.shape[1]), norm="ortho")) ** 2
    return float(bands[:, : int(hertz * sound.shape[1] / rate)].sum() / sound.size)


@pytest.mark.parametrize(
    ("kind", "rate", "channels"),
    [
        (tone, 48000, 2),
        (chirp, 44100, 2),
        (speech, 48000, 2),
        (speech, 44100, 1),
        (claps, 48000, 2),
        (hiss, 48000, 1),
    ],
)
def test_joints_are_as_good_as_in_a_sound_encoded_as_a_whole(
    joined: Join,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: Sound,
    rate: int,
    channels: int,
) -> None:
    # Low sounds may be taken for one that was cut, and are encoded then.
    monkeypatch.setattr(voices, "_goes_on", lambda ending, starting: False)
    lengths = (41, 29, 37, 58, 31)
    sources = made(tmp_path, kind, lengths, rate, channels)
    film, whole = joined(sources), joined(sources, copy=False)
    assert all(film.copied) and not any(whole.copied)
    sound, encoded = film.sound, whole.sound
    assert sound.shape == encoded.shape
    true, joints = wanted(sources, film.moved, sound.shape[1])
    still, _ = wanted(sources, whole.moved, sound.shape[1])
    for joint in joints:
        for part in (slice(joint - 8192, joint - 1024), slice(joint + 1024, joint + 8192)):
            # Above 4 kHz, encoders put other noise in the place of noise.
            error = below((sound - true)[:, part], 4000, rate)
            assert error <= 2 * below((encoded - still)[:, part], 4000, rate) + 1e-9
            power, usual = (sound[:, part] ** 2).mean(), (true[:, part] ** 2).mean()
            assert usual / 2 - 1e-9 <= power <= usual * 2 + 1e-9
        steps = np.abs(np.diff(sound))
        near = steps[:, joint - 1500 : joint + 1500].max()
        clean = np.abs(np.diff(true))
        clean[:, [n + k for n in joints for k in range(-2, 2)]] = 0
        assert near <= 1.3 * clean.max() + 0.01


@pytest.mark.parametrize("lengths", [(121, 121, 48), (33, 48, 64, 41)])
def test_packets_are_those_of_the_clips_but_for_joints(
    joined: Join, tmp_path: Path, lengths: Sequence[int]
) -> None:
    sources = made(tmp_path, speech, lengths)
    film = joined(sources)
    found = packets(film.path)
    total = sum(lengths) * 2000
    assert [time for time, *_ in found] == list(range(-1024, total, 1024))
    assert {length for _, length, _ in found[:-1]} == {1024}
    # Edits are told in milliseconds.
    assert total - 48 <= found[-1][0] + found[-1][1] <= total
    begin = 0
    for source, frames, moved in zip(sources, lengths, film.moved):
        own = packets(source)
        offset = (begin + moved) // 1024
        assert (begin + moved) % 1024 == 0 and abs(moved) <= 512
        same = [
            number for number, each in enumerate(own[:-1]) if each[2] == found[offset + number][2]
        ]
        assert same == list(range(same[0], same[-1] + 1))  # in one piece
        assert same[0] <= 12 and len(own) - same[-1] <= 24
        begin += frames * 2000


def test_the_hundredth_clip_is_not_further_from_its_pictures_than_the_first(
    joined: Join, tmp_path: Path
) -> None:
    three = []
    for number, frames in enumerate((17, 18, 19)):
        time = np.arange(frames * 2000) / 48000
        sound = 0.3 * np.exp(-(((time - 0.35) * 300) ** 2)) * np.sin(2 * np.pi * 900 * time)
        three.append(clip(tmp_path / f"{number}.mp4", np.tile(sound, (2, 1)), frames))
    sources = [three[number % 3] for number in range(100)]
    film = joined(sources)
    assert sum(film.copied) == 100
    sound = np.abs(film.sound[0])
    begin = 0
    for number in range(100):
        count = (17 + number % 3) * 2000
        part = sound[begin : begin + count]
        centre = (np.arange(count) * part**2).sum() / (part**2).sum()
        assert abs(centre - 0.35 * 48000) <= 512 + 8
        begin += count
    assert 0 <= len(sound) - begin < 1024


def test_one_sound_that_was_cut_is_not_moved(joined: Join, tmp_path: Path) -> None:
    lengths = (49, 55, 51)
    time = np.arange(sum(lengths) * 2000) / 48000
    for kind in (tone, chirp, speech):
        whole, begin, sources = kind(time, 7), 0, []
        for number, frames in enumerate(lengths):
            part = whole[:, begin : begin + frames * 2000]
            begin += frames * 2000
            sources.append(clip(tmp_path / f"{number}.mp4", part, frames))
        film = joined(sources)
        assert film.moved == [0, 0, 0]
        true, _ = wanted(sources, film.moved, begin)
        assert np.abs(film.sound[:, :begin] - true).max() < 0.06
    # Cut where packets begin, nothing needs to be moved.
    sources = [
        clip(tmp_path / f"{number}.mp4", whole[:, at : at + 128_000], 64)
        for number, at in enumerate((0, 128_000))
    ]
    film = joined(sources)
    assert film.copied == [True, True] and film.moved == [0, 0]


def test_clips_of_other_sound_are_encoded_between_those_that_are_copied(
    joined: Join, tmp_path: Path
) -> None:
    def of(
        name: str, number: int, frames: int = 40, seconds: float = 40 / FPS, **form: Any
    ) -> Path:
        rate = form.get("rate", 48000)
        sound = speech(np.arange(round(seconds * rate)) / rate, number)
        return clip(tmp_path / name, sound[: form.pop("channels", 2)], frames, **form)

    plain = of("plain.mp4", 1)
    others = {
        "silent": clip(tmp_path / "silent.mp4", None, 31),
        "rate": of("rate.mp4", 2, rate=44100),
        "mono": of("mono.mp4", 3, channels=1),
        "short": of("short.mp4", 4, seconds=1.0),
        "tiny": of("tiny.mp4", 5, frames=6, seconds=0.25),
        "late": of("late.mp4", 6, late=9_000, seconds=1.4),
        "mp3": of("mp3.mp4", 7, codec="libmp3lame"),
    }
    for name, other in others.items():
        film = joined([plain, other, plain])
        assert film.copied == [True, name in ("short", "late"), True]
        assert film.done.encoded == ""
        sound, begin = film.sound, 40 * 2000
        # The last clip is as it was, at its time.
        last = round(film.done.seconds * 48000) - 40 * 2000 + film.moved[-1]
        own = media.decode_audio(plain)
        assert own is not None
        part = slice(6000, 70_000)
        error = sound[:, last + 6000 : last + 70_000] - own[0][:, part]
        assert (error**2).mean() < 1e-3 * (own[0][:, part] ** 2).mean()
        middle = sound[:, begin + 3000 : last - 3000]
        if name == "silent":
            assert np.abs(middle).max() < 0.002
        elif name == "short":
            assert np.abs(sound[:, begin + 51_000 : last - 1500]).max() < 0.002
        elif name == "late":
            assert np.abs(sound[:, begin + 1500 : begin + 8000]).max() < 0.002
            assert np.abs(middle).max() > 0.1
        else:
            assert np.abs(middle).max() > 0.05


def test_sound_that_begins_late_is_heard_at_its_time(joined: Join, tmp_path: Path) -> None:
    burst = np.zeros((2, 60_000))
    burst[:, 20_000:20_100] = 0.4 * np.hanning(100)
    sources = [clip(tmp_path / "late.mp4", burst, 40, late=11_000)] * 3
    film = joined(sources)
    assert all(film.copied)
    for number in range(3):
        part = film.sound[0][number * 80_000 : (number + 1) * 80_000]
        assert abs(int(np.abs(part).argmax()) - 31_050) <= 512 + 2


@pytest.mark.parametrize("unlike", ["windows", "sound"])
def test_what_does_not_fit_together_is_encoded_as_a_whole(
    joined: Join, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unlike: str
) -> None:
    sources = made(tmp_path, speech, (41, 43))
    whole = joined(sources, copy=False)
    if unlike == "windows":
        monkeypatch.setattr(film_sound, "slope", lambda packet: None)
    else:
        monkeypatch.setattr(film_sound.Run, "fits", lambda self, number, film: False)
    film = joined(sources, again=True)
    assert not any(film.copied) and not any(film.moved)
    assert packets(film.path) == packets(whole.path)


def test_a_wrong_packet_at_a_joint_is_found(joined: Join, tmp_path: Path) -> None:
    """What the windows do not tell: the packets of another sound."""
    one, other = made(tmp_path, tone, (41, 43))
    good = packets(one)
    run = film_sound.Run(film_sound.Form(48000, 2, "stereo"), 0, True)
    decoded = media.decode_audio(one)
    assert decoded is not None
    run.add(decoded[0][:, : 30 * 1024])
    run.finish()
    wrong = packets(other)
    for at in (18, 22, 26):
        made_here = run.packets
        first = [made_here[at - 1], good[at + 1][2], good[at + 2][2]]
        assert run.fits(at, first)
        assert not run.fits(at, [made_here[at - 1], good[at + 2][2], good[at + 3][2]])
        assert not run.fits(at, [made_here[at - 1], wrong[at + 1][2], wrong[at + 2][2]])
        assert not run.fits(at, [made_here[at - 1], b"\0" * 9, good[at + 2][2]])


def test_what_a_track_of_aac_says() -> None:
    assert aac.config(48000, 2) == bytes.fromhex("1190")
    assert aac.config(44100, 1) == bytes.fromhex("1208")
    assert aac.config(48000, 6) == aac.config(47999, 2) == b""
    assert aac.is_plain(bytes.fromhex("1190"), 48000, 2)
    assert aac.is_plain(bytes.fromhex("119056e500"), 48000, 2)
    assert not aac.is_plain(bytes.fromhex("119056e580"), 48000, 2)  # HE-AAC, told afterwards
    assert not aac.is_plain(bytes.fromhex("2b920800"), 48000, 2)  # HE-AAC
    assert not aac.is_plain(bytes.fromhex("1194"), 48000, 2)  # 960 samples a packet
    assert not aac.is_plain(b"", 48000, 2)


def test_how_a_window_ends() -> None:
    assert aac.slope(bytes.fromhex("214c6cbe")) == (True, 0)  # eight short ones
    assert aac.slope(bytes.fromhex("217a8b09")) == (False, 1)  # the long one after them
    assert aac.slope(bytes.fromhex("de02004c")) is None  # something else comes first
    assert aac.slope(bytes.fromhex("204c6cbe")) is None  # two channels with windows of their own
    assert aac.slope(b"") is None
