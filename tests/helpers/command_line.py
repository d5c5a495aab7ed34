"""The command line in this process: what one command left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from seedance import cli


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
FOX = ("generate", "--provider", "lumenfall", "--prompt", "a fox")


def in_this_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs command lines, each with a runner of its own; a word may be anything with a `str()`."""
    monkeypatch.setenv("SEEDANCE_POLL_INTERVAL", "0.05")
    # On a slow machine too, a command says only what it has to say.
    monkeypatch.setattr("seedance.cli.show.PATIENCE", 3600.0)

    def run(*words: object) -> Ran:
        monkeypatch.setattr("seedance.runner.shared_runner._shared", {})
        capsys.readouterr()
        code = cli.main([str(word) for word in words])
        return Ran(code, *capsys.readouterr())

    return run
