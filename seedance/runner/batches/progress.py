"""Which take of a list can begin next, and what the end of one means for the others.

No thread, no clock and no terminal: whoever carries the orders asks `next`, and tells `ended`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Union

from ... import providers
from ...errors import OutOfCredit, SeedanceError, Spent, StillRunning, Unclear
from ...order import Medium
from .. import Job, Result
from ..files import Files
from .plan import Plan, ShotTake, first_frame

Outcome = Union[Result, SeedanceError]


@dataclass
class Standing:
    """How one take stands: waiting, begun, or ended with an outcome. `number` is its place in the
    list. `left` is its job, where that was left before it ended, `notes` what there is to say of
    its order."""

    number: int
    take: ShotTake
    begun: bool = False
    outcome: Outcome | None = None
    left: Job | None = None
    notes: tuple[str, ...] = ()

    @property
    def task(self) -> str | None:
        """Its ticket, where it was left before it ended and there is one by now."""
        return self.left.task if self.left else None

    @property
    def is_paid(self) -> bool:
        """Whether it was left before it ended, and costs money."""
        return self.task is not None and not providers.is_free(self.take.provider)


class Shooting:
    """All takes of a plan on their way. A take that follows another shot can begin once the first
    take of that shot is saved; if that fails, it is not made. To be used by one thread."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.standings = [Standing(number, take) for number, take in enumerate(plan.takes)]
        self._first: dict[str, Standing] = {}
        self._followers: dict[str, list[Standing]] = {}
        self._ready: dict[str, list[int]] = {}  # by provider, a heap of numbers
        self._refused: dict[str, SeedanceError] = {}  # providers that take no order any more
        self._left = len(self.standings)
        for standing in self.standings:
            shot = standing.take.shot
            self._first.setdefault(shot.name, standing)
            if shot.after is None:
                self._let_begin(standing)
            else:
                self._followers.setdefault(shot.after, []).append(standing)

    @property
    def is_over(self) -> bool:
        """Whether every take has ended."""
        return self._left == 0

    @property
    def ended_count(self) -> int:
        """How many takes have ended."""
        return len(self.standings) - self._left

    @property
    def spent(self) -> Spent:
        """Whether its takes have cost money in this run, as far as they are begun."""
        if any(each.is_paid for each in self.standings):
            return "yes"
        return spent_on(each.outcome for each in self.standings)

    def next(self, has_room: Callable[[str], bool] = lambda provider: True) -> Standing | None:
        """The next take that can begin, in the order of the list, at a provider that `has_room`; it
        has begun then. None if there is none now."""
        open_ = [(heap[0], heap) for name, heap in self._ready.items() if heap and has_room(name)]
        if not open_:
            return None
        _, heap = min(open_)
        standing = self.standings[heapq.heappop(heap)]
        standing.begun = True
        return standing

    def _let_begin(self, standing: Standing) -> None:
        heap = self._ready.setdefault(standing.take.provider, [])
        heapq.heappush(heap, standing.number)

    def first_frame(self, take: ShotTake) -> Medium | None:
        """The picture that a take starts on because its shot follows another; None for others.
        Reads it. Raises BadOrder if it cannot be read."""
        if take.shot.after is None:
            return None
        before = self._first[take.shot.after].outcome
        assert isinstance(before, Result), "a shot that is not saved has no last frame"
        return first_frame(Files(before.file))

    def ended(self, standing: Standing, outcome: Outcome) -> list[Standing]:
        """The take has come to its end. Those that follow it can begin, or have ended too; returns
        all that have ended by this."""
        over: list[Standing] = []
        todo = [(standing, outcome)]
        while todo:
            each, result = todo.pop()
            if each.outcome is not None:
                continue
            each.outcome = result
            over.append(each)
            name = each.take.shot.name
            followers = self._followers.get(name, []) if self._first[name] is each else []
            for one in followers:  # further takes are not followed
                if isinstance(result, Result):
                    self._let_begin(one)
                else:
                    todo.append((one, _not_made(one.take, each.take, result)))
        self._left -= len(over)
        if isinstance(outcome, OutOfCredit):
            self._refused.setdefault(standing.take.provider, outcome)
        return over

    def refusal(self, take: ShotTake) -> SeedanceError | None:
        """Why a take need not be begun: its provider has refused others for want of credit."""
        if take.stage != "to make" or (error := self._refused.get(take.provider)) is None:
            return None
        return OutOfCredit(f"Not sent: {error.message}", hint=error.hint, spent="no")

    def film(self) -> list[Result] | None:
        """The first take of each shot, in the order of the list; None if any is missing."""
        found = [self._first[shot.name].outcome for shot in self.plan.shots]
        results = [each for each in found if isinstance(each, Result)]
        return results if len(results) == len(found) else None


def spent_on(outcomes: Iterable[Outcome | None]) -> Spent:
    """Whether the takes that ended so have cost money in this run, but for what was there."""
    found: set[Spent] = set()
    for each in outcomes:
        if isinstance(each, SeedanceError):
            found.add(each.spent)
        elif each is not None and not each.reused and not providers.is_free(each.provider):
            found.add("yes")
    return "yes" if "yes" in found else "unknown" if "unknown" in found else "no"


def _not_made(take: ShotTake, before: ShotTake, error: SeedanceError) -> SeedanceError:
    why = "failed"
    if isinstance(error, StillRunning):
        why = "is not there yet"
    elif isinstance(error, Unclear):
        why = "is unclear"
    return type(error)(
        f"{take.name} was not made: it starts on the last frame of {before.shot.name}, which "
        f"{why}.",
        hint="The same command makes it once that shot is there.",
        spent="no",
    )
