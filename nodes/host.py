"""Binds the core to ComfyUI: folders, the one runner, Cancel, progress, and what runs with the
server.

Owns every call into ComfyUI's machinery. Must not know what a node's inputs and outputs mean.
"""

from __future__ import annotations

import asyncio
import atexit
import html
import logging
import os
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

import comfy.model_management
import folder_paths
from comfy_api.feature_flags import supports_feature
from comfy_api.latest import ComfyAPI
from comfy_execution.utils import get_executing_context
from protocol import BinaryEventTypes
from server import PromptServer

from ..seedance.errors import SeedanceError

if TYPE_CHECKING:
    from aiohttp import web

    from ..seedance.runner import Runner
    from ..seedance.settings import Settings

log = logging.getLogger("seedance")

Interrupted = comfy.model_management.InterruptProcessingException

Value = TypeVar("Value")

# Seconds between two looks at Cancel. A person should not have to wait half a second for it.
TICK = 0.1


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
    found.keep_recovering()
    # The answer to a create holds the only ticket to what was paid.
    atexit.register(found.settle, timeout=30)
    return found


_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="seedance-node")
_computing_threads = ThreadPoolExecutor(
    max_workers=os.cpu_count() or 1, thread_name_prefix="seedance-media"
)


def in_thread(work: Callable[[], Value]) -> Future[Value]:
    """Run `work` in one of our own threads. A prompt's event loop, when it ends, would wait for
    the threads of `asyncio.to_thread`, and so hold up a Cancel."""
    return _threads.submit(work)


def computing(work: Callable[[], Value]) -> Future[Value]:
    """As `in_thread`, for what keeps a processor busy: no more of it at once than there are cores,
    so that the server still answers, and the page's requests do not wait for it."""
    return _computing_threads.submit(work)


# ----------------------------------------------------------------------------------- the server


def attach(nodes: Mapping[str, type]) -> None:
    """Hook the pack into the server; `nodes` are its classes by node id. To be called while
    ComfyUI loads its packs."""
    server = getattr(PromptServer, "instance", None)
    if server is None:  # the nodes are used by a script, without a server
        return
    server.add_on_prompt_handler(lambda request: set_decode_frames(request, nodes))

    async def server_is_starting(_: web.Application) -> None:
        warn_of_taken_ids(nodes)
        threading.Thread(target=_resume, name="seedance-resume", daemon=True).start()

    # aiohttp calls this after every pack was loaded, just before the server listens.
    server.app.on_startup.append(server_is_starting)


def set_decode_frames(request: dict[str, Any], ours: Collection[str]) -> dict[str, Any]:
    """A hook on incoming prompts: our nodes decode frames only if `frames`, their first output, is
    linked. Prompts arrive flattened, so that the ids of nodes in subgraphs (`1:2`) need no care."""
    prompt = request.get("prompt")
    nodes = prompt if isinstance(prompt, dict) else {}
    linked = {
        (str(value[0]), value[1])
        for node in nodes.values()
        for value in _inputs_of(node).values()
        if _is_link(value)
    }
    for node_id, node in nodes.items():
        kind = node.get("class_type") if isinstance(node, dict) else None
        if not isinstance(kind, str) or kind not in ours:
            continue
        inputs = node.setdefault("inputs", {})
        if isinstance(inputs, dict) and not _is_link(inputs.get("decode_frames")):
            inputs["decode_frames"] = (str(node_id), 0) in linked
    return request


def _inputs_of(node: object) -> dict[str, Any]:
    inputs = node.get("inputs") if isinstance(node, dict) else None
    return inputs if isinstance(inputs, dict) else {}


def _is_link(value: object) -> bool:
    """Whether an input's value is `[id of a node, number of its output]`. Other packs' widgets have
    lists of two as well, of anything."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], (str, int))
        and isinstance(value[1], (int, float))  # JSON of some languages has 0.0
    )


def warn_of_taken_ids(ours: Mapping[str, type]) -> None:
    """Log which of our node ids another pack took by loading after us."""
    from nodes import NODE_CLASS_MAPPINGS  # ComfyUI's

    for node_id, node in ours.items():
        winner = NODE_CLASS_MAPPINGS.get(node_id)
        if winner is not None and winner is not node:
            pack = getattr(winner, "RELATIVE_PYTHON_MODULE", winner.__module__)
            log.warning(
                "The node %s is another pack's (%s), which uses the same name and was loaded "
                "later. Remove or disable one of the two packs.",
                node_id,
                pack,
            )


def _resume() -> None:
    try:
        if settings().unused:
            return  # a ComfyUI that never uses the pack does not load it either
        if count := runner().recover():
            log.info("Seedance: %d unfinished task(s) taken up again.", count)
    except SeedanceError as error:
        log.warning("Seedance: unfinished tasks could not be taken up. %s", error)
    except Exception:
        log.exception("Seedance: unfinished tasks could not be taken up.")


# ------------------------------------------------------------------------------ a node that runs

# Event loops of prompts in which one of our nodes saw Cancel. ComfyUI's flag is gone once it was
# seen, but where a node runs for each item of a list, all items must stop before the prompt does.
_interrupted: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


class Node:
    """The node that is being executed: its words, its bar, and whether a person cancels it."""

    def __init__(self) -> None:
        context = get_executing_context()
        self.id: str = context.node_id if context else ""
        self.prompt_id: str = context.prompt_id if context else ""
        self._text = ""
        self._fraction: float | None = None

    async def until_done(
        self,
        *futures: Future[Any] | asyncio.Future[Any],
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Wait until all are done, whatever came of them. Raises `Interrupted` if a person
        cancels, at the latest after `TICK` seconds."""
        while not all(future.done() for future in futures):
            _raise_if_interrupted()
            if meanwhile:
                await meanwhile()
            await asyncio.sleep(TICK)

    async def show(self, text: str, fraction: float | None) -> None:
        """Words and, for 0 <= `fraction` <= 1, a bar on the node; what is there already is not
        sent again."""
        self.say(text)
        if self.id and fraction is not None and fraction != self._fraction:
            self._fraction = fraction
            await ComfyAPI().execution.set_progress(fraction, 1.0, node_id=self.id)

    def say(self, text: str) -> None:
        """Words on the node, on the page that queued it."""
        client = PromptServer.instance.client_id if self.id else None
        if client is not None and text != self._text:
            self._text = text
            # The page takes it as HTML, and it may quote a provider or a stranger's prompt.
            self._send(html.escape(text, quote=False), client)

    def _send(self, text: str, client: str) -> None:
        server = PromptServer.instance
        if "prompt_id" in signature(server.send_progress_text).parameters:
            server.send_progress_text(text, self.id, prompt_id=self.prompt_id, sid=client)
            return
        server.send_progress_text(text, self.id, sid=client)
        # The pages that came with about ComfyUI 0.16 to 0.19 read a message that begins with the
        # prompt's id, which these servers do not send yet. A page drops the one it cannot read.
        if supports_feature(server.sockets_metadata, client, "supports_progress_text_metadata"):
            fields = [part.encode() for part in (self.prompt_id, self.id)]
            head = b"".join(struct.pack(">I", len(part)) + part for part in fields)
            server.send_sync(BinaryEventTypes.TEXT, head + text.encode(), client)


def _raise_if_interrupted() -> None:
    loop = asyncio.get_running_loop()
    if loop in _interrupted:
        raise Interrupted
    try:
        comfy.model_management.throw_exception_if_processing_interrupted()
    except Interrupted:
        _interrupted.add(loop)
        raise


def if_interrupted(prompt_id: str, then: Callable[[], None]) -> None:
    """Call `then` if a person interrupted the prompt, and not if another node failed.

    To a node that is cancelled by ComfyUI both look alike; the prompt's status, which comes shortly
    after, tells. Returns at once.
    """
    server = PromptServer.instance
    asyncio.run_coroutine_threadsafe(
        _if_interrupted(server.prompt_queue, prompt_id, then), server.loop
    )


async def _if_interrupted(queue: Any, prompt_id: str, then: Callable[[], None]) -> None:
    for _ in range(600):  # a minute; a prompt that hangs longer than that was not interrupted
        if all(item[1] != prompt_id for item in queue.get_current_queue()[0]):
            break
        await asyncio.sleep(TICK)
    entry = queue.get_history(prompt_id=prompt_id).get(prompt_id, {})
    status = entry.get("status") or {}
    if any(message[0] == "execution_interrupted" for message in status.get("messages", ())):
        then()


# --------------------------------------------------------------------------- failures in a cache


class PartialFailures:
    """Counts, for the inputs of each node, the runs in which some takes failed and others not.

    ComfyUI caches the outputs of such a run like any other's. The count is part of the cache's key
    (`fingerprint_inputs`), so that queueing again runs the node, which sends only what failed.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._inputs: dict[tuple[str, str], str] = {}

    def count_for(self, inputs: Mapping[str, Any]) -> int:
        """How often it happened with these inputs (linked ones are None). To be called by
        `fingerprint_inputs`: it is the only place that sees the inputs as the cache does."""
        node = Node()
        key = repr(sorted(inputs.items(), key=lambda item: item[0]))
        self._inputs = {
            place: inputs for place, inputs in self._inputs.items() if place[0] == node.prompt_id
        }
        self._inputs[node.prompt_id, node.id] = key
        return self._counts[key]

    def add(self, node: Node) -> None:
        """Note that it happened in the present run of `node`."""
        if key := self._inputs.get((node.prompt_id, node.id)):
            self._counts[key] += 1


partial_failures = PartialFailures()
