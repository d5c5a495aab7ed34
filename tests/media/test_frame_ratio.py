"""First and last frames have the chosen ratio when they arrive, at every provider."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clips
import fakes
import pytest
from bucket import Bucket
from command_line import Command
from deliveries import Serve, generate, reads
from PIL import Image

from seedance import providers
from seedance.order import Mode

pytestmark = pytest.mark.slow

PNG = b"\x89PNG\r\n\x1a\n"


RATIOS = {"16:9": 16 / 9, "3:4": 3 / 4}


def able(mode: Mode) -> list[tuple[str, str]]:
    """The providers with a fake that make this mode, each with a ratio that it takes."""
    found = []
    for each in fakes.all():
        model = providers.get(each).limits.models["seedance-2.0"]
        if mode in model.modes and mode not in model.source_ratio:
            found += [(each, ratio) for ratio in RATIOS if ratio in model.ratios]
    return found


def inline(value: Any) -> Iterator[bytes]:
    """The files in the data URIs of a body."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from inline(item)
    elif isinstance(value, str) and value.startswith("data:image/"):
        yield base64.b64decode(value.partition(",")[2])


def arrived(fake: fakes.Fake, found: dict[str, bytes]) -> list[bytes]:
    """All pictures that a provider got: in its requests, in uploads, at addresses in the bucket."""
    files = [*found.values(), *inline([request.json for request in fake.requests])]
    raw = [request.body for request in fake.requests if PNG in request.body]
    return files + [body[body.index(PNG) :] for body in raw]


def shapes(pictures: list[bytes]) -> list[float]:
    """Width / height of each."""
    sizes = [Image.open(io.BytesIO(data)).size for data in pictures]
    return [width / height for width, height in sizes]


@pytest.mark.parametrize(("provider", "ratio"), able("image"))
def test_a_first_frame_arrives_in_the_ratio(
    provider: str, ratio: str, command: Command, serve: Serve, bucket: Bucket, tmp_path: Path
) -> None:
    fake = serve(provider)
    found = reads(fake, bucket)
    image = tmp_path / "square.png"
    image.write_bytes(clips.picture_bytes(512, 512))
    ran = command(*generate(provider, "--image", image, "--ratio", ratio))
    assert ran.code == 0, ran.err
    assert shapes(arrived(fake, found)) == [pytest.approx(RATIOS[ratio], rel=0.005)]
    assert "The first frame: It is 512x512; " in ran.err and "cut off" in ran.err


# The fake of UniAll knows `last_image` only as its document has it: no address of a bucket.
@pytest.mark.parametrize(
    ("provider", "ratio"), [each for each in able("frames") if each[0] != "uniall"]
)
def test_both_frames_arrive_in_the_ratio(
    provider: str, ratio: str, command: Command, serve: Serve, bucket: Bucket, tmp_path: Path
) -> None:
    fake = serve(provider)
    found = reads(fake, bucket)
    first, last = tmp_path / "first.png", tmp_path / "last.png"
    first.write_bytes(clips.picture_bytes(512, 512))
    last.write_bytes(clips.picture_bytes(700, 500))
    ran = command(*generate(provider, "--image", first, "--last-image", last, "--ratio", ratio))
    assert ran.code == 0, ran.err
    assert shapes(arrived(fake, found)) == [pytest.approx(RATIOS[ratio], rel=0.005)] * 2
    assert "The last frame: It is 700x500; " in ran.err


def test_a_small_crop_is_not_mentioned_and_a_fitting_file_is_untouched(
    command: Command, serve: Serve, bucket: Bucket, tmp_path: Path
) -> None:
    fake = serve("aihubmax")
    found = reads(fake, bucket)
    image = tmp_path / "wide.png"
    for size, same in (((1280, 720), True), ((1280, 730), False)):
        fake.requests.clear()
        found.clear()
        image.write_bytes(clips.picture_bytes(*size))
        ran = command(*generate("aihubmax", "--image", image, "--ratio", "16:9"))
        assert ran.code == 0 and "cut off" not in ran.err
        (sent,) = arrived(fake, found)
        assert Image.open(io.BytesIO(sent)).size == (1280, 720)
        assert sent.startswith(image.read_bytes()) is same


def test_of_an_animation_the_first_picture_is_said_by_check_and_by_generate(
    command: Command, serve: Serve, bucket: Bucket, tmp_path: Path
) -> None:
    fake = serve("aihubmax")
    reads(fake, bucket)
    image = tmp_path / "loop.gif"
    one, two = (Image.fromarray(clips.pattern(512, 512, number)) for number in (0, 9))
    one.save(image, save_all=True, append_images=[two])
    said = "The first frame: It holds several pictures; the first one is used."
    words = ("--provider", "aihubmax", "--prompt", "snow falls", "--image", image)
    ran = command("check", *words, "--json")
    (quote,) = (each for each in ran.json if each["provider"] == "aihubmax")
    assert said in quote["notes"]
    assert said in command(*generate("aihubmax", "--image", image)).err
