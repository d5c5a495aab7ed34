"""A fake provider that the environment points to, for calls of `import seedance`."""

from __future__ import annotations

from collections.abc import Iterator

import fakes
import pytest

from seedance.runner import lending


@pytest.fixture(autouse=True)
def nothing_stays_open(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test has runners of its own."""
    monkeypatch.setenv("SEEDANCE_POLL_INTERVAL", "0.05")
    yield
    lending.close()


@pytest.fixture
def lumenfall(monkeypatch: pytest.MonkeyPatch) -> Iterator[fakes.Fake]:
    """A fake Lumenfall that the environment points to."""
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        yield fake
