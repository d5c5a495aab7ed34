"""An amount of money, what it is in USD, and how it is written for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .said import Said, say, template

# What a unit of a currency is worth in USD, roughly, on that day. Credits of providers are not
# among them: each has its own.
IN_USD: Mapping[str, float] = {"USD": 1.0, "CNY": 0.14}
RATES_AS_OF = "2026-11-20"


@dataclass(frozen=True)
class Money:
    """An amount in a currency: an ISO code such as USD, or the provider's own unit (`credits`), of
    which at most ten letters are kept, whatever an answer has in its place.

    `estimated` says it was not told by the provider for this task; `as_of` is the date of the
    price list, ISO 8601, with `, reported` where the list is not the provider's own, and `, live`
    where the provider was asked.
    """

    amount: float
    currency: str
    estimated: bool = False
    as_of: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "currency", self.currency[:10])

    def as_dict(self) -> dict[str, Any]:
        """The JSON form: `{amount, currency, estimated}`."""
        return {"amount": self.amount, "currency": self.currency, "estimated": self.estimated}

    def priced(self) -> dict[str, Any]:
        """The JSON form of a price: as `as_dict`, with `as_of`, `reported` (it is not from the
        provider's own list), `usd` (null where that is not known) and the date of the `rate` by
        which it was converted (null where it was not)."""
        return {
            **self.as_dict(),
            "as_of": self.as_of,
            "reported": self.reported,
            "usd": in_usd(self),
            "rate": RATES_AS_OF if self.is_converted else None,
        }

    @property
    def reported(self) -> bool:
        """Whether the price list is not the provider's own."""
        return (self.as_of or "").endswith(", reported")

    @property
    def is_converted(self) -> bool:
        """Whether a rate stands between the amount and USD."""
        return self.currency != "USD" and self.currency in IN_USD

    def __str__(self) -> str:
        """`1.50 USD`, `0.0725 USD (estimated)` or `free`."""
        if not self.amount:
            return "free"
        return f"{self._figure} (estimated)" if self.estimated else self._figure

    def in_words(self) -> Said:
        """As `str`, whether the list is only reported, and what it is in USD:
        `2.27 CNY (estimated, reported; about 0.3178 USD at the rate of 2026-11-20)`."""
        if not self.amount:
            return say("free")
        usd = Money(self.amount * IN_USD.get(self.currency, 0.0), "USD")
        text = "{price}"
        if self.is_converted and self.reported:
            text = template("{price} (estimated, reported; about {usd} at the rate of {date})")
        elif self.is_converted and self.estimated:
            text = template("{price} (estimated; about {usd} at the rate of {date})")
        elif self.is_converted:
            text = template("{price} (about {usd} at the rate of {date})")
        elif self.reported:
            text = template("{price} (estimated, reported)")
        elif self.estimated:
            text = template("{price} (estimated)")
        return say(text, price=self._figure, usd=usd, date=RATES_AS_OF)

    @property
    def _figure(self) -> str:
        # Two decimals at least, more only where an amount has them.
        whole, _, decimals = f"{self.amount:.4f}".partition(".")
        return f"{whole}.{decimals.rstrip('0'):0<2} {self.currency}"


def in_usd(money: Money | None) -> float | None:
    """What an amount is in USD, by the rates of `RATES_AS_OF`; None where that is not known, as of
    credits."""
    rate = IN_USD.get(money.currency) if money else None
    return round(money.amount * rate, 6) if money and rate else None
