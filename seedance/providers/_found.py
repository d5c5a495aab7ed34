"""What a look into a provider's list of tasks comes to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

from ..errors import Unclear
from ..wire import Ticket

# Seconds by which a task's time may lie before and after that of its order: clocks differ, and the
# answer to a create takes its time.
CLOCK_SLACK = 300.0
LONGEST_CREATE = 900.0
MOST_PAGES = 100  # of a list


def is_of_that_time(created: float | None, since: float) -> bool:
    """Whether a task may be the one of an order that was sent at `since` (Unix seconds)."""
    return created is not None and since - CLOCK_SLACK < created < since + LONGEST_CREATE


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
