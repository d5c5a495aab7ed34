"""HTTP endpoints for the page (web/): providers, keys, settings, a check of an order, the journal.

Owns what may come in and go out over HTTP. Keys go in and never out. Each handler is a plain
function of (what the path says, the JSON body) that runs in a thread, never on the server's loop.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from server import PromptServer

from ..seedance import providers
from ..seedance.errors import BadOrder, SeedanceError
from ..seedance.order import Medium, Order
from ..seedance.providers import _summary as summary
from . import host

if TYPE_CHECKING:
    from aiohttp import web

    from ..seedance.runner import Quote

Path = Mapping[str, str]
Body = dict[str, Any]
Work = Callable[[Path, Body], Any]

MAX_BODY = 256 * 1024  # bytes; a long prompt is a few thousand
SECRET = frozenset({"access_key_id", "secret_access_key"})
BUCKET = frozenset({"bucket", "endpoint", "region", "prefix", "keep"}) | SECRET
BUDGET = frozenset({"day", "month", "unknown_price"})

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


# ---------------------------------------------------------------------------------------- providers


@_route("GET", "/seedance/providers")
def list_providers(_path: Path, _body: Body) -> list[dict[str, Any]]:
    """What each provider can do, and where its key comes from."""
    return [
        {**summary.capabilities(provider), "key": host.settings().key_source(provider.id)}
        for provider in providers.registry().values()
    ]


@_route("PUT", "/seedance/keys/{provider}")
def set_key(path: Path, body: Body) -> dict[str, Any]:
    host.settings().set_key(path["provider"], _text(body, "key"))
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
    """Base URLs, bucket and budget; of a secret only that it is there."""
    settings = host.settings()
    bucket = settings.section("s3", "SEEDANCE_S3")
    return {
        "base_urls": {provider_id: _base_url(provider_id) for provider_id in providers.ids()},
        "bucket": {name: name in SECRET or value for name, value in bucket.items()},
        "budget": settings.budget,
    }


def _base_url(provider_id: str) -> str | None:
    try:
        return host.settings().config(provider_id).base_url
    except BadOrder:
        return None


@_route("PUT", "/seedance/settings")
def put_settings(_path: Path, body: Body) -> dict[str, Any]:
    """Change what `body` names of `base_urls`, `bucket` and `budget`; null resets a value."""
    urls = _group(body, "base_urls", frozenset(providers.ids()))
    bucket = _group(body, "bucket", BUCKET)
    budget = _group(body, "budget", BUDGET)
    for name, value in budget.items():
        if value is not None and not value.replace(".", "", 1).isdecimal():
            raise BadOrder(f"The budget's {name} must be an amount in USD, not {value[:40]!r}.")
    settings = host.settings()
    if {"endpoint", "bucket"} & bucket.keys():
        # Like a provider's key, the bucket's is for the place that it was stored for.
        bucket = {**dict.fromkeys(SECRET), **bucket}
    removed = [name for name, url in urls.items() if settings.set_base_url(name, url)]
    settings.set_section("s3", bucket)
    settings.set_section("budget", budget)
    return {**get_settings(_path, {}), "keys_removed": removed}


def _group(body: Body, name: str, known: frozenset[str]) -> dict[str, str | None]:
    values = body.get(name, {})
    if not isinstance(values, dict) or not values.keys() <= known:
        raise BadOrder(f"{name} must be an object of: {', '.join(sorted(known))}.")
    if not all(value is None or isinstance(value, (str, int, float)) for value in values.values()):
        raise BadOrder(f"A value in {name} is neither text, a number nor null.")
    return {key: None if value in (None, "") else str(value) for key, value in values.items()}


# -------------------------------------------------------------------------------------------- orders


@_route("POST", "/seedance/check")
def check(_path: Path, body: Body) -> list[dict[str, Any]]:
    """What each provider would be sent, and for how much. `body` holds fields of an Order, its
    media as addresses. Sends nothing."""
    return [_quote(quote) for quote in host.runner().check(_order(body))]


def _order(body: Body) -> Order:
    defaults = Order()
    values = dict(body)
    for name, kind in (("first_frame", "image"), ("last_frame", "image"), ("video", "video")):
        if name in body:
            values[name] = Medium.from_address(kind, _text(body, name))  # type: ignore[arg-type]
    values["references"] = tuple(_reference(item) for item in _list(body, "references"))
    for name, value in values.items():
        expected = getattr(defaults, name, _UNKNOWN)
        if expected is _UNKNOWN:
            raise BadOrder(f"An order has no {name[:40]!r}.")
        if isinstance(expected, (str, int)) and type(value) is not type(expected):
            raise BadOrder(f"{name} must be {type(expected).__name__}.")
    if not isinstance(values.get("extra", {}), dict):
        raise BadOrder("extra must be an object keyed by provider id.")
    return Order(**values)


_UNKNOWN = object()


def _list(body: Body, name: str) -> list[Any]:
    value = body.get(name, [])
    if not isinstance(value, list):
        raise BadOrder(f"{name} must be a list.")
    return value


def _reference(item: Any) -> Medium:
    if not isinstance(item, dict) or item.get("kind") not in ("image", "video", "audio"):
        raise BadOrder('A reference looks like {"kind": "image", "address": "https://..."}.')
    return Medium.from_address(item["kind"], _text(item, "address"))


def _quote(quote: Quote) -> dict[str, Any]:
    return {
        "provider": quote.provider,
        "payload": quote.payload,
        "changes": [change.as_dict() for change in quote.changes],
        "notes": list(quote.notes),
        "price": {**quote.price.as_dict(), "as_of": quote.price.as_of} if quote.price else None,
        "media": list(quote.media),
        "problem": quote.problem.as_dict() if quote.problem else None,
    }


# --------------------------------------------------------------------------------------- the journal


@_route("GET", "/seedance/tasks")
def list_tasks(_path: Path, _body: Body) -> list[dict[str, Any]]:
    """The newest rows."""
    return [row.as_dict() for row in host.runner().tasks(limit=200)]


@_route("POST", r"/seedance/tasks/{row:\d+}/collect")
def collect(path: Path, _body: Body) -> dict[str, Any]:
    """Begin to fetch a task's video; the journal shows what becomes of it."""
    runner = host.runner()
    ticket = runner.journal.get(int(path["row"])).task
    if ticket is None:
        raise BadOrder("This row has no ticket, so there is nothing to collect.")
    return {"row": runner.collect(ticket).row}


@_route("POST", r"/seedance/tasks/{row:\d+}/cancel")
def cancel(path: Path, _body: Body) -> dict[str, Any]:
    return {"message": host.runner().cancel(int(path["row"]))}


@_route("POST", r"/seedance/tasks/{row:\d+}/forget")
def forget(path: Path, _body: Body) -> dict[str, Any]:
    row: dict[str, Any] = host.runner().forget(int(path["row"])).as_dict()
    return row


# ------------------------------------------------------------------------------- what may come in


class _NotAllowed(Exception):
    """A request that is turned away before it is read: its HTTP status and why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _handler(work: Work) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        from aiohttp import web

        try:
            _check_origin(request)
            body = await _body(request) if request.method in ("POST", "PUT") else {}
            doing = host.in_thread(lambda: work(request.match_info, body))
            return web.json_response(await asyncio.wrap_future(doing))
        except _NotAllowed as error:
            return web.json_response(_error("BadOrder", str(error), ""), status=error.status)
        except SeedanceError as error:
            status = 400 if isinstance(error, BadOrder) else 409
            return web.json_response(_error(error.kind, error.message, error.hint), status=status)
        except Exception:
            host.log.exception("Seedance: %s %s failed.", request.method, request.path)
            message = "This failed inside the Seedance pack; ComfyUI's log says more."
            return web.json_response(_error("SeedanceError", message, ""), status=500)

    return handle


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


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadOrder(f"{name} must be a text that is not empty.")
    return value
