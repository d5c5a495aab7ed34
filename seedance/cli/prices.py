"""What an order will cost, said before it is paid, and the question on a terminal."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ..errors import BadOrder, Cancelled
from ..money import in_usd
from . import show

if TYPE_CHECKING:
    from ..money import Money
    from ..runner import Confirm, Prepared, Spending
    from ..settings import Settings


def spending_of(args: argparse.Namespace, settings: Settings) -> Spending:
    """The most that the command may cost by SEEDANCE_MAX_USD. No limit with `--max-usd`, which goes
    before it and is held by `confirm`."""
    from ..runner import Spending

    return Spending(settings.max_usd if args.max_usd is None else 0.0)


def confirm(args: argparse.Namespace, spending: Spending) -> Confirm:
    """Shows provider and price. On a terminal, asks where `auto` chose the provider, the price is
    above SEEDANCE_MAX_USD (a yes lifts that limit for this command), or the same order may have
    been paid before. Raises OverBudget for a price above `--max-usd`, of which 0 allows only what
    is free."""
    from ..runner import check_most, people_notes

    most = amount("--max-usd", args.max_usd)

    def ask(prepared: Prepared, takes: int) -> bool:
        provider, price = prepared.provider, prepared.price
        if type(provider).key_variable is None:
            return True
        usd = _usd(price, takes)
        show.note(f"{provider.name} ({provider.id}): {_words(price, takes)}.")
        for text in (*prepared.repeats, *people_notes(prepared.order, provider)):
            show.note(text)
        check_most(price, takes, most)
        above = usd is not None and 0 < spending.limit < usd
        # A script that always says --yes is still held to the limit.
        doubtful = args.provider == "auto" or above or bool(prepared.repeats)
        if doubtful and ask_on_terminal("Send it?", args.yes) and above:
            spending.limit = 0.0
        return True

    return ask


def ask_on_terminal(question: str, yes: bool) -> bool:
    """Ask a person, where there is one and `yes` does not answer for them; says whether that was
    so. Raises Cancelled unless the answer is yes."""
    if yes or not _is_terminal():
        return False
    if not show.ask(question):
        raise Cancelled("You said no.", spent="no")
    return True


def _usd(price: Money | None, takes: int) -> float | None:
    usd = in_usd(price)
    return None if usd is None else usd * takes


def _words(price: Money | None, takes: int) -> str:
    if price is None:
        return "its price is not known before it is paid"
    each = f"price {price.in_words()}"
    return each if takes == 1 else f"{each} each, {takes} takes"


def amount(name: str, text: str | None) -> float | None:
    """A number of dollars that was typed. Raises BadOrder."""
    if text is None:
        return None
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e9:
        raise BadOrder(f"{name} must be a number of dollars, not {text[:40]!r}.")
    return found


def _is_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()
