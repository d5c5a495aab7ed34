"""Which folders a ComfyUI uses: written down by the server, found again by the command line.

A ComfyUI may have its code, its base, its user and its output folder in four places. The server
writes them into a file in its home and in the home of this user, so that any of the four leads to
the keys and the journal: with another journal the same order would be paid again.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import BadOrder
from .files import write_atomically

FILE = "comfyui.json"
MOST = 50  # servers that are remembered
LARGEST = 1 << 20  # bytes of such a file
HOME = "__seedance"  # "__": a folder that ComfyUI's web interface does not serve
_PARTS = ("custom_nodes", "input", "models", "output", "user")  # of a base folder


@dataclass(frozen=True)
class Server:
    """The folders of one ComfyUI, all absolute: `home` has keys and journal, `output` receives
    videos, the others are those that a person may name. `started` is in Unix seconds."""

    home: str
    output: str
    code: str = ""
    base: str = ""
    user: str = ""
    started: float = 0.0

    def is_named(self, folder: Path) -> bool:
        """Whether `folder` is one of them."""
        named = (self.code, self.base, self.user, self.home, self.output)
        return any(each and _same(Path(each), folder) for each in named)


def note(server: Server) -> None:
    """Write a server's folders down. A disk that refuses changes nothing."""
    server = Server(**asdict(server) | {"started": time.time()})
    for folder in {Path(server.home), personal()}:
        if folder != personal() and not os.path.isdir(folder):
            continue  # nothing was ever ordered there
        others = [each for each in _noted(folder) if each.home != server.home]
        there = [each for each in others if not each.user or os.path.isdir(each.user)]
        records = [asdict(each) for each in (server, *there[: MOST - 1])]
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(folder / FILE, json.dumps(records, indent=1), 0o600)


def personal() -> Path:
    """The home of the pack outside ComfyUI."""
    try:
        return Path(os.environ.get("SEEDANCE_HOME") or Path.home() / ".seedance").absolute()
    except RuntimeError:  # there is no home folder
        return Path(".seedance").absolute()


def find(folder: Path) -> tuple[Server, list[Server]]:
    """The ComfyUI that a person means by `folder`: its code, base or user folder. Of several that
    were started from there, the one that was started last; and the others.

    Raises BadOrder for a folder that is not one of a ComfyUI.
    """
    places = [personal(), *_homes_of(folder)]
    with contextlib.suppress(RuntimeError):
        places.append(Path.home() / ".seedance")
    known: dict[str, Server] = {}
    for server in (each for place in places for each in _noted(place)):
        newer = server.home not in known or known[server.home].started < server.started
        if newer and server.is_named(folder):
            known[server.home] = server
    found = sorted(known.values(), key=lambda each: -each.started)
    if found:
        return found[0], found[1:]
    return _by_its_form(folder), []


def _homes_of(folder: Path) -> list[Path]:
    return [folder, folder / HOME, folder / "user" / HOME]


def _by_its_form(folder: Path) -> Server:
    """The folders that a ComfyUI has if nothing else was said when it was started."""
    for base in (folder, folder / "ComfyUI", *_desktop(folder)):
        parts = [name for name in _PARTS if os.path.isdir(base / name)]
        if os.path.isfile(base / "folder_paths.py") or ("user" in parts and len(parts) > 1):
            return Server(str(base / "user" / HOME), str(base / "output" / "seedance"))
    if os.path.isdir(folder / HOME):
        return Server(str(folder / HOME), str(folder.parent / "output" / "seedance"))
    raise BadOrder(
        "{folder} is not a ComfyUI installation.",
        hint="Give the folder that holds ComfyUI's main.py, or its base folder, which holds "
        "custom_nodes, models, output and user.",
        folder=folder,
    )


def _desktop(folder: Path) -> Iterator[Path]:
    """The base folder of ComfyUI Desktop, if `folder` is that program's or its settings'."""
    if sys.platform == "win32":
        settings = Path(os.environ.get("APPDATA", ""), "ComfyUI")
    elif sys.platform == "darwin":
        settings = Path("~/Library/Application Support/ComfyUI").expanduser()
    else:
        settings = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config", "ComfyUI").expanduser()
    for place in {folder, settings if os.path.isdir(folder / "resources" / "ComfyUI") else folder}:
        base = _read(place / "config.json")
        if isinstance(base, dict) and isinstance(base.get("basePath"), str):
            yield Path(base["basePath"])


def _noted(folder: Path) -> list[Server]:
    found = []
    records = _read(folder / FILE)
    for record in records if isinstance(records, list) else ():
        with contextlib.suppress(TypeError, ValueError):
            server = Server(**record)
            texts = (server.home, server.output, server.code, server.base, server.user)
            if all(isinstance(each, str) for each in texts) and Path(server.home).is_absolute():
                found.append(Server(*texts, float(server.started)))
    return found


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8")) if file.stat().st_size < LARGEST else None
    except (OSError, ValueError, RecursionError):
        return None


def _same(one: Path, other: Path) -> bool:
    try:
        return one == other or one.samefile(other)
    except OSError:
        return False
