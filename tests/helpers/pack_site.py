"""The pack's routes over HTTP, as a browser and as anybody else would ask. Needs aiohttp."""

from __future__ import annotations

import asyncio
import http.client
import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pack_loader import Pack

KEY = "sk-nobody-may-see-this"
PREVIEW = {"provider": "preview", "resolution": "480p", "duration": 4, "prompt": "a hill"}


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, str]:
        return dict(self.json["error"])


class Site:
    """The pack's routes, served on loopback."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        pack.routes.register()
        pack.server.app.add_routes(pack.server.routes)
        self._runner = web.AppRunner(pack.server.app)
        self.port = self._in_loop(self._start())

    async def _start(self) -> int:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    def _in_loop(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.pack.server.loop).result(30)

    def close(self) -> None:
        self._in_loop(self._runner.cleanup())

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, sent)
            reply = connection.getresponse()
            return Reply(reply.status, dict(reply.headers), reply.read())
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        reply = self.ask("GET", path)
        assert reply.status == 200, reply.body
        return reply.json

    def put(self, path: str, body: Any) -> Any:
        reply = self.ask("PUT", path, body)
        assert reply.status == 200, reply.body
        return reply.json

    def made(self, **order: Any) -> Any:
        """A finished video of the preview provider, silent, of a frame a second."""
        self.pack.quick_previews()
        order_of = self.pack.core("order").Order
        values = {**PREVIEW, "generate_audio": False, **order}
        return self.pack.host.runner().start(order_of(**values))[0].wait()


def check(site: Site, node: str, sockets: tuple[str, ...] = (), **inputs: Any) -> dict[str, Any]:
    """What the providers would make of a node, by their ids."""
    body = {"node": node, "inputs": {"prompt": "a hill", **inputs}, "sockets": list(sockets)}
    reply = site.ask("POST", "/seedance/check", body)
    assert reply.status == 200, reply.body
    return {quote["provider"]: quote for quote in reply.json["quotes"]}
