"""Many tasks at once through one process, on a fake provider with faults, watched over time.

    python benchmarks/load.py --tasks 200 --minutes 1 --faults 0.05

Each line shows the tasks, threads, memory, sockets and open files at that moment: none of them may
grow with the time. The fake runs in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import itertools
import logging
import multiprocessing
import os
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import stage
from fakes.lumenfall import FakeLumenfall

from seedance.errors import SeedanceError
from seedance.order import Order
from seedance.runner import Runner
from seedance.settings import Settings

FAULTS = ("reset", "reset-after", "truncate", "status:503", "html:502", "429:1")


def serve(share: float, polls: int, connection: Any) -> None:
    """Run the fake until its process is ended."""
    dice = random.Random(1)
    with FakeLumenfall(polls_until_done=polls) as fake:
        for what in FAULTS:
            fake.fault(lambda _: dice.random() < share / len(FAULTS), what, times=10**9)
        connection.send(fake.environment())
        while connection.poll(None):
            connection.recv()
            connection.send(fake.creates)


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


def main() -> None:
    """Keep as many tasks under way as asked for, for as long, and print what that takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=200, help="at once")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--faults", type=float, default=0.05, help="share of requests")
    parser.add_argument("--polls", type=int, default=10, help="until a task is done")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between lines")
    parser.add_argument("--interval", type=float, default=2.0, help="seconds between polls")
    args = parser.parse_args()
    logging.getLogger("seedance").setLevel(logging.CRITICAL)
    ours, theirs = multiprocessing.Pipe()
    fake = multiprocessing.get_context("spawn").Process(
        target=serve, args=(args.faults, args.polls, theirs), daemon=True
    )
    fake.start()
    with tempfile.TemporaryDirectory() as folder:
        variables = {**ours.recv(), "SEEDANCE_POLL_INTERVAL": str(args.interval)}
        runner = Runner(Settings(Path(folder) / "home", Path(folder) / "output", variables))
        outcomes = asyncio.run(load(runner, args.tasks, 60 * args.minutes, args.every))
        ours.send("creates?")
        print(f"\n{dict(outcomes)}, creates accepted: {ours.recv()}")
    fake.terminate()


async def load(
    runner: Runner, at_once: int, seconds: float, every: float
) -> collections.Counter[str]:
    """Keep `at_once` tasks under way for so long; returns how often each outcome came."""
    outcomes: collections.Counter[str] = collections.Counter()
    seeds = itertools.count()
    began = time.monotonic()

    async def order_again_and_again() -> None:
        while time.monotonic() - began < seconds:
            order = Order(prompt="a fox", provider="lumenfall", ratio="16:9", seed=next(seeds))
            try:
                (job,) = await asyncio.to_thread(runner.start, order)
                outcomes[(await job.wait_async()).state] += 1
            except SeedanceError as error:
                outcomes[error.kind] += 1

    workers = asyncio.gather(*(order_again_and_again() for _ in range(at_once)))
    stage.table(("seconds", "ended", "threads", "MB", "sockets", "files"), ())
    while not workers.done():
        sockets, files = open_files()
        passed = f"{time.monotonic() - began:.0f}"
        stage.row(
            (passed, outcomes.total(), threading.active_count(), round(memory()), sockets, files)
        )
        await asyncio.wait({workers}, timeout=every)
    await workers
    return outcomes


if __name__ == "__main__":
    main()
