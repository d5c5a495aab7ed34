"""Whether a video file has all of its parts, where nobody said how long it is."""

from __future__ import annotations

from pathlib import Path

from ..errors import BadOrder
from ..said import Said, say
from .info import check_whole, is_pcm, open_media

# A container may promise a picture or two more than it holds; a file that was cut off lacks more.
SPARE_PACKETS = 2
SPARE_PART = 0.02
SPARE_SECONDS = 0.15


def check_complete(path: Path) -> None:
    """Raise BadOrder for a video that was cut off, also behind an index at its beginning.

    The packets of each stream are counted to the end, without decoding them, and compared with
    what the container says of it.
    """
    check_whole(path)
    with open_media(path, pictures=False) as container:
        promised = {
            stream.index: stream.frames
            for stream in container.streams
            if stream.frames and not is_pcm(stream)
        }
        found = dict.fromkeys(promised, 0)
        ends = dict.fromkeys((stream.index for stream in container.streams), 0.0)
        for packet in container.demux():
            index = packet.stream_index
            if not packet.size:
                continue
            if index in found:
                found[index] += 1
            if packet.pts is not None and packet.time_base:
                end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                ends[index] = max(ends[index], end)
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
    reached = max(ends.values(), default=0.0) - start
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
