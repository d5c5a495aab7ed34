"""What a media file holds, read from its header, and how a file that may be hostile is opened.

Nothing is decoded here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

from ..errors import BadOrder

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


@dataclass(frozen=True)
class ClipInfo:
    """What a video file says about itself.

    `fps` is the average rate, `frames` their number, `duration` that of the pictures in seconds.
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


# A file whose tags are not UTF-8 is not refused. PyAV 19 accepts such tags itself, and has dropped
# the argument.
_TOLERANT: dict[str, Any] = (
    {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
)


@contextmanager
def open_media(path: Path, what: str = "video") -> Iterator[InputContainer]:
    """Open a local media file for reading.

    FFmpeg's errors, while opening and inside the `with` block, become BadOrder.
    """
    path = Path(path)
    if not path.is_file():  # also keeps "https://..." and pipes away from FFmpeg
        raise BadOrder(f"There is no file {path}.", hint="Check the path.")
    try:
        _check_claims(path, what)
        options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
        with av.open(str(path.resolve()), options=options, **_TOLERANT) as container:
            try:
                yield container
            finally:
                _finish_decoding(container)
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadOrder(
            f"{path.name} is not a readable {what}: {reason}.",
            hint="Play it in a video player; if that fails too, make or fetch it again.",
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
                        f"{path.name} is not a readable {what}: it claims more than it can hold."
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
                    f"{path.name} is not a readable {what}: it ends after {size - at:,} of the "
                    f"{length:,} bytes of its pictures and sound.",
                    hint="Make or fetch it again.",
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
                    f"{name} is too large: {context.width}x{context.height} pixels, and "
                    f"{MAX_PIXELS / 1e6:.0f} million are read at most."
                )
            if not context.is_open:  # a clip may change its size midway
                context.options = {"max_pixels": str(MAX_PIXELS)}
            return stream
    raise BadOrder(f"{name} is not a readable video: it has no picture track.")


def sound_stream(container: InputContainer, name: str) -> AudioStream | None:
    """The first sound track of a known codec, or None. Raises BadOrder for an absurd rate."""
    for stream in container.streams.audio:
        if stream.codec_context is not None:
            rate = stream.codec_context.sample_rate
            if not RATES[0] <= rate <= RATES[1]:
                raise BadOrder(
                    f"{name} has no readable sound: it claims {rate:,} samples a second.",
                    hint=f"{RATES[0]:,} to {RATES[1]:,} are read.",
                )
            return stream
    return None


def probe(path: Path) -> ClipInfo:
    """Read a clip's header. Raises BadOrder if the file is no readable video."""
    path = Path(path)
    with open_media(path) as container:
        stream = video_stream(container, path.name)
        sounds = [sound for sound in container.streams.audio if sound.codec_context is not None]
        context = stream.codec_context
        fps = Fraction(stream.average_rate or stream.guessed_rate or 0)
        size = path.stat().st_size
        # A header can claim any number, but each frame has a byte at least.
        honest = 0 < stream.frames <= size
        frames = stream.frames if honest else _count_packets(container, stream)
        if fps <= 0:
            seconds = _seconds(container, stream)
            fps = Fraction(frames / seconds).limit_denominator(1001) if seconds else Fraction(24)
        return ClipInfo(
            width=context.width,
            height=context.height,
            fps=fps,
            frames=frames,
            duration=_seconds(container, stream) or float(frames / fps),
            has_audio=bool(sounds),
            video_codec=context.name,
            audio_codec=sounds[0].codec_context.name if sounds else None,
            format=container.format.name,
            mime=_video_mime(container, context.name),
            size=size,
            pixel_format=context.pix_fmt or "",
            matrix=int(context.colorspace),
            primaries=int(context.color_primaries),
            transfer=int(context.color_trc),
            colour_range=int(context.color_range),
        )


def probe_sound(path: Path) -> SoundInfo:
    """Read the header of a sound file. Raises BadOrder if it holds no readable sound."""
    path = Path(path)
    with open_media(path, "sound") as container:
        stream = sound_stream(container, path.name)
        if stream is None:
            raise BadOrder(f"{path.name} is not a readable sound: it has no sound track.")
        context = stream.codec_context
        return SoundInfo(
            duration=_seconds(container, stream) or 0.0,
            codec=context.name,
            rate=context.sample_rate,
            channels=context.layout.nb_channels,
            format=container.format.name,
            mime=_sound_mime(container.format.name),
            size=path.stat().st_size,
        )


def _count_packets(container: InputContainer, stream: VideoStream) -> int:
    """The number of frames where the header does not give it (Matroska), without decoding."""
    count = sum(1 for packet in container.demux(stream) if packet.size)
    container.seek(0)
    return count


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
