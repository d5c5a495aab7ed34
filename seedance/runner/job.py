"""One take under way, as its caller sees it: progress, waiting, the result, cancelling.

A job only watches: its order runs in a thread of its own, whether anybody waits or not.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from ..errors import BadOrder, Cancelled, SeedanceError, StillRunning, Unreachable
from ..fit import Change
from ..journal import Row, State
from ..money import Money
from ..order import Order
from ..said import Said, both, say
from ..settings import Settings
from . import compare, files, last_frames, places
from .active import ActiveOrder
from .files import Files
from .outcomes import costs_nothing, error_of, told
from .progress import Progress

LOOK_SECONDS = 0.5  # a thread that waits checks its time limit at least this often
# An order without a ticket when the time to wait is over is given up. So much later, because what
# it waits for (a slot, a busy provider) ends with it, and has better words; and then so long its
# thread may take to end.
LATE_SECONDS = 2.5
GIVE_UP_SECONDS = 1.0
ASK_SECONDS = 30.0  # until a task is given up whose provider was not asked for want of time
UNSENT_SECONDS = 60.0  # until an order is given up that nobody wanted to wait for (a time of 0)


@dataclass(frozen=True)
class Result:
    """One finished take. `fps` in frames a second, `duration` in seconds, `cost` None if unknown.

    `reused`: nothing was paid for it by this call; it was there, or was joined or fetched. In
    ComfyUI, `last_frame` may be made later; `last_frames` gives it.
    """

    task: str
    provider: str
    model: str
    state: str
    file: Path
    last_frame: Path
    sidecar: Path
    seed: int
    width: int
    height: int
    fps: float
    frames: int
    duration: float
    has_audio: bool
    cost: Money | None
    changes: tuple[Change, ...]
    row: int
    reused: bool


class Job:
    """One take, as its caller sees it. It goes on whether anybody waits or not."""

    def __init__(
        self,
        settings: Settings,
        row: Row | None,
        order: Order,
        *,
        active: ActiveOrder | None = None,
        changes: tuple[Change, ...] | None = None,
        notes: tuple[Said, ...] = (),
        copy_to: Path | None = None,
        overwrite: bool = False,
        error: SeedanceError | None = None,
        pictures_later: bool = False,
        new: bool = False,
        may_send: bool = False,
    ) -> None:
        """`new`: it was reserved for this job; `may_send`: its order may be sent for this job."""
        self.order, self.notes = order, notes
        self._fit_changes = changes
        self.cancel_note: Said | None = None
        self._settings, self._row, self._active = settings, row, active
        self._copy_to, self._overwrite, self._error = copy_to, overwrite, error
        self._pictures_later = pictures_later
        self._new, self._may_send = new, may_send
        self._began = time.monotonic()
        self._given_up: float | None = None
        self._waiting = active is not None  # who made this job has joined the order

    @property
    def row(self) -> int | None:
        """The row in the journal, None if the take could not even be reserved."""
        return self._current.id if self._current else None

    @property
    def task(self) -> str | None:
        """The ticket, once there is one."""
        return self._current.task if self._current else None

    @property
    def provider(self) -> str:
        """The provider's id."""
        return self._current.provider if self._current else self.order.provider

    @property
    def changes(self) -> tuple[Change, ...]:
        """What is sent, and in the end delivered, differently from what was asked; for a collected
        task, what its row says.

        What was changed of media is known only after their upload.
        """
        row = self._current
        noted = tuple(Change(**change) for change in row.changes) if row else ()
        if row is not None and not row.only_ticket:
            noted += compare.differences(row.order, row.result)
        if self._fit_changes is None:
            return noted
        # The row may be from an order that asked for other values and fits to the same; of its
        # changes only those of media are true of this order too.
        ours = (
            each for each in noted if each.field not in _ORDER_FIELDS or each.why is compare.WHY
        )
        return self._fit_changes + tuple(ours)

    @property
    def progress(self) -> Progress:
        """How far it is."""
        if self._error is not None:
            return Progress("not_sent")
        return self._active.progress if self._active else Progress("saved", fraction=1.0)

    @property
    def _current(self) -> Row | None:
        return self._active.row if self._active else self._row

    # ------------------------------------------------------------------------- waiting

    def wait(self, on_progress: Callable[[Progress], None] | None = None) -> Result:
        """Wait for the video. Raises the SeedanceError that the take ends with, or StillRunning
        when `settings.timeout` is over; the task then goes on."""
        tell = on_progress or (lambda _: None)
        (outcome,) = wait_all([self], lambda _, progress: tell(progress))
        if isinstance(outcome, SeedanceError):
            raise outcome
        return outcome

    async def wait_async(self, on_progress: Callable[[Progress], None] | None = None) -> Result:
        """As `wait`, in the caller's event loop, where `on_progress` is called too.

        Cancelling this coroutine only stops the waiting.
        """
        if self._active is None:
            return await asyncio.to_thread(self._outcome)
        active, loop = self._active, asyncio.get_running_loop()
        news: asyncio.Queue[Progress | None] = asyncio.Queue()

        def tell(progress: Progress | None) -> None:
            try:
                loop.call_soon_threadsafe(news.put_nowait, progress)
            except RuntimeError:
                active.unlisten(tell)  # the caller's loop is gone, and with it the waiter

        if on_progress is not None:
            active.listen(tell)
        active.done.add_done_callback(lambda _: tell(None))
        try:
            while not active.done.done():
                self._check_deadline()
                try:
                    progress = await asyncio.wait_for(news.get(), LOOK_SECONDS)
                except asyncio.TimeoutError:
                    continue
                if progress is not None and on_progress is not None:
                    on_progress(progress)
            return await asyncio.to_thread(self._outcome)
        finally:
            active.unlisten(tell)

    def _check_deadline(self) -> None:
        """Raise the error of a time to wait that is over."""
        timeout = self._settings.timeout
        if not self.task:
            self._check_unsent()
        elif (waited := time.monotonic() - self._began) > timeout:
            if self._active and not (self._new or self._active.goes_on) and waited < ASK_SECONDS:
                return  # it may be done: its provider was not asked yet, or has just said so
            self.release()
            row = self._current
            assert row is not None
            unknown = self._active.no_answer if self._active else None
            why = self._active.client.provider.limits.endless if self._active else ""
            how = say(
                "Collect it later with: seedance collect {ticket}, the node Seedance Collect Task, "
                "or the Seedance tab; queueing the same order joins it again.",
                ticket=self.task,
            )
            if unknown is not None:
                late = StillRunning(
                    "How the task stands is not known after {timeout} s: {said}"
                    if costs_nothing(row)
                    else "The task is paid. How it stands is not known after {timeout} s: {said}",
                    hint=how,
                    timeout=f"{timeout:.0f}",
                    said=unknown,
                )
                raise told(row, late)
            late = StillRunning(
                "The task is still running after {timeout} s. It goes on."
                if costs_nothing(row)
                else "The task is still running after {timeout} s. It is paid and goes on.",
                hint=both(why, how),
                timeout=f"{timeout:.0f}",
            )
            raise told(row, late)

    def _check_unsent(self) -> None:
        """Give the order up that has no ticket in time, for whatever it waits: an upload, a
        database, another process. A paid call under way is never cut: only its answer tells what
        became of the order."""
        active, now = self._active, time.monotonic()
        if active is None or active.spending:
            return
        if self._given_up is None:
            if now - self._began > (self._settings.timeout or UNSENT_SECONDS) + LATE_SECONDS:
                self._given_up = now
                self.release()
                if not active.waiters:
                    active.request_cancel()
        elif now - self._given_up > GIVE_UP_SECONDS:
            raise self._unsent(active)

    def _unsent(self, active: ActiveOrder) -> SeedanceError:
        """The error for an order that was given up before it had a ticket."""
        row = active.row
        if row.state == State.UNCLEAR:
            return error_of(row)
        seconds = f"{self._settings.timeout or UNSENT_SECONDS:.0f}"
        if row.live and not active.ours:
            goes_on = StillRunning(
                "Another process works on the order, and it had no ticket within {seconds} s.",
                hint="To wait for it again, queue the same order again. See: seedance tasks.",
                seconds=seconds,
            )
            return told(row, goes_on)
        unsent = Unreachable(
            "The order could not be sent within {seconds} s, so it was given up before anything "
            "was sent.",
            hint="It is safe to try again. For more time, raise SEEDANCE_TIMEOUT.",
            seconds=seconds,
        )
        return told(row, unsent)

    def _outcome(self) -> Result:
        if self._error is not None:
            raise self._error
        row = self._row
        if self._active is not None:
            self.release()
            try:
                row = self._active.done.result()
            except Cancelled:
                if self._given_up is None or self.task:
                    raise
                raise self._unsent(self._active) from None
        assert row is not None
        paths = self._delivered(row)
        measured = {key: value for key, value in row.result.items() if key in files.MEASURED}
        return Result(
            task=row.task or "",
            provider=row.provider,
            model=row.model,
            state=row.state,
            file=paths.video,
            last_frame=paths.last_frame,
            sidecar=paths.sidecar,
            cost=row.cost,
            changes=self.changes,
            row=row.id,
            reused=not self._paid_here,
            **measured,
        )

    @property
    def _paid_here(self) -> bool:
        active = self._active
        return active is not None and (
            self._new or (self._may_send and active.sent and not active.reserved)
        )

    @property
    def was_there(self) -> bool:
        """Whether its video was there already when it was asked for."""
        return self._active is None

    def _delivered(self, row: Row) -> Files:
        """The files of a saved row as this caller gets them. Raises BadOrder."""
        output = self._settings.output
        found = places.find(row, output)
        if found is None:
            problem = BadOrder(
                "The saved video {file} was changed or removed just now.",
                hint="Take it again with: seedance collect {ticket}",
                file=row.file,
                ticket=row.task,
            )
            raise told(row, problem)
        if not self._pictures_later:
            last_frames.provide(found)
        if self._copy_to is None:
            return places.bring_below(output, found)
        try:
            if self._overwrite:
                return places.copy_to(found, self._copy_to)
            copies = places.copy_beside(found, self._copy_to, row)
            if not self._pictures_later:
                last_frames.provide(copies)  # of a copy that was there
            return copies
        except OSError as error:
            problem = BadOrder(
                "The video is saved as {file}, but cannot be copied to {target}: {reason}.",
                file=found.video,
                target=self._copy_to,
                reason=error.strerror,
            )
            raise told(row, problem) from error

    # ----------------------------------------------------------------------- cancelling

    def release(self) -> None:
        """Count no longer among those who wait for the order, which goes on."""
        if self._waiting and self._active is not None:
            self._waiting = False
            self._active.leave()

    def cancel(self) -> None:
        """Cancel for a person. The provider is asked to cancel only where it documents that this
        costs nothing, and only if nobody else waits. Returns at once; `cancel_note` says what
        becomes of the task."""
        active, task = self._active, self.task
        if active is None or active.done.done():
            return
        self.release()
        if active.waiters:
            self.cancel_note = say("Somebody else waits for the same order, so it goes on.")
            return
        if active.row.state == State.UNCLEAR:
            unclear = error_of(active.row)
            self.cancel_note = both(unclear.message, unclear.hint)
        elif task is None:
            self.cancel_note = say(
                "Cancelled before a task was made; if nothing was sent, nothing is spent."
            )
        elif active.client.provider.cancel_is_free:
            self.cancel_note = say(
                "The provider is asked to cancel {ticket}; if it cannot, its video will be kept. "
                "Collect it with: seedance collect {ticket}.",
                ticket=task,
            )
        else:
            self.cancel_note = say(
                "The provider cannot cancel {ticket} free of charge, so it goes on; its video will "
                "be kept. Collect it with: seedance collect {ticket}.",
                ticket=task,
            )
        active.request_cancel()

    @property
    def ended(self) -> bool:
        """Whether it has come to its end."""
        return self._active is None or self._active.done.done()

    def when_ended(self, tell: Callable[[Result | SeedanceError], None]) -> None:
        """Call `tell` with what came of it, from any thread, once it has come to its end."""

        def told_end() -> None:
            outcome = self.look()
            assert outcome is not None
            tell(outcome)

        if self._active is None:
            told_end()
        else:
            self._active.done.add_done_callback(lambda _: told_end())

    def look(self) -> Result | SeedanceError | None:
        """What came of it; None while it is to be waited for."""
        try:
            if not self.ended:
                self._check_deadline()
                return None
            return self._outcome()
        except SeedanceError as error:
            return error


def wait_all(
    jobs: Sequence[Job],
    on_progress: Callable[[int, Progress], None] = lambda number, progress: None,
    *,
    on_look: Callable[[], None] = lambda: None,
) -> list[Result | SeedanceError]:
    """Wait for several takes at once; what came of each, in their order.

    `on_progress(number of the job from 0, progress)` and `on_look()`, about twice a second, are
    called in this thread.
    """
    outcomes = wait_some(jobs, math.inf, on_progress, on_look)
    return [outcome for outcome in outcomes if outcome is not None]


def wait_some(
    jobs: Sequence[Job],
    seconds: float,
    on_progress: Callable[[int, Progress], None] = lambda number, progress: None,
    on_look: Callable[[], None] = lambda: None,
) -> list[Result | SeedanceError | None]:
    """As `wait_all`, but no longer than `seconds`: None for a job that goes on then."""
    give_up = time.monotonic() + seconds
    outcomes: list[Result | SeedanceError | None] = [None] * len(jobs)
    news: queue.SimpleQueue[tuple[int, Progress] | None] = queue.SimpleQueue()
    with contextlib.ExitStack() as stack:
        for number, job in enumerate(jobs):
            if (active := job._active) is None:
                continue

            def tell(progress: Progress, number: int = number) -> None:
                news.put((number, progress))

            active.listen(tell)
            stack.callback(active.unlisten, tell)
            active.done.add_done_callback(lambda _: news.put(None))
        while True:
            for number, job in enumerate(jobs):
                outcomes[number] = outcomes[number] or job.look()
            left = give_up - time.monotonic()
            if all(outcomes) or left <= 0:
                return outcomes
            on_look()
            with contextlib.suppress(queue.Empty):
                if (heard := news.get(timeout=min(LOOK_SECONDS, left))) is not None:
                    on_progress(*heard)


_ORDER_FIELDS = {item.name for item in fields(Order)}
