"""Hundreds of orders against a provider where anything may break: money is accounted exactly.

The faults are drawn from a fixed seed, per order and per request of it, so that a run can be
repeated whatever the threads do. SEEDANCE_CHAOS_ORDERS and SEEDANCE_CHAOS_SEED make other runs.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes import Answer, Request, Task
from fakes.lumenfall import FakeLumenfall
from running import Desk, is_create, is_result

from seedance.errors import SeedanceError
from seedance.runner import Job, Runner

pytestmark = pytest.mark.slow

ORDERS = int(os.environ.get("SEEDANCE_CHAOS_ORDERS", "200"))
SEED = int(os.environ.get("SEEDANCE_CHAOS_SEED", "20261121"))
# What a second process orders too, at the same time.
SHARED = 40

# The outcome of a create, by its fault: was it accepted, and what may we know about it?
CREATE_FAULTS = {
    "": "known",
    "429:0": "again",
    "status:400": "refused",
    "reset": "lost",
    "status:500": "lost",
    "html:502": "lost",
    "status:409": "lost",
    "reset-after": "accepted and lost",
    "truncate": "accepted and lost",
    "hang:600": "accepted and lost",
}
POLL_FAULTS = ("reset", "reset-after", "truncate", "status:500", "status:404", "html:200", "429:0")
RESULT_FAULTS = ("reset", "reset-after", "truncate", "status:500", "status:403", "html:200")
MOST_FAULTS = 2  # of one order's polls, and of its downloads


class Chaos(FakeLumenfall):
    """A Lumenfall where requests break by chance, and every tenth task fails.

    `creates_by_seed`: the outcomes of all creates of an order, which the seed stands for.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(polls_until_done=1)
        self.logs_requests = False  # what is lost stays unclear: `test_clearing` is about the rest
        self.creates_by_seed: dict[int, list[str]] = {}
        self._seed = seed
        self._drawn: Counter[str] = Counter()

    def _take_fault(self, request: Request) -> str | Answer:
        if is_create(request):
            order = request.json["seed"]
            faults = [fault for fault in CREATE_FAULTS if fault]
            if order < SHARED:
                faults.remove("status:400")  # a twin would rightly send it anew
            fault = self._draw(f"create {order}", faults, 0.4, most=ORDERS)
            self.creates_by_seed.setdefault(order, []).append(CREATE_FAULTS[fault])
            return fault
        if is_result(request):
            return self._draw(f"result {request.query['task']}", RESULT_FAULTS, 0.3)
        return self._draw(f"poll {request.path}", POLL_FAULTS, 0.3)

    def _draw(
        self, what: str, faults: Sequence[str], chance: float, most: int = MOST_FAULTS
    ) -> str:
        """A fault or none, the same for the same request of the same order in every run."""
        self._drawn[what] += 1
        dice = random.Random(f"{self._seed} {what} {self._drawn[what]}")
        broken = dice.random() < chance and self._drawn[f"broken {what}"] < most
        self._drawn[f"broken {what}"] += broken
        return dice.choice(faults) if broken else ""

    def _show(self, task: Task) -> Answer:
        fails = task.body["seed"] % 10 == 3
        self.fail_with = {"code": "GENERATION_FAILED", "message": "No."} if fails else None
        answer = super()._show(task)
        if "output" in answer.json:
            answer.json["output"]["url"] += f"?task={task.id}"
        return answer


def start(desk: Desk, runner: Runner, seed: int) -> Job | SeedanceError:
    """An order under way, or why it does not start."""
    try:
        return desk.start(runner, seed)
    except SeedanceError as error:
        return error


def outcome(job: Job | SeedanceError) -> str:
    """What became of an order, in one word."""
    try:
        return job.kind if isinstance(job, SeedanceError) else job.wait().state
    except SeedanceError as error:
        return error.kind


def expected(fake: Chaos, seed: int) -> str:
    """What must become of an order, after what the provider did with its create."""
    last = fake.creates_by_seed[seed][-1]
    if last == "known":
        return "TaskFailed" if seed % 10 == 3 else "saved"
    return "Refused" if last == "refused" else "Unclear"


def test_creates_and_videos_are_accounted_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seedance.transport.session.SPEND_SECONDS", 20.0)
    with Chaos(SEED) as fake:
        desk = Desk(fake, tmp_path)
        here, elsewhere = desk.runner(), desk.runner()
        jobs, twins = [], []
        for seed in range(ORDERS):
            jobs.append(start(desk, here, seed))
            if seed < SHARED:
                twins.append(start(desk, elsewhere, seed))
        outcomes = [outcome(job) for job in jobs]
        assert [outcome(twin) for twin in twins] == outcomes[: len(twins)]

        # Every order came to the end that the provider's answer to its create determines ...
        assert outcomes == [expected(fake, seed) for seed in range(ORDERS)]
        # ... and none was sent again but after an answer that says that it was not accepted.
        for creates in fake.creates_by_seed.values():
            assert set(creates[:-1]) <= {"again"}

        # What was paid is what was saved, what failed there, and what the journal calls unclear.
        counts = Counter(outcomes)
        lost = sum(ends[-1] == "accepted and lost" for ends in fake.creates_by_seed.values())
        assert fake.creates == counts["saved"] + counts["TaskFailed"] + lost
        assert len(list(desk.output.glob("*.mp4"))) == counts["saved"]
        states = Counter(row.state for row in here.journal.newest(10 * ORDERS))
        assert states == {
            "saved": counts["saved"],
            "failed": counts["TaskFailed"],
            "refused": counts["Refused"],
            "unclear": counts["Unclear"],
        }
        assert min(counts.values()) > ORDERS / 100, "too tame to show anything"

        # The next click asks nothing about what was saved, and only looks for what is unclear.
        requests = len(fake.requests)
        for seed, word in enumerate(outcomes):
            if word in ("saved", "Unclear"):
                assert outcome(start(desk, here, seed)) == word
        looks = Counter((each.method, each.path) for each in fake.requests[requests:])
        assert looks == {("GET", "/v1/requests"): counts["Unclear"]}
