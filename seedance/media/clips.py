"""Clips and sounds that we write: from frames, or converted from a file.

Everything streams: memory is that of a few frames.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from ..errors import BadOrder
from .frames import (
    ACCURATE,
    BICUBIC,
    BT709,
    FULL_CHROMA_IN,
    FULL_CHROMA_OUT,
    LIMITED,
    Converter,
    matrix_of,
    range_of,
)
from .info import TAIL, ClipInfo, open_media, probe, sound_stream, video_stream
from .sounds import Resampler, sound_frames

if TYPE_CHECKING:
    from av.container import OutputContainer

_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
MAX_FPS = 240
MAX_SECONDS = 600  # more than ten times what any provider takes
_NO_FRAME = 0.004  # seconds, shorter than any frame
_SOUND_BLOCK = 1024  # samples in one AAC frame
# Where swscale puts the colours of 4:2:0 that it makes of RGB: between the pixels. A clip that does
# not say so is read as if they were on the left ones, and shifts to the left with each generation.
_CENTRED = "chromaloc=1"
_RESAMPLE = BICUBIC | FULL_CHROMA_IN | FULL_CHROMA_OUT | ACCURATE


class ClipWriter:
    """Writes one MP4: H.264 4:2:0, tagged BT.709 limited, and AAC where `rate` is given.

    `from_rgb` says that arrays are added, not frames of other clips. `container` may be `mov`. Use
    it with `with`; on an error inside the block, or while the rest is written at its end, the
    unfinished file is removed.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        fps: Fraction,
        *,
        rate: int | None = None,
        channels: int = 2,
        preset: str = "veryfast",
        crf: int = 18,
        bit_rate: int | None = None,
        from_rgb: bool = False,
        container: str = "mp4",
    ) -> None:
        self.path = Path(path)
        self.fps = Fraction(fps)
        self.size = (width, height)
        self.container: OutputContainer = av.open(
            str(self.path), "w", format=container, options={"movflags": "+faststart"}
        )
        self.video: Any = self.container.add_stream("libx264", rate=self.fps)
        self.video.width, self.video.height = width, height
        self.video.pix_fmt = "yuv420p"
        options: dict[str, Any] = {"preset": preset}
        if bit_rate:
            self.video.bit_rate = bit_rate
            options |= {"maxrate": str(bit_rate), "bufsize": str(bit_rate)}
        else:
            options["crf"] = str(crf)
        if from_rgb:
            options["x264-params"] = _CENTRED
        self.video.options = options
        context = self.video.codec_context
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED
        self.sound: Any = None
        if rate:
            self.sound = self.container.add_stream("aac", rate=rate)
            self.sound.layout = "mono" if channels == 1 else "stereo"
            form: dict[str, Any] = {"format": "fltp", "layout": self.sound.layout, "rate": rate}
            self._resample = Resampler(**form)
            self._blocks = av.AudioResampler(**form, frame_size=_SOUND_BLOCK)
        self.reformatter = VideoReformatter()
        self.frames = 0
        self.samples = 0
        self.skip_samples = 0  # of the sound that comes next
        self._taken = 0
        self.most_samples: int | None = None  # of all sound

    def __enter__(self) -> ClipWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        finished = False
        try:
            if kind is None:
                if self.sound is not None:
                    self._encode_sound(None)
                    self.container.mux(self.sound.encode(None))
                self.container.mux(self.video.encode(None))
                self.container.close()
                finished = True
        finally:
            if not finished:
                with suppress(Exception):  # the error that led here is the one to raise
                    self.container.close()
                self.path.unlink(missing_ok=True)

    def add(self, frame: np.ndarray | av.VideoFrame) -> None:
        """Append one picture: uint8 (height, width, 3), or a decoded frame of any format."""
        if isinstance(frame, np.ndarray):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        ready = self.reformatter.reformat(
            frame,
            width=self.size[0],
            height=self.size[1],
            format="yuv420p",
            src_colorspace=matrix_of(frame),
            dst_colorspace=BT709,
            src_color_range=range_of(frame),
            dst_color_range=LIMITED,
            interpolation=_RESAMPLE,
        )
        ready.colorspace, ready.color_range = BT709, LIMITED
        ready.time_base = 1 / self.fps
        ready.pts = self.frames
        ready.pict_type = 0  # the source's choice of key frames does not bind the encoder
        self.frames += 1
        self.container.mux(self.video.encode(ready))

    def add_sound(self, sound: np.ndarray | av.AudioFrame) -> None:
        """Append sound: float32 (channels, n) in -1..1 at the writer's rate, or a decoded frame. Of
        an array's channels, those beyond eight are left out."""
        if isinstance(sound, np.ndarray):
            sound = sound[: max(_LAYOUTS)]
            packed = np.ascontiguousarray(sound.T, np.float32).reshape(1, -1)
            layout = _LAYOUTS[len(sound)]
            sound = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
            sound.sample_rate = self.sound.rate
            sound.pts = None
        self._encode_sound(sound)

    def _encode_sound(self, sound: av.AudioFrame | None) -> None:
        even = [part for whole in self._resample(sound) if (part := self._cut(whole)) is not None]
        for part in even if sound is not None else (*even, None):
            if part is not None:
                part.pts = None
            for ready in self._blocks.resample(part):
                ready.pts = self.samples
                ready.time_base = Fraction(1, self.sound.rate)
                self.samples += ready.samples
                self.container.mux(self.sound.encode(ready))

    def _cut(self, part: av.AudioFrame) -> av.AudioFrame | None:
        """What is to be written of a resampled frame, None if nothing is."""
        first = min(self.skip_samples, part.samples)
        self.skip_samples -= first
        last = part.samples
        if self.most_samples is not None:
            last = min(last, first + self.most_samples - self._taken)
        self._taken += max(last - first, 0)
        if first == 0 and last == part.samples:
            return part
        if first >= last:
            return None
        samples = np.ascontiguousarray(part.to_ndarray()[:, first:last], np.float32)
        cut = av.AudioFrame.from_ndarray(samples, "fltp", part.layout.name)
        cut.sample_rate = part.sample_rate
        return cut


def write_clip(
    path: Path,
    frames: Iterable[np.ndarray],
    fps: Fraction | int,
    audio: tuple[np.ndarray, int] | None = None,
    *,
    preset: str = "veryfast",
    crf: int = 18,
) -> None:
    """Write frames, uint8 (height, width, 3) with even sides, to an MP4 (H.264, tagged BT.709).

    `audio` is (float32 (channels, samples) in -1..1, samples a second). Sound and pictures are
    interleaved, so that the file plays while it loads. On an error the file is removed. Raises
    ValueError if there are no frames.
    """
    source = iter(frames)
    first = next(source, None)
    if first is None:
        raise ValueError("A clip needs at least one frame.")
    height, width, _ = first.shape
    sound, rate = audio if audio else (None, None)
    fps = Fraction(fps)
    writer = ClipWriter(
        path,
        width,
        height,
        fps,
        rate=rate,
        channels=1 if sound is None else sound.shape[0],
        preset=preset,
        crf=crf,
        from_rgb=True,
    )
    with writer:
        written = 0
        for number, frame in enumerate(_chain(first, source), start=1):
            writer.add(frame)
            if sound is not None and rate:
                until = int(number / fps * rate)
                if until > written and written < sound.shape[1]:
                    writer.add_sound(sound[:, written:until])
                    written = until


def _chain(first: np.ndarray, rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from rest


@dataclass(frozen=True)
class ClipPlan:
    """What a clip is converted to; None keeps what the source has. It is cut at `start` seconds and
    lasts `seconds` from there. `bit_rate` is that of the pictures, in bits a second."""

    width: int | None = None
    height: int | None = None
    fps: Fraction | None = None
    seconds: float | None = None
    bit_rate: int | None = None
    start: float = 0.0


def convert_clip(source: Path, target: Path, plan: ClipPlan) -> None:
    """Write `source` to `target` as an MP4 (H.264, AAC) that follows `plan`.

    It shows what a person sees of the source: turned upright, with square pixels, in the colours of
    standard range, its last picture held until its end, its sound at its time. Raises BadOrder if
    the source cannot be read, or claims to be absurdly long or fast.
    """
    info = probe(source)
    fps = plan.fps or max(info.rate, Fraction(1))
    seconds = plan.seconds or max(info.duration - plan.start, 0.0)
    if fps > MAX_FPS or seconds > MAX_SECONDS:  # any number of frames can hide in a small file
        raise BadOrder(
            "{file} claims {seconds} s at {frames} frames a second, which is too much to convert.",
            hint="Up to {most} s and {most_frames} frames a second are converted.",
            file=source.name,
            seconds=f"{seconds:.0f}",
            frames=f"{float(fps):g}",
            most=MAX_SECONDS,
            most_frames=MAX_FPS,
        )
    with open_media(source) as container:
        sound = sound_stream(container, source.name)
        writer = ClipWriter(
            target,
            _even(plan.width or info.width),
            _even(plan.height or info.height),
            fps,
            rate=min(sound.sample_rate, 48000) if sound else None,
            channels=sound.codec_context.layout.nb_channels if sound else 2,
            bit_rate=plan.bit_rate,
            from_rgb=not info.plain,
        )
        begin = info.start + plan.start
        if plan.start:
            container.seek(int(begin * av.time_base))  # to the key frame before it
        with writer:
            pictures = _Pictures(writer, info, seconds)
            sounds = _Sounds(writer, seconds)
            video = video_stream(container, source.name)
            video.thread_type = "AUTO"
            streams = [video, sound] if sound else [video]
            for packet in container.demux(streams):
                if pictures.full and sounds.full:
                    break  # what is cut off need not be decoded
                try:
                    decoded = packet.decode()
                except av.InvalidDataError:
                    continue
                for frame in decoded:
                    if isinstance(frame, av.AudioFrame):
                        sounds.add(frame, None if frame.time is None else frame.time - begin)
                    elif isinstance(frame, av.VideoFrame):
                        pictures.add(frame, (frame.time or 0.0) - begin)
            pictures.end()
            if not writer.frames:
                raise BadOrder(
                    "{file} is not a readable video: no picture can be decoded.", file=source.name
                )


def cut_clip(source: Path | bytes, start: float, seconds: float | None) -> bytes | None:
    """The part of a clip from `start` seconds on (before its end, if negative) that is `seconds`
    long, or that goes to its end: an MP4 as by `convert_clip`. None if that is the whole clip.

    Raises BadOrder if the clip cannot be read, or has no such part.
    """
    with tempfile.TemporaryDirectory(prefix="seedance-") as folder:
        file, target = Path(folder) / "whole", Path(folder) / "part.mp4"
        if isinstance(source, bytes):
            file.write_bytes(source)
        else:
            file = source
        duration = probe(file).duration
        start = max(start + duration, 0.0) if start < 0 else start
        rest = duration - start
        if rest <= 0:
            raise BadOrder(
                "The part of the clip begins at {start} s, and it is {duration} s long.",
                hint="Begin earlier.",
                start=f"{start:.1f}",
                duration=f"{duration:.1f}",
            )
        wanted = min(seconds or rest, rest)
        if duration - wanted < _NO_FRAME:
            return None
        convert_clip(file, target, ClipPlan(start=start, seconds=wanted))
        return target.read_bytes()


class _Pictures:
    """The pictures of a clip as they are written: each is shown until the next one's time, the last
    one until `seconds`."""

    def __init__(self, writer: ClipWriter, info: ClipInfo, seconds: float) -> None:
        self.writer = writer
        self.count = max(int(seconds * writer.fps + Fraction(1, 2)), 1)
        self.shown: av.VideoFrame | None = None
        self._convert = None if info.plain else Converter(info)

    @property
    def full(self) -> bool:
        return self.writer.frames >= self.count

    def add(self, frame: av.VideoFrame, time: float) -> None:
        """Take the picture that is shown from `time` on, in seconds."""
        until = math.floor(Fraction(time) * self.writer.fps + Fraction(1, 2))
        self._show(self.shown or frame, min(until, self.count))
        self.shown = frame

    def end(self) -> None:
        """Hold the last picture."""
        if self.shown is not None:
            self._show(self.shown, self.count)

    def _show(self, frame: av.VideoFrame, until: int) -> None:
        """Write `frame` up to the frame number `until`."""
        if self.writer.frames >= until:
            return
        ready: np.ndarray | av.VideoFrame = frame
        if self._convert is not None:
            width, height = self.writer.size
            ready = np.empty((height, width, 3), np.uint8)
            self._convert(frame, ready)
        for _ in range(self.writer.frames, until):
            self.writer.add(ready)


class _Sounds:
    """The sound of a clip as it is written: at its own time, with silence where there is none, and
    no longer than `seconds`."""

    def __init__(self, writer: ClipWriter, seconds: float) -> None:
        self.writer = writer
        self.seconds = seconds if writer.sound is not None else 0.0
        self.given = 0.0  # seconds that the writer got
        if writer.sound is not None:
            writer.most_samples = math.ceil(seconds * writer.sound.rate)

    @property
    def full(self) -> bool:
        return self.given >= self.seconds

    def add(self, frame: av.AudioFrame, time: float | None) -> None:
        """Take the sound that is heard from `time` on, in seconds; None where it follows."""
        length = frame.samples / frame.sample_rate
        at = self.given if time is None else time
        if self.full or at + length <= 0:
            return
        if at > self.given + (TAIL if self.given else 0):
            self._silence(min(at, self.seconds) - self.given)
        elif not self.given and at < 0:
            self.writer.skip_samples = round(-at * self.writer.sound.rate)
            length += at
        self.given += length
        self.writer.add_sound(frame)

    def _silence(self, seconds: float) -> None:
        self.given += seconds
        samples = round(seconds * self.writer.sound.rate)
        for start in range(0, samples, _SOUND_BLOCK):
            count = min(_SOUND_BLOCK, samples - start)
            self.writer.add_sound(np.zeros((2, count), np.float32))


def _even(side: int) -> int:
    return max(side - side % 2, 2)


def convert_sound(source: Path, target: Path, codec: str, seconds: float | None = None) -> None:
    """Write the sound of `source` to `target`, `codec` being `mp3` or `wav`; cut at `seconds`.

    Raises BadOrder if the source cannot be read, or is absurdly long and not to be cut.
    """
    name, layout_format = {"mp3": ("libmp3lame", "fltp"), "wav": ("pcm_s16le", "s16")}[codec]
    with open_media(source, "sound") as container, av.open(str(target), "w", format=codec) as out:
        sound = sound_stream(container, source.name)
        if sound is None:
            raise BadOrder(
                "{file} is not a readable sound: it has no sound track.", file=source.name
            )
        rate = min(sound.sample_rate, 48000)
        stream: Any = out.add_stream(name, rate=rate)
        layout = "mono" if sound.codec_context.layout.nb_channels == 1 else "stereo"
        stream.layout = layout
        if codec == "mp3":
            stream.bit_rate = 192_000
        resample = Resampler(format=layout_format, layout=layout, rate=rate)
        most = int((seconds or MAX_SECONDS) * rate)
        written = 0
        for frame in sound_frames(container, sound, resample):
            if written + frame.samples > most:
                if seconds is None:
                    raise BadOrder(
                        "{file} is too long to be converted.",
                        hint="Up to {most} s are converted.",
                        file=source.name,
                        most=MAX_SECONDS,
                    )
                break
            frame.pts, frame.time_base = written, Fraction(1, rate)
            written += frame.samples
            out.mux(stream.encode(frame))
        if not written:
            raise BadOrder(
                "{file} is not a readable sound: nothing can be decoded.", file=source.name
            )
        out.mux(stream.encode(None))
