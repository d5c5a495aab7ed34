"""The node that ComfyUI is executing: what it tells the page, its bar, and a person's Cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import comfy.model_management
from comfy_api.latest import ComfyAPI
from comfy_execution.utils import get_executing_context
from server import PromptServer

from . import latest_news

if TYPE_CHECKING:
    from execution import PromptQueue  # ComfyUI's

Interrupted = comfy.model_management.InterruptProcessingException

# Seconds between two looks at Cancel. A person should not have to wait half a second for it.
TICK = 0.1
SHOWN = 0.5  # seconds after which the page is shown how far all is, where nothing else happens

# The message to the page. `data` is {node, item, prompt_id, workflow, ...}, with what report.py
# makes; `item` counts from 0 where ComfyUI runs the node for each item of a list.
EVENT = "seedance.node"

# Event loops of prompts in which one of our nodes saw Cancel. ComfyUI clears its flag when somebody
# has seen it, but where a node runs for each item of a list, all of them must stop.
_interrupted: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


class Node:
    """The node that is being executed, and the page that queued it."""

    def __init__(self) -> None:
        context = get_executing_context()
        self.id: str = context.node_id if context else ""
        self.prompt_id: str = context.prompt_id if context else ""
        self._item: int = (context.list_index or 0) if context else 0
        self._client: str | None = PromptServer.instance.client_id if context else None
        self._workflow = _workflow_of(self.prompt_id) if self._client is not None else None
        self._told: Mapping[str, Any] | None = None
        self._fraction: float | None = None

    async def until_done(
        self,
        *futures: Future[Any] | asyncio.Future[Any],
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Wait until all are done, whatever came of them. Calls `meanwhile` whenever one is done,
        and every `SHOWN` seconds. Raises `Interrupted` if a person cancels, at the latest after
        `TICK` seconds."""
        loop = asyncio.get_running_loop()
        pause = loop.create_future()
        due = loop.time()

        def go_on() -> None:
            if not pause.done():
                pause.set_result(None)

        def show() -> None:
            nonlocal due
            due = loop.time()
            go_on()

        def wake(_: object) -> None:
            with suppress(RuntimeError):  # the loop is closed, and with it who waited
                loop.call_soon_threadsafe(show)

        for future in futures:
            future.add_done_callback(wake)
        while not all(future.done() for future in futures):
            _raise_if_interrupted()
            if meanwhile and loop.time() >= due:
                due = loop.time() + SHOWN
                await meanwhile()
            timer = loop.call_later(TICK, go_on)
            try:
                await pause
            finally:
                timer.cancel()
            pause = loop.create_future()

    def tell(self, news: Mapping[str, Any]) -> None:
        """Send `news` to the page that queued the prompt, unless it was told that last. Safe to
        call from any thread."""
        if self._client is None or news == self._told:
            return
        self._told = news
        about = {
            "node": self.id,
            "item": self._item,
            "prompt_id": self.prompt_id,
            "workflow": self._workflow,
        }
        latest_news.note({**about, **news})
        PromptServer.instance.send_sync(EVENT, {**about, **news}, self._client)

    @property
    def is_latest(self) -> bool:
        """Whether no later run of this node has told the page anything."""
        return latest_news.is_latest(self._workflow, self.id, self.prompt_id)

    async def draw_bar(self, fraction: float | None) -> None:
        """A bar on the node, for 0 <= `fraction` <= 1; None leaves it as it is."""
        if self.id and fraction is not None and fraction != self._fraction:
            self._fraction = fraction
            await ComfyAPI().execution.set_progress(fraction, 1.0, node_id=self.id)


def running_prompt(prompt_id: str) -> tuple[dict[str, Any], list[Any]]:
    """A running prompt: its nodes by id, and the ids of the output nodes that are to be made; both
    empty where that is not known."""
    if prompt_id:
        for _, running, prompt, _, *rest in _running(PromptServer.instance.prompt_queue):
            if running == prompt_id and isinstance(prompt, dict):
                outputs = rest[0] if rest and isinstance(rest[0], list) else []
                return prompt, outputs
    return {}, []


def prompt_id() -> str:
    """The id of the prompt whose node is being executed; empty outside of one."""
    context = get_executing_context()
    return context.prompt_id if context else ""


def _workflow_of(prompt_id: str) -> str | None:
    """The id of the workflow that a running prompt was made from, where it says so. On a page with
    several workflows, nodes of two of them may have the same id."""
    for _, running, _, extra_data, *_ in _running(PromptServer.instance.prompt_queue):
        if running == prompt_id:
            found: object = extra_data
            for name in ("extra_pnginfo", "workflow", "id"):
                found = found.get(name) if isinstance(found, dict) else None
            return found if isinstance(found, str) else None
    return None


def _running(queue: PromptQueue) -> list[tuple[Any, ...]]:
    """The prompts that are being executed: `(number, prompt id, prompt, extra data, ...)` each."""
    return queue.get_current_queue_volatile()[0]


# -------------------------------------------------------------------------------------- Cancel


def _raise_if_interrupted() -> None:
    loop = asyncio.get_running_loop()
    if loop in _interrupted:
        raise Interrupted
    try:
        comfy.model_management.throw_exception_if_processing_interrupted()
    except Interrupted:
        _interrupted.add(loop)
        raise


def when_ended(prompt_id: str, interrupted: Callable[[], None], failed: Callable[[], None]) -> None:
    """Call `interrupted` if a person interrupted the prompt, `failed` if another node failed.

    To a node that is cancelled by ComfyUI both look alike; the prompt's status, which comes shortly
    after, tells. Returns at once.
    """
    server = PromptServer.instance

    async def tell() -> None:
        (interrupted if await _was_interrupted(server.prompt_queue, prompt_id) else failed)()

    asyncio.run_coroutine_threadsafe(tell(), server.loop)


async def _was_interrupted(queue: PromptQueue, prompt_id: str) -> bool:
    for _ in range(600):  # a minute; a prompt that hangs longer than that was not interrupted
        if all(prompt[1] != prompt_id for prompt in _running(queue)):
            break
        await asyncio.sleep(TICK)
    entry = queue.get_history(prompt_id=prompt_id).get(prompt_id, {})
    status = entry.get("status") or {}
    return any(message[0] == "execution_interrupted" for message in status.get("messages", ()))
