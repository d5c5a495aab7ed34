"""The asset library of Ark over HTTP, signed: every action against the strict fake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import fakes
import pytest
from fakes import Answer
from fakes._ark_assets import ACTIONS, throttled

from seedance import providers, wire
from seedance.addresses import origin
from seedance.errors import Refused, SeedanceError, Unreachable
from seedance.runner.client import Client
from seedance.transport import SigningCredentials, Stop, Transport

ADDRESS = "https://media.example/a.png"


class Nobody(Stop):
    """Pauses take no time, and are noted."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return False


@pytest.fixture(params=["byteplus", "volcengine"])
def fake(request: pytest.FixtureRequest) -> Iterator[Any]:
    with fakes.all()[request.param]() as server:
        yield server


def client_of(fake: Any, **key: str) -> Client:
    provider = providers.get(fake.provider)(wire.Config(fake.base_url, asset_url=fake.url))
    signing = wire.SigningKey(**{"id": fake.library.key_id, "secret": fake.library.secret, **key})
    scope = provider.assets().scope
    credentials = SigningCredentials(signing, scope, frozenset({origin(fake.url)}))
    return Client(provider, Transport(credentials))


def ask(fake: Any, action: str, *args: Any, **named: Any) -> Any:
    client = client_of(fake)
    flow = getattr(client.provider.assets(), action)(*args, **named)
    return client.ask(flow, Nobody())


def test_the_libraries_are_those_of_the_vendors_themselves() -> None:
    """A service that speaks as Ark does has none: nothing is signed for it."""
    from seedance.providers.gateway import ArkGateway

    has = [name for name, each in providers.registry().items() if each.can("assets")]
    assert tuple(has) == providers.WITH_ASSETS
    assert not ArkGateway.can("assets") and not ArkGateway.refuses_people


def test_every_action_is_understood_by_a_strict_library(fake: Any) -> None:
    group = ask(fake, "new_group", "Hero", "made by the pack")
    assert ask(fake, "group", group) == wire.AssetGroup(group, "Hero", False)
    assert [one.id for one in ask(fake, "groups", person=False, name="Hero")] == [group]
    asset = ask(fake, "add", group, ADDRESS, "image", "小明's look")
    assert ask(fake, "asset", asset).state == "processing"
    found = ask(fake, "asset", asset)
    assert (found.state, found.kind, found.group) == ("active", "image", group)
    assert found.address == f"{fake.url}/assets/{asset}?signature=s"
    ask(fake, "rename", asset, "Hero")
    assert [one.id for one in ask(fake, "assets", person=False, groups=[group])] == [asset]
    assert ask(fake, "assets", person=True) == []
    ask(fake, "remove", asset)
    ask(fake, "remove", asset)
    assert ask(fake, "asset", asset) is None
    ask(fake, "rename_group", group, "Heroine")
    ask(fake, "remove_group", group)
    assert ask(fake, "group", group) is None

    asked = ask(fake, "ask_liveness")
    assert asked.link.startswith("https://")
    assert ask(fake, "liveness", asked.token).group is None
    person = fake.library.confirm()
    assert ask(fake, "liveness", asked.token) == wire.LivenessResult(person)
    assert ask(fake, "group", person).person
    assert {action for action, _ in fake.library.actions} == set(ACTIONS)
    assert all(body["ProjectName"] == "default" for _, body in fake.library.actions)
    assert fake.library.made("CreateAsset")[0] == {
        "GroupId": group,
        "URL": ADDRESS,
        "AssetType": "Image",
        "Name": "小明's look",
        "ProjectName": "default",
    }


@pytest.mark.parametrize("by_token", [False, True])
@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_a_list_is_read_to_its_end(fake: Any, by_token: bool, count: int) -> None:
    fake.library.by_token = by_token
    group = fake.library._new_group({"Name": "Hero"})
    body = {"GroupId": group, "URL": ADDRESS, "AssetType": "Image", "Name": "Hero"}
    made = [fake.library._CreateAsset(body)["Id"] for _ in range(count)]
    assert [one.id for one in ask(fake, "assets", person=False)] == made


def test_a_page_that_is_shorter_than_asked_is_not_the_last(fake: Any) -> None:
    fake.library.most_a_page = 30
    made = [fake.library._new_group({"Name": f"g{number}"}) for number in range(70)]
    assert [one.id for one in ask(fake, "groups", person=False)] == made


def test_what_is_throttled_is_asked_again_and_makes_one_asset(fake: Any) -> None:
    group = ask(fake, "new_group", "Hero")
    fake.library.throttles = [throttled(), throttled(429, "FlowLimitExceeded"), throttled(200)]
    client, stop = client_of(fake), Nobody()
    flow = client.provider.assets().add(group, ADDRESS, "image", "Hero")
    client.ask(flow, stop)
    assert (stop.pauses, len(fake.library.assets)) == ([1.0, 2.0, 4.0], 1)


def test_throttled_for_ever_ends_in_words(fake: Any) -> None:
    fake.library.throttles = [throttled()] * 50
    with pytest.raises(Unreachable, match="too often") as caught:
        ask(fake, "groups", person=False)
    assert caught.value.spent == "no"


@pytest.mark.parametrize("fault", ["reset-after", "truncate", "status:500"])
def test_what_may_have_been_made_is_not_made_again(fake: Any, fault: str) -> None:
    group = ask(fake, "new_group", "Hero")
    fake.fault(lambda request: request.query["Action"] == "CreateAsset", fault, times=9)
    with pytest.raises(Unreachable):
        ask(fake, "add", group, ADDRESS, "image", "Hero")
    sent = [one for one in fake.requests if one.query["Action"] == "CreateAsset"]
    assert len(sent) == 1


def test_a_question_whose_answer_is_lost_is_asked_again(fake: Any) -> None:
    fake.fault(lambda request: True, "reset-after", times=2)
    assert ask(fake, "groups", person=False) == []


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ({"id": "AKTPother"}, "InvalidAccessKey"),
        ({"secret": "another"}, "SignatureDoesNotMatch"),
        ({"token": "a token"}, ""),
    ],
)
def test_a_wrong_key_is_refused_without_quoting_it(
    fake: Any, key: dict[str, str], says: str
) -> None:
    client = client_of(fake, **key)
    flow = client.provider.assets().groups(person=False)
    if not says:  # the header of a temporary key is signed too
        assert client.ask(flow) == []
        return
    with pytest.raises(Refused, match="signing key") as caught:
        client.ask(flow)
    assert says in str(caught.value)
    assert client.provider.asset_key_variables[0] in caught.value.hint
    assert next(iter(key.values())) not in str(caught.value)


def test_a_clock_that_is_wrong_is_named(fake: Any) -> None:
    client = client_of(fake)
    long_ago = datetime(2020, 1, 1, tzinfo=timezone.utc)
    old = client.transport.credentials
    assert isinstance(old, SigningCredentials)
    wrong = SigningCredentials(old.key, old.scope, old.origins, lambda: long_ago)
    with pytest.raises(Refused, match="signing key") as caught:
        Client(client.provider, Transport(wrong)).ask(client.provider.assets().groups(person=True))
    assert "clock" in caught.value.hint


def test_without_the_plan_it_says_so(fake: Any) -> None:
    fake.library.subscribed = False
    with pytest.raises(Refused, match="has not switched on its asset library"):
        ask(fake, "new_group", "Hero")


def test_a_library_that_quotes_the_signing_key_does_not_show_it(fake: Any) -> None:
    told = f"key {fake.library.key_id} with {fake.library.secret} is wrong"
    error = {"ResponseMetadata": {"Error": {"Code": "AccessDenied", "Message": told}}}
    fake.fault(lambda request: True, Answer(403, json=error))
    with pytest.raises(SeedanceError) as caught:
        ask(fake, "groups", person=False)
    assert "(your key)" in str(caught.value)
    assert fake.library.key_id not in repr(caught.value.as_dict())
    assert fake.library.secret not in repr(caught.value.as_dict())


def test_a_signature_goes_to_the_library_alone(fake: Any) -> None:
    client = client_of(fake)
    reply = client.transport.perform(wire.Call("POST", fake.base_url + "/x", json={}))
    assert reply.status in (401, 404)
    assert "authorization" in fake.requests[-1].headers  # the same origin
    with fakes.all()["lumenfall"]() as other:
        client.transport.perform(wire.Call("POST", other.base_url + "/videos", json={}))
        assert "authorization" not in other.requests[-1].headers
        assert "x-date" not in other.requests[-1].headers
