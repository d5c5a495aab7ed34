"""A row that this process holds while it is carried: writing steps down, leases, progress, ends.

Owns what every step needs. Must not know the steps, nor their order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import BadOrder, Cancelled, SeedanceError, StillRunning
from ..journal import LIVE, Journal, LeaseLost, Row, State
from ..settings import Settings
from ..wire import Ticket
from .client import Talk
from .worker import Carry, Follower, Progress

logger = logging.getLogger(__name__)

WATCH_SECONDS = 1.0


@dataclass
class Hold:
    """One row on its way, and the means to bring it on."""

    row: Row
    talk: Talk
    follower: Follower
    journal: Journal
    settings: Settings
    carry: Carry
    _unwritten: list[tuple[State, dict[str, Any]]] = field(default_factory=list)

    async def blocking(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a blocking function in a worker thread."""
        return await self.follower.blocking(function, *args, **kwargs)

    async def computing(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """As `blocking`, for what keeps a processor busy."""
        return await self.follower.computing(function, *args, **kwargs)

    async def quickly(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """As `blocking`, for the journal: what was paid is not written down later because other
        orders are downloading."""
        return await self.follower.quickly(function, *args, **kwargs)

    async def reload(self) -> None:
        """Look at the row as it stands in the journal now."""
        self.row = await self.quickly(self.journal.get, self.row.id)

    async def lay_down(self) -> None:
        """Let others have the row if it is live and cannot be brought on here and now."""
        if self.row.state in LIVE:
            with contextlib.suppress(BadOrder):
                await self.quickly(self.journal.release, self.row.id)

    def cancelled(self) -> bool:
        """Whether a person cancelled and nobody else waits."""
        if not self.carry.cancel_wanted.is_set():
            return False
        if self.carry.waiters:  # who came later did not cancel
            self.carry.refuse_cancel("somebody else waits for the same order")
            return False
        return True

    async def own(self) -> None:
        """Return when this process holds the row, or when there is nothing left to do."""
        while self.row.state in LIVE and self.row.holder != self.journal.holder:
            claimed = await self.quickly(self.journal.claim, self.row.id)
            if claimed is not None:
                self.row = claimed
                return
            if self.cancelled():
                raise Cancelled(
                    "Stopped waiting; another process goes on with the order and keeps its video.",
                    task=self.row.task,
                )
            self.say("another process works on this order; waiting for it")
            await self.carry.pause(WATCH_SECONDS)
            await self.reload()

    async def advance(self, state: State, **values: Any) -> None:
        """Write a step down. Once money was spent, a journal that refuses must not lose the video:
        the step is kept in memory and written before the next one."""
        self._unwritten.append((state, values))
        for last in (False, False, True):
            try:
                while self._unwritten:
                    step, its_values = self._unwritten[0]
                    self.row = await self.quickly(
                        self.journal.advance, self.row.id, step, **its_values
                    )
                    self._unwritten.pop(0)
                return
            except BadOrder as error:
                tasks = [values.get("task") for _, values in self._unwritten]
                task = next(filter(None, tasks), self.row.task)
                if task is None and state != State.UNCLEAR:
                    self._unwritten.pop()
                    raise
                logger.error("Task %s is paid and goes on, but: %s", task, error)
                if last:
                    seen = {
                        k: v for k, v in values.items() if k in ("task", "file", "result", "error")
                    }
                    self.row = replace(self.row, state=state, **seen)
                await asyncio.sleep(1.0)
            except LeaseLost:
                self._unwritten.clear()
                raise

    def say(self, text: str, fraction: float | None = None, left: float | None = None) -> None:
        """Publish progress."""
        self.carry.report(Progress(text, fraction, left))

    async def end(self, state: State, error: SeedanceError, **values: Any) -> SeedanceError:
        """Write an end down; returns the error to raise."""
        error.task = error.task or self.row.task
        error.row = self.row.id
        await self.advance(state, error=error.as_dict(), **values)
        return error

    def ticket(self) -> Ticket:
        """The ticket of the row, which is paid by now."""
        return Ticket.parse(self.row.task or "")

    def later(self, message: str, hint: str = "") -> StillRunning:
        """The error for a task that is paid and cannot be brought to its end now."""
        task = self.row.task
        return StillRunning(
            message,
            hint=f"{hint} Collect it later with: seedance collect {task}".strip(),
            task=task,
            row=self.row.id,
        )
