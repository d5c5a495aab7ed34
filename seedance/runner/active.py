"""An order that this process works on: its row, who waits for it, and how it is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..addresses import origin
from ..errors import BadOrder, Cancelled, SeedanceError, StillRunning
from ..journal import (
    ENDED,
    LIVE,
    IllegalMove,
    Journal,
    LeaseLost,
    Row,
    State,
    TicketTaken,
    believed,
)
from ..money import Money
from ..said import both, say
from ..settings import Settings
from ..texts import logger_of
from ..transport import Stop
from ..wire import Ticket
from . import places, tickets
from .client import Client, Stopped
from .progress import Progress

if TYPE_CHECKING:
    from .poll import Polling
    from .quotes import Prepared
    from .worker import Worker

logger = logger_of(__name__)

WATCH_SECONDS = 1.0  # between two readings of a row that another process works on
WRITE_ATTEMPTS = 3
WRITE_PAUSE = 1.0  # seconds between two attempts to write what was paid into the journal


class ActiveOrder:
    """A row that this process brings to its end. `lease` gets the lease on it.

    While something is done for it, it has a thread of its own. Methods under "from the order's own
    thread" are called only there; the others may be called from any thread. `done` receives the
    saved row, or the SeedanceError that the order ends with. `prepared` is None for a row that was
    recovered: the journal keeps no media, so that such an order can no longer be sent. `account`:
    that of the key, None if it does not matter. `goal`: a file that a person wants it saved as;
    with `overwrite` it may replace what is there.
    """

    def __init__(
        self,
        row: Row,
        client: Client,
        worker: Worker,
        journal: Journal,
        settings: Settings,
        prepared: Prepared | None = None,
        *,
        account: str | None = None,
        goal: Path | None = None,
        overwrite: bool = False,
    ) -> None:
        self.row, self.client, self.worker = row, client, worker
        self.goal, self.overwrite = goal, overwrite
        self.account = account
        self.journal, self.settings, self.prepared = journal, settings, prepared
        self.done: Future[Row] = Future()
        self.progress = Progress("starting")
        self.waiters = 0
        self.spending = False
        self.sent = False  # whether the call that its ticket is from was made here
        self.reserved = False  # whether one of those who wait has reserved the row
        self.cancel_meant = False  # by a person, of this very task
        self.cancel_sent = False  # and its answer does not tell what becomes of the task
        self.stop = Stop()
        self.polling: Polling | None = None  # while its task runs
        self.goes_on = False  # whether the last poll here did not find that its task has ended
        self.no_answer: str | None = None  # why that poll did not tell how the task stands
        self._lock = threading.Lock()
        self._writing = threading.RLock()
        self._wake = threading.Event()
        self._cancel_wanted = False
        self._cancelling = False
        self._closing = False
        self._refusals: list[Future[str]] = []
        self._listeners: list[Callable[[Progress], None]] = []
        self._unwritten: list[tuple[State, dict[str, Any]]] = []

    # -------------------------------------------------------------------- from any thread

    def listen(self, listener: Callable[[Progress], None]) -> None:
        """Call `listener` with each progress, in the order's thread; it must not block."""
        with self._lock:
            self._listeners.append(listener)
        listener(self.progress)

    def unlisten(self, listener: Callable[[Progress], None]) -> None:
        """Stop calling `listener`."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def join(self) -> Future[str] | None:
        """Count one more who waits for the order. Returns None, or, where it is being cancelled
        just now, what is done when that was carried out (see `done`) or refused."""
        with self._lock:
            self.waiters += 1
            if not self._cancelling:
                return None
            refusal: Future[str] = Future()
            self._refusals.append(refusal)
            return refusal

    def leave(self) -> None:
        """Count one less who waits for the order."""
        with self._lock:
            self.waiters -= 1

    def request_cancel(self, *, meant: bool = False) -> Future[str]:
        """Ask the order to cancel, and wake it from any wait. `meant`: a person cancels this very
        task, whatever that costs, instead of interrupting a wait.

        Either it ends (see `done`), or the future that is returned gives the reason why it goes on.
        """
        refusal: Future[str] = Future()
        with self._lock:
            self._refusals.append(refusal)
            self._cancel_wanted = True
            self.cancel_meant = self.cancel_meant or meant
            self._interrupt()
        return refusal

    def close(self) -> None:
        """Stop because the runner closes, once a paid call in flight was answered.

        A row that has a ticket can be recovered later. One that was not sent is cancelled.
        """
        with self._lock:
            self._closing = True
            self._interrupt()

    def _interrupt(self) -> None:
        # A cancel does not stop the saving of a finished video, which is paid. Closing does.
        if self.row.state != State.SUCCEEDED or self._closing:
            self.stop.set()
        self._wake.set()
        self.worker.wake(self)

    @property
    def is_woken(self) -> bool:
        """Whether it was woken from a wait, and has not looked why."""
        return self._wake.is_set()

    # ----------------------------------------------------- from the order's own thread

    def say(
        self,
        code: str,
        fraction: float | None = None,
        seconds_left: float | None = None,
        **values: int | float,
    ) -> None:
        """Publish progress: a code of `progress.ENGLISH` and the numbers that it names."""
        self.progress = Progress(code, values, fraction, seconds_left)
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener(self.progress)

    def pause(self, seconds: float) -> None:
        """Wait `seconds`, or until a person cancels. Raises Stopped if the runner closes."""
        if seconds > 0:
            self._wake.wait(seconds)
        with self._lock:
            self._wake.clear()
        if self._closing:
            raise Stopped

    def cancelled(self) -> bool:
        """Whether to cancel: a person asked for it, and nobody else waits for the order.

        Clears `stop`, so that calls can be made again. Raises Stopped if the runner closes.
        """
        if self._closing:
            raise Stopped
        with self._lock:
            wanted = self._cancel_wanted
            self.stop.clear()
            self._cancelling = wanted and not self.waiters
        if wanted and not self._cancelling:  # they joined the order after the cancel
            self.refuse_cancel(say("somebody else waits for the same order"))
        return self._cancelling

    def refuse_cancel(self, reason: str) -> None:
        """Answer all requests to cancel with the reason why the order goes on."""
        with self._lock:
            self._cancel_wanted = self._cancelling = self.cancel_meant = False
            if not self._closing:
                self.stop.clear()
            refusals, self._refusals = self._refusals, []
        for refusal in refusals:
            refusal.set_result(reason)

    def check_stop(self) -> None:
        """Raise Stopped if a person cancelled or the runner closes."""
        if self.stop.is_set():
            raise Stopped

    def lease(self) -> None:
        """Return when this process has the lease, or when the row is not live any more.

        Raises Cancelled if a person cancels meanwhile, Stopped if the runner closes.
        """
        while self.row.state in LIVE and not self.ours:
            claimed = self.journal.claim(self.row.id, self.row.uid)
            if claimed is not None:
                self.row = claimed
                return
            if self.cancelled():
                raise Cancelled(
                    "Stopped waiting; another process goes on with the order and keeps its video.",
                    task=self.row.task,
                )
            self.say("other_process")
            self.pause(WATCH_SECONDS)
            self.reload()

    def check_lease(self) -> None:
        """Raise LeaseLost if another process has the row. Where the journal cannot be read, this
        process is taken to have it."""
        try:
            found = self.journal.by_uid(self.row.uid)
        except BadOrder:
            return
        if found is not None and found.holder != self.journal.holder:
            raise LeaseLost(f"row {self.row.id}")

    def reload(self) -> bool:
        """Read the row from the journal again; returns whether it is not as this process knew it.

        A row that is gone from it, or went back to before it was paid, gets its ticket again.
        Raises BadOrder where it is gone and nothing is paid.
        """
        row = self.row
        found = self.journal.by_uid(row.uid) if row.uid else self.journal.get(row.id)
        if row.task is not None and (found is None or found.task != row.task):
            self.give_back(row.task)
        elif found is None:
            raise tickets.explain_lost(row)
        else:
            self.row = found
        return found is None or (found.state, found.task) != (row.state, row.task)

    def give_back(self, ticket: str) -> None:
        """Give the journal a ticket that it does not have: in the row that was paid for it, or in
        one of its own. Raises BadOrder where it cannot be written."""
        row = self.row
        tickets.write(self.settings.home, row, ticket)
        new = tickets.new_row(row)
        self.row = self.journal.keep_ticket(new, ticket, new.estimate, row.uid)
        logger.warning("Row %s of the journal has %s now.", self.row.id, ticket)
        if self.row.uid != row.uid:
            tickets.remove(self.settings.home, row)
        tickets.keep(self.settings.home, self.row)

    def keep(self, ticket: str, cost: Money | None) -> None:
        """Make the ticket in the answer to a paid call safe; the journal comes after that."""
        price = believed(cost, self.row.cost, self.row.budget_usd) or self.row.cost
        if cost is not None and price is not cost:
            logger.warning(
                "Row %s: %s says that %s costs %s, which makes no sense; it counts as %s.",
                self.row.id,
                self.client.provider.name,
                ticket,
                cost,
                price or "unknown",
            )
        row = replace(self.row, task=ticket, cost=price, state=State.RUNNING)
        tickets.write(self.settings.home, row, ticket)
        self.row = row

    @property
    def same_sender(self) -> bool:
        """Whether key and base URL are those that the order was sent with. What is answered to
        others proves nothing about it."""
        here = origin(self.client.provider.config.base_url)
        same_account = self.account in (None, self.row.account)
        return same_account and self.row.origin in (None, here)

    @property
    def ours(self) -> bool:
        """Whether this process has the lease of the row."""
        return self.row.holder == self.journal.holder

    @property
    def unwritten(self) -> bool:
        """Whether the journal could not take something of this order yet."""
        return bool(self._unwritten)

    def release(self) -> None:
        """Release the lease of a live row. Anyone may claim the row now; recovery retries it after
        `REST_SECONDS`, or at once if the runner closes. What is not written yet is still ours."""
        if self.row.state in LIVE and not self._unwritten:
            try:
                self.journal.release(self.row.id, rest=not self._closing, uid=self.row.uid)
            except BadOrder as error:
                logger.warning("The lease of row %s could not be released: %s", self.row.id, error)

    def advance(self, state: State, **values: Any) -> None:
        """Move the row to `state`; `values` are those of `Journal.advance`.

        Raises BadOrder if the journal cannot be written before anything is spent. Once the task is
        paid, or the order has ended, that must change nothing: the move is tried `WRITE_ATTEMPTS`
        times, then kept in memory and written as soon as that can be. Raises LeaseLost if another
        process has the row.
        """
        self._unwritten.append((state, values))
        for attempt in range(1, WRITE_ATTEMPTS + 1):
            try:
                self._write_steps()
                return
            except (LeaseLost, TicketTaken, IllegalMove):
                self._unwritten.clear()
                raise
            except BadOrder as error:
                tasks = (step.get("task") for _, step in self._unwritten)
                task = next(filter(None, tasks), self.row.task)
                if task is None and state not in (State.UNCLEAR, *ENDED):
                    self._unwritten.pop()
                    raise
                logger.error("Row %s (%s) is %s, but: %s", self.row.id, task, state, error)
                if attempt == WRITE_ATTEMPTS:
                    seen = ("task", "file", "result", "error")
                    known = {name: value for name, value in values.items() if name in seen}
                    self.row = replace(self.row, state=state, **known)
                else:
                    time.sleep(WRITE_PAUSE)

    def _write_steps(self) -> None:
        with self._writing:
            while self._unwritten:
                state, values = self._unwritten[0]
                row = self.journal.advance(self.row.id, state, uid=self.row.uid, **values)
                self._unwritten.pop(0)
                if not self._unwritten:
                    self.row = row
                tickets.keep(self.settings.home, row)

    def write_late(self) -> None:
        """Write what the journal could not take before, if there is anything. May be called from
        any thread. Raises what `advance` raises, and leaves it to the order's own thread, as long
        as that runs, to do something about it."""
        if not self._unwritten or not self._writing.acquire(blocking=False):
            return
        try:
            self._write_steps()
        except (LeaseLost, TicketTaken, IllegalMove):
            if not self.done.done():
                raise
            self._unwritten.clear()
            if self.row.task is not None:
                self.give_back(self.row.task)
        finally:
            self._writing.release()
        if self.done.done():
            self.release()

    def end(self, state: State, error: SeedanceError, **values: Any) -> SeedanceError:
        """Move the row to `state`, its end, and record the error; returns the error to raise."""
        error.task = error.task or self.row.task
        error.row = self.row.id
        self.advance(state, error=error.as_dict(), **values)
        return error

    def ticket(self) -> Ticket:
        """The ticket of the row, which is paid by now."""
        return Ticket.parse(self.row.task or "", known=True)

    def later(self, message: str, hint: str = "") -> StillRunning:
        """The error for a paid task whose video cannot be had now, but later."""
        task = self.row.task
        how = say("Collect it later with: seedance collect {ticket}", ticket=task)
        hint = both(both(hint, places.words(self.row)), how)
        return StillRunning(message, hint=hint, task=task, row=self.row.id)
