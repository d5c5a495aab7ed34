"""A farm on one machine: PostgreSQL, a bucket, and machines with folders of their own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from bucket import Bucket
from fakes import Fake
from postgres import empty

from seedance import cli
from seedance.farm import Queue, run
from seedance.journal import Journal
from seedance.settings import Settings

T = TypeVar("T")

# A worker whose clocks run faster: `SHORT` are seconds by the place of their name.
WORKER = """
import importlib, json, sys
for place, value in json.loads(sys.argv[1]).items():
    module, _, name = place.rpartition(".")
    setattr(importlib.import_module(module), name, value)
from seedance import cli
sys.exit(cli.main(sys.argv[2:]))
"""
SHORT: dict[str, float] = {
    "seedance.cli.carrying.POLL_SECONDS": 0.1,
    "seedance.cli.carrying.BEAT_SECONDS": 0.2,
    "seedance.cli.carrying.AGAIN_SECONDS": 0.2,
    "seedance.cli.carrying.LOOK_SECONDS": 0.5,
    "seedance.runner.worker.HEARTBEAT_SECONDS": 0.3,
    "seedance.runner.active.WATCH_SECONDS": 0.1,
    "seedance.runner.clearing.FIND_SECONDS": 0.1,
    "seedance.runner.submit.SLOT_SECONDS": 0.1,
    "seedance.journal.journal.LEASE_SECONDS": 2.0,
    "seedance.farm.queue.STALLED_SECONDS": 2.0,
}


@dataclass
class Farm:
    """What all machines share: a fake provider, an empty database, a bucket."""

    fake: Fake | None
    url: str
    bucket: Bucket
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        empty(self.url)

    def machine(self, name: str) -> Machine:
        """A machine; its folders are made at first use."""
        return Machine(self, name)


def shots(count: int, **more: Any) -> list[dict[str, Any]]:
    """A list of so many shots, named s0, s1 and so on."""
    return [
        {"name": f"s{n}", "prompt": f"Shot {n}", "provider": "lumenfall", **more}
        for n in range(count)
    ]


def states(farm: Farm) -> list[str]:
    """The states of all orders in the journal."""
    journal = Journal(farm.url)
    try:
        return sorted(row.state for row in journal.newest(1000))
    finally:
        journal.close()


@dataclass
class Machine:
    """A machine of the farm, with a home and an output folder of its own."""

    farm: Farm
    name: str

    @property
    def output(self) -> Path:
        """Where its videos are."""
        return self.farm.folder / self.name / "output"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its processes."""
        folder = self.farm.folder / self.name
        return {
            **os.environ,
            **(self.farm.fake.environment() if self.farm.fake else {}),
            **self.farm.bucket.environment,
            "SEEDANCE_S3_RESULTS": "1",
            "SEEDANCE_HOME": str(folder / "home"),
            "SEEDANCE_OUTPUT": str(folder / "output"),
            "SEEDANCE_JOURNAL_URL": self.farm.url,
            "SEEDANCE_POLL_INTERVAL": "0.05",
            **self.farm.environment,
        }

    def start(self, *words: object, quiet: bool = False, **short: float) -> subprocess.Popen[str]:
        """A command in a process of its own; with `quiet`, nobody reads what it says."""
        command = [sys.executable, "-c", WORKER, json.dumps({**SHORT, **short})]
        pipe = subprocess.DEVNULL if quiet else subprocess.PIPE
        return subprocess.Popen(
            [*command, *map(str, words)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )

    def run(self, *words: object, code: int = 0) -> Any:
        """What a command with `--json` says, in this process; it must end with `code`."""
        return json.loads(self._said(words, code))

    def work(self, code: int = 0) -> list[Any]:
        """What a worker in this process carries until the queue is empty."""
        said = self._said(("worker", "--until-empty"), code)
        return [json.loads(line) for line in said.splitlines()]

    def _said(self, words: Sequence[object], code: int) -> str:
        out = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
            patch.setattr("seedance.runner.shared_runner._shared", {})
            for name, value in self.environment.items():
                patch.setenv(name, value)
            for place, seconds in SHORT.items():
                patch.setattr(place, seconds)
            ended = cli.main([*map(str, words), "--json"])
        assert ended == code, (ended, out.getvalue())
        return out.getvalue()

    @property
    def settings(self) -> Settings:
        """The settings of its processes."""
        folder = self.farm.folder / self.name
        return Settings(folder / "home", folder / "output", self.environment)

    def queue(self, use: Callable[[Queue], Coroutine[Any, Any, T]]) -> T:
        """What comes of using the queue."""

        async def used() -> T:
            async with Queue.opened(self.settings) as queue:
                await queue.sign_on()
                try:
                    return await use(queue)
                finally:
                    await queue.sign_off()

        return run(used())

    def put(self, shots: object, *words: object) -> Any:
        """Put a list of shots into the queue; what the command says."""
        file = self.farm.folder / f"{self.name}-shots.json"
        file.write_text(json.dumps(shots))
        return self.run("batch", file, "--farm", "--yes", *words)
