"""Clips of more than 8 bits, of 4:4:4 and of wide gamuts keep what they have: frames are within
half a level of 10 bits."""

from __future__ import annotations

from pathlib import Path

import av
import clips
import numpy as np
import pytest

from seedance import media

WIDTH, HEIGHT = 160, 96
LEVEL = 1 / 1023


def planes(full: bool) -> list[np.ndarray]:
    """Y, U and V of 10 bits, (height, width), whose colours can all be shown; none is a multiple of
    4 throughout, as those of 8 bits are."""
    x = np.arange(WIDTH)[None, :] + np.zeros((HEIGHT, 1), int)
    y = np.arange(HEIGHT)[:, None] + np.zeros((1, WIDTH), int)
    low = 250 if full else 300
    return [(low + 3 * x).astype("<u2"), (512 + y - 48).astype("<u2"), (512 - y + 48).astype("<u2")]


def write(path: Path, levels: list[np.ndarray], matrix: int, colour_range: int) -> Path:
    """A lossless clip of one frame, 4:4:4."""
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv444p10le")
    for plane, values in zip(frame.planes, levels):
        rows = np.zeros((plane.height, plane.line_size // 2), "<u2")
        rows[:, :WIDTH] = values
        plane.update(rows.tobytes())
    frame.pts, frame.colorspace, frame.color_range = 0, matrix, colour_range
    with av.open(str(path), "w") as out:
        video = out.add_stream("ffv1", rate=24)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv444p10le"
        video.codec_context.colorspace = matrix
        video.codec_context.color_range = colour_range
        out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def rgb(levels: list[np.ndarray], matrix: int, full: bool) -> np.ndarray:
    """By the definitions of BT.601 and BT.709, in doubles."""
    red, blue = (0.2126, 0.0722) if matrix == clips.BT709 else (0.299, 0.114)
    y, u, v = (plane.astype(float) for plane in levels)
    y, span = (y / 1023, 1023.0) if full else ((y - 64) / 876, 896.0)
    u, v = (u - 512) / span, (v - 512) / span
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    return np.stack([r, (y - red * r - blue * b) / (1 - red - blue), b], axis=-1)


@pytest.mark.parametrize("colour_range", [clips.LIMITED, clips.FULL])
@pytest.mark.parametrize("matrix", [clips.BT709, clips.BT601])
def test_ten_bits_stay_ten_bits(tmp_path: Path, matrix: int, colour_range: int) -> None:
    full = colour_range == clips.FULL
    levels = planes(full)
    expected = rgb(levels, matrix, full)
    assert expected.min() > 0 and expected.max() < 1
    frames = media.decode_frames(write(tmp_path / "deep.mkv", levels, matrix, colour_range))
    assert frames.shape == (1, HEIGHT, WIDTH, 3) and frames.dtype == np.float32
    assert np.abs(frames[0] - expected).max() < LEVEL / 2
    assert len(np.unique(frames[0, 0, :, 0])) == WIDTH  # 8 bits would have made some the same


def test_the_last_frame_is_the_same_picture_in_8_bits(tmp_path: Path) -> None:
    path = write(tmp_path / "deep.mkv", planes(False), clips.BT709, clips.LIMITED)
    frame = media.decode_frames(path)[0]
    assert np.abs(media.last_frame(path) / 255 - frame).max() < 1.1 / 255


def test_a_phone_s_turned_clip_is_upright_in_10_bits_too(tmp_path: Path) -> None:
    path = clips.turned(
        tmp_path / "turned.mp4", (0, 1, -1, 0), codec="libx265", frames=2, planes=(503, 410, 605)
    )
    assert media.decode_frames(path).shape == (2, 160, 96, 3)


def write_flat(path: Path, pixel_format: str, levels: list[np.ndarray], **tags: int) -> Path:
    """A lossless clip of one frame whose planes, all of full size, are these."""
    frame = av.VideoFrame(WIDTH, HEIGHT, pixel_format)
    for plane, values in zip(frame.planes, levels):
        rows = np.zeros((plane.height, plane.line_size // values.itemsize), values.dtype)
        rows[:, :WIDTH] = values
        plane.update(rows.tobytes())
    frame.pts = 0
    with av.open(str(path), "w") as out:
        video = out.add_stream("ffv1", rate=24)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, pixel_format
        for name, value in tags.items():
            setattr(video.codec_context, name, value)
        out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def test_colours_of_each_pixel_are_exact_with_8_bits_too(tmp_path: Path) -> None:
    levels = [(plane // 4).astype("u1") for plane in planes(False)]
    path = write_flat(
        tmp_path / "444.mkv", "yuv444p", levels, colorspace=clips.BT709, color_range=clips.LIMITED
    )
    y, u, v = (plane.astype(float) for plane in levels)
    y, u, v = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    r, b = y + 1.5748 * v, y + 1.8556 * u
    expected = np.stack([r, (y - 0.2126 * r - 0.0722 * b) / 0.7152, b], axis=-1)
    assert np.abs(media.decode_frames(path)[0] - expected).max() < LEVEL / 10


@pytest.mark.parametrize("bits", [10, 16])
def test_rgb_of_more_than_8_bits_is_exact(tmp_path: Path, bits: int) -> None:
    x = np.arange(WIDTH)[None, :] + np.arange(HEIGHT)[:, None]
    levels = [((x * factor) % (1 << bits)).astype("<u2") for factor in (3, 5, 7)]
    frames = media.decode_frames(write_flat(tmp_path / "rgb.mkv", f"gbrp{bits}le", levels))
    green, blue, red = (plane / ((1 << bits) - 1) for plane in levels)
    assert np.abs(frames[0] - np.stack([red, green, blue], axis=-1)).max() < LEVEL / 10


# From BT.2020's primaries to those of sRGB, in linear light (BT.2087).
TO_SRGB = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)


def test_a_wide_gamut_keeps_its_10_bits(tmp_path: Path) -> None:
    levels = planes(False)
    tags = {"colorspace": 9, "color_primaries": 9, "color_trc": 14, "color_range": clips.LIMITED}
    frames = media.decode_frames(write_flat(tmp_path / "w.mkv", "yuv444p10le", levels, **tags))
    y, u, v = (plane.astype(float) for plane in levels)
    y, u, v = (y - 64) / 876, (u - 512) / 896, (v - 512) / 896
    r, b = y + 2 * (1 - 0.2627) * v, y + 2 * (1 - 0.0593) * u
    wide = np.stack([r, (y - 0.2627 * r - 0.0593 * b) / 0.678, b], axis=-1)
    light = np.where(wide <= 0.04045, wide / 12.92, ((wide + 0.055) / 1.055) ** 2.4)
    light = (light @ TO_SRGB.T).clip(0, 1)
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(frames[0] - expected).max() < LEVEL / 2
