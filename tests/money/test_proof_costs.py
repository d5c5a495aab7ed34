"""Costs without sense widen no budget, and neither does the server's idea of isolation."""

from __future__ import annotations

import itertools
import json
import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fakes
import pytest
from fakes import Answer
from journals import new, sql
from running import Desk, is_create, is_poll, move

from seedance.errors import OverBudget
from seedance.journal import Journal, believed, sensible
from seedance.money import Money

pytestmark = [pytest.mark.slow, pytest.mark.safety]

SENSELESS = (-5.0, -1e9, -0.01, math.nan, math.inf, -math.inf, 1e300, 1e9)


@pytest.fixture
def desk(url: str, tmp_path: Path) -> Iterator[Desk]:
    """A desk at Lumenfall whose journal is on each of the databases, with a budget for two."""
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        budget = {"SEEDANCE_BUDGET_DAY": "4", "SEEDANCE_UNKNOWN_PRICE": "1.5"}
        yield Desk(fake, tmp_path, SEEDANCE_JOURNAL_URL=url, **budget)


@pytest.mark.parametrize("amount", SENSELESS)
def test_a_cost_without_sense_is_no_cost(amount: float) -> None:
    assert sensible(Money(amount, "USD")) is None


@pytest.mark.parametrize("amount", [0.0, 0.01, 1e6])
def test_a_cost_with_sense_is_one(amount: float) -> None:
    assert sensible(Money(amount, "USD")) == Money(amount, "USD")


@pytest.mark.parametrize("amount", SENSELESS)
@pytest.mark.parametrize("told_at", ["running", "succeeded"])
def test_a_cost_without_sense_leaves_the_estimate_in_the_budget(
    url: str, amount: float, told_at: str
) -> None:
    journal = Journal(url)
    budget = {"day": 4.0, "month": 4.0}
    estimate = Money(3.0, "USD")
    row, _ = journal.reserve(new("a", estimate=estimate, budget_usd=3.0), budget)
    moved = move(journal, row.id, told_at, cost=Money(amount, "USD"))
    assert moved.cost == Money(3.0, "USD", estimated=True)
    with pytest.raises(OverBudget, match=r"\$3\.00"):
        journal.reserve(new("b", budget_usd=1.5), budget)
    assert journal.reserve(new("c", budget_usd=1.0), budget)[1]
    assert [total.amount.amount for total in journal.spent(1)] == [3.0]


@pytest.mark.parametrize("amount", ["-1000", "-0.5", "NaN", "Infinity", "1e300"])
def test_a_cost_without_sense_of_an_older_version_widens_no_budget(url: str, amount: str) -> None:
    journal = Journal(url)
    first, _ = journal.reserve(new("a", budget_usd=3.0, estimate=Money(3.0, "USD")))
    second, _ = journal.reserve(new("b", budget_usd=1.0, estimate=Money(1.0, "USD")))
    move(journal, first.id, "running")
    move(journal, second.id, "running")
    number = f"CAST('{amount}' AS double precision)"
    if url.startswith("sqlite"):
        number = {"NaN": "NULL", "Infinity": "9e999"}.get(amount, amount)
    sql(url, f"UPDATE orders SET budget_usd = {number}, cost_amount = {number} WHERE id = 2")
    with pytest.raises(OverBudget, match=r"\$3\.00"):
        journal.reserve(new("c", budget_usd=1.5), {"day": 4.0})
    assert [total.amount.amount for total in journal.spent(1)] == [3.0]


@pytest.mark.parametrize("amount", [-1000.0, math.nan, math.inf, 1e300, "-7", "1e9"])
def test_what_a_provider_says_of_its_price_widens_no_budget(desk: Desk, amount: Any) -> None:
    metadata = {"cost_estimate": amount, "cost": amount, "cost_currency": "USD"}
    body = {"id": "vid_0001", "status": "queued", "model": "seedance-2.0", "metadata": metadata}
    runner = desk.runner()

    def told(number: int) -> None:
        """Let the next order be accepted, and finished, at that price."""
        desk.fake.accept({"model": "seedance-2.0", "prompt": "a fox"}, "vid_{n:04d}")
        mine = {**body, "id": f"vid_{number:04d}"}
        done = {**mine, "status": "completed", "output": {"url": desk.fake.result_url}}
        desk.fake.fault(is_create, Answer(202, json=mine))
        desk.fake.fault(is_poll, Answer(200, json=done))

    for number in (1, 2):
        told(number)
        assert desk.video(runner, seed=number).task == f"lumenfall:vid_{number:04d}"
        cost = desk.row().cost
        assert cost is None or 0 <= cost.amount <= 1e6
    with pytest.raises(OverBudget):
        desk.video(runner, seed=3)
    assert desk.sent_creates == 2


@pytest.mark.parametrize("amount", [0.0, 0.001, 0.299, 30.1, 1e6])
@pytest.mark.parametrize("told_at", ["running", "succeeded"])
def test_a_cost_far_from_the_known_price_leaves_that_in_the_budget(
    url: str, amount: float, told_at: str
) -> None:
    journal = Journal(url)
    budget = {"day": 4.0, "month": 4.0}
    price = Money(3.0, "USD", estimated=True)
    row, _ = journal.reserve(new("a", estimate=price, budget_usd=3.0), budget)
    moved = move(journal, row.id, told_at, cost=Money(amount, "USD"))
    assert moved.cost == price
    with pytest.raises(OverBudget, match=r"\$3\.00"):
        journal.reserve(new("b", budget_usd=1.5), budget)
    assert journal.reserve(new("c", budget_usd=1.0), budget)[1]


def test_a_budget_counts_what_a_provider_told_in_another_currency(url: str) -> None:
    journal = Journal(url)
    price = Money(20.0, "CNY", estimated=True)
    row, _ = journal.reserve(new("a", estimate=price, budget_usd=2.8), {"day": 4.0})
    move(journal, row.id, "succeeded", cost=Money(25.0, "CNY"))
    with pytest.raises(OverBudget, match=r"\$3\.50"):
        journal.reserve(new("b", budget_usd=0.6), {"day": 4.0})
    assert journal.reserve(new("c", budget_usd=0.5), {"day": 4.0})[1]


@pytest.mark.parametrize(
    "steps",
    [
        [(0.4, "USD"), (0.0, "USD")],
        [(0.4, "USD"), (0.05, "USD")],
        [(5.0, "credits"), (0.0, "USD")],
        [(5.0, "credits"), (0.01, "USD")],
        [(0.0, "credits"), (0.0, "XXX")],
        [(20.0, "CNY"), (0.3, "CNY")],
    ],
    ids=str,
)
def test_a_cost_that_falls_in_two_steps_leaves_the_price_in_the_budget(
    url: str, steps: list[tuple[float, str]]
) -> None:
    journal = Journal(url)
    budget = {"day": 4.0}
    price = Money(3.0, "USD", estimated=True)
    row, _ = journal.reserve(new("a", estimate=price, budget_usd=3.0), budget)
    for state, told in zip(("running", "succeeded"), steps):
        moved = move(journal, row.id, state, cost=Money(*told))
        assert moved.cost is not None
        assert moved.cost.amount > 0
    with pytest.raises(OverBudget, match=r"\$3\.00"):
        journal.reserve(new("b", budget_usd=1.5), budget)


def test_the_cost_at_the_end_counts_though_a_lower_one_was_told_before(url: str) -> None:
    journal = Journal(url)
    price = Money(3.0, "USD", estimated=True)
    row, _ = journal.reserve(new("a", estimate=price, budget_usd=3.0), {"day": 4.0})
    move(journal, row.id, "running", cost=Money(1.0, "USD", estimated=True))
    assert move(journal, row.id, "succeeded", cost=Money(2.0, "USD")).budget_usd == 2.0


@pytest.mark.parametrize(("told", "price"), [((0.31, "USD"), "USD"), ((7.0, "credits"), "USD")])
def test_a_cost_near_the_price_or_in_another_currency_is_believed(
    told: tuple[float, str], price: str
) -> None:
    assert believed(Money(*told), Money(3.0, price, estimated=True)) == Money(*told)
    assert believed(Money(0.0, "USD"), None) == Money(0.0, "USD")


@pytest.mark.parametrize("amount", [0, "0.00", 1e-9, -1, 1e5])
def test_a_provider_that_calls_its_videos_free_does_not_switch_off_the_budget(
    desk: Desk, amount: Any, caplog: pytest.LogCaptureFixture
) -> None:
    metadata = {"cost_estimate": amount, "cost": amount, "cost_currency": "USD"}
    runner = desk.runner()
    for number in (1, 2):
        desk.fake.accept({"model": "seedance-2.0", "prompt": "a fox"}, "vid_{n:04d}")
        mine = {"id": f"vid_{number:04d}", "status": "queued", "metadata": metadata}
        done = {**mine, "status": "completed", "output": {"url": desk.fake.result_url}}
        desk.fake.fault(is_create, Answer(202, json=mine))
        desk.fake.fault(is_poll, Answer(200, json=done))
        result = desk.video(runner, seed=number)
        assert result.cost is not None and result.cost.amount > 1 and result.cost.estimated
        sidecar = json.loads(result.sidecar.read_text("utf-8"))
        assert sidecar["cost"]["amount"] == result.cost.amount
    assert "makes no sense" in caplog.text
    with pytest.raises(OverBudget):
        desk.video(runner, seed=3)
    assert desk.sent_creates == 2


# ------------------------------------------------------------------------------------- isolation


@pytest.fixture(params=["read committed", "repeatable read", "serializable"])
def strict_url(request: pytest.FixtureRequest, postgres_url: str) -> str:
    """A journal on PostgreSQL whose database has another isolation level by default."""
    name = postgres_url.rpartition("/")[2]
    sql(
        postgres_url,
        f"ALTER DATABASE {name} SET default_transaction_isolation TO '{request.param}'",
    )
    ((found,),) = sql(postgres_url, "SHOW default_transaction_isolation")
    assert found == request.param
    return postgres_url


def at_once(count: int, work: Callable[[int, threading.Barrier], bool]) -> int:
    """How many of `count` threads, which begin together, say yes."""
    begin = threading.Barrier(count)
    with ThreadPoolExecutor(count) as threads:
        return sum(threads.map(lambda number: work(number, begin), range(count)))


def test_ten_orders_at_once_keep_a_budget_for_three(strict_url: str) -> None:
    Journal(strict_url).newest()

    def order(number: int, begin: threading.Barrier) -> bool:
        journal = Journal(strict_url)
        journal.newest()
        begin.wait(60)
        try:
            journal.reserve(new(str(number), budget_usd=1.0), {"day": 3.0})
        except OverBudget:
            return False
        return True

    for day in range(3):
        sql(strict_url, "DELETE FROM orders")
        assert at_once(10, order) == 3, day


def test_ten_orders_at_once_keep_to_the_slots(strict_url: str) -> None:
    rounds = itertools.count()

    def order(number: int, begin: threading.Barrier) -> bool:
        journal = Journal(strict_url)
        row, _ = journal.reserve(new(f"{next(rounds)} {number}"))
        begin.wait(60)
        return journal.take_slot(row.id, 3)[0] is not None

    assert at_once(10, order) == 3


def test_ten_processes_with_the_same_order_get_one_row(strict_url: str) -> None:
    def order(number: int, begin: threading.Barrier) -> bool:
        journal = Journal(strict_url)
        journal.newest()
        begin.wait(60)
        return journal.reserve(new("the same"))[1]

    assert at_once(10, order) == 1
