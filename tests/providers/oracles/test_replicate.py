"""Replicate's own Python client makes the same orders as ours."""

from __future__ import annotations

import hashlib
import io
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
    hold,
    last_two,
    provider_of,
    sent,
    submit,
)

from seedance import wire
from seedance.errors import Refused
from seedance.order import Medium, Order

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


@pytest.fixture
def fake() -> Iterator[Any]:
    client("replicate")
    with fakes.all()["replicate"](b"clip") as server:
        yield server


@pytest.fixture
def theirs(fake: Any) -> Iterator[Any]:
    replicate = client("replicate").Client(api_token=fake.key, base_url=fake.base_url)
    yield replicate
    replicate._client.close()


PLAIN: dict[str, Any] = {
    "prompt": "a cat",
    "duration": 5,
    "resolution": "720p",
    "aspect_ratio": "adaptive",
    "generate_audio": True,
    "seed": 0,
}
ORDERS: dict[str, tuple[Order, wire.Delivered, str, dict[str, Any]]] = {
    "text": (
        Order(
            prompt="a cat",
            resolution="480p",
            ratio="9:16",
            duration=-1,
            generate_audio=False,
            seed=9,
        ),
        wire.Delivered(),
        "bytedance/seedance-2.0",
        {
            **PLAIN,
            "resolution": "480p",
            "aspect_ratio": "9:16",
            "duration": -1,
            "generate_audio": False,
            "seed": 9,
        },
    ),
    "25": (
        Order(
            prompt="a cat", model="seedance-2.5", resolution="1080p", duration=30, watermark=True
        ),
        wire.Delivered(),
        "bytedance/seedance-2.5",
        {**PLAIN, "resolution": "1080p", "duration": 30, "watermark": True},
    ),
    "edit": (
        Order(
            prompt="a cat",
            model="seedance-2.5",
            duration=-1,
            video=Medium.from_address("video", CLIP),
        ),
        wire.Delivered(video=CLIP),
        "bytedance/seedance-2.5",
        {**PLAIN, "duration": -1, "reference_videos": [CLIP]},
    ),
    "frames": (
        Order(prompt="a cat", model="seedance-2.0-mini", first_frame=FRAME, last_frame=FRAME),
        wire.Delivered(first_frame=PICTURE, last_frame=END),
        "bytedance/seedance-2.0-mini",
        {**PLAIN, "image": PICTURE, "last_frame_image": END},
    ),
    "reference": (
        Order(prompt="a cat", references=REFERENCES),
        wire.Delivered(images=(PICTURE, END), videos=(CLIP,), audios=(SOUND,)),
        "bytedance/seedance-2.0",
        {
            **PLAIN,
            "reference_images": [PICTURE, END],
            "reference_videos": [CLIP],
            "reference_audios": [SOUND],
        },
    ),
}


@pytest.mark.parametrize("mode", ORDERS)
def test_the_same_order_is_the_same_request(fake: Any, theirs: Any, mode: str) -> None:
    order, delivered, model, arguments = ORDERS[mode]
    prediction = theirs.models.predictions.create(model, input=arguments)
    ours = submit(fake, order, delivered)
    their_request, our_request = last_two(fake)
    assert our_request == their_request
    assert [prediction.id, ours.opaque] == list(fake.tasks)


@pytest.mark.parametrize("output_is_list", [False, True])
def test_a_finished_prediction_is_understood_alike(
    fake: Any, theirs: Any, output_is_list: bool
) -> None:
    fake.output_is_list = output_is_list
    ticket = submit(fake, Order(prompt="a cat"), wire.Delivered())
    ours = finish(fake, ticket)
    prediction = theirs.predictions.get(ticket.opaque)
    our_request, their_request = last_two(fake)
    assert our_request == their_request
    assert isinstance(ours, wire.Done)
    assert prediction.status == "succeeded"
    output = prediction.output[0] if output_is_list else prediction.output
    assert output == ours.video_url


def test_a_failed_prediction_is_understood_alike(fake: Any, theirs: Any) -> None:
    fake.fail_with = "The input or output was flagged as sensitive. (E005)"
    ticket = submit(fake, Order(prompt="a cat"), wire.Delivered())
    ours = finish(fake, ticket)
    prediction = theirs.predictions.get(ticket.opaque)
    assert isinstance(ours, wire.Failed)
    assert prediction.status == "failed"
    assert ours.message.startswith(prediction.error)  # ours adds that it is often a false alarm


def test_cancelling_is_the_same_request_and_understood_alike(fake: Any, theirs: Any) -> None:
    first, second = (submit(fake, Order(prompt="a cat"), wire.Delivered()) for _ in range(2))
    prediction = theirs.predictions.cancel(first.opaque)
    outcome = hold(fake, provider_of(fake).cancel(second))
    their_request, our_request = last_two(fake)
    their_path = their_request.pop("path").replace(first.opaque, second.opaque)
    assert our_request.pop("path") == their_path
    assert our_request == their_request
    assert (prediction.status, outcome) == ("canceled", wire.TaskCancelled())


def test_a_refusal_is_understood_alike(fake: Any, theirs: Any) -> None:
    with pytest.raises(client("replicate").exceptions.ReplicateError) as caught:
        theirs.models.predictions.create("bytedance/seedance-2.0", input={**PLAIN, "duration": 16})
    with pytest.raises(Refused) as ours:
        submit(fake, Order(prompt="a cat", duration=16), wire.Delivered())
    assert caught.value.status == 422
    assert caught.value.detail.strip() in str(ours.value)


def test_an_upload_is_the_same_form_and_understood_alike(fake: Any, theirs: Any) -> None:
    blob = wire.Blob("image", "image/png", "a.png", len(PNG), hashlib.sha256(PNG).hexdigest(), PNG)
    uploaded = hold(fake, provider_of(fake).upload(blob))
    file = theirs.files.create(io.BytesIO(PNG), filename="a.png", content_type="image/png")
    ours, other = fake.requests
    assert ours.form == other.form
    assert {**sent(ours), "json": None} == {**sent(other), "json": None}
    assert file.urls["get"].rpartition("/")[0] == uploaded.reference.rpartition("/")[0]


def test_the_account_is_read_alike(fake: Any, theirs: Any) -> None:
    balance = hold(fake, provider_of(fake).probe_key())
    account = theirs.accounts.current()
    our_request, their_request = last_two(fake)
    assert our_request == their_request
    assert account.username == balance.account
