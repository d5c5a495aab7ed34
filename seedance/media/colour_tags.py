"""Colour tags: what a clip's container says about the meaning of its colours, so that all players
show the same. Only the container is written; pictures and sound are copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av

from ..embedded import has_manifest
from ..errors import BadOrder
from ..files import replacing
from .frames import BT709, HD_LINES, LIMITED
from .info import UNSPECIFIED, ClipInfo, is_pcm, open_media, probe
from .packets import same_packets


class _BadCopy(Exception):
    """The tagged copy is not what was to be written."""


def tag_colour(path: Path, info: ClipInfo | None = None) -> bool:
    """Tag an untagged HD clip as BT.709, which is how it is read; True if the file changed.

    Only the container is written anew, and the file is replaced only if every packet is the same in
    the copy. One with a C2PA manifest stays as it is. `info` is what `probe` says of the file,
    where that is known. Raises BadOrder if it cannot be read.
    """
    path = Path(path)
    info = info or probe(path)
    tags = {info.matrix, info.primaries, info.transfer}
    if tags != {UNSPECIFIED} or info.height < HD_LINES or "mp4" not in info.format:
        return False
    if has_manifest(path):
        return False
    if _has_pcm(path):
        return False  # a master, whose sound an MP4 does not hold: it stays as it was delivered
    try:
        with replacing(path) as part:
            _copy_tagged(path, part)
            _check_copy(part, path)
    except _BadCopy:
        return False
    return True


def _has_pcm(path: Path) -> bool:
    with open_media(path, pictures=False) as container:
        return any(is_pcm(stream) for stream in container.streams)


def _check_copy(copy: Path, original: Path) -> None:
    """Raise _BadCopy unless the copy is tagged and holds the packets of the original."""
    try:
        same = probe(copy).matrix == BT709 and same_packets(copy, original)
    except BadOrder as error:  # an old PyAV may have written nonsense
        raise _BadCopy from error
    if not same:
        raise _BadCopy


def _copy_tagged(path: Path, target: Path) -> None:
    """Copy the packets of pictures and sound into a new MP4 that is tagged."""
    options = {"movflags": "+faststart"}
    with (
        open_media(path) as source,
        av.open(str(target), "w", format="mp4", options=options) as out,
    ):
        copies: dict[int, Any] = {}
        for stream in source.streams:
            if stream.type in ("video", "audio"):
                copy: Any = out.add_stream_from_template(stream)
                copies[stream.index] = copy
                if stream.type == "video":
                    context = copy.codec_context
                    context.colorspace = context.color_primaries = context.color_trc = BT709
                    context.color_range = LIMITED
        for packet in source.demux():
            if packet.dts is not None and packet.stream.index in copies:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
