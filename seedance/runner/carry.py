"""Carries one row from where it stands to its end: place, submit, follow, save.

The one place that knows the order of steps and what each means for money. Runs as a coroutine in
the follower; whoever waits for it waits elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import download
from ..errors import (
    BadOrder,
    Cancelled,
    OddReply,
    Refused,
    SeedanceError,
    StillRunning,
    TaskFailed,
    Unclear,
    Unreachable,
    from_dict,
)
from ..fit import spelled
from ..follower import UNDOCUMENTED_INTERVAL, Carry, Follower, Pace, Progress
from ..journal import LIVE, Journal, LeaseLost, Row
from ..order import Order
from ..settings import Settings, origin
from ..transport import Lost, NotSent
from ..wire import Cancelled as CancelledThere
from ..wire import (
    CannotCancel,
    Done,
    Expired,
    Failed,
    Placed,
    Provider,
    Running,
    Status,
    Ticket,
)
from . import save
from .place import Placing, Plan
from .talk import Busy, Gone, Talk, Unsettled

logger = logging.getLogger(__name__)

SLOT_SECONDS = 2.0
WATCH_SECONDS = 1.0
# A task that was just created may not be known everywhere yet: a 404 is no answer for so long.
WARM_UP_SECONDS = 60.0
PERMANENT_ANSWERS = 3
ROUNDS_WITHOUT_ADDRESS = 20
# How often and how long an unclear order is looked for in a provider's list of tasks, and how old
# it must be before its absence proves that it never arrived.
FIND_ATTEMPTS = 3
FIND_SECONDS = 2.0
RESEND_AFTER_SECONDS = 300.0


class Interrupted(Exception):
    """A person cancelled before anything was spent."""


@dataclass
class Carrier:
    """Everything that one row needs on its way. `order` and `plan` are None for a row that was
    taken up again: its media are not in the journal, so it can only go on after its create."""

    row: Row
    talk: Talk
    follower: Follower
    journal: Journal
    settings: Settings
    carry: Carry
    order: Order | None = None
    plan: Plan | None = None
    _finished: Done | None = None
    _unwritten: dict[str, Any] = field(default_factory=dict)
    _gone: int = 0
    _odd_words: set[str] = field(default_factory=set)

    async def run(self) -> Row:
        """Carry the row to `saved`, whoever holds it now. Raises the SeedanceError it ends with."""
        while True:
            try:
                await self._own()
                return await self._steps()
            except LeaseLost:
                await self._reload()

    async def _steps(self) -> Row:
        if self.row.state == "unclear" and not await self._found(
            certain_after=RESEND_AFTER_SECONDS
        ):
            raise error_of(self.row)
        if self.row.state == "preparing":
            await self._until_submitted()
        if self.row.state == "running":
            await self._until_done()
        if self.row.state == "succeeded":
            await self._until_saved()
        if self.row.state == "saved":
            return self.row
        raise error_of(self.row)

    # ---------------------------------------------------------------- holding the row

    async def _journal(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await self.follower.blocking(function, *args, **kwargs)

    async def _reload(self) -> None:
        self.row = await self._journal(self.journal.get, self.row.id)

    async def _own(self) -> None:
        """Return when this process holds the row, or when there is nothing left to do."""
        while self.row.state in LIVE and self.row.holder != self.journal.holder:
            claimed = await self._journal(self.journal.claim, self.row.id)
            if claimed is not None:
                self.row = claimed
                return
            if self.carry.cancel_wanted.is_set():
                raise Cancelled(
                    "Stopped waiting; another process goes on with the order and keeps its video.",
                    task=self.row.task,
                )
            self._say("another process works on this order; waiting for it")
            await self.carry.pause(WATCH_SECONDS)
            await self._reload()

    async def _advance(self, state: str, **values: Any) -> None:
        """Write a step down. Once money was spent, a journal that refuses must not lose the video:
        the step is kept in memory and written with the next one."""
        values = {**self._unwritten, **values}
        for last in (False, False, True):
            try:
                self.row = await self._journal(self.journal.advance, self.row.id, state, **values)
                self._unwritten = {}
                return
            except BadOrder as error:
                task = values.get("task") or self.row.task
                if task is None and state != "unclear":
                    raise
                logger.error("Task %s is paid and goes on, but: %s", task, error)
                if last:
                    self._unwritten = {k: v for k, v in values.items() if k != "error"}
                    seen = {
                        k: v for k, v in values.items() if k in ("task", "file", "result", "error")
                    }
                    self.row = replace(self.row, state=state, **seen)
                await asyncio.sleep(1.0)

    def _say(self, text: str, fraction: float | None = None, left: float | None = None) -> None:
        self.carry.report(Progress(text, fraction, left))

    async def _end(self, state: str, error: SeedanceError, **values: Any) -> SeedanceError:
        """Write an end down; returns the error to raise."""
        error.task = error.task or self.row.task
        error.row = self.row.id
        await self._advance(state, error=error.as_dict(), **values)
        return error

    # ---------------------------------------------------------------------- before the create

    async def _until_submitted(self) -> None:
        if self.order is None or self.plan is None:
            # Its pictures are not in the journal; nothing was sent, so it is simply given up.
            raise await self._end(
                "cancelled",
                Cancelled(
                    "The order was interrupted before it was sent; nothing was spent.", spent="no"
                ),
                not_billed=True,
            )
        work_dir = Path(tempfile.mkdtemp(prefix="seedance-"))
        try:
            placed = await self._placed(self.order, self.plan, work_dir)
            await self._create(self.order, placed)
        except LeaseLost:
            raise
        except Interrupted:
            raise await self._end(
                "cancelled",
                Cancelled("Cancelled before anything was sent; nothing was spent.", spent="no"),
                not_billed=True,
            ) from None
        except Unclear as error:
            problem = await self._unclear(error)
            if not await self._found():
                raise problem from None
        except SeedanceError as error:
            error = as_public(error)
            if self.row.state != "running":  # a create that was answered is never given up here
                error = await self._end("refused", error, not_billed=True)
            raise error from None
        except BaseException:
            with contextlib.suppress(LeaseLost):
                if self.row.state == "preparing":
                    await self._advance("refused", not_billed=True)
            raise
        finally:
            self.follower.spent(self.carry)
            shutil.rmtree(work_dir, ignore_errors=True)

    async def _placed(self, order: Order, plan: Plan, work_dir: Path) -> Placed:
        placing = Placing(
            self.talk,
            self.follower,
            self.journal,
            self.settings,
            self.row.account,
            nearest=order.on_unsupported == "nearest",
            work_dir=work_dir,
            report=self._say,
        )
        self._say("preparing")
        going = asyncio.ensure_future(placing.place(plan))
        while not going.done():
            if self.carry.cancel_wanted.is_set():
                going.cancel()
                raise Interrupted
            await asyncio.wait({going}, timeout=0.25)
        return going.result()

    async def _create(self, order: Order, placed: Placed) -> None:
        deadline = time.monotonic() + self.settings.timeout
        failures = 0
        while True:
            await self._take_slot(deadline)
            self.follower.spends(self.carry)
            self._say("submitting")
            try:
                ticket = await self.talk.hold(
                    self.talk.provider.submit(spelled(order, type(self.talk.provider)), placed)
                )
                await self._advance("running", task=str(ticket), cost=ticket.cost)
                return
            except Busy as error:
                failures += 1
                wait = error.seconds if error.seconds is not None else min(2.0**failures, 60.0)
                problem: SeedanceError = Refused(
                    f"{error.message} It stayed so until the time to wait was over; nothing was "
                    "accepted.",
                    hint="Try again later, or raise SEEDANCE_TIMEOUT.",
                )
            except NotSent as error:
                failures += 1
                wait = min(2.0**failures / 2, 30.0)
                problem = Unreachable(error.message, hint=error.hint)
                if failures >= 5:
                    raise problem from None
            finally:
                if self.row.state != "submitting":
                    self.follower.spent(self.carry)
            # Nothing was accepted: the row goes back, so that a crash while waiting is no riddle.
            await self._advance("preparing")
            self.follower.spent(self.carry)
            if time.monotonic() + wait > deadline:
                raise problem
            self._say(f"the provider is busy, trying again in {wait:.0f} s")
            await self._pause_before_money(wait)

    async def _take_slot(self, deadline: float) -> None:
        limit = self.talk.provider.limits.concurrent
        while True:
            if self.carry.cancel_wanted.is_set():
                raise Interrupted
            row, busy = await self._journal(self.journal.take_slot, self.row.id, limit)
            if row is not None:
                self.row = row
                return
            if time.monotonic() > deadline:
                raise Unreachable(
                    f"{self.talk.provider.name} runs at most {limit} tasks at once, and no slot "
                    "became free in time; nothing was sent.",
                    hint="Try again later, or raise SEEDANCE_TIMEOUT.",
                )
            self._say(f"waiting for a slot ({busy} in use)")
            await self._pause_before_money(SLOT_SECONDS)

    async def _pause_before_money(self, seconds: float) -> None:
        await self.carry.pause(seconds)
        if self.carry.cancel_wanted.is_set():
            raise Interrupted

    async def _unclear(self, error: Unclear) -> SeedanceError:
        """Write the unclear outcome down; returns the error to raise."""
        error.hint = (
            f"{error.hint} Look at the provider's own list of tasks. If there is none, send it "
            f"anew with: seedance forget {self.row.id} (or the Seedance tab), or change the seed."
        )
        return await self._end("unclear", error)

    async def _found(self, certain_after: float | None = None) -> bool:
        """Clear an unclear row by the provider's list of tasks, where it has one.

        A task that is there is taken up. That there is none counts only for an order that was sent
        `certain_after` seconds ago or earlier (None: never); then it goes on to be sent again.
        """
        if type(self.talk.provider).find is Provider.find or self.order is None:
            return False
        sent_at = self.row.updated.timestamp()
        for attempt in range(FIND_ATTEMPTS):
            await self.carry.pause(FIND_SECONDS if attempt or certain_after is None else 0.0)
            try:
                ticket = await self.talk.hold(self.talk.provider.find(self.order, sent_at))
            except SeedanceError as error:
                logger.info("Looking for the task of row %s: %s", self.row.id, error)
                return False
            if ticket is not None:
                known = await self._journal(self.journal.by_ticket, str(ticket))
                return known is None and await self._settle(str(ticket))
            if certain_after is not None and time.time() - sent_at > certain_after:
                return await self._settle(None)
        return False

    async def _settle(self, task: str | None) -> bool:
        row = await self._journal(self.journal.settle_unclear, self.row.id, task)
        if row is None:
            raise LeaseLost(f"row {self.row.id}")
        self.row = row
        return True

    # ----------------------------------------------------------------------- after the create

    async def _until_done(self) -> None:
        ticket = self._ticket()
        expected = await self._journal(self.journal.typical_seconds, self.row)
        limits = self.talk.provider.limits
        pace = Pace(
            limits.poll_interval or UNDOCUMENTED_INTERVAL, expected, self.settings.poll_interval
        )
        began = self.row.submitted or time.time()
        permanent, without_address = 0, 0
        wait = min(pace.after(time.time() - began), pace.interval)
        self._say("queued", None, expected)
        while True:
            await self.carry.pause(wait)
            await self._cancel_if_wanted(ticket)
            elapsed = time.time() - began
            wait = pace.after(elapsed)
            try:
                status = await self._ask(ticket, elapsed)
                permanent = 0
            except (Unsettled, NotSent, OddReply) as error:
                logger.info("Asking for %s: %s", ticket, error)
                self._say("waiting for the provider to answer again")
                wait = max(wait, getattr(error, "seconds", None) or 0.0)
                if elapsed > limits.task_life:
                    raise self._later(f"{ticket} could not be asked for: {error.message}") from None
                continue
            except SeedanceError as error:
                permanent += 1
                if permanent >= PERMANENT_ANSWERS:
                    raise self._later(error.message, error.hint) from None
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
                    self._say("finished; waiting for the address of the video", 1.0)
                    wait = min(wait, pace.fixed or max(pace.interval, 2.0))
                    continue
                raise self._later(
                    f"{ticket} is finished, but the provider gives no address for it."
                )
            await self._arrived(status)
            return

    async def _ask(self, ticket: Ticket, elapsed: float) -> Status:
        """Ask once. A 404 or 410 is Expired, once the task is old enough to be known."""
        try:
            status = await self.talk.hold(self.talk.provider.check(ticket), polling=True)
        except Gone as error:
            self._gone += 1
            if elapsed < WARM_UP_SECONDS or self._gone < PERMANENT_ANSWERS:
                raise Unsettled(error.message) from None
            return Expired(error.message)
        self._gone = 0
        return status

    def _running(
        self, ticket: Ticket, status: Running, elapsed: float, expected: float | None
    ) -> None:
        if status.unknown is not None and status.unknown not in self._odd_words:
            self._odd_words.add(status.unknown)
            logger.warning(
                "%s: undocumented status word %r, taken as running. The answer was: %s",
                ticket,
                status.unknown[:80],
                self.talk.quote_last_reply(),
            )
        left = max(expected - elapsed, 0.0) if expected else None
        fraction = status.progress
        if fraction is None and expected:
            fraction = min(elapsed / expected, 0.95)
        words = status.note or "rendering"
        if status.progress is not None:
            words += f" {status.progress * 100:.0f} %"
        self._say(words + (f", about {left:.0f} s left" if left else ""), fraction, left)

    async def _arrived(self, status: Status) -> None:
        """Write down how the task ended; returns only for a success."""
        if isinstance(status, Done):
            self._finished = status
            await self._advance("succeeded", cost=status.cost)
        elif isinstance(status, Failed):
            raise await self._end("failed", failure(status), not_billed=status.billed == "no")
        elif isinstance(status, CancelledThere):
            raise await self._end(
                "cancelled", Cancelled("The task was cancelled at the provider.", spent="unknown")
            )
        else:
            words = status.message if isinstance(status, Expired) else "it is gone"
            raise await self._end(
                "expired",
                TaskFailed(
                    f"{self.talk.provider.name} gave the task up: {words}.",
                    hint="Queue it again to send it anew.",
                    spent="unknown",
                ),
            )

    async def _cancel_if_wanted(self, ticket: Ticket) -> None:
        if not self.carry.cancel_wanted.is_set():
            return
        self.carry.cancel_wanted.clear()
        if self.carry.waiters or not type(self.talk.provider).cancel_is_free:
            return
        try:
            outcome = await self.talk.hold(self.talk.provider.cancel(ticket))
        except SeedanceError as error:
            outcome = CannotCancel(error.message)
        if isinstance(outcome, CancelledThere):
            raise await self._end(
                "cancelled",
                Cancelled("Cancelled at the provider; nothing is billed.", spent="no"),
                not_billed=True,
            )
        logger.info("%s goes on: %s", ticket, outcome.reason)

    # --------------------------------------------------------------------------------- saving

    async def _until_saved(self) -> None:
        self.carry.cancel_wanted.clear()  # it is paid: its video is kept
        files = save.Files(Path(self.row.target or ""))
        task = self.row.task or ""
        measured = await self.follower.blocking(save.already_finished, files, task)
        if measured is None:
            measured = await self._fetch_and_finish(files)
        await self._advance("saved", file=files.video, result=measured)
        self._say("saved", 1.0, 0.0)

    async def _fetch_and_finish(self, files: save.Files) -> dict[str, Any]:
        """Download, check and put in place. Whatever goes wrong here, the video can be collected
        later: the row stays `succeeded`."""
        problem: Exception | None = None
        for attempt in range(3):
            if attempt or self._finished is None:
                self._finished = await self._fresh_address()
            done = self._finished
            try:
                await self.follower.blocking(save.check_writable, files.video.parent)
                await self._download(done.video_url or "", files.part)
                last_frame = await self._provider_last_frame(done, files)
                record = sidecar_record(self.row, done)
                return await self.follower.blocking(save.finish, files, record, last_frame)
            except (download.Gone, NotSent, Lost, OddReply) as error:
                problem = error
            except (BadOrder, OSError) as error:
                problem = error
                if isinstance(error, OSError) or not files.part.exists():
                    break  # the disk refuses: another address does not help
            finally:
                with contextlib.suppress(OSError):
                    files.part.unlink(missing_ok=True)
        words = problem.strerror if isinstance(problem, OSError) else None
        message = words or getattr(problem, "message", None) or str(problem)
        raise self._later(
            f"The video is finished and paid, but could not be saved: {message}",
            getattr(problem, "hint", "") or f"It belongs to {files.video.parent}.",
        ) from None

    async def _fresh_address(self) -> Done:
        """Ask for the address of a finished task again."""
        ticket = self._ticket()
        problem = "the provider gives no address for it"
        for _ in range(5):
            try:
                status = await self._ask(ticket, WARM_UP_SECONDS)
            except SeedanceError as error:
                problem = error.message
            else:
                if isinstance(status, Done) and status.video_url:
                    return status
                if isinstance(status, (Failed, Expired, CancelledThere)):
                    raise self._lost_for_good(getattr(status, "message", "it was cancelled"))
            await self.carry.pause(self.settings.poll_interval or UNDOCUMENTED_INTERVAL)
        raise self._later(f"{ticket} is finished, but {problem}.")

    async def _download(self, url: str, part: Path) -> None:
        stop = threading.Event()

        def show(done: int, total: int | None) -> None:
            megabytes = f"{done >> 20} of {total >> 20} MB" if total else f"{done >> 20} MB"
            self._say(f"downloading {megabytes}", done / total if total else None)

        await self.follower.blocking(
            download.fetch,
            self.talk.transport,
            url,
            part,
            own_origin=origin(self.talk.provider.config.base_url),
            on_progress=show,
            stop=stop,
        )

    async def _provider_last_frame(self, done: Done, files: save.Files) -> Path | None:
        """The provider's own last frame, lossless; our own from the clip serves as well."""
        if not done.last_frame_url:
            return None
        part = files.video.with_name(files.last_frame.name + ".part")
        try:
            await self._download(done.last_frame_url, part)
        except (SeedanceError, OSError) as error:
            logger.info("The provider's last frame could not be fetched: %s", error)
            return None
        return part

    # --------------------------------------------------------------------------------- helpers

    def _ticket(self) -> Ticket:
        return Ticket.parse(self.row.task or "")

    def _later(self, message: str, hint: str = "") -> StillRunning:
        task = self.row.task
        return StillRunning(
            message,
            hint=f"{hint} Collect it later with: seedance collect {task}".strip(),
            task=task,
            row=self.row.id,
        )

    def _lost_for_good(self, message: str) -> Refused:
        return Refused(
            f"The saved video is gone and cannot be fetched again: {message}.",
            hint=f"To make it anew (and pay again): seedance forget {self.row.id}.",
            task=self.row.task,
            row=self.row.id,
        )


def sidecar_record(row: Row, done: Done) -> dict[str, Any]:
    """What the sidecar says about where a video came from; no key, no signed address."""
    seed = done.seed if done.seed is not None else row.seed
    cost = done.cost or row.cost
    return {
        "task": row.task,
        "provider": row.provider,
        "model": row.model,
        "seed": seed,
        "cost": cost.as_dict() if cost else None,
        "order": row.order,
        "changes": row.changes,
        "created": row.as_dict()["created"],
        "submitted": row.submitted,
        "finished": row.finished,
    }


BILLED_WORDS = {
    "yes": "It is billed.",
    "no": "It is not billed.",
    "unknown": "Whether it is billed is not documented.",
}
STAGE_WORDS = {
    "prompt": "the prompt was refused",
    "input": "an input was refused",
    "output": "the finished video was refused",
    "service": "the service failed",
}


def failure(status: Failed) -> TaskFailed:
    """The error that a failed task is, with its stage and whether it was billed."""
    code = f" ({status.code})" if status.code and status.code not in status.message else ""
    said = status.message.rstrip(".") or "no reason was given"
    error = TaskFailed(
        f"The task failed, {STAGE_WORDS[status.stage]}: {said}{code}.",
        hint=BILLED_WORDS[status.billed],
        spent=status.billed,
    )
    error.stage = status.stage
    return error


def as_public(error: SeedanceError) -> SeedanceError:
    """An error of the layers below as one of the documented kinds, before anything was spent."""
    if isinstance(error, (Unsettled, Lost, Busy)):
        return Unreachable(error.message, hint=error.hint or "It is safe to try again.")
    if isinstance(error, OddReply):
        return Refused(error.message, hint=error.hint or "Nothing was spent.", spent="no")
    return error


def error_of(row: Row) -> SeedanceError:
    """The error that an ended row stands for."""
    if row.error:
        error = from_dict(row.error)
    elif row.state == "unclear":
        error = Unclear(
            "The program ended while the order was being sent; it may be accepted and billed.",
            hint="Look at the provider's own list of tasks. If there is none, send it anew with: "
            f"seedance forget {row.id} (or the Seedance tab), or change the seed.",
        )
    else:
        error = Cancelled(f"The order ended as {row.state}.")
    error.task, error.row = row.task, row.id
    return error
