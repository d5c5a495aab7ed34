"""Live prices: what a provider's free price list says today, kept for a day in the home folder.

They are never needed. Without one, and after any failure, the dated price list holds.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from .. import providers
from ..errors import SeedanceError
from ..files import write_atomically
from ..journal import believed
from ..money import Money
from ..order import Order
from ..settings import Settings
from ..texts import logger_of
from ..transport import Stop
from ..wire import Call, Flow, Provider, Reply
from .client import Client, Stopped

logger = logger_of(__name__)

T = TypeVar("T")

FILE = "live_prices.json"
KEPT_SECONDS = 24 * 3600.0
FAILURE_SECONDS = 3600.0  # so long a list that failed is not asked again
ASKED_SECONDS = 3.0  # what a person waits at most
LONGEST_ANSWER = 16_384  # bytes; recorded ones have up to 5000


def refresh(
    order: Order,
    provider_ids: Iterable[str],
    settings: Settings,
    client_for: Callable[[str], Client],
) -> bool:
    """Ask these providers for their prices, where a key of theirs is set and what is kept is a day
    old; returns whether any was asked. Takes a few seconds at most; never raises for what they
    answer."""
    asked = False
    for provider_id in provider_ids:
        if not providers.get(provider_id).can("live_price"):
            continue
        with contextlib.suppress(SeedanceError):
            if not settings.key_source(provider_id):
                continue
            client = client_for(provider_id)
            call = _call(client.provider, order)
            if call is not None and _fresh(_read(settings.home).get(call.url)) is None:
                asked = True
                _keep(settings.home, call.url, _ask(client, call))
    return asked


def price_of(
    order: Order, provider: Provider, home: Path, clip_seconds: float | None
) -> Money | None:
    """The price of a fitted order: the live one that is kept, if it has sense beside the dated
    price list; otherwise by that list. It asks nobody."""
    listed = provider.estimate(order, clip_seconds)
    if not provider.can("live_price"):
        return listed
    flow = provider.live_price(order, clip_seconds)
    told: Money | None = None
    try:
        call = next(flow)
        if isinstance(call, Call) and (body := _fresh(_read(home).get(call.url))):
            flow.send(Reply(200, body=body.encode()))
    except StopIteration as end:
        told = end.value
    except SeedanceError as error:
        logger.warning("%s's live price cannot be read: %s", provider.name, error)
    return believed(told, listed) or listed


def _call(provider: Provider, order: Order) -> Call | None:
    """The free call for the order's price."""
    if order.model not in provider.limits.models:
        return None
    step = next(provider.live_price(order), None)
    return step if isinstance(step, Call) and not step.spends and not step.auth else None


def ask_briefly(client: Client, flow: Flow[T]) -> T | None:
    """What a flow gives that costs nothing, None where that takes longer than a person waits, or
    fails."""
    stop = Stop()
    alarm = threading.Timer(ASKED_SECONDS, stop.set)
    alarm.daemon = True
    alarm.start()
    try:
        return client.run(flow, polling=True, stop=stop)
    except (SeedanceError, Stopped) as error:
        logger.info("%s's live prices: %s", client.provider.name, error or "no answer in time")
        return None
    finally:
        alarm.cancel()


def _ask(client: Client, call: Call) -> str:
    """The answer, empty where there is none of use in time."""
    reply = ask_briefly(client, _one(call))
    if reply is None:
        return ""
    usable = reply.status == 200 and len(reply.body) <= LONGEST_ANSWER
    return reply.body.decode("utf-8", "replace") if usable else ""


def _one(call: Call) -> Flow[Reply]:
    return (yield call)


def _read(home: Path) -> dict[str, Any]:
    try:
        record = json.loads((home / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _keep(home: Path, url: str, body: str) -> None:
    kept = {name: each for name, each in _read(home).items() if _fresh(each) is not None}
    record = {**kept, url: {"at": time.time(), "body": body}}
    with contextlib.suppress(OSError):  # then it is asked again
        home.mkdir(parents=True, exist_ok=True)
        write_atomically(home / FILE, json.dumps(record))


def _fresh(kept: Any) -> str | None:
    """The answer in a record of the file, empty for a failure; None where it is too old or none."""
    body, at = (kept.get("body"), kept.get("at")) if isinstance(kept, dict) else (None, None)
    if not isinstance(body, str) or not isinstance(at, (int, float)):
        return None
    lasts = KEPT_SECONDS if body else FAILURE_SECONDS
    return body if 0 <= time.time() - at < lasts else None
