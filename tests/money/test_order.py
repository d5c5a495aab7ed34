"""Orders: the identity by which one is never paid twice, their media, and their words."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from seedance.errors import BadOrder
from seedance.order import (
    RATIOS,
    RESOLUTIONS,
    SIZES,
    Medium,
    NamedAsset,
    Order,
    asked_fingerprint,
    fingerprint,
    kind_by_ending,
    kind_of_reference,
)

PICTURE = Medium.from_pixels(np.arange(36, dtype=np.uint8).reshape(3, 4, 3))
CLIP = Medium.from_data("video", b"clip")
SOUND = Medium.from_data("audio", b"sound")
ADDRESS = Medium.from_address("image", "https://a.example/cat.png")

CAT = Order(prompt="a cat", provider="lumenfall")

# Journals hold these values. If one of them changes, people pay again for videos that they have:
# never correct a value here, give the new rule a new FINGERPRINT_VERSION that keeps the old ones.
PINNED: dict[str, tuple[Order, str | None, str]] = {
    "text": (CAT, None, "9b5a1920fb2eb945cc0c7b8a6165560b01ae68d9618825ba8b4f28b978e48256"),
    "every word changed": (
        Order(
            prompt="a cat",
            provider="fal",
            model="seedance-2.0-fast",
            resolution="480p",
            ratio="9:16",
            duration=-1,
            generate_audio=False,
            seed=4294967295,
            watermark=True,
            camera_fixed=True,
        ),
        None,
        "b8bd3e1645ccf6e63512744c0628fb6375443f58ba1deab4b9fb2596f84dde0e",
    ),
    "letters outside ASCII": (
        Order(prompt="eine Katze, 猫, \N{CAT}", provider="byteplus"),
        None,
        "b667e0fa86325c497a46d95878c64be47376d08c2c4885196b26fddd00365395",
    ),
    "a replaced model id": (
        Order(prompt="a cat", provider="byteplus"),
        "ep-2026",
        "04655b2ade4260aeaa574cab378d41968cf046fe562e3c629781df13497b6622",
    ),
    "extra": (
        Order(
            prompt="a cat",
            provider="leonardo",
            extra={"leonardo": {"public": True, "tags": ["b", "a"]}, "fal": {"x": 1}},
        ),
        None,
        "6ebf421fd1594e5c74b37550557ed607ec3f9dad5a51abdc574d93587a478d17",
    ),
    "a first frame": (
        Order(prompt="a cat", provider="leonardo", first_frame=PICTURE),
        None,
        "95abdf282b5403a396cfeac81698567febbd9332080d41963a067d1afea7f078",
    ),
    "first and last frame": (
        Order(prompt="a cat", provider="leonardo", first_frame=PICTURE, last_frame=ADDRESS),
        None,
        "d6d3b66bb6d70cad34b06296edac283e88695d829a8a6fa700e97559fe38583d",
    ),
    "references": (
        Order(prompt="@Image1", provider="fal", references=(PICTURE, ADDRESS, CLIP, SOUND)),
        None,
        "58958caddf9fd1868bcb19eb40c0b0e9f3010864b2927bb7e7dfeac276f8693f",
    ),
    "references in another order": (
        Order(prompt="@Image1", provider="fal", references=(ADDRESS, PICTURE, CLIP, SOUND)),
        None,
        "7814f2eb12d3d10bede8c0478c716db450726de486e9e8711466c7bfd8dc2259",
    ),
    "a clip to edit": (
        Order(prompt="at night", provider="lumenfall", video=CLIP, keep_audio=True),
        None,
        "7585e3d7442e3ed1c662a1b11c917d55bc759081ea0d3a12581fd41e4e6e93dd",
    ),
    "a clip to extend": (
        Order(prompt="go on", provider="uniall", video=CLIP, operation="extend"),
        None,
        "e69c0a0f06c82e296214c74f0046b89259799e6d188aa85b184a3a8b07b8c2db",
    ),
    "the take after the largest seed": (
        replace(CAT, seed=4294967295).take(1),
        None,
        "9b5a1920fb2eb945cc0c7b8a6165560b01ae68d9618825ba8b4f28b978e48256",
    ),
}


@pytest.mark.parametrize("name", PINNED)
def test_the_fingerprint_never_changes(name: str) -> None:
    order, model_id, pinned = PINNED[name]
    assert fingerprint(order, model_id=model_id) == pinned


def test_the_fingerprint_as_asked_never_changes() -> None:
    pinned = "f0df0817ff2c7bebf26eb8fcb6929eadcfbeb99118c0be68879eaf56fcd26b98"
    assert asked_fingerprint(Order(prompt="a cat")) == pinned


# ------------------------------------------------------------------------- what is part of it

OTHER_VALUES: dict[str, Any] = {
    "prompt": "a dog",
    "provider": "fal",
    "model": "seedance-2.5",
    "resolution": "1080p",
    "ratio": "1:1",
    "duration": 6,
    "generate_audio": False,
    "seed": 1,
    "watermark": True,
    "camera_fixed": True,
    "first_frame": PICTURE,
    "last_frame": PICTURE,
    "references": (PICTURE,),
    "video": CLIP,
    "operation": "extend",
    "keep_audio": True,
    "extra": {"lumenfall": {"x": 1}},
    "draft": True,
    "draft_of": "byteplus:cgt-1",
    "web_search": True,
    "output_format": "mov",
    "assets": (NamedAsset("Hero", (PICTURE,)),),
}
NOT_PART = {"on_unsupported", "project"}


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_every_field_makes_a_different_order(name: str) -> None:
    assert fingerprint(replace(CAT, **{name: OTHER_VALUES[name]})) != fingerprint(CAT)


def test_no_field_is_forgotten_above() -> None:
    assert OTHER_VALUES.keys() | NOT_PART == {field.name for field in fields(Order)}


def test_of_a_final_only_its_draft_and_resolution_count() -> None:
    final = replace(CAT, provider="byteplus", model="seedance-2.5", draft_of="byteplus:cgt-1")
    assert fingerprint(final) == fingerprint(replace(final, prompt="", seed=9, duration=8))
    assert fingerprint(final) == fingerprint(final, model_id="ep-1")
    assert fingerprint(final) != fingerprint(replace(final, resolution="4k"))
    assert fingerprint(final) != fingerprint(replace(final, draft_of="byteplus:cgt-2"))


def test_how_to_treat_what_is_unsupported_is_not_part() -> None:
    assert fingerprint(replace(CAT, on_unsupported="nearest")) == fingerprint(CAT)


def test_a_label_is_not_part() -> None:
    assert fingerprint(replace(CAT, project="trailer")) == fingerprint(CAT)


def test_extra_for_another_provider_is_not_part() -> None:
    assert fingerprint(replace(CAT, extra={"fal": {"x": 1}})) == fingerprint(CAT)


def test_empty_extra_is_not_part() -> None:
    assert fingerprint(replace(CAT, extra={"lumenfall": {}})) == fingerprint(CAT)


def test_the_order_of_names_in_extra_does_not_matter() -> None:
    one = replace(CAT, extra={"lumenfall": {"a": 1, "b": {"c": 2, "d": 3}}})
    mine = MappingProxyType({"b": MappingProxyType({"d": 3, "c": 2}), "a": 1})
    other = replace(CAT, extra=MappingProxyType({"lumenfall": mine}))
    assert fingerprint(one) == fingerprint(other)


def test_the_order_of_a_list_in_extra_matters() -> None:
    one = replace(CAT, extra={"lumenfall": {"tags": ["a", "b"]}})
    assert fingerprint(one) != fingerprint(replace(CAT, extra={"lumenfall": {"tags": ["b", "a"]}}))


def test_first_and_last_frame_are_told_apart() -> None:
    one = replace(CAT, first_frame=PICTURE, last_frame=ADDRESS)
    other = replace(CAT, first_frame=ADDRESS, last_frame=PICTURE)
    assert fingerprint(one) != fingerprint(other)


def test_what_was_asked_is_the_same_at_any_provider() -> None:
    assert asked_fingerprint(CAT) == asked_fingerprint(replace(CAT, provider="fal"))


def test_extra_for_any_provider_is_part_of_what_was_asked() -> None:
    assert asked_fingerprint(replace(CAT, extra={"fal": {"x": 1}})) != asked_fingerprint(CAT)


# -------------------------------------------------------------------------------------- takes


def test_takes_count_seeds_upwards() -> None:
    assert [replace(CAT, seed=7).take(number).seed for number in range(3)] == [7, 8, 9]


def test_seeds_of_takes_start_again_at_zero() -> None:
    assert [replace(CAT, seed=2**32 - 1).take(n).seed for n in range(3)] == [2**32 - 1, 0, 1]


def test_the_first_take_is_the_order_itself() -> None:
    assert CAT.take(0) is CAT


# -------------------------------------------------------------------------------------- media


def test_a_picture_is_known_by_its_pixels_and_not_by_its_array() -> None:
    pixels = np.arange(72, dtype=np.uint8).reshape(6, 4, 3)
    half = pixels[::2]  # not contiguous
    assert Medium.from_pixels(half).digest == Medium.from_pixels(half.copy()).digest


def test_the_same_bytes_in_another_shape_are_another_picture() -> None:
    pixels = np.arange(36, dtype=np.uint8)
    wide, tall = pixels.reshape(3, 4, 3), pixels.reshape(4, 3, 3)
    assert Medium.from_pixels(wide).digest != Medium.from_pixels(tall).digest


def test_a_file_is_known_by_its_bytes_wherever_it_is(tmp_path: Path) -> None:
    file = tmp_path / "some.mp4"
    file.write_bytes(b"clip")
    assert Medium.from_path("video", file).digest == CLIP.digest


def test_an_address_is_not_taken_for_bytes() -> None:
    same_bytes = Medium.from_data("image", b"https://a.example/cat.png")
    assert same_bytes.digest != ADDRESS.digest


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOrder, match="no file"):
        Medium.from_path("video", tmp_path / "none.mp4")


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
    ],
    ids=["float", "gray", "alpha", "batch"],
)
def test_only_8_bit_rgb_is_a_picture(pixels: np.ndarray) -> None:
    with pytest.raises(BadOrder, match="8-bit RGB"):
        Medium.from_pixels(pixels)


@pytest.mark.parametrize(
    "address",
    [
        "https://a.example/cat.png",
        "https://a.example:8443/cat.png?sig=a%2Fb#frame",
        "  https://a.example/cat.png\n",
        "http://127.0.0.1:9000/cat.png",  # may be a gateway of the user's own
        "asset://asset-2026-abc",
        "leonardo:GENERATED:0f3a-77",
        "leonardo:UPLOADED:0f3a-77",
    ],
)
def test_addresses_and_handles_are_taken(address: str) -> None:
    assert Medium.from_address("image", address).address == address.strip()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "cat.png",
        "/etc/passwd",
        "C:\\cat.png",
        "file:///etc/passwd",
        "ftp://a.example/cat.png",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "https://",
        "https:///cat.png",
        "https://user:word@a.example/cat.png",
        "https://a.example\\@b.example/cat.png",
        "https://a.example/cat.png https://b.example/dog.png",
        "https://a.example/" + "x" * 4096,
        "asset://../../keys",
        "asset://a/b",
        "asset://",
        "leonardo:GENERATED:",
        "leonardo:GENERATED:a/../b",
    ],
)
def test_what_is_neither_is_refused(address: str) -> None:
    with pytest.raises(BadOrder, match="neither an https address nor"):
        Medium.from_address("image", address)


def test_the_journal_gets_no_signature_of_an_address() -> None:
    signed = Medium.from_address("image", "https://a.example/cat.png?X-Signature=s3cret")
    record = replace(CAT, first_frame=signed).describe()
    assert record["first_frame"]["address"] == "https://a.example/cat.png"
    assert "s3cret" not in str(record)


def test_a_description_holds_every_field_in_plain_values() -> None:
    order = replace(CAT, references=(PICTURE, CLIP), extra=MappingProxyType({"fal": {"x": (1,)}}))
    record = order.describe()
    assert record.keys() == {field.name for field in fields(Order)}
    assert record["references"][1] == {"kind": "video", "sha256": CLIP.digest}
    assert record["extra"] == {"fal": {"x": [1]}}


def test_the_bytes_of_a_medium_are_not_in_its_repr() -> None:
    assert "sound" not in repr(SOUND)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("https://a.example/cat.PNG?name=x.mp4", "image"),
        ("clip.mov", "video"),
        ("https://a.example/a.mp3#t=3", "audio"),
        ("https://a.example/file", None),
        ("clip.mp4.txt", None),
    ],
)
def test_the_ending_tells_the_kind(text: str, kind: str | None) -> None:
    assert kind_by_ending(text) == kind


# -------------------------------------------------------------------------------------- modes


@pytest.mark.parametrize(
    ("media", "mode"),
    [
        ({}, "text"),
        ({"first_frame": PICTURE}, "image"),
        ({"first_frame": PICTURE, "last_frame": PICTURE}, "frames"),
        ({"references": (PICTURE,)}, "reference"),
        ({"video": CLIP}, "edit"),
        ({"video": CLIP, "references": (PICTURE,)}, "edit"),
        ({"video": CLIP, "operation": "extend"}, "extend"),
        ({"operation": "extend"}, "text"),
    ],
)
def test_the_mode_follows_from_the_media(media: dict[str, Any], mode: str) -> None:
    assert Order(**media).mode == mode


def test_every_resolution_has_a_size_for_every_ratio() -> None:
    assert SIZES.keys() == set(RESOLUTIONS)
    assert all(sizes.keys() == set(RATIOS) - {"adaptive"} for sizes in SIZES.values())


@pytest.mark.parametrize("resolution", SIZES)
def test_sizes_are_even_and_near_their_ratio(resolution: str) -> None:
    for ratio, (width, height) in SIZES[resolution].items():
        across, down = map(int, ratio.split(":"))
        assert width % 2 == height % 2 == 0
        assert width / height == pytest.approx(across / down, rel=0.021)  # 864 x 496 is furthest


@pytest.mark.parametrize(
    ("text", "kind", "where"),
    [
        ("https://a.example/x", None, "https://a.example/x"),
        (" https://a.example/x.PNG?y=z.mp4 ", "image", "https://a.example/x.PNG?y=z.mp4"),
        ("Image:https://a.example/x", "image", "https://a.example/x"),
        (" VIDEO : leonardo:GENERATED:1", "video", "leonardo:GENERATED:1"),
        ("audio:asset://x", "audio", "asset://x"),
        ("image:clip.mp4", "image", "clip.mp4"),
        ("C:\\pictures\\a.jpg", "image", "C:\\pictures\\a.jpg"),
        ("image:", None, "image:"),
        ("", None, ""),
    ],
)
def test_a_typed_reference_tells_its_kind(text: str, kind: str | None, where: str) -> None:
    assert kind_of_reference(text) == (kind, where)
