"""From a ticket to the end of its task: when to ask the provider, and what its answers mean.

It decides which answers end a task, and which are only failures of the provider that will pass.
Nothing here spends money.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace

from ..errors import BadOrder, Cancelled, OddReply, SeedanceError, TaskFailed
from ..journal import State, believed
from ..said import Said, both, say
from ..texts import logger_of
from ..transport import NotSent
from ..wire import (
    CancelRequested,
    CannotCancel,
    Done,
    Expired,
    Failed,
    Running,
    Status,
    TaskCancelled,
)
from .active import ActiveOrder
from .client import NoAnswer, Stopped, UnknownTask
from .outcomes import failure

logger = logger_of(__name__)

# For this long a 404 proves nothing: a task that was just created may not be known to all servers
# of the provider yet, and a gateway may fail for a moment.
UNKNOWN_SECONDS = 60.0
PERMANENT_ANSWERS = 3  # answers in a row after which "not known", or a clear error, is believed
ROUNDS_WITHOUT_ADDRESS = 20  # polls in which a finished task may still be without an address

MOST_ODD_WORDS = 20  # of one task, that are kept and logged

UNDOCUMENTED_INTERVAL = 2.0  # seconds between polls where the provider documents none
# Where the usual duration is known, the provider is asked at the full rate for this many intervals
# before the expected end and after it. With the few polls before, that makes fewer than 30 until
# the median duration.
DENSE_POLLS = 22
# Seconds. A task that is long overdue, or was recovered days later, may still end at any moment.
LONGEST_WAIT = 100.0


@dataclass(frozen=True)
class Pace:
    """When to ask next: seldom at first, at the provider's interval around the expected end.

    `interval` is the shortest time between polls in seconds, `expected` the median duration of
    tasks like this one (None if there were none), `fixed` an interval set by the user.
    `benchmarks/polling.py` measures the number of polls and the delay that result.
    """

    interval: float
    expected: float | None = None
    fixed: float | None = None

    def after(self, elapsed: float, dice: float = 0.5) -> float:
        """Seconds from one poll to the next, for a task that has run for `elapsed` seconds.

        `dice`, 0 to 1, spreads the long waits of tasks that were created together.
        """
        if self.fixed is not None:
            return self.fixed
        if self.expected is None:
            # The end is noticed late by about an eighth of the task's duration, at most.
            wait = elapsed / 8
        else:
            dense = min(DENSE_POLLS * self.interval, self.expected / 2)
            early = self.expected - dense - elapsed
            late = elapsed - self.expected - dense
            wait = min(early, self.expected / 8) if early > 0 else late / 8
        return max(self.interval, min(wait, LONGEST_WAIT) * (0.9 + 0.2 * dice))


def poll(active: ActiveOrder) -> Done | float:
    """Ask once, when it is time. Returns the seconds until this is to be called again, or what the
    provider said once the task has succeeded. Raises the error that the task ends with, or
    StillRunning."""
    if active.polling is None:
        active.polling = Polling(active)
        return active.polling.left
    active.pause(0.0)  # what woke it is looked at now
    return active.polling.step()


class NotFound(SeedanceError):
    """The provider does not know the task, also when asked again. That does not prove that the task
    has ended."""

    spent_by_default = "yes"


class NotKnownYet(NoAnswer):
    """The provider does not know the task. It is to be asked again before that means anything."""


class Asking:
    """Asks how one task stands, and counts how long the provider has not known it."""

    def __init__(self, active: ActiveOrder) -> None:
        self.active = active
        self._unknown = 0
        self._unknown_since = 0.0

    def ask(self, *, patient: bool) -> Status:
        """Ask once.

        An answer that the task is not known (HTTP 404 or 410, or in the provider's own words)
        raises NotKnownYet at first, and NotFound after `PERMANENT_ANSWERS` in a row, with `patient`
        not before `UNKNOWN_SECONDS`. It is Expired only where the provider's document says that it
        forgets a task of this age. Raises Stopped if a person cancels or the runner closes.
        """
        client = self.active.client
        try:
            status = client.run(
                client.provider.check(self.active.ticket()), polling=True, stop=self.active.stop
            )
        except UnknownTask as error:
            status = Expired(error.message, may_appear=True)
        if not isinstance(status, Expired) or not status.may_appear:
            self._unknown = 0
            return status
        now = time.monotonic()
        self._unknown_since = self._unknown_since if self._unknown else now
        self._unknown += 1
        young = patient and now - self._unknown_since < UNKNOWN_SECONDS
        if young or self._unknown < PERMANENT_ANSWERS:
            raise NotKnownYet(status.message)
        if self._is_forgotten_by_document():
            return status
        raise NotFound(
            "{ticket} cannot be found at {provider} now: {said}. That is no proof "
            "that it has ended.",
            hint="Check that the key and the base URL are those that ordered it."
            if self.active.same_sender
            else "It was ordered with another key than the present one: set that key again.",
            ticket=self.active.row.task,
            provider=client.provider.name,
            said=status.message,
        )

    def _is_forgotten_by_document(self) -> bool:
        forgets_after = self.active.client.provider.limits.forgets_after
        submitted = self.active.row.submitted
        if forgets_after is None or submitted is None or not self.active.same_sender:
            return False
        # Our clock alone proves nothing.
        return time.time() - submitted > forgets_after and self.active.client.clocks_agree(3600)


class Polling:
    """The polls of one task: when the next is due, and what those before have told."""

    def __init__(self, active: ActiveOrder) -> None:
        self.active = active
        self.ticket = active.ticket()
        self.asking = Asking(active)
        self.limits = active.client.provider.limits
        self.expected = _typical_seconds(active)
        self.pace = Pace(
            self.limits.poll_interval or UNDOCUMENTED_INTERVAL,
            self.expected,
            active.settings.poll_interval,
        )
        self.asked = time.monotonic()
        submitted = active.row.submitted
        age = max(time.time() - (submitted or time.time()), 0.0)
        # From here on by the monotonic clock, since the wall clock may be set while the task runs.
        self.began = self.asked - age
        self.wait = self.pace.fixed or self.pace.interval
        if submitted is None or age > self.wait:
            self.wait = 0.0  # from elsewhere, or from an earlier process: it may be done by now
        self.permanent = 0
        self.without_address = 0
        self.odd_words: set[str] = set()
        active.say("queued", None, self.expected)

    @property
    def left(self) -> float:
        """Seconds until the next poll. The time that the last answer took is part of the wait."""
        return max(self.asked + self.wait - time.monotonic(), 0.0)

    def step(self) -> Done | float:
        """Ask once."""
        self._cancel_if_wanted()
        self.asked = time.monotonic()
        self.wait = self.pace.after(self.elapsed, random.random())
        status = self._ask()
        self.active.goes_on = status is None
        if isinstance(status, Done) and not status.video_url:
            status = self._without_address(status)
        return self.left if status is None else self._arrived(status)

    @property
    def elapsed(self) -> float:
        """Seconds that the task has run at the last poll."""
        return self.asked - self.began

    def _ask(self) -> Status | None:
        """How the task ended; None if it goes on, as far as is known. Raises StillRunning where it
        is no use to ask again."""
        try:
            # A ticket from elsewhere, whose row has no `submitted`, is not of a new task.
            status = self.asking.ask(patient=self.active.row.submitted is not None)
            self.permanent, self.active.no_answer = 0, None
        except Stopped:
            return None
        except (NoAnswer, NotSent, OddReply) as error:
            logger.info("Asking for %s: %s", self.ticket, error)
            self.active.say("no_answer")
            self.active.no_answer = error.message
            told = getattr(error, "seconds", None) or 0.0
            self.wait = max(self.wait, time.monotonic() - self.asked + told)
            if self.elapsed > self.limits.task_life and not isinstance(error, NotKnownYet):
                text = say(
                    "{ticket} could not be asked for: {said}",
                    ticket=self.ticket,
                    said=error.message,
                )
                raise self.active.later(text) from None
            return None
        except NotFound as error:
            hint = error.hint
            if self.active.row.submitted is None:  # a ticket that a person gave
                hint = both(
                    hint,
                    say(
                        "If the ticket is mistyped, remove it with: seedance forget {number}.",
                        number=self.active.row.id,
                    ),
                )
            raise self.active.later(error.message, hint) from None
        except SeedanceError as error:
            self.permanent += 1
            self.active.no_answer = error.message
            if self.permanent >= PERMANENT_ANSWERS:
                raise self.active.later(error.message, error.hint) from None
            return None
        if not isinstance(status, Running):
            return status
        self._say(status)
        if status.again_in is not None and self.pace.fixed is None:
            self.wait = max(self.wait, min(status.again_in, LONGEST_WAIT))
        if self.elapsed > self.limits.task_life:
            raise self.active.later(
                say("{ticket} has not come to an end for a long time.", ticket=self.ticket),
                self.limits.endless,
            )
        return None

    def _say(self, status: Running) -> None:
        word = status.unknown
        if word is not None and word not in self.odd_words and len(self.odd_words) < MOST_ODD_WORDS:
            self.odd_words.add(word)
            logger.warning(
                "%s: undocumented status word %r, taken as running. The answer was: %r",
                self.ticket,
                word,
                self.active.client.quote_last_reply(),
            )
        left = max(self.expected - self.elapsed, 0.0) if self.expected else None
        fraction = status.progress
        if fraction is None and self.expected:
            fraction = min(self.elapsed / self.expected, 0.95)
        if status.ahead:
            self.active.say("queued_behind", fraction, left, ahead=status.ahead)
        elif status.phase == "rendering" and status.progress:
            percent = round(status.progress * 100)
            self.active.say("rendering_part", fraction, left, percent=percent)
        else:
            self.active.say(status.phase, fraction, left)

    def _without_address(self, status: Done) -> Status | None:
        """What a success without an address means after this many polls; None to ask again."""
        self.without_address += 1
        if self.without_address < ROUNDS_WITHOUT_ADDRESS:
            self.active.say("no_address", 1.0)
            self.wait = min(self.wait, self.pace.fixed or max(self.pace.interval, 2.0))
            return None
        if status.without_address is None:
            raise self.active.later(
                say(
                    "{ticket} is finished, but the provider gives no address for it.",
                    ticket=self.ticket,
                )
            )
        return status.without_address

    def _arrived(self, status: Status) -> Done:
        """Record how the task ended. Returns for a success; raises the error for any other end."""
        active, provider = self.active, self.active.client.provider
        if not isinstance(status, Done) and not active.same_sender:
            raise active.later(
                say(
                    "{provider} was asked with another key than the one that ordered {ticket}, so "
                    "its answer proves nothing.",
                    provider=provider.name,
                    ticket=self.ticket,
                ),
                say("Set the key that ordered it again."),
            )
        if isinstance(status, Done):
            price, counted = active.row.cost, active.row.budget_usd
            if status.cost is not None and believed(status.cost, price, counted) is None:
                logger.warning(
                    "%s says that %s costs %s, which makes no sense; it counts as %s.",
                    provider.name,
                    self.ticket,
                    status.cost,
                    price or "unknown",
                )
                status = replace(status, cost=None)
            active.advance(State.SUCCEEDED, cost=status.cost)
            return status
        if isinstance(status, Failed):
            free = status.billed == "no"
            raise active.end(State.FAILED, failure(status), not_billed=free)
        if isinstance(status, Expired):
            gone = TaskFailed(
                "{provider} gave the task up: {said}.",
                hint="To send the order again, queue it again.",
                spent=status.billed,
                provider=provider.name,
                said=status.message,
            )
            raise active.end(State.EXPIRED, gone, not_billed=status.billed == "no")
        free = provider.cancel_is_free
        cancelled = Cancelled(
            "The task was cancelled at the provider.", spent="no" if free else "unknown"
        )
        raise active.end(State.CANCELLED, cancelled, not_billed=free)

    def _cancel_if_wanted(self) -> None:
        active, provider = self.active, self.active.client.provider
        if not active.cancelled():
            return
        if not (provider.cancel_is_free or (provider.cancel_is_request and active.cancel_meant)):
            reason = say(
                "{provider} does not document that a cancelled task is not billed",
                provider=provider.name,
            )
            active.refuse_cancel(reason)
            return
        if not active.same_sender:
            active.refuse_cancel(say("only the key that ordered it can cancel it"))
            return
        try:
            outcome = active.client.run(provider.cancel(self.ticket))
        except SeedanceError as error:
            outcome = CannotCancel(error.message)
        if isinstance(outcome, TaskCancelled):
            cancelled = Cancelled("Cancelled at the provider; nothing is billed.", spent="no")
            raise active.end(State.CANCELLED, cancelled, not_billed=True)
        if isinstance(outcome, CancelRequested):
            # Only the end of the task tells whether it stopped, and what is billed.
            active.cancel_sent = True
            reason = say(
                "{provider} was asked to cancel, and has not said yet whether it does",
                provider=provider.name,
            )
        else:
            reason = Said.of(outcome.reason)
        logger.info("%s goes on: %s", self.ticket, reason)
        active.refuse_cancel(reason)


def _typical_seconds(active: ActiveOrder) -> float | None:
    """The median duration of such tasks. None also if the journal cannot be read: the task is paid,
    and must not be lost because of that."""
    try:
        return active.journal.typical_seconds(active.row)
    except BadOrder as error:
        logger.warning("How long such tasks take is not known: %s", error)
        return None
