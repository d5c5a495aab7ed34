"""A fake provider for the command line."""

from __future__ import annotations

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
