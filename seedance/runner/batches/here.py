"""Carries a shooting in this process: as many orders at once as slots allow."""

from __future__ import annotations

import queue
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ... import providers
from ...errors import SeedanceError
from .. import Confirm, Graph, Job, Progress, Runner, Spending
from .names import Names
from .plan import ShotTake
from .progress import Outcome, Shooting, Standing

LOOK_SECONDS = 0.25  # between two looks at those under way
UNLIMITED = 16  # orders at once where no document of the provider tells how many it runs
AHEAD = 2  # orders that prepare their media while all slots are taken


@dataclass
class UnderWay:
    """A take that is being carried, and its job."""

    standing: Standing
    job: Job

    @property
    def take(self) -> ShotTake:
        """The take."""
        return self.standing.take

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self.job.progress


def carry(
    shooting: Shooting,
    runner: Runner,
    *,
    spending: Spending,
    out: Path | None = None,
    jobs: int | None = None,
    confirm: Confirm | None = None,
    graph: Graph | None = None,
    on_began: Callable[[UnderWay], None] = lambda one: None,
    on_ended: Callable[[Standing], None] = lambda standing: None,
    on_look: Callable[[list[UnderWay]], None] = lambda under_way: None,
    on_left: Callable[[list[UnderWay]], None] = lambda under_way: None,
) -> None:
    """Bring every take to its end. At most `jobs` go on at once, by default as many as the
    providers have slots. `out` is the folder to save them in; `graph` goes into the files. The
    callbacks are called in this
    thread, `on_look` a few times a second.

    What is raised in a callback, or a KeyboardInterrupt, ends this call; orders that are under way
    go on until the runner is closed. `on_left` is told which those are.
    """
    carrying = _Carrying(
        shooting,
        runner,
        spending,
        Names(out, runner.journal.going_to),
        jobs,
        confirm,
        graph,
        on_began,
        on_ended,
    )
    try:
        carrying.run(on_look)
    finally:
        on_left(carrying.leave())


class _Carrying:
    def __init__(
        self,
        shooting: Shooting,
        runner: Runner,
        spending: Spending,
        names: Names,
        jobs: int | None,
        confirm: Confirm | None,
        graph: Graph | None,
        on_began: Callable[[UnderWay], None],
        on_ended: Callable[[Standing], None],
    ) -> None:
        self._shooting, self._runner, self._spending = shooting, runner, spending
        self._names, self._jobs, self._confirm, self._graph = names, jobs, confirm, graph
        self._on_began, self._on_ended = on_began, on_ended
        self._under_way: dict[int, UnderWay] = {}
        self._at: Counter[str] = Counter()  # orders under way, by provider
        self._news: queue.SimpleQueue[tuple[int, Outcome] | None] = queue.SimpleQueue()

    def run(self, on_look: Callable[[list[UnderWay]], None]) -> None:
        while not self._shooting.is_over:
            on_look(list(self._under_way.values()))
            self._begin()
            if self._under_way:
                self._hear()
        on_look([])

    def leave(self) -> list[UnderWay]:
        """Wait no longer for those under way; returns them."""
        left = list(self._under_way.values())
        for one in left:
            one.job.release()
            one.standing.left = one.job
        return left

    def _begin(self) -> None:
        """Begin what can begin, as far as there is room."""
        while (standing := self._shooting.next(self._has_room)) is not None:
            if (refusal := self._shooting.refusal(standing.take)) is not None:
                self._end(standing, refusal)
            else:
                self._start(standing)

    def _has_room(self, provider: str) -> bool:
        if self._jobs is not None and len(self._under_way) >= self._jobs:
            return False
        slots = providers.get(provider).limits.concurrent
        return self._at[provider] < (UNLIMITED if slots is None else slots + AHEAD)

    def _start(self, standing: Standing) -> None:
        take = standing.take
        try:
            order = take.order(self._shooting.first_frame(take))
            row = self._runner.plan(order)[0].row if self._names.matter else None
            (job,) = self._runner.start(
                order,
                target=self._names.of(take, row),
                confirm=self._confirm,
                spending=self._spending,
                graph=self._graph,
            )
        except SeedanceError as error:
            self._end(standing, error)
            return
        standing.notes = tuple(job.notes)
        one = UnderWay(standing, job)
        if job.ended:
            outcome = job.look()
            assert outcome is not None
            self._end(standing, outcome)
            return
        self._under_way[id(standing)] = one
        self._at[take.provider] += 1
        self._on_began(one)
        job.when_ended(lambda outcome: self._news.put((id(standing), outcome)))

    def _hear(self) -> None:
        """Wait for the next end, no longer than until the next look."""
        try:
            heard = self._news.get(timeout=LOOK_SECONDS)
            while heard is not None:
                self._ended(*heard)
                heard = self._news.get_nowait()
        except queue.Empty:
            pass
        for key, one in list(self._under_way.items()):
            # One that has ended is told by the queue; this finds those whose time to wait is over.
            if not one.job.ended and (outcome := one.job.look()) is not None:
                self._ended(key, outcome)

    def _ended(self, key: int, outcome: Outcome) -> None:
        one = self._under_way.pop(key, None)
        if one is not None:
            self._at[one.take.provider] -= 1
            one.job.release()
            self._end(one.standing, outcome)

    def _end(self, standing: Standing, outcome: Outcome) -> None:
        for each in self._shooting.ended(standing, outcome):
            self._on_ended(each)
