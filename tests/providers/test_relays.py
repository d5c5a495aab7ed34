"""What relays answer to a create, in the shapes that relay software is known to give."""

from __future__ import annotations

import json
from typing import Any

import pytest

from seedance import wire
from seedance.errors import BadOrder, Moderated, OddReply, OutOfCredit, Refused
from seedance.fit import fit
from seedance.order import Medium, Order
from seedance.providers import get
from seedance.providers._relay import Relay

RELAYS = ("aihubmax", "evolink", "sinancode", "uniall")


@pytest.fixture(params=RELAYS)
def relay(request: pytest.FixtureRequest) -> Relay:
    provider = get(request.param)(wire.Config("https://gateway.example"))
    assert isinstance(provider, Relay)
    return provider


def answer(body: Any, status: int = 200) -> wire.Reply:
    return wire.Reply(status, {"content-type": "application/json"}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("body", "task_id"),
    [
        ({"id": "a-1", "data": {"task_id": "upstream"}}, "a-1"),
        ({"task_id": "a-1"}, "a-1"),
        ({"code": "success", "data": {"task_id": "a-1"}}, "a-1"),
        ({"code": "success", "data": "a-1"}, "a-1"),
        ({"code": 200, "message": "ok", "data": {"id": "a-1"}}, "a-1"),
        ({"code": "created", "task_id": "a-1"}, "a-1"),
        ({"id": "a-1", "status": "failed", "error": {"message": "no"}}, "a-1"),
        ({"error": None, "id": "a-1"}, "a-1"),
        ({"code": "0", "data": "a-1"}, "a-1"),
        ({"code": "created", "data": {"id": "a-1", "object": "video"}}, "a-1"),
    ],
)
def test_a_task_gives_its_ticket(relay: Relay, body: Any, task_id: str) -> None:
    assert relay.ticket(answer(body)).opaque == task_id


@pytest.mark.parametrize(
    "body",
    [
        {"code": "invalid_request", "message": "duration out of range", "data": "see docs"},
        {"code": "invalid_request", "message": "duration out of range", "data": None},
        {"code": 400, "message": "duration out of range", "data": "duration"},
        {"success": False, "data": "why"},
        {"success": False, "id": "req_1", "status": "error"},
        {"error": {"message": "duration out of range"}, "id": "req_1"},
        {"error": "duration out of range", "data": {"id": "req_1"}},
    ],
)
def test_a_no_with_status_200_is_no_ticket(relay: Relay, body: Any) -> None:
    with pytest.raises(Refused) as raised:
        relay.ticket(answer(body))
    assert raised.value.spent == "no"


@pytest.mark.parametrize(
    "body",
    [
        {"code": "accepted_later", "data": "a-1"},  # a yes that we do not know, perhaps
        {"code": 500, "message": "oops", "data": "why"},
        {"code": 503, "id": "req_1"},
        {"message": "hello"},
        {"data": "two words"},
    ],
)
def test_what_may_be_either_is_not_taken_for_a_ticket_nor_for_a_no(relay: Relay, body: Any) -> None:
    with pytest.raises(OddReply):
        relay.ticket(answer(body))


QUOTA = {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": ""}


def test_a_quota_that_is_used_up_is_known_by_its_type(relay: Relay) -> None:
    assert relay.quota_used_up(answer({"error": QUOTA}, 429))
    assert isinstance(relay.explain(answer({"error": QUOTA}, 403)), OutOfCredit)
    assert relay.quota_used_up(answer({"error": {"message": "insufficient balance"}}, 429))
    assert not relay.quota_used_up(answer({"error": {"message": "too many requests"}}, 429))


def test_moderation_is_known_by_its_type(relay: Relay) -> None:
    error = {"message": "Refused", "type": "content_policy_violation", "code": "E100"}
    assert isinstance(relay.explain(answer({"error": error}, 400)), Moderated)


@pytest.mark.parametrize(
    ("message", "stage"),
    [
        ("The output video may contain real faces", "output"),
        ("The image may contain real faces", "input"),
    ],
)
def test_evolink_tells_faces_in_the_video_from_faces_in_a_picture(message: str, stage: str) -> None:
    evolink = get("evolink")(wire.Config("https://gateway.example"))
    assert isinstance(evolink, Relay)
    error = {"code": "content_policy_violation", "message": message}
    status = evolink.status(answer({"id": "a-1", "status": "failed", "error": error}))
    assert isinstance(status, wire.Failed)
    assert status.stage == stage


SOUND = Medium.from_address("audio", "https://media.example/a.mp3")


def test_a_sound_alone_is_no_reference_where_no_document_says_so() -> None:
    with pytest.raises(BadOrder, match="sound"):
        fit(Order(prompt="a fox", ratio="16:9", references=(SOUND,)), get("uniall"))
