"""First and last frames at BytePlus: in which size they are sent, and with which ratio."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakes
import numpy as np
import pytest
from PIL import Image
from running import Desk

from seedance.order import Medium


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with fakes.all()["byteplus"](polls_until_done=1) as fake:
        yield Desk(fake, tmp_path)


def picture(width: int, height: int) -> Medium:
    return Medium.from_pixels(np.full((height, width, 3), 90, np.uint8))


def sent(desk: Desk, **fields: Any) -> tuple[str, list[tuple[int, int]]]:
    """The ratio of the create, and the sizes of the pictures in it."""
    desk.video(**fields)
    (create,) = desk.fake.sent("POST")
    sizes = []
    for item in create.json["content"]:
        if item["type"] == "image_url":
            data = base64.b64decode(item["image_url"]["url"].partition(",")[2])
            with Image.open(io.BytesIO(data)) as image:
                sizes.append(image.size)
    return create.json["ratio"], sizes


@pytest.mark.parametrize(
    ("resolution", "first", "size"),
    [
        ("720p", (1000, 600), (1280, 720)),
        ("720p", (600, 1000), (720, 1280)),
        ("720p", (900, 900), (960, 960)),
        ("480p", (800, 600), (752, 560)),
        ("1080p", (2400, 1000), (2206, 946)),
    ],
)
def test_both_have_the_size_of_the_output_with_adaptive_too(
    desk: Desk, resolution: str, first: tuple[int, int], size: tuple[int, int]
) -> None:
    frames = {"first_frame": picture(*first), "last_frame": picture(700, 700)}
    assert sent(desk, ratio="adaptive", resolution=resolution, **frames) == ("adaptive", [size] * 2)


def test_a_single_first_frame_has_it_too(desk: Desk) -> None:
    assert sent(desk, ratio="adaptive", first_frame=picture(1000, 600)) == (
        "adaptive",
        [(1280, 720)],
    )


def test_a_ratio_that_was_chosen_is_kept(desk: Desk) -> None:
    assert sent(desk, ratio="9:16", first_frame=picture(1000, 600)) == ("9:16", [(720, 1280)])


def test_frames_of_25_are_sent_as_they_are(desk: Desk) -> None:
    frames = {"first_frame": picture(1000, 600), "last_frame": picture(700, 700)}
    assert sent(desk, model="seedance-2.5", ratio="adaptive", **frames) == (
        "adaptive",
        [(1000, 600), (700, 700)],
    )
