"""What the journal costs as it grows: `python benchmarks/journal.py [--rows N ...] [--url URL]`.

Fills an empty journal with finished rows, ten thousand a month, then times what a click, a new
order and the tasks panel wait for. For each size a journal of its own; with `--url`, one size.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median

import sqlalchemy as sa
import stage

from seedance.journal import LIVE, Journal, NewRow, State, schema
from seedance.order import Order

SIZES = [10_000, 100_000, 1_000_000]
BATCH = 5_000
ROUNDS = 100
LONGEST = 10.0  # seconds for the rounds of one thing, where each is slow
MONTH = 30 * 24 * 3600


def rows(count: int) -> Iterator[dict[str, object]]:
    """Saved rows of the last months, each from an order of its own."""
    now = time.time()
    for number in range(count):
        created = now - MONTH / 10_000 * (count - number)
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
            "uid": f"{number:032x}",
            "project": f"project {number % 50}",
        }


def fill(journal: Journal, count: int) -> None:
    """Write the rows in batches, past the API, which makes one after the other."""
    everything = rows(count)
    with journal._opened().begin() as connection:
        while some := list(islice(everything, BATCH)):
            connection.execute(sa.insert(schema.orders), some)


def milliseconds(function: Callable[[int], object]) -> tuple[float, float]:
    """The median and the longest time of many calls."""
    times: list[float] = []
    over = time.perf_counter() + LONGEST
    for number in range(ROUNDS):
        began = time.perf_counter()
        function(number)
        times.append(1000 * (time.perf_counter() - began))
        if time.perf_counter() > over:
            break
    return median(times), max(times)


def measured(journal: Journal, count: int) -> dict[str, tuple[float, float]]:
    """What each thing takes in a journal of so many rows."""
    described = Order(prompt="a new fox", provider="lumenfall").describe()
    other = Order(prompt="a new fox", provider="evolink", resolution="480p").describe()
    budget = {"day": 1e6, "month": 1e6}

    def reserve(number: int) -> None:
        new = NewRow(f"new {number}", "new", "lumenfall", "account", described, budget_usd=1.5)
        journal.advance(journal.reserve(new, budget)[0].id, "refused")

    def alike(number: int) -> None:
        journal.held_alike({**described, "prompt": f"a fox, number {number}"}, ["lumenfall"])

    newest = journal.newest(1)[0]
    unknown = NewRow("other", "other", "evolink", "account", other)
    of_another = journal.reserve(unknown)[0]
    some = [number * 997 % count for number in range(ROUNDS)]
    things: dict[str, Callable[[int], object]] = {
        "find an order by its fingerprint": lambda n: journal.held(f"{some[n]:064x}"),
        "find an order as it was asked": lambda n: journal.held_as_asked(f"{some[n]:064x}"),
        "find an order that failed": lambda n: journal.last_ended(f"{some[n]:064x}"),
        "find an order by its words": alike,
        "find a task by its ticket": lambda n: journal.by_ticket(f"lumenfall:vid_{some[n]}"),
        "what goes to a file": lambda n: journal.going_to(Path(f"/output/{some[n]}.mp4")),
        "the newest 50": lambda n: journal.newest(50),
        "the newest 200, for the tab": lambda n: journal.newest(200),
        "what changed of the newest 200": lambda n: journal.newest(200, time.time() - 60),
        "what was spent in 30 days": lambda n: journal.spent(30),
        "search for words that none has": lambda n: journal.found(50, text="zebra"),
        "the newest 50 that failed": lambda n: journal.found(50, states=[State.FAILED]),
        "what is to be collected": lambda n: journal.found(10**9, states=LIVE),
        "what nobody told the cost of": lambda n: journal.unpriced(),
        "rows under way": lambda n: journal.abandoned(),
        "unclear rows": lambda n: journal.unclear(["lumenfall"], 0.0),
        "typical seconds": lambda n: journal.typical_seconds(newest),
        "the same, for what was never made": lambda n: journal.typical_seconds(of_another),
        "reserve within a budget, and end": reserve,
        "what every order cost, by project": lambda n: journal.spent_by("project"),
    }
    return {what: milliseconds(function) for what, function in things.items()}


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES)
    parser.add_argument("--url", help="an empty database; SQLite in a new folder by default")
    args = parser.parse_args()
    if args.url and len(args.rows) > 1:
        parser.error("with --url, give one number of --rows")
    found: list[dict[str, tuple[float, float]]] = []
    for count in args.rows:
        with tempfile.TemporaryDirectory() as folder:
            journal = Journal(args.url or f"sqlite:///{folder}/journal.db")
            began = time.perf_counter()
            fill(journal, count)
            took = time.perf_counter() - began
            size = sum(file.stat().st_size for file in Path(folder).iterdir()) / 1e6
            print(f"{count:,} rows: {size:,.0f} MB, written in {took:.1f} s.", flush=True)
            found.append(measured(journal, count))
            journal.close()
    print()
    sizes = [f"{count:,} rows" for count in args.rows]
    stage.table(
        ("median (longest), ms", *sizes, "slope"),
        [
            (what, *(f"{each[what][0]:.2f} ({each[what][1]:.2f})" for each in found), slope)
            for what in found[0]
            for slope in [_slope(args.rows, [each[what][0] for each in found])]
        ],
    )
    print("\nSlope: 0 takes as long however many rows there are, 1 ten times as long for ten times")
    print("as many.")


def _slope(sizes: list[int], times: list[float]) -> str:
    if len(sizes) < 2 or sizes[0] == sizes[-1]:
        return "-"
    return f"{math.log(times[-1] / times[0]) / math.log(sizes[-1] / sizes[0]):.2f}"


if __name__ == "__main__":
    main()
