"""A provider with an asset library, and desks at which it is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakes
import pytest
from bucket import Bucket
from running import Desk

from seedance.providers import get
from seedance.runner import library


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is asked again soon."""
    monkeypatch.setattr(library, "CHECK_SECONDS", 0.01)


@pytest.fixture
def ark() -> Iterator[Any]:
    """A BytePlus with a library."""
    with fakes.all()["byteplus"](polls_until_done=0) as fake:
        yield fake


@pytest.fixture
def desk(ark: Any, tmp_path: Path) -> Desk:
    """Where its signing key is set."""
    return Desk(ark, tmp_path, **ark.library.environment(get("byteplus").asset_key_variables))


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """The user's own bucket, set up for boto3 and for desks."""
    with Bucket(tmp_path) as there:
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        for name, value in there.environment.items():
            monkeypatch.setenv(name, value)
        yield there


def address(number: int = 1, kind: str = "png") -> str:
    """The address of a picture that a library can read."""
    return f"https://media.example/{number}.{kind}"
