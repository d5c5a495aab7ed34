"""Official clients as oracles: code that none of us wrote makes the same order as ours.

Each test lets both talk to the strict fake of the provider, compares what they sent field by field,
and what they understood of the answers. What differs on purpose is said in the test, with its
source. The clients are the extra `oracles`; nothing in the pack imports them.
"""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from fakes import Fake, Request

from seedance import wire
from seedance.addresses import origin
from seedance.order import Medium, Order
from seedance.providers import get
from seedance.transport import Credentials, Transport

PICTURE, END = "https://media.example/a.png", "https://media.example/b.png"
CLIP, SOUND = "https://media.example/a.mp4", "https://media.example/a.mp3"

FRAME = Medium.from_address("image", PICTURE)
REFERENCES = (
    Medium.from_address("image", PICTURE),
    Medium.from_address("image", END),
    Medium.from_address("video", CLIP),
    Medium.from_address("audio", SOUND),
)


def client(module: str) -> Any:
    """An official client's module; skips the test where it is not installed, and says why."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        pytest.skip(f"needs the official client, pip install '.[oracles]': {error}")


def provider_of(fake: Fake, mark: str = "") -> wire.Provider:
    """Our provider, configured for the fake."""
    return get(fake.provider)(wire.Config(fake.base_url, fake.upload_url), mark)


def hold(fake: Fake, flow: wire.Flow[Any]) -> Any:
    """Our side of a conversation with the fake, over our own transport."""
    scheme = get(fake.provider).auth_scheme
    transport = Transport(Credentials(scheme, fake.key, frozenset({origin(fake.url)})))
    reply = None
    try:
        while True:
            step = flow.send(reply)  # type: ignore[arg-type]
            reply = transport.perform(step) if isinstance(step, wire.Call) else wire.Reply(0)
    except StopIteration as stop:
        return stop.value
    finally:
        transport.close()


def submit(fake: Fake, order: Order, delivered: wire.Delivered, mark: str = "") -> wire.Ticket:
    """Make the order as we do."""
    flow = provider_of(fake, mark).submit(order, delivered)
    return hold(fake, flow)  # type: ignore[no-any-return]


def finish(fake: Fake, ticket: wire.Ticket) -> wire.Status:
    """Ask until the task is at its end, as we do."""
    while True:
        status = hold(fake, provider_of(fake).check(ticket))
        if not isinstance(status, wire.Running):
            return status  # type: ignore[no-any-return]


def sent(request: Request) -> dict[str, Any]:
    """What of a request the provider acts on."""
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "authorization": request.headers.get("authorization"),
        "json": request.json,
    }


def last_two(fake: Fake) -> tuple[dict[str, Any], dict[str, Any]]:
    """The last two requests, to be compared."""
    before, last = fake.requests[-2:]
    return sent(before), sent(last)
