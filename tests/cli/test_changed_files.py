"""Files that were changed since they were saved: they stay, nothing is paid again, and what follows
is made from the clip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fakes
import numpy as np
import pytest
from command_line import FOX, Command, Ran
from PIL import Image

import seedance
from seedance import media

pytestmark = pytest.mark.slow


class Chain:
    """Two shots, of which the second starts on the last frame of the first."""

    def __init__(self, folder: Path, command: Command) -> None:
        self.out, self._command = folder / "out", command
        self._list = folder / "shots.json"
        shots = [{"name": "e1", "prompt": "A fox"}, {"name": "e2", "prompt": "On", "after": "e1"}]
        defaults = {"provider": "lumenfall", "ratio": "16:9"}
        self._list.write_text(json.dumps({"defaults": defaults, "shots": shots}))

    def batch(self, *words: object) -> Ran:
        return self._command("batch", self._list, "--out", self.out, *words)


@pytest.fixture
def chain(tmp_path: Path, command: Command, lumenfall: fakes.Fake) -> Chain:
    made = Chain(tmp_path, command)
    assert made.batch("--yes").code == 0
    return made


def retouch(picture: Path) -> bytes:
    """Paint a picture over; returns its bytes."""
    height, width, _ = media.read_picture(picture).shape
    Image.new("RGB", (width, height), (200, 10, 10)).save(picture)
    return picture.read_bytes()


def edit(file: Path) -> None:
    with file.open("ab") as end:
        end.write(b"zz")


# ------------------------------------------------------------------------------------------ a clip


@pytest.mark.parametrize("change", ["edited", "swapped", "edited, no picture"])
def test_a_changed_clip_of_a_list_stays_and_is_fetched_beside_it(
    chain: Chain, lumenfall: fakes.Fake, change: str
) -> None:
    file = chain.out / "e1.mp4"
    edit(file) if change.startswith("edited") else file.write_bytes(b"another clip")
    if change.endswith("no picture"):
        (chain.out / "e1.last.png").unlink()
    before = file.read_bytes()
    told = chain.batch("--estimate", "--json").json
    assert (told["there"], told["going_on"], told["to_make"]) in {(1, 1, 0), (0, 1, 1)}
    assert told["to_make"] == 0 or change.endswith("no picture")
    words = ["--yes"] if told["to_make"] else []
    for ran in (chain.batch(*words), chain.batch()):
        assert ran.code == 0, ran.err
        assert ran.out.split() == [str(chain.out / name) for name in ("e1_v2.mp4", "e2.mp4")]
    assert file.read_bytes() == before
    assert (chain.out / "e1_v2.mp4").read_bytes() == lumenfall.clip
    assert lumenfall.creates == 2


def test_that_a_changed_clip_is_fetched_again_is_said(chain: Chain, tmp_path: Path) -> None:
    edit(chain.out / "e1.mp4")
    assert "e1.mp4 was changed after it was saved" in chain.batch().err
    edit(chain.out / "e1_v2.mp4")
    shots = [{"name": "e1", "prompt": "A fox"}]
    done = seedance.batch(shots, provider="lumenfall", ratio="16:9", out=chain.out)
    (video,) = done.videos
    assert video.file == chain.out / "e1_v3.mp4" and video.reused
    assert any("was changed after" in note for note in video.notes)


@pytest.mark.parametrize("again", [FOX, ("collect", "lumenfall:vid_0001")])
def test_a_changed_clip_by_the_name_that_was_given_is_not_replaced(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path, again: tuple[str, ...]
) -> None:
    file = tmp_path / "a.mp4"
    assert command(*FOX, "-o", file).code == 0
    edit(file)
    before, sent = file.read_bytes(), len(lumenfall.requests)
    ran = command(*again, "-o", file)
    assert (ran.code, "--overwrite" in ran.err) == (2, True), ran.err
    assert (file.read_bytes(), len(lumenfall.requests)) == (before, sent)
    assert command(*again, "-o", tmp_path / "b.mp4").code == 0
    assert lumenfall.creates == 1


# -------------------------------------------------------------------------------- what lies beside


def test_notes_of_a_person_in_place_of_a_sidecar_stay_and_the_clip_is_there(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path
) -> None:
    file, sidecar = tmp_path / "a.mp4", tmp_path / "a.seedance.json"
    assert command(*FOX, "-o", file).code == 0
    sidecar.write_text('{"my": "notes"}')
    sent = len(lumenfall.requests)
    ran = command(*FOX, "-o", file)
    assert (ran.code, ran.out.split()) == (0, [str(file)]), ran.err
    assert sidecar.read_text() == '{"my": "notes"}'
    assert len(lumenfall.requests) == sent


@pytest.mark.parametrize("again", [FOX, ("collect", "lumenfall:vid_0001")])
@pytest.mark.parametrize("name", ["a.last.png", "a.seedance.json"])
def test_what_is_not_of_the_order_is_not_replaced_beside_a_clip_that_is_fetched_again(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path, name: str, again: tuple[str, ...]
) -> None:
    file, beside = tmp_path / "a.mp4", tmp_path / name
    assert command(*FOX, "-o", file).code == 0
    file.unlink()
    mine = retouch(beside) if name.endswith("png") else b'{"my": "notes"}'
    beside.write_bytes(mine)
    ran = command(*again, "-o", file)
    assert (ran.code, ran.out.split()) == (0, [str(tmp_path / "a-2.mp4")]), ran.err
    assert f"{beside} is not as it was saved" in ran.err
    assert beside.read_bytes() == mine and not file.exists()
    last = media.last_frame(tmp_path / "a-2.mp4")
    assert np.array_equal(media.read_picture(tmp_path / "a-2.last.png"), last)
    assert lumenfall.creates == 1


def test_a_list_replaces_no_picture_beside_a_clip_that_is_gone(
    chain: Chain, lumenfall: fakes.Fake
) -> None:
    (chain.out / "e2.mp4").unlink()
    mine = retouch(chain.out / "e2.last.png")
    ran = chain.batch()
    assert ran.code == 0 and "e2.last.png is not as it was saved" in ran.err
    assert ran.out.split()[1] == str(chain.out / "e2_v2.mp4")
    assert (chain.out / "e2.last.png").read_bytes() == mine
    assert lumenfall.creates == 2


def test_what_the_order_saved_itself_is_no_hindrance(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path
) -> None:
    file = tmp_path / "a.mp4"
    assert command(*FOX, "-o", file).code == 0
    for names in (["a.mp4"], ["a.mp4", "a.last.png"], ["a.mp4", "a.seedance.json"]):
        for name in names:
            (tmp_path / name).unlink()
        ran = command(*FOX, "-o", file)
        assert (ran.code, ran.out.split()) == (0, [str(file)]), ran.err
    assert lumenfall.creates == 1


def test_a_copy_that_is_there_keeps_the_picture_beside_it(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path
) -> None:
    a, b = tmp_path / "a.mp4", tmp_path / "b.mp4"
    assert command(*FOX, "-o", a).code == command(*FOX, "-o", b).code == 0
    mine = retouch(tmp_path / "b.last.png")
    ran = command(*FOX, "-o", b)
    assert (ran.code, ran.out.split()) == (0, [str(b)])
    assert (tmp_path / "b.last.png").read_bytes() == mine
    (tmp_path / "b.seedance.json").unlink()
    assert command(*FOX, "-o", b).out.split() == [str(b)]
    assert "order" in json.loads((tmp_path / "b.seedance.json").read_text())
    b.unlink()
    ran = command(*FOX, "-o", b)
    assert (ran.code, (tmp_path / "b.last.png").read_bytes()) == (0, mine)
    assert lumenfall.creates == 1


# ---------------------------------------------------------------------------------- the last frame


def test_a_shot_starts_on_the_frame_of_the_clip_not_on_a_retouched_picture(
    chain: Chain, lumenfall: fakes.Fake
) -> None:
    mine = retouch(chain.out / "e1.last.png")
    told = chain.batch("--estimate", "--json").json
    assert (told["there"], told["to_make"]) == (2, 0)
    assert chain.batch().code == 0
    assert (chain.out / "e1.last.png").read_bytes() == mine
    assert lumenfall.creates == 2


def test_a_picture_of_another_kind_in_its_place_is_not_read(
    chain: Chain, lumenfall: fakes.Fake
) -> None:
    (chain.out / "e1.last.png").write_bytes(b"no picture")
    assert chain.batch().code == 0
    (chain.out / "e1.seedance.json").unlink()  # it is made again from the journal
    assert chain.batch().code == 0
    assert lumenfall.creates == 2


def test_a_video_as_a_picture_is_its_last_frame_also_where_the_file_was_changed(
    lumenfall: fakes.Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDANCE_POLL_INTERVAL", "0.05")
    here: dict[str, Any] = {"provider": "lumenfall", "ratio": "16:9"}
    video = seedance.generate("A fox", output=tmp_path / "a.mp4", **here)
    first = seedance.generate("On", image=video, **here)
    mine = retouch(video.last_frame)
    assert seedance.generate("On", image=video, **here).task == first.task
    assert video.last_frame.read_bytes() == mine
    video.last_frame.unlink()
    assert seedance.generate("On", image=video, **here).task == first.task
    assert lumenfall.creates == 2


def test_a_sidecar_of_an_older_version_names_no_picture(
    chain: Chain, lumenfall: fakes.Fake
) -> None:
    sidecar = chain.out / "e1.seedance.json"
    record = json.loads(sidecar.read_text())
    del record["last_frame_sha256"]
    sidecar.write_text(json.dumps(record))
    assert chain.batch().code == 0
    assert lumenfall.creates == 2
