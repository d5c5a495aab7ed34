"""The command line against a fake provider on loopback: what is printed, and with which code."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import fakes
import pytest

from seedance import cli, providers, runner
from seedance.cli.arguments import parser
from seedance.cli.generate import exit_code
from seedance.cli.orders import order_of
from seedance.cli.show import clean, money
from seedance.errors import KINDS, BadOrder
from seedance.money import Money

pytestmark = pytest.mark.slow

posix_only = pytest.mark.skipif(os.name != "posix", reason="signals and pipes of POSIX")
FOREVER = 10**6
FOX = ("generate", "--provider", "lumenfall", "--prompt", "a fox")


@dataclass
class Ran:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, all of it, as JSON."""
        return json.loads(self.out)


Command = Callable[..., Ran]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run one command line in this process, each time with a runner of its own."""
    monkeypatch.setenv("SEEDANCE_POLL_INTERVAL", "0.05")

    def run(*words: str) -> Ran:
        monkeypatch.setattr("seedance.runner.runner._shared", {})
        capsys.readouterr()
        code = cli.main(words)
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def lumenfall(monkeypatch: pytest.MonkeyPatch) -> Iterator[fakes.Fake]:
    """A fake Lumenfall that the environment points to."""
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        yield fake


def is_create(request: fakes.Request) -> bool:
    return request.method == "POST"


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
    lumenfall.fault(lambda item: is_create(item) and item.json["seed"] == 1, "reset-after")
    ran = command(*FOX, "--takes", "2", "--json")
    assert (ran.code, ran.json["error"]["kind"]) == (5, "Unclear")
    assert [take["state"] for take in ran.json["takes"]] == ["refused", "unclear"]


def test_an_unclear_take_outweighs_one_that_may_not_be_sent(
    command: Command, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lumenfall.fault(is_create, "reset-after")
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
    lumenfall.fault(is_create, "reset-after")
    assert command(*FOX).code == 5
    again = command(*FOX, "--json")
    assert (again.code, again.json["error"]["spent"]) == (5, "unknown")
    assert lumenfall.creates == 1

    (row,) = command("tasks", "--json").json
    assert row["state"] == "unclear"
    forgotten = command("forget", str(row["row"]))
    assert forgotten.code == 0
    assert "(lumenfall, was unclear) is forgotten" in forgotten.out
    again = command("forget", str(row["row"]))
    assert (again.code, "can be sent anew" in again.out) == (0, True)
    assert (command(*FOX).code, lumenfall.creates) == (0, 2)


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
        (["generate", "--duration", "long"], "Argument --duration: invalid int value"),
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


# ------------------------------------------------------------------------------------- interrupt


def heeded() -> None:
    """Tests that run in the background may have inherited that some signals are ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def interrupted(when: Callable[[], bool], *words: str, by: int = signal.SIGINT) -> Ran:
    """Run a command as a process, press Ctrl-C once `when` holds, and see how it ends."""
    child = subprocess.Popen(
        [sys.executable, "-m", "seedance", *words],
        env={**os.environ, "SEEDANCE_POLL_INTERVAL": "0.05"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeded,
    )
    deadline = time.monotonic() + 60
    while not when() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(by)
    out, err = child.communicate(timeout=60)
    return Ran(child.returncode, out, err)


@posix_only
def test_ctrl_c_leaves_a_task_that_cannot_be_cancelled_free_of_charge(
    command: Command, lumenfall: fakes.Fake
) -> None:
    lumenfall.polls_until_done = FOREVER
    ran = interrupted(lambda: len(lumenfall.sent("GET")) > 1, *FOX)
    assert ran.code == 130
    assert "Collect it with: seedance collect lumenfall:vid_0001" in ran.err
    assert ran.err.endswith("It was paid for.\n")
    assert command("tasks", "--json").json[0]["state"] == "running"


@posix_only
def test_ctrl_c_cancels_a_task_that_is_free_to_cancel(command: Command, tmp_path: Path) -> None:
    def rendering() -> bool:
        return any(tmp_path.joinpath("home", "preview", "tasks").glob("*"))

    words = ("generate", "--provider", "preview", "--prompt", "a fox", "--resolution", "1080p")
    ran = interrupted(rendering, *words, "--duration", "15", "--json")
    assert (ran.code, ran.json["error"]["kind"]) == (130, "Cancelled")
    assert ran.json["error"]["spent"] == "no"
    assert command("tasks", "--json").json[0]["state"] == "cancelled"
    assert not list(tmp_path.joinpath("output").glob("*.mp4"))


@posix_only
@pytest.mark.parametrize("by", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupt_waits_for_the_answer_to_a_create(
    command: Command, lumenfall: fakes.Fake, by: str
) -> None:
    lumenfall.polls_until_done = FOREVER
    lumenfall.fault(is_create, "hang:2")
    stop = getattr(signal, by)
    ran = interrupted(lambda: lumenfall.creates == 1, *FOX, "--json", by=stop)
    assert (ran.code, ran.json["error"]["kind"]) == (130, "Cancelled")
    assert ran.json["error"]["task"] == "lumenfall:vid_0001"
    assert command("tasks", "--json").json[0]["task"] == "lumenfall:vid_0001"


# --------------------------------------------------------------------------------- other commands


def test_check_sends_nothing_and_shows_each_provider(
    command: Command, lumenfall: fakes.Fake
) -> None:
    quotes = {quote["provider"]: quote for quote in command("check", *FOX[3:], "--json").json}
    assert set(quotes) == set(providers.ids())
    assert quotes["lumenfall"]["payload"]["prompt"] == "a fox"
    assert lumenfall.requests == []


def test_check_of_a_provider_that_cannot_says_so(command: Command, lumenfall: fakes.Fake) -> None:
    ran = command("check", *FOX[1:], "--duration", "30")
    assert ran.code == 2
    assert "lumenfall: no. Lumenfall does not support duration 30" in ran.out


def test_providers_lists_all_with_the_source_of_their_key(
    command: Command, lumenfall: fakes.Fake
) -> None:
    records = {record["id"]: record for record in command("providers", "--json").json}
    assert set(records) == set(providers.ids())
    assert records["lumenfall"]["key"] == "environment"
    assert records["leonardo"]["key"] is None
    assert records["leonardo"]["models"]["seedance-2.0"]["images"] == 4
    assert "LEONARDO_API_KEY" in command("providers").out


def test_tasks_json_is_newest_first(command: Command, lumenfall: fakes.Fake) -> None:
    command(*FOX)
    command(*FOX, "--seed", "1")
    rows = command("tasks", "--json").json
    assert [(row["seed"], row["state"]) for row in rows] == [(1, "saved"), (0, "saved")]
    assert set(rows[0]) == {
        *("row", "task", "provider", "model", "state", "created", "updated"),
        *("prompt", "seed", "file", "cost", "error"),
    }
    assert rows[0]["created"].endswith("Z")


def test_tasks_csv_cannot_hold_a_formula(command: Command, lumenfall: fakes.Fake) -> None:
    command(*FOX[:-1], "=HYPERLINK(1)")
    (row,) = csv.DictReader(io.StringIO(command("tasks", "--csv").out))
    assert (row["prompt"], row["amount"], row["currency"]) == ("'=HYPERLINK(1)", "1.51", "USD")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "ascii:strict"])
def test_a_pipe_that_is_not_utf_8_takes_every_name(
    lumenfall: fakes.Fake, tmp_path: Path, encoding: str
) -> None:
    def piped(*words: str) -> tuple[int, bytes, str]:
        child = subprocess.run(
            [sys.executable, "-m", "seedance", *words],
            env={
                **os.environ,
                "SEEDANCE_POLL_INTERVAL": "0.05",
                "PYTHONIOENCODING": encoding,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )
        return child.returncode, child.stdout, child.stderr.decode("ascii")

    fox = (*FOX[:-1], "狐 runs…")
    target = tmp_path / "狐.mp4"
    code, out, err = piped(*fox, "-o", str(target))
    assert (code, out.split()) == (0, [str(target).encode("ascii", "backslashreplace")])
    assert "not known" not in err
    assert target.exists()
    code, out, _ = piped(*fox, "-o", str(target), "--json")
    assert (code, json.loads(out)["file"]) == (0, str(target))
    code, out, _ = piped("tasks", "--csv")
    (row,) = csv.DictReader(io.StringIO(out.decode("utf-8")))
    assert (code, row["prompt"], row["file"]) == (0, "狐 runs…", str(target))
    assert piped("tasks")[0] == 0
    code, out, _ = piped("check", "--prompt", "狐 runs…", "--provider", "lumenfall")
    assert (code, b"\\u72d0" in out) == (0, True)


def test_costs_are_summed_by_day_and_provider(command: Command, lumenfall: fakes.Fake) -> None:
    command(*FOX, "--takes", "2")
    (total,) = command("tasks", "--costs", "--json").json
    assert total.pop("day") == date.today().isoformat()
    assert total == {
        "provider": "lumenfall",
        "currency": "USD",
        "tasks": 2,
        "amount": 3.02,
        "estimated": False,
    }
    assert "3.02" in command("tasks", "--costs").out


def test_a_key_goes_from_standard_input_to_the_key_file(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("sk-secret-0123\n"))
    stored = command("key", "set", "lumenfall")
    key_file = tmp_path / "home" / "keys.json"
    assert json.loads(key_file.read_text())["lumenfall"]["key"] == "sk-secret-0123"
    shown = stored.out + stored.err + command("providers", "--json").out + command("doctor").out
    assert "sk-secret" not in shown
    assert "key of lumenfall: file" in shown

    assert command("key", "remove", "lumenfall").code == 0
    assert command(*FOX).code == 3


def test_key_test_asks_the_provider(
    command: Command, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "12.50 USD left" in command("key", "test", "lumenfall").out
    monkeypatch.setenv("LUMENFALL_API_KEY", "sk-wrong")
    ran = command("key", "test", "lumenfall")
    assert ran.code == 4
    assert "sk-wrong" not in ran.out + ran.err


def test_doctor_finds_a_folder_that_cannot_be_written(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert command("doctor").code == 0
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEEDANCE_OUTPUT", str(tmp_path / "file" / "folder"))
    ran = command("doctor")
    assert ran.code == 1
    assert "BAD output:" in ran.out


def test_doctor_finds_a_key_file_that_cannot_be_used(command: Command, tmp_path: Path) -> None:
    key_file = tmp_path / "home" / "keys.json"
    key_file.parent.mkdir(exist_ok=True)
    key_file.write_text("{broken")
    key_file.chmod(0o600)
    ran = command("doctor")
    assert ran.code == 1
    assert f"BAD key file: The key file {key_file}" in ran.out


@pytest.mark.parametrize("elsewhere", [False, True])
def test_comfyui_gives_the_folders_of_an_installation(
    command: Command,
    lumenfall: fakes.Fake,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    elsewhere: bool,
) -> None:
    for name in ("SEEDANCE_HOME", "SEEDANCE_OUTPUT"):
        if not elsewhere:
            monkeypatch.delenv(name)
    comfyui = tmp_path / "ComfyUI"
    comfyui.mkdir()
    (comfyui / "folder_paths.py").touch()
    ran = command("--comfyui", str(comfyui), *FOX, "--json")
    assert Path(ran.json["file"]).parent == comfyui / "output" / "seedance"
    assert (comfyui / "user" / "__seedance" / "journal.db").is_file()


# ------------------------------------------------------------------------------ orders from flags


def order(*words: str) -> Any:
    return order_of(parser().parse_args(["generate", *words]))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files to name on the command line, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.JPG", "c.mp4", "d.wav", "e"):
        Path(name).write_bytes(b"something")


@pytest.mark.parametrize(
    ("words", "mode", "ratio"),
    [
        ([], "text", "16:9"),
        (["--image", "a.png"], "image", "adaptive"),
        (["--image", "a.png", "--last-image", "b.JPG"], "frames", "adaptive"),
        (["--reference", "a.png"], "reference", "adaptive"),
        (["--video", "c.mp4"], "edit", "adaptive"),
        (["--video", "c.mp4", "--operation", "extend", "--ratio", "1:1"], "extend", "1:1"),
    ],
)
@pytest.mark.usefixtures("files")
def test_the_mode_follows_from_what_is_given(words: list[str], mode: str, ratio: str) -> None:
    made = order(*words)
    assert (made.mode, made.ratio) == (mode, ratio)


@pytest.mark.usefixtures("files")
def test_references_keep_their_order_and_find_their_kind() -> None:
    words = ["c.mp4", "b.JPG", "d.wav", "image:e", "https://x.example/y.webp?sig=z.mp4"]
    words += ["video:leonardo:GENERATED:1-2", "Image: https://x.example/z"]
    made = order(*(part for word in words for part in ("--reference", word)))
    kinds = [medium.kind for medium in made.references]
    assert kinds == ["video", "image", "audio", "image", "image", "video", "image"]
    assert made.references[5].address == "leonardo:GENERATED:1-2"
    assert made.references[6].address == "https://x.example/z"


def test_extra_is_an_object_by_provider() -> None:
    assert order("--extra", '{"leonardo": {"public": true}}').extra == {
        "leonardo": {"public": True}
    }


def test_flags_are_not_abbreviated() -> None:
    with pytest.raises(BadOrder, match="Unrecognized arguments: --prom"):
        order("--prom", "x")


# ----------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (None, "unknown"),
        (Money(0, "USD"), "free"),
        (Money(1.5, "USD"), "1.50 USD"),
        (Money(0.0125, "USD", estimated=True), "0.0125 USD (estimated)"),
        (Money(40, "credits"), "40.00 credits"),
    ],
)
def test_amounts_are_readable(amount: Money | None, words: str) -> None:
    assert money(amount) == words


def test_text_from_elsewhere_cannot_steer_the_terminal() -> None:
    assert clean("a\x1b[2Jb\r\x07ü 画") == "a [2Jb  ü 画"
