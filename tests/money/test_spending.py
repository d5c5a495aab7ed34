"""One queued graph, one command: at most `SEEDANCE_MAX_USD` by estimates, or nothing is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fakes
import pytest
from command_line import Command
from hypothesis import given
from hypothesis import strategies as st
from running import Desk

from seedance.errors import BadOrder, OverBudget
from seedance.journal.budget import believed
from seedance.money import RATES_AS_OF, Money, in_usd
from seedance.providers import get
from seedance.runner import quotes
from seedance.runner.spending import Spending, Sum, sum_of
from seedance.settings import MAX_USD, Settings
from seedance.wire import Config


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk at Lumenfall, where 15 s cost 4.545 USD."""
    with fakes.all()["lumenfall"]() as fake:
        yield Desk(fake, tmp_path)


def test_the_default_is_50_and_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    settings = Settings(tmp_path, tmp_path, {})
    assert settings.max_usd == MAX_USD == 50.0
    settings.set_section("budget", {"max_usd": "80"})
    assert settings.max_usd == 80.0
    assert settings.budget == {}
    assert Settings(tmp_path, tmp_path, {"SEEDANCE_MAX_USD": "7.5"}).max_usd == 7.5
    assert Settings(tmp_path, tmp_path, {"SEEDANCE_MAX_USD": "0"}).max_usd == 0.0
    with pytest.raises(BadOrder, match="SEEDANCE_MAX_USD"):
        _ = Settings(tmp_path, tmp_path, {"SEEDANCE_MAX_USD": "much"}).max_usd


def test_takes_beyond_the_limit_are_refused_before_anything_is_sent(desk: Desk) -> None:
    runner = desk.runner(SEEDANCE_MAX_USD="10")
    with pytest.raises(OverBudget) as caught:
        runner.start(desk.order(duration=15), takes=3)
    for words in ("$13.63", "$10.00", "SEEDANCE_MAX_USD", "not sent", "raise"):
        assert words in str(caught.value)
    assert caught.value.spent == "no"
    assert desk.fake.requests == []
    assert desk.rows() == []
    assert len(runner.start(desk.order(duration=15), takes=2)) == 2


def test_what_is_there_already_costs_nothing_again(desk: Desk) -> None:
    runner = desk.runner(SEEDANCE_MAX_USD="10")
    for job in runner.start(desk.order(duration=15), takes=2):
        job.wait()
    assert len(runner.start(desk.order(duration=15), takes=4)) == 4
    assert desk.fake.creates <= 4
    with pytest.raises(OverBudget):
        runner.start(desk.order(duration=15, prompt="another fox"), takes=3)


@pytest.mark.usefixtures("quick_previews")
def test_the_limit_0_is_none_and_preview_is_free(desk: Desk) -> None:
    assert len(desk.runner(SEEDANCE_MAX_USD="0").start(desk.order(duration=15), takes=8)) == 8
    runner = desk.runner(SEEDANCE_MAX_USD="0.01")
    order = replace(desk.order(duration=4, resolution="480p"), provider="preview")
    for job in runner.start(order, takes=2):
        assert job.wait().file.is_file()


def test_orders_of_one_spending_count_together(desk: Desk) -> None:
    runner, spending = desk.runner(), Spending(10.0)
    for seed in (1, 2):
        runner.start(desk.order(seed, duration=15), spending=spending)
    with pytest.raises(OverBudget):
        runner.start(desk.order(3, duration=15), spending=spending)
    assert len(desk.rows()) == 2


def test_orders_at_once_keep_to_the_limit() -> None:
    spending = Spending(5.0)
    begin = threading.Barrier(8)
    accepted: list[int] = []

    def order(number: int) -> None:
        begin.wait()
        try:
            spending.add(Sum(1.0, 1))
            accepted.append(number)
        except OverBudget:
            pass

    threads = [threading.Thread(target=order, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(accepted) == 5


def test_the_command_line_refuses_takes_beyond_the_limit(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fakes.all()["lumenfall"]() as fake:
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        words = ("--prompt", "a fox", "--provider", "lumenfall", "--ratio", "16:9")
        monkeypatch.setenv("SEEDANCE_MAX_USD", "30")
        done = command("generate", *words, "--duration", "15", "--takes", "8", "--json")
        assert done.code == 4
        assert "$36.36" in done.out and "$30.00" in done.out
        assert fake.requests == []


def test_another_currency_is_counted_at_a_dated_rate_wherever_money_is_counted() -> None:
    price = Money(100.0, "CNY", estimated=True)
    assert in_usd(price) == pytest.approx(14.0) and RATES_AS_OF.startswith("2026-")
    assert (
        price.in_words() == f"100.00 CNY (estimated; about 14.00 USD at the rate of {RATES_AS_OF})"
    )
    assert price.priced()["usd"] == 14.0 and price.priced()["rate"] == RATES_AS_OF
    assert Money(2.0, "USD").priced()["rate"] is None
    assert in_usd(Money(100.0, "credits")) is None is Money(1, "credits").priced()["usd"]
    assert sum_of([price, Money(1.0, "USD")]) == Sum(15.0, 2)
    assert quotes.counted(price, {"day": 50.0}, get("volcengine")(Config(""))) == 14.0
    budget = {"day": 20.0}
    with pytest.raises(OverBudget):
        quotes.counted(Money(1.0, "credits"), budget, get("leonardo")(Config("")))


def test_what_a_provider_tells_in_another_currency_must_have_sense_beside_its_price() -> None:
    price = Money(3.0, "USD", estimated=True)
    assert believed(Money(20.0, "CNY"), price) == Money(20.0, "CNY")
    assert believed(Money(0.0, "CNY"), price) is None
    assert believed(Money(300.0, "CNY"), price) is None


MONEY = st.builds(Money, st.floats(), st.sampled_from(["USD", "CNY", "credits", ""]))


@given(st.lists(st.none() | MONEY, max_size=20), st.none() | st.floats(0, 10))
def test_no_price_makes_a_sum_less_or_no_number(
    prices: list[Money | None], unknown: float | None
) -> None:
    total = sum_of(prices, unknown)
    assert total.usd >= 0 and total.orders == len(prices)
    assert total.usd < 1e6 * 20 + 201
    assert 0 <= total.unknown <= total.orders
