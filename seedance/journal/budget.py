"""What orders cost: the budget that a new one must keep to, and what was spent by day.

It decides what counts as spent. Days are those of this machine's time zone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from ..errors import OverBudget
from ..money import Money, in_usd
from .schema import orders
from .states import State

HIGHEST_COST = 1e6  # of any currency; a told cost beyond it, or below zero, is no cost
# A published price is no more than this factor from what an order really costs: estimates count
# lengths that are not known at their longest.
FARTHEST_FROM_PRICE = 10.0
QUARTER = 900  # seconds; wherever it is, a day begins with a quarter of an hour
MOST_DAYS = 400  # in one query: SQLite joins 500 selects at the most


@dataclass(frozen=True)
class Total:
    """What the `orders` of one local day cost at one provider in one currency, all together.

    The amount is `estimated` if any part of it is.
    """

    day: date
    provider: str
    orders: int
    amount: Money


def sensible(cost: Money | None) -> Money | None:
    """A told cost, if it is one that an order can have; None counts as unknown."""
    return cost if cost is not None and 0 <= cost.amount <= HIGHEST_COST else None


def believed(told: Money | None, price: Money | None, counted: float | None = None) -> Money | None:
    """A told cost, if it has sense beside the known `price` of the order, which may have been told
    before, and what the order has `counted` in budgets until now, in USD; None otherwise.

    A provider that says 0 for an order that its list prices at 1.50 USD does not free the budget,
    not in two steps nor in another currency, and one that says 1500 does not use it up: the order
    counts by its price.
    """
    told = sensible(told)
    if told is None or price is None or price.amount <= 0:
        return told
    if told.amount == 0:
        return None
    told_usd, price_usd = in_usd(told), in_usd(price)
    if told_usd is not None and counted and told_usd < counted / FARTHEST_FROM_PRICE:
        return None
    amount, expected = told.amount, price.amount
    if told.currency != price.currency:
        if told_usd is None or price_usd is None:
            return told
        amount, expected = told_usd, price_usd
    lowest, highest = expected / FARTHEST_FROM_PRICE, expected * FARTHEST_FROM_PRICE
    return told if lowest <= amount <= highest else None


def check_budget(
    connection: sa.Connection,
    cost: float | None,
    budget: Mapping[str, float],
    now: float,
    project: str = "",
) -> None:
    """Raise OverBudget if `cost` (USD) would exceed the budget of the day or the month of `now`, or
    that of the project."""
    if not cost:
        return
    if project and (limit := budget.get("project")) is not None:
        gone = _counted(connection, orders.c.project == project)
        if gone + cost > limit + 1e-9:
            raise OverBudget(
                "This order would cost about ${cost}, and ${gone} of the budget of ${limit} of the "
                "project {project} are spent; it was not sent.",
                hint="Raise it in SEEDANCE_BUDGET_PROJECTS.",
                cost=f"{cost:.2f}",
                gone=f"{gone:.2f}",
                limit=f"{limit:.2f}",
                project=project,
            )
    today = datetime.fromtimestamp(now).date()
    for name, first in (("day", today), ("month", today.replace(day=1))):
        if (limit := budget.get(name)) is None:
            continue
        gone = _counted(connection, orders.c.created >= _midnight(first))
        if gone + cost > limit + 1e-9:
            raise OverBudget(
                "This order would cost about ${cost}, and ${gone} of the budget of ${limit} a day "
                "are spent; it was not sent."
                if name == "day"
                else "This order would cost about ${cost}, and ${gone} of the budget of ${limit} a "
                "month are spent; it was not sent.",
                hint="Raise {variable}, or wait.",
                cost=f"{cost:.2f}",
                gone=f"{gone:.2f}",
                limit=f"{limit:.2f}",
                variable=f"SEEDANCE_BUDGET_{name.upper()}",
            )


def _counted(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> float:
    """What orders count against a budget, in USD."""
    total = sa.func.coalesce(sa.func.sum(orders.c.budget_usd), 0.0)
    possible = orders.c.budget_usd.between(0.0, HIGHEST_COST)
    return float(connection.execute(sa.select(total).where(condition, possible)).scalar_one())


@dataclass(frozen=True)
class Part:
    """What the `orders` of one day, project, provider or model (`key`) cost in one currency, None
    where nobody told. They were asked for again `reused` times, for which `saved` was not paid a
    second time."""

    key: str
    orders: int
    amount: Money | None
    reused: int
    saved: float


def spent_by(connection: sa.Connection, by: str, free: Collection[str]) -> list[Part]:
    """See `Journal.spent_by`."""
    # By an expression: read in the order of an index, the rows would be all over the file.
    key = _quarter(connection) if by == "day" else sa.func.coalesce(orders.c[by], "")
    cost = orders.c.cost_amount
    known = sa.and_(cost.is_not(None), cost <= HIGHEST_COST)
    each = (
        sa.select(
            key.label("key"),
            sa.case((known, sa.func.coalesce(orders.c.cost_currency, ""))).label("currency"),
            sa.case((known, cost), else_=0.0).label("amount"),
            sa.cast(orders.c.cost_estimated, sa.Integer).label("estimated"),
            sa.func.coalesce(orders.c.reuses, 0).label("reused"),
        )
        .where(
            orders.c.provider.not_in(list(free)),
            orders.c.state.not_in((State.PREPARING, State.REFUSED)),
            sa.or_(cost > 0, cost.is_(None)),
            sa.or_(cost.is_not(None), orders.c.ticket.is_not(None)),
        )
        .subquery()
        .c
    )
    paid = sa.select(
        *(each.key, each.currency, sa.func.count().label("orders")),
        sa.func.sum(each.amount).label("amount"),
        sa.func.max(each.estimated).label("estimated"),
        sa.func.sum(each.reused).label("reused"),
        sa.func.sum(each.reused * each.amount).label("saved"),
    ).group_by(each.key, each.currency)
    parts: dict[tuple[str, str | None], Part] = {}
    for row in connection.execute(paid):
        name = str(row.key or "")
        if by == "day":
            name = datetime.fromtimestamp(int(row.key) * QUARTER).date().isoformat()
        before = parts.get((name, row.currency)) or Part(name, 0, None, 0, 0.0)
        amount = before.amount
        if row.currency is not None:
            estimated = bool(row.estimated) or (amount is not None and amount.estimated)
            whole = row.amount + (amount.amount if amount else 0.0)
            amount = Money(round(whole, 6), row.currency, estimated)
        parts[name, row.currency] = Part(
            name,
            before.orders + row.orders,
            amount,
            before.reused + int(row.reused),
            round(before.saved + row.saved, 6),
        )
    order = sorted(parts.values(), key=lambda part: (part.key, part.amount is None))
    return order[::-1] if by == "day" else order


def _quarter(connection: sa.Connection) -> sa.ColumnElement[int]:
    """The number of the quarter of an hour in which an order was made."""
    number = orders.c.created / QUARTER
    if connection.dialect.name != "sqlite":  # which cuts off, and may have no floor
        number = sa.func.floor(number)
    return sa.cast(number, sa.BigInteger)


def spent(connection: sa.Connection, days: int, now: float) -> list[Total]:
    """See `Journal.spent`. Free orders are left out, and those that are only prepared."""
    today = datetime.fromtimestamp(now).date()
    wanted = [today - timedelta(days=before) for before in reversed(range(days))]
    return [
        total
        for first in range(0, days, MOST_DAYS)
        for total in _spent(connection, wanted[first : first + MOST_DAYS])
    ]


def _spent(connection: sa.Connection, days: Sequence[date]) -> list[Total]:
    # The days come from here: only this machine knows where they begin, and which have 23 hours.
    span = (
        sa.text(" UNION ALL ".join(map(_span, days)))
        .columns(
            sa.column("day", sa.String),
            sa.column("begins", sa.Float),
            sa.column("ends", sa.Float),
        )
        .cte("days")
    )
    keys = (span.c.day, orders.c.provider, orders.c.cost_currency)
    query = (
        sa.select(
            *keys,
            sa.func.count(),
            sa.func.sum(orders.c.cost_amount),
            sa.func.max(sa.cast(orders.c.cost_estimated, sa.Integer)),
        )
        .join_from(
            span,
            orders,
            sa.and_(orders.c.created >= span.c.begins, orders.c.created < span.c.ends),
        )
        .where(
            orders.c.cost_amount > 0,
            orders.c.cost_amount <= HIGHEST_COST,
            orders.c.state != State.PREPARING,
        )
        .group_by(*keys)
        .order_by(*keys)
    )
    return [
        Total(
            date.fromisoformat(day),
            provider,
            count,
            Money(round(amount, 6), currency or "", bool(estimated)),
        )
        for day, provider, currency, count, amount, estimated in connection.execute(query)
    ]


def _span(day: date) -> str:
    """A day, when it begins and when it ends, as SQL: SQLite takes few parameters, and SQLAlchemy
    takes seconds to write out some thousands of selects."""
    begins, ends = _midnight(day), _midnight(day + timedelta(days=1))
    return f"SELECT '{day.isoformat()}' AS day, {begins!r} AS begins, {ends!r} AS ends"


def _midnight(day: date) -> float:
    """When a local day begins, as Unix seconds."""
    return datetime(day.year, day.month, day.day).timestamp()
