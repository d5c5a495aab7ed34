"""The queue of a farm: procrastinate in the journal's PostgreSQL database.

procrastinate and psycopg come with the optional extra `farm`. They are imported only here, and only
when the queue is used. All methods are for one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator, Awaitable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import BadOrder
from ..settings import Settings
from .orders import QueuedOrder

T = TypeVar("T")

TASK = "seedance.order"
STALLED_SECONDS = 60.0  # after its last sign of life, what a worker had is given to others
FORGOTTEN_SECONDS = 24 * 3600.0  # after it, the worker itself is forgotten
ANSWER_SECONDS = 30.0
CONNECT_SECONDS = 10
AT_ONCE = 500  # orders that are put in by one statement
# Priorities of one level: each order of a batch comes after the one before it. An integer of
# PostgreSQL holds 200 levels of this size.
LEVEL = 10**7


class QueueUnavailable(BadOrder):
    """The queue does not answer now."""


@dataclass(frozen=True)
class Fetched:
    """An order that the queue gave to this worker. `attempts` counts how often it came back."""

    queued: QueuedOrder
    attempts: int
    job: Any


def conninfo(settings: Settings) -> str:
    """How to connect to the queue's database. Raises BadOrder where the journal is not in
    PostgreSQL."""
    url = str(settings.journal_url)
    scheme, colon, rest = url.partition("://")
    if not colon or scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise BadOrder(
            "A farm needs a journal in PostgreSQL, which all its machines share; nothing was sent.",
            hint="Set SEEDANCE_JOURNAL_URL=postgresql+psycopg://user:password@host/database on "
            "each of them.",
        )
    return f"postgresql://{rest}"


class Queue:
    """The queue. Made by `Queue.opened`."""

    def __init__(self, app: Any, errors: tuple[type[BaseException], ...]) -> None:
        self._app, self._errors = app, errors
        self._manager = app.job_manager
        self._worker: int | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, settings: Settings) -> AsyncIterator[Queue]:
        """The queue, its tables made where they are missing. Raises BadOrder without the extra or
        a journal in PostgreSQL, QueueUnavailable where it cannot be reached."""
        where = conninfo(settings)
        procrastinate, psycopg = _modules()
        connector = procrastinate.PsycopgConnector(
            conninfo=where,
            min_size=1,
            max_size=4,
            timeout=float(CONNECT_SECONDS),
            reconnect_timeout=float(CONNECT_SECONDS),
            kwargs={
                "connect_timeout": CONNECT_SECONDS,
                "keepalives_idle": CONNECT_SECONDS,
                "options": f"-c statement_timeout={round(1000 * ANSWER_SECONDS)}",
            },
        )
        failures = (procrastinate.exceptions.ConnectorException, psycopg.Error)
        queue = cls(procrastinate.App(connector=connector), failures)
        try:
            await queue._ask(queue._app.open_async())
            await queue._make_tables()
            yield queue
        finally:
            await queue._app.close_async()

    async def _ask(self, answer: Awaitable[T]) -> T:
        """What the database answers. Raises QueueUnavailable where it does not, or not in time."""
        try:
            return await asyncio.wait_for(answer, ANSWER_SECONDS)
        except asyncio.TimeoutError:
            raise QueueUnavailable(
                f"The queue of the farm did not answer within {ANSWER_SECONDS:g} s.", hint=_WHERE
            ) from None
        except self._errors as error:
            cause = str(error.__cause__ or error).splitlines() or [""]
            raise QueueUnavailable(
                f"The queue of the farm cannot be used: {cause[0][:200]}.", hint=_WHERE
            ) from error

    async def _rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        connector = self._app.connector
        rows: list[dict[str, Any]] = await self._ask(
            connector.execute_query_all_async(query, **values)
        )
        return rows

    async def _make_tables(self) -> None:
        if await self._ask(self._manager.check_connection_async()):
            return
        try:
            await self._ask(self._app.schema_manager.apply_schema_async())
        except QueueUnavailable:  # another machine has just made them, or they cannot be made
            if not await self._ask(self._manager.check_connection_async()):
                raise

    # --------------------------------------------------------------------------- putting in

    async def put(self, orders: Sequence[QueuedOrder], level: int = 0) -> int:
        """Put orders in; returns how many are new: an order that waits in the queue, or is being
        carried, is not put in again.

        Of each provider they take turns with those of other batches that wait: the first of them
        comes with the next of the others. `level` is -100..100; a higher one goes before all lower.
        """
        by_provider: dict[str, list[QueuedOrder]] = {}
        for each in orders:
            by_provider.setdefault(each.provider, []).append(each)
        count = 0
        for provider, those in by_provider.items():
            first = await self._turn(provider, level)
            priorities = [first - number for number in range(len(those))]
            for start in range(0, len(those), AT_ONCE):
                some = slice(start, start + AT_ONCE)
                count += await self._put(those[some], priorities[some])
        return count

    async def put_after(self, fetched: Fetched, orders: Sequence[QueuedOrder]) -> int:
        """Put in what follows an order: it comes as soon as that did. Returns how many are new."""
        return await self._put(orders, [fetched.job.priority] * len(orders))

    async def _turn(self, provider: str, level: int) -> int:
        """The priority of the order that is next at a provider, so that those put in now begin
        beside it. (Fair queueing: a batch is not behind another because that is long.)"""
        highest = level * LEVEL
        (row,) = await self._rows(
            "SELECT max(priority) AS next FROM procrastinate_jobs WHERE status = 'todo' "
            "AND queue_name = %(queue)s AND priority <= %(highest)s AND priority > %(lowest)s",
            queue=queue_of(provider),
            highest=highest,
            lowest=highest - LEVEL,
        )
        return highest if row["next"] is None else int(row["next"])

    async def _put(self, orders: Sequence[QueuedOrder], priorities: Sequence[int]) -> int:
        from procrastinate import exceptions, jobs

        while True:
            there = await self.there([_lock(each) for each in orders])
            made = [
                jobs.Job(
                    queue=queue_of(each.provider),
                    priority=priority,
                    lock=None,
                    queueing_lock=_lock(each),
                    task_name=TASK,
                    task_kwargs=each.as_dict(),
                )
                for each, priority in zip(orders, priorities)
                if _lock(each) not in there
            ]
            if not made:
                return 0
            # If another machine has just put one of them in, none are.
            with contextlib.suppress(exceptions.AlreadyEnqueued):
                await self._ask(self._manager.batch_defer_jobs_async(made))
                return len(made)

    async def there(self, locks: Collection[str]) -> set[str]:
        """Those of these fingerprints whose orders wait in the queue or are being carried."""
        rows = await self._rows(
            "SELECT queueing_lock AS lock FROM procrastinate_jobs "
            "WHERE status IN ('todo', 'doing') AND queueing_lock = ANY(%(locks)s::text[])",
            locks=list(locks),
        )
        return {row["lock"] for row in rows}

    async def left(self, providers: Collection[str]) -> int:
        """How many orders for these providers wait or are being carried, by any worker."""
        (row,) = await self._rows(
            "SELECT count(*) AS count FROM procrastinate_jobs "
            "WHERE status IN ('todo', 'doing') AND queue_name = ANY(%(queues)s::text[])",
            queues=[queue_of(each) for each in providers],
        )
        return int(row["count"])

    # ---------------------------------------------------------------------------- a worker

    async def sign_on(self) -> None:
        """This process is a worker from now on, with signs of life by `beat`."""
        self._worker = await self._ask(self._manager.register_worker())

    async def sign_off(self) -> None:
        """It is no worker any more. What it did not end or give back goes to others."""
        if self._worker is not None:
            await self._ask(self._manager.unregister_worker(self._worker))

    async def beat(self) -> int:
        """Give a sign of life, and give back what workers without one had: they were killed, or
        are cut off. Returns how many orders these are."""
        await self._ask(self._manager.update_heartbeat(self._worker))
        rows = await self._rows(
            "SELECT 1 AS one FROM procrastinate_workers WHERE id = %(id)s", id=self._worker
        )
        if not rows:  # this process slept, and others have forgotten it
            await self.sign_on()
        stalled = await self._ask(
            self._manager.get_stalled_jobs(task_name=TASK, seconds_since_heartbeat=STALLED_SECONDS)
        )
        count = 0
        for job in stalled:
            count += await self._end(self._manager.retry_job(job, retry_at=_in(0)), job)
        await self._ask(self._manager.prune_stalled_workers(FORGOTTEN_SECONDS))
        return count

    async def fetch(self, providers: Collection[str]) -> Fetched | None:
        """The next order for one of these providers; None if there is none now. Raises BadOrder
        for one that cannot be read, which is ended so."""
        names = [queue_of(each) for each in providers]
        job = await self._ask(self._manager.fetch_job(names, self._worker))
        if job is None:
            return None
        try:
            return Fetched(QueuedOrder.from_dict(job.task_kwargs), job.attempts, job)
        except BadOrder:
            await self.end(Fetched(QueuedOrder("", "", {}), 0, job), saved=False)
            raise

    async def end(self, fetched: Fetched, *, saved: bool) -> None:
        """The order has come to its end. One that failed stays in the queue's tables, for people to
        look at."""
        from procrastinate import jobs

        status = jobs.Status.SUCCEEDED if saved else jobs.Status.FAILED
        ending = self._manager.finish_job(fetched.job, status, delete_job=saved)
        await self._end(ending, fetched.job)

    async def give_back(self, fetched: Fetched, seconds: float = 0.0) -> None:
        """Any worker may have the order, no sooner than in so many seconds."""
        await self._end(self._manager.retry_job(fetched.job, retry_at=_in(seconds)), fetched.job)

    async def _end(self, answer: Awaitable[None], job: Any) -> bool:
        """End an order that was fetched; returns whether it was still this worker's to end."""
        import psycopg
        from procrastinate import exceptions, jobs

        try:
            await self._ask(answer)
            return True
        except QueueUnavailable as error:
            cause = error.__cause__
            if isinstance(cause, exceptions.UniqueViolation):  # it was put in again meanwhile
                await self._end(
                    self._manager.finish_job(job, jobs.Status.SUCCEEDED, delete_job=True), job
                )
                return False
            if cause is not None and isinstance(cause.__cause__, psycopg.errors.RaiseException):
                return False  # another worker had it too, and has ended it
            raise


_WHERE = "It is in the database of SEEDANCE_JOURNAL_URL."


def check(settings: Settings) -> None:
    """Raise BadOrder where there can be no queue: without the extra, or a journal in
    PostgreSQL."""
    conninfo(settings)
    _modules()


def _modules() -> tuple[Any, Any]:
    try:
        import procrastinate
        import psycopg
    except ImportError as error:
        raise BadOrder(
            f"A farm needs the package {error.name}, which is not installed; nothing was sent.",
            hint='Install the extra: pip install "comfyui-seedance[farm]".',
        ) from error
    return procrastinate, psycopg


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run what uses a queue in an event loop of the kind that psycopg takes on every system."""
    loop = asyncio.SelectorEventLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def queue_of(provider: str) -> str:
    """The name of a provider's queue."""
    return f"seedance:{provider}"


def _lock(queued: QueuedOrder) -> str:
    """What no two orders that wait have in common."""
    return queued.fingerprint or queued.id


def _in(seconds: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
