"""Clips one after the other as one film.

Pictures are copied as they are where all clips have the same kind of stream, else encoded once. The
sound is decoded, laid end to end to the sample, each clip's at the time of its pictures, and
encoded once as a whole: packets of AAC cannot be joined without a gap. It is not made louder or
softer. Memory is that of one clip's sound and a few frames.
"""

from __future__ import annotations

import contextlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..errors import BadOrder
from ..files import replacing
from .clips import MAX_FPS, ClipWriter
from .frames import Converter
from .info import TAIL, ClipInfo, is_pcm, open_media, probe, sound_stream, video_stream
from .sounds import Resampler, sound_frames

AAC_BITS = 320_000  # a second; of stereo, where nothing can be heard that is not in the clips
CRF, PRESET = 14, "medium"  # of pictures that must be encoded
_BLOCK = 1024  # samples given to the encoder at once

OnPart = Callable[[float], None]


@dataclass(frozen=True)
class Joined:
    """A film: how long it is, and why its pictures had to be encoded; empty if they were copied."""

    seconds: Fraction
    encoded: str = ""


@dataclass(frozen=True)
class _Clip:
    """One clip as a part of the film. Times are ticks of its picture track: `begin` is that of its
    first picture, `length` is how long it is seen. `kind` is all that must be the same for copying
    without decoding; None where the clip cannot be copied. `dts` are the first and the last time of
    decoding, from `begin`."""

    path: Path
    info: ClipInfo
    tick: Fraction
    begin: int
    length: int
    kind: tuple[Any, ...] | None
    dts: tuple[int, int]
    rate: int
    channels: int
    pcm: bool

    @property
    def seconds(self) -> Fraction:
        return self.length * self.tick


def join_clips(
    sources: Sequence[Path], target: Path, on_part: OnPart = lambda fraction: None
) -> Joined:
    """Write the clips, one after the other, as one film to `target`, an `.mp4` or `.mov`, which is
    replaced. `on_part` is told how far it is, 0..1.

    Clips of another size than most of the film are fitted into it, with black bars. Raises BadOrder
    for a clip that cannot be read, ValueError without clips.
    """
    clips = [_look(path) for path in sources]
    if not clips:
        raise ValueError("A film needs at least one clip.")
    why = _differences(clips)
    rate = max((clip.rate for clip in clips), default=0)
    channels = max((clip.channels for clip in clips), default=0)
    pcm = target.suffix.lower() == ".mov" and any(clip.pcm for clip in clips)
    total = sum((clip.seconds for clip in clips), Fraction(0))
    form = "mov" if target.suffix.lower() == ".mov" else "mp4"
    with replacing(target) as part, (_Encoding if why else _Copying)(clips, part, form) as writer:
        sound = _Sound(writer.container, rate, channels, pcm) if rate else None
        begin = Fraction(0)
        for clip in clips:
            samples = sound.of(clip, begin) if sound else None
            for seen in writer.pictures(clip, begin):
                if sound is not None and samples is not None:
                    samples = sound.add(samples, seen)
                on_part(float(seen / total) if total else 0.0)
            if sound is not None and samples is not None:
                sound.add(samples, None)
            begin += clip.seconds
        if sound is not None:
            sound.end()
    return Joined(total, why)


# ---------------------------------------------------------------------------------- what clips are


def _look(path: Path) -> _Clip:
    info = probe(path)
    with open_media(path, pictures=False) as container:
        stream: Any = container.streams[info.track]
        sound = sound_stream(container, path.name)
        context = stream.codec_context
        tick = Fraction(stream.time_base or Fraction(1, 90_000))
        times = [
            (packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe, packet.is_discard)
            for packet in container.demux(stream)
            if packet.size and packet.pts is not None
        ]
        if not times:
            raise BadOrder(f"{path.name} is not a readable video: it holds no picture.")
        begin = min(pts for pts, *_ in times)
        usual = max(round(1 / info.fps / tick), 1)
        end = max(pts + (duration or usual) for pts, _, duration, *_ in times)
        # A sound that goes on for longer holds the last picture.
        until = (Fraction(info.start) + Fraction(info.duration)) / tick
        if until - end > TAIL / tick:
            end = round(until)
        whole = times[0][3] and not any(discard for *_, discard in times)
        dts = [each for _, each, *_ in times if each is not None]
        kind = (
            context.name,
            bytes(context.extradata or b""),
            info.stored,
            info.pixel_format,
            (info.matrix, info.primaries, info.transfer, info.colour_range),
            info.turn,
            (info.width, info.height),
            tick,
            info.fps,
        )
        voice = sound.codec_context if sound else None
        return _Clip(
            path=path,
            info=info,
            tick=tick,
            begin=begin,
            length=end - begin,
            kind=kind if whole and len(dts) == len(times) and context.extradata else None,
            dts=(min(dts, default=begin) - begin, max(dts, default=begin) - begin),
            rate=min(voice.sample_rate, 192_000) if voice else 0,
            channels=min(voice.layout.nb_channels, 8) if voice else 0,
            pcm=sound is not None and is_pcm(sound),
        )


_KIND_WORDS = (
    *("codec", "settings of the encoder", "size", "kind of pixels", "colours"),
    *("turn", "shape of pixels", "clock", "number of frames a second"),
)


def _differences(clips: Sequence[_Clip]) -> str:
    """Why the pictures cannot be copied; empty where they can."""
    first = clips[0]
    for clip in clips:
        if clip.kind is None or first.kind is None:
            return f"{clip.path.name} does not begin with a whole picture"
        unlike = [
            word for word, mine, other in zip(_KIND_WORDS, clip.kind, first.kind) if mine != other
        ]
        if unlike:
            seen = unlike[1:] if unlike[0].startswith("settings") and unlike[1:] else unlike
            return f"{clip.path.name} has another {seen[0]} than {first.path.name}"
    for before, after in pairwise(clips):
        if before.dts[1] >= before.length + after.dts[0]:
            return f"the pictures of {before.path.name} and {after.path.name} overlap"
    return ""


# ---------------------------------------------------------------------------------------- pictures


class _Copying:
    """Pictures are copied, packet by packet."""

    def __init__(self, clips: Sequence[_Clip], target: Path, form: str) -> None:
        self.container: Any = av.open(
            str(target), "w", format=form, options={"movflags": "+faststart"}
        )
        with open_media(clips[0].path) as source:
            stream = video_stream(source, clips[0].path.name)
            # Not for an encoder, which PyAV 14 would open, with headers of its own.
            self._stream: Any = self.container.add_stream_from_template(stream, opaque=True)
            with contextlib.suppress(RuntimeError):  # PyAV 14 leaves the unit of time to the file
                self._stream.time_base = clips[0].tick

    def __enter__(self) -> _Copying:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.container.close()
        except Exception:
            if kind is None:
                raise

    def pictures(self, clip: _Clip, begin: Fraction) -> Iterator[Fraction]:
        """Write the pictures of a clip that begins at this time of the film; yields until when it
        is written, again and again."""
        shift = round(begin / clip.tick) - clip.begin
        with open_media(clip.path, pictures=False) as source:
            for packet in source.demux(source.streams[clip.info.track]):
                if not packet.size or packet.pts is None or packet.dts is None:
                    continue
                packet.pts += shift
                packet.dts += shift
                seen = packet.dts * clip.tick
                packet.stream = self._stream
                self.container.mux(packet)
                yield seen


class _Encoding:
    """Pictures are decoded and encoded anew, once."""

    def __init__(self, clips: Sequence[_Clip], target: Path, form: str) -> None:
        self._fps: Fraction = _most(
            clips, lambda clip: min(max(clip.info.rate, Fraction(1)), MAX_FPS)
        )
        size = _most(clips, lambda clip: (clip.info.width, clip.info.height))
        self._size = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        plain = all(clip.info.plain for clip in clips)
        self._writer = ClipWriter(
            target,
            *self._size,
            self._fps,
            preset=PRESET,
            crf=CRF,
            from_rgb=not plain,
            container=form,
        )
        self.container: Any = self._writer.container

    def __enter__(self) -> _Encoding:
        self._writer.__enter__()
        return self

    def __exit__(self, *problem: Any) -> None:
        self._writer.__exit__(*problem)

    def pictures(self, clip: _Clip, begin: Fraction) -> Iterator[Fraction]:
        """As of `_Copying`. Each picture is seen until the next one's time, the last until the
        end."""
        end = self._number(begin + clip.seconds)
        shown: av.VideoFrame | None = None
        with open_media(clip.path) as source:
            stream: Any = video_stream(source, clip.path.name)
            stream.thread_type = "AUTO"
            fitted = _Fitted(clip.info, self._size)
            for packet in source.demux(stream):
                try:
                    decoded = packet.decode()
                except av.InvalidDataError:
                    continue
                for frame in decoded:
                    at = begin + ((frame.pts or clip.begin) - clip.begin) * clip.tick
                    yield from self._show(fitted, shown or frame, min(self._number(at), end))
                    shown = frame
            if shown is not None:
                yield from self._show(fitted, shown, end)

    def _number(self, time: Fraction) -> int:
        return math.floor(time * self._fps + Fraction(1, 2))

    def _show(self, fitted: _Fitted, frame: av.VideoFrame, until: int) -> Iterator[Fraction]:
        if self._writer.frames < until:
            ready = fitted(frame)
            while self._writer.frames < until:
                self._writer.add(ready)
                yield self._writer.frames / self._fps


class _Fitted:
    """Turns pictures of a clip into those of the film: as they are seen, whole, in the middle."""

    def __init__(self, info: ClipInfo, size: tuple[int, int]) -> None:
        width, height = size
        self._convert = (
            None if info.plain and (info.width, info.height) == size else Converter(info)
        )
        scale = min(Fraction(width, info.width), Fraction(height, info.height))
        across, down = round(info.width * scale), round(info.height * scale)
        self._canvas = np.zeros((height, width, 3), np.uint8)
        left, top = (width - across) // 2, (height - down) // 2
        self._part = self._canvas[top : top + down, left : left + across]

    def __call__(self, frame: av.VideoFrame) -> np.ndarray | av.VideoFrame:
        if self._convert is None:
            return frame
        self._convert(frame, self._part)
        return self._canvas


def _most(clips: Sequence[_Clip], value_of: Callable[[_Clip], Any]) -> Any:
    """The value that most of the film has, by time."""
    seconds: dict[Any, Fraction] = defaultdict(Fraction)
    for clip in clips:
        seconds[value_of(clip)] += clip.seconds
    return max(seconds, key=lambda value: seconds[value])  # of equals the first


# ------------------------------------------------------------------------------------------- sound


class _Sound:
    """The sound of the film. The sample `n` of it is heard `n / rate` seconds after the first
    picture."""

    def __init__(self, container: Any, rate: int, channels: int, pcm: bool) -> None:
        self._container, self._rate, self._channels = container, rate, channels
        layout = {1: "mono", 2: "stereo"}.get(channels)
        if layout is None:
            self._channels, layout = (8, "7.1") if channels > 6 else (6, "5.1")
        if not pcm:
            rate = self._rate = _aac_rate(rate)
        self._stream: Any = container.add_stream("pcm_s24le" if pcm else "aac", rate=rate)
        self._stream.layout = layout
        if not pcm:
            self._stream.bit_rate = AAC_BITS * max(self._channels, 2) // 2
        self._layout = layout
        form: dict[str, Any] = {"format": "s32" if pcm else "fltp", "layout": layout, "rate": rate}
        self._blocks = av.AudioResampler(**form, frame_size=_BLOCK)
        self._given = 0  # samples, of all clips

    def of(self, clip: _Clip, begin: Fraction) -> np.ndarray:
        """The sound of a clip that begins at this time of the film, float32 (channels, samples):
        silence where it has none."""
        first = round(begin * self._rate)
        count = round((begin + clip.seconds) * self._rate) - first
        sound = np.zeros((self._channels, count), np.float32)
        if clip.rate:
            self._decode(clip, sound)
        return sound

    def _decode(self, clip: _Clip, sound: np.ndarray) -> None:
        """Write the sound of a clip into an array of silence, each frame at its own time."""
        start = clip.begin * clip.tick
        with open_media(clip.path, pictures=False) as source:
            stream = sound_stream(source, clip.path.name)
            if stream is None:
                return
            own = stream.codec_context.layout
            layout = own.name if own.nb_channels <= 2 else self._layout
            resample = Resampler(format="fltp", layout=layout, rate=self._rate)
            at: int | None = None
            for frame in sound_frames(source, stream, resample):
                samples = frame.to_ndarray()
                told = None
                if frame.pts is not None and frame.time_base:
                    told = round((frame.pts * frame.time_base - start) * self._rate)
                if at is None or (told is not None and abs(told - at) > TAIL * self._rate):
                    at = told or 0
                self._lay(samples, sound, at)
                at += samples.shape[1]

    def _lay(self, samples: np.ndarray, sound: np.ndarray, at: int) -> None:
        left = max(-at, 0)
        right = min(samples.shape[1], sound.shape[1] - at)
        if right <= left:
            return
        part = samples[:, left:right]
        if len(part) == 1:
            sound[:2, at + left : at + right] = part  # mono is the same on both sides
        else:
            sound[: len(part), at + left : at + right] = part

    def add(self, samples: np.ndarray, until: Fraction | None) -> np.ndarray:
        """Encode what of a clip's sound is heard before this time of the film, None for all of it;
        returns the rest. So pictures and sound lie beside each other in the file."""
        while samples.shape[1]:
            if until is not None and self._given >= until * self._rate:
                break
            block, samples = samples[:, :_BLOCK], samples[:, _BLOCK:]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "fltp", self._layout)
            frame.sample_rate = self._rate
            frame.time_base, frame.pts = Fraction(1, self._rate), self._given
            self._given += block.shape[1]
            self._encode(frame)
        return samples

    def end(self) -> None:
        """Encode what is left."""
        self._encode(None)
        self._container.mux(self._stream.encode(None))

    def _encode(self, frame: av.AudioFrame | None) -> None:
        for ready in self._blocks.resample(frame):
            self._container.mux(self._stream.encode(ready))


def _aac_rate(rate: int) -> int:
    """The sampling rate of AAC that holds all of a sound."""
    known = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
    return next((each for each in known if each >= rate), known[-1])
