"""Names from old disks, which are not UTF-8: the journal and sidecars cannot hold them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import clips
import fakes
import numpy as np
import pytest
from command_line import FOX, Command
from PIL import Image

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere the file system takes no such name"
)
OLD = os.fsdecode(b"caf\xe9")  # in ISO 8859-1


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder with such a name."""
    folder = tmp_path / OLD
    folder.mkdir()
    return folder


def test_nothing_is_paid_that_could_be_saved_nowhere(
    command: Command, lumenfall: fakes.Fake, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (old / "a.mp4", old.parent / f"{OLD}.mp4"):
        ran = command(*FOX, "-o", place, "--json")
        error = ran.json["error"]
        assert (ran.code, error["kind"], error["spent"]) == (2, "BadOrder", "no"), ran.err
        assert "is not UTF-8" in error["message"]
    monkeypatch.setenv("SEEDANCE_OUTPUT", str(old))
    ran = command(*FOX, "--json")
    assert (ran.code, ran.json["error"]["spent"]) == (2, "no"), ran.err
    assert "Traceback" not in ran.err
    assert lumenfall.creates == 0


def test_a_picture_with_such_a_name_is_a_picture_like_any_other(
    command: Command, lumenfall: fakes.Fake, old: Path, tmp_path: Path
) -> None:
    picture = old / f"{OLD}.png"
    Image.fromarray(np.full((480, 640, 3), 90, np.uint8)).save(picture)
    ran = command(*FOX, "--image", picture, "-o", tmp_path / "a.mp4", "--json")
    assert ran.code == 0, ran.err
    assert (tmp_path / "a.mp4").exists()
    assert lumenfall.creates == 1


def test_a_clip_with_such_a_name_can_be_converted(old: Path, tmp_path: Path) -> None:
    from seedance import media
    from seedance.order import Medium
    from seedance.wire import MediaLimits

    clip = clips.write(old / f"{OLD}.mp4", frames=12)
    limits = MediaLimits(("video/mp4",), fps=(30, 60))
    blob, changes = media.clip_blob(
        Medium.from_path("video", clip), limits, nearest=True, work_dir=tmp_path
    )
    assert blob.fps == 30
    assert changes


def test_doctor_names_a_journal_in_such_a_folder(
    command: Command, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDANCE_HOME", str(old / "100%"))
    ran = command("doctor")
    assert "Traceback" not in ran.err
    assert "100%/journal.db" in ran.out
