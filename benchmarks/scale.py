"""What one process costs with many tasks under way: `python benchmarks/scale.py [--tasks N ...]`.

For each number a process of its own, against a fake provider (a process too) whose tasks take so
many seconds. Threads, memory and processor time while all wait; how late each end is seen; and how
long a new process takes until it works on those that another one left. Then the tasks panel over a
journal of many rows (`--rows`), whose videos are gone.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import load
import stage

from seedance import providers
from seedance.journal import State
from seedance.order import Order
from seedance.runner import Runner, recovery
from seedance.settings import Settings

WATCHED = 15.0  # seconds in which all tasks wait
CLIP = (320, 240, 24)
PROVIDER = "lumenfall"


@contextmanager
def desk(seconds: float) -> Iterator[Settings]:
    """The settings of a process at a fake whose tasks take so long, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        clip = stage.make_clip(Path(folder) / "clip.mp4", *CLIP)
        with stage.providers(seconds, clip, PROVIDER) as variables:
            variables = {**variables, "SEEDANCE_MAX_USD": "0"}
            yield Settings(Path(folder) / "home", Path(folder) / "output", variables)


def start(made: Runner, count: int) -> None:
    """Start so many orders."""
    orders = [Order(prompt=f"a fox {n}", provider=PROVIDER, seed=n) for n in range(count)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(made.start, orders))


def wait(made: Runner, count: int, *states: State) -> None:
    """Wait until so many rows are in one of these states."""
    while sum(row.state in states for row in made.journal.newest(sys.maxsize)) < count:
        time.sleep(0.5)


def measure(count: int, seconds: float) -> dict[str, float]:
    """What so many tasks cost this process."""
    with desk(seconds) as settings:
        made = Runner(settings)
        start(made, 1)
        wait(made, 1, State.RUNNING, State.SAVED)
        before = load.memory()
        began = time.monotonic()
        start(made, count)
        wait(made, count, State.RUNNING, State.SAVED)
        started = time.monotonic() - began
        cpu, threads, memory = time.process_time(), load.sample(0, 0).threads, load.memory()
        time.sleep(WATCHED)
        cpu = (time.process_time() - cpu) / WATCHED
        wait(made, count, State.SAVED)
        late = [
            row.finished - row.submitted - seconds
            for row in made.journal.newest(sys.maxsize)
            if row.finished and row.submitted
        ]
        made.close()
    return {
        "started": started,
        "threads": threads,
        "memory": memory,
        "each": (memory - before) * 1000 / count,
        "cpu": cpu,
        "late": median(late),
        "latest": max(late),
    }


def recover(count: int) -> dict[str, float]:
    """How long a new process takes over the tasks that another one left."""
    with desk(10**6) as settings:
        first = Runner(settings)
        start(first, count)
        wait(first, count, State.RUNNING)
        first.close()
        second = Runner(settings)
        began = time.monotonic()
        taken = second.recover()
        took = time.monotonic() - began
        second.close()
    return {"took": took, "taken": taken}


def panel(count: int) -> list[tuple[str, str]]:
    """What the tasks panel asks for, with so many rows."""
    import journal as rows_of

    lines = []
    with tempfile.TemporaryDirectory() as folder:
        home, output = Path(folder) / "home", Path(folder) / "output"
        output.mkdir()
        made = Runner(Settings(home, output, {}))
        rows_of.fill(made.journal, count)

        def tell(what: str, *given: Any) -> None:
            typical, longest = rows_of.milliseconds(lambda _: made.tasks(*given))
            lines.append((what, f"{typical:.1f} ms ({longest:.1f})"))

        tell("the newest 200, videos gone", 200)
        for number in range(min(count, 50_000)):
            (output / f"{number}.mp4").touch()
        tell("the same, with 50,000 other videos in the folder", 200)
        tell("what changed since a second ago", 200, time.time() - 1)
        made.close()
    return lines


def in_own_process(*arguments: object) -> dict[str, float]:
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tasks", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--seconds", type=float, default=120, help="that a task takes")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--recover", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    logging.getLogger("seedance").setLevel(logging.CRITICAL)
    if args.measure:
        print(json.dumps(measure(args.measure, args.seconds)))
    elif args.recover:
        print(json.dumps(recover(args.recover)))
    else:
        report(args.tasks, args.seconds, args.rows)


def report(tasks: Sequence[int], seconds: float, rows: int) -> None:
    """The tables, in Markdown."""
    head = ("tasks", "until all run", "threads", "memory", "each", "processor", "end seen late by")
    stage.table(head, ())
    for count in tasks:
        found = in_own_process("--measure", count, "--seconds", seconds)
        stage.row(
            (
                f"{count:,}",
                f"{found['started']:.1f} s",
                f"{found['threads']:.0f}",
                f"{found['memory']:.0f} MB",
                f"{found['each']:.0f} kB",
                f"{found['cpu']:.0%} of a core",
                f"{found['late']:.1f} s ({found['latest']:.1f} s)",
            )
        )
    print()
    stage.table(("rows to recover", f"until {recovery.RECOVER_AT_ONCE} are worked on"), ())
    for count in tasks:
        found = in_own_process("--recover", count)
        stage.row((f"{count:,}", f"{found['took']:.2f} s ({found['taken']:.0f})"))
    print()
    stage.table((f"the tasks panel, {rows:,} rows", "median (longest)"), panel(rows))


if __name__ == "__main__":
    assert providers.registry()[PROVIDER]
    main()
