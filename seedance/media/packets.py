"""The packets of a file's pictures and sound: whether a copy has the same."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from math import lcm
from pathlib import Path
from typing import Any

from .info import open_media


def same_packets(one: Path, other: Path) -> bool:
    """Whether two files have the same packets of pictures and sound, at the same times. Raises
    BadOrder if one cannot be read."""
    with open_media(one, pictures=False) as first, open_media(other, pictures=False) as second:
        streams = (*first.streams, *second.streams)
        ticks = lcm(*(each.time_base.denominator for each in streams if each.time_base))
        pairs = zip_longest(_packets(first, ticks), _packets(second, ticks))
        return all(mine == theirs for mine, theirs in pairs)


def _packets(container: Any, ticks: int) -> Iterator[tuple[str, int, bytes]]:
    """Kind, time (of so many `ticks` a second) and bytes of each packet. In whole numbers: as
    fractions, the times would take longer than all else."""
    tracks = {
        stream.index: (stream.type, int(stream.time_base * ticks))
        for stream in container.streams
        if stream.type in ("video", "audio")
    }
    for packet in container.demux():
        if packet.size and packet.pts is not None and packet.stream_index in tracks:
            kind, tick = tracks[packet.stream_index]
            yield kind, packet.pts * tick, bytes(packet)
