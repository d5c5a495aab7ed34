"""Which packets of a clip must be decoded for a part of its frames.

A frame depends on frames that come before it in the file, back to a key frame. What lies between
the last wanted frame and the next key frame is left out, and so are frames that no other needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from .info import ClipInfo, open_media

_FORMATS = ("mp4", "matroska")  # in which a packet has the time of its own frame

# Some encoders mark frames as keys although what follows depends on what was before. Those two
# write what a frame is into its data: (where their header has the size of a length, the shift and
# the mask of a kind, the kinds of pictures, and those of pictures that begin anew).
_KINDS = {
    "h264": (4, 0, 31, range(1, 6), range(5, 6)),
    "hevc": (21, 1, 63, range(32), range(16, 22)),
}


@dataclass(frozen=True)
class Chosen:
    """The times of the wanted frames, in order, in the units of the track; and for each packet that
    is decoded, by its time, whether its own frame is wanted."""

    wanted: list[int]
    needs: dict[int | None, bool]


def choose(path: Path, info: ClipInfo, start: int, count: int | None, step: int) -> Chosen | None:
    """What to decode for every `step`-th frame from `start` on, `count` at most; None where the
    packets do not tell which frame is in which."""
    if not any(name in info.format for name in _FORMATS):
        return None
    times: list[int] = []
    keys: list[bool] = []
    with open_media(path, pictures=False) as container:
        stream: Any = container.streams[info.track]
        header = bytes(stream.codec_context.extradata or b"")
        for packet in container.demux(stream):
            if not packet.size:
                continue
            if packet.pts is None or packet.is_discard or packet.is_corrupt:
                return None
            times.append(packet.pts)
            keys.append(packet.is_keyframe and _begins_anew(packet, info.video_codec, header))
    if not len(set(times)) == len(times) == info.frames:
        return None
    stop = None if count is None else start + count * step
    wanted = sorted(times)[start:stop:step]
    kept = set(wanted)
    return Chosen(wanted, {time: time in kept for time in _needed(times, keys, kept)})


def _begins_anew(packet: Any, codec: str, header: bytes) -> bool:
    """Whether no packet from a key frame on depends on those before it, unless it is shown before
    it."""
    if codec not in _KINDS:
        return True
    place, shift, mask, pictures, anew = _KINDS[codec]
    if len(header) <= place or header[0] != 1:
        return False
    size = (header[place] & 3) + 1
    data, at = bytes(packet), 0
    while at + size < len(data):
        kind = data[at + size] >> shift & mask
        if kind in pictures:
            return kind in anew
        at += size + int.from_bytes(data[at : at + size], "big")
    return False


def _needed(times: list[int], keys: list[bool], wanted: set[int]) -> list[int]:
    """The times of the packets from a key frame to the last wanted frame that depends on it."""
    latest = [times[0], *accumulate(times, max)]  # of those before each
    earliest = list(accumulate(reversed(times), min))[::-1]  # of each and those after it
    needed: list[int] = []
    since = 0
    for number, time in enumerate(times):
        # Frames after a key frame may be shown before it, and depend on what is before it.
        if keys[number] and earliest[number] == time and latest[number] < time:
            since = number
        if time in wanted:
            needed += times[since : number + 1]
            since = number + 1
    return needed
