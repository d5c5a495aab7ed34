"""An amount of money, and how it is written for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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

    def __str__(self) -> str:
        """`1.50 USD`, `0.0725 USD (estimated)` or `free`."""
        if not self.amount:
            return "free"
        # Two decimals at least, more only where a price has them.
        whole, _, decimals = f"{self.amount:.4f}".partition(".")
        figure = f"{whole}.{decimals.rstrip('0'):0<2}"
        return f"{figure} {self.currency}{' (estimated)' if self.estimated else ''}"
