"""OpenRouter's own Python client makes the same orders as ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fakes
import pytest
from official_clients import (
    CLIP,
    END,
    FRAME,
    PICTURE,
    REFERENCES,
    SOUND,
    client,
    finish,
    last_two,
    submit,
)

from seedance import wire
from seedance.order import Order


@pytest.fixture
def fake() -> Iterator[Any]:
    client("openrouter")
    with fakes.all()["openrouter"](b"clip") as server:
        yield server


@pytest.fixture
def theirs(fake: Any) -> Iterator[Any]:
    with client("openrouter").OpenRouter(api_key=fake.key, server_url=fake.base_url) as openrouter:
        yield openrouter.video_generation


def picture(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


PLAIN: dict[str, Any] = {
    "prompt": "a cat",
    "resolution": "720p",
    "aspect_ratio": "16:9",
    "duration": 5,
    "generate_audio": True,
    "seed": 0,
}
ORDERS: dict[str, tuple[Order, wire.Delivered, dict[str, Any]]] = {
    "text": (
        Order(
            prompt="a cat",
            ratio="9:16",
            resolution="4k",
            duration=15,
            generate_audio=False,
            seed=2**32 - 1,
        ),
        wire.Delivered(),
        {
            **PLAIN,
            "model": "bytedance/seedance-2.0",
            "aspect_ratio": "9:16",
            "resolution": "4K",
            "duration": 15,
            "generate_audio": False,
            "seed": 2**32 - 1,
        },
    ),
    "flash": (
        Order(prompt="a cat", ratio="16:9", model="seedance-2.5-flash", duration=30),
        wire.Delivered(),
        {**PLAIN, "model": "bytedance/seedance-2.5-flash", "duration": 30},
    ),
    "frames": (
        Order(prompt="a cat", ratio="16:9", first_frame=FRAME, last_frame=FRAME),
        wire.Delivered(first_frame=PICTURE, last_frame=END),
        {
            **PLAIN,
            "model": "bytedance/seedance-2.0",
            "frame_images": [
                {**picture(PICTURE), "frame_type": "first_frame"},
                {**picture(END), "frame_type": "last_frame"},
            ],
        },
    ),
    "reference": (
        Order(prompt="a cat", ratio="16:9", model="seedance-2.5", references=REFERENCES),
        wire.Delivered(images=(PICTURE, END), videos=(CLIP,), audios=(SOUND,)),
        {
            **PLAIN,
            "model": "bytedance/seedance-2.5",
            "input_references": [
                picture(PICTURE),
                picture(END),
                {"type": "video_url", "video_url": {"url": CLIP}},
                {"type": "audio_url", "audio_url": {"url": SOUND}},
            ],
        },
    ),
}


@pytest.mark.parametrize("mode", ORDERS)
def test_the_same_order_is_the_same_request(fake: Any, theirs: Any, mode: str) -> None:
    order, delivered, arguments = ORDERS[mode]
    job = theirs.generate(**arguments)
    ours = submit(fake, order, delivered)
    their_request, our_request = last_two(fake)
    assert our_request == their_request
    assert [job.id, ours.opaque] == list(fake.tasks)


def test_a_task_made_by_one_is_read_by_the_other_alike(fake: Any, theirs: Any) -> None:
    job = theirs.generate(**PLAIN, model="bytedance/seedance-2.5")
    ours = finish(fake, wire.Ticket.parse(f"openrouter:{job.id}"))
    told = theirs.get_generation(job_id=job.id)
    assert isinstance(ours, wire.Done)
    assert (told.status, told.unsigned_urls[0]) == ("completed", ours.video_url)
    assert ours.cost and ours.cost.amount == told.usage.cost
