"""A clip's frames as arrays, in RGB: all of them, one after the other, or the last."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from ..errors import BadOrder
from ..said import Said, say
from .colours import is_plain, to_srgb, to_srgb_floats
from .deep_colour import exact_bits, planes_format, write_levels, write_rgb
from .huge_pages import Pages, empty
from .info import ClipInfo, open_media, probe, video_stream
from .memory import OF_A_VIDEO, Promise, ensure_memory, frames_bytes, left
from .parts import Chosen, choose

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# swscale's flags, which PyAV passes on as they are (its own names for them came with PyAV 17).
BICUBIC = 0x4
FULL_CHROMA_OUT = 0x2000
FULL_CHROMA_IN = 0x4000
ACCURATE = 0x40000
_TO_RGB = BICUBIC | FULL_CHROMA_OUT | ACCURATE

BT709, BT601 = 1, 5  # colour matrices
LIMITED, FULL = 1, 2  # colour ranges
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # tag -> swscale's table

_WHITE = np.float32(255)

HD_LINES = 720  # an untagged clip of so many lines is read as BT.709, as browsers do

MOST_PIXELS = 10**12  # decoded from one clip: two hours of 4K

# Threads that convert while libav's own threads decode: one a core, and four at most, which keep up
# with the decoder. One decoded frame more than there are threads may wait for them.
_CONVERTERS = min(max(os.cpu_count() or 2, 2), 4)
# swscale's own threads, which PyAV uses from 17 on, would only compete with those.
_ALONE: dict[str, Any] = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}
_STRIP = 32  # rows turned into floats at once: they stay in the processor's cache


class Converter(threading.local):
    """Turns the decoded frames of a clip into RGB, as a person sees them: one swscale context for
    each thread that calls it."""

    def __init__(self, info: ClipInfo) -> None:
        self.reformatter = VideoReformatter()
        self.turn = info.turn
        self.colours = (info.transfer, info.primaries)
        self.plain = is_plain(*self.colours)

    def __call__(self, frame: av.VideoFrame, target: np.ndarray) -> None:
        """Write `frame` into `target` (height, width, 3): float32 in 0..1, or uint8.

        It is scaled to the target's size (a clip may change its own midway).

        8 bits a plane is the most exact output of swscale: within half a level, while its 16-bit
        and float ones come out half a level too dark. Planes cost half of what packed pixels cost.
        HDR needs the 16 bits. Floats keep what a clip has beyond 8 bits of RGB.
        """
        if target.dtype == np.float32 and (bits := exact_bits(frame, self.plain)):
            self._exact(frame, target, bits)
            return
        for top, strip in self._strips(frame, *target.shape[1::-1]):
            part = target[top : top + len(strip)]
            if part.dtype == np.float32:
                np.divide(strip, _WHITE, out=part)
            else:
                part[...] = strip

    def _exact(self, frame: av.VideoFrame, target: np.ndarray, bits: int) -> None:
        matrix, colour_range = matrix_of(frame), range_of(frame)
        width, height = self.turn.size(target.shape[1], target.shape[0])
        planar = self.reformatter.reformat(
            frame,
            width=width,
            height=height,
            format=planes_format(frame, bits),
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=colour_range,
            dst_color_range=colour_range,
            interpolation=_TO_RGB,
            **_ALONE,
        )
        dtype = np.dtype(np.uint8 if bits == 8 else "<u2")
        planes = [self._shown(plane, dtype, width, height) for plane in planar.planes]
        for top in range(0, target.shape[0], _STRIP):
            rows = slice(top, top + _STRIP)
            strip, levels = target[rows], [plane[rows] for plane in planes]
            if frame.format.is_rgb:
                write_levels(levels, strip, bits=bits)
            else:
                full = colour_range == FULL
                write_rgb(levels, strip, matrix=matrix, full=full, bits=bits)
            if not self.plain:
                strip[...] = to_srgb_floats(strip, *self.colours)

    def _shown(self, plane: Any, dtype: np.dtype[Any], width: int, height: int) -> np.ndarray:
        """A plane of this stored size as an array, turned as it is shown."""
        stored = np.frombuffer(memoryview(plane), dtype)
        return self.turn(stored.reshape(height, plane.line_size // dtype.itemsize)[:, :width])

    def _strips(
        self, frame: av.VideoFrame, width: int, height: int
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Rows of `frame` at that size, uint8 (rows, width, 3), from top to bottom, each with the
        number of its first. An array is overwritten by the next."""
        matrix = matrix_of(frame)
        stored_width, stored_height = self.turn.size(width, height)
        planar = self.reformatter.reformat(
            frame,
            width=stored_width,
            height=stored_height,
            format="gbrp" if self.plain else "gbrp16le",
            src_colorspace=matrix,
            # Means nothing for RGB, but PyAV 14 ignores the source's where the two are the same.
            dst_colorspace=BT601 if matrix == BT709 else BT709,
            src_color_range=range_of(frame),
            dst_color_range=FULL,
            interpolation=_TO_RGB,
            **_ALONE,
        )
        dtype = np.dtype(np.uint8 if self.plain else "<u2")
        planes = [self._shown(plane, dtype, stored_width, stored_height) for plane in planar.planes]
        pixels = np.empty((_STRIP, width, 3), dtype)
        for top in range(0, height, _STRIP):
            strip = pixels[: height - top]
            for plane, channel in zip(planes, (1, 2, 0)):  # green, blue, red
                strip[:, :, channel] = plane[top : top + _STRIP]
            yield top, strip if self.plain else to_srgb(strip, *self.colours)


def matrix_of(frame: av.VideoFrame) -> int:
    """The colour matrix to read `frame` with: its tag, else by its number of lines."""
    return _MATRICES.get(int(frame.colorspace), BT709 if frame.height >= HD_LINES else BT601)


def range_of(frame: av.VideoFrame) -> int:
    """The colour range to read `frame` with: limited, unless it says otherwise."""
    name = frame.format.name
    full = int(frame.color_range) == FULL or name.startswith("yuvj") or frame.format.is_rgb
    return FULL if full else LIMITED


def decode_frames(
    path: Path,
    *,
    start: int = 0,
    count: int | None = None,
    step: int = 1,
    out: np.ndarray | None = None,
    memory: Promise | None = None,
) -> np.ndarray:
    """The frames of a clip as float32 (frames, height, width, 3), RGB in 0..1, C-contiguous.

    `start`, `count` and `step` choose a part: every `step`-th frame from `start` on, `count` of
    them at most. `out` is an array to fill instead of a new one.
    `memory` is a promise by `ensure_memory` that covers these frames already.
    The array is allocated once, at the size that the header promises, and each frame is written
    straight into it; if the clip holds fewer or more frames than promised, the result has as many
    as there are. Raises BadOrder if the file cannot be read, if the memory does not suffice, or for
    a part that makes no sense.
    """
    path = Path(path)
    for name, value, least in (("start", start, 0), ("count", count, 0), ("step", step, 1)):
        check_least(name, value, least)
    info = probe(path)
    expected = part_of(info.frames, start, count, step)
    if out is not None:
        _check_out(out, info)
        most = len(out) if count is None else min(len(out), count)
        return out[: _fill(path, info, (out, Pages()), (start, most, step), Promise(0))[1]]
    what = say("{count} frames of {size}", count=expected, size=f"{info.width}x{info.height}")
    need = frames_bytes(info, expected)
    own = nullcontext(memory) if memory else ensure_memory(need, what, _fewer(info, start, count))
    with own as promise:
        space = empty((expected, info.height, info.width, 3))
        frames, found = _fill(path, info, space, (start, count, step), promise)
        if expected and not found:
            raise BadOrder(
                "{file} is not a readable video: no picture can be decoded.", file=path.name
            )
    return frames[:found]


def check_least(name: str, value: int | None, least: int) -> None:
    """Raise BadOrder, naming the argument, for a number below `least`; None is none."""
    if value is not None and value < least:
        raise BadOrder(
            "{name} cannot be {value}.",
            hint="Use {least} or more.",
            name=name,
            value=value,
            least=least,
        )


def _fewer(info: ClipInfo, start: int, count: int | None) -> Said:
    """What a script can do where the frames of a clip do not fit into memory."""
    step = least_step([info], start) if count is None else None
    if step is None:
        return OF_A_VIDEO
    return say(
        "What was made is safe on disk. Decode fewer frames: step={step} fits now, and start and "
        "count give a part.",
        step=step,
    )


def part_of(frames: int, start: int, count: int | None, step: int) -> int:
    """How many of so many frames are every `step`-th from `start` on, `count` at most."""
    found = len(range(start, frames, step))
    return found if count is None else min(found, count)


def least_step(infos: Sequence[ClipInfo], start: int = 0) -> int | None:
    """The smallest step with which the frames of all these clips from `start` on fit into memory
    now; None where not even one of each does."""
    room = left()

    def need(step: int) -> int:
        return sum(frames_bytes(each, part_of(each.frames, start, None, step)) for each in infos)

    if room is None:
        return 1
    fits = (step for step in range(1, max(each.frames for each in infos) + 1) if need(step) <= room)
    return next(fits, None)


def _check_out(out: np.ndarray, info: ClipInfo) -> None:
    if out.dtype != np.float32 or out.shape[1:] != (info.height, info.width, 3):
        raise ValueError(f"out must be float32 (n, {info.height}, {info.width}, 3)")
    if not out.flags.c_contiguous:
        raise ValueError("out must be C-contiguous")


def _fill(
    path: Path,
    info: ClipInfo,
    space: tuple[np.ndarray, Pages],
    part: tuple[int, int | None, int],
    promise: Promise,
) -> tuple[np.ndarray, int]:
    """Decode into an array from its beginning; returns it and how many frames were written.

    It is a larger copy if the clip holds more than its header promised.
    """
    frames, pages = space
    convert = Converter(info)

    def place(frame: av.VideoFrame, target: np.ndarray) -> None:
        pages.touch(target)
        convert(frame, target)

    waiting: deque[Future[None]] = deque()
    found = 0
    with ThreadPoolExecutor(_CONVERTERS, thread_name_prefix="seedance-frames") as pool:
        for frame in _part(path, info, *part):
            if found == len(frames):
                while waiting:
                    waiting.popleft().result()
                more = found // 8 + 1
                what = say("{count} frames", count=found + more)
                with ensure_memory(frames_bytes(info, found + more), what):
                    shorter = frames
                    frames, pages = empty((found + more, *shorter.shape[1:]))
                    frames[:found] = shorter
            if len(waiting) > _CONVERTERS:
                waiting.popleft().result()
            waiting.append(pool.submit(place, frame, frames[found]))
            promise.filled(frames[found].nbytes)
            found += 1
        while waiting:
            waiting.popleft().result()
    return frames, found


def _part(
    path: Path, info: ClipInfo, start: int, count: int | None, step: int
) -> Iterator[av.VideoFrame]:
    """Every `step`-th frame from `start` on, `count` at most."""
    given = 0
    chosen = choose(path, info, start, count, step) if start or step > 1 else None
    if chosen is not None:
        with open_media(path) as container:
            for frame in _decoded(container, path.name, need=partial(_is_needed, chosen)):
                if frame.pts == chosen.wanted[given]:
                    yield frame
                    given += 1
                if given == len(chosen.wanted):
                    return
        if not chosen.wanted:
            return
    # A damaged file may not have what its packets promise: then all is decoded.
    stop = None if count is None else start + count * step
    with open_media(path) as container:
        yield from islice(_decoded(container, path.name), start + given * step, stop, step)


def _is_needed(chosen: Chosen, packet: Any) -> bool | None:
    return chosen.needs.get(packet.pts)


def iter_frames(path: Path, fps: int | None = None) -> Iterator[np.ndarray]:
    """The frames of a clip one after the other, uint8 (height, width, 3), RGB. Memory is that of a
    few frames.

    With `fps`, they are those that are seen at so many moments a second, until the clip ends; a
    picture that is seen several times is the same array. Raises BadOrder if the file cannot be
    read.
    """
    path = Path(path)
    info = probe(path)
    convert = Converter(info)
    given = 0
    pixels: np.ndarray | None = None
    with open_media(path) as container:
        for frame in _decoded(container, path.name):
            if pixels is not None:
                until = given + 1
                if fps is not None:
                    until = round(((frame.time or 0.0) - info.start) * fps)
                for _ in range(given, until):
                    yield pixels
                given = max(given, until)
            pixels = np.empty((info.height, info.width, 3), np.uint8)
            convert(frame, pixels)
        if pixels is not None:
            end = given + 1 if fps is None else max(round(info.duration * fps), 1)
            for _ in range(given, end):
                yield pixels


def last_frame(path: Path) -> np.ndarray:
    """The last picture of a clip, uint8 (height, width, 3), RGB.

    Only the pictures that it refers to are decoded, where the file allows that. Raises BadOrder if
    the file cannot be read.
    """
    path = Path(path)
    info = probe(path)
    # A cut or damaged file may have no picture where its end should be: then more is decoded.
    for near_end, sparing in ((True, True), (True, False), (False, False)):
        last = _last_from(path, info, near_end=near_end, sparing=sparing)
        if last is not None:
            return last
    raise BadOrder("{file} is not a readable video: no picture can be decoded.", file=path.name)


def _last_from(path: Path, info: ClipInfo, *, near_end: bool, sparing: bool) -> np.ndarray | None:
    """The last picture found when decoding from the last key frame, or from the beginning.

    `sparing` skips the pictures that no other refers to. Then the result is None unless the very
    last picture could be decoded.
    """
    last = end = need = None
    with open_media(path) as container:
        stream = video_stream(container, path.name)
        pixels = np.empty((info.height, info.width, 3), np.uint8)
        if near_end:
            _seek_end(container, stream)
        if sparing:
            end = max((p.pts for p in container.demux(stream) if p.pts is not None), default=None)
            need = partial(_is_at, end)
            _seek_end(container, stream)
        for frame in _decoded(container, path.name, need=need):
            last = frame
        if last is None or (sparing and last.pts != end):
            return None
    Converter(info)(last, pixels)
    return pixels


def _seek_end(container: InputContainer, stream: VideoStream) -> None:
    end = (stream.start_time or 0) + (stream.duration or 0)
    container.seek(max(end - 1, 0), stream=stream, backward=True)


def _is_at(time: int | None, packet: Any) -> bool:
    return bool(packet.pts == time)


def _decoded(
    container: InputContainer,
    name: str,
    *,
    need: Callable[[Any], bool | None] | None = None,
) -> Iterator[av.VideoFrame]:
    """Decode the picture track from the container's present place, without what is damaged. `need`
    says of a packet whether its picture is needed; if not, it is skipped where no other refers to
    it. None skips it in any case."""
    stream: VideoStream = video_stream(container, name)
    stream.thread_type = "AUTO"
    pixels = 0
    for packet in container.demux(stream):
        if need is not None and packet.size:  # the last packet, which is empty, gives what is left
            needed = need(packet)
            if needed is None:
                continue
            stream.codec_context.skip_frame = "DEFAULT" if needed else "NONREF"
        try:
            decoded = packet.decode()
        except av.InvalidDataError:
            continue
        for frame in decoded:
            pixels += frame.width * frame.height
            if pixels > MOST_PIXELS:
                raise BadOrder(
                    "{name} is too long: it holds more pictures than can be decoded.", name=name
                )
            yield frame
