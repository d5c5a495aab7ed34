"""The command line as a person uses it: lists, one order, and what was meant."""

from __future__ import annotations

import fakes
import pytest
from command_line import FOX, Command

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["previw"], None),
        (["generat"], "generate"),
        (["generate", "--provider", "Lumenfall", "--prompt", "x"], "lumenfall"),
        (["generate", "--provider", "previw", "--prompt", "x"], "preview"),
        ([*FOX, "--resolution", "4K"], "4k"),
        ([*FOX, "--resolution", "720"], "720p"),
        ([*FOX, "--ratio", "16x9"], "16:9"),
        ([*FOX, "--model", "seedance2.0"], "seedance-2.0"),
        ([*FOX, "--promt", "x"], "--prompt"),
        (["tasks", "--state", "save"], "saved"),
    ],
)
def test_what_was_meant_is_said(command: Command, words: list[str], meant: str | None) -> None:
    ran = command(*words)
    assert ran.code == 2
    assert meant is None or f"Did you mean {meant}?" in ran.err


def test_seconds_may_have_their_unit(command: Command, lumenfall: fakes.Fake) -> None:
    for seconds in ("5s", "5", "5.0", "5 seconds"):
        assert command(*FOX, "--duration", seconds).code == 0
    assert lumenfall.creates == 1
    assert lumenfall.sent("POST")[0].json["duration"] == 5


def test_a_prompt_without_quotes_gets_a_hint(command: Command, lumenfall: fakes.Fake) -> None:
    ran = command(*FOX[:-1], "a", "red", "fox")
    assert (ran.code, lumenfall.requests) == (2, [])
    assert "quotes" in ran.err


def test_no_command_shows_the_help(command: Command) -> None:
    ran = command()
    assert "usage: seedance" in ran.out
    assert "collect" in ran.out


@pytest.mark.parametrize(
    "words", [("--duration", "30"), ("--reference", "https://x.example/a.mp4"), ("--ratio", "1:1")]
)
def test_words_of_nodes_do_not_appear(
    command: Command, lumenfall: fakes.Fake, words: tuple[str, ...]
) -> None:
    for line in (command(*FOX[:-1], "@Image3 x", *words), command("check", *FOX[1:], *words)):
        said = line.out + line.err
        for word in ("on_unsupported to", "onnect it", "socket", "onnect a "):
            assert word not in said


def test_a_wrong_key_in_a_variable_is_not_answered_with_key_set_alone(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fakes.all()["evolink"]() as fake:
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        fake.fault(lambda request: True, "status:401", times=9)
        ran = command("generate", "--provider", "evolink", "--prompt", "x")
    assert "EVOLINK_API_KEY" in ran.err


# ------------------------------------------------------------------------------------ the journal


def test_the_list_keeps_the_prompt_and_fits_80_columns(
    command: Command, lumenfall: fakes.Fake
) -> None:
    long = "a fox that runs over a hill, " * 9
    command(*FOX[:-1], long)
    command(*FOX[:-1], "a hare", "--seed", "4294967295")
    ran = command("tasks")
    assert max(map(len, ran.out.splitlines())) <= 80
    assert "a hare" in ran.out
    assert "a fox that" in ran.out
    assert "saved: the video was saved; where: seedance show ROW" in ran.err
    assert len(command("tasks", "--search", "HARE", "--json").json) == 1
    assert len(command("tasks", "--state", "saved", "--json").json) == 2
    assert command("tasks", "--state", "running", "--json").json == []


def test_show_says_everything_about_one_order(command: Command, lumenfall: fakes.Fake) -> None:
    file = command(*FOX, "--json").json["file"]
    for name in ("1", "lumenfall:vid_0001"):
        out = command("show", name).out
        assert "operation" not in out  # which is for a clip
        for part in (file, "lumenfall:vid_0001", "a fox", "1.51 USD", "saved (", "720p"):
            assert part in out
    record = command("show", "1", "--json").json
    assert (record["row"], record["order"]["prompt"], record["result"]["width"]) == (1, "a fox", 64)
    assert command("show", "7").code == 2


def test_collect_takes_a_row_and_all(
    command: Command, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lumenfall.polls_until_done = 10**6
    monkeypatch.setenv("SEEDANCE_TIMEOUT", "0")
    for seed in ("1", "2", "3"):
        assert command(*FOX, "--seed", seed).code == 7
    lumenfall.polls_until_done = 0
    monkeypatch.delenv("SEEDANCE_TIMEOUT")
    assert command("collect", "2").code == 0
    ran = command("collect", "--all", "--json")
    assert (ran.code, len(ran.json["files"])) == (0, 2)
    assert {row["state"] for row in command("tasks", "--json").json} == {"saved"}
    ran = command("collect", "--all")
    assert (ran.code, "nothing to collect" in ran.err) == (0, True)
    assert command("collect", "--all", "--json").json == {"files": [], "takes": []}
    assert command("collect").code == 2
    assert command("collect", "1", "--all").code == 2
    assert lumenfall.creates == 3


def test_forget_of_a_paid_clip_asks_and_says_the_price(
    command: Command, lumenfall: fakes.Fake, terminal: list[str]
) -> None:
    command(*FOX)
    ran = command("forget", "1")
    assert (ran.code, "1.51 USD" in ran.err) == (130, True)
    assert command("tasks", "--json").json[0]["state"] == "saved"
    ran = command("forget", "1", "--yes", "--json")
    assert ran.json == {"row": 1, "was": "saved", "forgotten": True}


def test_totals_name_orders_of_unknown_price(
    command: Command, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seedance.providers.lumenfall import Lumenfall

    monkeypatch.setattr(Lumenfall, "estimate", lambda self, order, clips=None: None)
    show = type(lumenfall)._video

    def without_cost(self: object, *given: object) -> dict[str, object]:
        return {**show(self, *given), "metadata": {}}  # type: ignore[arg-type]

    monkeypatch.setattr(type(lumenfall), "_video", without_cost)
    lumenfall.polls_until_done = 10**6
    monkeypatch.setenv("SEEDANCE_TIMEOUT", "0")
    command(*FOX)
    (total,) = command("tasks", "--costs", "--json").json
    assert (total["tasks"], total["amount"], total["provider"]) == (1, None, "lumenfall")
    assert "unknown" in command("tasks", "--costs").out
