"""What a command says about money: of orders that are free, and of those that were paid before."""

from __future__ import annotations

from typing import Any

import fakes
import pytest
from command_line import FOX, Command

pytestmark = pytest.mark.slow

FREE = (
    *("generate", "--provider", "preview", "--prompt", "x", "--resolution", "480p"),
    *("--duration", "4"),
)


def test_a_free_order_is_never_called_paid(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("SEEDANCE_TIMEOUT", "0")
        ran = command(*FREE, "--json")
    error = ran.json["error"]
    assert (ran.code, error["spent"], "paid" in ran.err) == (7, "no", False)
    assert ran.err.endswith("Nothing was spent.\n")
    for line in (FREE, ("collect", error["task"])):
        for typo in ("x.gif", "none/x.mp4"):
            ran = command(*line, "-o", typo, "--json")
            assert (ran.code, ran.json["error"]["spent"]) == (2, "no")
            assert "paid" not in ran.err


def test_a_typo_after_an_order_was_paid_says_that_nothing_was_spent_now(
    command: Command, lumenfall: fakes.Fake
) -> None:
    command(*FOX)
    for line in (FOX, ("collect", "lumenfall:vid_0001")):
        ran = command(*line, "-o", "x.gif", "--json")
        assert ran.json["error"]["spent"] == "yes"
        assert ran.err.endswith("Nothing was spent now. It was paid for before.\n")


def test_an_unclear_order_that_is_asked_for_again_is_not_spent_now(
    command: Command, lumenfall: fakes.Fake
) -> None:
    lumenfall.fault(lambda request: request.method == "POST", "reset")
    assert command(*FOX).err.endswith("\nIt is not known whether it was billed.\n")
    again = command(*FOX)
    assert "Nothing was spent now." in again.err
    assert lumenfall.creates == 0


def test_a_free_finish_that_is_stopped_spent_nothing(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = command(*FREE, "--draft", "--json").json["task"]

    def stopped(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    for where in ("seedance.runner.wait_all", "seedance.cli.generate._remark"):
        with monkeypatch.context() as patched:
            patched.setattr(where, stopped)
            ran = command("finish", draft, "--json")
        assert (ran.code, ran.json["error"]["spent"]) == (130, "no")
        assert "not known" not in ran.err
        assert "paid" not in ran.err
