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
