"""A task is cancelled at its provider where that costs nothing, or where a person means that very
task and the provider takes a request to cancel; otherwise it goes on, and its video is kept."""

from __future__ import annotations

import concurrent.futures
from concurrent.futures import Future
from typing import Any

from ..errors import BadOrder, Cancelled
from ..journal import STATE_WORDS, Journal, Row, State
from ..said import Said, say
from .active import ActiveOrder
from .client import Client
from .outcomes import error_of, was_forgotten

CANCEL_SECONDS = 30.0  # a person waits no longer for the provider's answer


def check_live(row: Row) -> None:
    """Raise BadOrder for a row that has nothing to cancel."""
    if row.task is not None and row.file is None and was_forgotten(row):
        raise BadOrder(
            "Row {number} was forgotten, and nobody cancelled {ticket}: as far as "
            "is known it goes on at its provider.",
            hint="To take it up again, and fetch its video: seedance collect {ticket}",
            number=row.id,
            ticket=row.task,
        )
    if not row.live:
        raise BadOrder(
            "Row {number} has ended as {state}; there is nothing to cancel.",
            number=row.id,
            state=STATE_WORDS[row.state],
        )


def claim_to_cancel(row: Row, client: Client, journal: Journal) -> Row:
    """Take the lease of a row that is to be cancelled. Raises BadOrder where its provider documents
    no cancel that is free, nor one that is a request, and where another process works on the row;
    for a row that has ended meanwhile, its error."""
    possible = client.provider.cancel_is_free or client.provider.cancel_is_request
    if row.state in (State.RUNNING, State.SUCCEEDED) and not possible:
        raise BadOrder(
            "{provider} does not document that a cancelled task is not billed, so "
            "{ticket} goes on and its video is kept.",
            hint="Collect it with: seedance collect {ticket}",
            provider=client.provider.name,
            ticket=row.task,
        )
    claimed = journal.claim(row.id, row.uid)
    if claimed is None:
        raise BadOrder(
            "Another process works on row {number}.",
            hint="Cancel it there: on the node, in the Seedance tab, or with Ctrl-C.",
            number=row.id,
        )
    if not claimed.live:
        raise error_of(claimed)
    return claimed


def cancel(active: ActiveOrder) -> Said:
    """Cancel an active order; returns the sentence to show. Raises BadOrder, with the reason, where
    it goes on; after half a minute at the latest."""
    number, name = active.row.id, active.client.provider.name
    if active.waiters:
        raise BadOrder(
            "Somebody waits for row {number}, so it goes on.", hint="Cancel there.", number=number
        )
    refusal, done = active.request_cancel(meant=True), active.done
    either: list[Future[Any]] = [refusal, done]
    first = concurrent.futures.FIRST_COMPLETED
    concurrent.futures.wait(either, CANCEL_SECONDS, return_when=first)
    if done.done():
        try:
            done.result()
        except Cancelled as cancelled:
            return Said.of(cancelled.message)
        return say(
            "It was too late to cancel: row {number} is finished and its video is kept.",
            number=number,
        )
    task = active.row.task
    if active.cancel_sent:
        raise BadOrder(
            "{provider} was asked to cancel {ticket}, and has not said yet whether it does.",
            hint="What became of it, and its video if there is one: seedance collect {ticket}. "
            "Whether a task that stops is billed is not documented.",
            provider=name,
            ticket=task,
        )
    silent = say("{provider} has not answered yet", provider=name)
    reason = refusal.result() if refusal.done() else silent
    raise BadOrder(
        "{ticket} goes on, and its video is kept: {reason}.",
        hint="Collect it with: seedance collect {ticket}" if task else "",
        ticket=task or say("row {number}", number=number),
        reason=reason.rstrip("."),
    )
