"""From a reserved row to a ticket: media go up, a slot is taken, the one paid call is made.

It decides when the paid call may be repeated because nothing was accepted. `clearing` finds out
what became of an order where that is not known.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from ..addresses import origin
from ..errors import Cancelled, Refused, SeedanceError, Unclear, Unreachable
from ..journal import IllegalMove, JournalReplaced, LeaseLost, State, TicketTaken
from ..order import Order
from ..prompt_names import spelled
from ..said import both
from ..texts import logger_of
from ..transport import NotSent, Withheld
from ..wire import Call, Delivered, Ticket
from . import tickets
from .active import ActiveOrder
from .client import Busy, Stopped
from .outcomes import as_public, costs_nothing, look_first
from .quotes import Prepared
from .upload import upload

logger = logger_of(__name__)

SLOT_SECONDS = 2.0  # between two attempts to take a slot
MOST_FAILURES = 5  # connections in a row that could not be made


class CancelledInTime(Exception):
    """A person cancelled before anything was spent."""


def submit(active: ActiveOrder) -> None:
    """Bring a row from `preparing` to `running` or `unclear`, or to the end that is raised."""
    if active.prepared is None:
        # The row was recovered, and the journal keeps no media: the order cannot be sent.
        raise _given_up(active, "The order was interrupted before it was sent; nothing was spent.")
    work_dir = Path(tempfile.mkdtemp(prefix="seedance-"))
    try:
        _note_sender(active)
        _create(active, active.prepared, _upload(active, work_dir))
    except LeaseLost:
        raise
    except CancelledInTime:
        text = "Cancelled before anything was sent; nothing was spent."
        raise _given_up(active, text) from None
    except Stopped:
        text = "The program ended before the order was sent; nothing was spent."
        raise _given_up(active, text) from None
    except JournalReplaced:
        if active.row.task is None:
            # Nothing was sent, whatever the state in which the row is left there.
            active.row = replace(active.row, state=State.PREPARING)
        raise
    except Unclear as error:
        _unclear(active, error)
    except SeedanceError as error:
        error = as_public(error)
        if active.row.task is None:
            error = refused(active, error)
        raise error from None
    except Exception as error:
        if active.row.state == State.SUBMITTING:
            problem = Unclear(
                "Something unforeseen happened while the order was being sent: {error}.",
                hint="It may have been accepted and billed, so it is not sent again by itself.",
                error=repr(error),
            )
            raise _unclear(active, problem) from error
        with contextlib.suppress(LeaseLost):
            if active.row.state == State.PREPARING:
                active.advance(State.REFUSED, not_billed=True)
        raise
    finally:
        settled(active)
        shutil.rmtree(work_dir, ignore_errors=True)


def refused(active: ActiveOrder, error: SeedanceError) -> SeedanceError:
    """End the row, of whose order nothing was accepted; returns the error to raise."""
    try:
        return active.end(State.REFUSED, error, not_billed=True)
    except LeaseLost:
        _resolve(active)
        return active.end(State.REFUSED, error, not_billed=True)


def _given_up(active: ActiveOrder, text: str) -> SeedanceError:
    return active.end(State.CANCELLED, Cancelled(text, spent="no"), not_billed=True)


def settled(active: ActiveOrder) -> None:
    """No paid call is in flight any more: its ticket, if there is one, is in a file of its own."""
    active.spending = False
    active.worker.note_settled()


def _note_sender(active: ActiveOrder) -> None:
    """The row may be from a process that had another key, or another base URL, and sent nothing."""
    account, place = active.account, origin(active.client.provider.config.base_url)
    if account is not None and (account, place) != (active.row.account, active.row.origin):
        active.row = active.journal.note_sender(active.row.id, account, place, active.row.uid)


def _upload(active: ActiveOrder, work_dir: Path) -> Delivered:
    """Bring the media to the provider, and record in the row what had to be changed of them."""
    active.say("preparing")
    while True:
        try:
            delivered, changes = upload(active, work_dir)
            break
        except Stopped:
            if active.cancelled():
                raise CancelledInTime from None
    if changes:
        new = [change.as_dict() for change in changes]
        noted = [change for change in active.row.changes if change not in new]
        active.row = active.journal.note_changes(active.row.id, noted + new, active.row.uid)
    return delivered


def _create(active: ActiveOrder, prepared: Prepared, delivered: Delivered) -> None:
    """Take a slot and make the paid call, again where it is proven that nothing was accepted."""
    deadline = time.monotonic() + active.settings.timeout
    provider = active.client.provider
    order = spelled(prepared.order, type(provider))
    _keep_create(active, order, delivered)
    failures = 0
    while True:
        _take_slot(active, deadline)
        if active.cancelled():  # while the database was waited for
            _not_accepted(active)
            raise CancelledInTime
        active.spending = True
        active.worker.may_have_spent |= not costs_nothing(active.row)
        active.say("submitting")
        try:
            flow = provider.making(order, delivered)
            ticket = active.client.run(flow, gate=lambda: may_send(active))
            keep_paid(active, ticket)
            return
        except Withheld:
            # The computer slept, and another process has claimed the row. Nothing was sent.
            settled(active)
            _resolve(active)
            continue
        except Busy as error:
            failures += 1
            wait = error.seconds if error.seconds is not None else min(2.0**failures, 60.0)
            code = "provider_busy"
            problem: SeedanceError = Refused(
                "{said}; it was still busy when the time to wait was over. Nothing was accepted.",
                hint="Try again later, or raise SEEDANCE_TIMEOUT.",
                said=error.message.rstrip("."),
            )
        except NotSent as error:
            failures += 1
            wait = min(2.0**failures / 2, 30.0)
            code = "provider_unreachable"
            problem = Unreachable(error.message, hint=error.hint)
            if failures >= MOST_FAILURES or error.setting:
                raise problem from None
        # A process that dies during the wait must not leave the row in `submitting`: another
        # process would have to take it for unclear.
        _not_accepted(active)
        settled(active)
        if time.monotonic() + wait > deadline:
            raise problem
        active.say(code, seconds=round(wait))
        _pause_before_money(active, wait)


def _keep_create(active: ActiveOrder, order: Order, delivered: Delivered) -> None:
    """Write the paid call into the journal, for a provider by whose document that helps if its
    answer is lost."""
    provider, row = active.client.provider, active.row
    if not provider.keeps_create:
        return
    step = next(provider.making(order, delivered))
    if isinstance(step, Call) and step.spends:
        active.row = active.journal.note_create(row.id, kept(step), row.uid)


def kept(call: Call) -> str:
    """A paid call as the journal keeps it."""
    record = {"url": call.url, "query": dict(call.query), "headers": dict(call.headers)}
    return json.dumps({**record, "json": call.json})


def may_send(active: ActiveOrder) -> bool:
    """Whether this process may send the first byte of the paid call."""
    return active.journal.may_send(active.row.id, active.row.uid)


def _not_accepted(active: ActiveOrder) -> None:
    """Move the row back to `preparing`, because nothing was accepted."""
    try:
        active.advance(State.PREPARING)
    except LeaseLost:
        # The computer slept, and another process moved the row to `unclear`.
        _resolve(active)


def keep_paid(active: ActiveOrder, ticket: Ticket) -> None:
    """Keep what was paid: in a file of its own, then in the journal."""
    task = str(ticket)
    active.sent = True
    active.keep(task, ticket.cost)
    settled(active)
    try:
        active.advance(State.RUNNING, task=task, cost=ticket.cost)
    except TicketTaken:
        tickets.remove(active.settings.home, active.row)
        active.row = replace(active.row, task=None, state=State.SUBMITTING)
        raise Unclear(
            "{provider} gave this order the task {ticket}, which another order has already.",
            hint="Whether it made a second task is not known.",
            provider=active.client.provider.name,
            ticket=task,
        ) from None
    except (LeaseLost, IllegalMove):
        # The computer slept for longer than the lease, and another process moved the row to
        # `unclear`; or the row was forgotten, or is gone with a journal that was replaced.
        active.give_back(task)


def _take_slot(active: ActiveOrder, deadline: float) -> None:
    provider = active.client.provider
    limit = provider.limits.concurrent
    while True:
        if active.cancelled():
            raise CancelledInTime
        row, busy = active.journal.take_slot(active.row.id, limit, active.row.uid)
        if row is not None:
            active.row = row
            return
        if time.monotonic() > deadline:
            raise Unreachable(
                "{provider} runs at most {limit} tasks at once, and no slot became "
                "free in time; nothing was sent.",
                hint="Try again later, or raise SEEDANCE_TIMEOUT.",
                provider=provider.name,
                limit=limit,
            )
        active.say("waiting_for_slot", busy=busy)
        _pause_before_money(active, SLOT_SECONDS)


def _pause_before_money(active: ActiveOrder, seconds: float) -> None:
    active.pause(seconds)
    if active.cancelled():
        raise CancelledInTime


def _unclear(active: ActiveOrder, error: Unclear) -> SeedanceError:
    """Move the row to `unclear`; returns the error to raise."""
    error.hint = both(error.hint, look_first(active.row))
    return active.end(State.UNCLEAR, error)


def _resolve(active: ActiveOrder) -> None:
    """Take a row back that another process has moved to `unclear`: its order certainly never
    arrived."""
    row = active.journal.resolve_unclear(active.row.id, None, active.row.uid)
    if row is None:
        raise LeaseLost(f"row {active.row.id}")
    active.row = row
