"""The threads of a runner: one for each order for which something is done, one that keeps leases,
one for time limits. An order whose task runs waits without one.

All of them are daemons, so that the process can end while a poll or a download hangs. `close` ends
them all. Callers wait for an order in their own threads.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from typing import TypeAlias, TypeVar

from .. import forks
from ..journal import Row, State
from ..texts import logger_of
from ..transport import LONGEST_SPEND_SECONDS, Watchdog
from . import last_frames
from .active import ActiveOrder
from .threads import Threads

logger = logger_of(__name__)

T = TypeVar("T")
R = TypeVar("R")
Work: TypeAlias = Callable[[ActiveOrder], "Row | float"]
"""Brings an order on. Returns its row at the end, or the seconds until it is to be called again."""

HEARTBEAT_SECONDS = 15.0
# A paid call that is not answered by then is cut off by its own time limit.
PAID_CALL_SECONDS = LONGEST_SPEND_SECONDS + 10.0
CHECK_SECONDS = 0.2  # a wait for other threads looks this often whether the order is to stop

THREADLESS_SECONDS = 1.0  # until a thread is asked for again, where the system gave none
QUIET_SECONDS = 2.0  # without such work, until what can wait is begun

_turns = threading.BoundedSemaphore(os.cpu_count() or 1)
_wanted = 0  # turns that are taken or waited for
_last_wanted = float("-inf")
_counting = forks.Lock()


def _afresh() -> None:
    global _turns, _wanted
    _turns, _wanted = threading.BoundedSemaphore(os.cpu_count() or 1), 0


forks.in_child(_afresh)


@contextlib.contextmanager
def computing() -> Iterator[None]:
    """Take a turn at work that keeps a processor busy (encoding, decoding). Waits for one.

    There are as many turns as cores, for the whole process: more would be no faster, and ComfyUI's
    server, which runs in the same process, would have to wait.
    """
    _count(1)
    try:
        with _turns:
            yield
    finally:
        _count(-1)


def _count(step: int) -> None:
    global _wanted, _last_wanted
    with _counting:
        _wanted += step
        _last_wanted = time.monotonic()


def _others_wait() -> bool:
    """Whether more want a turn than there are."""
    with _counting:
        return _wanted > (os.cpu_count() or 1)


def _nothing_to_compute() -> bool:
    """Whether nobody has taken a turn, nor waited for one, for a while."""
    with _counting:
        return not _wanted and time.monotonic() - _last_wanted >= QUIET_SECONDS


class Worker:
    """Brings active orders on. Safe to use from any thread.

    An order has a thread while something is done for it. While it waits until its provider is asked
    again, it has none: a thread costs 60 kB (`benchmarks/scale.py`).

    `heartbeat` is called every few seconds from the first order on, or from `start_heartbeat`.
    """

    def __init__(self, heartbeat: Callable[[], None]) -> None:
        self.watchdog = Watchdog()
        self.may_have_spent = False  # whether a paid call was begun in this process
        self.pictures_later = False  # whether last frames are made when it is quiet
        self._heartbeat = heartbeat
        self._changed = threading.Condition()
        self._active: list[ActiveOrder] = []
        self._waiting: dict[ActiveOrder, tuple[int, Work]] = {}
        self._orders = Threads()
        self._threads: set[threading.Thread] = set()
        self._beating = False
        self._closed = threading.Event()
        self._locks: weakref.WeakValueDictionary[object, _Lock] = weakref.WeakValueDictionary()

    def carry(self, uid: str, make: Callable[[], ActiveOrder], work: Work) -> ActiveOrder:
        """Bring a row to its end with `work`, in another thread; or join the row's active order.

        `make` is called at once, only for a row that is not active, and must not block. Raises
        RuntimeError once the runner is closed.
        """
        with self._changed:
            if (present := self._of(uid)) is not None:
                return present
            if self._closed.is_set():
                raise RuntimeError("The runner is closed.")
            active = make()
            self._active.append(active)
            self._bring_on(active, work)
        self.start_heartbeat()
        return active

    def _of(self, uid: str) -> ActiveOrder | None:
        # By its present row: an order may have got another one.
        return next((each for each in list(self._active) if each.row.uid == uid), None)

    def _bring_on(self, active: ActiveOrder, work: Work) -> None:
        self._orders.run(f"seedance-order-{active.row.id}", lambda: self._run(active, work))

    def _run(self, active: ActiveOrder, work: Work) -> None:
        outcome: Callable[[], None]
        try:
            row = work(active)
        except BaseException as error:
            problem = error
            outcome = lambda: active.done.set_exception(problem)  # noqa: E731
        else:
            if isinstance(row, float):
                self._bring_on_in(row, active, work)
                return
            result = row
            outcome = lambda: active.done.set_result(result)  # noqa: E731
        with self._changed:
            if active.unwritten:
                logger.warning("Row %s ended; the journal does not have it yet.", active.row.id)
            else:
                self._active.remove(active)
            self._changed.notify_all()
        outcome()
        active.refuse_cancel("it has ended")

    def _bring_on_in(self, seconds: float, active: ActiveOrder, work: Work) -> None:
        with self._changed:
            number = self.watchdog.call_in(seconds, lambda: self.wake(active))
            self._waiting[active] = (number, work)
        if active.is_woken:  # before it was known to wait
            self.wake(active)

    def wake(self, active: ActiveOrder) -> None:
        """Bring an order on at once, if it waits."""
        with self._changed:
            if active not in self._waiting:
                return
            number, work = self._waiting.pop(active)
        self.watchdog.forget(number)
        try:
            self._bring_on(active, work)
        except RuntimeError as error:
            logger.warning("Row %s waits longer, for a thread: %s", active.row.id, error)
            self._bring_on_in(THREADLESS_SECONDS, active, work)

    def _start(self, name: str, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            finally:
                with self._changed:
                    self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.add(thread)
        thread.start()

    def find(self, row_id: int) -> ActiveOrder | None:
        """The active order of a row; None if this process does not work on it."""
        return next((each for each in list(self._active) if each.row.id == row_id), None)

    def find_task(self, ticket: str) -> ActiveOrder | None:
        """The active order that has a ticket; None if this process works on none."""
        return next((each for each in list(self._active) if each.row.task == ticket), None)

    @property
    def count(self) -> int:
        """How many orders are active."""
        return len(self._active)

    @property
    def rows(self) -> list[int]:
        """The numbers of the rows that this process works on."""
        return [each.row.id for each in list(self._active)]

    def write_late(self) -> None:
        """Write what the journal could not take before, of every active order; also of those that
        have ended, which are active until then."""
        for active in list(self._active):
            try:
                active.write_late()
            except Exception as error:
                logger.warning("Row %s is still not written: %s", active.row.id, error)
            with self._changed:
                if active.done.done() and not active.unwritten and active in self._active:
                    self._active.remove(active)

    @property
    def busy(self) -> bool:
        """Whether any order is active."""
        return bool(self._active)

    # ------------------------------------------------------------------------- heartbeat

    def start_heartbeat(self) -> None:
        """Call the heartbeat from now on, also while no order is active."""
        with self._changed:
            if not self._beating and not self._closed.is_set():
                self._beating = True
                self._start("seedance-heartbeat", self._beat)

    def _beat(self) -> None:
        while not self._closed.wait(HEARTBEAT_SECONDS):
            try:
                self._heartbeat()
            except Exception as error:
                logger.warning("The leases of active orders could not be renewed: %s", error)

    # ----------------------------------------------------------------------- what can wait

    def make_pictures_later(self) -> None:
        """From now on, nobody waits for a last frame that is not used: a thread of its own makes
        them, one after the other, while there is nothing else to compute."""
        with self._changed:
            if not self.pictures_later and not self._closed.is_set():
                self.pictures_later = True
                self._start("seedance-pictures", self._make_pictures)

    def _make_pictures(self) -> None:
        last_frames.keep_making(self._closed, self._quiet, lambda: _others_wait())

    def _quiet(self) -> bool:
        saving = any(each.row.state == State.SUCCEEDED for each in list(self._active))
        return not saving and _nothing_to_compute()

    # ------------------------------------------------------------------ what orders share

    @contextlib.contextmanager
    def lock(self, key: object, active: ActiveOrder) -> Iterator[None]:
        """One order at a time in blocks of the same `key`, so that two do not upload the same file.

        Raises Stopped if the order is to stop while it waits.
        """
        with self._changed:
            lock = self._locks.get(key)
            if lock is None:
                lock = self._locks[key] = _Lock()
        while not lock.mutex.acquire(timeout=CHECK_SECONDS):
            active.check_stop()
        try:
            yield
        finally:
            lock.mutex.release()

    # ------------------------------------------------------------------- money in flight

    def settle(self, timeout: float = PAID_CALL_SECONDS) -> bool:
        """Wait until no paid call is in flight; says whether that is so. Call it before the process
        ends: an order that is cut off there would be unclear."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not any(active.spending for active in self._active), timeout
            )

    def note_settled(self) -> None:
        """A paid call was answered, and its ticket is safe: those in `settle` look again."""
        with self._changed:
            self._changed.notify_all()

    def close(self, timeout: float = 30.0) -> bool:
        """Stop all orders and end all threads; says whether they ended within `timeout` seconds.

        A paid call in flight is answered first, and its answer recorded. Orders that have a ticket
        can be recovered.
        """
        with self._changed:
            self._closed.set()
            orders, threads = list(self._active), list(self._threads)
        last_frames.wake()
        for active in orders:
            active.close()
        deadline = time.monotonic() + timeout
        ended = self._orders.close(deadline)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(deadline - time.monotonic(), 0.0))
        self.watchdog.close()
        return ended and not any(thread.is_alive() for thread in threads)


class _Lock:
    """A lock that a weak dictionary can hold."""

    def __init__(self) -> None:
        self.mutex = threading.Lock()


def side_by_side(
    work: Callable[[T], R], items: Sequence[T], at_once: int, check: Callable[[], None]
) -> list[R]:
    """Call `work` for each item, in at most `at_once` threads; returns the results in the order of
    the items.

    Raises the first failure at once, or what `check` raises, which is called every `CHECK_SECONDS`.
    Then no further item is begun, and the results of those under way are dropped.
    """
    results: list[Future[R]] = [Future() for _ in items]
    waiting = iter(list(zip(items, results)))
    turn, left = threading.Lock(), threading.Event()

    def run() -> None:
        while not left.is_set():
            with turn:
                item, result = next(waiting, (None, None))
            if result is None:
                return
            try:
                result.set_result(work(item))  # type: ignore[arg-type]
            except BaseException as error:
                left.set()
                result.set_exception(error)

    for _ in range(min(at_once, len(items))):
        threading.Thread(target=run, name="seedance-media", daemon=True).start()
    try:
        pending: set[Future[R]] = set(results)
        while pending:
            check()
            done, pending = wait(pending, CHECK_SECONDS, return_when=FIRST_EXCEPTION)
            for result in done:
                result.result()
    finally:
        left.set()
    return [result.result() for result in results]
