"""What an order will cost, said before it is paid, and the question on a terminal."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from ..errors import BadOrder, Cancelled, OverBudget
from . import show

if TYPE_CHECKING:
    from ..money import Money
    from ..runner import Confirm, Prepared


def confirm(args: argparse.Namespace) -> Confirm:
    """Shows provider and price. Refuses what costs more than `--max-usd`, and on a terminal asks
    where `auto` chose the provider or the price is above SEEDANCE_MAX_USD."""
    most = _amount("--max-usd", args.max_usd)

    def ask(prepared: Prepared, takes: int) -> None:
        provider, price = prepared.provider, prepared.price
        if type(provider).key_variable is None:
            return
        usd = _usd(price, takes)
        show.note(f"{provider.name} ({provider.id}): {_words(price, takes)}.")
        if most is not None and (usd is None or usd > most):
            known = "has no known price in USD" if usd is None else f"costs about {usd:.2f} USD"
            raise OverBudget(
                f"The order {known}, and --max-usd is {most:g}; it was not sent.",
                hint="Raise --max-usd, or see: seedance check",
            )
        limit = _amount("SEEDANCE_MAX_USD", os.environ.get("SEEDANCE_MAX_USD") or None)
        above = usd is not None and bool(limit) and usd > (limit or 0.0)
        if args.provider == "auto" or above:
            ask_on_terminal("Send it?", args.yes)

    return ask


def ask_on_terminal(question: str, yes: bool) -> None:
    """Ask a person, where there is one. Raises Cancelled unless the answer, or `yes`, is yes."""
    if yes or not _is_terminal():
        return
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Cancelled("You said no.", spent="no")


def _usd(price: Money | None, takes: int) -> float | None:
    return price.amount * takes if price is not None and price.currency == "USD" else None


def _words(price: Money | None, takes: int) -> str:
    if price is None:
        return "its price is not known before it is paid"
    each = f"price {price}"
    return each if takes == 1 else f"{each} each, {takes} takes"


def _amount(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < 1e9:
        raise BadOrder(f"{name} must be a number of dollars, not {text[:40]!r}.")
    return amount


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()
