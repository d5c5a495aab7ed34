"""How HTTP reaches the routes: what may come in, in which thread a route runs, how it answers.

Errors are `{"error": {"kind", "message", "hint"}}`, `kind` a class of seedance/errors.py; with what
the two sentences are made of (`code`, `values`, `hint_code`, `hint_values`), for the page.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path as File
from typing import TYPE_CHECKING, Any, Union
from urllib.parse import urlsplit

from ..seedance.errors import BadOrder, SeedanceError, Unreachable
from ..seedance.said import Said, say, template
from . import host, threads

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Middleware

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

Path = Mapping[str, str]
Body = dict[str, Any]
Json = Union[dict[str, Any], list[dict[str, Any]]]
Answer = Union[Json, bytes, File]  # bytes are a JPEG
Work = Callable[[Path, Body], Answer]

_OURS = ("/seedance/", "/api/seedance/")
_ELSEWHERE = template("This request comes from another site.")

MAX_BODY = 256 * 1024  # bytes; a long prompt is a few thousand

# Another site's page must not embed what we answer, nor take it for a script.
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",  # for browsers that do not read the one before
}


class _TurnedAway(Exception):
    """A request that is turned away before its route sees it: the HTTP status and why."""

    def __init__(self, status: int, message: Said) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def handler_of(work: Work, run: threads.Run[Answer]) -> Handler:
    """A handler for aiohttp that calls `work` in a thread, which `run` chooses."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = await respond(request)
        response.headers.update(_HEADERS)
        return response

    async def respond(request: web.Request) -> web.StreamResponse:
        try:
            _check_origin(request)
            has_body = request.method in ("POST", "PUT")
            body = await _body(request) if has_body else dict(request.query)
            doing = run(lambda: work(request.match_info, body))
            return _answer(await asyncio.wrap_future(doing))
        except _TurnedAway as error:
            return _refusal(BadOrder(error.message), error.status)
        except threads.Busy as busy:
            turned_away = Unreachable(busy.message, hint="Try again in a moment.")
            return _refusal(turned_away, 503)
        except SeedanceError as error:
            return _refusal(error, 400 if isinstance(error, BadOrder) else 409)
        except Exception:
            host.log.exception("Seedance: the route %s failed.", work.__name__)
            failed = SeedanceError("This failed inside the Seedance pack; ComfyUI's log says more.")
            return _refusal(failed, 500)

    return handle


def guard() -> Middleware:
    """A middleware for our routes alone, to stand before ComfyUI's own: on a local server that one
    fails on an Origin that cannot be read, with a traceback. What ComfyUI itself answers there, a
    405 for instance, has our headers as well."""
    from aiohttp import web

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(_OURS):
            return await handler(request)
        origin = request.headers.get("Origin")
        if origin is not None and _host_of(origin) is None:
            response: web.StreamResponse = _refusal(BadOrder(say(_ELSEWHERE)), 403)
        else:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                error.headers.update(_HEADERS)
                raise
        response.headers.update(_HEADERS)
        return response

    return guarded


def _answer(result: Answer) -> web.StreamResponse:
    from aiohttp import web

    if isinstance(result, bytes):
        # A row's picture may change: a video that was lost is fetched again.
        cache = {"Cache-Control": "private, max-age=3600"}
        return web.Response(body=result, content_type="image/jpeg", headers=cache)
    if isinstance(result, File):
        return web.FileResponse(result)
    return web.json_response(result)


def _refusal(error: SeedanceError, status: int) -> web.Response:
    from aiohttp import web

    said = {"kind": error.kind, "message": error.message, "hint": error.hint, **error.sentences()}
    return web.json_response({"error": said}, status=status)


def _check_origin(request: web.Request) -> None:
    """Turn away what another site's page sends. Browsers say where a request comes from; programs
    that say nothing are the user's own."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        same = site in ("same-origin", "none")
    else:
        same = origin is None or _host_of(origin) == request.host.lower()
    if not same:
        raise _TurnedAway(403, say(_ELSEWHERE))


def _host_of(origin: str) -> str | None:
    """The host and port of an Origin header; None for what is none."""
    try:
        parts = urlsplit(origin)
        parts.port  # noqa: B018  (raises ValueError for a port that is none)
        return parts.netloc.lower()
    except ValueError:
        return None


async def _body(request: web.Request) -> Body:
    if request.content_type != "application/json":
        raise _TurnedAway(
            415, say("The body must be JSON, with the content type application/json.")
        )
    received = bytearray()
    async for block in request.content.iter_chunked(64 * 1024):
        received += block
        if len(received) > MAX_BODY:
            raise _TurnedAway(
                413, say("The body is larger than {most} KiB.", most=MAX_BODY // 1024)
            )
    try:
        body = json.loads(received or b"{}")
    except (ValueError, RecursionError):
        raise _TurnedAway(400, say("The body is not JSON.")) from None
    if not isinstance(body, dict):
        raise _TurnedAway(400, say("The body is not a JSON object."))
    return body
