"""Picture files as people have them: what is seen of them, and what is said of those that cannot be
read."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from pathlib import Path

import clips
import numpy as np
import pytest
from PIL import Image, ImageCms

from seedance import media
from seedance.errors import BadOrder
from seedance.order import Kind, Medium
from seedance.wire import MediaLimits

PNG_JPEG = MediaLimits(("image/png", "image/jpeg"))


def saved(picture: Image.Image, format_name: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format_name, **options)
    return file.getvalue()


# --------------------------------------------------------------------------------- ICC profiles

CLOSE = (
    14  # levels: the profiles have a plain power where sRGB has a curve; unused, they miss by 70
)
XYZ_D50 = (0.9642, 1.0, 0.8249)
# Red, green and blue of Display P3 and Adobe RGB in XYZ, adapted to D50 as ICC profiles have them.
P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841))
ADOBE = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))


def profile(colours: tuple[tuple[float, float, float], ...], gamma: float = 2.2) -> bytes:
    """A matrix profile of an RGB space, written by the ICC standard (version 2)."""

    def fixed(value: float) -> bytes:
        return round(value * 65536).to_bytes(4, "big", signed=True)

    def xyz(values: tuple[float, ...]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    name = b"of a test\0"
    curve = b"curv\0\0\0\0\0\0\0\1" + round(gamma * 256).to_bytes(2, "big") + b"\0\0"
    description = b"desc\0\0\0\0" + len(name).to_bytes(4, "big") + name + b"\0" * 78
    tags = {
        b"desc": description + b"\0" * (-len(description) % 4),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": xyz(XYZ_D50),
        **{key + b"XYZ": xyz(value) for key, value in zip((b"r", b"g", b"b"), colours)},
        **{key + b"TRC": curve for key in (b"r", b"g", b"b")},
    }
    at = 128 + 4 + 12 * len(tags)
    table, body = len(tags).to_bytes(4, "big"), b""
    for key, value in tags.items():
        table += key + (at + len(body)).to_bytes(4, "big") + len(value).to_bytes(4, "big")
        body += value
    header = bytearray(128)
    header[0:4] = (at + len(body)).to_bytes(4, "big")
    header[8:12] = b"\x02\x10\0\0"
    header[12:24] = b"mntrRGB XYZ "
    header[36:40] = b"acsp"
    header[68:80] = b"".join(map(fixed, XYZ_D50))
    return bytes(header) + table + body


def flat(colour: tuple[int, ...], mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (32, 24), colour if len(colour) > 1 else colour[0])


@pytest.mark.parametrize(
    ("colours", "stored", "seen"),
    [
        (P3, (117, 251, 76), (0, 255, 0)),
        (P3, (234, 51, 35), (255, 0, 0)),
        (P3, (128, 128, 128), (128, 128, 128)),
        (ADOBE, (219, 0, 0), (255, 0, 0)),
        (ADOBE, (144, 255, 60), (0, 255, 0)),
    ],
)
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_a_profile_is_applied_when_a_picture_is_written_anew(
    colours: tuple[tuple[float, float, float], ...],
    stored: tuple[int, ...],
    seen: tuple[int, ...],
    form: str,
) -> None:
    lossless = {"lossless": True} if form == "WEBP" else {}
    data = saved(flat(stored), form, icc_profile=profile(colours), **lossless)
    blob, _ = media.picture_blob(Medium.from_data("image", data), PNG_JPEG, size=(16, 16))
    with Image.open(io.BytesIO(blob.data or b"")) as result:
        assert "icc_profile" not in result.info
        assert np.abs(np.asarray(result).astype(int)[8, 8] - seen).max() <= CLOSE


def test_a_phone_picture_is_upright_and_in_its_colours() -> None:
    pixels = np.zeros((24, 32, 3), np.uint8)
    pixels[:, :16], pixels[:, 16:] = (117, 251, 76), (234, 51, 35)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(
        Image.fromarray(pixels),
        "JPEG",
        icc_profile=profile(P3),
        exif=exif,
        quality=100,
        subsampling=0,
    )
    blob, _ = media.picture_blob(Medium.from_data("image", data), PNG_JPEG)
    assert (blob.width, blob.height) == (24, 32)
    seen = media.read_picture(blob.data or b"").astype(int)
    assert np.abs(seen[4, 12] - (0, 255, 0)).max() <= CLOSE
    assert np.abs(seen[28, 12] - (255, 0, 0)).max() <= CLOSE


def test_a_profile_goes_up_with_a_file_that_is_not_changed() -> None:
    data = saved(flat((117, 251, 76)), icc_profile=profile(P3))
    blob, _ = media.picture_blob(Medium.from_data("image", data), PNG_JPEG)
    assert blob.data == data


def test_transparency_is_kept_beside_a_profile() -> None:
    data = saved(flat((117, 251, 76, 128), "RGBA"), icc_profile=profile(P3))
    assert np.abs(media.read_picture(data)[0, 0].astype(int) - (127, 255, 127)).max() <= CLOSE
    grey = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved(flat((200, 255), "LA"), icc_profile=grey)  # of another kind: not used
    assert media.read_picture(data)[0, 0].tolist() == [200, 200, 200]


def test_a_palette_has_a_profile_too() -> None:
    picture = Image.new("P", (32, 24))
    picture.putpalette([117, 251, 76])
    data = saved(picture, icc_profile=profile(P3))
    assert np.abs(media.read_picture(data)[0, 0].astype(int) - (0, 255, 0)).max() <= CLOSE


@pytest.mark.parametrize("data", [b"", b"rubbish", profile(P3)[:200]])
def test_a_profile_that_cannot_be_used_is_passed_over(data: bytes) -> None:
    file = saved(flat((10, 200, 30)), icc_profile=data)
    assert media.read_picture(file)[0, 0].tolist() == [10, 200, 30]


def test_the_profile_of_srgb_changes_no_pixel() -> None:
    pixels = clips.pattern(64, 48)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved(Image.fromarray(pixels), icc_profile=srgb)
    assert np.array_equal(media.read_picture(data), pixels)


@pytest.mark.parametrize(
    ("signal", "primaries", "transfer", "seen"),
    [
        ((148, 148, 148), 9, 16, (255, 255, 255)),  # 203 nits in PQ
        ((191, 191, 191), 9, 18, (255, 255, 255)),  # 75 % of HLG
        ((117, 251, 76), 12, 13, (0, 255, 0)),
        ((117, 251, 76), 1, 13, (117, 251, 76)),
    ],
)
def test_numbers_in_a_png_tell_its_colours(
    signal: tuple[int, ...], primaries: int, transfer: int, seen: tuple[int, ...]
) -> None:
    data = saved(flat(signal))
    chunk = b"cICP" + bytes([primaries, transfer, 0, 1])
    chunk = b"\0\0\0\x04" + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    data = data[:33] + chunk + data[33:]  # after the header
    blob, _ = media.picture_blob(Medium.from_data("image", data), PNG_JPEG, size=(16, 16))
    assert np.abs(media.read_picture(blob.data or b"")[8, 8].astype(int) - seen).max() <= 4


def test_numbers_in_an_avif_tell_its_colours() -> None:
    try:
        data = saved(flat((148, 148, 148)), "AVIF", quality=100)
    except (KeyError, OSError):
        pytest.skip("this Pillow writes no AVIF")
    at = data.index(b"colrnclx") + 8
    hdr = data[:at] + bytes([0, 9, 0, 16]) + data[at + 4 :]
    assert np.abs(media.read_picture(hdr)[8, 8].astype(int) - 255).max() <= 4


# ------------------------------------------------------------------------- floating-point grey


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_grey_in_floating_point_is_no_black_picture(white: float) -> None:
    ramp = np.tile(np.linspace(0, white, 256, dtype=np.float32), (20, 1))
    pixels = media.read_picture(saved(Image.fromarray(ramp), "TIFF"))
    assert np.array_equal(pixels[5], np.repeat(np.arange(256)[:, None], 3, axis=1))


def test_a_small_bright_sun_makes_no_picture_in_floating_point_black() -> None:
    values = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (20, 1))
    values[:3, :3] = 60.0
    read = media.read_picture(saved(Image.fromarray(values), "TIFF"))
    assert np.abs(read[10, :, 0].astype(int) - np.arange(256)).max() <= 1
    assert read[0, 0].tolist() == [255, 255, 255]


def test_highlights_and_nonsense_in_floating_point_are_clipped() -> None:
    values = np.full((20, 20), 0.5, np.float32)
    values[0, :5] = (1.8, -3, np.nan, np.inf, 1)
    pixels = media.read_picture(saved(Image.fromarray(values), "TIFF"))
    assert pixels[0, :6, 0].tolist() == [255, 0, 0, 255, 255, 128]


# -------------------------------------------------------------------------- several pictures


def animation(form: str) -> bytes:
    pictures = [Image.fromarray(clips.pattern(64, 48, number * 9)) for number in range(4)]
    lossless = {"lossless": True} if form == "WEBP" else {}
    return saved(pictures[0], form, save_all=True, append_images=pictures[1:], **lossless)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_picture_is_used_and_that_is_said(form: str) -> None:
    medium = Medium.from_data("image", animation(form))
    assert media.measure(medium).note == "It holds several pictures; the first one is used."
    takes_all = MediaLimits(("image/gif", "image/webp", "image/png", "image/tiff"))
    blob, _ = media.picture_blob(medium, takes_all)
    assert blob.mime == "image/png"
    with Image.open(io.BytesIO(blob.data or b"")) as result:
        assert getattr(result, "n_frames", 1) == 1
        near = np.asarray(result.convert("RGB")).astype(int) - clips.pattern(64, 48)
        assert np.abs(near).mean() < (12 if form == "GIF" else 1)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "JPEG"])
def test_nothing_is_said_of_one_picture(form: str) -> None:
    medium = Medium.from_data("image", clips.picture_bytes(64, 48, form))
    assert media.measure(medium).note is None


def test_the_second_picture_in_a_phones_jpeg_is_not_mentioned() -> None:
    one, two = (Image.fromarray(clips.pattern(64, 48, number)) for number in (0, 9))
    data = saved(one, "MPO", save_all=True, append_images=[two])
    assert media.measure(Medium.from_data("image", data)).note is None


# --------------------------------------------------------------------- what cannot be read


def box(brand: bytes) -> bytes:
    return b"\0\0\0\x1cftyp" + brand + b"\0\0\0\0mif1miaf" + b"\0" * 200


FOREIGN = {
    "HEIC": box(b"heic"),
    "HEIF": box(b"mif1"),
    "CR3": box(b"crx "),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 200,
    "JPEG XL": b"\xff\x0a" + b"\0" * 200,
    "PSD": b"8BPS\0\1" + b"\0" * 200,
    "EXR": b"\x76\x2f\x31\x01\2\0\0\0" + b"\0" * 200,
    "HDR": b"#?RADIANCE\n" + b"\0" * 200,
    "PDF": b"%PDF-1.7\n" + b"\0" * 200,
    "SVG": b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>",
    "TIFF": b"II*\0\x08\0\0\0\0\0" + b"\0" * 200,
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_picture_of_another_format_is_to_be_converted(tmp_path: Path, name: str) -> None:
    path = tmp_path / "holiday.bin"
    path.write_bytes(FOREIGN[name])
    for medium in (Medium.from_path("image", path), Medium.from_data("image", FOREIGN[name])):
        with pytest.raises(BadOrder) as raised:
            media.measure(medium)
        assert f"is a picture in the format {name}, which cannot be read" in raised.value.message
        assert raised.value.hint == "Convert it to JPEG or PNG."


def test_avif_is_read_or_to_be_converted() -> None:
    try:
        data = saved(Image.fromarray(clips.pattern(64, 48)), "AVIF", quality=100)
    except (KeyError, OSError):  # a Pillow without it
        with pytest.raises(BadOrder, match="in the format AVIF") as raised:
            media.read_picture(box(b"avif"))
        assert raised.value.hint == "Convert it to JPEG or PNG."
    else:
        assert media.read_picture(data).shape == (48, 64, 3)


def test_a_tiff_that_pillow_does_not_know_is_to_be_converted() -> None:
    """Colours in floating point: a header of three samples of 32 bits."""
    tags = [(256, 3, 16), (257, 3, 16), (258, 3, 32), (259, 3, 1), (262, 3, 2), (273, 4, 200)]
    tags += [(277, 3, 3), (278, 3, 16), (279, 4, 3072), (339, 3, 3)]
    data = b"II*\0\x08\0\0\0" + len(tags).to_bytes(2, "little")
    for tag, kind, value in tags:
        data += b"".join(
            number.to_bytes(size, "little")
            for number, size in ((tag, 2), (kind, 2), (1, 4), (value, 4))
        )
    with pytest.raises(BadOrder, match="JPEG or PNG"):
        media.read_picture(data + b"\0" * 4000)


@pytest.mark.parametrize("container", ["mp4", "matroska", "mov"])
def test_a_clip_as_a_picture_is_called_a_clip(tmp_path: Path, container: str) -> None:
    path = clips.write(tmp_path / "a.bin", container=container)
    with pytest.raises(BadOrder, match=r"a\.bin is a clip \(.*\), not a picture\.") as raised:
        media.measure(Medium.from_path("image", path))
    assert raised.value.hint == ("Give it as a clip, or save one of its pictures as JPEG or PNG.")


def test_a_sound_as_a_picture_is_called_a_sound() -> None:
    with pytest.raises(BadOrder, match=r"is a sound \(WAV\), not a picture\."):
        media.read_picture(media.encode_wav(clips.samples(0.1), 48000))


@pytest.mark.parametrize("kind", ["video", "audio"])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WebP", "TIFF"])
def test_a_picture_as_a_clip_or_sound_is_called_a_picture(kind: Kind, form: str) -> None:
    data = clips.picture_bytes(64, 48, form.upper())
    with pytest.raises(BadOrder, match=rf"is not a readable .*: it is a picture \({form}\)\."):
        media.measure(Medium.from_data(kind, data))


@pytest.mark.parametrize("name", ["HEIC", "HEIF"])
def test_a_phones_picture_is_no_clip_of_one_picture(name: str) -> None:
    with pytest.raises(BadOrder, match=rf"is not a readable video: it is a picture \({name}\)\."):
        media.measure(Medium.from_data("video", FOREIGN[name]))


# ---------------------------------------------------------------------- the ratio of a frame


@pytest.mark.parametrize(
    ("size", "ratio", "fitted"),
    [
        ((512, 512), (16, 9), (512, 288)),
        ((512, 512), (9, 16), (288, 512)),
        ((1920, 1080), (16, 9), (1920, 1080)),
        ((1366, 768), (16, 9), (1366, 768)),
        ((1000, 400), (4, 3), (533, 400)),
        ((400, 1000), (1, 1), (400, 400)),
    ],
)
def test_a_frame_is_cropped_at_its_centre_to_a_ratio(
    size: tuple[int, int], ratio: tuple[int, int], fitted: tuple[int, int]
) -> None:
    pixels = clips.pattern(*size)
    data = saved(Image.fromarray(pixels))
    blob, note = media.picture_blob(Medium.from_data("image", data), PNG_JPEG, ratio=ratio)
    assert (blob.width, blob.height, note) == (*fitted, None)
    if fitted == size:
        assert blob.data == data
    else:
        left, top = ((whole - part) / 2 for whole, part in zip(size, fitted))
        expected = pixels[round(top) :, round(left) :][: fitted[1], : fitted[0]].astype(int)
        assert np.abs(media.read_picture(blob.data or b"") - expected).max() <= 3


def test_a_crop_with_too_few_pixels_is_enlarged() -> None:
    limits = replace(PNG_JPEG, sides=(300, 6000))
    medium = Medium.from_pixels(clips.pattern(320, 320))
    media.check_fits(media.measure(medium), limits, ratio=(16, 9))
    blob, _ = media.picture_blob(medium, limits, ratio=(16, 9))
    assert (blob.width, blob.height) == (534, 300)
