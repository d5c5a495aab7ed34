"""What a person is told and asked before an order is paid."""

from __future__ import annotations

import fakes
import pytest
from command_line import FOX, Command

pytestmark = pytest.mark.slow


def test_provider_and_price_are_said_before_it_is_paid(
    command: Command, lumenfall: fakes.Fake
) -> None:
    said = command(*FOX, "--takes", "2").err
    assert said.index("Lumenfall (lumenfall): price") < said.index("submitting")
    assert "each, 2 takes" in said
    assert "price 1" not in command(*FOX, "--takes", "2").err  # paid already
    assert "price" not in command("generate", "--provider", "preview", "--prompt", "x", "-o").err


@pytest.mark.parametrize(
    ("answer", "code", "creates"), [("y\n", 0, 1), ("\n", 130, 0), ("", 130, 0)]
)
def test_on_a_terminal_auto_asks(
    command: Command,
    lumenfall: fakes.Fake,
    terminal: list[str],
    answer: str,
    code: int,
    creates: int,
) -> None:
    terminal.append(answer)
    ran = command("generate", "--prompt", "a fox")
    assert (ran.code, lumenfall.creates) == (code, creates)
    assert "[y/N]" in ran.err
    assert ("Nothing was spent" in ran.err) == (creates == 0)
    if creates == 0:
        assert lumenfall.requests == []
        assert command("tasks", "--json").json == []


def test_a_price_above_the_limit_asks_a_person_and_is_refused_to_a_script(
    command: Command, lumenfall: fakes.Fake, terminal: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "[y/N]" not in command(*FOX, "--seed", "1").err
    monkeypatch.setenv("SEEDANCE_MAX_USD", "0.5")
    assert command(*FOX).code == 130
    terminal.append("y\n")
    assert command(*FOX).code == 0
    assert "[y/N]" not in command(*FOX, "--seed", "2", "--max-usd", "5").err
    assert lumenfall.creates == 3
    monkeypatch.setattr("seedance.cli.prices._is_terminal", lambda: False)
    ran = command(*FOX, "--seed", "3", "--yes")
    assert (ran.code, "SEEDANCE_MAX_USD" in ran.err, "--max-usd" in ran.err) == (4, True, True)
    assert lumenfall.creates == 3


def test_max_usd_sends_nothing_that_costs_more(command: Command, lumenfall: fakes.Fake) -> None:
    ran = command(*FOX, "--takes", "2", "--max-usd", "2", "--json")
    assert (ran.code, ran.json["error"]["kind"], ran.json["error"]["spent"]) == (
        *(4, "OverBudget", "no"),
    )
    assert lumenfall.requests == []
    assert command(*FOX, "--max-usd", "0").code == 4
    assert lumenfall.requests == []
    assert command(*FOX, "--max-usd", "many").code == 2
    assert command(*FOX, "--max-usd", "2").code == 0


def test_the_table_says_which_prices_are_only_reported(command: Command) -> None:
    shown = command("check", "--prompt", "a kite", "--ratio", "16:9").out
    prices = {line.split()[0]: line for line in shown.splitlines()}
    assert "0.90 USD (estimated, reported)" in prices["replicate"]
    assert "(about, reported; 4.968 CNY)" in prices["volcengine"]
    assert "0.756 USD (estimated)" in prices["byteplus"]


def test_check_is_a_table_with_the_cheapest_first(command: Command, lumenfall: fakes.Fake) -> None:
    ran = command("check", "--prompt", "a fox")
    assert "USD at the rate of 20" in ran.err
    lines = ran.out.splitlines()
    assert lines[0].split()[:3] == ["provider", "price", "key"]
    prices = [float(line.split()[1]) for line in lines[1:] if line.split()[2] == "USD"]
    assert prices == sorted(prices)
    assert len(prices) > 2
    yuan = next(line for line in lines if line.startswith("volcengine"))
    assert yuan.split()[2] == "USD" and "CNY" in yuan
    assert "{" not in "".join(lines)
    full = command("check", "--prompt", "a fox", "--provider", "lumenfall").out
    assert '"prompt": "a fox"' in full
    assert "evolink" not in full
