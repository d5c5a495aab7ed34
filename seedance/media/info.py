"""What a media file holds, as a person sees it, and how a file that may be hostile is opened.

It is read from the header. The packets are looked at where the header does not tell, or is not
believed; of a clip, one picture is decoded, which tells how it is turned.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

from ..errors import BadOrder
from ..said import say
from .colours import is_plain
from .signatures import signature
from .turns import UPRIGHT, Turn, turn_of

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Only real containers are opened: a playlist that calls itself a video could make FFmpeg read
# other files of this machine, or the network.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,mxf,gif,"
    "wav,w64,mp3,aac,flac,ogg,aiff,caf,amr"
)

MAX_PIXELS = 8192 * 4608  # of a clip: above 8K, where a few kilobytes can unpack to gigabytes

RATES = (1000, 768_000)  # samples a second; to convert from a rate of millions takes minutes

# Boxes of MP4 and MOV: those that hold others, and those for whose table FFmpeg allocates memory by
# the number of entries that they claim, with the offset of that number.
_HOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf")
_CLAIMS = {b"stsz": 8, b"stz2": 8, b"trun": 4}
_MOST_BOXES = 1_000_000

UNSPECIFIED = 2  # in FFmpeg's tables of matrices, primaries and transfer curves

# How far times in a header may lie from each other (seconds): rounding, and the rest of a block of
# sound. Beyond it, the sound begins before the pictures, or goes on after them.
TAIL = 0.1

# Pictures a second of a clip whose pictures come at uneven times, up to which they are believed.
_MOST_UNEVEN = 120
_WIDEST_PIXEL = 8  # times as wide as high, or the other way round
_ROUNDING = 0.005  # seconds: Matroska has its times in milliseconds
_USUAL = Fraction(24)  # frames a second, where a clip does not tell
_FIRST_PACKETS = 64  # among which there is a picture that can be decoded


@dataclass(frozen=True)
class ClipInfo:
    """What a video file holds.

    `width` and `height` are those that a person sees: turned, and with square pixels. `turn` is
    how its pictures are turned, `stored` their (width, height) in the file.
    `fps` is the average rate, `frames` their number. `duration` is in seconds, from `start`, the
    time of the first picture in the file, until the last picture or the sound ends; the last
    picture is held until then. `rate` is the frames a second at which no picture is lost.
    `decodes` says whether a picture near its beginning could be decoded. `track` is the number of
    its picture track in the file.
    `format` is FFmpeg's name of the container, `size` is in bytes. `matrix`, `primaries`,
    `transfer` and `colour_range` are the numbers of ISO/IEC 23091-2 and FFmpeg; 2 (0 for the
    range) means that the file does not say.
    """

    width: int
    height: int
    fps: Fraction
    frames: int
    duration: float
    has_audio: bool
    video_codec: str
    audio_codec: str | None
    format: str
    mime: str
    size: int
    pixel_format: str
    matrix: int
    primaries: int
    transfer: int
    colour_range: int
    stored: tuple[int, int]
    turn: Turn
    start: float
    rate: Fraction
    decodes: bool = True
    track: int = 0

    @property
    def plain(self) -> bool:
        """Whether its pictures are upright, with square pixels, in the colours of sRGB."""
        same = self.turn == UPRIGHT and self.stored == (self.width, self.height)
        return same and is_plain(self.transfer, self.primaries)


@dataclass(frozen=True)
class SoundInfo:
    """What a sound file says about itself. `duration` is in seconds, `size` in bytes."""

    duration: float
    codec: str
    rate: int
    channels: int
    format: str
    mime: str
    size: int


_WHAT = {"video": say("video"), "sound": say("sound")}

# A file whose tags are not UTF-8 is not refused. PyAV 19 accepts such tags itself, and has dropped
# the argument.
_TOLERANT: dict[str, Any] = (
    {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
)


@contextmanager
def open_media(
    path: Path, what: str = "video", *, pictures: bool = True
) -> Iterator[InputContainer]:
    """Open a local media file for reading.

    Without `pictures`, none is decoded while it is opened, which takes most of the time of that;
    then little may be known of them. FFmpeg's errors, while opening and inside the `with` block,
    become BadOrder.
    """
    path = Path(path)
    if not path.is_file():  # also keeps "https://..." and pipes away from FFmpeg
        raise BadOrder("There is no file {path}.", hint="Check the path.", path=path)
    try:
        kind, form = signature(path) or ("", "")
        if kind == "image" and form != "GIF":  # FFmpeg would read HEIC as a clip of one picture
            raise BadOrder(
                "{file} is not a readable {what}: it is a picture ({form}).",
                hint="Give it as a frame or as a reference picture.",
                file=path.name,
                what=_WHAT[what],
                form=form,
            )
        _check_claims(path, what)
        options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
        if not pictures:
            options["skip_frame"] = "all"
        with av.open(str(path.resolve()), options=options, **_TOLERANT) as container:
            try:
                yield container
            finally:
                _finish_decoding(container)
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadOrder(
            "{file} is not a readable {what}: {reason}.",
            hint="Play it in a video player; if that fails too, make or fetch it again.",
            file=path.name,
            what=_WHAT[what],
            reason=reason,
        ) from error


def _finish_decoding(container: InputContainer) -> None:
    """Finish FFmpeg's decoding threads, where a reader left before the last frame.

    Closing waits for them while it holds the interpreter's lock. If another node pack switched on
    PyAV's logging, they need that lock to log an error: then the process would hang for ever.
    """
    streams: tuple[Any, ...] = (*container.streams.video, *container.streams.audio)
    for stream in streams:
        if stream.codec_context is not None and stream.codec_context.is_open:
            with suppress(av.FFmpegError):
                stream.decode(None)


def _check_claims(path: Path, what: str) -> None:
    """Raise BadOrder for an MP4 or MOV that claims more samples than it has bytes."""
    size = path.stat().st_size
    boxes = samples = 0
    with path.open("rb") as file:
        todo = [(0, size)]
        while todo:
            at, end = todo.pop()
            while at + 8 <= end:
                file.seek(at)
                length, name = struct.unpack(">I4s", file.read(8))
                start = at + 8
                boxes += 1
                if length == 1:
                    length, start = int.from_bytes(file.read(8), "big"), at + 16
                elif length == 0:
                    length = end - at
                if name in _HOLDERS:
                    todo.append((start, min(at + length, end)))
                elif name in _CLAIMS:
                    file.seek(start + _CLAIMS[name])
                    samples = max(samples, int.from_bytes(file.read(4), "big"))
                if samples > size or boxes > _MOST_BOXES:
                    raise BadOrder(
                        "{file} is not a readable {what}: it claims more than it can hold.",
                        file=path.name,
                        what=_WHAT[what],
                    )
                at += max(length, 8)


def check_whole(path: Path, what: str = "video") -> None:
    """Raise BadOrder for an MP4 or MOV that was cut off after its header, which `probe` cannot see.

    Files of other kinds pass.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at + 8 <= size:
            file.seek(at)
            length, name = struct.unpack(">I4s", file.read(8))
            if length == 1:
                length = int.from_bytes(file.read(8), "big")
            if name == b"mdat" and at + length > size:
                raise BadOrder(
                    "{file} is not a readable {what}: it ends after {at} of the {length} "
                    "bytes of its pictures and sound.",
                    hint="Make or fetch it again.",
                    file=path.name,
                    what=_WHAT[what],
                    at=f"{size - at:,}",
                    length=f"{length:,}",
                )
            at += max(length, 8) if length else size


def is_pcm(stream: Any) -> bool:
    """Whether a stream is sound that is not compressed. Its `frames` are samples, and a packet
    holds many of them."""
    return str(getattr(stream.codec_context, "name", "")).startswith("pcm")


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """The first picture track. Raises BadOrder where there is none, it has no known codec, or its
    pictures are absurdly large."""
    for stream in container.streams.video:
        context = stream.codec_context
        if context is not None and context.width and context.height and context.pix_fmt:
            if context.width * context.height > MAX_PIXELS:
                raise BadOrder(
                    "{name} is too large: {width}x{height} pixels, and {most} million are read at "
                    "most.",
                    name=name,
                    width=context.width,
                    height=context.height,
                    most=f"{MAX_PIXELS / 1e6:.0f}",
                )
            if not context.is_open:  # a clip may change its size midway
                context.options = {"max_pixels": str(MAX_PIXELS)}
            return stream
    raise BadOrder("{name} is not a readable video: it has no picture track.", name=name)


def sound_stream(container: InputContainer, name: str) -> AudioStream | None:
    """The first sound track of a known codec, or None. Raises BadOrder for an absurd rate."""
    for stream in container.streams.audio:
        if stream.codec_context is not None:
            rate = stream.codec_context.sample_rate
            if not RATES[0] <= rate <= RATES[1]:
                raise BadOrder(
                    "{name} has no readable sound: it claims {rate} samples a second.",
                    hint="{low} to {high} are read.",
                    name=name,
                    rate=f"{rate:,}",
                    low=f"{RATES[0]:,}",
                    high=f"{RATES[1]:,}",
                )
            return stream
    return None


def probe(path: Path) -> ClipInfo:
    """What a clip holds. Raises BadOrder if the file is no readable video."""
    path = Path(path)
    # FFmpeg decodes a picture to learn its form. Here one is decoded anyway.
    with open_media(path, pictures=False) as container:
        if (told := _told_by_header(container, path)) is not None:
            return told
    with open_media(path) as container:
        stream = video_stream(container, path.name)
        told = _told(container, stream, path)
        turn = _first_turn(container, stream)  # last: decoding changes what the header said
    if turn is None:
        return replace(told, decodes=False)
    width, height = turn.size(told.width, told.height)
    return replace(told, width=width, height=height, turn=turn)


def _told_by_header(container: InputContainer, path: Path) -> ClipInfo | None:
    """As `probe`, of an MP4 or MOV whose header and first picture agree; None of any other."""
    stream = next((s for s in container.streams.video if s.codec_context is not None), None)
    if stream is None or "mp4" not in container.format.name:
        return None
    context = stream.codec_context
    size = (context.width, context.height)
    if not 0 < size[0] * size[1] <= MAX_PIXELS:
        return None
    context.options = {"max_pixels": str(MAX_PIXELS)}
    told = _told(container, stream, path)
    frame = _first_picture(container, stream)
    if frame is None or size != (context.width, context.height):
        return None
    turn = turn_of(frame)
    aspect = stream.sample_aspect_ratio or context.sample_aspect_ratio
    width, height = turn.size(*_square(size, aspect))
    return replace(
        told,
        width=width,
        height=height,
        turn=turn,
        pixel_format=frame.format.name,  # older PyAVs keep the context's from before
        matrix=int(context.colorspace),
        primaries=int(context.color_primaries),
        transfer=int(context.color_trc),
        colour_range=int(context.color_range),
    )


def _told(container: InputContainer, stream: VideoStream, path: Path) -> ClipInfo:
    """What the header says, and the packets where it is not believed."""
    context = stream.codec_context
    sound = next((s for s in container.streams.audio if s.codec_context is not None), None)
    stored = (context.width, context.height)
    width, height = _square(stored, stream.sample_aspect_ratio)
    size = path.stat().st_size
    times = _times(container, stream, sound, size)
    return ClipInfo(
        width=width,
        height=height,
        fps=times.fps,
        frames=times.frames,
        duration=times.end - times.start,
        has_audio=sound is not None,
        video_codec=context.name,
        audio_codec=sound.codec_context.name if sound else None,
        format=container.format.name,
        mime=_video_mime(container, context.name),
        size=size,
        pixel_format=context.pix_fmt or "",
        matrix=int(context.colorspace),
        primaries=int(context.color_primaries),
        transfer=int(context.color_trc),
        colour_range=int(context.color_range),
        stored=stored,
        turn=UPRIGHT,
        start=times.start,
        rate=_rate(stream, times.fps),
        track=stream.index,
    )


def _first_turn(container: InputContainer, stream: VideoStream) -> Turn | None:
    """How the first picture that can be decoded is turned; None where none can."""
    frame = _first_picture(container, stream)
    return None if frame is None else turn_of(frame)


def _first_picture(container: InputContainer, stream: VideoStream) -> av.VideoFrame | None:
    """The first picture that can be decoded; None where none can."""
    context = stream.codec_context
    stream.thread_type = "NONE"  # with frame threads, the first picture comes late
    for number, packet in enumerate(islice(container.demux(stream), _FIRST_PACKETS)):
        with suppress(av.InvalidDataError):
            for frame in packet.decode():
                return frame
            if number == 0:  # a key frame: it need not wait for those that are shown before others
                for frame in context.decode(None):
                    return frame
                context.flush_buffers()
    return None


def _square(stored: tuple[int, int], aspect: Fraction | None) -> tuple[int, int]:
    """The size with square pixels, of one whose pixels have the `aspect` width / height. The lines
    stay."""
    width, height = stored
    if not aspect or not 1 / _WIDEST_PIXEL <= aspect <= _WIDEST_PIXEL:
        return stored
    wide = max(round(width * aspect), 1)
    return (wide, height) if wide * height <= MAX_PIXELS else stored


def _rate(stream: VideoStream, fps: Fraction) -> Fraction:
    """The frames a second at which no picture is lost: more than the average where the times are
    uneven, as where a picture is held."""
    base = Fraction(stream.guessed_rate or stream.base_rate or 0)
    return max(base, fps) if base <= _MOST_UNEVEN else fps


@dataclass(frozen=True)
class _Times:
    """The pictures of a clip: how many, how many a second, and from when to when, in seconds."""

    frames: int
    fps: Fraction
    start: float
    end: float


def _times(container: InputContainer, stream: VideoStream, sound: Any, size: int) -> _Times:
    """By the header where it agrees with itself, else by the packets, up to the end of the file."""
    fps = Fraction(stream.average_rate or stream.guessed_rate or 0)
    start, end = _span(stream)
    # A header can claim any number, but each frame has a byte at least.
    told = 0 < stream.frames <= size and fps > 0 and end > start
    if told and abs(float(stream.frames / fps) - (end - start)) <= TAIL:
        first, last = _span(sound) if sound else (start, end)
        # A sound of another length is looked at: it decides when the clip ends.
        if first > start - TAIL and last < end + TAIL:
            return _Times(stream.frames, fps, start, end)
    return _measured_times(container, stream, sound, fps)


def _measured_times(
    container: InputContainer, stream: VideoStream, sound: Any, fps: Fraction
) -> _Times:
    """By the packets."""
    spans: dict[int, tuple[float, float]] = {}
    frames = 0
    tracks = [stream, sound] if sound else [stream]
    for packet in container.demux(tracks):
        if not packet.size:
            continue
        frames += packet.stream_index == stream.index
        if packet.pts is not None and packet.time_base:
            begin = float(packet.pts * packet.time_base)
            length = float((packet.duration or 0) * packet.time_base)
            if not length and packet.stream_index == stream.index and fps > 0:
                length = float(1 / fps)
            until = begin + length
            first, last = spans.get(packet.stream_index, (begin, until))
            spans[packet.stream_index] = min(first, begin), max(last, until)
    container.seek(0)
    start, end = spans.get(stream.index, (0.0, 0.0))
    if fps <= 0:
        fps = Fraction(frames / (end - start)).limit_denominator(1001) if end > start else _USUAL
    whole = float(frames / fps)
    if not end > start or abs(start + whole - end) < _ROUNDING:
        end = start + whole
    if sound and sound.index in spans:
        first, last = spans[sound.index]
        start = first if first < start - TAIL else start
        end = last if last > end + TAIL else end
    return _Times(frames, fps, start, end)


def _span(stream: Any) -> tuple[float, float]:
    """From when to when a track is, by the header, in seconds; from 0 to 0 where it is not told."""
    if not stream.duration or not stream.time_base:
        return 0.0, 0.0
    start = float((stream.start_time or 0) * stream.time_base)
    return start, start + float(stream.duration * stream.time_base)


def probe_sound(path: Path) -> SoundInfo:
    """Read the header of a sound file. Raises BadOrder if it holds no readable sound."""
    path = Path(path)
    with open_media(path, "sound") as container:
        stream = sound_stream(container, path.name)
        if stream is None:
            raise BadOrder("{file} is not a readable sound: it has no sound track.", file=path.name)
        context = stream.codec_context
        told = _seconds(container, stream) or 0.0
        found = _packet_seconds(container, stream)
        return SoundInfo(
            duration=found if found and abs(found - told) > TAIL else told,
            codec=context.name,
            rate=context.sample_rate,
            channels=context.layout.nb_channels,
            format=container.format.name,
            mime=_sound_mime(container.format.name),
            size=path.stat().st_size,
        )


def _packet_seconds(container: InputContainer, stream: AudioStream) -> float:
    """How long a sound is by its packets: a browser does not tell, and MP3 guesses."""
    ends = [
        (float(packet.pts * packet.time_base), float((packet.duration or 0) * packet.time_base))
        for packet in container.demux(stream)
        if packet.size and packet.pts is not None and packet.time_base
    ]
    if not ends:
        return 0.0
    return max(begin + length for begin, length in ends) - min(begin for begin, _ in ends)


def _seconds(container: InputContainer, stream: Any) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _video_mime(container: InputContainer, codec: str) -> str:
    names = container.format.name.split(",")
    if "mp4" in names:
        brand = container.metadata.get("major_brand", "").strip()
        return "video/quicktime" if brand == "qt" else "video/mp4"
    if "webm" in names:
        return "video/webm" if codec in ("vp8", "vp9", "av1", "libdav1d") else "video/x-matroska"
    return {"avi": "video/x-msvideo", "mpegts": "video/mp2t"}.get(names[0], f"video/{names[0]}")


def _sound_mime(format_name: str) -> str:
    names = format_name.split(",")
    if "mp4" in names:
        return "audio/mp4"
    return {"mp3": "audio/mpeg", "matroska": "audio/webm"}.get(names[0], f"audio/{names[0]}")
