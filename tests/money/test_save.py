"""What lies in the output folder when a video is saved."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import av
import clips
import numpy as np
import pytest

from seedance import media
from seedance.errors import BadOrder
from seedance.runner import files

RECORD: dict[str, Any] = {"task": "lumenfall:vid_1", "seed": 7}


def part_of(folder: Path, **clip: Any) -> files.Files:
    paths = files.Files(folder / "video.mp4")
    clips.write(paths.part, **clip)
    return paths


def test_the_video_its_last_frame_and_its_record_lie_side_by_side(tmp_path: Path) -> None:
    paths = part_of(tmp_path, audio=True)
    last = media.last_frame(paths.part)
    measured = files.finish(paths, RECORD, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "video.last.png",
        "video.mp4",
        "video.seedance.json",
    ]
    assert np.array_equal(media.read_picture(paths.last_frame), last)
    sidecar = json.loads(paths.sidecar.read_text("utf-8"))
    assert sidecar["task"] == "lumenfall:vid_1"
    assert {name: sidecar[name] for name in measured} == measured
    assert (measured["frames"], measured["has_audio"], measured["seed"]) == (12, True, 7)


@pytest.mark.skipif(
    int(av.__version__.partition(".")[0]) < 18, reason="an older PyAV cannot copy with other tags"
)
def test_an_untagged_hd_clip_gets_its_tags_and_keeps_its_pictures(tmp_path: Path) -> None:
    paths = part_of(tmp_path, width=1280, height=720)
    before = media.decode_frames(paths.part)
    files.finish(paths, RECORD, None)
    assert media.probe(paths.video).matrix == clips.BT709
    assert np.array_equal(media.decode_frames(paths.video), before)


def test_a_small_clip_stays_as_it_came(tmp_path: Path) -> None:
    paths = part_of(tmp_path)
    came = paths.part.read_bytes()
    files.finish(paths, RECORD, None)
    assert paths.video.read_bytes() == came


def test_a_clip_whose_colours_cannot_be_tagged_stays_as_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(path: Path, info: media.ClipInfo | None = None) -> bool:
        raise RuntimeError("a muxer's bad day")

    monkeypatch.setattr(media, "tag_colour", broken)
    paths = part_of(tmp_path, width=1280, height=720)
    came = paths.part.read_bytes()
    with caplog.at_level("WARNING", logger=files.__name__):
        files.finish(paths, RECORD, None)
    assert paths.video.read_bytes() == came
    (said,) = caplog.messages
    assert said == 'The colours of video.mp4 stay untagged: RuntimeError("a muxer\'s bad day")'


def test_a_finished_video_is_known_again_by_ticket_and_bytes(tmp_path: Path) -> None:
    paths = part_of(tmp_path)
    measured = files.finish(paths, RECORD, None)
    assert files.already_finished(paths, "lumenfall:vid_1") == measured
    assert files.already_finished(paths, "lumenfall:vid_2") is None
    paths.video.write_bytes(paths.video.read_bytes()[:-1])
    assert files.already_finished(paths, "lumenfall:vid_1") is None


@pytest.mark.parametrize("what", ["a folder", "a device"])
def test_what_a_video_cannot_replace_is_called_by_its_name(tmp_path: Path, what: str) -> None:
    place = tmp_path if what == "a folder" else Path(os.devnull)
    if not place.exists():
        pytest.skip("there is no such device")
    with pytest.raises(BadOrder, match=f" is {what}"):
        files.check_target(place)
    files.check_target(tmp_path / "new.mp4")
