"""Which provider takes an order, what will be sent, and what it costs: all before sending."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from .. import providers
from ..addresses import ForbiddenAddress, check_text
from ..errors import BadOrder, NeedsKey, OverBudget, SeedanceError
from ..fit import Change, DoesNotFit, check_words, fit, unsupported
from ..journal import sensible
from ..money import Money, in_usd
from ..order import SEEDS, Order, asked_fingerprint, fingerprint, plain
from ..prompt_names import check_handles, spelled
from ..said import Said, both, clauses, listed, say
from ..settings import Access, Settings
from ..texts import LONGEST_MESSAGE, cut, json_in
from ..wire import UNDOCUMENTED, Call, Provider
from . import prices
from .delivery import (
    Deliveries,
    Item,
    check_addresses,
    check_measures,
    check_readable,
    choose_deliveries,
    clip_seconds,
    media_notes,
    stand_in,
)


@dataclass(frozen=True)
class Prepared:
    """An order as it goes to one provider: fitted, priced, each medium with its delivery.

    It is made once, by `prepare` or `prepare_at`, and handed on: nothing in it is computed again.
    `access` is how its provider is reached. `call` is the paid call, with stand-ins for media that
    go up first; None where another call comes before it. `repeats` says of earlier orders like it
    that they may have been paid. `queued` is the id that the order has in the queue of a farm.
    """

    provider: Provider
    access: Access
    order: Order
    asked_order: Order
    changes: tuple[Change, ...]
    notes: tuple[Said, ...]
    price: Money | None
    deliveries: Deliveries
    call: Call | None
    repeats: tuple[Said, ...] = ()
    queued: str = ""

    @property
    def asked(self) -> str:
        """The identity of the order as it was asked, at whichever provider. Reads its media."""
        return asked_fingerprint(self.asked_order)

    @property
    def fingerprint(self) -> str:
        """The identity of the order. Reads its media: raises BadOrder where a file is gone."""
        model_id = self.provider.config.models.get(self.order.model)
        return fingerprint(self.order, model_id=model_id)

    def take(self, number: int) -> Prepared:
        """The same for take `number` (from 0)."""
        if not number:
            return self
        return replace(
            self, order=self.order.take(number), asked_order=self.asked_order.take(number)
        )


@dataclass(frozen=True)
class Quote:
    """What one provider would make of an order. `problem` says why it would not."""

    provider: str
    payload: Any = None
    url: str = ""
    changes: tuple[Change, ...] = ()
    notes: tuple[Said, ...] = ()
    price: Money | None = None
    deliveries: tuple[Item, ...] = ()
    key: str | None = None
    problem: SeedanceError | None = None

    @property
    def media(self) -> tuple[str, ...]:
        """How each medium gets there, in words."""
        return tuple(map(str, self.deliveries))

    @property
    def rank(self) -> tuple[bool, bool, float, str]:
        """Sorts quotes: those that can be sent first, of them the cheapest in USD, then those of
        unknown price, then by name."""
        return (self.problem is not None, *_rank(self.price, self.provider))

    def as_dict(self) -> dict[str, Any]:
        """The JSON form for the command line and the page."""
        return {
            "provider": self.provider,
            "url": self.url,
            "payload": self.payload,
            "changes": [change.as_dict() for change in self.changes],
            "notes": list(map(str, self.notes)),
            "notes_said": [note.as_dict() for note in self.notes],
            "price": self.price.priced() if self.price else None,
            "media": list(self.media),
            "deliveries": [item.as_dict() for item in self.deliveries],
            "key": self.key,
            "problem": self.problem.as_dict() if self.problem else None,
        }


def account_of(provider_id: str, key: str) -> str:
    """A short name for a key, for slots and caches. The key cannot be computed from it."""
    return hashlib.sha256(f"seedance {provider_id} {key}".encode()).hexdigest()[:12]


# ---------------------------------------------------------------------------------------- preparing


def tidy(order: Order) -> tuple[Order, tuple[Said, ...]]:
    """The order as it is meant, and what is to be said about it: spaces, and a byte order mark, at
    the ends of a prompt make no other video, and seeds that other nodes share may have 64 bits."""
    said: tuple[Said, ...] = ()
    known = order.with_known_seed()
    if known is not order:
        said = (
            say(
                "The seed {asked} is out of range (0 to {most}); it is taken modulo 2^32: {seed}.",
                asked=order.seed,
                most=SEEDS - 1,
                seed=known.seed,
            ),
        )
    prompt = order.prompt.strip().strip("\ufeff").strip()
    return replace(known, prompt=prompt, project=order.project.strip()), said


def prepare(order: Order, settings: Settings) -> Prepared:
    """An order at its provider, or at the one that `auto` takes. Raises BadOrder, saying what would
    work; NeedsKey if `auto` finds no provider with a key.

    `auto` takes, among providers with a key, the cheapest in USD that fits without a change;
    prices that are not known in USD come after, then the name decides.
    """
    check(order, settings)
    if order.provider != providers.AUTO:
        return prepare_at(order, order.provider, settings)
    settings.check_key_file()  # its error is raised here, instead of once for each provider
    found: list[Prepared] = []
    lacks: list[Said] = []
    keyless: list[str] = []
    kept_back: list[NeedsKey] = []
    for provider_id in providers.ids():
        if providers.is_free(provider_id):
            continue
        try:
            settings.key(provider_id)
            found.append(_prepared(replace(order, on_unsupported="error"), provider_id, settings))
        except NeedsKey as error:
            keyless.append(provider_id)
            if settings.has_key(provider_id):
                kept_back.append(error)
        except BadOrder as error:
            lacks.append(say("{provider}: {said}", provider=provider_id, said=error.message))
    if found:
        best = min(found, key=lambda each: _rank(each.price, each.provider.id))
        return replace(best, order=replace(best.order, on_unsupported=order.on_unsupported))
    if not lacks and kept_back:
        raise kept_back[0]  # a key is there, and may not go where it would
    if not lacks:
        raise NeedsKey(
            "There is no key for any provider yet.",
            hint="Set one in Settings > Seedance or with: seedance key set PROVIDER. The provider "
            "preview is free and needs none.",
        )
    if keyless:
        lacks.append(say("no key: {providers}", providers=keyless))
    lines = reduce(lambda a, b: say("{line}\n{next}", line=a, next=b), lacks)
    raise BadOrder(
        "No provider with a key can take this order as it is.\n{lines}\n",
        hint="Set a key, change the order, choose a provider, or try it free with preview.",
        lines=lines,
    )


def check(order: Order, settings: Settings) -> None:
    """Raise BadOrder for what is wrong at any provider."""
    check_words(order)
    check_no_key(order, settings)
    check_handles(order)
    check_readable(order)
    if order.provider != providers.AUTO:
        check_addresses(order, settings)


def prepare_at(order: Order, provider_id: str, settings: Settings) -> Prepared:
    """An order, checked already, at one provider. Raises BadOrder, naming the providers that could
    take it as asked."""
    asked = replace(order, on_unsupported="error")
    try:
        prepared = _prepared(order, provider_id, settings)
    except DoesNotFit as error:
        able = [each for each in providers.ids() if _fits(asked, each, settings)]
        raise _naming(error, able) from None
    if not providers.is_free(provider_id) or order.draft_of:
        return prepared
    return replace(prepared, notes=(*prepared.notes, *_only_here(asked, settings)))


def _only_here(asked: Order, settings: Settings) -> Iterable[Said]:
    """The free provider stands for any other until an order is paid. What none of them takes as it
    is, is worth a word: of those with a key, or of all where none has one."""
    paid = [each for each in providers.ids() if not providers.is_free(each)]
    fits = {each: _fits(asked, each, settings) for each in paid if settings.key_source(each)}
    fits = fits or {each: _fits(asked, each, settings) for each in paid}
    unable = [each for each, fit in fits.items() if fit is False]
    if unable and True not in fits.values():
        yield say(
            "As it is, the order fits none of: {providers}. Why not, tells seedance check on the "
            "command line, and Compare providers in ComfyUI.",
            providers=unable,
        )


def _fits(order: Order, provider_id: str, settings: Settings) -> bool | None:
    """Whether a provider takes an order; None for one that is not set up."""
    try:
        _prepared(order, provider_id, settings)
    except DoesNotFit:
        return False
    except BadOrder:
        return None
    return True


def _naming(error: DoesNotFit, able: Sequence[str]) -> DoesNotFit:
    """The same error, with the providers that could take the order as asked."""
    if not able:
        return error
    others = say("As asked it would work with: {providers}.", providers=able)
    return DoesNotFit(error.message, hint=both(error.hint, others))


def _prepared(asked: Order, provider_id: str, settings: Settings) -> Prepared:
    access = settings.access(provider_id)
    provider = providers.get(provider_id)(access.config)
    fitted = fit(asked, provider)
    order = fitted.order
    _check_addresses(order.extra.get(provider.id, {}))
    deliveries = choose_deliveries(order, provider, settings)
    check_measures(deliveries, order, provider)
    delivered = deliveries.delivered(lambda item: stand_in(provider, item))
    # Raises BadOrder, for example for extra that replaces a field.
    step = next(provider.making(spelled(order, type(provider)), delivered))
    return Prepared(
        provider=provider,
        access=access,
        order=order,
        asked_order=asked,
        changes=fitted.changes,
        notes=(
            *fitted.notes,
            *((provider.price_note,) if provider.price_note else ()),
            *_draft_notes(order, provider, settings),
            *people_notes(order, provider),
            *media_notes(deliveries, order, provider),
        ),
        price=price_of(order, provider, settings),
        deliveries=deliveries,
        call=step if isinstance(step, Call) and step.spends else None,
    )


def price_of(order: Order, provider: Provider, settings: Settings) -> Money | None:
    """The price by the published list, the live one where that is kept; None for a model that no
    document of the provider has."""
    if UNDOCUMENTED in provider.model(order).sources:
        return None
    return prices.price_of(order, provider, settings.home, clip_seconds(order, provider))


def people_notes(order: Order, provider: Provider) -> tuple[Said, ...]:
    """What is known of real people at a provider, where a medium is marked as showing one. What its
    own library has is taken: the person has confirmed."""
    name = next((each.asset for each in order.media if each.person and not each.address), None)
    if name is None or not provider.refuses_people:
        return ()
    able = [providers.get(each) for each in providers.WITH_ASSETS]
    return (
        say(
            "{provider} refuses pictures and clips of real people, and {name} is marked as one. "
            "{who} take those who have confirmed as assets: seedance asset add FILE --name {name} "
            "--kind person --provider {id}."
            if provider.refuses_people == "documented"
            else "{provider} is reported to refuse pictures and clips of real people, and {name} "
            "is marked as one. {who} take those who have confirmed as assets: seedance asset add "
            "FILE --name {name} --kind person --provider {id}.",
            provider=provider.name,
            name=name,
            who=listed([each.name for each in able]),
            id=able[0].id,
        ),
    )


def _draft_notes(order: Order, provider: Provider, settings: Settings) -> Iterable[Said]:
    """What finishing a draft will cost, and how long it can be finished."""
    if not order.draft:
        return
    said = []
    for resolution in provider.finals(order.model):
        final = replace(order, draft=False, resolution=resolution)
        price = price_of(final, provider, settings)
        words = price.in_words() if price else say("price not known")
        said.append(say("{resolution}: {price}", resolution=resolution, price=words))
    life = provider.limits.draft_life
    yield say(
        "This is a 480p draft. It can be finished within {days} days ({prices})."
        if life
        else "This is a 480p draft. It can be finished ({prices}).",
        days=(life or 0.0) / 86400,
        prices=clauses(said),
    )


def check_no_key(order: Order, settings: Settings) -> None:
    """Raise BadOrder if a key was pasted into what is sent, kept and shared with the workflow."""
    addresses = (medium.address or "" for medium in order.media)
    words = (order.prompt, json.dumps(plain(order.extra), ensure_ascii=False), *addresses)
    if name := settings.key_in("\n".join(words)):
        raise BadOrder(
            "The order holds the key of {name}, in its prompt, extra or an "
            "address; it was not sent.",
            hint="Take it out, and out of saved workflows. A key belongs into Settings > Seedance.",
            name=name,
        )


def _check_addresses(value: Any) -> None:
    """Raise BadOrder for an address in extra that is not public, or that can be read as one that is
    not: a stranger's workflow must not make a provider fetch from a private one. Keys of objects
    are read too."""
    if isinstance(value, Mapping):
        value = [*value, *value.values()]
    if isinstance(value, (list, tuple)):
        for inner in value:
            _check_addresses(inner)
    elif isinstance(value, str):
        _check_addresses(json_in(value))
        try:
            check_text(value)
        except ForbiddenAddress as error:
            raise BadOrder(
                "extra: {said}", hint="Use public https addresses.", said=error.message
            ) from None


def _rank(price: Money | None, provider_id: str) -> tuple[bool, float, str]:
    """Sorts by price in USD, those of unknown price last, then by name."""
    usd = in_usd(price)
    return (usd is None, usd or 0.0, provider_id)


def counted(price: Money | None, budget: dict[str, float], provider: Provider) -> float | None:
    """What an order counts against the budget, in USD. Raises OverBudget for an unknown price."""
    if type(provider).key_variable is None:
        return 0.0
    if (usd := in_usd(sensible(price))) is not None:
        return usd
    if "unknown_price" in budget:
        return budget["unknown_price"]
    if {"day", "month", "project"} & budget.keys():
        raise OverBudget(
            "What this order costs at {provider} is not known in USD, and a budget "
            "is set; it was not sent.",
            hint="Set SEEDANCE_UNKNOWN_PRICE to what such an order should count as, or remove the "
            "budget.",
            provider=provider.name,
        )
    return None


# ------------------------------------------------------------------------------------------ showing


def quotes(order: Order, settings: Settings) -> list[Quote]:
    """What each provider would make of the order, whichever it names; nothing is sent."""
    found = [_quote(order, provider_id, settings) for provider_id in providers.ids()]
    able = [quote.provider for quote in found if quote.problem is None and not quote.changes]
    return [
        replace(quote, problem=_naming(quote.problem, able))
        if isinstance(quote.problem, DoesNotFit)
        else quote
        for quote in found
    ]


def _quote(order: Order, provider_id: str, settings: Settings) -> Quote:
    cls = providers.get(provider_id)
    try:
        prepared = _prepared(replace(order, on_unsupported="nearest"), provider_id, settings)
    except SeedanceError as error:
        return Quote(provider_id, key=settings.key_source(provider_id), problem=error)
    problem: SeedanceError | None = None
    if order.on_unsupported == "error":
        problem = _problem(order, prepared, cls)
    return Quote(
        provider_id,
        payload=shortened(prepared.call.json) if prepared.call else None,
        url=prepared.call.url if prepared.call else "",
        changes=prepared.changes,
        notes=prepared.notes,
        price=prepared.price,
        deliveries=prepared.deliveries.items,
        key=prepared.access.source,
        problem=problem,
    )


def _problem(order: Order, prepared: Prepared, cls: type[Provider]) -> SeedanceError | None:
    """Why an order that must not be changed is not taken, where it would be with changes."""
    if prepared.changes:
        return unsupported(order, prepared.changes, cls)
    try:
        check_measures(prepared.deliveries, order, prepared.provider)
    except BadOrder as error:
        return error
    return None


def shortened(value: Any) -> Any:
    """A payload for reading: long texts are cut, data URIs most of all."""
    if isinstance(value, Mapping):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shortened(item) for item in value]
    if isinstance(value, str) and value.startswith("data:") and len(value) > 80:
        return f"{value[:40]}... ({len(value)} characters)"
    return cut(value, LONGEST_MESSAGE) if isinstance(value, str) else value
