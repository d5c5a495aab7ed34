"""Binds the core to this ComfyUI: its folders, the one runner, and what happens when the server
starts."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import folder_paths
from server import PromptServer

from ..seedance.errors import SeedanceError
from ..seedance.texts import logger_of
from . import examples
from .inputs import DECODED
from .prompts import set_decoded

if TYPE_CHECKING:
    from aiohttp import web

    from ..seedance.runner import Runner
    from ..seedance.settings import Settings

log = logger_of("seedance")


@cache
def settings() -> Settings:
    """The settings of this ComfyUI: state in a folder that its web interface does not serve,
    videos under its output folder."""
    from ..seedance.settings import Settings

    return Settings.load(
        home=Path(folder_paths.get_system_user_directory("seedance")),
        output=Path(folder_paths.get_output_directory()) / "seedance",
    )


@cache
def runner() -> Runner:
    """The runner of this process. The first call imports it, so make it off the event loop."""
    from ..seedance.runner import shared

    found = shared(settings())
    with contextlib.suppress(OSError):
        settings().home.mkdir(parents=True, exist_ok=True, mode=0o700)
    _note_folders()
    found.keep_recovering()
    found.make_pictures_later()
    atexit.register(_end, found)
    return found


def _end(ending: Runner) -> None:
    """The answer to a create holds the only ticket to what was paid."""
    ending.settle(timeout=30)
    ending.journal.close()


def attach(nodes: Mapping[str, type]) -> None:
    """Hook the pack into the server; `nodes` are its classes by node id. To be called while
    ComfyUI loads its packs."""
    server: PromptServer | None = getattr(PromptServer, "instance", None)
    if server is None:  # the nodes are used by a script, without a server
        return
    decoding = {name: found for name, node in nodes.items() if (found := _decoded_outputs(node))}

    def prepared(request: dict[str, Any]) -> dict[str, Any]:
        return set_decoded(examples.for_prompt(request), decoding)

    server.add_on_prompt_handler(prepared)

    async def server_is_starting(_: web.Application) -> None:
        warn_of_taken_ids(nodes)
        threading.Thread(target=_recover, name="seedance-recovery", daemon=True).start()

    # aiohttp calls this after every pack was loaded, just before the server listens.
    server.app.on_startup.append(server_is_starting)


def _decoded_outputs(node: Any) -> dict[str, int]:
    """The inputs of a node that say whether an output is decoded, each with the output's number."""
    schema = node.GET_SCHEMA()
    outputs = [output.id for output in schema.outputs]
    return {
        item.id: outputs.index(DECODED[item.id]) for item in schema.inputs if item.id in DECODED
    }


def warn_of_taken_ids(ours: Mapping[str, type]) -> None:
    """Log which of our node ids another pack took by loading after us."""
    theirs = importlib.import_module("nodes").NODE_CLASS_MAPPINGS  # ComfyUI's nodes.py
    for node_id, node in ours.items():
        winner = theirs.get(node_id)
        if winner is not None and winner is not node:
            pack = getattr(winner, "RELATIVE_PYTHON_MODULE", winner.__module__)
            log.warning(
                "The node %s is another pack's (%s), which uses the same name and was loaded "
                "later. Remove or disable one of the two packs.",
                node_id,
                pack,
            )


def _note_folders() -> None:
    """Write this server's folders down, so that `seedance --comfyui DIR` finds them."""
    from ..seedance import servers

    code = Path(folder_paths.__file__ or "").parent
    home = settings().home
    user = Path(folder_paths.get_system_user_directory("seedance")).parent
    base = Path(getattr(folder_paths, "base_path", code))
    names = (home, settings().output, code, base, user)
    home, output, code, base, user = (each.absolute() for each in names)
    servers.note(servers.Server(str(home), str(output), str(code), str(base), str(user)))


def _recover() -> None:
    """Take up the orders that an earlier process left unfinished."""
    try:
        _note_folders()
        if settings().unused:
            return  # a ComfyUI that never uses the pack does not load it either
        if count := runner().recover():
            log.info("Seedance: %d unfinished task(s) taken up again.", count)
    except SeedanceError as error:
        log.warning("Seedance: unfinished tasks could not be taken up. %s", error)
    except Exception:
        log.exception("Seedance: unfinished tasks could not be taken up.")
