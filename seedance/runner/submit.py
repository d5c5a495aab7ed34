"""From a reserved row to a ticket: media go up, a slot is taken, the one paid call is made.

Owns what is safe to repeat before money is spent, and what an unclear outcome leads to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ..errors import Cancelled, Refused, SeedanceError, Unclear, Unreachable
from ..fit import spelled
from ..journal import LeaseLost, State
from ..order import Order
from ..transport import NotSent
from ..wire import Delivered, Ticket
from .active import Hold
from .client import Busy
from .delivery import Placing, Ways
from .outcomes import as_public

logger = logging.getLogger(__name__)

SLOT_SECONDS = 2.0
# How often and how long an unclear order is looked for in a provider's list of tasks, and how old
# it must be before its absence proves that it never arrived.
FIND_ATTEMPTS = 3
FIND_SECONDS = 2.0
RESEND_AFTER_SECONDS = 300.0
CLOCK_SECONDS = 60.0  # so far our clock and a provider's may be apart for that


class CancelledInTime(Exception):
    """A person cancelled before anything was spent."""


@dataclass
class Create:
    """The way of one row to its ticket. `order` and `ways` are None for a row that was taken up
    again: its media are not in the journal, so it cannot be sent any more."""

    hold: Hold
    order: Order | None = None
    ways: Ways | None = None

    async def run(self) -> None:
        """Bring the row from `preparing` to `running`, or to the end it raises."""
        if self.order is None or self.ways is None:
            # Its pictures are not in the journal; nothing was sent, so it is simply given up.
            raise await self.hold.end(
                State.CANCELLED,
                Cancelled(
                    "The order was interrupted before it was sent; nothing was spent.", spent="no"
                ),
                not_billed=True,
            )
        work_dir = Path(tempfile.mkdtemp(prefix="seedance-"))
        try:
            delivered = await self._placed(self.order, self.ways, work_dir)
            await self._create(self.order, delivered)
        except LeaseLost:
            raise
        except CancelledInTime:
            raise await self.hold.end(
                State.CANCELLED,
                Cancelled("Cancelled before anything was sent; nothing was spent.", spent="no"),
                not_billed=True,
            ) from None
        except Unclear as error:
            problem = await self._unclear(error)
            if not await self.found():
                raise problem from None
        except SeedanceError as error:
            error = as_public(error)
            if self.hold.row.state != State.RUNNING:
                error = await self.hold.end(State.REFUSED, error, not_billed=True)
            raise error from None
        except Exception as error:
            if self.hold.row.state == State.SUBMITTING:
                problem = Unclear(
                    f"Something unforeseen happened while the order was being sent: {error!r}.",
                    hint="It may have been accepted and billed, so it is not sent again by itself.",
                )
                raise await self._unclear(problem) from error
            with contextlib.suppress(LeaseLost):
                if self.hold.row.state == State.PREPARING:
                    await self.hold.advance(State.REFUSED, not_billed=True)
            raise
        finally:
            self.hold.follower.spent(self.hold.carry)
            shutil.rmtree(work_dir, ignore_errors=True)

    async def _placed(self, order: Order, ways: Ways, work_dir: Path) -> Delivered:
        placing = Placing(
            self.hold.talk,
            self.hold.follower,
            self.hold.journal,
            self.hold.settings,
            self.hold.row,
            model=order.model,
            mode=order.mode,
            nearest=order.on_unsupported == "nearest",
            work_dir=work_dir,
            report=self.hold.say,
        )
        self.hold.say("preparing")
        going = asyncio.ensure_future(placing.place(ways))
        while not going.done():
            if self.hold.cancelled():
                going.cancel()
                raise CancelledInTime
            await asyncio.wait({going}, timeout=0.25)
        delivered = going.result()
        if placing.changes:
            new = [change.as_dict() for change in placing.changes]
            noted = [change for change in self.hold.row.changes if change not in new]
            self.hold.row = await self.hold.quickly(
                self.hold.journal.note_changes, self.hold.row.id, noted + new
            )
        return delivered

    async def _create(self, order: Order, delivered: Delivered) -> None:
        deadline = time.monotonic() + self.hold.settings.timeout
        failures = 0
        while True:
            await self._take_slot(deadline)
            self.hold.follower.spends(self.hold.carry)
            self.hold.say("submitting")
            try:
                ticket = await self.hold.talk.converse(
                    self.hold.talk.provider.submit(
                        spelled(order, type(self.hold.talk.provider)), delivered
                    )
                )
                await self._paid(ticket)
                return
            except Busy as error:
                failures += 1
                wait = error.seconds if error.seconds is not None else min(2.0**failures, 60.0)
                problem: SeedanceError = Refused(
                    f"{error.message.rstrip('.')}; it stayed so until the time to wait was over, "
                    "and nothing was accepted.",
                    hint="Try again later, or raise SEEDANCE_TIMEOUT.",
                )
            except NotSent as error:
                failures += 1
                wait = min(2.0**failures / 2, 30.0)
                problem = Unreachable(error.message, hint=error.hint)
                if failures >= 5:
                    raise problem from None
            finally:
                if self.hold.row.state != State.SUBMITTING:
                    self.hold.follower.spent(self.hold.carry)
            # Nothing was accepted: the row goes back, so that a crash while waiting is no riddle.
            await self.hold.advance(State.PREPARING)
            self.hold.follower.spent(self.hold.carry)
            if time.monotonic() + wait > deadline:
                raise problem
            self.hold.say(
                f"the provider is busy, trying again in {wait:.0f} s"
                if isinstance(problem, Refused)
                else f"the provider cannot be reached, trying again in {wait:.0f} s"
            )
            await self._pause_before_money(wait)

    async def _paid(self, ticket: Ticket) -> None:
        try:
            await self.hold.advance(State.RUNNING, task=str(ticket), cost=ticket.cost)
        except LeaseLost:
            # This process slept for longer than its lease, and another one wrote `unclear`.
            logger.warning("Row %s is clear again: its task is %s", self.hold.row.id, ticket)
            await self._settle(str(ticket))

    async def _take_slot(self, deadline: float) -> None:
        provider = self.hold.talk.provider
        limit = provider.limits.concurrent
        while True:
            if self.hold.cancelled():
                raise CancelledInTime
            row, busy = await self.hold.quickly(
                self.hold.journal.take_slot, self.hold.row.id, limit
            )
            if row is not None:
                self.hold.row = row
                return
            if time.monotonic() > deadline:
                raise Unreachable(
                    f"{provider.name} runs at most {limit} tasks at once, and no slot became free "
                    "in time; nothing was sent.",
                    hint="Try again later, or raise SEEDANCE_TIMEOUT.",
                )
            self.hold.say(f"waiting for a slot ({busy} in use)")
            await self._pause_before_money(SLOT_SECONDS)

    async def _pause_before_money(self, seconds: float) -> None:
        await self.hold.carry.pause(seconds)
        if self.hold.cancelled():
            raise CancelledInTime

    async def _unclear(self, error: Unclear) -> SeedanceError:
        """Write the unclear outcome down; returns the error to raise."""
        error.hint = (
            f"{error.hint} Look at the provider's own list of tasks. If there is none, send it "
            f"anew with: seedance forget {self.hold.row.id} (or the Seedance tab), or change the "
            "seed."
        )
        return await self.hold.end(State.UNCLEAR, error)

    async def found(self, certain_after: float | None = None) -> bool:
        """Clear an unclear row by the provider's list of tasks, where it has one.

        A task that is there is taken up. That there is none counts only for an order that was sent
        `certain_after` seconds ago or earlier (None: never), not so long ago that the provider has
        cleared its list, and by a clock that is right: tasks are recognised by their time. Then it
        goes on to be sent again.
        """
        provider, row = self.hold.talk.provider, self.hold.row
        if not provider.can("find") or self.order is None:
            return False
        # Not `updated`: that a holder died while sending may be noticed days later.
        sent_at = row.submitted or row.created.timestamp()
        known = await self.hold.quickly(self.hold.journal.tickets_since, row.provider, sent_at)
        for attempt in range(FIND_ATTEMPTS):
            await self.hold.carry.pause(FIND_SECONDS if attempt or certain_after is None else 0.0)
            try:
                ticket = await self.hold.talk.converse(provider.find(self.order, sent_at, known))
            except SeedanceError as error:
                logger.info("Looking for the task of row %s: %s", row.id, error)
                return False
            if ticket is not None:
                return await self._settle(str(ticket))
            age = time.time() - sent_at
            certain = certain_after is not None and certain_after < age < provider.limits.task_life
            if certain and self.hold.talk.clocks_agree(CLOCK_SECONDS):
                return await self._settle(None)
        return False

    async def _settle(self, task: str | None) -> bool:
        row = await self.hold.quickly(self.hold.journal.resolve_unclear, self.hold.row.id, task)
        if row is None:
            raise LeaseLost(f"row {self.hold.row.id}")
        self.hold.row = row
        return True
