"""Pictures: what is read, what is written, and how a picture becomes what goes up."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zlib
from dataclasses import replace
from pathlib import Path

import clips
import numpy as np
import pytest
from paths import MEDIA
from PIL import Image

from seedance import media
from seedance.errors import BadOrder
from seedance.media import pictures
from seedance.order import Medium
from seedance.wire import MediaLimits

ROCKET = MEDIA / "rocket.jpg"
PNG_JPEG = MediaLimits(("image/png", "image/jpeg"))


def noise(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def saved(picture: Image.Image, format_name: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format_name, **options)
    return file.getvalue()


# ------------------------------------------------------------------------------------- reading


def test_a_picture_is_read_from_a_path_and_from_bytes(tmp_path: Path) -> None:
    pixels = clips.pattern(40, 30)
    (tmp_path / "a.png").write_bytes(saved(Image.fromarray(pixels)))
    assert np.array_equal(media.read_picture(tmp_path / "a.png"), pixels)
    assert np.array_equal(media.read_picture((tmp_path / "a.png").read_bytes()), pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = clips.pattern(4, 3)
    turned = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.transpose(1, 0, 2),
        6: np.rot90(pixels, -1),
        7: pixels.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(pixels),
    }[orientation]
    data = saved(Image.fromarray(pixels), exif=exif)
    assert np.array_equal(media.read_picture(data), turned)


def test_what_is_transparent_is_laid_over_white() -> None:
    layer = np.zeros((1, 3, 4), np.uint8)
    layer[0, :, 3] = (0, 128, 255)
    pixels = media.read_picture(saved(Image.fromarray(layer)))
    assert pixels[0, :, 0].tolist() == [255, 127, 0]


def test_a_palette_with_a_transparent_colour_is_laid_over_white() -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putdata([0, 1])
    pixels = media.read_picture(saved(picture, transparency=0))
    assert pixels[0].tolist() == [[255, 255, 255], [40, 50, 60]]


def test_grey_becomes_rgb() -> None:
    pixels = media.read_picture(saved(Image.new("L", (2, 1), 77)))
    assert pixels.tolist() == [[[77] * 3] * 2]


def test_sixteen_bits_become_eight() -> None:
    levels = np.array([[0, 257, 32896, 65535]], np.uint16)
    pixels = media.read_picture(saved(Image.fromarray(levels)))
    assert pixels[0, :, 1].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize(
    "data", [b"", b"<html>", clips.picture_bytes()[:60], clips.picture_bytes()[:-40]]
)
def test_what_is_no_picture_is_a_bad_order(data: bytes) -> None:
    with pytest.raises(BadOrder, match="not a readable picture"):
        media.read_picture(data)


WHOLE = saved(Image.fromarray(noise(40, 30)))
SPOILED = {
    "another size": saved(Image.fromarray(noise(30, 40))),
    "cut off": WHOLE[:-10],
    "without its end": WHOLE[:-12],
    "a byte is another": WHOLE[:500] + bytes([WHOLE[500] ^ 1]) + WHOLE[501:],
    "JPEG": saved(Image.fromarray(noise(40, 30)), "JPEG"),
    "a web page": b"<html></html>",
    "nothing": b"",
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_whole_png_is_told_without_decoding_it(tmp_path: Path, how: str) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(WHOLE)
    assert media.is_whole_png(file, 40, 30) is True
    file.write_bytes(SPOILED[how])
    assert media.is_whole_png(file, 40, 30) is False
    assert media.is_whole_png(tmp_path / "none.png", 40, 30) is False


def test_a_decompression_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = bytearray(saved(Image.new("RGB", (1, 1))))
    header = bytes(bomb[12:16]) + (30_000).to_bytes(4, "big") * 2 + bytes(bomb[24:29])
    bomb[12:33] = header + zlib.crc32(header).to_bytes(4, "big")
    with pytest.raises(BadOrder, match="too large"):
        media.read_picture(bytes(bomb))


def test_a_host_that_switched_the_check_off_does_not_switch_ours_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 11)
    with pytest.raises(BadOrder, match="too large"):
        media.read_picture(clips.picture_bytes(4, 3))


# ------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize(
    "pixels",
    [
        noise(1, 1),
        noise(33, 200),
        clips.pattern(130, 65),
        np.zeros((64, 64, 3), np.uint8),
        clips.pattern(60, 40)[::2, ::-1],
    ],
    ids=["one pixel", "noise", "smooth", "black", "not contiguous"],
)
def test_png_is_lossless(pixels: np.ndarray) -> None:
    with Image.open(io.BytesIO(media.encode_png(pixels))) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        assert np.array_equal(np.asarray(picture), pixels)


def drawing() -> np.ndarray:
    pixels = np.full((480, 640, 3), 250, np.uint8)
    for number in range(12):
        pixels[20 + 30 * number :: 45, number * 40 : number * 40 + 25] = (
            200,
            30 * (number % 5),
            60,
        )
    return pixels


def grainy() -> np.ndarray:
    return clips.pattern(640, 480) // 2 + noise(640, 480) // 32


@pytest.mark.parametrize(("pixels", "most"), [(drawing(), 1.5), (grainy(), 1.1)])
def test_png_is_about_as_small_as_pillows(pixels: np.ndarray, most: float) -> None:
    assert len(media.encode_png(pixels)) < most * len(saved(Image.fromarray(pixels)))


def test_floats_survive_png_on_the_grid_of_8_bits() -> None:
    floats = noise(40, 30).astype(np.float32) / 255
    back = media.read_picture(media.encode_png(media.to_8bit(floats))).astype(np.float32) / 255
    assert np.array_equal(back, floats)


def test_eight_bits_are_rounded_and_clipped() -> None:
    values = np.array([-1, 0.4 / 255, 0.6 / 255, 127.5 / 255, 1, 9, np.nan, np.inf], np.float32)
    assert media.to_8bit(values[None, :, None]).ravel().tolist() == [0, 0, 1, 128, 255, 255, 0, 255]


def test_a_batch_is_rounded_as_its_pictures_are() -> None:
    batch = np.random.default_rng(1).random((3, 4, 5, 3), np.float32)
    whole = media.to_8bit(batch)
    assert whole.shape == batch.shape
    assert np.array_equal(whole, [media.to_8bit(picture) for picture in batch])


def test_a_saved_png_is_whole_and_alone(tmp_path: Path) -> None:
    pixels = clips.pattern(30, 20)
    media.save_png(tmp_path / "a.png", pixels)
    assert np.array_equal(media.read_picture(tmp_path / "a.png"), pixels)
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_covering_keeps_the_middle() -> None:
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[:, 100:200] = 255
    fitted = media.fit_cover(pixels, 50, 50)
    assert fitted.shape == (50, 50, 3)
    assert fitted[:, 3:-3].min() == 255


def test_covering_leaves_the_right_size_alone() -> None:
    pixels = noise(20, 10)
    assert media.fit_cover(pixels, 20, 10) is pixels


# ------------------------------------------------------------------------------- what goes up


def test_pixels_go_up_as_png() -> None:
    pixels = clips.pattern(64, 48)
    blob, note = media.picture_blob(Medium.from_pixels(pixels), PNG_JPEG)
    assert note is None and blob.data is not None and blob.path is None
    assert (blob.kind, blob.mime, blob.extension) == ("image", "image/png", "png")
    assert (blob.width, blob.height, blob.size) == (64, 48, len(blob.data))
    assert blob.digest == hashlib.sha256(blob.data).hexdigest()
    assert np.array_equal(media.read_picture(blob.data), pixels)


@pytest.mark.parametrize(
    ("formats", "mime"),
    [
        (("image/webp", "image/png"), "image/png"),
        (("image/webp",), "image/webp"),
        (("image/jpeg",), "image/jpeg"),
        ((), "image/png"),
    ],
)
def test_a_lossless_form_is_preferred(formats: tuple[str, ...], mime: str) -> None:
    pixels = clips.pattern(64, 48)
    blob, note = media.picture_blob(Medium.from_pixels(pixels), MediaLimits(formats))
    assert (blob.mime, note) == (mime, None)
    assert blob.data is not None
    back = media.read_picture(blob.data).astype(int)
    assert np.abs(back - pixels).max() <= (4 if mime == "image/jpeg" else 0)


@pytest.mark.parametrize("format_name", ["PNG", "JPEG"])
@pytest.mark.parametrize("way", ["path", "data"])
def test_a_file_that_fits_goes_up_byte_for_byte(tmp_path: Path, format_name: str, way: str) -> None:
    data = clips.picture_bytes(64, 48, format_name)
    (tmp_path / "secret name").write_bytes(data)
    medium = {
        "path": Medium.from_path("image", tmp_path / "secret name"),
        "data": Medium.from_data("image", data),
    }[way]
    limits = replace(PNG_JPEG, sides=(16, 64), max_bytes=len(data), pixels=(1, 64 * 48))
    blob, note = media.picture_blob(medium, limits, size=(64, 48))
    assert (blob.data, note, blob.mime) == (data, None, f"image/{format_name.lower()}")
    assert "secret" not in blob.name


def test_a_format_that_is_not_taken_is_encoded_anew() -> None:
    medium = Medium.from_data("image", clips.picture_bytes(64, 48, "BMP"))
    blob, note = media.picture_blob(medium, PNG_JPEG)
    assert (blob.mime, note) == ("image/png", None)
    assert blob.data is not None
    assert np.array_equal(media.read_picture(blob.data), clips.pattern(64, 48))


def test_a_turned_photograph_goes_up_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(Image.fromarray(clips.pattern(64, 48)), "JPEG", exif=exif)
    blob, _ = media.picture_blob(Medium.from_data("image", data), PNG_JPEG)
    assert (blob.width, blob.height, blob.mime) == (48, 64, "image/png")


def test_a_size_is_covered_exactly() -> None:
    medium = Medium.from_data("image", clips.picture_bytes(640, 480))
    blob, note = media.picture_blob(medium, PNG_JPEG, size=(1280, 720))
    assert (blob.width, blob.height, note) == (1280, 720, None)


@pytest.mark.parametrize(
    ("limits", "size", "why"),
    [
        (replace(PNG_JPEG, sides=(16, 200)), (200, 100), "200 pixels a side"),
        (replace(PNG_JPEG, pixels=(1, 5000)), (100, 50), "5,000 pixels in all"),
    ],
)
def test_a_picture_is_scaled_down_where_a_limit_demands_it(
    limits: MediaLimits, size: tuple[int, int], why: str
) -> None:
    blob, note = media.picture_blob(Medium.from_pixels(clips.pattern(400, 200)), limits)
    assert (blob.width, blob.height) == size
    assert note == (
        f"A picture of 400x200 was scaled down to {size[0]}x{size[1]}: at most {why} are taken."
    )


def test_a_picture_of_too_many_bytes_is_scaled_down_to_fit() -> None:
    limits = replace(PNG_JPEG, max_bytes=30_000)
    blob, note = media.picture_blob(Medium.from_pixels(noise(300, 200)), limits)
    assert 20_000 < blob.size <= 30_000
    assert note is not None and "at most 30,000 bytes are taken" in note
    assert (blob.width or 0) / (blob.height or 1) == pytest.approx(1.5, abs=0.02)


def test_bytes_that_cannot_be_reached_are_a_bad_order() -> None:
    with pytest.raises(BadOrder, match="cannot be made small enough"):
        media.picture_blob(Medium.from_pixels(noise(300, 200)), replace(PNG_JPEG, max_bytes=500))


@pytest.mark.parametrize(
    ("width", "height", "limits", "says"),
    [
        (10, 10, PNG_JPEG, "The picture is 10x10 pixels, and each side must have at least 16."),
        (10000, 10, PNG_JPEG, "The picture is 10000x10 pixels, and each side"),
        (200, 250, replace(PNG_JPEG, sides=(300, 6000)), "at least 300 pixels a side are needed"),
        (
            1000,
            300,
            replace(PNG_JPEG, aspect=(0.4, 2.5)),
            "1000x300 pixels, width / height = 3.33, and 0.4 to 2.5 is taken.",
        ),
        (7000, 320, replace(PNG_JPEG, sides=(300, 6000)), "at least 300 pixels a side are needed"),
        (100, 100, replace(PNG_JPEG, pixels=(20_000, 90_000)), "at least 20,000 pixels in all"),
    ],
)
@pytest.mark.parametrize("way", ["pixels", "file"])
def test_a_picture_of_an_impossible_size_is_one_clear_sentence(
    width: int, height: int, limits: MediaLimits, says: str, way: str
) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    medium = Medium.from_pixels(pixels)
    if way == "file":
        medium = Medium.from_data("image", media.encode_png(pixels))
    with pytest.raises(BadOrder) as raised:
        media.picture_blob(medium, limits)
    assert says in raised.value.message
    assert raised.value.message.count(". ") == 0
    assert raised.value.hint


def test_the_same_pixels_give_the_same_bytes() -> None:
    pixels = noise(64, 64)
    digests = {
        media.picture_blob(Medium.from_pixels(pixels.copy()), PNG_JPEG)[0].digest for _ in range(3)
    }
    assert len(digests) == 1


@pytest.mark.skipif(not ROCKET.is_file(), reason="../shared/media is not here")
def test_a_real_photograph_goes_up_as_it_is() -> None:
    blob, note = media.picture_blob(Medium.from_path("image", ROCKET), PNG_JPEG)
    assert (blob.data, note) == (ROCKET.read_bytes(), None)


@pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")
@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_a_saved_picture_is_as_private_as_the_user_s_files(
    tmp_path: Path, umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        media.save_png(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == mode
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
