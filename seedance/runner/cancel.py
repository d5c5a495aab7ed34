"""A task is cancelled at its provider where that costs nothing; otherwise it goes on, and its video
is kept."""

from __future__ import annotations

import concurrent.futures
from concurrent.futures import Future
from typing import Any

from ..errors import BadOrder, Cancelled
from ..journal import Journal, Row, State
from .active import ActiveOrder
from .client import Client
from .outcomes import error_of, was_forgotten

CANCEL_SECONDS = 30.0  # a person waits no longer for the provider's answer


def check_live(row: Row) -> None:
    """Raise BadOrder for a row that has nothing to cancel."""
    if row.task is not None and was_forgotten(row):
        raise BadOrder(
            f"Row {row.id} was forgotten, and nobody cancelled {row.task}: as far as is known "
            "it goes on at its provider.",
            hint=f"To take it up again, and fetch its video: seedance collect {row.task}",
        )
    if not row.live:
        raise BadOrder(f"Row {row.id} has ended as {row.state}; there is nothing to cancel.")


def claim_to_cancel(row: Row, client: Client, journal: Journal) -> Row:
    """Take the lease of a row that is to be cancelled. Raises BadOrder where its provider documents
    no cancel that is free, and where another process works on the row; for a row that has ended
    meanwhile, its error."""
    if row.state in (State.RUNNING, State.SUCCEEDED) and not client.provider.cancel_is_free:
        raise BadOrder(
            f"{client.provider.name} does not document that a cancelled task is not billed, so "
            f"{row.task} goes on and its video is kept.",
            hint=f"Collect it with: seedance collect {row.task}",
        )
    claimed = journal.claim(row.id, row.uid)
    if claimed is None:
        raise BadOrder(
            f"Another process works on row {row.id}.",
            hint="Cancel it there: on the node, in the Seedance tab, or with Ctrl-C.",
        )
    if not claimed.live:
        raise error_of(claimed)
    return claimed


def cancel(active: ActiveOrder) -> str:
    """Cancel an active order; returns the sentence to show. Raises BadOrder, with the reason, where
    it goes on; after half a minute at the latest."""
    number, name = active.row.id, active.client.provider.name
    if active.waiters:
        raise BadOrder(f"Somebody waits for row {number}, so it goes on.", hint="Cancel there.")
    refusal, done = active.request_cancel(), active.done
    either: list[Future[Any]] = [refusal, done]
    first = concurrent.futures.FIRST_COMPLETED
    concurrent.futures.wait(either, CANCEL_SECONDS, return_when=first)
    if done.done():
        try:
            done.result()
        except Cancelled as cancelled:
            return cancelled.message
        return f"It was too late to cancel: row {number} is finished and its video is kept."
    task = active.row.task or f"row {number}"
    reason = refusal.result() if refusal.done() else f"{name} has not answered yet"
    raise BadOrder(
        f"{task} goes on, and its video is kept: {reason.rstrip('.')}.",
        hint=f"Collect it with: seedance collect {task}" if active.row.task else "",
    )
