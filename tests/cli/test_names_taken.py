"""Two orders that are to be saved under one name: neither replaces the other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import fakes
import pytest
from command_line import FOX, Command
from running import Desk, until

from seedance.runner import places
from seedance.runner.files import Files

pytestmark = pytest.mark.slow


def test_a_name_that_an_order_under_way_will_have_is_refused_before_it_is_paid(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = tmp_path / "a.mp4"
    lumenfall.polls_until_done = 10**6
    with monkeypatch.context() as patched:
        patched.setenv("SEEDANCE_TIMEOUT", "0")
        assert command(*FOX, "-o", name).code == 7
    ran = command(*FOX, "--seed", "1", "-o", name, "--json")
    assert (ran.code, ran.json["error"]["spent"]) == (2, "no")
    assert f"Row 1 is running, and is to be saved as {name}" in ran.json["error"]["message"]
    assert lumenfall.creates == 1
    lumenfall.polls_until_done = 0
    assert command(*FOX, "-o", name).code == 0  # its own order joins it


def test_two_processes_save_under_one_name_beside_each_other(
    lumenfall: fakes.Fake, tmp_path: Path
) -> None:
    """Each with a journal of its own, so that neither knows of the other."""
    lumenfall.polls_until_done = 10**6
    name = tmp_path / "a.mp4"
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "seedance", *FOX, "--seed", str(seed), "-o", str(name)],
            env={
                **os.environ,
                "SEEDANCE_POLL_INTERVAL": "0.05",
                "SEEDANCE_HOME": str(tmp_path / f"home {seed}"),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in (1, 2)
    ]
    until(lambda: lumenfall.creates == 2 or any(child.poll() for child in children))
    lumenfall.polls_until_done = 0
    said = [child.communicate() for child in children]
    assert [child.returncode for child in children] == [0, 0], said
    files = sorted(Path(out.strip()) for out, _ in said)
    assert files == [tmp_path / "a-2.mp4", name]
    for file in files:
        assert file.read_bytes() == lumenfall.clip
        assert Files(file).last_frame.is_file()
    tasks = {places.read_sidecar(Files(file))["task"] for file in files}
    assert tasks == {"lumenfall:vid_0001", "lumenfall:vid_0002"}


def test_a_name_is_claimed_by_one_row_and_given_back(lumenfall: fakes.Fake, tmp_path: Path) -> None:
    desk = Desk(lumenfall, tmp_path)
    desk.video(seed=1)
    desk.video(seed=2)
    two, one = desk.rows()
    name = tmp_path / "a.mp4"
    assert places.claim(name, one)
    assert places.claim(name, one)  # again, after a crash
    assert not places.claim(name, two)
    places.give_up(Files(name), two)
    assert not places.claim(name, two)
    places.give_up(Files(name), one)
    assert places.claim(name, two)


def test_a_video_that_cannot_be_fetched_leaves_no_name_taken(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path
) -> None:
    clip, lumenfall._clip = lumenfall.clip, b"no video"
    name = tmp_path / "a.mp4"
    assert command(*FOX, "-o", name).code == 7
    assert list(tmp_path.glob("a*")) == []
    lumenfall._clip = clip
    assert command(*FOX, "-o", name).code == 0
    assert name.read_bytes() == clip
