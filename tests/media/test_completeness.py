"""A video that was cut off is told from a whole one, with nobody saying how long it is."""

from __future__ import annotations

from pathlib import Path

import av
import clips
import numpy as np
import pytest

from seedance import media
from seedance.errors import BadOrder


def remuxed(source: Path, target: Path, **options: str) -> bytes:
    """The bytes of a clip in another container, its streams copied."""
    with av.open(str(source)) as given, av.open(str(target), "w", options=options) as made:
        # Without `opaque`, PyAV 14 loses the header of the pictures.
        add = made.add_stream_from_template
        streams = {one.index: add(one, opaque=True) for one in given.streams}
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                made.mux(packet)
    return target.read_bytes()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    noise = np.random.default_rng(3).integers(0, 255, (48, 90, 160, 3)).astype("uint8")
    clips.write(path, audio=True, width=320, height=180)
    media.write_clip(path.with_name("noise.mp4"), iter(noise), 24)
    return path


KINDS = {
    "index first": ("a.mp4", {"movflags": "faststart"}),
    "index last": ("b.mp4", {}),
    "fragments": ("c.mp4", {"movflags": "frag_keyframe+empty_moov", "frag_duration": "200000"}),
    "matroska": ("d.mkv", {}),
}
# A file that is written while it is made does not say how long it is.
PARTS = {**KINDS, "webm": ("e.webm", {}), "webm of unknown length": ("f.webm", {"live": "1"})}


@pytest.fixture(scope="module")
def vp9(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vp9") / "clip.webm"
    with av.open(str(path), "w") as made:
        stream = made.add_stream("libvpx-vp9", rate=24, options={"cpu-used": "8"})
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        for picture in np.random.default_rng(3).integers(0, 255, (24, 90, 160, 3), np.uint8):
            made.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        made.mux(stream.encode())
    return path


@pytest.mark.parametrize("kind", PARTS)
def test_a_video_that_lacks_only_its_end_is_told(
    clip: Path, vp9: Path, tmp_path: Path, kind: str
) -> None:
    name, options = PARTS[kind]
    source = vp9 if name.endswith(".webm") else clip.with_name("noise.mp4")
    data = remuxed(source, tmp_path / name, **options)
    media.check_complete(tmp_path / name)
    for lacks in (1, 9, 200, len(data) // 50, len(data) // 10, len(data) // 2):
        (tmp_path / f"cut-{name}").write_bytes(data[:-lacks])
        with pytest.raises(BadOrder, match=r"cut off|not a readable"):
            media.check_complete(tmp_path / f"cut-{name}")


@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("more", [bytes(3), bytes(400), b"anything at all"])
def test_what_follows_a_whole_video_does_not_matter(
    clip: Path, vp9: Path, tmp_path: Path, kind: str, more: bytes
) -> None:
    name, options = PARTS[kind]
    data = remuxed(vp9 if name.endswith(".webm") else clip, tmp_path / name, **options)
    (tmp_path / name).write_bytes(data + more)
    media.check_complete(tmp_path / name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", ["clip.mp4", "noise.mp4"])
def test_a_whole_video_is_whole_and_a_cut_one_is_not(
    clip: Path, tmp_path: Path, kind: str, source: str
) -> None:
    name, options = KINDS[kind]
    data = remuxed(clip.with_name(source), tmp_path / name, **options)
    media.check_complete(tmp_path / name)
    # The last tenth of a small Matroska file is its index.
    for part in (0.6, 0.9) if source == "noise.mp4" else (0.6,):
        (tmp_path / f"cut-{name}").write_bytes(data[: int(len(data) * part)])
        with pytest.raises(BadOrder):
            media.check_complete(tmp_path / f"cut-{name}")


def test_a_video_whose_pictures_run_to_the_end_of_the_file_is_counted(
    clip: Path, tmp_path: Path
) -> None:
    """An `mdat` of length 0 goes on to the end, wherever that is."""
    data = bytearray(remuxed(clip, tmp_path / "a.mp4", movflags="faststart"))
    at = data.rindex(b"mdat") - 4
    data[at : at + 4] = bytes(4)
    (tmp_path / "open.mp4").write_bytes(data)
    media.check_complete(tmp_path / "open.mp4")
    (tmp_path / "cut.mp4").write_bytes(data[: int(len(data) * 0.7)])
    with pytest.raises(BadOrder, match="cut off"):
        media.check_complete(tmp_path / "cut.mp4")
