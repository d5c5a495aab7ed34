"""What is looked at while secrets are at hand."""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from key_search import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world during a test, with every logger talking and temporary files at hand."""
    world = World()
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    words = io.StringIO()
    handler = logging.StreamHandler(words)
    names = (None, "urllib3", "requests", "sqlalchemy", "sqlalchemy.engine", "alembic")
    loggers = [logging.getLogger(name) for name in (*names, "seedance", "asyncio", "PIL")]
    levels = [logger.level for logger in loggers]
    loggers[0].addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    try:
        yield world
    finally:
        loggers[0].removeHandler(handler)
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
    assert words.getvalue(), "nothing was logged, so nothing was searched"
    world.add("log", words.getvalue())
    world.add_files(tmp_path)
    world.add_processes()
    assert world.leaks() == []
