"""What a gateway is configured with: in the environment, in the key file and on the page; and what
is refused there, in a sentence that repeats no secret."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from command_line import Command
from fakes.gateway import BY_DIALECT, FakeGateway
from running import Desk, order_for

from seedance.errors import BadOrder, NeedsKey, OddReply, Refused, SeedanceError
from seedance.order import MODELS
from seedance.providers import registry
from seedance.runner import Runner
from seedance.settings import Settings

pytestmark = pytest.mark.safety

KEY = "sk-gateway-0123456789"
PUBLIC = "https://gateway.example/v1"


def settings(folder: Path, **environment: str) -> Settings:
    return Settings(folder / "home", folder / "output", environment)


def write(folder: Path, **record: Any) -> None:
    """A key file with these values for the gateway."""
    file = folder / "home" / "keys.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"gateway": record}), encoding="utf-8")
    os.chmod(file, 0o600)
    os.chmod(file.parent, 0o700)


def test_the_key_file_alone_configures_a_gateway(tmp_path: Path) -> None:
    with BY_DIALECT["ark"](polls_until_done=0) as fake:
        origin = fake.url
        models = {"seedance-2.0": "doubao-seedance-2-0-260128"}
        write(
            tmp_path,
            key=fake.key,
            origin=origin,
            base_url=fake.base_url,
            dialect="ark",
            models=models,
        )
        mine = settings(tmp_path, SEEDANCE_POLL_INTERVAL="0.05")
        assert mine.key_source("gateway") == "file"
        result = Runner(mine).start(order_for("gateway"))[0].wait()
        assert result.state == "saved" and fake.creates == 1


def test_the_environment_wins_over_the_key_file(tmp_path: Path) -> None:
    write(tmp_path, dialect="ark", models={"seedance-2.0": "a"}, base_url="https://a.example")
    config = settings(
        tmp_path,
        SEEDANCE_GATEWAY_BASE_URL=PUBLIC,
        SEEDANCE_GATEWAY_DIALECT="fal",
        SEEDANCE_GATEWAY_MODELS='{"seedance-2.5": "b/{mode}"}',
    ).config("gateway")
    assert (config.base_url, config.options) == (PUBLIC, {"dialect": "fal"})
    assert config.models == {"seedance-2.5": "b/{mode}"}


def test_the_dialect_is_openai_unless_another_is_named(tmp_path: Path) -> None:
    kind = registry()["gateway"]
    for given in ({}, {"SEEDANCE_GATEWAY_DIALECT": ""}):
        made = kind(settings(tmp_path, SEEDANCE_GATEWAY_BASE_URL=PUBLIC, **given).config("gateway"))
        assert made.dialect == "openai"  # type: ignore[attr-defined]


# ---------------------------------------------------------------------------------------- bad input

BASE = {"SEEDANCE_GATEWAY_KEY": KEY, "SEEDANCE_GATEWAY_MODELS": '{"seedance-2.0": "sd"}'}
SECRET = "p4ssw0rd"
BAD: dict[str, tuple[dict[str, str], str, str]] = {
    "no address": ({}, "publishes no address", "SEEDANCE_GATEWAY_BASE_URL"),
    "a user and a password": (
        {"SEEDANCE_GATEWAY_BASE_URL": f"https://me:{SECRET}@gateway.example"},
        "An address with a user name or a password cannot be the base URL of Gateway (SEEDANCE_",
        "https://host/path",
    ),
    "a user": (
        {"SEEDANCE_GATEWAY_BASE_URL": f"https://{SECRET}@gateway.example"},
        "with a user name or a password",
        "https://host/path",
    ),
    "a query": (
        {"SEEDANCE_GATEWAY_BASE_URL": f"https://gateway.example/v1?key={SECRET}"},
        "An address with a query or a fragment cannot be the base URL of Gateway (SEEDANCE_",
        "https://host/path",
    ),
    "a fragment": (
        {"SEEDANCE_GATEWAY_BASE_URL": f"https://gateway.example/v1#{SECRET}"},
        "with a query or a fragment",
        "https://host/path",
    ),
    "plain http": (
        {"SEEDANCE_GATEWAY_BASE_URL": "http://gateway.example"},
        "would carry the key of Gateway unencrypted",
        "https://",
    ),
    "a dialect that is none": (
        {"SEEDANCE_GATEWAY_BASE_URL": PUBLIC, "SEEDANCE_GATEWAY_DIALECT": "grpc"},
        "There is no dialect 'grpc' of Gateway.",
        "SEEDANCE_GATEWAY_DIALECT can be: openai, ark, fal.",
    ),
    "models that are no JSON": (
        {"SEEDANCE_GATEWAY_BASE_URL": PUBLIC, "SEEDANCE_GATEWAY_MODELS": "sd"},
        "SEEDANCE_GATEWAY_MODELS is not JSON",
        "",
    ),
    "a model that is none": (
        {"SEEDANCE_GATEWAY_BASE_URL": PUBLIC, "SEEDANCE_GATEWAY_MODELS": '{"sora": "x"}'},
        "SEEDANCE_GATEWAY_MODELS must be a JSON object",
        "seedance-2.0",
    ),
    "no model at all": (
        {"SEEDANCE_GATEWAY_BASE_URL": PUBLIC, "SEEDANCE_GATEWAY_MODELS": ""},
        "SEEDANCE_GATEWAY_MODELS names no id for seedance-2.0, nor for any other model.",
        'SEEDANCE_GATEWAY_MODELS={"seedance-2.0": "its id there"}',
    ),
    "a model without an id": (
        {"SEEDANCE_GATEWAY_BASE_URL": PUBLIC, "SEEDANCE_GATEWAY_MODELS": '{"seedance-2.5": "x"}'},
        "model seedance-2.0 (SEEDANCE_GATEWAY_MODELS names no id for seedance-2.0)",
        "Use model seedance-2.5",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_settings_are_refused_in_one_sentence_before_anything_is_sent(
    what: str, tmp_path: Path
) -> None:
    variables, said, hint = BAD[what]
    with pytest.raises(BadOrder) as caught:
        Runner(settings(tmp_path, **{**BASE, **variables})).start(order_for("gateway"))
    assert said in caught.value.message and hint in caught.value.hint
    assert caught.value.spent == "no"
    assert SECRET not in str(caught.value) and KEY not in str(caught.value)


PRIVATE = ("https://10.0.0.7", "https://192.168.1.5:8443/v1", "https://gateway.lan", "https://gw")


@pytest.mark.parametrize("url", PRIVATE)
def test_a_private_address_comes_from_the_environment_alone(url: str, tmp_path: Path) -> None:
    assert (
        settings(tmp_path, SEEDANCE_GATEWAY_BASE_URL=url, **BASE).config("gateway").base_url == url
    )
    with pytest.raises(BadOrder, match=r"cannot be stored: .* is not a public address") as caught:
        settings(tmp_path).set_base_url("gateway", url)
    assert "Only the environment may name a private one" in caught.value.hint
    write(tmp_path, base_url=url)
    with pytest.raises(BadOrder, match="is not a public address"):
        settings(tmp_path, **BASE).config("gateway")


@pytest.mark.parametrize("url", ["http://127.0.0.1:3000", "http://localhost:3000/v1", PUBLIC])
def test_this_machine_and_public_addresses_can_be_stored(url: str, tmp_path: Path) -> None:
    mine = settings(tmp_path)
    mine.set_base_url("gateway", url)
    assert mine.config("gateway").base_url == url


def test_the_same_holds_for_every_provider(tmp_path: Path) -> None:
    for name, provider in registry().items():
        if provider.key_variable:
            with pytest.raises(BadOrder, match="not a public address"):
                settings(tmp_path).set_base_url(name, "https://10.0.0.7")


def test_a_key_of_the_environment_is_not_sent_to_a_stored_address(tmp_path: Path) -> None:
    write(tmp_path, base_url=PUBLIC)
    with pytest.raises(NeedsKey, match="comes from the key file; the key is not sent there"):
        settings(tmp_path, **BASE).key("gateway")


def test_what_the_page_may_store_is_checked_first(tmp_path: Path) -> None:
    mine = settings(tmp_path)
    for own in (
        {"dialect": "grpc"},
        {"models": {"sora": "x"}},
        {"models": {"seedance-2.0": ""}},
        {"models": ["seedance-2.0"]},
    ):
        with pytest.raises(BadOrder):
            mine.change({"gateway": PUBLIC}, own={"gateway": own})
    assert not mine.key_file.exists()
    mine.change(
        {"gateway": PUBLIC}, own={"gateway": {"dialect": "ark", "models": {MODELS[0]: "a"}}}
    )
    config = mine.config("gateway")
    assert (config.options, config.models) == ({"dialect": "ark"}, {MODELS[0]: "a"})
    mine.change({}, own={"gateway": {"dialect": None, "models": None}})
    assert (mine.config("gateway").options, mine.config("gateway").models) == ({}, {})


# --------------------------------------------------------------------------------------- key test


@pytest.mark.parametrize("there", BY_DIALECT)
@pytest.mark.parametrize("configured", BY_DIALECT)
def test_the_test_of_a_key_says_which_dialect_the_address_answers_to(
    there: str, configured: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BY_DIALECT[there]() as fake:
        variables = {**fake.environment(), "SEEDANCE_GATEWAY_DIALECT": configured}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        ran = command("key", "test", "gateway", "--json")
        assert {each.method for each in fake.requests} == {"GET"}  # free ones
        assert fake.creates == 0
    if there == configured:
        assert ran.code == 0
        assert ran.json["account"].endswith(f"a gateway of the dialect {there}")
        return
    assert (ran.code, ran.json["error"]["kind"]) == (2, "BadOrder")
    assert f"to the dialect {there}, not to {configured}" in ran.json["error"]["message"]
    assert f"SEEDANCE_GATEWAY_DIALECT={there}" in ran.json["error"]["hint"]


@pytest.mark.parametrize("dialect", BY_DIALECT)
def test_the_test_of_a_wrong_key_says_so(dialect: str, tmp_path: Path) -> None:
    with BY_DIALECT[dialect]() as fake:
        desk = Desk(fake, tmp_path)
        with pytest.raises(Refused, match="Gateway refused the key"):
            desk.runner(SEEDANCE_GATEWAY_KEY="sk-wrong").probe_key("gateway")


def probed(fake: FakeGateway, folder: Path) -> SeedanceError:
    with pytest.raises(SeedanceError) as caught:
        Desk(fake, folder).runner().probe_key("gateway")
    return caught.value


def test_an_address_that_answers_to_no_dialect_is_told_in_one_sentence(tmp_path: Path) -> None:
    with FakeGateway() as fake:
        fake.fault(lambda _: True, "html:404", times=99)
        error = probed(fake, tmp_path)
        assert isinstance(error, BadOrder)
        assert "answers to none of the dialects openai, ark, fal (HTTP 404)" in error.message
        assert "before /v1/videos" in error.hint
    with FakeGateway() as fake:
        fake.fault(lambda _: True, "html:502", times=99)
        assert isinstance(probed(fake, tmp_path), OddReply)


def test_an_order_at_an_address_of_another_dialect_is_refused_and_costs_nothing(
    tmp_path: Path,
) -> None:
    for there, configured in (("openai", "ark"), ("ark", "openai"), ("fal", "openai")):
        with BY_DIALECT[there]() as fake:
            desk = Desk(fake, tmp_path / there, SEEDANCE_GATEWAY_DIALECT=configured)
            with pytest.raises(Refused) as caught:
                desk.video()
            said = f"does not answer to the dialect {configured}"
            if there == "fal":  # it asks for the key first, in its own way
                said = "Gateway refused the key"
            assert said in caught.value.message
            assert "seedance key test gateway" in caught.value.hint
            assert (caught.value.spent, fake.creates) == ("no", 0)
