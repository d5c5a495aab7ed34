"""Ctrl-C while several takes are under way: what becomes of each is told."""

from __future__ import annotations

import time
from typing import Any

import fakes
import pytest
from command_line import FOX, Command
from running import until

from seedance.journal import State
from seedance.preview.render import Stopped


@pytest.fixture(autouse=True)
def ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person presses Ctrl-C once each take goes on."""

    def interrupted(jobs: Any, *_: Any, **options: Any) -> None:
        until(lambda: all(job._current.state == State.RUNNING for job in jobs), 60)
        raise KeyboardInterrupt

    monkeypatch.setattr("seedance.runner.wait_all", interrupted)


def test_takes_that_are_cancelled_are_all_named(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(scene: Any, target: Any, report: Any) -> None:
        while report(0.1):
            time.sleep(0.01)
        raise Stopped

    monkeypatch.setattr("seedance.preview.render.render", slow)
    words = ("generate", "--provider", "preview", "--prompt", "a fox", "--takes", "3")
    ran = command(*words, "--json")
    assert (ran.code, ran.json["error"]["spent"]) == (130, "no"), ran.err
    takes = ran.json["takes"]
    assert [take["state"] for take in takes] == ["cancelled"] * 3
    assert len({take["task"] for take in takes}) == 3
    for number, take in enumerate(takes, start=1):
        assert f"Take {number} ({take['task']}): Cancelled at the provider" in ran.err


def test_takes_that_go_on_are_all_named(command: Command, lumenfall: fakes.Fake) -> None:
    lumenfall.polls_until_done = 10**6
    ran = command(*FOX, "--takes", "2", "--json")
    assert (ran.code, ran.json["error"]["spent"]) == (130, "yes"), ran.err
    assert [take["state"] for take in ran.json["takes"]] == ["running"] * 2
    assert [take["error"] for take in ran.json["takes"]] == [None] * 2
    for number, take in enumerate(ran.json["takes"], start=1):
        assert f"Take {number}: The provider cannot cancel {take['task']}" in ran.err
