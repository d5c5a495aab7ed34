"""A farm on one machine: how much workers carry, what limits them, and what faults do.

    python benchmarks/farm.py --shots 60 --workers 1 2 4
    python benchmarks/farm.py --faults --shots 500 --workers 3
    python benchmarks/farm.py --paper 100000

A provider that answers at once, in a process of its own, PostgreSQL, an S3 service and workers with
folders of their own. With `--faults`: 5 % of all answers are spoiled, a worker is killed every few
seconds, the database is restarted twice, and one worker sleeps past its lease in the middle of a
create. Then another machine fetches every video, and the provider's books are compared with the
journal: ends with 1 if anything does not match. `--paper` counts what a day of so many shots asks
of database, bucket and providers, from what a run of 40 shots asked.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import stage  # isort: skip  (it makes the next ones importable)
import load
import postgres
import sqlalchemy as sa
from bucket import Bucket
from farm_stage import SHORT, Farm

LEASE = "seedance.journal.journal.LEASE_SECONDS"
SHORT_FARM = {
    **SHORT,
    LEASE: 5.0,
    "seedance.farm.queue.STALLED_SECONDS": 5.0,
    "seedance.cli.carrying.BEAT_SECONDS": 1.0,
    "seedance.runner.worker.HEARTBEAT_SECONDS": 1.0,
}
KILL_SECONDS = 5.0
TASK_SECONDS = 110.0  # of a usual task, for the paper
POLLS = 17  # of such a task, at 5 s; see polling.py
CLIP_BYTES, FRAME_BYTES, SIDECAR_BYTES = 6_000_000, 1_400_000, 3_000  # of 5 s in 720p


@contextmanager
def served(provider: str, share: float) -> Iterator[tuple[dict[str, str], Any]]:
    """The fake in a process of its own: its variables, and the connection that asks for its
    books."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=load.serve, args=(provider, share, 1, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv(), ours
    finally:
        process.kill()
        process.join()


class Database:
    """What is in the database: states of rows, and how much it was asked."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url, poolclass=sa.NullPool)

    def rows(self, statement: str) -> list[Any]:
        """The rows of a query; none while the server is restarted."""
        try:
            with self._engine.connect() as connection:
                return list(connection.execute(sa.text(statement)))
        except sa.exc.SQLAlchemyError:
            return []

    def states(self) -> collections.Counter[str]:
        """How many rows are in each state."""
        return collections.Counter(dict(self.rows("SELECT state, count(*) FROM orders GROUP BY 1")))

    def work(self) -> collections.Counter[str]:
        """Transactions and changed rows so far."""
        ((commits, changed),) = self.rows(
            "SELECT xact_commit, tup_inserted + tup_updated + tup_deleted "
            "FROM pg_stat_database WHERE datname = current_database()"
        )
        return collections.Counter(commits=commits, changed=changed)


def shots(count: int, provider: str) -> list[dict[str, Any]]:
    """So many shots."""
    return [
        {"name": f"s{n}", "prompt": f"a fox {n}", "seed": n, "provider": provider}
        for n in range(count)
    ]


def carried(farm: Farm, workers: int) -> tuple[float, float]:
    """Let so many workers empty the queue: seconds, and seconds of processors."""
    began, before = time.monotonic(), os.times()
    command = ("worker", "--until-empty", "--json")
    children = [farm.machine(f"w{n}").start(*command, **SHORT_FARM) for n in range(workers)]
    for child in children:
        _, err = child.communicate(timeout=3600)
        if child.returncode:
            print(err[-2000:], file=sys.stderr)
    after = os.times()
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    return time.monotonic() - began, used


def throughput(count: int, numbers: list[int], provider: str) -> None:
    """The table of workers."""
    rows = []
    for workers in numbers:
        with made(provider, 0.0) as (farm, database, _, _):
            farm.machine("home").put(shots(count, provider))
            before = database.work()
            seconds, processor = carried(farm, workers)
            time.sleep(1.5)  # PostgreSQL's counters come late
            asked = database.work() - before
            saved = database.states()["saved"]
            rows.append(
                (
                    workers,
                    f"{saved} of {count}",
                    f"{saved / seconds:.1f}",
                    f"{processor / max(saved, 1):.2f} s",
                    f"{100 * processor / seconds / (os.cpu_count() or 1):.0f} %",
                    f"{asked['commits'] / max(saved, 1):.0f}",
                    f"{asked['changed'] / max(saved, 1):.0f}",
                )
            )
    head = ("workers", "saved", "shots a second", "processor a shot", "of all cores")
    stage.table((*head, "transactions a shot", "changed rows a shot"), rows)


@contextmanager
def made(provider: str, share: float) -> Iterator[tuple[Farm, Database, Any, Any]]:
    """A farm, its database, what restarts that, and the provider's books."""
    with (
        tempfile.TemporaryDirectory(prefix="seedance-farm-") as folder,
        postgres.restartable() as (server, restart),
        Bucket(Path(folder)) as bucket,
        served(provider, share) as (environment, books),
    ):
        url = postgres.create_database(server, "farm")
        environment |= {"SEEDANCE_MAX_USD": "0", "SEEDANCE_UNKNOWN_PRICE": "1"}
        farm = Farm(None, url, bucket, Path(folder), environment)
        yield farm, Database(url), restart, books


# ------------------------------------------------------------------------------------- faults


class Trouble(threading.Thread):
    """Kills workers, starts them again, restarts the database twice, lets one worker sleep."""

    def __init__(self, farm: Farm, database: Database, restart: Any, workers: int) -> None:
        super().__init__(daemon=True)
        self._farm, self._database, self._restart = farm, database, restart
        self._dice = random.Random(1)
        self.children = [self._start(n) for n in range(workers)]
        self.over = threading.Event()
        self.killed = self.restarted = self.slept = 0
        self.most_busy = 0

    def _start(self, number: int) -> subprocess.Popen[str]:
        return self._farm.machine(f"w{number}").start("worker", quiet=True, **SHORT_FARM)

    def run(self) -> None:
        begun, next_kill = time.monotonic(), KILL_SECONDS
        while not self.over.wait(0.1):
            states = self._database.states()
            self.most_busy = max(self.most_busy, states["submitting"] + states["running"])
            seconds = time.monotonic() - begun
            if not self.slept:
                self._let_sleep()
            if seconds > next_kill:
                next_kill = seconds + KILL_SECONDS
                if self.restarted < 2 and self.killed == 3 * (self.restarted + 1):
                    self._restart()
                    self.restarted += 1
                self._kill()

    def _let_sleep(self) -> None:
        """Stop a worker that is sending an order, until its lease is over."""
        holders = self._database.rows("SELECT holder FROM orders WHERE state = 'submitting'")
        numbers = {int(holder.split("#")[1]) for (holder,) in holders if holder}
        for child in self.children:
            if child.pid in numbers:
                child.send_signal(signal.SIGSTOP)
                self.slept += 1
                threading.Timer(2 * SHORT_FARM[LEASE], child.send_signal, (signal.SIGCONT,)).start()
                return

    def _kill(self) -> None:
        number = self._dice.randrange(len(self.children))
        self.children[number].kill()
        self.children[number].wait()
        self.children[number] = self._start(number)
        self.killed += 1

    def end(self) -> None:
        """Stop all workers as a person would."""
        self.over.set()
        self.join()
        for child in self.children:
            child.send_signal(signal.SIGCONT)
            child.terminate()
        for child in self.children:
            child.wait(360)


def with_faults(count: int, workers: int, provider: str) -> int:
    """The run with faults; returns 1 if anything does not match."""
    with made(provider, 0.05) as (farm, database, restart, books):
        said = farm.machine("home").put(shots(count, provider))
        price = said["estimate"]["usd"]
        budget = round(0.95 * price, 2)
        farm.environment["SEEDANCE_BUDGET_DAY"] = str(budget)
        began = time.monotonic()
        trouble = Trouble(farm, database, restart, workers)
        trouble.start()
        waiting = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        while time.monotonic() - began < 3600 and database.rows(waiting) != [(0,)]:
            time.sleep(1)
        seconds = time.monotonic() - began
        # An answer that came late makes an order go on that the queue has given up.
        while time.monotonic() - began < seconds + 60 and database.states()["running"]:
            time.sleep(1)
        trouble.end()
        rows = database.rows("SELECT state, ticket, budget_usd, order_json FROM orders")
        return report(farm, trouble, rows, books, count, budget, seconds)


def report(
    farm: Farm,
    trouble: Trouble,
    rows: list[Any],
    books: Any,
    count: int,
    budget: float,
    seconds: float,
) -> int:
    """Compare the provider's books, the journal and the files."""
    books.send(None)
    paid: collections.Counter[int] = books.recv()
    states = collections.Counter(row.state for row in rows)
    tickets = [row.ticket for row in rows if row.ticket]
    spent = sum(row.budget_usd or 0.0 for row in rows)
    unclear = states["unclear"]
    fourth = farm.machine("fourth")
    saved = [row.ticket for row in rows if row.state == "saved"]
    files = [Path(fourth.run("collect", each)["file"]) for each in saved]
    named = {load.PROMPT.search(row.order_json)[1] for row in rows}
    failed = database_failures(farm)
    print(
        f"{count} shots in {seconds:.0f} s; {trouble.killed} kills, {trouble.restarted} restarts "
        f"of the database, {trouble.slept} worker(s) asleep past the lease"
    )
    print(f"orders: {dict(states)}; in the queue: {failed}")
    checks = {
        f"creates {sum(paid.values())} = tickets {len(tickets)} + unclear ones that arrived": (
            len(tickets) <= sum(paid.values()) <= len(tickets) + unclear
        ),
        f"no order was paid twice (at most {max(paid.values(), default=0)})": (
            max(paid.values(), default=0) <= 1
        ),
        f"nothing is lost: {len(named)} shots have a row": len(named) == count,
        f"nothing goes on: {states['running'] + states['succeeded']}": (
            not states["running"] + states["succeeded"] + states["submitting"]
        ),
        f"{len(set(files))} of {len(saved)} videos on a fourth machine": (
            len(set(files)) == len(saved) and all(file.is_file() for file in files)
        ),
        f"budget: {spent:.2f} of {budget:.2f} USD": spent <= budget + 1e-6,
        # What a sleeping worker had sent was unclear, and has no slot, until it woke.
        f"slots: at most {trouble.most_busy} at once": (
            trouble.most_busy <= farm_slots(rows) + trouble.slept
        ),
    }
    for words, good in checks.items():
        print(f"{'ok ' if good else 'BAD'} {words}")
    return int(not all(checks.values()))


def database_failures(farm: Farm) -> dict[str, int]:
    """How many orders the queue has, by state: those that ended without a video."""
    found = Database(farm.url).rows("SELECT status, count(*) FROM procrastinate_jobs GROUP BY 1")
    return dict(found)  # type: ignore[arg-type]


def farm_slots(rows: list[Any]) -> float:
    """The most that the provider runs at once."""
    from seedance import providers

    found = {row.ticket.partition(":")[0] for row in rows if row.ticket}
    slots = [providers.get(each).limits.concurrent for each in found]
    return min((each for each in slots if each), default=float("inf"))


# -------------------------------------------------------------------------------------- paper


def paper(count: int, provider: str) -> None:
    """What a day of so many shots asks for."""
    with made(provider, 0.0) as (farm, database, _, _):
        farm.machine("home").put(shots(40, provider))
        before = database.work()
        carried(farm, 1)
        time.sleep(1.5)
        asked = database.work() - before
        saved = max(database.states()["saved"], 1)
    each = 86400 / count
    kept = CLIP_BYTES + FRAME_BYTES + SIDECAR_BYTES
    under_way = (TASK_SECONDS + 20) / each
    commits, changed = asked["commits"] / saved, asked["changed"] / saved
    workers = under_way / 16
    day = f"{kept * count / 1e9:.0f} GB a day"
    rows = [
        ("shots", "", f"{1 / each:.2f}"),
        ("orders under way at once", "", f"{under_way:.0f}"),
        ("transactions of the database", f"{commits:.0f} a shot", f"{commits / each:.0f}"),
        ("rows changed there", f"{changed:.0f} a shot", f"{changed / each:.0f}"),
        ("polls of providers", f"{POLLS} a shot", f"{POLLS / each:.0f}"),
        (
            "questions to the queue",
            "a worker every 2 s",
            f"{workers / 2:.0f} by {workers:.0f} workers that carry 16 each",
        ),
        (
            "bytes into the bucket",
            f"{kept / 1e6:.1f} MB a shot",
            f"{kept / each / 1e6:.1f} MB; {day}",
        ),
        (
            "bytes from providers",
            f"{CLIP_BYTES / 1e6:.1f} MB a shot",
            f"{CLIP_BYTES / each / 1e6:.1f} MB",
        ),
    ]
    stage.table(("what", "each", "a second"), rows)


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--shots", type=int, default=60)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--paper", type=int, metavar="SHOTS")
    parser.add_argument("--provider", help="default: lumenfall; with --faults leonardo")
    args = parser.parse_args()
    if args.paper:
        paper(args.paper, args.provider or "lumenfall")
        return 0
    if args.faults:
        return with_faults(args.shots, args.workers[0], args.provider or "leonardo")
    throughput(args.shots, args.workers, args.provider or "lumenfall")
    return 0


if __name__ == "__main__":
    sys.exit(main())
