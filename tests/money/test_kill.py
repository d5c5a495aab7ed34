"""`kill -9` at every step, with real processes: nobody pays twice, and nothing paid is lost.

By default a few representative providers; SEEDANCE_KILL_ALL=1 runs every provider at every point
and prints the table.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fakes
import pytest
from fakes import Fake, Request
from paths import HELPERS
from PIL import Image
from running import Desk, is_result, until

from seedance import providers
from seedance.order import Medium
from seedance.wire import Provider

pytestmark = pytest.mark.slow

CHILD = HELPERS / "stopping_child.py"
ALL = "SEEDANCE_KILL_ALL"

# Where the fake holds the request, and whether it was handled by then; or where the child stops.
HELD_BY_THE_FAKE = ("during an upload", "create sent", "create accepted", "polling")
STOPPED_IN_THE_CHILD = (
    "before the row",
    "after the row",
    "before the create is sent",
    "after the create's answer",
    "after the ticket file",
    "during the download",
    "between download and rename",
    "between rename and journal",
)
POINTS = (*STOPPED_IN_THE_CHILD, *HELD_BY_THE_FAKE)
# From here on nobody knows whether the order arrived, unless the provider gives a means.
UNCLEAR_POINTS = (
    "before the create is sent",
    "create sent",
    "create accepted",
    "after the create's answer",
)
FAKES = fakes.in_every_dialect()
REPRESENTATIVE = (
    *itertools.product(["lumenfall"], POINTS),
    *itertools.product(["byteplus", "comfy"], UNCLEAR_POINTS),
    ("aihubmax", "create accepted"),
    ("fal", "create accepted"),
    ("replicate", "create accepted"),
    ("leonardo", "during an upload"),
    ("leonardo", "create accepted"),
    ("leonardo", "polling"),
)


def uploads_pictures(provider: type[Provider]) -> bool:
    """Whether a picture goes up in a request of its own."""
    ways = provider.limits.delivery["image"]
    return "upload" in ways and "inline" not in ways


CHOSEN = [
    (provider_id, point)
    for provider_id, point in (
        itertools.product(FAKES, POINTS) if os.environ.get(ALL) else REPRESENTATIVE
    )
    if point != "during an upload" or uploads_pictures(providers.get(FAKES[provider_id].provider))
]


@dataclass
class Line:
    """One line of the table."""

    point: str
    provider: str
    creates: int
    videos: int
    result: str


@pytest.fixture(scope="module")
def table() -> Iterator[list[Line]]:
    """What came of each kill, printed at the end (see it with -s)."""
    lines: list[Line] = []
    yield lines
    print(f"\n\n{'killed':<28}{'provider':<12}{'creates':>8}{'videos':>8}  result of the next run")
    for line in sorted(lines, key=lambda each: (POINTS.index(each.point), each.provider)):
        print(
            f"{line.point:<28}{line.provider:<12}{line.creates:>8}{line.videos:>8}  {line.result}"
        )


class Counter:
    """A command line in processes of its own, always with the same order, and its fake."""

    def __init__(self, fake: Fake, folder: Path) -> None:
        self.fake = fake
        self.folder = folder
        self.video = folder / "video.mp4"
        self.marker = folder / "stopped"
        self._killed = threading.Event()
        self.desk = Desk(fake, folder)
        self.provider = providers.get(fake.provider)(self.desk.settings().config(fake.provider))
        self._words = ["generate", "--provider", fake.provider, "--prompt", "a fox", "--json"]
        self._words += ["--ratio", "16:9", "-o", str(self.video)]
        self.order = self.desk.order()
        if {"inline", "upload"} & {*self.provider.delivery("image")}:
            picture = folder / "picture.png"
            Image.effect_noise((800, 600), 60).convert("RGB").save(picture)
            self.order = self.desk.order(first_frame=Medium.from_path("image", picture))
            self._words += ["--image", str(picture)]

    def process(self, point: str = "nowhere") -> subprocess.Popen[str]:
        """A process that orders, and stops at a point."""
        environment = {
            **os.environ,
            **self.fake.environment(),
            "SEEDANCE_HOME": str(self.folder / "home"),
            "SEEDANCE_POLL_INTERVAL": "0.05",
        }
        command = [sys.executable, str(CHILD), point, str(self.marker), *self._words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)

    @property
    def create_url(self) -> str:
        """Where the order's create goes."""
        quotes = self.desk.runner().check(self.order)
        return next(quote.url for quote in quotes if quote.provider == self.fake.provider)

    def kill_at(self, point: str) -> None:
        """Order in a process, and kill it at a point."""
        if point in STOPPED_IN_THE_CHILD:
            child = self.process(point)
            until(lambda: self.marker.exists() or self._ended(child))
        else:
            held = self._hold(point)
            child = self.process()
            until(lambda: held() or self._ended(child))
        child.kill()
        child.communicate()
        self._killed.set()

    def _hold(self, point: str) -> Any:
        """Let the fake hold the requests of a point; returns whether it does."""
        url, fake = self.create_url, self.fake
        held: list[Request] = []

        def is_create(request: Request) -> bool:
            return request.method == "POST" and fake.url + request.path == url

        def is_held(request: Request) -> bool:
            if point.startswith("create"):
                found = is_create(request)
            elif point == "polling":
                found = fake.creates > 0 and not is_create(request) and not is_result(request)
            else:
                found = fake.creates == 0 and not is_create(request)
            if found:
                held.append(request)
            if found and point == "create sent":
                self._killed.wait(600)  # the fake has the request, and does nothing about it
            return found

        fake.fault(is_held, "reset" if point == "create sent" else "hang:600")
        if point == "create accepted":
            return lambda: fake.creates
        return lambda: held

    @staticmethod
    def _ended(child: subprocess.Popen[str]) -> bool:
        if child.poll() is not None:
            raise AssertionError(f"it ended before it was killed: {child.communicate()}")
        return False

    def next_run(self) -> dict[str, Any]:
        """The same order again, in another process: its JSON, with the exit code."""
        child = self.process()
        out, err = child.communicate()
        assert out, err
        record: dict[str, Any] = json.loads(out)
        return {"exit": child.returncode, **record}


@pytest.mark.parametrize(("provider_id", "point"), CHOSEN)
def test_a_kill_costs_nothing_twice_and_loses_nothing(
    provider_id: str, point: str, tmp_path: Path, table: list[Line]
) -> None:
    with FAKES[provider_id](polls_until_done=1) as fake:
        counter = Counter(fake, tmp_path)
        counter.kill_at(point)
        paid = fake.creates
        outcome = counter.next_run()
        error = outcome.get("error") or {}
        result = error.get("kind") or outcome["state"]
        videos = sum(path.suffix == ".mp4" for path in tmp_path.iterdir())
        table.append(Line(point, provider_id, fake.creates, videos, result))

        # A list of tasks tells of what arrived; an idempotency key makes one task of both creates.
        cleared = counter.provider.can("idempotency") or (counter.provider.can("find") and paid)
        if point in UNCLEAR_POINTS and not cleared:
            assert (outcome["exit"], result, videos) == (5, "Unclear", 0)
            assert "seedance forget 1" in error["hint"]
            assert fake.creates == paid
        else:
            assert (outcome["exit"], result, videos) == (0, "saved", 1)
            assert counter.video.read_bytes() == fake.clip
            assert fake.creates == 1
        assert not list(tmp_path.glob("*.part"))
