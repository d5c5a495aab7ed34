"""The official and marketplace providers hold whole conversations with their strict fakes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import fakes
import pytest
from fakes import Fake

from seedance import wire
from seedance.addresses import origin
from seedance.errors import Moderated, OutOfCredit, Refused, Unclear
from seedance.order import Medium, Order
from seedance.providers import get
from seedance.transport import Credentials, Transport

IDS = ("byteplus", "volcengine", "comfy", "evolink", "fal", "openrouter", "replicate")
OFFICIAL = ("byteplus", "volcengine")
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
PICTURE, CLIP, SOUND = (f"https://media.example/a.{ending}" for ending in ("png", "mp4", "mp3"))


@pytest.fixture(params=IDS)
def fake(request: pytest.FixtureRequest) -> Iterator[Any]:
    with fakes.all()[request.param](b"clip") as server:
        yield server


@pytest.fixture(params=OFFICIAL)
def ark(request: pytest.FixtureRequest) -> Iterator[Any]:
    with fakes.all()[request.param](b"clip") as server:
        yield server


@pytest.fixture
def fal() -> Iterator[Any]:
    with fakes.all()["fal"](b"clip") as server:
        yield server


def provider_of(fake: Fake, mark: str = "") -> wire.Provider:
    """The real provider, configured for the fake."""
    kind = get(fake.provider)
    mark = mark or ("a-mark" if kind.random_mark else "")
    return kind(wire.Config(fake.base_url, fake.upload_url, history_url=fake.base_url), mark)


def hold(fake: Fake, flow: wire.Flow[Any]) -> Any:
    """A flow's conversation with the fake over real HTTP; pauses take no time."""
    kind, at = get(fake.provider), frozenset({origin(fake.url)})
    transport = Transport(Credentials(kind.auth_scheme, fake.key, at, kind.auth_header))
    reply = None
    try:
        while True:
            step = flow.send(reply)  # type: ignore[arg-type]
            reply = transport.perform(step) if isinstance(step, wire.Call) else wire.Reply(0)
    except StopIteration as stop:
        return stop.value
    finally:
        transport.close()


def medium(kind: Any, url: str) -> Medium:
    return Medium.from_address(kind, url)


def delivered(order: Order) -> wire.Delivered:
    """Every medium at its own address."""
    at = {
        kind: tuple(str(item.address) for item in order.of_kind(kind))
        for kind in ("image", "video", "audio")
    }
    return wire.Delivered(
        first_frame=order.first_frame and order.first_frame.address,
        last_frame=order.last_frame and order.last_frame.address,
        images=at["image"],
        videos=at["video"],
        audios=at["audio"],
        video=order.video and order.video.address,
    )


def submit(fake: Fake, order: Order, mark: str = "") -> wire.Ticket:
    provider = provider_of(fake, mark)
    if order.ratio == "adaptive" and not provider.model(order).adaptive:
        order = replace(order, ratio="16:9")
    flow = provider.submit(order, delivered(order))
    return hold(fake, flow)  # type: ignore[no-any-return]


def end(fake: Fake, ticket: wire.Ticket) -> wire.Status:
    """The first status that is not running."""
    while True:
        status = hold(fake, provider_of(fake).check(ticket))
        if not isinstance(status, wire.Running):
            return status  # type: ignore[no-any-return]
        assert status.unknown is None


MODES = {
    "text": Order(prompt="a cat"),
    "image": Order(prompt="a cat", first_frame=medium("image", PICTURE)),
    "frames": Order(
        prompt="a cat", first_frame=medium("image", PICTURE), last_frame=medium("image", PICTURE)
    ),
    "reference": Order(
        prompt="a cat",
        references=(medium("image", PICTURE), medium("video", CLIP), medium("audio", SOUND)),
    ),
    "edit": Order(prompt="at night", model="seedance-2.5", video=medium("video", CLIP)),
    "extend": Order(
        prompt="on", model="seedance-2.5", video=medium("video", CLIP), operation="extend"
    ),
}


def _every_order() -> Iterator[Any]:
    for name in IDS:
        for model, limits in get(name).limits.models.items():
            for mode in sorted(limits.modes):
                for resolution in limits.resolutions:
                    yield pytest.param(name, model, mode, resolution)


@pytest.mark.parametrize(("name", "model", "mode", "resolution"), list(_every_order()))
def test_every_model_mode_and_resolution_is_accepted(
    name: str, model: str, mode: str, resolution: str
) -> None:
    asked = vars(MODES[mode]) | {"model": model, "resolution": resolution}
    with fakes.all()[name](b"clip", polls_until_done=0) as server:
        done = end(server, submit(server, Order(**asked)))
        assert isinstance(done, wire.Done)
        assert done.video_url == server.result_url


@pytest.mark.parametrize("ratio", ["16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive"])
def test_every_ratio_is_accepted(fake: Any, ratio: str) -> None:
    submit(fake, Order(prompt="a cat", ratio=ratio, generate_audio=False, duration=15, seed=7))
    assert fake.creates == 1


def test_a_task_is_queued_then_rendered_then_done(fake: Any) -> None:
    ticket = submit(fake, MODES["text"])
    provider = provider_of(fake)
    phases = [hold(fake, provider.check(ticket)).phase for _ in range(2)]
    assert phases == ["queued", "rendering"]
    assert isinstance(hold(fake, provider.check(ticket)), wire.Done)


def test_a_ticket_is_enough_to_collect_a_task_elsewhere(fake: Any) -> None:
    text = str(submit(fake, MODES["text"]))
    assert isinstance(end(fake, wire.Ticket.parse(text)), wire.Done)


def test_a_wrong_key_is_refused_before_anything_is_made(fake: Any) -> None:
    fake.key, right = "sk-other", fake.key
    flow = provider_of(fake).submit(MODES["text"], wire.Delivered())
    kind, at = get(fake.provider), frozenset({origin(fake.url)})
    transport = Transport(Credentials(kind.auth_scheme, right, at, kind.auth_header))
    with pytest.raises(Refused, match="refused the key"):
        flow.send(transport.perform(next(flow)))  # type: ignore[arg-type]
    assert fake.creates == 0


def test_a_field_that_the_document_does_not_have_is_refused(fake: Any) -> None:
    extra = {fake.provider: {"camera_motion": "none"}}
    with pytest.raises(Refused, match="camera_motion"):
        submit(fake, Order(prompt="a cat", extra=extra))
    assert fake.creates == 0


@pytest.mark.parametrize("name", ["comfy", "evolink", "fal", "replicate"])
def test_an_upload_gives_an_address_that_the_create_takes(name: str) -> None:
    with fakes.all()[name](b"clip") as server:
        digest = hashlib.sha256(PNG).hexdigest()
        blob = wire.Blob("image", "image/png", "a.png", len(PNG), digest, data=PNG)
        uploaded = hold(server, provider_of(server).upload(blob))
        order = Order(prompt="a cat", first_frame=medium("image", PICTURE))
        flow = provider_of(server).submit(order, wire.Delivered(first_frame=uploaded.reference))
        assert hold(server, flow)
        assert PNG in b"".join(request.body for request in server.requests)


def test_the_key_is_not_shown_to_the_storage_of_fal(fal: Any) -> None:
    blob = wire.Blob("image", "image/png", "a.png", len(PNG), "0" * 64, data=PNG)
    hold(fal, provider_of(fal).upload(blob))
    (stored,) = fal.sent("PUT")
    assert "authorization" not in stored.headers
    assert stored.body == PNG


# ---------------------------------------------------------------------------------------- failure


def test_a_failed_task_says_why(fake: Any) -> None:
    fake.fail_with = fake.failure("out of luck", "internal_error")
    failed = end(fake, submit(fake, MODES["text"]))
    assert isinstance(failed, wire.Failed)
    assert failed.message == "out of luck"


def test_fal_completes_what_failed(fal: Any) -> None:
    item = {"loc": ["body", "prompt"], "msg": "flagged", "type": "content_policy_violation"}
    fal.fail_with = (422, {"detail": [item]})
    failed = end(fal, submit(fal, MODES["text"]))
    assert failed == wire.Failed("flagged", "content_policy_violation", "prompt")


def test_a_task_that_ark_gave_up_is_expired(ark: Any) -> None:
    ark.fail_with = "expired"
    assert isinstance(end(ark, submit(ark, MODES["text"])), wire.Expired)


def test_no_credit_is_told_apart() -> None:
    with fakes.all()["evolink"](b"clip") as server:
        server.fault(lambda request: request.method == "POST", server.recorded("no credit"))
        with pytest.raises(OutOfCredit):
            submit(server, MODES["text"])
        assert server.creates == 0


def test_a_moderated_create_is_not_billed_and_says_which_input(ark: Any) -> None:
    code = "InputImageSensitiveContentDetected.PrivacyInformation"
    refusal = fakes.Answer(
        400, json={"error": {"code": code, "message": "may contain real person"}}
    )
    ark.fault(lambda request: request.method == "POST", refusal)
    with pytest.raises(Moderated, match="an input picture") as caught:
        submit(ark, MODES["image"])
    assert caught.value.spent == "no"
    assert "Faces of real people" in caught.value.hint


# ----------------------------------------------------------------------------------------- cancel


@pytest.mark.parametrize("name", ["byteplus", "volcengine", "comfy", "fal", "replicate"])
def test_a_task_that_waits_can_be_cancelled(name: str) -> None:
    with fakes.all()[name](b"clip") as server:
        ticket = submit(server, MODES["text"])
        said = hold(server, provider_of(server).cancel(ticket))
        asked = name in ("comfy", "fal")
        requested = wire.CancelRequested if asked else wire.TaskCancelled
        assert isinstance(said, requested)
        assert isinstance(end(server, ticket), wire.TaskCancelled)


@pytest.mark.parametrize("name", ["byteplus", "volcengine", "comfy", "fal", "replicate"])
def test_a_task_that_is_over_cannot_be_cancelled(name: str) -> None:
    with fakes.all()[name](b"clip", polls_until_done=0) as server:
        ticket = submit(server, MODES["text"])
        end(server, ticket)
        assert isinstance(hold(server, provider_of(server).cancel(ticket)), wire.CannotCancel)
        assert isinstance(end(server, ticket), wire.Done)


def test_the_record_of_a_finished_task_is_never_deleted(ark: Any) -> None:
    ark.polls_until_done = 0
    ticket = submit(ark, MODES["text"])
    hold(ark, provider_of(ark).cancel(ticket))
    assert ark.sent("DELETE") == []


# ----------------------------------------------------------------------------- clearing an unclear


def find(fake: Any, order: Order, mark: str) -> Any:
    return hold(fake, provider_of(fake, mark).find(order.describe(), time.time()))


def test_a_create_whose_answer_was_lost_is_found_by_its_mark(ark: Any) -> None:
    order = Order(prompt="a cat", seed=42, ratio="4:3", duration=8)
    ark.fault(lambda request: request.method == "POST", "reset-after")
    with pytest.raises(Exception, match="broke"):
        submit(ark, order, "201234")
    assert str(find(ark, order, "201234")) == f"{ark.provider}:{next(iter(ark.tasks))}"


def test_the_same_order_with_another_mark_is_not_taken_for_it(ark: Any) -> None:
    order = Order(prompt="a cat", seed=42)
    submit(ark, order, "201234")
    submit(ark, order)
    assert find(ark, order, "201235") is None


def test_another_order_that_has_the_mark_by_chance_is_not_taken_for_it(ark: Any) -> None:
    submit(ark, Order(prompt="a cat", seed=42), "201234")
    assert find(ark, Order(prompt="a cat", seed=43), "201234") is None
    assert find(ark, Order(prompt="a cat", seed=42, resolution="480p"), "201234") is None


def test_of_two_that_have_the_mark_none_is_taken(ark: Any) -> None:
    order = Order(prompt="a cat", seed=42)
    tickets = [submit(ark, order, "201234") for _ in range(2)]
    with pytest.raises(Unclear) as caught:
        find(ark, order, "201234")
    assert all(str(ticket) in caught.value.message for ticket in tickets)


def test_the_whole_list_is_read(ark: Any) -> None:
    wanted = submit(ark, Order(prompt="a cat", seed=42), "201234")
    for seed in range(1000, 1120):
        submit(ark, Order(prompt="a cat", seed=seed))
    assert find(ark, Order(prompt="a cat", seed=42), "201234") == wanted
