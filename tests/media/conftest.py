"""Fake providers and a bucket that the environment points to."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clips
import fakes
import pytest
from bucket import Bucket
from deliveries import Serve


@pytest.fixture(autouse=True)
def buckets_are_asked_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 pauses for seconds where a bucket is busy."""
    if importlib.util.find_spec("botocore"):
        name = "botocore.retries.standard.ExponentialBackoff.delay_amount"
        monkeypatch.setattr(name, lambda *_: 0)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start a fake provider that the environment points to."""
    started: list[fakes.Fake] = []

    def start(provider: str, **options: Any) -> fakes.Fake:
        fake = fakes.all()[provider](polls_until_done=1, **options).__enter__()
        started.append(fake)
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        return fake

    yield start
    for fake in started:
        fake.__exit__()


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """The user's own bucket, set up."""
    with Bucket(tmp_path) as there:
        for name, value in there.environment.items():
            monkeypatch.setenv(name, value)
        yield there


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Three seconds with sound."""
    return clips.write(tmp_path / "clip.mp4", frames=72, audio=True)
