"""`seedance generate` against a fake provider on loopback: what is printed, and with which code."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakes
import pytest
from command_line import FOX, Command
from running import is_create

from seedance import runner
from seedance.cli.generate import exit_code
from seedance.errors import KINDS

pytestmark = pytest.mark.slow
posix_only = pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
FOREVER = 10**6


# ------------------------------------------------------------------------------------- one video


def test_generate_saves_the_video_and_prints_its_path(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path
) -> None:
    target = tmp_path / "first.mp4"
    ran = command(*FOX, "-o", str(target))
    assert (ran.code, ran.out) == (0, f"{target}\n")
    assert target.read_bytes() == lumenfall.clip
    assert "price: 1.51 USD, task lumenfall:vid_0001" in ran.err


def test_generate_sends_what_the_flags_say(command: Command, lumenfall: fakes.Fake) -> None:
    command(*FOX, "--duration", "7", "--ratio", "9:16", "--seed", "5", "--no-audio")
    (sent,) = lumenfall.sent("POST")
    wanted = {"prompt": "a fox", "duration": 7, "seed": 5, "generate_audio": False}
    assert {name: sent.json[name] for name in wanted} == wanted


def test_generate_json_is_the_documented_object(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path
) -> None:
    target = tmp_path / "first.mp4"
    cost = {"amount": 1.51, "currency": "USD", "estimated": False}
    take = {"task": "lumenfall:vid_0001", "state": "saved", "file": str(target), "seed": 0}
    assert command(*FOX, "-o", str(target), "--json").json == {
        **take,
        "provider": "lumenfall",
        "model": "seedance-2.0",
        "files": [str(target)],
        "width": 64,
        "height": 48,
        "fps": 24.0,
        "frames": 12,
        "duration": 0.5,
        "has_audio": False,
        "cost": cost,
        "changes": [],
        "takes": [{**take, "cost": cost, "error": None}],
    }


def test_the_same_order_again_sends_nothing(command: Command, lumenfall: fakes.Fake) -> None:
    command(*FOX)
    requests = len(lumenfall.requests)
    ran = command(*FOX)
    assert ran.code == 0
    assert "not paid again" in ran.err
    assert len(lumenfall.requests) == requests


def test_collect_fetches_a_task_that_the_journal_does_not_know(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(*FOX)
    monkeypatch.setenv("SEEDANCE_HOME", str(tmp_path / "another machine"))
    target = tmp_path / "collected.mp4"
    ran = command("collect", "lumenfall:vid_0001", "-o", str(target), "--json")
    assert (ran.code, ran.json["file"]) == (0, str(target))
    assert lumenfall.creates == 1


def test_progress_is_one_line_for_each_change_of_words(
    command: Command, lumenfall: fakes.Fake
) -> None:
    lumenfall.polls_until_done = 6
    lines = command(*FOX).err.splitlines()
    assert [line for line in lines if line.startswith("rendering")] == ["rendering"]
    assert "saved" in lines


def test_nearest_says_what_was_changed(command: Command, lumenfall: fakes.Fake) -> None:
    ran = command(*FOX, "--duration", "30", "--on-unsupported", "nearest", "--json")
    (change,) = ran.json["changes"]
    assert (change["field"], change["asked"], change["given"]) == ("duration", 30, 15)
    assert "Changed duration: 30 became 15" in ran.err


# ----------------------------------------------------------------------------------------- takes


def test_takes_are_files_with_numbers_and_seeds_in_a_row(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path
) -> None:
    ran = command(*FOX, "--takes", "3", "--seed", "8", "-o", str(tmp_path / "fox.mp4"), "--json")
    assert ran.json["files"] == [
        str(tmp_path / name) for name in ("fox.mp4", "fox-2.mp4", "fox-3.mp4")
    ]
    assert [take["seed"] for take in ran.json["takes"]] == [8, 9, 10]
    assert sorted(item.json["seed"] for item in lumenfall.sent("POST")) == [8, 9, 10]


def test_one_refused_take_leaves_the_other(command: Command, lumenfall: fakes.Fake) -> None:
    lumenfall.fault(lambda item: is_create(item) and item.json["seed"] == 0, "status:400")
    ran = command(*FOX, "--takes", "2", "--json")
    refused, saved = ran.json["takes"]
    assert ran.code == 4
    assert (refused["state"], refused["error"]["kind"]) == ("refused", "Refused")
    assert (saved["state"], ran.json["files"]) == ("saved", [saved["file"]])
    assert (ran.json["state"], ran.json["file"], ran.json["width"]) == ("refused", None, None)


def test_takes_that_all_failed_are_an_error_and_still_listed(
    command: Command, lumenfall: fakes.Fake
) -> None:
    lumenfall.fault(lambda item: is_create(item) and item.json["seed"] == 0, "status:400")
    lumenfall.fault(lambda item: is_create(item) and item.json["seed"] == 1, "reset")
    ran = command(*FOX, "--takes", "2", "--json")
    assert (ran.code, ran.json["error"]["kind"]) == (5, "Unclear")
    assert [take["state"] for take in ran.json["takes"]] == ["refused", "unclear"]


def test_an_unclear_take_outweighs_one_that_may_not_be_sent(
    command: Command, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lumenfall.fault(is_create, "reset")
    command(*FOX, "--seed", "1")
    ran = command(*FOX, "--takes", "2", "--json")
    assert [take["state"] for take in ran.json["takes"]] == ["saved", "unclear"]

    monkeypatch.setenv("SEEDANCE_BUDGET_DAY", "0.01")
    ran = command(*FOX, "--takes", "2", "--seed", "2", "--json")
    assert (ran.code, ran.json["error"]["kind"]) == (4, "OverBudget")
    assert command("forget", "2").code == 0
    ran = command(*FOX, "--takes", "2", "--json")
    assert (ran.code, ran.json["error"]["kind"]) == (5, "Unclear")


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        (["Refused"], 4),
        (["Refused", "TaskFailed"], 6),
        (["Refused", "TaskFailed", "Unreachable"], 8),
        (["Unreachable", "OddReply"], 9),
        (["OddReply", "StillRunning"], 7),
        (["StillRunning", "Unclear"], 5),
        (["BadOrder", "Moderated"], 4),
        (["BadOrder"], 2),
    ],
)
def test_the_error_that_matters_most_gives_the_code(kinds: list[str], code: int) -> None:
    errors = [KINDS[kind]("a message") for kind in kinds]
    assert exit_code(errors) == exit_code(errors[::-1]) == code


# ---------------------------------------------------------------------------------------- errors


def test_a_bad_order_sends_nothing(command: Command, lumenfall: fakes.Fake) -> None:
    ran = command(*FOX, "--resolution", "480i")
    assert ran.code == 2
    assert ran.err.splitlines() == [
        "seedance: There is no resolution '480i'.",
        "Use one of: 480p, 720p, 1080p, 4k.",
        "Nothing was spent.",
    ]
    assert lumenfall.requests == []


def test_no_key(command: Command) -> None:
    ran = command(*FOX, "--json")
    assert (ran.code, ran.json["error"]["kind"]) == (3, "NeedsKey")
    assert "seedance key set lumenfall" in ran.json["error"]["hint"]


def test_refused(command: Command, lumenfall: fakes.Fake) -> None:
    lumenfall.fault(is_create, "status:400")
    ran = command(*FOX)
    assert (ran.code, lumenfall.creates) == (4, 0)
    assert "This fake answers 400." in ran.err
    assert ran.err.endswith("Nothing was spent.\n")


def test_unclear_is_not_sent_again_until_it_is_forgotten(
    command: Command, lumenfall: fakes.Fake
) -> None:
    lumenfall.fault(is_create, "reset")
    assert command(*FOX).code == 5
    again = command(*FOX, "--json")
    assert (again.code, again.json["error"]["spent"]) == (5, "unknown")
    assert lumenfall.creates == 0

    (row,) = command("tasks", "--json").json
    assert row["state"] == "unclear"
    for ran in (command("collect", "--all"), command("collect", str(row["row"]))):
        assert f"seedance forget {row['row']}" in ran.err
    assert (ran.code, lumenfall.creates) == (5, 0)
    forgotten = command("forget", str(row["row"]))
    assert forgotten.code == 0
    assert "(lumenfall, was unclear) is forgotten" in forgotten.out
    again = command("forget", str(row["row"]))
    assert (again.code, "can be sent anew" in again.out) == (0, True)
    assert (command(*FOX).code, lumenfall.creates) == (0, 1)


def test_a_failed_task(command: Command, lumenfall: fakes.Fake) -> None:
    lumenfall.fail_with = {"code": "INTERNAL", "message": "The model broke."}
    ran = command(*FOX, "--json")
    assert (ran.code, ran.json["error"]["kind"]) == (6, "TaskFailed")
    assert ran.json["error"]["task"] == "lumenfall:vid_0001"
    assert "The model broke" in ran.json["error"]["message"]


def test_a_task_that_is_still_running_can_be_collected(
    command: Command, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lumenfall.polls_until_done = FOREVER
    monkeypatch.setenv("SEEDANCE_TIMEOUT", "0.3")
    ran = command(*FOX, "--json")
    assert (ran.code, ran.json["error"]["spent"]) == (7, "yes")
    assert "seedance collect lumenfall:vid_0001" in ran.json["error"]["hint"]

    lumenfall.polls_until_done = 0
    monkeypatch.setenv("SEEDANCE_TIMEOUT", "60")
    assert command("collect", "lumenfall:vid_0001").code == 0
    assert lumenfall.creates == 1


def test_unreachable(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # free again, and refusing, when the server is closed
    monkeypatch.setenv("LUMENFALL_API_KEY", "sk-test")
    monkeypatch.setenv("SEEDANCE_LUMENFALL_BASE_URL", f"http://127.0.0.1:{port}/v1")
    monkeypatch.setenv("SEEDANCE_TIMEOUT", "0.3")
    ran = command(*FOX)
    assert ran.code == 8
    assert ran.err.endswith("Nothing was spent.\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["generate", "--takes", "9"], "Argument --takes: use a number from 1 to 8"),
        (["generate", "--duration", "long"], "Argument --duration: use whole seconds, 4 to 15"),
        (["generate", "--provider", "nobody", "--prompt", "x"], "no provider 'nobody'"),
        (["generate", "--image", "no/such.png"], "There is no file no/such.png"),
        (["generate", "--reference", "thing"], "cannot be told from its ending"),
        (["generate", "--operation", "edit"], "--operation needs a clip"),
        (["generate", "--extra", "{"], "--extra is not JSON"),
        (["generate", "--extra", "[]"], "not a JSON object keyed by provider"),
        (["collect", "nonsense"], "'nonsense' is not a ticket"),
        (["cancel", "7"], "7"),
        (["cancel", "9" * 5000], "is not a ticket"),
        (["forget", "lumenfall:unknown"], "does not know the ticket"),
        (["forget", "²"], "is not a ticket"),
        (["key", "set", "preview"], "needs no key"),
        (["--comfyui", ".", "tasks"], "is not a ComfyUI installation"),
        (["tasks", "--limit", "0"], "use a number from 1 to"),
        (["tasks", "--limit", "-1"], "use a number from 1 to"),
        (["tasks", "--limit", "9" * 30], "use a number from 1 to"),
        (["dance"], "invalid choice: 'dance'"),
        ([], "required: COMMAND"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    command: Command, words: list[str], says: str
) -> None:
    ran = command(*words)
    assert ran.code == 2
    assert ran.err.startswith("seedance: ")
    assert says in ran.err.splitlines()[0]


def test_a_wrong_flag_beside_json_is_json_too(command: Command) -> None:
    ran = command("generate", "--json", "--duration", "long")
    assert ran.json["error"]["kind"] == "BadOrder"


def test_an_error_that_nobody_foresaw_is_json_too(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: Any, **__: Any) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(runner.Runner, "start", start)
    ran = command(*FOX, "--json")
    assert (ran.code, ran.json["error"]["kind"], ran.json["error"]["spent"]) == (
        *(1, "SeedanceError", "unknown"),
    )
    assert "out of luck" in ran.json["error"]["message"]
    assert "Traceback" in ran.err


@pytest.mark.parametrize(
    "make", [Path.mkdir, pytest.param(lambda path: os.mkfifo(path), marks=posix_only)]
)
def test_what_is_no_file_is_neither_paid_for_nor_replaced(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    target = tmp_path / "target"
    make(target)
    ran = command(*FOX, "-o", str(target), "--json")
    assert (ran.code, ran.json["error"]["kind"]) == (2, "BadOrder")
    assert lumenfall.requests == []

    command(*FOX)
    assert command(*FOX, "-o", str(target)).code == 2
    assert command("collect", "lumenfall:vid_0001", "-o", str(target)).code == 2
    assert target.exists()
    assert not target.is_file()
