"""The process's one place where orders are carried through: a thread with an event loop of its own.

Owns the thread, the carries under way and who waits for them, blocking calls in worker threads, and
the pace of polling. Must not know what carrying an order means: the runner hands it coroutines.
Whoever waits may stop waiting; the carry goes on.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Calls that block (HTTP, files) at the same time; more wait without holding a thread. Short calls
# to the journal have a queue of their own: what was paid is written down, and leases are kept, also
# while all others hang.
WORKERS = 32
QUICK_WORKERS = 8
# Work for the processor (encoding, decoding) has a queue too: more of it at once than there are
# cores would be no faster, and whoever shares the process, as ComfyUI's server does, would wait.
COMPUTING_WORKERS = os.cpu_count() or 1
HEARTBEAT_SECONDS = 15.0


@dataclass(frozen=True)
class Progress:
    """How far an order is, in words a person would use. `fraction` is 0..1 where it is known."""

    text: str
    fraction: float | None = None
    seconds_left: float | None = None


class Carry:
    """One order being carried through. Waiters come and go; `done` resolves once.

    `subject` is whatever the maker of the coroutine wants found again by those who join.
    """

    def __init__(self, key: object) -> None:
        self.key = key
        self.subject: Any = None
        self.done: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self.progress = Progress("starting")
        self.waiters = 0
        self.cancel_wanted = threading.Event()
        self._refusals: list[concurrent.futures.Future[str]] = []
        self.spending = False
        self._listeners: list[Callable[[Progress], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None

    def report(self, progress: Progress) -> None:
        """Publish progress; called by the coroutine that carries."""
        self.progress = progress
        for listener in list(self._listeners):
            listener(progress)

    def listen(self, listener: Callable[[Progress], None]) -> None:
        """Call `listener` with each progress, in the follower's thread; it must not block."""
        self._listeners.append(listener)
        listener(self.progress)

    def unlisten(self, listener: Callable[[Progress], None]) -> None:
        """Stop calling `listener`."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def request_cancel(self) -> concurrent.futures.Future[str]:
        """Tell the coroutine that a person cancelled; it is woken from any wait. Either it ends, or
        what is returned gives the reason why it goes on."""
        refusal: concurrent.futures.Future[str] = concurrent.futures.Future()
        self._refusals.append(refusal)
        self.cancel_wanted.set()
        if self._loop is not None and self._wake is not None:
            self._loop.call_soon_threadsafe(self._wake.set)
        return refusal

    def refuse_cancel(self, reason: str) -> None:
        """Called by the coroutine: it goes on, for this reason."""
        self.cancel_wanted.clear()
        while self._refusals:
            self._refusals.pop().set_result(reason)

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than until a person cancels."""
        if self._wake is None:
            self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        if self.cancel_wanted.is_set() and not self._wake.is_set():
            self._wake.set()
        try:
            await asyncio.wait_for(self._wake.wait(), max(seconds, 0.0))
            self._wake.clear()
        except asyncio.TimeoutError:
            pass


class Follower:
    """Runs carries in its own thread, which starts with the first of them.

    `heartbeat` is called every few seconds in a worker thread.
    """

    def __init__(self, heartbeat: Callable[[], None] = lambda: None) -> None:
        self._heartbeat = heartbeat
        self._lock = threading.Lock()
        self._carries: dict[object, Carry] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._workers: asyncio.Semaphore | None = None
        self._quick_workers: asyncio.Semaphore | None = None
        self._computing_workers: asyncio.Semaphore | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._settled = threading.Condition()
        self._locks: weakref.WeakValueDictionary[object, asyncio.Lock] = (
            weakref.WeakValueDictionary()
        )

    def lock(self, key: object) -> asyncio.Lock:
        """The lock of `key`: for what several carries would otherwise do twice, side by side."""
        return self._locks.setdefault(key, asyncio.Lock())

    def carry(self, key: object, start: Callable[[Carry], Coroutine[Any, Any, Any]]) -> Carry:
        """Carry `key` through with the coroutine that `start` makes, or join the carry under way.

        `start` is called at once, only for a new carry, and must not block.
        """
        with self._lock:
            present = self._carries.get(key)
            if present is not None and not present.done.done():
                return present
            carry = Carry(key)
            coroutine = start(carry)
            self._carries[key] = carry
            loop = self._loop or self._start()
        loop.call_soon_threadsafe(self._launch, carry, coroutine)
        return carry

    def progress(self, key: object) -> Progress | None:
        """How far `key` is; None if it is not being carried here."""
        carry = self._carries.get(key)
        return carry.progress if carry else None

    def wake(self) -> None:
        """Start the thread, and with it the heartbeat, if it does not run yet."""
        with self._lock:
            if self._loop is None:
                self._start()

    def _start(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()

        def run() -> None:
            asyncio.set_event_loop(loop)
            self._workers = asyncio.Semaphore(WORKERS)
            self._quick_workers = asyncio.Semaphore(QUICK_WORKERS)
            self._computing_workers = asyncio.Semaphore(COMPUTING_WORKERS)
            beat = loop.create_task(self._beat())
            self._tasks.add(beat)
            loop.run_forever()

        threading.Thread(target=run, name="seedance-follower", daemon=True).start()
        self._loop = loop
        return loop

    def _launch(self, carry: Carry, coroutine: Coroutine[Any, Any, Any]) -> None:
        async def run() -> None:
            try:
                result = await coroutine
            except BaseException as error:
                self._forget(carry)
                carry.done.set_exception(error)
                if not isinstance(error, Exception):
                    raise
            else:
                self._forget(carry)
                carry.done.set_result(result)

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _forget(self, carry: Carry) -> None:
        with self._lock:
            if self._carries.get(carry.key) is carry:
                del self._carries[carry.key]
        self.spent(carry)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            try:
                await self.quickly(self._heartbeat)
            except Exception as error:
                logger.warning("The leases of running orders could not be renewed: %s", error)

    async def blocking(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a blocking function in a worker thread.

        The threads are daemons, so that a process can end while a poll or a download hangs.
        """
        assert self._workers is not None, "only called from the follower's loop"
        async with self._workers:
            return await self._in_thread(lambda: function(*args, **kwargs))

    async def quickly(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """As `blocking`, for a short call that must not wait behind long ones."""
        assert self._quick_workers is not None, "only called from the follower's loop"
        async with self._quick_workers:
            return await self._in_thread(lambda: function(*args, **kwargs))

    async def computing(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """As `blocking`, for what keeps a processor busy."""
        assert self._computing_workers is not None, "only called from the follower's loop"
        async with self._computing_workers:
            return await self._in_thread(lambda: function(*args, **kwargs))

    async def _in_thread(self, function: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def deliver(result: T | None, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]

        def run() -> None:
            try:
                result = function()
            except BaseException as error:
                loop.call_soon_threadsafe(deliver, None, error)
            else:
                loop.call_soon_threadsafe(deliver, result, None)

        threading.Thread(target=run, name="seedance-worker", daemon=True).start()
        return await future

    @property
    def busy(self) -> bool:
        """Whether anything is being carried."""
        return bool(self._carries)

    # ------------------------------------------------------------------- money in flight

    def spends(self, carry: Carry) -> None:
        """From now on the carry may be in the middle of a create."""
        carry.spending = True

    def spent(self, carry: Carry) -> None:
        """The create of the carry has its outcome, and the journal knows it."""
        with self._settled:
            carry.spending = False
            self._settled.notify_all()

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until no create is in flight; says whether that is so. Call it before the process
        ends: an order that is cut off there would be unclear."""
        with self._settled:
            return self._settled.wait_for(
                lambda: not any(carry.spending for carry in list(self._carries.values())), timeout
            )


# ------------------------------------------------------------------------------- the pace of polls

UNDOCUMENTED_INTERVAL = 2.0
# A task with a history is asked for at the full rate in so many intervals before its expected end
# and as many after it: with the few polls before them that makes less than 30 until the median.
DENSE_POLLS = 22
# Seconds. Also a task that should have ended long ago, or was taken up days later, may end now.
LONGEST_WAIT = 100.0


@dataclass(frozen=True)
class Pace:
    """When to ask next: seldom at first, at the provider's interval around the expected end.

    `interval` is the shortest time between polls in seconds, `expected` the median duration of
    tasks like this one (None if there were none), `fixed` an interval set by the user.
    `benchmarks/polling.py` shows what comes of it.
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
            # Nothing is known: a delay of an eighth of what it took at most.
            wait = elapsed / 8
        else:
            dense = min(DENSE_POLLS * self.interval, self.expected / 2)
            early = self.expected - dense - elapsed
            late = elapsed - self.expected - dense
            wait = min(early, self.expected / 8) if early > 0 else late / 8
        return max(self.interval, min(wait, LONGEST_WAIT) * (0.9 + 0.2 * dice))
