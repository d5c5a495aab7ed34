"""From a reserved row to a ticket: media go up, a slot is taken, the one paid call is made.

It decides when the paid call may be repeated, and what becomes of an unclear order.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
import time
from pathlib import Path

from ..errors import Cancelled, Refused, SeedanceError, Unclear, Unreachable
from ..fit import spelled
from ..journal import LeaseLost, State
from ..transport import NotSent
from ..wire import Delivered, Ticket
from .active import ActiveOrder
from .client import Busy, Stopped
from .outcomes import as_public, look_first
from .quotes import Prepared
from .upload import upload

logger = logging.getLogger(__name__)

SLOT_SECONDS = 2.0  # between two attempts to take a slot
MOST_FAILURES = 5  # connections in a row that could not be made
FIND_ATTEMPTS = 3  # readings of a provider's list of tasks, to find an unclear order
FIND_SECONDS = 2.0  # between two of them
# That an order is not in the list proves that it never arrived only if it was sent longer ago than
# this, and if the provider's clock differs from ours by less than that.
RESEND_AFTER_SECONDS = 300.0
CLOCK_SECONDS = 60.0


class CancelledInTime(Exception):
    """A person cancelled before anything was spent."""


def submit(active: ActiveOrder) -> None:
    """Bring a row from `preparing` to `running`, or to the end that is raised."""
    if active.prepared is None:
        # The row was recovered, and the journal keeps no media: the order cannot be sent.
        raise _given_up(active, "The order was interrupted before it was sent; nothing was spent.")
    work_dir = Path(tempfile.mkdtemp(prefix="seedance-"))
    try:
        _create(active, active.prepared, _upload(active, work_dir))
    except LeaseLost:
        raise
    except CancelledInTime:
        text = "Cancelled before anything was sent; nothing was spent."
        raise _given_up(active, text) from None
    except Stopped:
        text = "The program ended before the order was sent; nothing was spent."
        raise _given_up(active, text) from None
    except Unclear as error:
        problem = _unclear(active, error)
        if not find_unclear(active):
            raise problem from None
    except SeedanceError as error:
        error = as_public(error)
        if active.row.state != State.RUNNING:
            error = active.end(State.REFUSED, error, not_billed=True)
        raise error from None
    except Exception as error:
        if active.row.state == State.SUBMITTING:
            problem = Unclear(
                f"Something unforeseen happened while the order was being sent: {error!r}.",
                hint="It may have been accepted and billed, so it is not sent again by itself.",
            )
            raise _unclear(active, problem) from error
        with contextlib.suppress(LeaseLost):
            if active.row.state == State.PREPARING:
                active.advance(State.REFUSED, not_billed=True)
        raise
    finally:
        _settled(active)
        shutil.rmtree(work_dir, ignore_errors=True)


def _given_up(active: ActiveOrder, text: str) -> SeedanceError:
    return active.end(State.CANCELLED, Cancelled(text, spent="no"), not_billed=True)


def _settled(active: ActiveOrder) -> None:
    """No paid call is in flight any more: its outcome, if there was one, is in the journal."""
    active.spending = False
    active.worker.note_settled()


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
        active.row = active.journal.note_changes(active.row.id, noted + new)
    return delivered


def _create(active: ActiveOrder, prepared: Prepared, delivered: Delivered) -> None:
    """Take a slot and make the paid call, again where it is proven that nothing was accepted."""
    deadline = time.monotonic() + active.settings.timeout
    provider = active.client.provider
    order = spelled(prepared.order, type(provider))
    failures = 0
    while True:
        _take_slot(active, deadline)
        active.spending = True
        active.say("submitting")
        try:
            _note_ticket(active, active.client.run(provider.submit(order, delivered)))
            return
        except Busy as error:
            failures += 1
            wait = error.seconds if error.seconds is not None else min(2.0**failures, 60.0)
            code = "provider_busy"
            problem: SeedanceError = Refused(
                f"{error.message.rstrip('.')}; it was still busy when the time to wait was over. "
                "Nothing was accepted.",
                hint="Try again later, or raise SEEDANCE_TIMEOUT.",
            )
        except NotSent as error:
            failures += 1
            wait = min(2.0**failures / 2, 30.0)
            code = "provider_unreachable"
            problem = Unreachable(error.message, hint=error.hint)
            if failures >= MOST_FAILURES:
                raise problem from None
        # Nothing was accepted. A process that dies during the wait must not leave the row in
        # `submitting`: another process would have to take it for unclear.
        active.advance(State.PREPARING)
        _settled(active)
        if time.monotonic() + wait > deadline:
            raise problem
        active.say(code, seconds=round(wait))
        _pause_before_money(active, wait)


def _note_ticket(active: ActiveOrder, ticket: Ticket) -> None:
    try:
        active.advance(State.RUNNING, task=str(ticket), cost=ticket.cost)
    except LeaseLost:
        # This process slept for longer than its lease, and another one wrote `unclear`.
        logger.warning("Row %s is no longer unclear: its task is %s", active.row.id, ticket)
        _resolve(active, str(ticket))


def _take_slot(active: ActiveOrder, deadline: float) -> None:
    provider = active.client.provider
    limit = provider.limits.concurrent
    while True:
        if active.cancelled():
            raise CancelledInTime
        row, busy = active.journal.take_slot(active.row.id, limit)
        if row is not None:
            active.row = row
            return
        if time.monotonic() > deadline:
            raise Unreachable(
                f"{provider.name} runs at most {limit} tasks at once, and no slot became free in "
                "time; nothing was sent.",
                hint="Try again later, or raise SEEDANCE_TIMEOUT.",
            )
        active.say("waiting_for_slot", busy=busy)
        _pause_before_money(active, SLOT_SECONDS)


def _pause_before_money(active: ActiveOrder, seconds: float) -> None:
    active.pause(seconds)
    if active.cancelled():
        raise CancelledInTime


# ---------------------------------------------------------------------------------- unclear orders


def _unclear(active: ActiveOrder, error: Unclear) -> SeedanceError:
    """Move the row to `unclear`; returns the error to raise."""
    error.hint = f"{error.hint} {look_first(active.row.id)}"
    return active.end(State.UNCLEAR, error)


def find_unclear(active: ActiveOrder, *, settled: bool = False) -> bool:
    """Resolve an unclear row by the provider's list of tasks, if it has one; returns whether that
    was possible.

    If the task is listed, the row goes to `running`. If it is not, the row goes back to
    `preparing`, but only if that proves that the order never arrived:

    * it was sent in an earlier attempt (`settled`), more than `RESEND_AFTER_SECONDS` ago, so that
      its task would be listed by now;
    * it was sent less than `task_life` ago, so that its task would still be listed;
    * the clocks agree, because tasks are recognised by their time.
    """
    provider, row = active.client.provider, active.row
    if not provider.can("find") or active.prepared is None:
        return False
    # Not `updated`: that a process died while sending may be noticed days later.
    sent_at = row.submitted or row.created.timestamp()
    known = active.journal.tickets_since(row.provider, sent_at)
    for attempt in range(FIND_ATTEMPTS):
        active.pause(FIND_SECONDS if attempt or not settled else 0.0)
        try:
            ticket = active.client.run(
                provider.find(active.prepared.order, sent_at, known), stop=active.stop
            )
        except SeedanceError as error:
            logger.info("Looking for the task of row %s: %s", row.id, error)
            return False
        if ticket is not None:
            return _resolve(active, str(ticket))
        age = time.time() - sent_at
        certain = settled and RESEND_AFTER_SECONDS < age < provider.limits.task_life
        if certain and active.client.clocks_agree(CLOCK_SECONDS):
            return _resolve(active, None)
    return False


def _resolve(active: ActiveOrder, task: str | None) -> bool:
    row = active.journal.resolve_unclear(active.row.id, task)
    if row is None:
        raise LeaseLost(f"row {active.row.id}")
    active.row = row
    return True
