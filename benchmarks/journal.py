"""How fast the journal is when it is large: `python benchmarks/journal.py [--rows N] [--url URL]`.

Fills an empty journal with finished rows, then times what a click and the tasks panel wait for.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from statistics import median

import sqlalchemy as sa
import stage

from seedance.journal import Journal, NewRow, schema
from seedance.order import Order

BATCH = 5_000
ROUNDS = 200


def rows(count: int) -> Iterator[dict[str, object]]:
    """Saved rows of the last months, each from an order of its own."""
    now = time.time()
    for number in range(count):
        created = now - 60 * (count - number)
        yield {
            "fingerprint": f"{number:064x}",
            "asked": f"{number:064x}",
            "provider": "lumenfall",
            "account": "account",
            "model": "seedance-2.0",
            "resolution": "720p",
            "duration": 5,
            "prompt": f"a fox, number {number}, in the snow at dusk, seen from the side",
            "seed": number,
            "order_json": '{"model": "seedance-2.0", "resolution": "720p", "duration": 5}',
            "changes_json": "[]",
            "state": "saved" if number % 10 else "failed",
            "ticket": f"lumenfall:vid_{number}",
            "file": f"/output/{number}.mp4",
            "cost_amount": 1.5,
            "cost_currency": "USD",
            "cost_estimated": False,
            "budget_usd": 1.5,
            "created": created,
            "updated": created + 110,
            "submitted": created,
            "finished": created + 110,
        }


def fill(journal: Journal, count: int) -> None:
    """Write the rows in batches, past the API, which makes one after the other."""
    everything = list(rows(count))
    with journal._opened().begin() as connection:
        for begin in range(0, count, BATCH):
            connection.execute(sa.insert(schema.orders), everything[begin : begin + BATCH])


def milliseconds(function: Callable[[int], object]) -> tuple[float, float]:
    """The median and the longest time of many calls."""
    times = []
    for number in range(ROUNDS):
        began = time.perf_counter()
        function(number)
        times.append(1000 * (time.perf_counter() - began))
    return median(times), max(times)


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--url", help="an empty database; SQLite in a new folder by default")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(args.url or f"sqlite:///{folder}/journal.db")
        began = time.perf_counter()
        fill(journal, args.rows)
        print(f"{args.rows:,} rows, written in {time.perf_counter() - began:.1f} s.\n")
        order = Order(prompt="a new fox", provider="lumenfall").describe()
        budget = {"day": 1e6, "month": 1e6}

        def reserve(number: int) -> None:
            new = NewRow(f"new {number}", "new", "lumenfall", "account", order, budget_usd=1.5)
            journal.advance(journal.reserve(new, budget)[0].id, "failed")

        newest = journal.newest(1)[0]
        lines = []
        for what, function in (
            ("find an order by its fingerprint", lambda n: journal.held(f"{n * 97:064x}")),
            ("find an order as it was asked", lambda n: journal.held_as_asked(f"{n * 97:064x}")),
            ("find a task by its ticket", lambda n: journal.by_ticket(f"lumenfall:vid_{n * 97}")),
            ("the newest 50", lambda n: journal.newest(50)),
            ("what changed of the newest 200", lambda n: journal.newest(200, time.time() - 60)),
            ("what was spent in 30 days", lambda n: journal.spent(30)),
            ("rows under way", lambda n: journal.abandoned()),
            ("typical seconds", lambda n: journal.typical_seconds(newest)),
            ("reserve within a budget, and end", reserve),
        ):
            typical, longest = milliseconds(function)
            lines.append((what, f"{typical:.2f} ms", f"{longest:.2f} ms"))
        journal.close()
    stage.table(("", "median", "longest"), lines)


if __name__ == "__main__":
    main()
