"""ComfyUI's graph in a saved video or picture, where ComfyUI's own Save nodes put it, so that the
file dropped on the page loads the workflow that it came from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .. import embedded
from ..errors import BadOrder
from ..files import replacing
from .info import open_media
from .packets import same_packets


class _Unfit(Exception):
    """The file does not take texts."""


def add_graph(file: Path, graph: Mapping[str, str]) -> bool:
    """Put `graph`, texts by name, into an MP4 or a PNG; True if the file changed.

    Pictures and sound stay as they are to the byte. A file with a C2PA manifest is not changed, nor
    is one of another kind, nor one that does not let texts in. Raises BadOrder or OSError if it
    cannot be read or written.
    """
    if not graph or embedded.has_manifest(file):
        return False
    try:
        with replacing(file) as part:
            _copy(file, part, graph)
    except _Unfit:
        return False
    return True


def graph_in(file: Path) -> dict[str, str]:
    """The graph that `add_graph` put into a video; empty where it put none. Raises BadOrder if the
    file cannot be read."""
    with open_media(file, pictures=False) as container:
        texts = dict(container.metadata)
    names = list(texts)
    if embedded.MARK not in names:
        return {}
    end, count = names.index(embedded.MARK), texts[embedded.MARK]
    begin = end - int(count) if count.isdecimal() else end
    return {name: texts[name] for name in names[max(begin, 0) : end]}


def _copy(file: Path, part: Path, graph: Mapping[str, str]) -> None:
    with file.open("rb") as source:
        is_picture = source.read(4) == b"\x89PNG"
    if is_picture:
        data = embedded.put_into_png(file.read_bytes(), graph)
        if data is None:
            raise _Unfit
        part.write_bytes(data)
        return
    if not embedded.put_into_mp4(file, part, graph):
        raise _Unfit
    try:
        same = same_packets(part, file)
    except BadOrder as error:
        raise _Unfit from error
    if not same:
        raise _Unfit
