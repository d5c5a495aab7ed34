"""Two machines with one journal on PostgreSQL: each gets what the other ordered."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import fakes
import pytest
from bucket import Bucket
from running import Desk, is_poll, until

from seedance.errors import SeedanceError
from seedance.journal.journal import LEASE_SECONDS
from seedance.runner import Runner, poll

pytestmark = pytest.mark.slow


@pytest.fixture
def fake() -> Iterator[fakes.Fake]:
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        yield fake


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with Bucket(tmp_path) as there:
        for name, value in there.environment.items():
            if name.startswith("AWS"):
                monkeypatch.setenv(name, value)
        yield there


class Machine(Desk):
    """A machine with folders of its own. What it saves says its name."""

    def __init__(self, fake: fakes.Fake, folder: Path, url: str, **environment: str) -> None:
        super().__init__(fake, folder, SEEDANCE_JOURNAL_URL=url, **environment)
        self.name = folder.name


@pytest.fixture
def by_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedance.runner.places.socket.gethostname", lambda: "renderbox")


def forgotten(fake: fakes.Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider forgets its tasks."""
    fake.tasks.clear()
    monkeypatch.setattr(poll, "UNKNOWN_SECONDS", 0.0)
    monkeypatch.setattr("seedance.runner.collect.QUESTIONS", 3)


def test_another_machine_takes_it_by_ticket_while_the_provider_has_it(
    fake: fakes.Fake, postgres_url: str, tmp_path: Path
) -> None:
    one, two = (Machine(fake, tmp_path / name, postgres_url) for name in ("one", "two"))
    first = one.video()
    one.output.rename(tmp_path / "out of reach")
    for result in (two.video(), two.runner().collect(first.task).wait()):
        assert result.file.parent == two.output
        assert result.file.read_bytes() == fake.clip
        assert result.last_frame.parent == two.output
    assert not one.output.exists()
    (tmp_path / "out of reach").rename(one.output)
    assert one.video().file.parent == one.output
    assert fake.creates == 1


def test_a_shared_folder_may_be_mounted_elsewhere(
    fake: fakes.Fake, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (Machine(fake, tmp_path / name, postgres_url) for name in ("one", "two"))
    first = one.video()
    two.output.parent.mkdir()
    one.output.rename(two.output)
    forgotten(fake, monkeypatch)
    assert two.video().file == two.output / first.file.name


def test_the_bucket_has_it_after_the_provider_has_forgotten_it(
    fake: fakes.Fake,
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bucket: Bucket,
) -> None:
    more = {**bucket.environment, "SEEDANCE_S3_RESULTS": "1"}
    one, two = (Machine(fake, tmp_path / name, postgres_url, **more) for name in ("one", "two"))
    first = one.video()
    kept = {path.name: path.read_bytes() for path in one.output.iterdir()}
    one.output.rename(tmp_path / "out of reach")
    forgotten(fake, monkeypatch)
    # Without the provider's key too.
    result = two.runner(LUMENFALL_API_KEY="").collect(first.task).wait()
    assert result.file.parent == two.output
    assert {path.name: path.read_bytes() for path in two.output.iterdir()} == kept
    assert len(bucket.names) == 3
    sent = len(bucket.requests)
    assert two.video().file == result.file
    assert len(bucket.requests) == sent

    bucket.client.put_object(Bucket="mine", Key=next(n for n in bucket.names if n.endswith("mp4")))
    result.file.unlink()
    with pytest.raises(SeedanceError):  # not what was saved
        two.video()
    assert not result.file.exists()


def test_without_either_it_says_on_which_machine_the_file_is(
    fake: fakes.Fake,
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    by_machine: None,
) -> None:
    one, two = (Machine(fake, tmp_path / name, postgres_url) for name in ("one", "two"))
    first = one.video()
    one.output.rename(tmp_path / "out of reach")
    forgotten(fake, monkeypatch)
    monkeypatch.setattr("seedance.runner.places.socket.gethostname", lambda: "laptop")
    for environment in ({}, {"LUMENFALL_API_KEY": ""}):
        with pytest.raises(SeedanceError) as caught:
            two.video(two.runner(**environment))
        assert "renderbox" in str(caught.value)
        assert str(first.file) in str(caught.value)
        assert caught.value.spent == "yes"
    (tmp_path / "out of reach").rename(one.output)
    assert one.video().file == first.file
    assert fake.creates == 0  # forgotten, and not paid again


@pytest.mark.parametrize("when", ["rendering", "downloading"])
def test_another_machine_finishes_what_a_killed_one_began(
    fake: fakes.Fake,
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    one, two = (Machine(fake, tmp_path / name, postgres_url) for name in ("one", "two"))
    if when == "rendering":
        fake.polls_until_done = 10**6
    else:
        fake.fault(lambda request: request.path.endswith(".mp4"), "hang:20", times=99)
    killed: Runner = one.runner()
    killed.journal.holder = "elsewhere#1#0badcafe"  # a machine that we cannot look into
    killed.start(one.order())
    until(lambda: any(map(is_poll, fake.requests)) and (when == "rendering" or _began(fake)))
    monkeypatch.setattr(killed, "_beat", lambda: None)
    killed._worker._heartbeat = lambda: None
    for active in list(killed._worker._active):
        monkeypatch.setattr(active, "release", lambda: None)
    killed.close(0.1)
    fake.polls_until_done = 0
    fake._faults.clear()
    two_runner = two.runner()
    now = two_runner.journal._clock()
    two_runner.journal._clock = lambda: now + LEASE_SECONDS + 1
    result = two.video(two_runner)
    assert result.file.parent == two.output
    assert fake.creates == 1
    assert not [name for name in os.listdir(two.output) if name.endswith(".part")]


def _began(fake: fakes.Fake) -> bool:
    return any(request.path.endswith(".mp4") for request in fake.requests)
