"""The SDKs of BytePlus and Volcano Engine make the same orders as ours."""

from __future__ import annotations

import time
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
from seedance.errors import Moderated, Refused
from seedance.order import Medium, Order

SDKS = {"byteplus": "byteplussdkarkruntime", "volcengine": "volcenginesdkarkruntime"}
PREFIX = {"byteplus": "dreamina", "volcengine": "doubao"}


@pytest.fixture(params=sorted(SDKS))
def fake(request: pytest.FixtureRequest) -> Iterator[Any]:
    client(SDKS[request.param])
    with fakes.all()[request.param](b"clip") as server:
        yield server


@pytest.fixture
def tasks(fake: Any) -> Iterator[Any]:
    """The SDK's tasks, without its hidden repeats of a paid call."""
    ark = client(SDKS[fake.provider]).Ark(api_key=fake.key, base_url=fake.base_url, max_retries=0)
    yield ark.content_generation.tasks
    ark.close()


def picture(url: str, role: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}, "role": role}


TEXT = {"type": "text", "text": "a cat"}
CLIP_ITEM = {"type": "video_url", "video_url": {"url": CLIP}, "role": "reference_video"}
SOUND_ITEM = {"type": "audio_url", "audio_url": {"url": SOUND}, "role": "reference_audio"}
PICTURES = [picture(url, "reference_image") for url in (PICTURE, END)]
PLAIN: dict[str, Any] = {
    "resolution": "720p",
    "ratio": "adaptive",
    "duration": 5,
    "generate_audio": True,
    "seed": 0,
    "watermark": False,
    "return_last_frame": True,
}
# What a person asks of us, how the media were delivered, and the same in the words of the SDK.
ORDERS: dict[str, tuple[Order, wire.Delivered, dict[str, Any]]] = {
    "text": (
        Order(
            prompt="a cat",
            resolution="1080p",
            ratio="21:9",
            duration=15,
            generate_audio=False,
            seed=4294967295,
            watermark=True,
        ),
        wire.Delivered(),
        {
            "model": "seedance-2-0-260128",
            "content": [TEXT],
            **PLAIN,
            "resolution": "1080p",
            "ratio": "21:9",
            "duration": 15,
            "generate_audio": False,
            "seed": 4294967295,
            "watermark": True,
        },
    ),
    "image": (
        Order(prompt="a cat", model="seedance-2.0-fast", first_frame=FRAME),
        wire.Delivered(first_frame=PICTURE),
        {
            "model": "seedance-2-0-fast-260128",
            "content": [TEXT, picture(PICTURE, "first_frame")],
            **PLAIN,
        },
    ),
    "frames": (
        Order(prompt="a cat", model="seedance-2.0-mini", first_frame=FRAME, last_frame=FRAME),
        wire.Delivered(first_frame=PICTURE, last_frame=END),
        {
            "model": "seedance-2-0-mini-260615",
            "content": [TEXT, picture(PICTURE, "first_frame"), picture(END, "last_frame")],
            **PLAIN,
        },
    ),
    "reference": (
        Order(prompt="a cat", references=REFERENCES),
        wire.Delivered(images=(PICTURE, END), videos=(CLIP,), audios=(SOUND,)),
        {
            "model": "seedance-2-0-260128",
            "content": [TEXT, *PICTURES, CLIP_ITEM, SOUND_ITEM],
            **PLAIN,
        },
    ),
    "draft": (
        Order(prompt="a cat", model="seedance-2.5", resolution="480p", draft=True),
        wire.Delivered(),
        {
            "model": "seedance-2-5-260628",
            "content": [TEXT],
            **{name: value for name, value in PLAIN.items() if name != "return_last_frame"},
            "resolution": "480p",
            "draft": True,
        },
    ),
    "web search": (
        Order(prompt="a cat", web_search=True),
        wire.Delivered(),
        {
            "model": "seedance-2-0-260128",
            "content": [TEXT],
            **PLAIN,
            "tools": [{"type": "web_search"}],
        },
    ),
    "edit": (
        Order(prompt="a cat", model="seedance-2.5", video=Medium.from_address("video", CLIP)),
        wire.Delivered(video=CLIP),
        {
            "model": "seedance-2-5-260628",
            "content": [TEXT, CLIP_ITEM],
            **PLAIN,
            "duration": -1,
            "omni_reference_task_type": "edit",
        },
    ),
}


@pytest.mark.parametrize("mode", ORDERS)
def test_the_same_order_is_the_same_request(fake: Any, tasks: Any, mode: str) -> None:
    order, delivered, arguments = ORDERS[mode]
    arguments = {**arguments, "model": f"{PREFIX[fake.provider]}-{arguments['model']}"}
    if fake.provider == "byteplus" and "tools" in arguments:
        # Its SDK (3.0.63) has no parameter for it, that of Volcano Engine has.
        arguments["extra_body"] = {"tools": arguments.pop("tools")}
    theirs = tasks.create(**arguments)
    ours = submit(fake, order, delivered)
    their_request, our_request = last_two(fake)
    # Theirs spells out each option that was not given as null; ours leaves it out.
    body = their_request["json"]
    their_request["json"] = {name: value for name, value in body.items() if value is not None}
    assert our_request == their_request
    assert fake.creates == 2
    assert theirs.id == next(iter(fake.tasks))
    assert ours.opaque == list(fake.tasks)[1]


def test_a_draft_is_finished_by_the_same_request(fake: Any, tasks: Any) -> None:
    fake.polls_until_done = 0
    order = Order(prompt="a cat", model="seedance-2.5", resolution="480p", draft=True)
    draft = submit(fake, order, wire.Delivered())
    finish(fake, draft)
    model = f"{PREFIX[fake.provider]}-seedance-2-5-260628"
    item = {"type": "draft_task", "draft_task": {"id": draft.opaque}}
    tasks.create(model=model, content=[item], resolution="1080p", watermark=False)
    final = Order(model="seedance-2.5", resolution="1080p", draft_of=str(draft))
    ours = hold(fake, provider_of(fake).finish(final, draft))
    their_request, our_request = map(sent, fake.sent("POST")[-2:])
    body = their_request["json"]
    their_request["json"] = {name: value for name, value in body.items() if value is not None}
    assert our_request == their_request
    assert isinstance(finish(fake, ours), wire.Done)


def test_a_finished_task_is_understood_alike(fake: Any, tasks: Any) -> None:
    ticket = submit(fake, Order(prompt="a cat", seed=7), wire.Delivered())
    ours = finish(fake, ticket)
    theirs = tasks.get(task_id=ticket.opaque)
    our_request, their_request = last_two(fake)
    assert our_request == their_request
    assert isinstance(ours, wire.Done)
    assert theirs.status == "succeeded"
    assert (ours.video_url, ours.last_frame_url, ours.seed) == (
        theirs.content.video_url,
        theirs.content.last_frame_url,
        theirs.seed,
    )
    price = {"byteplus": 7.0, "volcengine": 46.0}[fake.provider]
    assert ours.cost is not None
    assert ours.cost.amount == pytest.approx(theirs.usage.completion_tokens * price / 1e6, abs=1e-4)


def test_a_failed_task_is_understood_alike(fake: Any, tasks: Any) -> None:
    code = "OutputVideoSensitiveContentDetected"
    fake.fail_with = {"code": code, "message": "The output video may contain sensitive content."}
    ticket = submit(fake, Order(prompt="a cat"), wire.Delivered())
    ours = finish(fake, ticket)
    theirs = tasks.get(task_id=ticket.opaque)
    assert isinstance(ours, wire.Failed)
    assert (theirs.status, theirs.error.code) == ("failed", ours.code)
    assert theirs.error.message.rstrip(".") in ours.message


def test_the_list_is_read_alike(fake: Any, tasks: Any) -> None:
    order, mark = Order(prompt="a cat", seed=42), "201234"
    ticket = submit(fake, order, wire.Delivered(), mark)
    found = hold(fake, provider_of(fake, mark).find(order.describe(), time.time()))
    theirs = tasks.list(page_num=1, page_size=100)
    our_request, their_request = last_two(fake)
    assert our_request == their_request
    assert [item.id for item in theirs.items] == [found.opaque] == [ticket.opaque]
    assert (theirs.total, theirs.items[0].seed) == (1, 42)


def test_cancelling_is_the_same_request(fake: Any, tasks: Any) -> None:
    first = submit(fake, Order(prompt="a cat"), wire.Delivered())
    hold(fake, provider_of(fake).cancel(first))
    (ours,) = fake.sent("DELETE")
    tasks.delete(task_id=submit(fake, Order(prompt="a dog"), wire.Delivered()).opaque)
    theirs = fake.sent("DELETE")[1]
    assert ours.path.rpartition("/")[0] == theirs.path.rpartition("/")[0]
    assert ours.query == theirs.query == {}
    # Theirs sends an empty object along, as with every call; the task API gives DELETE no body.
    assert (ours.body, theirs.body) == (b"", b"{}")
    assert [task.cancelled for task in fake.tasks.values()] == [True, True]


@pytest.mark.parametrize(
    ("status", "code", "ours"),
    [
        (400, "InputImageSensitiveContentDetected.PrivacyInformation", Moderated),
        (400, "InvalidParameter.duration", Refused),
        (401, "AuthenticationError", Refused),
        (404, "ModelNotOpen", Refused),
    ],
)
def test_a_refusal_is_understood_alike(
    fake: Any, tasks: Any, status: int, code: str, ours: type[Exception]
) -> None:
    refusal = fakes.Answer(status, json={"error": {"code": code, "message": "No, because."}})
    fake.fault(lambda request: request.method == "POST", refusal, times=2)
    sdk = client(SDKS[fake.provider])
    with pytest.raises(sdk._exceptions.ArkAPIStatusError) as theirs:
        tasks.create(model=f"{PREFIX[fake.provider]}-seedance-2-0-260128", content=[TEXT])
    assert (theirs.value.status_code, theirs.value.code) == (status, code)
    with pytest.raises(ours, match="No, because"):
        submit(fake, Order(prompt="a cat"), wire.Delivered())
    assert fake.creates == 0
