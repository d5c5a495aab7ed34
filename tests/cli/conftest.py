"""A fake provider for the command line."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import fakes
import pytest


@pytest.fixture
def lumenfall(monkeypatch: pytest.MonkeyPatch) -> Iterator[fakes.Fake]:
    """A fake Lumenfall that the environment points to."""
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        yield fake


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A person at a terminal, who answers with these lines."""
    answers: list[str] = []

    class Typed(io.StringIO):
        def isatty(self) -> bool:
            return True

        def readline(self, *_: object) -> str:
            return answers.pop(0) if answers else ""

    monkeypatch.setattr(sys, "stdin", Typed())
    monkeypatch.setattr("seedance.cli.prices._is_terminal", lambda: True)
    return answers
