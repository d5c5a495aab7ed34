"""The most that one queued graph, or one command, may cost (`SEEDANCE_MAX_USD`)."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..errors import OverBudget
from ..journal import sensible
from ..money import Money, in_usd
from ..texts import counted

# Where the price is not known, and a most is given.
NO_PRICE = "No value helps: leave max_usd out to order it all the same, or choose another provider."


@dataclass(frozen=True)
class Sum:
    """What several orders cost by their estimates: `usd`, of `orders` in all, of which `unknown`
    have no price that is known in USD."""

    usd: float = 0.0
    orders: int = 0
    unknown: int = 0

    def __str__(self) -> str:
        """As a person reads it. What is not known is no 0.00 USD."""
        usd = f"{self.usd:.2f} USD" if self.usd or not self.unknown else ""
        unknown = f"{counted(self.unknown, 'takes')} without a known price" if self.unknown else ""
        return " and ".join(filter(None, (usd, unknown)))

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.usd + other.usd, self.orders + other.orders, self.unknown + other.unknown)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form: `{usd, orders, unknown}`."""
        return {"usd": round(self.usd, 4), "orders": self.orders, "unknown": self.unknown}


def sum_of(prices: Iterable[Money | None], unknown_price: float | None = None) -> Sum:
    """The sum of prices. One that is not known counts as `unknown_price`, if that is set."""
    total = Sum()
    for price in prices:
        usd = in_usd(sensible(price))
        if usd is not None:
            total += Sum(usd, 1)
        else:
            total += Sum(unknown_price or 0.0, 1, 0 if unknown_price is not None else 1)
    return total


def check_most(price: Money | None, takes: int, most: float | None) -> None:
    """Raise OverBudget if so many takes at `price` cost more than `most` USD (None: no limit), of
    which 0 allows only what is free. A price that is not known is too much."""
    if most is None or (price is not None and price.amount == 0):
        return
    one = in_usd(price)
    usd = None if one is None else one * takes
    if usd is None or usd > most + 1e-9:
        raise OverBudget(
            "The order has no known price in USD, and max_usd is {most}; it was not sent."
            if usd is None
            else "The order costs about {usd} USD, and max_usd is {most}; it was not sent.",
            hint=NO_PRICE if usd is None else "Raise max_usd, or see: seedance check",
            usd=f"{usd or 0.0:.4g}",
            most=f"{most:g}",
        )


class Spending:
    """What one queued graph or one command has ordered, all its nodes and takes together, and the
    most that it may (`limit` in USD, 0 for no limit). Safe to use from several threads."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._ordered = Sum()
        self._lock = threading.Lock()

    def check(self, planned: Sum) -> None:
        """Raise OverBudget if all that is going to be ordered is more than the limit."""
        self._check(planned.usd)

    def add(self, more: Sum) -> None:
        """Count orders that are going to be sent. Raises OverBudget, and counts none of them, if
        that makes more than the limit."""
        with self._lock:
            self._check(self._ordered.usd + more.usd)
            self._ordered += more

    def _check(self, usd: float) -> None:
        if self.limit and usd > self.limit + 1e-9:
            raise OverBudget(
                "All that is ordered here at once would cost about ${usd}, and at most "
                "${limit} may be spent by one queued graph or one command "
                "(SEEDANCE_MAX_USD); it was not sent.",
                hint="Order less at once, or raise SEEDANCE_MAX_USD in the environment or in "
                "Settings > Seedance (0: no limit). On the command line, --max-usd goes before it.",
                usd=f"{usd:.2f}",
                limit=f"{self.limit:.2f}",
            )
