"""Where the signing keys of asset libraries come from, and that they go nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from key_records import GATEWAY, stored, write

from seedance import providers
from seedance.errors import BadOrder, NeedsKey
from seedance.order import Order
from seedance.runner import quotes
from seedance.settings import Settings
from seedance.wire import SigningKey

pytestmark = pytest.mark.safety

KEY_ID, SECRET = "AKTP-an-id-of-a-key", "the-secret-half-of-a-signing-key"
WITH_ASSETS = [name for name, each in providers.registry().items() if each.can("assets")]


@pytest.fixture(params=WITH_ASSETS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def set_in_environment(patch: pytest.MonkeyPatch, provider: str) -> None:
    for name, value in zip(providers.get(provider).asset_key_variables, (KEY_ID, SECRET)):
        patch.setenv(name, value)


def test_the_variables_are_those_of_the_services_own_tools() -> None:
    assert {name: providers.get(name).asset_key_variables for name in WITH_ASSETS} == {
        "byteplus": ("BYTEPLUS_ACCESS_KEY_ID", "BYTEPLUS_SECRET_ACCESS_KEY"),
        "volcengine": ("VOLC_ACCESSKEY", "VOLC_SECRETKEY"),
    }


def test_it_comes_from_its_variables(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_in_environment(monkeypatch, provider)
    settings = Settings.load()
    assert settings.signing_key(provider) == SigningKey(KEY_ID, SECRET)
    assert settings.signing_key_source(provider) == "environment"


def test_it_is_stored_apart_from_the_key_and_found_again(provider: str) -> None:
    settings = Settings.load()
    settings.set_key(provider, "sk-the-key-of-the-video-api")
    settings.set_signing_key(provider, f" {KEY_ID}\n", SECRET)
    assert Settings.load().signing_key(provider) == SigningKey(KEY_ID, SECRET)
    assert settings.signing_key_source(provider) == "file"
    assert settings.key_file.stat().st_mode & 0o777 == 0o600
    assert settings.remove_key(provider)
    assert settings.signing_key_source(provider) == "file"
    assert settings.remove_signing_key(provider)
    assert not settings.remove_signing_key(provider)
    with pytest.raises(NeedsKey, match="no signing key"):
        settings.signing_key(provider)


def test_a_missing_one_is_asked_for_by_its_variables(provider: str) -> None:
    with pytest.raises(NeedsKey) as caught:
        Settings.load().signing_key(provider)
    for name in providers.get(provider).asset_key_variables:
        assert name in caught.value.hint
    assert f"seedance key set {provider} --assets" in caught.value.hint


@pytest.mark.parametrize("half", [0, 1])
def test_half_a_key_is_none(provider: str, half: int, monkeypatch: pytest.MonkeyPatch) -> None:
    names = providers.get(provider).asset_key_variables
    monkeypatch.setenv(names[half], SECRET)
    with pytest.raises(NeedsKey, match=f"not whole: {names[1 - half]}") as caught:
        Settings.load().signing_key(provider)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["preview", "fal", "lumenfall"])
def test_others_have_no_library(name: str) -> None:
    with pytest.raises(BadOrder, match="no asset library"):
        Settings.load().signing_key(name)
    with pytest.raises(BadOrder, match="no asset library"):
        Settings.load().set_signing_key(name, KEY_ID, SECRET)
    assert Settings.load().signing_key_source(name) is None


@pytest.mark.parametrize("bad", ["", "two words", "with\nbreak", "ключ"])
def test_what_is_no_key_is_not_stored_and_not_quoted(provider: str, bad: str) -> None:
    with pytest.raises(BadOrder) as caught:
        Settings.load().set_signing_key(provider, KEY_ID, bad)
    assert not bad or bad not in str(caught.value)
    assert KEY_ID not in str(caught.value)


# -------------------------------------------------------------------------- where it may go


def test_the_library_has_a_host_of_its_own(provider: str) -> None:
    config = Settings.load().config(provider)
    assert config.asset_url == providers.get(provider).default_asset_url
    assert config.upload_url is None  # the key of the video API is not for it


def test_its_host_can_be_set(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"SEEDANCE_{provider.upper()}_UPLOAD_URL", "https://assets.example")
    config = Settings.load().config(provider)
    assert (config.asset_url, config.upload_url) == ("https://assets.example", None)
    monkeypatch.setenv(f"SEEDANCE_{provider.upper()}_UPLOAD_URL", "http://assets.example")
    with pytest.raises(BadOrder, match="unencrypted"):
        Settings.load().config(provider)


def test_a_gateway_is_asked_for_assets_itself(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SEEDANCE_{provider.upper()}_BASE_URL", GATEWAY)
    assert Settings.load().config(provider).asset_url == "https://gateway.example:443"


def test_a_stored_one_does_not_follow_the_address(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Settings.load().set_signing_key(provider, KEY_ID, SECRET)
    monkeypatch.setenv(f"SEEDANCE_{provider.upper()}_UPLOAD_URL", "https://assets.example")
    with pytest.raises(NeedsKey, match="signs nothing for it") as caught:
        Settings.load().signing_key(provider)
    assert SECRET not in str(caught.value) and KEY_ID not in str(caught.value)


def test_changing_the_base_url_removes_a_stored_one(provider: str) -> None:
    settings = Settings.load()
    settings.set_signing_key(provider, KEY_ID, SECRET)
    settings.set_base_url(provider, GATEWAY)
    assert "assets" not in stored()[provider]
    settings.set_signing_key(provider, KEY_ID, SECRET)
    settings.set_base_url(provider, f"{GATEWAY}/v2")  # the same origin
    assert settings.signing_key(provider) == SigningKey(KEY_ID, SECRET)


def test_that_of_the_environment_signs_nothing_for_an_address_of_the_file(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({provider: {"base_url": GATEWAY}})
    set_in_environment(monkeypatch, provider)
    with pytest.raises(NeedsKey, match="nothing is signed for it"):
        Settings.load().signing_key(provider)
    monkeypatch.setenv(f"SEEDANCE_{provider.upper()}_UPLOAD_URL", "https://assets.example")
    assert Settings.load().signing_key(provider) == SigningKey(KEY_ID, SECRET)


# ------------------------------------------------------------------------------ who sees it


@pytest.mark.parametrize("half", [KEY_ID, SECRET])
@pytest.mark.parametrize("kept", ["environment", "file"])
def test_one_that_was_pasted_into_a_prompt_is_not_sent(
    provider: str, kept: str, half: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kept == "file":
        Settings.load().set_signing_key(provider, KEY_ID, SECRET)
    else:
        set_in_environment(monkeypatch, provider)
    with pytest.raises(BadOrder, match="holds the key of") as caught:
        quotes.check(Order(prompt=f"a fox, {half}"), Settings.load())
    assert half not in str(caught.value)


def test_neither_settings_nor_the_key_itself_show_it(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_in_environment(monkeypatch, provider)
    settings = Settings.load()
    shown = repr(vars(settings)) + repr(settings.signing_key(provider))
    assert SECRET not in shown and KEY_ID not in shown


@pytest.mark.parametrize("record", [None, 7, [], "x", {"access_key_id": 7}, {"origin": {}}])
def test_a_key_file_of_another_shape_holds_none(provider: str, record: object) -> None:
    write({provider: {"assets": json.loads(json.dumps(record))}})
    with pytest.raises(NeedsKey, match="no signing key"):
        Settings.load().signing_key(provider)


def test_it_is_in_the_key_file_alone(provider: str, tmp_path: Path) -> None:
    settings = Settings(tmp_path, tmp_path, {})
    settings.set_signing_key(provider, KEY_ID, SECRET)
    holding = [path for path in tmp_path.rglob("*") if SECRET.encode() in path.read_bytes()]
    assert holding == [settings.key_file]
