"""fal's own Python client makes the same orders as ours."""

from __future__ import annotations

import hashlib
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
from seedance.errors import Moderated
from seedance.order import Order

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


@pytest.fixture
def fake() -> Iterator[Any]:
    client("fal_client")
    with fakes.all()["fal"](b"clip") as server:
        yield server


@pytest.fixture
def theirs(fake: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """fal's client; its hosts are constants."""
    module = client("fal_client.client")
    monkeypatch.setattr(module, "QUEUE_URL_FORMAT", f"{fake.base_url}/")
    monkeypatch.setattr(module, "REST_URL", fake.upload_url)
    fal = module.SyncClient(key=fake.key)
    yield fal
    fal._client.close()


PLAIN: dict[str, Any] = {
    "prompt": "a cat",
    "resolution": "720p",
    "duration": "5",
    "aspect_ratio": "auto",
    "generate_audio": True,
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
        "bytedance/seedance-2.0/text-to-video",
        {
            **PLAIN,
            "resolution": "480p",
            "aspect_ratio": "9:16",
            "duration": "auto",
            "generate_audio": False,
        },
    ),
    "draft": (
        Order(prompt="a cat", model="seedance-2.5", resolution="480p", draft=True),
        wire.Delivered(),
        "bytedance/seedance-2.5/text-to-video",
        {**PLAIN, "resolution": "480p", "draft": True},
    ),
    "flash": (
        Order(prompt="a cat", model="seedance-2.5-flash", references=REFERENCES, duration=30),
        wire.Delivered(images=(PICTURE, END), videos=(CLIP,), audios=(SOUND,)),
        "bytedance/seedance-2.5/flash/reference-to-video",
        {
            **PLAIN,
            "duration": "30",
            "image_urls": [PICTURE, END],
            "video_urls": [CLIP],
            "audio_urls": [SOUND],
        },
    ),
    "frames": (
        Order(prompt="a cat", model="seedance-2.0-fast", first_frame=FRAME, last_frame=FRAME),
        wire.Delivered(first_frame=PICTURE, last_frame=END),
        "bytedance/seedance-2.0/fast/image-to-video",
        {**PLAIN, "image_url": PICTURE, "end_image_url": END},
    ),
    "reference": (
        Order(prompt="a cat", model="seedance-2.5", references=REFERENCES),
        wire.Delivered(images=(PICTURE, END), videos=(CLIP,), audios=(SOUND,)),
        "bytedance/seedance-2.5/reference-to-video",
        {
            **PLAIN,
            "image_urls": [PICTURE, END],
            "video_urls": [CLIP],
            "audio_urls": [SOUND],
        },
    ),
}


@pytest.mark.parametrize("mode", ORDERS)
def test_the_same_order_is_the_same_request(fake: Any, theirs: Any, mode: str) -> None:
    order, delivered, application, arguments = ORDERS[mode]
    handle = theirs.submit(application, arguments)
    ours = submit(fake, order, delivered)
    their_request, our_request = last_two(fake)
    assert our_request == their_request
    # The queue may not run ours again by itself (docs.fal.ai, reliability); theirs says nothing.
    retries = [request.headers.get("x-fal-no-retry") for request in fake.requests[-2:]]
    assert retries == [None, "1"]
    # Both know the path without the model's sub-path: theirs as addresses, ours in the ticket.
    app = "~".join(application.split("/")[:2])
    assert ours.opaque == f"{app}~requests~{list(fake.tasks)[1]}"
    assert handle.request_id == next(iter(fake.tasks))


def test_a_request_made_by_one_is_collected_by_the_other(fake: Any, theirs: Any) -> None:
    application = "bytedance/seedance-2.0/text-to-video"
    handle = theirs.submit(application, PLAIN)
    ticket = wire.Ticket.parse(f"fal:bytedance~seedance-2.0~requests~{handle.request_id}")
    ours = finish(fake, ticket)
    result = theirs.get_handle(application, handle.request_id).get(interval=0.001)
    assert isinstance(ours, wire.Done)
    assert (ours.video_url, ours.seed) == (result["video"]["url"], result["seed"])


def test_a_draft_is_finished_by_the_same_request(fake: Any, theirs: Any) -> None:
    fake.polls_until_done = 0
    drafted = {**PLAIN, "resolution": "480p", "draft": True}
    handle = theirs.submit("bytedance/seedance-2.5/text-to-video", drafted)
    draft_id = handle.get(interval=0.001)["draft_id"]
    path = "bytedance/seedance-2.5/draft/complete"
    theirs.submit(path, {"draft_id": draft_id, "resolution": "1080p"})
    draft = wire.Ticket.parse(f"fal:bytedance~seedance-2.5~requests~{handle.request_id}")
    order = Order(model="seedance-2.5", resolution="1080p", draft_of=str(draft))
    ours = hold(fake, provider_of(fake).finish(order, draft))
    their_request, our_request = map(sent, fake.sent("POST")[-2:])
    assert our_request == their_request
    assert isinstance(finish(fake, ours), wire.Done)


def test_the_states_are_asked_for_and_understood_alike(fake: Any, theirs: Any) -> None:
    module = client("fal_client")
    handle = theirs.submit("bytedance/seedance-2.0/text-to-video", PLAIN)
    ticket = submit(fake, Order(prompt="a cat"), wire.Delivered())
    provider = provider_of(fake)
    words = {module.Queued: "queued", module.InProgress: "rendering"}
    for _ in range(2):
        status = hold(fake, provider.check(ticket))
        our_request = sent(fake.requests[-1])
        assert words[type(handle.status())] == status.phase
        their_request = sent(fake.requests[-1])
        # Theirs always says whether it wants the log; docs.fal.ai: the parameter is optional.
        assert their_request.pop("query") == {"logs": "false"}
        assert our_request.pop("query") == {}
        path = our_request.pop("path").replace(list(fake.tasks)[1], handle.request_id)
        assert path == their_request.pop("path")
        assert our_request == their_request


def test_a_failure_hidden_in_completed_is_found_by_both(fake: Any, theirs: Any) -> None:
    item = {"loc": ["body", "prompt"], "msg": "flagged", "type": "content_policy_violation"}
    fake.fail_with = (422, {"detail": [item]})
    handle = theirs.submit("bytedance/seedance-2.0/text-to-video", PLAIN)
    with pytest.raises(client("fal_client").FalClientHTTPError) as caught:
        handle.get(interval=0.001)
    ours = finish(fake, submit(fake, Order(prompt="a cat"), wire.Delivered()))
    assert isinstance(ours, wire.Failed)
    assert caught.value.status_code == 422
    detail = caught.value.response.json()["detail"][0]
    assert (detail["msg"], detail["type"]) == (ours.message, ours.code)


def test_a_failure_of_the_platform_is_told_in_the_state_to_both(fake: Any, theirs: Any) -> None:
    fake.fail_with = (400, {"detail": "Bad request", "error_type": "bad_request"})
    fake.polls_until_done = 0
    status = theirs.submit("bytedance/seedance-2.0/text-to-video", PLAIN).status()
    ours = finish(fake, submit(fake, Order(prompt="a cat"), wire.Delivered()))
    assert isinstance(ours, wire.Failed)
    assert (status.error, status.error_type) == (ours.message, ours.code)


def test_cancelling_is_the_same_request(fake: Any, theirs: Any) -> None:
    theirs.submit("bytedance/seedance-2.0/text-to-video", PLAIN).cancel()
    ticket = submit(fake, Order(prompt="a cat"), wire.Delivered())
    hold(fake, provider_of(fake).cancel(ticket))
    their_request, our_request = map(sent, fake.sent("PUT"))
    first, second = fake.tasks
    assert our_request.pop("path") == their_request.pop("path").replace(first, second)
    assert our_request == their_request
    assert all(task.cancelled for task in fake.tasks.values())


def test_a_refusal_is_understood_alike(fake: Any, theirs: Any) -> None:
    item = {"loc": ["body", "prompt"], "msg": "flagged", "type": "content_policy_violation"}
    refusal = fakes.Answer(422, json={"detail": [item]})
    fake.fault(lambda request: request.method == "POST", refusal, times=2)
    with pytest.raises(client("fal_client").FalClientHTTPError) as caught:
        theirs.submit("bytedance/seedance-2.0/text-to-video", PLAIN)
    assert caught.value.status_code == 422
    with pytest.raises(Moderated, match="flagged"):
        submit(fake, Order(prompt="a cat"), wire.Delivered())


def test_an_upload_differs_only_in_the_store_and_in_who_sees_the_key(
    fake: Any, theirs: Any
) -> None:
    blob = wire.Blob("image", "image/png", "a.png", len(PNG), hashlib.sha256(PNG).hexdigest(), PNG)
    uploaded = hold(fake, provider_of(fake).upload(blob))
    address = theirs.upload(PNG, "image/png", "a.png", repository="fal")
    ours, our_put, other, their_put = fake.requests
    assert ours.json == other.json
    # Theirs asks for the older store; many other clients ask for fal-cdn-v3, as we do.
    assert (ours.query, other.query) == ({"storage_type": "fal-cdn-v3"}, {"storage_type": "gcs"})
    assert our_put.body == their_put.body == PNG
    assert our_put.headers["content-type"] == their_put.headers["content-type"] == "image/png"
    # Theirs shows its key to the signed address too, which needs none: ours never leaves fal.
    assert "authorization" not in our_put.headers
    assert "authorization" in their_put.headers
    assert uploaded.reference.rpartition("/")[2] == address.rpartition("/")[2]
