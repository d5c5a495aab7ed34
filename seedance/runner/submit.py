"""From a reserved row to a ticket: media go up, a slot is taken, the one paid call is made.

It decides when the paid call may be repeated, and what becomes of an unclear order.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from ..addresses import origin
from ..errors import Cancelled, Refused, SeedanceError, Unclear, Unreachable
from ..fit import spelled
from ..journal import IllegalMove, JournalReplaced, LeaseLost, State, TicketTaken
from ..texts import logger_of
from ..transport import NotSent, Withheld
from ..wire import Delivered, Ticket
from . import tickets
from .active import ActiveOrder
from .client import Busy, Stopped
from .outcomes import as_public, costs_nothing, look_first
from .quotes import Prepared
from .upload import upload

logger = logger_of(__name__)

SLOT_SECONDS = 2.0  # between two attempts to take a slot
MOST_FAILURES = 5  # connections in a row that could not be made
FIND_ATTEMPTS = 3  # readings of a provider's list of tasks, to find an unclear order
FIND_SECONDS = 2.0  # between two of them


class CancelledInTime(Exception):
    """A person cancelled before anything was spent."""


def submit(active: ActiveOrder) -> None:
    """Bring a row from `preparing` to `running`, or to the end that is raised."""
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
        problem = _unclear(active, error)
        if not find_unclear(active):
            raise problem from None
    except SeedanceError as error:
        error = as_public(error)
        if active.row.task is None:
            error = _refused(active, error)
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


def _refused(active: ActiveOrder, error: SeedanceError) -> SeedanceError:
    """End the row, of whose order nothing was accepted; returns the error to raise."""
    try:
        return active.end(State.REFUSED, error, not_billed=True)
    except LeaseLost:
        _resolve(active, None)
        return active.end(State.REFUSED, error, not_billed=True)


def _given_up(active: ActiveOrder, text: str) -> SeedanceError:
    return active.end(State.CANCELLED, Cancelled(text, spent="no"), not_billed=True)


def _settled(active: ActiveOrder) -> None:
    """No paid call is in flight any more: its outcome, if there was one, is in the journal."""
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
    failures = 0
    while True:
        _take_slot(active, deadline)
        active.spending = True
        active.worker.may_have_spent |= not costs_nothing(active.row)
        active.say("submitting")
        try:
            flow = provider.making(order, delivered)
            ticket = active.client.run(flow, gate=lambda: _may_send(active))
            _keep(active, ticket)
            return
        except Withheld:
            # The computer slept, and another process has claimed the row. Nothing was sent.
            _settled(active)
            _resolve(active, None)
            continue
        except Busy as error:
            failures += 1
            wait = error.seconds if error.seconds is not None else min(2.0**failures, 60.0)
            code = "provider_busy"
            problem: SeedanceError = Refused(
                f"{error.message.rstrip('.')}; it was still busy when the time to wait was "
                "over. Nothing was accepted.",
                hint="Try again later, or raise SEEDANCE_TIMEOUT.",
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
        _settled(active)
        if time.monotonic() + wait > deadline:
            raise problem
        active.say(code, seconds=round(wait))
        _pause_before_money(active, wait)


def _may_send(active: ActiveOrder) -> bool:
    return active.journal.may_send(active.row.id, active.row.uid)


def _not_accepted(active: ActiveOrder) -> None:
    """Move the row back to `preparing`, because nothing was accepted."""
    try:
        active.advance(State.PREPARING)
    except LeaseLost:
        # The computer slept, and another process moved the row to `unclear`.
        _resolve(active, None)


def _keep(active: ActiveOrder, ticket: Ticket) -> None:
    """Keep what was paid: in a file of its own, then in the journal."""
    task = str(ticket)
    active.keep(task, ticket.cost)
    _settled(active)
    try:
        active.advance(State.RUNNING, task=task, cost=ticket.cost)
    except TicketTaken:
        tickets.remove(active.settings.home, active.row)
        active.row = replace(active.row, task=None, state=State.SUBMITTING)
        raise Unclear(
            f"{active.client.provider.name} gave this order the task {task}, which another order "
            "has already.",
            hint="Whether it made a second task is not known.",
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


def find_unclear(active: ActiveOrder) -> bool:
    """Look for the task of an unclear row in the provider's list of tasks; returns whether it was
    found.

    The row then goes to `running`. The task is recognised only by the order's `mark`, which no
    other order has. If it is not in the list, that proves nothing, and the row stays `unclear`.
    """
    provider, row = active.client.provider, active.row
    if not provider.can("find") or not row.mark or not active.same_sender:
        return False
    # Not `updated`: that a process died while sending may be noticed days later.
    sent_at = row.submitted or row.created.timestamp()
    for attempt in range(FIND_ATTEMPTS):
        active.pause(FIND_SECONDS if attempt else 0.0)
        try:
            ticket = active.client.run(provider.find(row.order, sent_at), stop=active.stop)
        except SeedanceError as error:
            logger.info("Looking for the task of row %s: %s", row.id, error)
            return False
        if ticket is not None:
            try:
                return _resolve(active, str(ticket))
            except TicketTaken:
                return False
    return False


def _resolve(active: ActiveOrder, task: str | None) -> bool:
    row = active.journal.resolve_unclear(active.row.id, task, active.row.uid)
    if row is None:
        raise LeaseLost(f"row {active.row.id}")
    active.row = row
    return True
