"""A draft becomes a final video: which order that is, and what it costs. Sends nothing.

Where the provider has drafts, nothing is uploaded again: the final has the draft's prompt, media,
seed and length. Where it has none, the order is made anew with the same seed, which is another
video; that needs an order without media, since the journal keeps none.
"""

from __future__ import annotations

import time
from dataclasses import fields, replace
from datetime import datetime, timezone
from typing import Any

from .. import providers
from ..errors import BadOrder
from ..fit import DoesNotFit, without_nearest
from ..journal import STATE_WORDS, Row, State
from ..order import Medium, Order
from ..said import Said, say
from ..settings import Settings
from ..wire import Ticket
from . import files, quotes
from .outcomes import was_forgotten
from .quotes import Prepared

NEWEST = "seedance-2.5"  # the only model that providers have drafts of

FINISHED = (State.SUCCEEDED, State.SAVED)


def draft_until(row: Row) -> datetime | None:
    """Until when a draft can be finished (UTC): as its provider told of it, or else as its
    documents say. None for what is no draft, and where nothing tells."""
    if not row.order.get("draft") or row.submitted is None:
        return None
    told = row.result.get(files.DRAFT_UNTIL)
    if isinstance(told, (int, float)):
        return datetime.fromtimestamp(told, timezone.utc)
    provider = providers.registry().get(row.provider)
    life = provider.limits.draft_life if provider else None
    return None if life is None else datetime.fromtimestamp(row.submitted + life, timezone.utc)


def prepare_final(ticket: str, row: Row | None, resolution: str, settings: Settings) -> Prepared:
    """The order for the final video of a draft, at its provider. `row` is the draft's, None where
    this journal does not know it.

    Raises BadOrder for a task that is no draft or that has not finished, and where its provider
    does not finish drafts in this resolution.
    """
    known = Ticket.parse(ticket, known=row is not None)
    if row is None or row.only_ticket:
        final = Order(
            provider=known.provider, model=NEWEST, resolution=resolution, draft_of=str(known)
        )
        prepared = quotes.prepare_at(final, known.provider, settings)
        note = say(
            "The journal does not know the draft {ticket}, so that its price is that of "
            "{seconds} s; a longer one costs more.",
            ticket=known,
            seconds=final.duration,
        )
        return replace(prepared, notes=(*prepared.notes, note))
    if not (row.state in FINISHED or (row.finished is not None and was_forgotten(row))):
        raise BadOrder(
            "The draft {ticket} is {state}; only one that has succeeded can be finished.",
            hint="Wait for it, or choose another.",
            ticket=known,
            state=STATE_WORDS[row.state],
        )
    if row.order.get("draft"):
        return _of_draft(str(known), row, resolution, settings)
    if any(change.get("field") == "draft" for change in row.changes):
        return _anew(row, resolution, settings)
    raise BadOrder(
        "{ticket} is no draft, so that it cannot be finished.",
        hint="Order it with draft switched on.",
        ticket=known,
    )


def _of_draft(ticket: str, row: Row, resolution: str, settings: Settings) -> Prepared:
    draft = _recorded(row)
    final = Order(
        prompt=draft.prompt,
        provider=row.provider,
        model=row.model,
        resolution=resolution,
        ratio=draft.ratio,
        duration=draft.duration,
        generate_audio=draft.generate_audio,
        seed=row.seed,
        watermark=draft.watermark,
        output_format=draft.output_format,
        project=draft.project,
        draft_of=ticket,
    )
    prepared = quotes.prepare_at(final, row.provider, settings)
    # Its clips are billed again, so the price is that of the whole order.
    whole = replace(draft, draft=False, resolution=prepared.order.resolution)
    price = quotes.price_of(whole, prepared.provider, settings)
    return replace(prepared, price=price, notes=(*prepared.notes, *_time_left(row)))


def _time_left(row: Row) -> tuple[Said, ...]:
    """Until when the draft can be finished. Past that its provider decides: a clock may be
    wrong."""
    until = draft_until(row)
    if until is None:
        return ()
    over = until.timestamp() < time.time()
    return (
        say(
            "The draft could be finished until {time}: {provider} may refuse it now."
            if over
            else "The draft can be finished until {time}.",
            time=f"{until:%Y-%m-%d %H:%M} UTC",
            provider=providers.get(row.provider).name,
        ),
    )


def _anew(row: Row, resolution: str, settings: Settings) -> Prepared:
    # What the draft had was fitted; only the resolution is new, and it is what a final is for.
    order = replace(_recorded(row), resolution=resolution, on_unsupported="error")
    name = providers.get(row.provider).name
    if order.media:
        raise BadOrder(
            "{provider} has no drafts, and the journal keeps no media, so that "
            "{ticket} cannot be ordered anew from here.",
            hint="Queue the order again with draft switched off, {resolution} and the "
            "seed {seed}. It will be another video.",
            provider=name,
            ticket=row.task,
            resolution=resolution,
            seed=row.seed,
        )
    quotes.check(order, settings)
    try:
        prepared = quotes.prepare_at(order, row.provider, settings)
    except DoesNotFit as error:
        nearest = _nearest(order, row, settings)
        if nearest is None:
            raise without_nearest(error) from error.__cause__
        prepared = nearest
    note = say(
        "{provider} has no drafts: this is a new order with the same seed, and so another video "
        "than {ticket}.",
        provider=name,
        ticket=row.task,
    )
    return replace(prepared, notes=(*prepared.notes, note))


def _nearest(order: Order, row: Row, settings: Settings) -> Prepared | None:
    """The order in the nearest resolution that its provider has; None where that would be the draft
    itself, or where something else would have to change."""
    try:
        prepared = quotes.prepare_at(
            replace(order, on_unsupported="nearest"), row.provider, settings
        )
    except DoesNotFit:
        return None
    changed = [change.field for change in prepared.changes]
    another = prepared.order.resolution != row.order.get("resolution")
    return prepared if changed == ["resolution"] and another else None


def _recorded(row: Row) -> Order:
    """The order of a row, with stand-ins for its media."""
    names = {field.name for field in fields(Order)}
    values: dict[str, Any] = {name: row.order[name] for name in names & row.order.keys()}
    for name in ("first_frame", "last_frame", "video"):
        values[name] = _stand_in(values.get(name))
    values["references"] = tuple(map(_stand_in, values.get("references", ())))
    return Order(**values)


def _stand_in(record: Any) -> Medium | None:
    return Medium.stand_in(record["kind"]) if record else None
