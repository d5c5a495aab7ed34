"""The page's routes (web/seedance/server.mjs): providers, keys, settings, a check of an order, the
journal.

Each is a plain function of what the path says and of the JSON body or the query, and runs in a
thread. Keys go in and never out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path as File
from typing import TYPE_CHECKING, Any, TypeVar

from server import PromptServer

from ..seedance import providers
from ..seedance.errors import BadOrder, SeedanceError
from ..seedance.said import Said
from . import (
    asset_list,
    examples,
    from_page,
    handler,
    history,
    host,
    latest_news,
    media_again,
    queue_sum,
    shot_list,
    threads,
)
from .handler import Answer, Body, Path
from .partial_failures import partial_failures

if TYPE_CHECKING:
    from aiohttp import web

SECRET = frozenset({"access_key_id", "secret_access_key"})
BUCKET = frozenset({"bucket", "endpoint", "region", "prefix", "keep"}) | SECRET
BUDGET = frozenset({"day", "month", "unknown_price", "max_usd"})
# What an address or a name of a bucket can be, and an example.
_OF_A_BUCKET = (
    (
        "endpoint",
        re.compile(
            r"(https://[A-Za-z0-9.-]{1,253}|http://(127\.0\.0\.1|localhost))"
            r"(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]{0,200})?"
        ),
        "https://s3.eu-central-1.amazonaws.com",
    ),
    (
        "bucket",
        re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
        "my-media: 3 to 63 small letters, digits, dots and hyphens",
    ),
    ("region", re.compile(r"[a-z0-9-]{1,40}"), "eu-central-1, or auto"),
    ("prefix", re.compile(r"[A-Za-z0-9!_.*'()/-]{1,200}"), "seedance/"),
    ("keep", re.compile(r"[A-Za-z0-9]{1,5}"), "1"),
)
_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/{}@-]{0,199}")
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")

Work = TypeVar("Work", bound=handler.Work)

_routes: list[tuple[str, str, handler.Handler]] = []


def _route(
    method: str, path: str, run: threads.Run[Answer] = threads.in_page_thread
) -> Callable[[Work], Work]:
    def add(work: Work) -> Work:
        _routes.append((method, path, handler.handler_of(work, run)))
        return work

    return add


def register() -> None:
    """Add the routes to ComfyUI's server, while it loads its packs."""
    server: PromptServer | None = getattr(PromptServer, "instance", None)
    if server is not None:
        for method, path, handle in _routes:
            server.routes.route(method, path)(handle)
        server.app.middlewares.insert(0, handler.guard())
        server.app.on_response_prepare.append(_revalidate)
        server.app.on_response_prepare.append(examples.for_answer)


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

    settings = host.settings()
    return [
        {
            **capabilities(provider),
            "adaptive": {
                name: sorted(model.adaptive) for name, model in provider.limits.models.items()
            },
            "result_life": provider.limits.result_life,
            "cancel_is_free": provider.cancel_is_free,
            "choices": {name: list(values) for name, values in provider.choices.items()},
            "names_no_models": provider.names_no_models,
            "key": settings.key_source(provider.id),
            "assets": {
                "key": settings.signing_key_source(provider.id),
                "variables": list(provider.asset_key_variables),
            }
            if provider.can("assets")
            else None,
        }
        for provider in map(settings.configured, providers.ids())
    ]


@_route("PUT", "/seedance/keys/{provider}")
def set_key(path: Path, body: Body) -> dict[str, Any]:
    host.settings().set_key(path["provider"], from_page.text(body, "key"))
    return {"key": host.settings().key_source(path["provider"])}


@_route("DELETE", "/seedance/keys/{provider}")
def remove_key(path: Path, _body: Body) -> dict[str, Any]:
    host.settings().remove_key(path["provider"])
    return {"key": host.settings().key_source(path["provider"])}


@_route("POST", "/seedance/keys/{provider}/test", threads.in_network_thread)
def test_key(path: Path, _body: Body) -> dict[str, Any]:
    """A free request that only a good key can make."""
    balance = host.runner().probe_key(path["provider"])
    account = Said.of(balance.account)
    return {
        "account": str(account),
        **({"said": account.as_dict()} if account.code else {}),
        "left": balance.left.as_dict() if balance.left else None,
    }


@_route("PUT", "/seedance/keys/{provider}/assets")
def set_signing_key(path: Path, body: Body) -> dict[str, Any]:
    """The key of a provider's asset library; it goes in and never out."""
    halves = (from_page.text(body, name) for name in ("access_key_id", "secret_access_key"))
    host.settings().set_signing_key(path["provider"], *halves)
    return {"key": host.settings().signing_key_source(path["provider"])}


@_route("DELETE", "/seedance/keys/{provider}/assets")
def remove_signing_key(path: Path, _body: Body) -> dict[str, Any]:
    host.settings().remove_signing_key(path["provider"])
    return {"key": host.settings().signing_key_source(path["provider"])}


@_route("POST", "/seedance/keys/{provider}/assets/test", threads.in_network_thread)
def test_signing_key(path: Path, _body: Body) -> dict[str, Any]:
    """A free request that only a good signing key can make."""
    host.runner().assets.probe_key(path["provider"])
    return {"works": True}


@_route("GET", "/seedance/said")
def list_said(_path: Path, query: Body) -> list[dict[str, Any]]:
    """What the nodes of a workflow said last of their runs."""
    return latest_news.of(from_page.text(query, "workflow"))


# ----------------------------------------------------------------------------------------- settings


@_route("GET", "/seedance/settings")
def get_settings(_path: Path, _body: Body) -> dict[str, Any]:
    """Base URLs, what else is set for a provider, bucket and budget; of a secret only that it is
    there. `environment` names the variables that are set: what they say wins over what is stored
    here."""
    settings = host.settings()
    bucket = settings.section("s3", "SEEDANCE_S3")
    return {
        "base_urls": {provider_id: _base_url(provider_id) for provider_id in providers.ids()},
        "bucket": {
            name: name in SECRET or value for name, value in bucket.items() if name in BUCKET
        },
        "providers": {
            provider_id: _own(provider_id) for provider_id in _with_values_of_their_own()
        },
        "budget": settings.budget,
        "max_usd": settings.max_usd,  # for one queued graph; 0 is no limit
        "environment": sorted(name for name in os.environ if name.startswith("SEEDANCE_")),
    }


def _base_url(provider_id: str) -> str | None:
    try:
        return host.settings().config(provider_id).base_url
    except BadOrder:
        return None


def _with_values_of_their_own() -> list[str]:
    """The providers for which more is set than an address and a key."""
    return [
        name for name, each in providers.registry().items() if each.names_no_models or each.choices
    ]


def _own(provider_id: str) -> dict[str, Any]:
    try:
        return host.settings().own(provider_id)
    except BadOrder:
        return {}


@_route("PUT", "/seedance/settings")
def put_settings(_path: Path, body: Body) -> dict[str, Any]:
    """Change what `body` names of `base_urls`, `providers`, `bucket` and `budget`, all of it or,
    where a value is refused, nothing; null resets a value."""
    urls = _group(body, "base_urls", frozenset(providers.ids()))
    own = _providers(body)
    bucket = _group(body, "bucket", BUCKET)
    budget = _group(body, "budget", BUDGET)
    for name, value in budget.items():
        if value is not None and not _AMOUNT.fullmatch(value):
            raise BadOrder(
                "The budget's {name} must be an amount in USD, not {value}.",
                name=name,
                value=repr(value[:40]),
            )
    _check_bucket(bucket)
    settings = host.settings()
    if {"endpoint", "bucket"} & bucket.keys():
        # Like a provider's key, the bucket's is for the place that it was stored for.
        bucket = {**dict.fromkeys(SECRET), **bucket}
    removed = settings.change(urls, {"s3": bucket, "budget": budget}, own)
    return {**get_settings(_path, {}), "keys_removed": removed}


@_route("POST", "/seedance/bucket/test", threads.in_network_thread)
def test_bucket(_path: Path, _body: Body) -> dict[str, Any]:
    """Put a small object into the bucket, read it and delete it."""
    return {"bucket": host.runner().try_bucket()}


def _check_bucket(values: dict[str, str | None]) -> None:
    """Raise BadOrder for an address or a name that no bucket can have."""
    for name, pattern, example in _OF_A_BUCKET:
        value = values.get(name)
        if value is not None and not pattern.fullmatch(value.strip()):
            raise BadOrder(
                "The bucket's {name} cannot be {value}.",
                hint="It looks like {example}.",
                name=name,
                value=repr(value[:80]),
                example=example,
            )


def _providers(body: Body) -> dict[str, dict[str, Any]]:
    """What is to be set for providers. Raises BadOrder for what cannot be there."""
    able = _with_values_of_their_own()
    given = body.get("providers", {})
    if not isinstance(given, dict) or not given.keys() <= {*able}:
        raise BadOrder("providers must be an object of: {able}.", able=", ".join(able))
    for provider_id, values in given.items():
        known = {"models", *providers.get(provider_id).choices}
        if not isinstance(values, dict) or not values.keys() <= known:
            raise BadOrder(
                "{provider_id} must be an object of: {names}.",
                provider_id=provider_id,
                names=", ".join(sorted(known)),
            )
        models = values.get("models") or {}
        ids = models.values() if isinstance(models, dict) else ()
        if not all(isinstance(one, str) and _MODEL_ID.fullmatch(one) for one in ids):
            raise BadOrder(
                "A model's id is a text of at most 200 letters without blanks.",
                hint="It looks like doubao-seedance-2-0-260128.",
            )
    return {
        provider_id: {name: value or None for name, value in values.items()}
        for provider_id, values in given.items()
    }


def _group(body: Body, name: str, known: frozenset[str]) -> dict[str, str | None]:
    values = body.get(name, {})
    if not isinstance(values, dict) or not values.keys() <= known:
        raise BadOrder(
            "{name} must be an object of: {names}.", name=name, names=", ".join(sorted(known))
        )
    if not all(value is None or isinstance(value, (str, int, float)) for value in values.values()):
        raise BadOrder("A value in {name} is neither text, a number nor null.", name=name)
    return {key: None if value in (None, "") else str(value) for key, value in values.items()}


# ------------------------------------------------------------------------------------------ orders


@_route("POST", "/seedance/check", threads.in_check_thread)
def check(_path: Path, body: Body) -> dict[str, Any]:
    """What each provider would be sent, and for how much; `auto` is the one that auto would take.
    `body` holds fields of an order with media as addresses, or a node. With `prompt`, an object of
    nodes as ComfyUI's API has it, the answer is what all of them would order now: `{usd, orders,
    unknown, max_usd}`. Of a storyboard it is `{storyboard: {shots, to_make, free, usd, unknown,
    problem}}`. Orders nothing."""
    from ..seedance.runner import quotes

    if isinstance(body.get("prompt"), dict):
        return queue_sum.answer(body["prompt"])
    runner = host.runner()
    if body.get("node") == shot_list.STORYBOARD:
        return {"quotes": [], "auto": None, "storyboard": shot_list.answer(body, runner)}
    order = runner.assets.named(from_page.order_of(body))
    found = runner.check(order)
    try:
        auto = quotes.prepare(replace(order, provider=providers.AUTO), runner.settings).provider.id
    except SeedanceError:
        auto = None
    return {"quotes": [quote.as_dict() for quote in found], "auto": auto}


# ------------------------------------------------------------------------------------- assets


@_route("GET", "/seedance/assets")
def list_assets(_path: Path, _query: Body) -> list[dict[str, Any]]:
    """All assets, as this machine and the journal know them."""
    return asset_list.rows()


@_route("POST", "/seedance/assets/refresh", threads.in_network_thread)
def refresh_assets(_path: Path, _body: Body) -> dict[str, Any]:
    """The same after the libraries were asked: `{assets, problems}`."""
    return asset_list.refreshed()


@_route("GET", "/seedance/assets/picture", threads.in_network_thread)
def asset_picture(_path: Path, query: Body) -> bytes:
    """A picture of an asset, small, as JPEG."""
    return asset_list.picture(query)


@_route("POST", "/seedance/assets/remove", threads.in_network_thread)
def remove_asset(_path: Path, body: Body) -> list[dict[str, Any]]:
    """Delete the assets of a name, or of a handle, at one provider."""
    return asset_list.remove(body)


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


@_route("POST", "/seedance/media")
def bring_media(_path: Path, body: Body) -> list[dict[str, Any]]:
    """The media of an order, for ComfyUI's Load nodes: `[{file}]`, null for what is not here."""
    return media_again.bring(body.get("media"))


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


@_route("POST", r"/seedance/tasks/{row:\d+}/cancel", threads.in_network_thread)
def cancel(path: Path, _body: Body) -> dict[str, Any]:
    said = Said.of(host.runner().cancel(_row(path)))
    parts = said.as_dict()
    made_of = {"code": parts["code"], "values": parts["values"]} if said.code else {}
    return {"message": parts["text"], **made_of}


@_route("POST", r"/seedance/tasks/{row:\d+}/forget")
def forget(path: Path, _body: Body) -> dict[str, Any]:
    row = host.runner().forget(_row(path))
    partial_failures.forget(row.id)
    return dict(row.as_dict())


def _row(path: Path) -> int:
    number = path["row"]
    if len(number) > 18:  # more than a database's integer
        raise BadOrder("There is no row {number} in the journal.", number=f"{number[:20]}...")
    return int(number)
