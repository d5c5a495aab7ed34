"""Which provider serves an order, what will be sent, and what it costs: all before sending.

Owns `auto` and the preview of a payload. Must not send anything.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .. import providers
from ..addresses import ForbiddenAddress, check_public_url
from ..errors import BadOrder, NeedsKey, SeedanceError
from ..fit import Change, check_handles, check_words, fit, spelled
from ..money import Money
from ..order import Order, plain
from ..settings import Settings
from ..wire import Call, Provider
from . import delivery

AUTO = "auto"


@dataclass(frozen=True)
class Choice:
    """An order fitted to a configured provider, and its price there."""

    provider: Provider
    order: Order
    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    price: Money | None


@dataclass(frozen=True)
class Quote:
    """What one provider would make of an order. `problem` says why it would not."""

    provider: str
    payload: Any = None
    url: str = ""
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    price: Money | None = None
    media: tuple[str, ...] = ()
    key: str | None = None
    problem: SeedanceError | None = field(default=None)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form for the command line and the page."""
        return {
            "provider": self.provider,
            "url": self.url,
            "payload": self.payload,
            "changes": [change.as_dict() for change in self.changes],
            "notes": list(self.notes),
            "price": {**self.price.as_dict(), "as_of": self.price.as_of} if self.price else None,
            "media": list(self.media),
            "key": self.key,
            "problem": self.problem.as_dict() if self.problem else None,
        }


def account_of(provider_id: str, key: str) -> str:
    """A short name for a key, for slots and caches; the key cannot be had from it."""
    return hashlib.sha256(f"seedance {provider_id} {key}".encode()).hexdigest()[:12]


def choose(order: Order, settings: Settings) -> Choice:
    """The provider for an order. Raises BadOrder or NeedsKey, saying what would work.

    `auto` takes, among providers with a key, the cheapest in USD that fits without a change;
    unknown prices and other currencies come after, then the name decides.
    """
    check_words(order)
    check_handles(order)
    if order.provider != AUTO:
        return _fitted(order, order.provider, settings)
    settings.check_key_file()  # else each provider would be without a key, for the same reason
    choices, lacks = [], []
    for provider_id in providers.ids():
        if providers.is_free(provider_id):
            continue
        try:
            settings.key(provider_id)
            choice = _fitted(replace(order, on_unsupported="error"), provider_id, settings)
            choices.append(
                replace(choice, order=replace(choice.order, on_unsupported=order.on_unsupported))
            )
        except NeedsKey as error:
            lacks.append((0, f"{provider_id}: {error.message}"))
        except BadOrder as error:
            lacks.append((1, f"{provider_id}: {error.message}"))
    if choices:
        return min(choices, key=_price_rank)
    lines = "\n".join(line for _, line in sorted(lacks, key=lambda lack: -lack[0]))
    kind = BadOrder if any(rank for rank, _ in lacks) else NeedsKey
    raise kind(
        f"No provider with a key can take this order as it is.\n{lines}\n",
        hint="Set a key, change the order, choose a provider, or try it free with preview.",
    )


def _fitted(order: Order, provider_id: str, settings: Settings) -> Choice:
    cls = providers.get(provider_id)
    fitted = fit(order, cls)
    provider = cls(settings.config(provider_id))
    _first_call(provider, fitted.order, settings)  # raises for e.g. extra that replaces a field
    return Choice(
        provider, fitted.order, fitted.changes, fitted.notes, provider.estimate(fitted.order)
    )


def check_no_key(order: Order, settings: Settings) -> None:
    """Raise BadOrder if a key was pasted into what is sent, kept and shared with the workflow."""
    addresses = (medium.address or "" for medium in order.media)
    words = (order.prompt, json.dumps(plain(order.extra), ensure_ascii=False), *addresses)
    if name := settings.key_in("\n".join(words)):
        raise BadOrder(
            f"The order holds the key of {name}, in its prompt, extra or an address; it was not "
            "sent.",
            hint="Take it out, and out of saved workflows. A key belongs into Settings > Seedance.",
        )


def _check_addresses(value: Any) -> None:
    """Raise BadOrder for an address in extra that is not public: a stranger's workflow must not
    send a provider to what it takes for the user's."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for inner in value:
            _check_addresses(inner)
    elif isinstance(value, str) and re.match(r"\s*([a-z][a-z0-9+.-]*://|file:)", value, re.I):
        try:
            check_public_url(value.strip())
        except ForbiddenAddress as error:
            raise BadOrder(f"extra: {error.message}", hint="Use public https addresses.") from None


def _price_rank(choice: Choice) -> tuple[bool, float, str]:
    usd = choice.price if choice.price and choice.price.currency == "USD" else None
    return (usd is None, usd.amount if usd else 0.0, choice.provider.id)


def _first_call(provider: Provider, order: Order, settings: Settings) -> Call | None:
    """The call that would create the task, with stand-ins for media that must go up first."""
    _check_addresses(order.extra.get(provider.id, {}))
    ways = delivery.choose_ways(order, provider, settings)
    delivered = ways.delivered(lambda item: delivery.stand_in(provider, item))
    step = next(provider.submit(spelled(order, type(provider)), delivered))
    return step if isinstance(step, Call) else None


def quotes(order: Order, settings: Settings) -> list[Quote]:
    """What each provider would make of the order, whichever it names; nothing is sent."""
    return [_quote(order, provider_id, settings) for provider_id in providers.ids()]


def _quote(order: Order, provider_id: str, settings: Settings) -> Quote:
    key = settings.key_source(provider_id)
    cls = providers.get(provider_id)
    try:
        fitted = fit(replace(order, on_unsupported="nearest"), cls)
        config = settings.config(provider_id)
        provider = cls(config)
        ways = delivery.choose_ways(fitted.order, provider, settings)
        call = _first_call(provider, fitted.order, settings)
    except SeedanceError as error:
        return Quote(provider_id, key=key, problem=error)
    problem = None
    if fitted.changes and order.on_unsupported == "error":
        try:
            fit(order, cls)
        except BadOrder as error:
            problem = error
    return Quote(
        provider_id,
        payload=shortened(call.json) if call else None,
        url=call.url if call else "",
        changes=fitted.changes,
        notes=fitted.notes,
        price=provider.estimate(fitted.order),
        media=tuple(f"{item.label}: {delivery.WAY_WORDS[item.way]}" for item in ways.items),
        key=key,
        problem=problem,
    )


def shortened(value: Any) -> Any:
    """A payload for reading: long data URIs are cut."""
    if isinstance(value, Mapping):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shortened(item) for item in value]
    if isinstance(value, str) and value.startswith("data:") and len(value) > 80:
        return f"{value[:40]}... ({len(value)} characters)"
    return value
