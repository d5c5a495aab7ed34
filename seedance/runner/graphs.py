"""The graph that made an order, kept below the home until its video is saved, and after that for
when the video is fetched once more.

A graph is texts by name, as ComfyUI's Save nodes put them into their files: `prompt`, `workflow`.
No key is in it.
"""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Mapping
from pathlib import Path

from ..embedded import LARGEST_TEXTS
from ..files import replacing
from ..journal import Row
from ..settings import Settings
from ..texts import logger_of
from ..transport import Redaction

logger = logger_of(__name__)

Graph = Mapping[str, str]

MOST_GRAPHS = 2000  # the newest; one takes a few kilobytes


def keep(settings: Settings, row: Row, graph: Graph | None) -> None:
    """Keep the graph that a new row was made by. Where that cannot be done, its video is saved
    without one."""
    if not graph or sum(map(len, graph.values())) > LARGEST_TEXTS:
        return
    folder = _folder(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = json.dumps(without_keys(settings, graph))
        with replacing(_file(settings, row)) as part:
            part.write_bytes(gzip.compress(text.encode(), mtime=0))
        _clear(folder)
    except OSError as error:
        logger.warning("The graph of row %s is not kept: %s", row.id, error)


def of(settings: Settings, row: Row) -> Graph:
    """The graph that a row was made by; empty where none is kept."""
    try:
        with gzip.open(_file(settings, row)) as file:
            found = json.loads(file.read(LARGEST_TEXTS * 2))
    except (OSError, EOFError, ValueError):
        return {}
    is_graph = isinstance(found, dict) and all(isinstance(each, str) for each in found.values())
    return found if is_graph else {}


def without_keys(settings: Settings, graph: Graph) -> Graph:
    """The graph without any key that this machine has: somebody may have typed one into a node."""
    cleaned = dict(graph)
    for secret in settings.secrets():
        redaction = Redaction(secret)
        cleaned = {name: redaction.of_text(text) for name, text in cleaned.items()}
    return cleaned


def _folder(settings: Settings) -> Path:
    return settings.home / "graphs"


def _file(settings: Settings, row: Row) -> Path:
    return _folder(settings) / f"{row.uid}.json.gz"


def _clear(folder: Path) -> None:
    there = list(folder.glob("*.json.gz"))
    if len(there) > MOST_GRAPHS:
        there.sort(key=lambda file: file.stat().st_mtime)
        for file in there[:-MOST_GRAPHS]:
            with contextlib.suppress(OSError):
                file.unlink()
