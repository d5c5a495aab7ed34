"""From a ticket to the end of its task: asking at the right times, and reading the answers.

Owns what counts as an end and what only as a bad day of the provider. Nothing here spends money.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, field

from ..errors import Cancelled, OddReply, SeedanceError, TaskFailed
from ..journal import State
from ..transport import NotSent
from ..wire import CannotCancel, Done, Expired, Failed, Running, Status, TaskCancelled, Ticket
from .active import Hold
from .client import Gone, Unsettled
from .outcomes import failure
from .worker import UNDOCUMENTED_INTERVAL, Pace

logger = logging.getLogger(__name__)

# A task that was just created may not be known everywhere yet, and a gateway may lose its way for a
# moment: so long a 404 is no answer.
GONE_SECONDS = 60.0
PERMANENT_ANSWERS = 3
ROUNDS_WITHOUT_ADDRESS = 20


@dataclass
class Follow:
    """The way of one row from its ticket to `succeeded`. `done` is what the provider said then."""

    hold: Hold
    done: Done | None = None
    _gone: int = 0
    _gone_since: float | None = None
    _odd_words: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Ask until the task ends. Raises the error it ends with, or StillRunning."""
        ticket = self.hold.ticket()
        expected = await self.hold.quickly(self.hold.journal.typical_seconds, self.hold.row)
        limits = self.hold.talk.provider.limits
        pace = Pace(
            limits.poll_interval or UNDOCUMENTED_INTERVAL,
            expected,
            self.hold.settings.poll_interval,
        )
        permanent, without_address = 0, 0
        asked, wait = time.monotonic(), pace.fixed or pace.interval
        # Counted from here on without the wall clock, which may be set meanwhile.
        began = asked - max(time.time() - (self.hold.row.submitted or time.time()), 0.0)
        self.hold.say("queued", None, expected)
        while True:
            # The time that the last answer took is part of the wait.
            await self.hold.carry.pause(asked + wait - time.monotonic())
            await self._cancel_if_wanted(ticket)
            asked = time.monotonic()
            elapsed = asked - began
            wait = pace.after(elapsed, random.random())
            try:
                # A ticket that came from elsewhere is no newborn task.
                status = await self.ask(ticket, patient=self.hold.row.submitted is not None)
                permanent = 0
            except (Unsettled, NotSent, OddReply) as error:
                logger.info("Asking for %s: %s", ticket, error)
                self.hold.say("waiting for the provider to answer again")
                told = getattr(error, "seconds", None) or 0.0
                wait = max(wait, time.monotonic() - asked + told)
                if elapsed > limits.task_life:
                    raise self.hold.later(
                        f"{ticket} could not be asked for: {error.message}"
                    ) from None
                continue
            except SeedanceError as error:
                permanent += 1
                if permanent >= PERMANENT_ANSWERS:
                    raise self.hold.later(error.message, error.hint) from None
                continue
            if isinstance(status, Running):
                self._running(ticket, status, elapsed, expected)
                if elapsed > limits.task_life:
                    status = Expired("it never came to an end")
                else:
                    continue
            if isinstance(status, Done) and not status.video_url:
                without_address += 1
                if without_address < ROUNDS_WITHOUT_ADDRESS:
                    self.hold.say("finished; waiting for the address of the video", 1.0)
                    wait = min(wait, pace.fixed or max(pace.interval, 2.0))
                    continue
                if status.without_address is None:
                    raise self.hold.later(
                        f"{ticket} is finished, but the provider gives no address for it."
                    )
                status = status.without_address
            await self._arrived(status)
            return

    async def ask(self, ticket: Ticket, *, patient: bool) -> Status:
        """Ask once. That a task is not known (HTTP 404 or 410, or in the provider's own words) is
        Expired when it stays so; with `patient` for a minute."""
        try:
            talk = self.hold.talk
            status = await talk.converse(talk.provider.check(ticket), polling=True)
        except Gone as error:
            status = Expired(error.message, may_appear=True)
        if not isinstance(status, Expired) or not status.may_appear:
            self._gone, self._gone_since = 0, None
            return status
        now = time.monotonic()
        self._gone += 1
        self._gone_since = self._gone_since or now
        young = patient and now - self._gone_since < GONE_SECONDS
        if young or self._gone < PERMANENT_ANSWERS:
            raise Unsettled(status.message)
        return status

    def _running(
        self, ticket: Ticket, status: Running, elapsed: float, expected: float | None
    ) -> None:
        if status.unknown is not None and status.unknown not in self._odd_words:
            self._odd_words.add(status.unknown)
            logger.warning(
                "%s: undocumented status word %r, taken as running. The answer was: %r",
                ticket,
                status.unknown[:80],
                self.hold.talk.quote_last_reply(),
            )
        left = max(expected - elapsed, 0.0) if expected else None
        fraction = status.progress
        if fraction is None and expected:
            fraction = min(elapsed / expected, 0.95)
        words = {"fetching_result": "fetching the result"}.get(status.phase, status.phase)
        if status.ahead:
            words += f", {status.ahead} ahead"
        if status.progress:
            words += f" {status.progress * 100:.0f} %"
        self.hold.say(words + (f", about {left:.0f} s left" if left else ""), fraction, left)

    async def _arrived(self, status: Status) -> None:
        """Write down how the task ended; returns only for a success."""
        if isinstance(status, Done):
            self.done = status
            await self.hold.advance(State.SUCCEEDED, cost=status.cost)
        elif isinstance(status, Failed):
            raise await self.hold.end(
                State.FAILED, failure(status), not_billed=status.billed == "no"
            )
        elif isinstance(status, TaskCancelled):
            free = type(self.hold.talk.provider).cancel_is_free
            raise await self.hold.end(
                State.CANCELLED,
                Cancelled(
                    "The task was cancelled at the provider.", spent="no" if free else "unknown"
                ),
                not_billed=free,
            )
        elif isinstance(status, Expired):
            raise await self.hold.end(
                State.EXPIRED,
                TaskFailed(
                    f"{self.hold.talk.provider.name} gave the task up: {status.message}.",
                    hint="Queue it again to send it anew.",
                    spent=status.billed,
                ),
                not_billed=status.billed == "no",
            )

    async def _cancel_if_wanted(self, ticket: Ticket) -> None:
        if not self.hold.cancelled():
            return
        provider = self.hold.talk.provider
        if not type(provider).cancel_is_free:
            self.hold.carry.refuse_cancel(
                f"{provider.name} does not document that a cancelled task is not billed"
            )
            return
        try:
            outcome = await self.hold.talk.converse(provider.cancel(ticket))
        except SeedanceError as error:
            outcome = CannotCancel(error.message)
        if isinstance(outcome, TaskCancelled):
            raise await self.hold.end(
                State.CANCELLED,
                Cancelled("Cancelled at the provider; nothing is billed.", spent="no"),
                not_billed=True,
            )
        logger.info("%s goes on: %s", ticket, outcome.reason)
        self.hold.carry.refuse_cancel(outcome.reason)
