"""Whether a video file has all of its parts, where nobody said how long it is."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from ..errors import BadOrder
from ..said import Said, say
from .info import check_whole, is_pcm, open_media

# A container may promise a picture or two more than it holds; a file that was cut off lacks more.
SPARE_PACKETS = 2
SPARE_PART = 0.02
SPARE_SECONDS = 0.15

# The boxes that MP4 and MOV files are made of. What follows them may be anything.
BOXES = frozenset(
    b"ftyp styp moov moof mdat mfra sidx ssix meta meco emsg prft uuid free skip wide pnot".split()
)
# Of WebM and Matroska: how a file begins, and the two elements whose length may be unknown.
EBML, SEGMENT, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
# What a segment and a cluster are made of, by the names that RFC 9559 gives.
IN_SEGMENT = (0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367)
IN_CLUSTER = (0xE7, 0xA3, 0xA0, 0xA7, 0xAB, 0xAF, 0x5854, 0xEC, 0xBF)
ELEMENTS = frozenset({EBML, SEGMENT, CLUSTER, *IN_SEGMENT, *IN_CLUSTER})


def check_complete(path: Path) -> None:
    """Raise BadOrder for a video that was cut off, also behind an index at its beginning.

    The packets of each stream are counted to the end, without decoding them, and compared with
    what the container says of it.
    """
    check_whole(path)
    _check_parts(path)
    with open_media(path, pictures=False) as container:
        promised = {
            stream.index: stream.frames
            for stream in container.streams
            if stream.frames and not is_pcm(stream)
        }
        found = dict.fromkeys(promised, 0)
        ticks = {each.index: each.time_base for each in container.streams if each.time_base}
        ends = dict.fromkeys(ticks, 0)  # in ticks: whole numbers, which are fast
        for packet in container.demux():
            index = packet.stream_index
            if not packet.size:
                continue
            if index in found:
                found[index] += 1
            if packet.pts is not None and index in ends:
                ends[index] = max(ends[index], packet.pts + (packet.duration or 0))
        seconds = [float(end * ticks[index]) for index, end in ends.items()]
        length = (container.duration or 0) / 1e6
        start = max((container.start_time or 0) / 1e6, 0.0)
    for index, count in promised.items():
        if found[index] + max(SPARE_PACKETS, SPARE_PART * count) < count:
            what = say(
                "it holds {found} of {count} pictures or blocks of sound",
                found=found[index],
                count=count,
            )
            raise _cut_off(path, what)
    reached = max(seconds, default=0.0) - start
    if length and reached + max(SPARE_SECONDS, SPARE_PART * length) < length:
        what = say(
            "it ends after {reached} of {length} s",
            reached=f"{reached:.1f}",
            length=f"{length:.1f}",
        )
        raise _cut_off(path, what)


def _cut_off(path: Path, what: Said) -> BadOrder:
    return BadOrder(
        "{file} was cut off: {what}.", hint="Fetch it again.", file=path.name, what=what
    )


def _check_parts(path: Path) -> None:
    """Raise BadOrder where a box (MP4, MOV) or an element (WebM, Matroska) goes on after the end of
    the file. A file that holds something else is not judged."""
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(4)
        file.seek(0)
        if first == EBML.to_bytes(4, "big"):
            over = _element_over(file, size)
        else:
            over = _box_over(file, size)
    if over:
        what = say("its last part lacks {count} bytes", count=f"{over:,}")
        raise _cut_off(path, what)


def _box_over(file: BinaryIO, size: int) -> int:
    """How many bytes are missing of the last box."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        if name not in BOXES or length == 0:  # to the end of the file
            return 0
        if length == 1:
            length = int.from_bytes(file.read(8), "big")
        at += max(length, 8)
    return max(at - size, 0)


def _element_over(file: BinaryIO, size: int) -> int:
    """How many bytes are missing of the last element; a segment or a cluster of unknown length is
    as long as its elements are."""
    at = 0
    while at < size:
        file.seek(at)
        name, length, head = _element(file.read(12))
        if head <= 0 or name not in ELEMENTS:
            return max(-head, 0)
        at += head
        if name == SEGMENT and length is not None:
            return max(at + length - size, 0)  # what follows it may be anything
        if length is None:
            if name not in (SEGMENT, CLUSTER):
                return 0
        else:
            at += length
    return max(at - size, 0)


def _element(head: bytes) -> tuple[int, int | None, int]:
    """The name of an element, its length (None where it is unknown) and how long its head is: 0 for
    what is none, and less than 0 by the bytes that it lacks."""
    wide = 9 - head[0].bit_length()
    if wide > 4:
        return 0, None, 0
    if len(head) <= wide:
        return 0, None, len(head) - wide - 1
    name, more = int.from_bytes(head[:wide], "big"), 9 - head[wide].bit_length()
    if more > 8:
        return 0, None, 0
    if len(head) < wide + more:
        return 0, None, len(head) - wide - more
    length = int.from_bytes(head[wide : wide + more], "big") & ((1 << 7 * more) - 1)
    return name, None if length == (1 << 7 * more) - 1 else length, wide + more
