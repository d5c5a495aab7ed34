"""The load program (benchmarks/load.py): it runs, and it sees what it is there to see.

The ten minutes with 500 tasks are for a person to run; here it is a moment with a few.
"""

from __future__ import annotations

import collections
import importlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fakes.lumenfall import FakeLumenfall
from paths import ROOT
from running import Desk

pytestmark = [pytest.mark.safety, pytest.mark.slow]

PROGRAM = ROOT / "benchmarks" / "load.py"


@pytest.fixture(scope="module")
def load() -> Iterator[ModuleType]:
    """The program as a module, with its neighbours at hand as when it is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROGRAM.parent)
        yield importlib.import_module("load")


@pytest.mark.skipif(sys.platform != "linux", reason="it reads what it has from /proc")
def test_with_faults_creates_match_orders_and_videos_match_successes() -> None:
    words = ("--tasks", "12", "--minutes", "0.15", "--polls", "1", "--interval", "0.2")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *words, "--faults", "0.2"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "creates " in done.stdout, done.stderr[-2000:]
    bad = [line for line in done.stdout.splitlines() if line.startswith("BAD")]
    assert [line for line in bad if "grew" not in line and "too short" not in line] == []
    assert done.returncode == bool(bad)


def samples(load: ModuleType, **last: int) -> list[Any]:
    """A minute in which nothing grows but what is named, to what is named."""
    even = load.Sample(0, 50, threads=9, megabytes=100.0, sockets=20, files=70)
    return [
        replace(
            even,
            seconds=second,
            **{
                name: getattr(even, name) + (most - getattr(even, name)) * second // 59
                for name, most in last.items()
            },
        )
        for second in range(60)
    ]


def test_what_stays_as_it_is_does_not_grow(load: ModuleType) -> None:
    assert load.growth(samples(load), 50) == []


@pytest.mark.parametrize(
    ("name", "most"), [("threads", 20), ("megabytes", 200), ("sockets", 40), ("files", 100)]
)
def test_what_grows_is_named(load: ModuleType, name: str, most: int) -> None:
    (problem,) = load.growth(samples(load, **{name: most}), 50)
    assert problem.startswith(f"{name} grew")


def test_a_moment_is_too_short_to_tell(load: ModuleType) -> None:
    assert load.growth(samples(load)[:9], 50) != []
    assert load.growth(samples(load), 51) != []


def test_books_that_do_not_match_are_named(load: ModuleType, tmp_path: Path) -> None:
    with FakeLumenfall() as fake:
        runner = Desk(fake, tmp_path).runner()
        results = [runner.start(Desk(fake, tmp_path).order(seed))[0].wait() for seed in (1, 2)]
    heard, paid = collections.Counter(saved=2), collections.Counter([1, 2])
    assert load.mismatches(runner, heard, paid) == []
    assert "orders were lost" in load.mismatches(runner, heard + collections.Counter("x"), paid)
    assert "an order was paid twice" in load.mismatches(runner, heard, paid + paid)
    assert "a ticket was not paid for" in load.mismatches(runner, heard, collections.Counter([1]))
    results[0].file.unlink()
    assert load.mismatches(runner, heard, paid) == ["videos and successes differ"]
