"""What is written anew is what a person sees of a clip: turned, in shape, in colour."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import clips
import numpy as np
import pytest

from seedance import media
from seedance.media.clips import ClipPlan, convert_clip
from seedance.order import Medium
from seedance.wire import MediaLimits

SMALLER = MediaLimits(("video/mp4",), sides=(16, 120))

# a, b, c, d of the display matrix, and what it makes of a picture.
TURNS: dict[str, tuple[tuple[int, int, int, int], Any]] = {
    "phone upright": ((0, 1, -1, 0), lambda picture: np.rot90(picture, -1)),
    "phone upside down": ((0, -1, 1, 0), np.rot90),
    "half a turn": ((-1, 0, 0, -1), lambda picture: picture[::-1, ::-1]),
    "mirrored": ((-1, 0, 0, 1), lambda picture: picture[:, ::-1]),
    "mirrored and turned": ((0, 1, 1, 0), lambda picture: picture.swapaxes(0, 1)),
}


def written_anew(path: Path, work: Path) -> Path:
    """The clip as it goes up where only sides of 120 pixels are taken."""
    blob, changes = media.clip_blob(
        Medium.from_path("video", path), SMALLER, nearest=True, work_dir=work
    )
    assert changes and blob.path is not None and blob.path != path
    info = media.probe(blob.path)
    assert info.plain and (blob.width, blob.height) == (info.width, info.height)
    return blob.path


def small(picture: np.ndarray, path: Path) -> np.ndarray:
    """`picture` at the size of the clip at `path`."""
    info = media.probe(path)
    return media.fit_cover(np.ascontiguousarray(picture), info.width, info.height).astype(int)


@pytest.mark.parametrize("name", TURNS)
def test_a_turned_clip_goes_up_upright(tmp_path: Path, name: str) -> None:
    matrix, seen = TURNS[name]
    path = clips.turned(tmp_path / "a.mp4", matrix)
    width, height = seen(clips.pattern(160, 96)).shape[1::-1]
    info = media.probe(path)
    assert (info.width, info.height, info.stored) == (width, height, (160, 96))
    result = written_anew(path, tmp_path)
    first, last = media.decode_frames(result)[0] * 255, media.last_frame(result)
    assert np.abs(first - small(seen(clips.pattern(160, 96, 0)), result)).mean() < 4
    assert np.abs(last - small(seen(clips.pattern(160, 96, 11)), result)).mean() < 4


@pytest.mark.parametrize("name", TURNS)
def test_every_way_to_read_a_turned_clip_gives_what_is_seen(tmp_path: Path, name: str) -> None:
    matrix, seen = TURNS[name]
    path = clips.turned(tmp_path / "a.mp4", matrix)
    expected = seen(clips.pattern(160, 96, 11)).astype(int)
    frames = media.decode_frames(path)
    assert np.abs(frames[-1] * 255 - expected).mean() < 4
    assert np.abs(list(media.iter_frames(path))[-1] - expected).mean() < 4
    assert np.abs(media.last_frame(path) - expected).mean() < 4


def test_a_turned_clip_that_fits_goes_up_byte_for_byte_with_its_matrix(tmp_path: Path) -> None:
    path = clips.turned(tmp_path / "a.mp4", TURNS["phone upright"][0])
    limits = MediaLimits(("video/mp4",))
    medium = Medium.from_path("video", path)
    blob, changes = media.clip_blob(medium, limits, nearest=True, work_dir=tmp_path)
    assert (blob.path, changes, (blob.width, blob.height)) == (path, [], (96, 160))


def with_aspect(path: Path, aspect: Fraction) -> Path:
    with av.open(str(path), "w", format="matroska") as out:
        stream: Any = out.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 180, 144, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(clips.pattern(180, 144, number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("aspect", "seen"),
    [
        (Fraction(64, 45), (256, 144)),
        (Fraction(16, 15), (192, 144)),
        (Fraction(8, 9), (160, 144)),
        (Fraction(1), (180, 144)),
        (Fraction(60_000, 1), (180, 144)),  # nonsense is not believed
    ],
)
def test_pixels_that_are_not_square_become_square(
    tmp_path: Path, aspect: Fraction, seen: tuple[int, int]
) -> None:
    path = with_aspect(tmp_path / "a.mkv", aspect)
    info = media.probe(path)
    assert (info.width, info.height) == seen
    result = media.probe(written_anew(path, tmp_path))
    assert result.width / result.height == pytest.approx(seen[0] / seen[1], rel=0.03)  # even sides
    assert media.last_frame(path).shape == (seen[1], seen[0], 3)


# ----------------------------------------------------------------------------------- colour

BT2020, P3, PQ, HLG = 9, 12, 16, 18


def pq(nits: float) -> float:
    """The PQ signal of an absolute brightness (SMPTE ST 2084)."""
    power = (nits / 10000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


def flat(path: Path, rgb: tuple[float, float, float], transfer: int, primaries: int) -> Path:
    """A 10-bit clip of one colour, its signal in 0..1, as Y, U and V of BT.2020 or BT.709."""
    matrix = BT2020 if primaries == BT2020 else 1
    red, blue = (0.2627, 0.0593) if matrix == BT2020 else (0.2126, 0.0722)
    r, g, b = rgb
    y = red * r + (1 - red - blue) * g + blue * b
    u, v = (b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red)
    planes = (round(64 + 876 * y), round(512 + 896 * u), round(512 + 896 * v))
    with av.open(str(path), "w", format="mp4") as out:
        stream: Any = out.add_stream("libx265", rate=24)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p10le"
        stream.options = {"x265-params": "log-level=none:bframes=0:qp=0"}
        context = stream.codec_context
        context.colorspace, context.color_range = matrix, 1
        context.color_primaries, context.color_trc = primaries, transfer
        for number in range(6):
            frame = clips.flat(160, 96, planes, "yuv420p10le")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def srgb(light: float) -> float:
    level = 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    return level * 255


@pytest.mark.parametrize(
    ("signal", "transfer", "primaries", "seen"),
    [
        ((pq(203),) * 3, PQ, BT2020, (255, 255, 255)),
        ((pq(1000),) * 3, PQ, BT2020, (255, 255, 255)),
        ((pq(0),) * 3, PQ, BT2020, (0, 0, 0)),
        ((pq(203 * 0.18),) * 3, PQ, BT2020, (srgb(0.18),) * 3),
        ((pq(203 * 0.01),) * 3, PQ, BT2020, (srgb(0.01),) * 3),
        ((0.75,) * 3, HLG, BT2020, (255, 255, 255)),
        ((0.0,) * 3, HLG, BT2020, (0, 0, 0)),
        ((0.5,) * 3, HLG, BT2020, (srgb(1000 / 203 * (1 / 12) ** 1.2),) * 3),
        ((0.0, 1.0, 0.0), 1, P3, (0, 255, 0)),
        ((0.5, 0.5, 0.5), 1, P3, (128, 128, 128)),
        # A red and a green of sRGB, in Display P3 and BT.2020.
        ((234 / 255, 51 / 255, 35 / 255), 13, P3, (255, 0, 0)),
        (
            (pq(203 * 0.3988), pq(203 * 0.5759), pq(203 * 0.3264)),
            PQ,
            BT2020,
            (srgb(0.3), srgb(0.6), srgb(0.3)),
        ),
    ],
)
def test_hdr_and_wide_gamuts_become_srgb(
    tmp_path: Path,
    signal: tuple[float, float, float],
    transfer: int,
    primaries: int,
    seen: tuple[float, float, float],
) -> None:
    path = flat(tmp_path / "a.mp4", signal, transfer, primaries)
    result = written_anew(path, tmp_path)
    info = media.probe(result)
    assert (info.matrix, info.primaries, info.transfer, info.colour_range) == (1, 1, 1, 1)
    for read in (media.last_frame(path), media.last_frame(result)):
        assert np.abs(read[read.shape[0] // 2, read.shape[1] // 2] - np.array(seen)).max() <= 5


@pytest.mark.parametrize("matrix", [clips.BT709, clips.BT601])
@pytest.mark.parametrize("colour_range", [clips.LIMITED, clips.FULL])
@pytest.mark.parametrize("size", [(160, 96), (80, 48)])
def test_full_range_is_kept_as_it_is_seen(
    tmp_path: Path, matrix: int, colour_range: int, size: tuple[int, int]
) -> None:
    planes = (120, 100, 160)
    path = clips.write(
        tmp_path / "a.mp4", planes=planes, matrix=matrix, colour_range=colour_range, frames=3
    )
    convert_clip(path, tmp_path / "b.mp4", ClipPlan(*size))
    expected = clips.rgb_of(planes, matrix=matrix, full=colour_range == clips.FULL) * 255
    assert np.abs(media.last_frame(tmp_path / "b.mp4")[24, 40] - expected).max() <= 2.5
