"""What a look into a provider's list of tasks comes to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

from ..errors import Unclear
from ..wire import Ticket

# Seconds by which a task's time may lie before and after that of its order: clocks differ, and the
# answer to a create takes its time.
CLOCK_SLACK = 300.0
MARK_SLACK = 3600.0  # before it, where a number of its own tells an order from most others
LONGEST_CREATE = 900.0
# A clock may be wrong by hours: its time zone, or a battery. Lists are asked for so much more.
CLOCK_WRONG = 24 * 3600.0
MOST_PAGES = 100  # of a list


def is_of_that_time(created: float | None, since: float, slack: float = CLOCK_SLACK) -> bool:
    """Whether a task may be the one of an order that was sent at `since` (Unix seconds)."""
    return created is not None and since - slack < created < since + max(slack, LONGEST_CREATE)


def recognised(
    name: str,
    alike: Iterable[tuple[Ticket, float | None]],
    since: float,
    slack: float = CLOCK_SLACK,
) -> Ticket | None:
    """Of tasks, each with when it was created, that are as an order was sent at `since`: the one of
    that time. Raises Unclear for several, and where all are of another time: a clock may be wrong,
    or they may be other orders'."""
    alike = list(alike)
    then = [ticket for ticket, created in alike if is_of_that_time(created, since, slack)]
    if then or not alike:
        return the_one(name, then)
    raise Unclear(
        "{provider} has {tickets}, which was sent as this order was, but at another time by the "
        "clock of this machine.",
        hint="The clock may have been wrong, or it is another's. Collect it with seedance collect, "
        "and look.",
        provider=name,
        tickets=list(dict.fromkeys(str(ticket) for ticket, _ in alike))[:5],
    )


def iso_time(seconds: float) -> str:
    """Unix seconds as ISO 8601 in UTC, `2026-11-20T09:30:00Z`."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def the_one(name: str, found: Iterable[Ticket]) -> Ticket | None:
    """The one task that was found, None for none. Raises Unclear for several, and shows them."""
    alike = {str(ticket): ticket for ticket in found}
    if len(alike) > 1:
        raise Unclear(
            "{provider} has {count} tasks that this order may have made: {tickets}.",
            hint="Collect the right one with seedance collect, or clear the order with "
            "seedance forget if none is.",
            provider=name,
            count=len(alike),
            tickets=list(alike)[:5],
        )
    return next(iter(alike.values()), None)
