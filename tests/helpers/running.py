"""Orders run against a fake: a desk where runners work side by side, as processes would.

Owns how a test sets up settings, orders and runners. Every `Desk.runner()` has a follower and a
journal holder of its own, so that two of them are to each other what two processes are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from fakes import Fake, Request

from seedance.errors import SeedanceError, StillRunning
from seedance.journal import LIVE, Journal, Row, State, schema
from seedance.journal.states import MOVES
from seedance.order import Medium, Order
from seedance.runner import Job, Result, Runner
from seedance.settings import Settings

POLL_SECONDS = 0.05
FOREVER = 10**6  # polls


def order_for(provider: str, seed: int = 0, **fields: Any) -> Order:
    """An order that every provider can take."""
    values: dict[str, Any] = {"prompt": "a fox", "ratio": "16:9", **fields}
    return Order(provider=provider, seed=seed, **values)


def picture() -> Medium:
    """A picture that has to go up, or inline."""
    pixels = np.random.default_rng(1).integers(0, 255, (600, 800, 3)).astype("uint8")
    return Medium.from_pixels(pixels)


def is_create(request: Request) -> bool:
    """Whether a request is the one that Lumenfall or Ark takes money for."""
    return request.method == "POST"


def is_result(request: Request) -> bool:
    """Whether a request fetches the finished video."""
    return request.path.endswith(".mp4")


def is_poll(request: Request) -> bool:
    """Whether a request asks for the task."""
    return request.method == "GET" and not is_result(request)


def is_delete(request: Request) -> bool:
    """Whether a request asks a provider to cancel a task."""
    return request.method == "DELETE"


class Desk:
    """A fake, a folder, and the runners that work there."""

    def __init__(self, fake: Fake, folder: Path, **environment: str) -> None:
        self.fake = fake
        self.output = folder / "output"
        self._environment = {"SEEDANCE_POLL_INTERVAL": str(POLL_SECONDS), **environment}
        self._home = folder / "home"
        self._reader: Runner | None = None

    def settings(self, **environment: str) -> Settings:
        """The settings of a process that talks to the fake."""
        variables = {**self.fake.environment(), **self._environment, **environment}
        return Settings(self._home, self.output, variables)

    def runner(self, **environment: str) -> Runner:
        """A runner as another process would have it."""
        return Runner(self.settings(**environment))

    def order(self, seed: int = 0, **fields: Any) -> Order:
        """An order for the fake's provider."""
        return order_for(self.fake.provider, seed, **fields)

    def start(self, runner: Runner | None = None, seed: int = 0, **fields: Any) -> Job:
        """One take under way."""
        return (runner or self.runner()).start(self.order(seed, **fields))[0]

    def video(self, runner: Runner | None = None, seed: int = 0, **fields: Any) -> Result:
        """One take to its end."""
        return self.start(runner, seed, **fields).wait()

    def row(self) -> Row:
        """The newest row of the journal."""
        return self.rows()[0]

    def rows(self) -> list[Row]:
        """The rows of the journal, the newest first."""
        self._reader = self._reader or self.runner()
        return self._reader.journal.newest(1000)

    @property
    def sent_creates(self) -> int:
        """How many creates were sent, accepted or not."""
        return sum(map(is_create, self.fake.requests))


def left_running(desk: Desk) -> str:
    """An order that was paid, and that nobody works on now; its ticket. Its task is done at the
    next poll."""
    desk.fake.polls_until_done = 10**6
    runner = desk.runner(SEEDANCE_TIMEOUT="0")
    with pytest.raises(StillRunning) as caught:
        desk.video(runner)
    runner.close()
    desk.fake.polls_until_done = 0
    return caught.value.task or ""


def failing(desk: Desk, **fields: Any) -> SeedanceError:
    """The error that one take ends with."""
    with pytest.raises(SeedanceError) as caught:
        desk.video(**fields)
    return caught.value


def age(desk: Desk, seconds: float, *columns: str) -> None:
    """Make the newest row (and what the provider made of it) older."""
    orders = schema.orders
    values = {name: orders.c[name] - seconds for name in columns}
    older = sa.update(orders).where(orders.c.id == desk.row().id).values(**values)
    with desk.runner().journal._opened().begin() as connection:
        connection.execute(older)
    for task_id in getattr(desk.fake, "created", {}):
        desk.fake.created[task_id] -= int(seconds)  # type: ignore[attr-defined]


def until(true: Callable[[], Any], seconds: float = 30.0) -> None:
    """Wait until something is so; fails where it does not become so."""
    ticking = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if true():
            return
        ticking.wait(0.02)
    raise AssertionError("it did not come about in time")


def move(journal: Journal, row_id: int, state: str, **values: Any) -> Row:
    """Bring a row to `state` by allowed moves, the last of them with `values`."""
    row = journal.get(row_id)
    for step in shortest_way(row.state, State(state)):
        row = journal.advance(row_id, step, **(values if step == state else {}))
    return row


def shortest_way(before: State, after: State) -> list[State]:
    """The states from `before` (left out) to `after`. An unclear or ended row belongs to nobody, so
    that no way leads through one."""
    ways: list[list[State]] = [[before]]
    while ways[0][-1] != after:
        way = ways.pop(0)
        if way == [before] or way[-1] in LIVE:
            ways += [[*way, state] for state in sorted(MOVES[way[-1]]) if state not in way]
    return ways[0][1:]
