"""The server that a pack is loaded into. `instance` is set by the tests' fixture."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from aiohttp import web
from execution import PromptQueue


class PromptServer:
    instance: PromptServer

    def __init__(self) -> None:
        self.app = web.Application()
        self.routes = web.RouteTableDef()
        self.prompt_queue = PromptQueue()
        self.client_id: str | None = "page"
        self.sent: list[tuple[str, Any, str | None]] = []  # (event, data, client id)
        self.prompt_handlers: list[Callable[[dict[str, Any]], dict[str, Any]]] = []
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def add_on_prompt_handler(self, handler: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.prompt_handlers.append(handler)

    def send_sync(self, event: str, data: Any, sid: str | None = None) -> None:
        self.sent.append((event, data, sid))

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
