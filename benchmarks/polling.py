"""How often Pace asks for a task, and how late it sees the end: `python benchmarks/polling.py`.

A simulation over task durations as they are met: lognormal, with medians from one to ten minutes.
A person may know nothing about such tasks yet (`unknown`), or have a journal (`known`).

An end that may come at any moment is seen, in the median, no sooner than after half of the interval
that polls must keep; and whoever asks at most 30 times every 2 s watches for one minute only. So
0.50 in the last column is the best there is, and tasks of ten minutes cannot have it.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Iterator
from statistics import median, quantiles

import stage

from seedance.runner.worker import Pace

# Seconds that half of the tasks take: short and long clips, and 4k.
MEDIANS = (60.0, 110.0, 170.0, 600.0)
SPREAD = 0.25  # of the logarithm: nine of ten tasks take between 2/3 and 3/2 of the median
INTERVALS = (2.0, 5.0, 10.0)  # seconds, as documented by the providers
MOST_POLLS = 30


def polls(pace: Pace, dice: random.Random) -> Iterator[float]:
    """The moments at which a task is asked for, in seconds since its create."""
    now = pace.interval
    while True:
        yield now
        wait = pace.after(now, dice.random())
        assert wait >= pace.interval, f"asked after {wait} s, faster than {pace.interval} s"
        now += wait


def follow(pace: Pace, duration: float, dice: random.Random) -> tuple[int, float]:
    """How many polls a task of `duration` took, and how many seconds late its end was seen."""
    for count, moment in enumerate(polls(pace, dice), start=1):
        if moment >= duration:
            return count, moment - duration
    raise AssertionError("polling never ends by itself")


def main() -> int:
    """Print the table; returns 1 where a usual task is seen late or asked for too often."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=20_000)
    tasks: int = parser.parse_args().tasks
    print(f"{tasks:,} tasks a line, spread {SPREAD}; polls and delay: median (90 %).\n")
    rows = []
    usual_is_good = True
    for interval in INTERVALS:
        for typical in MEDIANS:
            for known in (True, False):
                dice = random.Random(7)
                pace = Pace(interval, typical if known else None)
                durations = [dice.lognormvariate(math.log(typical), SPREAD) for _ in range(tasks)]
                counts, delays = zip(*(follow(pace, each, dice) for each in durations))
                if known and typical < 600:
                    seen_soon = median(delays) <= 0.6 * interval
                    usual_is_good &= seen_soon and median(counts) <= MOST_POLLS
                rows.append(
                    (
                        f"{interval:g} s",
                        f"{typical:g} s",
                        "known" if known else "unknown",
                        f"{median(counts):.0f} ({quantiles(counts, n=10)[-1]:.0f})",
                        f"{median(delays):.2f} s ({quantiles(delays, n=10)[-1]:.2f} s)",
                        f"{median(delays) / interval:.2f}",
                    )
                )
    head = ("interval", "task", "history", "polls", "end seen late by", "late / interval")
    stage.table(head, rows)
    return int(not usual_is_good)


if __name__ == "__main__":
    sys.exit(main())
