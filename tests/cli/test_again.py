"""An order that is sent again, forgotten or cancelled: what a person is told of its money."""

from __future__ import annotations

import fakes
import pytest
from command_line import FOX, Command

pytestmark = pytest.mark.slow

BROKEN = {"code": "INTERNAL", "message": "The model broke."}


# ----------------------------------------------------------- a failed order that may be billed


def test_a_failed_order_that_may_be_billed_is_named_before_it_is_sent_again(
    command: Command, lumenfall: fakes.Fake
) -> None:
    lumenfall.fail_with = BROKEN
    assert command(*FOX, "--takes", "2").code == 6
    lumenfall.fail_with = None
    said = command(*FOX, "--takes", "2").err
    for seed in (0, 1):
        assert f"row {seed + 1} (lumenfall:vid_000" in said
    assert said.count("it is not known whether it was billed. This one is paid") == 2
    assert said.index("was sent before") < said.index("submitting")
    assert lumenfall.creates == 4


@pytest.mark.parametrize(("answer", "code", "creates"), [("y\n", 0, 2), ("\n", 130, 1)])
def test_a_person_is_asked_before_it_is_sent_again(
    command: Command,
    lumenfall: fakes.Fake,
    terminal: list[str],
    answer: str,
    code: int,
    creates: int,
) -> None:
    lumenfall.fail_with = BROKEN
    assert "[y/N]" not in command(*FOX).err
    lumenfall.fail_with = None
    terminal.append(answer)
    ran = command(*FOX)
    assert (ran.code, lumenfall.creates, "[y/N]" in ran.err) == (code, creates, True)


def test_what_was_not_billed_is_sent_again_without_a_word(
    command: Command, lumenfall: fakes.Fake, terminal: list[str]
) -> None:
    lumenfall.fault(lambda request: request.method == "POST", "status:400")
    assert command(*FOX).code == 4
    ran = command(*FOX)
    assert (ran.code, "sent before" in ran.err, "[y/N]" in ran.err) == (0, False, False)


# ------------------------------------------------------------------------- forget and cancel


@pytest.fixture
def running(command: Command, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch) -> str:
    """The ticket of an order that is paid and goes on."""
    lumenfall.polls_until_done = 10**6
    with monkeypatch.context() as patched:
        patched.setenv("SEEDANCE_TIMEOUT", "0")
        assert command(*FOX).code == 7
    return "lumenfall:vid_0001"


def test_forget_of_a_paid_order_that_runs_asks_and_names_money_and_ticket(
    command: Command, running: str, terminal: list[str]
) -> None:
    ran = command("forget", running)
    assert (ran.code, "[y/N]" in ran.err) == (130, True)
    assert f"Row 1 is running: {running} was paid for 1.515 USD" in ran.err
    assert command("tasks", "--json").json[0]["state"] == "running"
    ran = command("forget", running, "--yes")
    assert (ran.code, "is forgotten" in ran.out) == (0, True)
    assert f"seedance collect {running}" in ran.err


def test_forget_of_a_free_order_asks_nothing(command: Command, terminal: list[str]) -> None:
    words = ("--provider", "preview", "--prompt", "x", "--resolution", "480p", "--duration", "4")
    assert command("generate", *words).code == 0
    ran = command("forget", "1")
    assert (ran.code, "paid" in ran.err, "[y/N]" in ran.err) == (0, False, False)


def test_what_was_forgotten_is_not_called_cancelled(
    command: Command, lumenfall: fakes.Fake, running: str
) -> None:
    command("forget", "1")
    ran = command("cancel", running)
    assert (ran.code, "was forgotten" in ran.err, "as cancelled" in ran.err) == (2, True, False)
    assert f"seedance collect {running}" in ran.err
    assert "nobody cancelled its task" in command("show", "1").out
    assert not lumenfall.sent("DELETE")
    lumenfall.polls_until_done = 0
    assert command("collect", running).code == 0
    assert lumenfall.creates == 1


def test_collect_all_tells_of_each_as_json(
    command: Command, lumenfall: fakes.Fake, running: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One cannot be asked for: its base URL is another now."""
    with monkeypatch.context() as patched, fakes.all()["lumenfall"](polls_until_done=0) as other:
        for name, value in other.environment().items():
            patched.setenv(name, value)
        ran = command("collect", "--all", "--json")
    assert (ran.code, ran.json["error"]["kind"]) == (7, "StillRunning")
    assert ran.json["error"]["task"] == running
