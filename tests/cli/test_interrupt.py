"""Ctrl-C and other signals while an order is under way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import fakes
import pytest
from command_line import FOX, Command, Ran
from running import is_create, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="signals of POSIX"),
]
FOREVER = 10**6


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
    until(lambda: when() or child.poll() is not None, seconds=100)
    child.send_signal(by)
    out, err = child.communicate()
    return Ran(child.returncode, out, err)


def test_ctrl_c_leaves_a_task_that_cannot_be_cancelled_free_of_charge(
    command: Command, lumenfall: fakes.Fake
) -> None:
    lumenfall.polls_until_done = FOREVER
    ran = interrupted(lambda: len(lumenfall.sent("GET")) > 1, *FOX)
    assert ran.code == 130
    assert "Collect it with: seedance collect lumenfall:vid_0001" in ran.err
    assert ran.err.endswith("It was paid for.\n")
    assert command("tasks", "--json").json[0]["state"] == "running"


def test_ctrl_c_cancels_a_task_that_is_free_to_cancel(command: Command, tmp_path: Path) -> None:
    def rendering() -> bool:
        return any(tmp_path.joinpath("home", "preview", "tasks").glob("*"))

    words = ("generate", "--provider", "preview", "--prompt", "a fox", "--resolution", "1080p")
    ran = interrupted(rendering, *words, "--duration", "15", "--json")
    assert (ran.code, ran.json["error"]["kind"]) == (130, "Cancelled")
    assert ran.json["error"]["spent"] == "no"
    assert command("tasks", "--json").json[0]["state"] == "cancelled"
    assert not list(tmp_path.joinpath("output").glob("*.mp4"))


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
