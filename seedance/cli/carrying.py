"""A worker: it carries the orders that `batch --farm` put into the queue.

The event loop, in the process's first thread, speaks to the queue. The runner carries the orders in
threads of its own, and the journal decides what may be paid.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import (
    Cancelled,
    NeedsKey,
    OddReply,
    SeedanceError,
    StillRunning,
    Unclear,
    Unreachable,
)
from . import show, stops
from .generate import exit_code

if TYPE_CHECKING:
    from ..farm import Bucket, Fetched, Queue, QueuedOrder
    from ..runner import Job, Prepared, Result, Runner

POLL_SECONDS = 2.0  # between two questions for orders, while there are none
BEAT_SECONDS = 15.0  # between two signs of life
AGAIN_SECONDS = 60.0  # before an order comes again that goes on
LOOK_SECONDS = 185.0  # before an unclear order comes again: looks that are sooner are not counted
MOST_LOOKS = 8
MOST_ATTEMPTS = 40  # of an order that could not be sent
LONGEST_SECONDS = 600.0  # between two of them
END_SECONDS = 30.0  # in which, at the end, orders are given back


class FarmWorker:
    """Carries orders of the queue until it is stopped, at most `jobs` at once; with `until_empty`
    until none is left for the providers whose keys are set here."""

    def __init__(
        self, runner: Runner, jobs: int | None, until_empty: bool, *, as_json: bool = False
    ) -> None:
        from .. import farm

        self._runner, self._jobs, self._until_empty = runner, jobs, until_empty
        self._as_json = as_json
        self._serves = _served(runner)
        self._bucket: Bucket = farm.Bucket(runner.settings)
        self._queue: Queue
        self._carried: set[asyncio.Task[None]] = set()
        self._at: Counter[str] = Counter()  # orders that are carried here, by provider
        self._news = asyncio.Event()
        self._stopping = False
        self._silent = False  # the queue does not answer
        self._problem: SeedanceError | None = None
        self._outcomes: list[Any] = []

    async def run(self) -> int:
        """Carry orders; returns the exit code. Raises BadOrder where there is no queue, and
        JournalReplaced."""
        from ..farm import Queue, QueueUnavailable

        loop = asyncio.get_running_loop()
        before = stops.telling(lambda: _tell(loop, self.stop))
        try:
            async with Queue.opened(self._runner.settings) as self._queue:
                await self._queue.sign_on()
                # Also what the queue has given up: the answer to a paid call may come late.
                self._runner.keep_recovering()
                self._say(f"Carrying orders for: {', '.join(self._serves) or 'no provider'}.")
                beating = asyncio.ensure_future(self._beat())
                try:
                    await self._carry_all()
                finally:
                    await self._leave()
                    beating.cancel()
                    with contextlib.suppress(QueueUnavailable):
                        await self._queue.sign_off()
        finally:
            stops.restore(before)
        if self._problem is not None:
            raise self._problem
        return exit_code(self._outcomes) if self._until_empty else 0

    def stop(self) -> None:
        """Take no order any more, and give back what is carried here."""
        self._stopping = True
        self._news.set()

    # -------------------------------------------------------------------------- the queue

    async def _carry_all(self) -> None:
        from ..farm import QueueUnavailable

        while not self._stopping:
            self._news.clear()
            try:
                fetched = await self._fetch()
                if fetched is None and await self._is_over():
                    return
            except QueueUnavailable as error:
                self._unheard(error)
                await self._pause()
                continue
            except SeedanceError as error:  # an order that cannot be read
                self._say(str(error))
                self._outcomes.append(error)
                continue
            self._silent = False
            if fetched is None:
                await self._pause()
            else:
                task = asyncio.ensure_future(self._carry(fetched))
                self._carried.add(task)
                task.add_done_callback(self._carried.discard)

    async def _is_over(self) -> bool:
        if not self._until_empty or self._carried or self._runner.busy:
            return False
        return not await self._queue.left(self._serves)

    async def _pause(self) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._news.wait(), POLL_SECONDS)

    def _unheard(self, error: SeedanceError) -> None:
        if not self._silent:
            self._say(f"{error.message} It is tried again.")
        self._silent = True

    async def _fetch(self) -> Fetched | None:
        if self._jobs is not None and len(self._carried) >= self._jobs:
            return None
        able = [provider for provider in list(self._serves) if await self._has_room(provider)]
        fetched = await self._queue.fetch(able) if able else None
        if fetched is not None:
            self._at[fetched.queued.provider] += 1
        return fetched

    async def _has_room(self, provider_id: str) -> bool:
        """Whether one more order of a provider may be taken. Those that would only wait for a slot
        stay in the queue, where they take turns with others, but for the next ones, which prepare
        their media."""
        from .. import providers
        from ..runner.batches.here import AHEAD, UNLIMITED

        if provider_id not in self._serves:  # its key was refused meanwhile
            return False
        account = self._serves[provider_id]
        slots, mine = providers.get(provider_id).limits.concurrent, self._at[provider_id]
        if slots is None or mine < AHEAD:
            return mine < UNLIMITED
        if mine >= slots + AHEAD:
            return False
        try:
            busy = await asyncio.to_thread(self._runner.journal.busy, provider_id, account)
        except SeedanceError:
            return False
        return busy < slots

    async def _beat(self) -> None:
        from ..farm import QueueUnavailable

        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                if count := await self._queue.beat():
                    self._say(f"{count} orders of workers that gave no sign of life come again.")
            except QueueUnavailable as error:
                self._unheard(error)

    async def _leave(self) -> None:
        """Wait for the answers to paid calls, and give the orders back."""
        from ..runner.worker import PAID_CALL_SECONDS

        self._stopping = True
        if self._carried:
            self._say(
                f"Stopping; {len(self._carried)} orders are given back once requests that may cost "
                "money are answered."
            )
        await asyncio.to_thread(self._runner.close, PAID_CALL_SECONDS)
        if self._carried:
            await asyncio.wait(list(self._carried), timeout=END_SECONDS)

    # -------------------------------------------------------------------------- one order

    async def _carry(self, fetched: Fetched) -> None:
        queued = fetched.queued
        try:
            try:
                with tempfile.TemporaryDirectory(prefix="seedance-") as folder:
                    result = await self._made(queued, Path(folder))
                if following := await asyncio.to_thread(self._following, queued, result):
                    await self._queue.put_after(fetched, following)
            except SeedanceError as error:
                await self._failed(fetched, error)
            except Exception as error:
                show.trace(f"{type(error).__name__}: {error}\n")
                unforeseen = SeedanceError(f"Something unforeseen happened: {error!r}.")
                await self._failed(fetched, unforeseen)
            else:
                self._ended(queued, result)
                await self._settled(lambda: self._queue.end(fetched, saved=True))
        finally:
            self._at[queued.provider] -= 1
            self._news.set()

    async def _made(self, queued: QueuedOrder, folder: Path) -> Result:
        job = await asyncio.to_thread(self._begin, queued, folder)
        try:
            return await job.wait_async()
        finally:
            job.release()

    def _begin(self, queued: QueuedOrder, folder: Path) -> Job:
        from .. import farm
        from ..runner import Spending

        order = farm.unpack(queued.order, self._runner.settings, folder)

        def check(prepared: Prepared, _takes: int) -> None:
            if queued.fingerprint and prepared.fingerprint != queued.fingerprint:
                raise SeedanceError(
                    "The settings of this worker make another order of it than those of the "
                    "machine that put it into the queue; it was not sent.",
                    hint="Use the same version of the pack and the same SEEDANCE_<ID>_MODELS.",
                )

        # What all orders together may cost was asked when they were put in.
        (job,) = self._runner.start(order, confirm=check, spending=Spending(0.0), queued=queued.id)
        return job

    def _following(self, queued: QueuedOrder, result: Result) -> list[QueuedOrder]:
        """The orders that start on the last frame of this one, as they go into the queue."""
        from .. import farm
        from ..runner.batches.plan import first_frame
        from ..runner.files import Files
        from .packing import prepared_order

        found = []
        for each in queued.followers():
            with tempfile.TemporaryDirectory(prefix="seedance-") as folder:
                order = farm.unpack(each.order, self._runner.settings, Path(folder))
                order = replace(order, first_frame=first_frame(Files(result.file)))
                # One that is in the journal goes too: others may follow it.
                ready, fingerprint = prepared_order(order, self._runner) or (order, "")
                packed = farm.pack(ready, self._bucket)
            found.append(replace(each, order=packed, fingerprint=fingerprint))
        return found

    async def _failed(self, fetched: Fetched, error: SeedanceError) -> None:
        from ..journal import JournalReplaced

        queued = fetched.queued
        if isinstance(error, JournalReplaced):
            self._problem = error
            self.stop()
        if isinstance(error, NeedsKey):
            self._serves.pop(queued.provider, None)
        seconds = self._seconds_until_next(fetched, error)
        if seconds is None and fetched.attempts < MOST_ATTEMPTS:
            goes_on = await asyncio.to_thread(self._goes_on, error)
            seconds = AGAIN_SECONDS if goes_on else None
        if seconds is None:
            self._ended(queued, error)
            await self._settled(lambda: self._queue.end(fetched, saved=False))
            return
        if not self._stopping:
            self._say(f"{queued.name}: {error.message} It comes again.")
        await self._settled(lambda: self._queue.give_back(fetched, seconds))

    def _goes_on(self, error: SeedanceError) -> bool:
        """Whether the order is still under way, whatever went wrong here: it may be paid."""
        try:
            return error.row is not None and self._runner.journal.get(error.row).live
        except SeedanceError:
            return False

    def _seconds_until_next(self, fetched: Fetched, error: SeedanceError) -> float | None:
        """When an order that was not saved comes again; None for one that has come to its end."""
        from ..farm import QueueUnavailable
        from ..journal import JournalReplaced, JournalUnavailable
        from ..providers import registry
        from ..runner import clearing

        attempts = fetched.attempts
        unavailable = (JournalReplaced, JournalUnavailable, QueueUnavailable)
        if isinstance(error, (*unavailable, NeedsKey)):
            return POLL_SECONDS
        if isinstance(error, (StillRunning, Cancelled)):
            if self._stopping:
                return 0.0
            if isinstance(error, StillRunning):
                return AGAIN_SECONDS
            # Without a ticket nobody cancelled it: a process ended before it was sent.
            return POLL_SECONDS if not error.task and attempts < MOST_ATTEMPTS else None
        if isinstance(error, Unclear):
            provider = registry().get(fetched.queued.provider)
            found_out = provider is not None and clearing.has_means(provider)
            return LOOK_SECONDS if found_out and attempts < MOST_LOOKS else None
        unforeseen = error.kind == SeedanceError.__name__
        if isinstance(error, (Unreachable, OddReply)) or unforeseen:
            if self._stopping:
                return 0.0
            wait = min(POLL_SECONDS * 2.0 ** min(attempts, 20), LONGEST_SECONDS)
            return wait if attempts < MOST_ATTEMPTS else None
        return None

    async def _settled(self, tell: Callable[[], Awaitable[None]]) -> None:
        """Tell the queue how an order ended, as soon as it answers. Who is leaving tries a few
        times; others take up what it could not give back."""
        from ..farm import QueueUnavailable

        left = 3
        while left:
            try:
                await tell()
                return
            except QueueUnavailable as error:
                self._unheard(error)
                left -= self._stopping
                await asyncio.sleep(POLL_SECONDS)

    # ------------------------------------------------------------------------------ words

    def _ended(self, queued: QueuedOrder, outcome: Result | SeedanceError) -> None:
        if self._until_empty:
            self._outcomes.append(outcome)
        if self._as_json:
            show.line(json.dumps(_record(queued, outcome)))
        elif isinstance(outcome, SeedanceError):
            self._say(f"{queued.name}: {show.as_typed(str(outcome))}")
        else:
            cost = "there already" if outcome.reused else show.money(outcome.cost)
            self._say(f"{queued.name}: {outcome.file} ({cost})")

    def _say(self, text: str) -> None:
        show.note(f"{socket.gethostname()}: {text}")


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # it is closed
        loop.call_soon_threadsafe(what)


def _served(runner: Runner) -> dict[str, str]:
    """The providers whose keys are set here, and the account of each."""
    from .. import providers
    from ..runner.quotes import account_of

    found = {}
    for provider_id in providers.ids():
        with contextlib.suppress(SeedanceError):
            access = runner.settings.access(provider_id)
            if access.problem is None:
                found[provider_id] = account_of(provider_id, access.key)
    return found


def _record(queued: QueuedOrder, outcome: Result | SeedanceError) -> dict[str, Any]:
    record: dict[str, Any] = {"shot": queued.name, "queued": queued.id, "file": None, "error": None}
    if isinstance(outcome, SeedanceError):
        return {**record, "task": outcome.task, "error": outcome.as_dict()}
    return {**record, "task": outcome.task, "file": str(outcome.file)}
