"""From a reserved row to a ticket: media go up, a slot is taken, the one paid call is made.

Says what is safe to repeat before money is spent, and what an unclear outcome leads to.
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
from .outcomes import as_public
from .quotes import Prepared
from .upload import upload

logger = logging.getLogger(__name__)

SLOT_SECONDS = 2.0
MOST_FAILURES = 5  # connections in a row that could not be made
# How often and how long an unclear order is looked for in a provider's list of tasks, and how old
# it must be before its absence proves that it never arrived.
FIND_ATTEMPTS = 3
FIND_SECONDS = 2.0
RESEND_AFTER_SECONDS = 300.0
CLOCK_SECONDS = 60.0  # so far our clock and a provider's may be apart for that


class CancelledInTime(Exception):
    """A person cancelled before anything was spent."""


def submit(active: ActiveOrder) -> None:
    """Bring a row from `preparing` to `running`, or to the end that is raised."""
    if active.prepared is None:
        # Its pictures are not in the journal; nothing was sent, so it is simply given up.
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
    """The outcome of a paid call, if there was one, is in the journal."""
    active.spending = False
    active.worker.note_settled()


def _upload(active: ActiveOrder, work_dir: Path) -> Delivered:
    """Bring the media to the provider, and note what had to be done to them."""
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
                f"{error.message.rstrip('.')}; it stayed so until the time to wait was over, and "
                "nothing was accepted.",
                hint="Try again later, or raise SEEDANCE_TIMEOUT.",
            )
        except NotSent as error:
            failures += 1
            wait = min(2.0**failures / 2, 30.0)
            code = "provider_unreachable"
            problem = Unreachable(error.message, hint=error.hint)
            if failures >= MOST_FAILURES:
                raise problem from None
        # Nothing was accepted: the row goes back, so that a crash while waiting is no riddle.
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
        logger.warning("Row %s is clear again: its task is %s", active.row.id, ticket)
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
    """Write the unclear outcome down; returns the error to raise."""
    error.hint = (
        f"{error.hint} Look at the provider's own list of tasks. If there is none, send it anew "
        f"with: seedance forget {active.row.id} (or the Seedance tab), or change the seed."
    )
    return active.end(State.UNCLEAR, error)


def find_unclear(active: ActiveOrder, *, settled: bool = False) -> bool:
    """Clear an unclear row by the provider's list of tasks, where it has one; says whether it did.

    A task that is there is taken up. That there is none counts only for an order that is `settled`:
    it was sent `RESEND_AFTER_SECONDS` ago or earlier, not so long ago that the provider has cleared
    its list, and by a clock that is right, since tasks are recognised by their time. Then it goes
    back to `preparing`.
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
