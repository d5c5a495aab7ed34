"""Small real clips, pictures and sounds, made when a test needs them."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

BT709, BT601 = 1, 6  # matrices, as files are tagged
LIMITED, FULL = 1, 2


def pattern(width: int, height: int, number: int = 0) -> np.ndarray:
    """A smooth picture, uint8 (height, width, 3), that differs from frame to frame."""
    x = np.linspace(0, 3, width, dtype=np.float32)[None, :, None]
    y = np.linspace(0, 2, height, dtype=np.float32)[:, None, None]
    phase = np.array([0.0, 2.1, 4.2], np.float32)
    return (127.5 + 100 * np.sin(x + y + phase + number / 5)).astype(np.uint8)


def write(
    path: Path,
    *,
    width: int = 160,
    height: int = 96,
    frames: int = 12,
    fps: int = 24,
    codec: str = "libx264",
    matrix: int | None = None,
    colour_range: int | None = None,
    audio: bool = False,
    rate: int = 48000,
    planes: tuple[int, int, int] | None = None,
    quality: int = 12,
    container: str = "mp4",
    keyframe_every: int = 12,
    x264: str = "",
) -> Path:
    """A clip of `frames` pictures. Its tags say `matrix` and `colour_range`, or nothing. `x264` are
    options of that encoder, as `a=1:b=2`.

    Its pictures are `pattern`s, or, with `planes`, one flat colour given as Y, U and V levels, in
    the codec's own depth (10 bits for `libx265`). `audio` adds a 440 Hz tone, AAC stereo.
    """
    deep = codec == "libx265"
    with av.open(str(path), "w", format=container) as out:
        video: Any = out.add_stream(codec, rate=fps)
        video.width, video.height = width, height
        video.pix_fmt = "yuv420p10le" if deep else "yuv420p"
        video.options = {"crf": str(quality), "preset": "ultrafast", "g": str(keyframe_every)}
        if deep:
            # No B-frames: in very short clips x265 leaves their decoding times unset.
            params = f"log-level=none:bframes=0:keyint={keyframe_every}"
            video.options |= {"x265-params": params}
        elif x264:
            video.options |= {"x264-params": x264}
        if matrix:
            context = video.codec_context
            context.colorspace = context.color_primaries = context.color_trc = matrix
        if colour_range:
            video.codec_context.color_range = colour_range
        sound: Any = out.add_stream("aac", rate=rate) if audio else None
        for number in range(frames):
            frame = (
                flat(width, height, planes, video.pix_fmt)
                if planes
                else av.VideoFrame.from_ndarray(pattern(width, height, number), format="rgb24")
            )
            frame.pts, frame.time_base = number, Fraction(1, fps)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound is not None:
            for frame in tone(frames / fps, rate):
                out.mux(sound.encode(frame))
            out.mux(sound.encode(None))
    return path


def turned(path: Path, matrix: tuple[int, int, int, int], **options: Any) -> Path:
    """A clip whose track header holds a display matrix."""
    data = bytearray(write(path, **options).read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: flags, times, id, length, layer, volume
    a, b, c, d = (value << 16 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def packed(
    path: Path, target: Path, metadata: dict[str, str] | None = None, **options: str
) -> Path:
    """The clip at `path` in another container of the same kind, packet for packet."""
    with (
        av.open(str(path)) as source,
        av.open(str(target), "w", format="mp4", options=options) as out,
    ):
        out.metadata.update(metadata or {})
        copies = {
            each.index: out.add_stream_from_template(each, opaque=True) for each in source.streams
        }
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
    return target


def with_manifest(path: Path) -> Path:
    """The clip with a C2PA manifest: the box, not what would be in it."""
    body = bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + bytes(4) + b"manifest\0" + bytes(99)
    box = struct.pack(">I", len(body) + 8) + b"uuid" + body
    path.write_bytes(path.read_bytes() + box)
    return path


def film(
    path: Path,
    times: list[float],
    *,
    end: float | None = None,
    sound: tuple[float, float] | None = None,
    container: str = "mp4",
) -> Path:
    """A clip with a picture at each of `times`, as grey as its number (modulo 12) times 20.

    The last is shown until `end`, else as long as the one before. `sound` is from when to when a
    tone is heard."""
    base = Fraction(1, 12800)
    with av.open(str(path), "w", format=container) as out:
        video: Any = out.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        video.options = {"bf": "0"}
        video.codec_context.time_base = base
        voice: Any = out.add_stream("aac", rate=48000) if sound else None
        packets = []
        for number, time in enumerate(times):
            grey = np.full((96, 160, 3), number % 12 * 20, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = round(time / base), base
            packets += video.encode(frame)
        packets += video.encode(None)
        if end is None and len(times) > 1:
            end = 2 * times[-1] - times[-2]
        if end is not None:
            packets[-1].duration = round((end - times[-1]) / packets[-1].time_base)
        if voice is not None and sound is not None:
            for frame in tone(sound[1] - sound[0], 48000):
                frame.pts += int(sound[0] * 48000)
                packets += voice.encode(frame)
            packets += voice.encode(None)
        for packet in packets:
            out.mux(packet)
    return path


def write_ramp(path: Path, **options: str) -> Path:
    """A lossless clip of one frame, 160 x 96, whose V rises by a level for every two pixels, from
    96 on; Y is 120, U 128. Tagged BT.709."""
    frame = flat(160, 96, (120, 128, 0), "yuv420p")
    plane = frame.planes[2]
    rows = np.tile(np.arange(96, 96 + plane.line_size, dtype=np.uint8), (plane.height, 1))
    plane.update(rows.tobytes())
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = frame.width, frame.height, "yuv420p"
        video.options = {"qp": "0", **options}
        video.codec_context.colorspace = BT709
        frame.pts, frame.time_base = 0, Fraction(1, 24)
        out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def flat(width: int, height: int, planes: tuple[int, int, int], pix_fmt: str) -> av.VideoFrame:
    """A frame of one colour, given as the levels of its planes."""
    frame = av.VideoFrame(width, height, pix_fmt)
    dtype = np.dtype("<u2" if "10" in pix_fmt else "u1")
    for plane, level in zip(frame.planes, planes):
        count = plane.buffer_size // dtype.itemsize
        plane.update(np.full(count, level, dtype).tobytes())
    return frame


def samples(seconds: float, rate: int = 48000, hertz: float = 440.0) -> np.ndarray:
    """A stereo tone, float32 (2, n)."""
    time = np.arange(round(seconds * rate)) / rate
    return np.tile((0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32), (2, 1))


def tone(seconds: float, rate: int) -> list[av.AudioFrame]:
    """The tone as frames for an encoder."""
    made = []
    whole = samples(seconds, rate)
    for start in range(0, whole.shape[1], 1024):
        block = np.ascontiguousarray(whole[:, start : start + 1024])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        made.append(frame)
    return made


def clip_bytes(seconds: int = 1, **options: Any) -> bytes:
    """The bytes of a small MP4 with sound, as a provider would send it."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = write(
            Path(folder) / "clip.mp4", frames=24 * seconds + 1, **{"audio": True, **options}
        )
        return path.read_bytes()


def picture_bytes(width: int = 64, height: int = 48, format_name: str = "PNG") -> bytes:
    """A picture file."""
    file = io.BytesIO()
    Image.fromarray(pattern(width, height)).save(file, format_name)
    return file.getvalue()


def rgb_of(
    planes: tuple[int, int, int], *, matrix: int, full: bool = False, bits: int = 8
) -> np.ndarray:
    """What Y, U and V levels mean in RGB 0..1, by the formulas of BT.709 and BT.601."""
    red, blue = (0.2126, 0.0722) if matrix == BT709 else (0.299, 0.114)
    step = 2 ** (bits - 8)
    luma, cb, cr = planes
    if full:
        top = 2**bits - 1
        y, u, v = luma / top, (cb - 128 * step) / top, (cr - 128 * step) / top
    else:
        y = (luma - 16 * step) / (219 * step)
        u, v = (cb - 128 * step) / (224 * step), (cr - 128 * step) / (224 * step)
    r = y + 2 * (1 - red) * v
    b = y + 2 * (1 - blue) * u
    g = (y - red * r - blue * b) / (1 - red - blue)
    return np.clip([r, g, b], 0, 1)
