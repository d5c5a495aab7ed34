"""HTTP endpoints for the page (web/): providers, keys, settings, a check of an order, the journal.

Owns what may come in and go out over HTTP. Keys go in and never out. Each handler is a plain
function of (what the path says, the JSON body or the query) that runs in a thread, never on the
server's loop; it gives JSON-like values, the bytes of a JPEG, or a file.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path as File
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from server import PromptServer

from ..seedance import providers
from ..seedance.errors import BadOrder, SeedanceError
from . import from_page, history, host

if TYPE_CHECKING:
    from aiohttp import web

Path = Mapping[str, str]
Body = dict[str, Any]
Work = Callable[[Path, Body], Any]

MAX_BODY = 256 * 1024  # bytes; a long prompt is a few thousand
SECRET = frozenset({"access_key_id", "secret_access_key"})
BUCKET = frozenset({"bucket", "endpoint", "region", "prefix", "keep"}) | SECRET
BUDGET = frozenset({"day", "month", "unknown_price"})
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")

# Another site's page must not embed what we answer, nor take it for a script.
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}

_routes: list[tuple[str, str, Work]] = []


def _route(method: str, path: str) -> Callable[[Work], Work]:
    def add(work: Work) -> Work:
        _routes.append((method, path, work))
        return work

    return add


def register() -> None:
    """Add the routes to ComfyUI's server, while it loads its packs."""
    server = getattr(PromptServer, "instance", None)
    if server is not None:
        for method, path, work in _routes:
            server.routes.route(method, path)(_handler(work))
        server.app.on_response_prepare.append(_revalidate)


async def _revalidate(request: web.Request, response: web.StreamResponse) -> None:
    """Let browsers ask whether a module of ours has changed before they use the one they have.
    ComfyUI does so for *.js, all of which it also loads at its start; ours are *.mjs, so that they
    are loaded only when something of ours is looked at."""
    if request.path.startswith("/extensions/") and request.path.endswith(".mjs"):
        response.headers.setdefault("Cache-Control", "no-cache")


# ---------------------------------------------------------------------------------------- providers


@_route("GET", "/seedance/providers")
def list_providers(_path: Path, _body: Body) -> list[dict[str, Any]]:
    """What each provider can do, and where its key comes from."""
    from ..seedance.capabilities import capabilities

    return [
        {
            **capabilities(provider),
            "adaptive": {
                name: sorted(model.adaptive) for name, model in provider.limits.models.items()
            },
            "result_life": provider.limits.result_life,
            "cancel_is_free": provider.cancel_is_free,
            "key": host.settings().key_source(provider.id),
        }
        for provider in providers.registry().values()
    ]


@_route("PUT", "/seedance/keys/{provider}")
def set_key(path: Path, body: Body) -> dict[str, Any]:
    host.settings().set_key(path["provider"], from_page.text(body, "key"))
    return {"key": host.settings().key_source(path["provider"])}


@_route("DELETE", "/seedance/keys/{provider}")
def remove_key(path: Path, _body: Body) -> dict[str, Any]:
    host.settings().remove_key(path["provider"])
    return {"key": host.settings().key_source(path["provider"])}


@_route("POST", "/seedance/keys/{provider}/test")
def test_key(path: Path, _body: Body) -> dict[str, Any]:
    """A free request that only a good key can make."""
    balance = host.runner().probe_key(path["provider"])
    return {"account": balance.account, "left": balance.left.as_dict() if balance.left else None}


# ----------------------------------------------------------------------------------------- settings


@_route("GET", "/seedance/settings")
def get_settings(_path: Path, _body: Body) -> dict[str, Any]:
    """Base URLs, bucket and budget; of a secret only that it is there. `environment` names the
    variables that are set: what they say wins over what is stored here."""
    settings = host.settings()
    bucket = settings.section("s3", "SEEDANCE_S3")
    return {
        "base_urls": {provider_id: _base_url(provider_id) for provider_id in providers.ids()},
        "bucket": {
            name: name in SECRET or value for name, value in bucket.items() if name in BUCKET
        },
        "budget": settings.budget,
        "environment": sorted(name for name in os.environ if name.startswith("SEEDANCE_")),
    }


def _base_url(provider_id: str) -> str | None:
    try:
        return host.settings().config(provider_id).base_url
    except BadOrder:
        return None


@_route("PUT", "/seedance/settings")
def put_settings(_path: Path, body: Body) -> dict[str, Any]:
    """Change what `body` names of `base_urls`, `bucket` and `budget`, all of it or, where a value
    is refused, nothing; null resets a value."""
    urls = _group(body, "base_urls", frozenset(providers.ids()))
    bucket = _group(body, "bucket", BUCKET)
    budget = _group(body, "budget", BUDGET)
    for name, value in budget.items():
        if value is not None and not _AMOUNT.fullmatch(value):
            raise BadOrder(f"The budget's {name} must be an amount in USD, not {value[:40]!r}.")
    settings = host.settings()
    if {"endpoint", "bucket"} & bucket.keys():
        # Like a provider's key, the bucket's is for the place that it was stored for.
        bucket = {**dict.fromkeys(SECRET), **bucket}
    removed = settings.change(urls, {"s3": bucket, "budget": budget})
    return {**get_settings(_path, {}), "keys_removed": removed}


def _group(body: Body, name: str, known: frozenset[str]) -> dict[str, str | None]:
    values = body.get(name, {})
    if not isinstance(values, dict) or not values.keys() <= known:
        raise BadOrder(f"{name} must be an object of: {', '.join(sorted(known))}.")
    if not all(value is None or isinstance(value, (str, int, float)) for value in values.values()):
        raise BadOrder(f"A value in {name} is neither text, a number nor null.")
    return {key: None if value in (None, "") else str(value) for key, value in values.items()}


# ------------------------------------------------------------------------------------------ orders


@_route("POST", "/seedance/check")
def check(_path: Path, body: Body) -> dict[str, Any]:
    """What each provider would be sent, and for how much; `auto` is the one that auto would take.
    `body` holds fields of an order with media as addresses, or a node. Sends nothing."""
    from ..seedance.runner import quotes

    order, runner = from_page.order_of(body), host.runner()
    found = runner.check(order)
    try:
        auto = quotes.prepare(replace(order, provider=quotes.AUTO), runner.settings).provider.id
    except SeedanceError:
        auto = None
    return {"quotes": [quote.as_dict() for quote in found], "auto": auto}


# ------------------------------------------------------------------------------------- the journal


@_route("GET", "/seedance/tasks")
def list_tasks(_path: Path, query: Body) -> list[dict[str, Any]]:
    """The newest rows: at most `limit`, of which `since` leaves those that changed since then."""
    return history.rows(query)


@_route("GET", "/seedance/totals")
def totals(_path: Path, query: Body) -> list[dict[str, Any]]:
    """What was spent in the last `days` days."""
    return history.totals(query)


@_route("GET", r"/seedance/tasks/{row:\d+}")
def one_task(path: Path, _query: Body) -> dict[str, Any]:
    """A row with its order."""
    return history.order(_row(path))


@_route("GET", r"/seedance/tasks/{row:\d+}/thumbnail")
def thumbnail(path: Path, _query: Body) -> bytes:
    """The last frame, small, as JPEG."""
    return history.thumbnail(_row(path))


@_route("GET", r"/seedance/tasks/{row:\d+}/video")
def video(path: Path, _query: Body) -> File:
    """The saved file."""
    return history.video(_row(path))


@_route("POST", r"/seedance/tasks/{row:\d+}/collect")
def collect(path: Path, _body: Body) -> dict[str, Any]:
    """Begin to fetch a task's video; the journal shows what becomes of it."""
    runner = host.runner()
    ticket = runner.journal.get(_row(path)).task
    if ticket is None:
        raise BadOrder("This row has no ticket, so there is nothing to collect.")
    job = runner.collect(ticket)
    job.release()  # nobody waits here, so that it can be cancelled
    return {"row": job.row}


@_route("POST", r"/seedance/tasks/{row:\d+}/cancel")
def cancel(path: Path, _body: Body) -> dict[str, Any]:
    return {"message": host.runner().cancel(_row(path))}


@_route("POST", r"/seedance/tasks/{row:\d+}/forget")
def forget(path: Path, _body: Body) -> dict[str, Any]:
    row: dict[str, Any] = host.runner().forget(_row(path)).as_dict()
    return row


def _row(path: Path) -> int:
    number = path["row"]
    if len(number) > 18:  # more than a database's integer
        raise BadOrder(f"There is no row {number[:20]}... in the journal.")
    return int(number)


# ------------------------------------------------------------------------------- what may come in


class _NotAllowed(Exception):
    """A request that is turned away before it is read: its HTTP status and why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _handler(work: Work) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = await respond(request)
        response.headers.update(_HEADERS)
        return response

    async def respond(request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        try:
            _check_origin(request)
            has_body = request.method in ("POST", "PUT")
            body = await _body(request) if has_body else dict(request.query)
            doing = host.in_thread(lambda: work(request.match_info, body))
            return _answer(await asyncio.wrap_future(doing))
        except _NotAllowed as error:
            return web.json_response(_error("BadOrder", str(error), ""), status=error.status)
        except SeedanceError as error:
            status = 400 if isinstance(error, BadOrder) else 409
            return web.json_response(_error(error.kind, error.message, error.hint), status=status)
        except Exception:
            host.log.exception("Seedance: the route %s failed.", work.__name__)
            message = "This failed inside the Seedance pack; ComfyUI's log says more."
            return web.json_response(_error("SeedanceError", message, ""), status=500)

    return handle


def _answer(result: Any) -> web.StreamResponse:
    from aiohttp import web

    if isinstance(result, bytes):
        # A row's picture may change: a video that was lost is fetched again.
        cache = {"Cache-Control": "private, max-age=3600"}
        return web.Response(body=result, content_type="image/jpeg", headers=cache)
    if isinstance(result, File):
        return web.FileResponse(result)
    return web.json_response(result)


def _error(kind: str, message: str, hint: str) -> dict[str, Any]:
    return {"error": {"kind": kind, "message": message, "hint": hint}}


def _check_origin(request: web.Request) -> None:
    """Turn away what another site's page sends. Browsers say where a request comes from; programs
    that say nothing are the user's own."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        same = site in ("same-origin", "none")
    else:
        same = origin is None or urlsplit(origin).netloc.lower() == request.host.lower()
    if not same:
        raise _NotAllowed(403, "This request comes from another site.")


async def _body(request: web.Request) -> Body:
    if request.content_type != "application/json":
        raise _NotAllowed(415, "The body must be JSON, with the content type application/json.")
    received = bytearray()
    async for block in request.content.iter_chunked(64 * 1024):
        received += block
        if len(received) > MAX_BODY:
            raise _NotAllowed(413, f"The body is larger than {MAX_BODY // 1024} KiB.")
    try:
        body = json.loads(received or b"{}")
    except (ValueError, RecursionError):
        raise _NotAllowed(400, "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise _NotAllowed(400, "The body is not a JSON object.")
    return body
