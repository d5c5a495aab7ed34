"""Many tasks at once through one process, on a fake provider with faults, watched over time.

    python benchmarks/load.py --tasks 500 --minutes 10 --faults 0.05
    python benchmarks/load.py --tasks 40 --minutes 0.5 --provider all

Each line shows the tasks, threads, memory, sockets and open files at a moment: none of them may
grow with the time. In the end the provider's books are compared with the journal, and that with the
files. Ends with 1 if anything grew or does not match. The fake runs in a process of its own. With
`--provider all` each provider has its turn, and a table shows what stayed unclear, and what of that
is paid: nothing, where a document gives a means to clear it.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import itertools
import json
import logging
import multiprocessing
import os
import random
import re
import sys
import tempfile
import threading
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import stage  # isort: skip  (it makes the next one importable)
import fakes

from seedance import providers
from seedance.errors import SeedanceError
from seedance.order import Order
from seedance.runner import Runner
from seedance.settings import Settings

SAMPLES = 60  # in the given time, of which every sixth is shown
PROMPT = re.compile(r"a fox ([0-9]+)")  # not every provider has a seed
FAULTS = ("reset", "reset-after", "truncate", "status:503", "html:502", "429:1")


def serve(provider: str, share: float, polls: int, connection: Any) -> None:
    """Run the fake until its process is ended; asked, it tells how often it was paid by seed."""
    dice = random.Random(1)
    with (
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stderr(nowhere),  # its connections break because they shall
        fakes.all()[provider](polls_until_done=polls) as fake,
    ):
        for what in FAULTS:
            fake.fault(lambda _: dice.random() < share / len(FAULTS), what, times=10**9)
        connection.send(fake.environment())
        while not connection.poll(5):
            fake.requests.clear()
        connection.recv()
        bodies = (json.dumps(task.body) for task in fake.tasks.values())
        connection.send(collections.Counter(int(PROMPT.findall(body)[0]) for body in bodies))


@dataclass(frozen=True)
class Sample:
    """What the process had at one moment; `threads` without the clocks of calls in flight."""

    seconds: float
    ended: int
    threads: int
    megabytes: float
    sockets: int
    files: int


def sample(seconds: float, ended: int) -> Sample:
    """What the process has now."""
    sockets, files = open_files()
    threads = threading.active_count() - clocks()
    return Sample(seconds, ended, threads, memory(), sockets, files)


def clocks() -> int:
    """How many calls have a clock running, which is a thread that ends with them."""
    return sum(isinstance(each, threading.Timer) for each in threading.enumerate())


def open_files() -> tuple[int, int]:
    """How many sockets and how many files this process has open (Linux)."""
    names = []
    for entry in os.scandir("/proc/self/fd"):
        try:
            names.append(os.readlink(entry.path))
        except FileNotFoundError:  # the scan itself
            continue
    sockets = sum(name.startswith("socket:") for name in names)
    return sockets, len(names) - sockets


def memory() -> float:
    """Resident memory in MB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    """Keep as many tasks under way as asked for, for as long, and print what that takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=200, help="at once")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--faults", type=float, default=0.05, help="share of requests")
    parser.add_argument("--polls", type=int, default=10, help="until a task is done")
    parser.add_argument("--interval", type=float, default=2.0, help="seconds between polls")
    parser.add_argument("--provider", default="lumenfall", help="whose fake; or all")
    args = parser.parse_args()
    logging.getLogger("seedance").setLevel(logging.CRITICAL)
    ids = sorted(fakes.all()) if args.provider == "all" else [args.provider]
    problems: list[str] = []
    lines = []
    for provider in ids:
        found, line = run(provider, args)
        problems += [f"{provider}: {problem}" for problem in found]
        lines.append(line)
    if len(ids) > 1:
        print()
        stage.table(("provider", "means", "orders", "unclear", "of them paid"), lines)
    for problem in problems:
        print(f"BAD: {problem}")
    print("nothing grew, everything matches" if not problems else "FAILED")
    return 1 if problems else 0


def run(provider: str, args: argparse.Namespace) -> tuple[list[str], tuple[Any, ...]]:
    """Put one provider under load; returns what is wrong, and its line of the table."""
    ours, theirs = multiprocessing.Pipe()
    fake = multiprocessing.get_context("spawn").Process(
        target=serve, args=(provider, args.faults, args.polls, theirs), daemon=True
    )
    fake.start()
    seconds = 60 * args.minutes
    with tempfile.TemporaryDirectory() as folder:
        variables = {**ours.recv(), "SEEDANCE_POLL_INTERVAL": str(args.interval)}
        runner = Runner(Settings(Path(folder) / "home", Path(folder) / "output", variables))
        outcomes, samples = asyncio.run(load(runner, provider, args.tasks, seconds))
        ours.send("paid?")
        paid = ours.recv()
        problems = mismatches(runner, outcomes, paid)
        unclear = [row for row in runner.tasks(sys.maxsize) if row.state == "unclear"]
        runner.close()
    if clocks():
        problems.append(f"{clocks()} clocks of calls that have ended were left")
    fake.terminate()
    if args.provider != "all":
        problems += growth([each for each in samples if each.seconds <= seconds], args.tasks)
    kind = providers.get(provider)
    means = "key" if kind.can("idempotency") else "list" if kind.can("find") else "none"
    both = sum(paid[row.seed] for row in unclear)
    if both and means != "none":
        problems.append(f"{both} orders are unclear and paid")
    return problems, (provider, means, outcomes.total(), len(unclear), both)


async def load(
    runner: Runner, provider: str, at_once: int, seconds: float
) -> tuple[collections.Counter[str], list[Sample]]:
    """Keep `at_once` tasks under way for so long; returns how often each outcome came, and what
    was seen meanwhile."""
    outcomes: collections.Counter[str] = collections.Counter()
    samples: list[Sample] = []
    seeds = itertools.count()
    began = time.monotonic()

    async def order_again_and_again() -> None:
        while time.monotonic() - began < seconds:
            seed = next(seeds)
            order = Order(prompt=f"a fox {seed}", provider=provider, ratio="16:9", seed=seed)
            try:
                (job,) = await asyncio.to_thread(runner.start, order)
                outcomes[(await job.wait_async()).state] += 1
            except SeedanceError as error:
                outcomes[error.kind] += 1

    workers = asyncio.gather(*(order_again_and_again() for _ in range(at_once)))
    stage.table(("seconds", "tasks ended", "threads", "MB", "sockets", "files"), ())
    while not workers.done():
        now = sample(time.monotonic() - began, outcomes.total())
        if len(samples) % 6 == 0:
            stage.row([round(value) for value in astuple(now)])
        samples.append(now)
        await asyncio.wait({workers}, timeout=min(5, seconds / SAMPLES))
    await workers
    print()
    return outcomes, samples


def mismatches(
    runner: Runner, outcomes: collections.Counter[str], paid: collections.Counter[int]
) -> list[str]:
    """Where the callers, the journal, the files and the provider's books contradict each other.

    An unclear order may have been paid or not; every other one says which.
    """
    rows = runner.tasks(sys.maxsize)
    states = collections.Counter(row.state for row in rows)
    videos = list(runner.settings.output.rglob("*.mp4"))
    print(f"orders {len(rows)}: {dict(states)}; callers heard {dict(outcomes)}")
    unclear = sum(paid[row.seed] for row in rows if row.state == "unclear")
    tickets = sum(row.task is not None for row in rows)
    print(f"creates {paid.total()} = tickets {tickets} + unclear {unclear}; videos {len(videos)}")
    found = {
        "orders were lost": len({row.seed for row in rows}) != outcomes.total(),
        "an order was paid twice": max(paid.values(), default=0) > 1,
        "a ticket was not paid for": any(row.task and not paid[row.seed] for row in rows),
        "what was refused was paid for": any(
            paid[row.seed] for row in rows if row.state in ("refused", "cancelled")
        ),
        "creates and orders differ": paid.total() != tickets + unclear,
        "videos and successes differ": not len(videos) == states["saved"] == outcomes["saved"],
        "orders were left under way": any(row.live for row in rows),
        "a video is not whole": len({video.stat().st_size for video in videos}) > 1,
        "parts were left": bool(list(runner.settings.output.rglob("*.part"))),
        "nothing was made": not videos,
    }
    return [problem for problem, there in found.items() if there]


def growth(samples: list[Sample], at_once: int) -> list[str]:
    """What the process never had as little of in the last third of the time as in the first, once
    each task has come round. What comes and goes is no leak, so that the least counts; memory may
    grow by a tenth, with the pages that the journal keeps."""
    steady = [each for each in samples if each.ended >= at_once]
    third = len(steady) // 3
    if third < 5:
        return ["it was too short to see whether anything grows"]
    found = []
    for name, spare in (("threads", 2), ("megabytes", 16), ("sockets", 2), ("files", 2)):
        first, last = (
            min(getattr(each, name) for each in part) for part in (steady[:third], steady[-third:])
        )
        print(f"{name}: at least {first:.0f} in the first third, {last:.0f} in the last")
        if last > first * 1.1 + spare:
            found.append(f"{name} grew from {first:.0f} to {last:.0f}")
    return found


if __name__ == "__main__":
    sys.exit(main())
