"""The server that a pack is loaded into. `instance` is set by the tests' fixture."""

import asyncio
import threading

from aiohttp import web


class PromptQueue:
    def __init__(self):
        self.running = []
        self.history = {}

    def get_current_queue(self):
        return [(0, prompt_id) for prompt_id in self.running], []

    def get_history(self, prompt_id):
        return {prompt_id: self.history[prompt_id]} if prompt_id in self.history else {}


class PromptServer:
    instance = None

    def __init__(self):
        self.app = web.Application()
        self.routes = web.RouteTableDef()
        self.prompt_queue = PromptQueue()
        self.client_id = "page"
        self.sockets_metadata = {}
        self.sent = []  # (event, data, client id)
        self.prompt_handlers = []
        self.texts = []  # (node id, text, client id)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def add_on_prompt_handler(self, handler):
        self.prompt_handlers.append(handler)

    def send_progress_text(self, text, node_id, sid=None):
        self.texts.append((node_id, text, sid))

    def send_sync(self, event, data, sid=None):
        self.sent.append((event, data, sid))

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
