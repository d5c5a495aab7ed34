"""ComfyUI's graph in saved files: there to be read, without a change to what is seen and heard."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from pathlib import Path

import av
import clips
import numpy as np
import pytest
from PIL import Image

from seedance import embedded, media
from seedance.media.packets import same_packets
from seedance.order import Medium
from seedance.wire import MediaLimits

WORKFLOW = {"nodes": [{"id": 1, "type": "SeedanceT2V", "title": "kilocalories, für 猫"}] * 200}
GRAPH = {
    "prompt": json.dumps({"1": {"class_type": "SeedanceT2V", "inputs": {"prompt": "a fox"}}}),
    "workflow": json.dumps(WORKFLOW),
}
OTHER = {"prompt": "{}", "workflow": json.dumps({"nodes": []})}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 s with sound, its index behind its media."""
    return clips.write(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=48, audio=True)


def texts_in(file: Path) -> dict[str, str]:
    with av.open(str(file)) as container:
        return dict(container.metadata)


# How the index stands in the file, and what it says already.
KINDS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "index last": ({}, {}),
    "index first": ({"movflags": "+faststart"}, {"comment": "made by a machine"}),
    "texts by key": ({"movflags": "+faststart+use_metadata_tags"}, {"AIGC": '{"Label": "1"}'}),
    "nothing else": ({"movflags": "+faststart", "fflags": "+bitexact"}, {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_carries_its_graph_and_stays_what_it_is(
    clip: Path, tmp_path: Path, kind: str
) -> None:
    options, metadata = KINDS[kind]
    file = clips.packed(clip, tmp_path / "a.mp4", metadata, **options)
    before = shutil.copyfile(file, tmp_path / "before.mp4")
    came, said = file.read_bytes(), texts_in(file)
    frames = media.decode_frames(file)
    assert media.add_graph(file, GRAPH) is True
    assert {name: texts_in(file)[name] for name in GRAPH} == GRAPH
    assert {name: texts_in(file).get(name) for name in said} == said
    assert same_packets(file, before)
    assert np.array_equal(media.decode_frames(file), frames)
    assert came[came.index(b"mdat") :][:5000] in file.read_bytes()
    assert b"".join(embedded.without(file) or ()) == came
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "before.mp4"]


def test_packets_are_the_same_whatever_a_second_is_counted_in(clip: Path, tmp_path: Path) -> None:
    again = clips.packed(clip, tmp_path / "a.mp4", {}, video_track_timescale="600")
    assert same_packets(clip, again) and same_packets(again, clip)


@pytest.mark.parametrize("change", ["a byte", "a time", "one is missing"])
def test_other_packets_are_not_the_same(clip: Path, tmp_path: Path, change: str) -> None:
    other = tmp_path / "a.mp4"
    frames = {"a time": 48, "a byte": 48, "one is missing": 47}[change]
    clips.write(other, frames=frames, fps=25 if change == "a time" else 24, audio=True)
    if change == "a byte":
        data = bytearray(other.read_bytes())
        data[data.index(b"mdat") + 4000] ^= 1
        other.write_bytes(data)
    assert same_packets(clip, other) is False


def test_a_picture_carries_its_graph_and_stays_what_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    pixels = clips.pattern(64, 48)
    media.save_png(file, pixels)
    came = file.read_bytes()
    assert media.add_graph(file, GRAPH) is True
    with Image.open(file) as picture:
        picture.load()
        assert {name: picture.text[name] for name in GRAPH} == GRAPH  # type: ignore[attr-defined]
    assert np.array_equal(media.read_picture(file), pixels)
    assert came[33:] in file.read_bytes()
    assert b"".join(embedded.without(file) or ()) == came


def test_a_file_with_a_manifest_keeps_its_bytes(tmp_path: Path) -> None:
    clip = clips.with_manifest(clips.write(tmp_path / "a.mp4", width=1280, height=720, frames=3))
    came = clip.read_bytes()
    assert not media.tag_colour(clip) and not media.add_graph(clip, GRAPH)
    assert clip.read_bytes() == came
    picture = tmp_path / "a.png"
    media.save_png(picture, clips.pattern(64, 48))
    whole = picture.read_bytes()
    picture.write_bytes(whole[:33] + bytes(4) + b"caBX" + bytes(4) + whole[33:])
    came = picture.read_bytes()
    assert not media.add_graph(picture, GRAPH)
    assert picture.read_bytes() == came


@pytest.mark.parametrize("movflags", ["+frag_keyframe+empty_moov", "+faststart+use_metadata_tags"])
def test_a_clip_that_lets_no_graph_in_stays_as_it_came(
    clip: Path, tmp_path: Path, movflags: str
) -> None:
    """One in fragments, and one with somebody else's workflow."""
    file = clips.packed(clip, tmp_path / "a.mp4", {"workflow": "theirs"}, movflags=movflags)
    came = file.read_bytes()
    assert media.add_graph(file, GRAPH) is False
    assert file.read_bytes() == came
    assert embedded.without(file) is None


def test_a_clip_is_the_same_medium_with_any_graph(clip: Path, tmp_path: Path) -> None:
    """An order for its continuation is not paid again when it was fetched again."""
    came = clip.read_bytes()
    digests = set()
    for name, graph in (("none", {}), ("one", GRAPH), ("other", OTHER)):
        file = tmp_path / f"{name}.mp4"
        file.write_bytes(came)
        assert media.add_graph(file, graph) is bool(graph)
        digests.add(Medium.from_path("video", file).digest)
        digests.add(Medium.from_data("video", file.read_bytes()).digest)
    assert digests == {hashlib.sha256(b"bytes\0" + came).hexdigest()}


@pytest.mark.safety
def test_no_provider_is_sent_a_graph(clip: Path, tmp_path: Path) -> None:
    file, work = tmp_path / "a.mp4", tmp_path / "work"
    file.write_bytes(clip.read_bytes())
    media.add_graph(file, GRAPH)
    limits = MediaLimits(("video/mp4",))
    for medium in (Medium.from_path("video", file), Medium.from_data("video", file.read_bytes())):
        blob, changes = media.clip_blob(medium, limits, nearest=False, work_dir=work)
        assert blob.path is not None and blob.path.read_bytes() == clip.read_bytes()
        assert changes == [] and blob.size == clip.stat().st_size
    picture = tmp_path / "a.png"
    media.save_png(picture, clips.pattern(320, 320))
    came = picture.read_bytes()
    media.add_graph(picture, GRAPH)
    blob, _ = media.picture_blob(Medium.from_path("image", picture), MediaLimits(("image/png",)))
    assert blob.data == came


def test_a_damaged_file_is_no_error(clip: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    file.write_bytes(clip.read_bytes())
    media.add_graph(file, GRAPH)
    whole = file.read_bytes()
    index = whole.index(b"moov")
    chance = random.Random(1)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            at = chance.choice((chance.randrange(64), chance.randrange(index - 8, len(whole))))
            data[at] = chance.choice((0, 1, 255, chance.randrange(256)))
        damaged = bytes(data[: chance.randrange(len(data)) if chance.random() < 0.3 else None])
        for piece in embedded.without(damaged) or ():
            assert piece is not None
        assert len(embedded.digest(damaged)) == 64
