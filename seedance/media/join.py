"""Clips one after the other as one film.

Pictures are copied as they are where all clips have the same kind of stream, else encoded once. The
sound is laid end to end, each clip's at the time of its pictures; it is copied but for what lies
around the joints where that can be done, and moved by 10.7 ms at most for it (at 48 kHz), else
encoded once as a whole, to the sample: see `film_sound.py`. It is not made louder or softer. Memory
is that of one clip's sound and a few frames.
"""

from __future__ import annotations

import contextlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..errors import BadOrder
from ..files import replacing
from .clips import MAX_FPS, ClipWriter
from .film_sound import FilmSound, Part, SoundsUnlike
from .frames import Converter
from .info import TAIL, ClipInfo, open_media, probe, sound_stream, video_stream
from .voices import Listener, Voice

CRF, PRESET = 14, "medium"  # of pictures that must be encoded

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
    decoding, from `begin`. `voice` is its sound, None where it has none."""

    path: Path
    info: ClipInfo
    tick: Fraction
    begin: int
    length: int
    kind: tuple[Any, ...] | None
    dts: tuple[int, int]
    voice: Voice | None

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
    total = sum((clip.seconds for clip in clips), Fraction(0))
    told = 0.0

    def tell(seen: float) -> None:
        nonlocal told
        told = max(told, seen / float(total) if total else 0.0)
        on_part(told)

    form = "mov" if target.suffix.lower() == ".mov" else "mp4"
    with replacing(target) as part:
        if why:  # their encoding takes so long that nothing is gained with sound that is copied
            _write(clips, _Encoding(clips, part, form), form, False, tell)
        else:
            try:
                _write(clips, _Copying(clips, part, form), form, True, tell)
            except SoundsUnlike:
                _write(clips, _Copying(clips, part, form), form, False, tell)
    return Joined(total, why)


def _write(
    clips: Sequence[_Clip],
    writer: _Copying | _Encoding,
    form: str,
    copy_sound: bool,
    tell: Callable[[float], None],
) -> None:
    begins = list(accumulate((clip.seconds for clip in clips), initial=Fraction(0)))
    parts = [
        Part(clip.path, clip.begin * clip.tick, begin, end, clip.voice)
        for clip, (begin, end) in zip(clips, pairwise(begins))
    ]
    voices = [clip.voice for clip in clips if clip.voice]
    pcm = form == "mov" and any(voice.pcm for voice in voices)
    with writer:
        sound = FilmSound(writer.container, parts, pcm, copy_sound) if voices else None
        for number, (clip, begin) in enumerate(zip(clips, begins)):
            heard = sound.of(number) if sound else iter(())
            until: float | None = 0.0
            for seen in writer.pictures(clip, begin):
                # Pictures and sound lie beside each other in the file.
                while until is not None and until < seen:
                    until = next(heard, None)
                tell(seen)
            for _ in heard:
                pass


# ---------------------------------------------------------------------------------- what clips are


def _look(path: Path) -> _Clip:
    info = probe(path)
    with open_media(path, pictures=False) as container:
        stream: Any = container.streams[info.track]
        sound = sound_stream(container, path.name)
        context = stream.codec_context
        tick = Fraction(stream.time_base or Fraction(1, 90_000))
        listener = Listener(sound) if sound else None
        times = []
        for packet in container.demux([stream, *([sound] if sound else [])]):
            if listener and packet.stream_index != stream.index:
                listener.hear(packet)
            elif packet.size and packet.pts is not None:
                length, whole = packet.duration or 0, packet.is_keyframe
                times.append((packet.pts, packet.dts, length, whole, packet.is_discard))
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
        voice = listener.voice(begin * tick, (end - begin) * tick) if listener else None
        return _Clip(
            path=path,
            info=info,
            tick=tick,
            begin=begin,
            length=end - begin,
            kind=kind if whole and len(dts) == len(times) and context.extradata else None,
            dts=(min(dts, default=begin) - begin, max(dts, default=begin) - begin),
            voice=voice,
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

    def pictures(self, clip: _Clip, begin: Fraction) -> Iterator[float]:
        """Write the pictures of a clip that begins at this time of the film; yields until when it
        is written, again and again."""
        shift, tick = round(begin / clip.tick) - clip.begin, float(clip.tick)
        with open_media(clip.path, pictures=False) as source:
            for packet in source.demux(source.streams[clip.info.track]):
                if not packet.size or packet.pts is None or packet.dts is None:
                    continue
                packet.pts += shift
                packet.dts += shift
                seen = packet.dts * tick
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

    def pictures(self, clip: _Clip, begin: Fraction) -> Iterator[float]:
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

    def _show(self, fitted: _Fitted, frame: av.VideoFrame, until: int) -> Iterator[float]:
        if self._writer.frames < until:
            ready = fitted(frame)
            while self._writer.frames < until:
                self._writer.add(ready)
                yield float(self._writer.frames / self._fps)


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
