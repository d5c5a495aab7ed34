"""Where keys, addresses and budgets come from, and that a key goes nowhere else."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from key_records import GATEWAY, stored, write

from seedance import addresses, providers
from seedance.errors import BadOrder, NeedsKey
from seedance.settings import Settings

pytestmark = pytest.mark.safety

KEY = "sk-the-key-that-nobody-may-see"
OTHER = "sk-another-key-that-nobody-may-see"
WITH_KEYS = [name for name, provider in providers.registry().items() if provider.key_variable]


# ------------------------------------------------------------------------------------ folders


def test_the_environment_wins_over_the_caller(tmp_path: Path) -> None:
    loaded = Settings.load(home=tmp_path / "theirs", output=tmp_path / "theirs")
    assert (loaded.home, loaded.output) == (tmp_path / "home", tmp_path / "output")


def test_the_caller_wins_over_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEEDANCE_HOME")
    monkeypatch.delenv("SEEDANCE_OUTPUT")
    loaded = Settings.load(home=tmp_path / "a", output=tmp_path / "b")
    assert (loaded.home, loaded.output) == (tmp_path / "a", tmp_path / "b")


def test_the_defaults_are_the_home_folder_and_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEEDANCE_HOME")
    monkeypatch.delenv("SEEDANCE_OUTPUT")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    loaded = Settings.load()
    assert (loaded.home, loaded.output) == (tmp_path / ".seedance", tmp_path)


def test_the_journal_is_a_file_at_home_unless_said_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings.load().journal_url == tmp_path / "home" / "journal.db"
    monkeypatch.setenv("SEEDANCE_JOURNAL_URL", "postgresql://a/b")
    assert Settings.load().journal_url == "postgresql://a/b"


def test_times_have_defaults_and_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (Settings.load().poll_interval, Settings.load().timeout) == (None, 3600.0)
    monkeypatch.setenv("SEEDANCE_POLL_INTERVAL", "0.5")
    monkeypatch.setenv("SEEDANCE_TIMEOUT", "60")
    assert (Settings.load().poll_interval, Settings.load().timeout) == (0.5, 60.0)


def test_a_time_of_0_is_as_short_as_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDANCE_POLL_INTERVAL", "0")
    monkeypatch.setenv("SEEDANCE_TIMEOUT", "0")
    assert (Settings.load().poll_interval, Settings.load().timeout) == (0.05, 0.0)


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
@pytest.mark.parametrize("variable", ["SEEDANCE_TIMEOUT", "SEEDANCE_POLL_INTERVAL"])
def test_a_time_that_is_none_is_refused_by_its_name(
    variable: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(BadOrder, match=f"{variable} must be a number of seconds"):
        Settings.load()


def test_a_budget_may_be_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDANCE_BUDGET_DAY", "0")
    assert Settings.load().budget == {"day": 0.0}


# --------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize("provider_id", WITH_KEYS)
def test_a_key_comes_from_its_variable(provider_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"SEEDANCE_{provider_id.upper()}_BASE_URL", GATEWAY)
    monkeypatch.setenv(str(providers.get(provider_id).key_variable), f" {KEY}\n")
    assert Settings.load().key(provider_id) == KEY
    assert Settings.load().key_source(provider_id) == "environment"


def test_a_key_is_stored_and_found_again() -> None:
    Settings.load().set_key("lumenfall", f" {KEY}\n")
    assert Settings.load().key("lumenfall") == KEY
    assert Settings.load().key_source("lumenfall") == "file"


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Settings.load().set_key("lumenfall", OTHER)
    monkeypatch.setenv("LUMENFALL_API_KEY", KEY)
    assert Settings.load().key("lumenfall") == KEY
    assert Settings.load().key_source("lumenfall") == "environment"


def test_an_empty_variable_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    Settings.load().set_key("lumenfall", KEY)
    monkeypatch.setenv("LUMENFALL_API_KEY", "  ")
    assert Settings.load().key("lumenfall") == KEY
    assert Settings.load().key_source("lumenfall") == "file"


def test_preview_needs_no_key() -> None:
    assert Settings.load().key("preview") == ""
    assert Settings.load().key_source("preview") == "not needed"
    with pytest.raises(BadOrder, match="needs no key"):
        Settings.load().set_key("preview", KEY)


@pytest.mark.parametrize("provider_id", WITH_KEYS)
def test_a_missing_key_is_asked_for_by_its_variable(provider_id: str) -> None:
    with pytest.raises(NeedsKey, match=str(providers.get(provider_id).key_variable)):
        Settings.load().key(provider_id)
    assert Settings.load().key_source(provider_id) is None


def test_a_removed_key_is_gone() -> None:
    loaded = Settings.load()
    loaded.set_key("lumenfall", KEY)
    assert loaded.remove_key("lumenfall") is True
    assert loaded.remove_key("lumenfall") is False
    assert loaded.key_source("lumenfall") is None
    assert KEY not in loaded.key_file.read_text()


def test_other_keys_are_left_alone() -> None:
    loaded = Settings.load()
    loaded.set_key("lumenfall", KEY)
    loaded.set_key("fal", OTHER)
    loaded.remove_key("fal")
    assert loaded.key("lumenfall") == KEY


def test_an_unknown_provider_has_no_key() -> None:
    with pytest.raises(BadOrder, match="no provider 'nobody'"):
        Settings.load().set_key("nobody", KEY)


# --------------------------------------------------------------------- a key and its address


def test_a_stored_key_is_bound_to_the_origin_of_its_time() -> None:
    Settings.load().set_key("lumenfall", KEY)
    assert stored()["lumenfall"]["origin"] == "https://api.lumenfall.ai:443"


def test_a_stored_key_does_not_follow_the_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    Settings.load().set_key("lumenfall", KEY)
    monkeypatch.setenv("SEEDANCE_LUMENFALL_BASE_URL", GATEWAY)
    with pytest.raises(NeedsKey, match=r"belongs to https://api\.lumenfall\.ai:443, not to"):
        Settings.load().key("lumenfall")
    assert Settings.load().key_source("lumenfall") is None


def test_a_stored_key_goes_to_another_path_of_its_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    Settings.load().set_key("lumenfall", KEY)
    monkeypatch.setenv("SEEDANCE_LUMENFALL_BASE_URL", "https://API.lumenfall.ai/v2")
    assert Settings.load().key("lumenfall") == KEY


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/v1", "https://api.lumenfall.ai:8443/v1", "https://lumenfall.ai.example/v1"],
)
def test_changing_the_base_url_removes_the_stored_key(url: str) -> None:
    loaded = Settings.load()
    loaded.set_key("lumenfall", KEY)
    assert loaded.set_base_url("lumenfall", url) is True
    assert "key" not in stored()["lumenfall"]


def test_going_back_to_the_default_removes_the_key_of_the_gateway() -> None:
    loaded = Settings.load()
    loaded.set_base_url("lumenfall", GATEWAY)
    loaded.set_key("lumenfall", KEY)
    assert loaded.set_base_url("lumenfall", None) is True
    assert loaded.key_source("lumenfall") is None


def test_the_same_origin_keeps_the_key() -> None:
    loaded = Settings.load()
    loaded.set_key("lumenfall", KEY)
    assert loaded.set_base_url("lumenfall", "https://api.lumenfall.ai/v2") is False
    assert loaded.key("lumenfall") == KEY


def test_a_key_without_an_origin_is_not_used_and_removed_with_the_address() -> None:
    write({"lumenfall": {"key": KEY}})
    with pytest.raises(NeedsKey):
        Settings.load().key("lumenfall")
    assert Settings.load().set_base_url("lumenfall", GATEWAY) is True
    assert "key" not in stored()["lumenfall"]


def test_a_key_of_the_environment_is_not_sent_to_an_address_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Settings.load().set_base_url("lumenfall", GATEWAY)
    monkeypatch.setenv("LUMENFALL_API_KEY", KEY)
    with pytest.raises(NeedsKey, match="the key is not sent there") as caught:
        Settings.load().key("lumenfall")
    assert "SEEDANCE_LUMENFALL_BASE_URL" in caught.value.hint


def test_a_key_of_the_environment_goes_to_an_address_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Settings.load().set_base_url("lumenfall", "https://other.example")
    monkeypatch.setenv("SEEDANCE_LUMENFALL_BASE_URL", GATEWAY)
    monkeypatch.setenv("LUMENFALL_API_KEY", KEY)
    assert Settings.load().key("lumenfall") == KEY
    assert Settings.load().config("lumenfall").base_url == GATEWAY


# ---------------------------------------------------------------------------------- addresses


def test_the_default_address_is_the_provider_s_own() -> None:
    assert Settings.load().config("lumenfall").base_url == "https://api.lumenfall.ai/v1"


def test_an_unpublished_address_must_be_set_once_there_is_a_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UNIALL_API_KEY", KEY)
    for ask in (Settings.load().config, Settings.load().key):
        with pytest.raises(BadOrder) as caught:
            ask("uniall")
        assert "SEEDANCE_UNIALL_BASE_URL" in caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.example/v1",
        "http://127.gateway.example/v1",
        "http://127.0.0.1.gateway.example/v1",
        "http://localhost.gateway.example/v1",
        "http://10.0.0.1/v1",
    ],
)
def test_a_key_never_leaves_this_machine_unencrypted(url: str) -> None:
    with pytest.raises(BadOrder, match="unencrypted"):
        Settings.load().set_base_url("lumenfall", url)


@pytest.mark.parametrize("host", ["127.0.0.1:9000", "127.9.9.9", "localhost:9000", "[::1]:9000"])
def test_a_gateway_on_this_machine_may_be_plain_http(host: str) -> None:
    loaded = Settings.load()
    loaded.set_base_url("lumenfall", f"http://{host}/v1")
    assert loaded.config("lumenfall").base_url == f"http://{host}/v1"


@pytest.mark.parametrize(
    "url",
    [
        "gateway.example",
        "ftp://gateway.example",
        "file:///etc/passwd",
        "https://",
        "https://user@gateway.example",
        "https://:word@gateway.example",
        "https://gateway.example?key=1",
        "https://gateway.example#part",
        "https://gateway.example:99999",
        "https://[gateway.example",
    ],
)
@pytest.mark.parametrize("source", ["environment", "file"])
def test_what_cannot_be_a_base_url_is_refused(
    url: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadOrder, match="cannot be the base URL"):
        if source == "file":
            Settings.load().set_base_url("lumenfall", url)
        else:
            monkeypatch.setenv("SEEDANCE_LUMENFALL_BASE_URL", url)
            Settings.load().config("lumenfall")


def test_a_gateway_s_key_is_not_shown_to_the_official_upload_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Settings.load().config("fal").upload_url == "https://rest.fal.ai"
    monkeypatch.setenv("SEEDANCE_FAL_BASE_URL", GATEWAY)
    assert Settings.load().config("fal").upload_url == GATEWAY


def test_an_upload_host_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDANCE_FAL_UPLOAD_URL", "https://upload.example")
    assert Settings.load().config("fal").upload_url == "https://upload.example"
    monkeypatch.setenv("SEEDANCE_FAL_UPLOAD_URL", "http://upload.example")
    with pytest.raises(BadOrder, match="unencrypted"):
        Settings.load().config("fal")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://A.example", "https://a.example:443"),
        ("http://a.example/x?y", "http://a.example:80"),
        ("https://a.example:8443", "https://a.example:8443"),
        ("https://good.example@evil.example", "https://evil.example:443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, expected: str) -> None:
    assert addresses.origin(url) == expected


@pytest.mark.parametrize("url", ["https://[a", "https://a:99999", "https://a:port"])
def test_what_is_no_address_has_no_origin(url: str) -> None:
    assert addresses.origin(url) == ""
    assert not addresses.is_loopback(url)


# ---------------------------------------------------------------------------- models, options


def test_model_ids_of_the_environment_win_over_those_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write({"byteplus": {"models": {"seedance-2.0": "ep-file"}}})
    assert Settings.load().config("byteplus").models == {"seedance-2.0": "ep-file"}
    monkeypatch.setenv("SEEDANCE_BYTEPLUS_MODELS", '{"seedance-2.0": "ep-2026"}')
    assert Settings.load().config("byteplus").models == {"seedance-2.0": "ep-2026"}


@pytest.mark.parametrize("text", ["ep-2026", "[]", '{"sora": "ep"}', '{"seedance-2.0": ""}', "{"])
def test_model_ids_that_are_none_are_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDANCE_BYTEPLUS_MODELS", text)
    with pytest.raises(BadOrder, match="SEEDANCE_BYTEPLUS_MODELS"):
        Settings.load().config("byteplus")


def test_options_are_only_those_that_the_provider_declares(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEEDANCE_UNIALL_BASE_URL", GATEWAY)
    monkeypatch.setenv("SEEDANCE_UNIALL_CREATE_PATH", "/v2/create")
    monkeypatch.setenv("SEEDANCE_UNIALL_DATA_URIS", "0")
    monkeypatch.setenv("SEEDANCE_UNIALL_SURPRISE", "1")
    assert Settings.load().config("uniall").options == {
        "create_path": "/v2/create",
        "data_uris": "0",
    }


# --------------------------------------------------------------------------- bucket and budget


def test_there_is_no_budget_unless_one_is_set() -> None:
    assert Settings.load().budget == {}


def test_the_budget_of_the_environment_wins_over_that_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Settings.load().set_section("budget", {"day": "5", "month": "50", "unknown_price": "1"})
    monkeypatch.setenv("SEEDANCE_BUDGET_DAY", "2.5")
    monkeypatch.setenv("SEEDANCE_UNKNOWN_PRICE", "3")
    assert Settings.load().budget == {"day": 2.5, "month": 50.0, "unknown_price": 3.0}


def test_a_budget_of_nothing_is_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDANCE_BUDGET_DAY", "0")
    assert Settings.load().budget == {"day": 0.0}


@pytest.mark.parametrize("text", ["five", "-5", "nan"])
def test_a_budget_that_is_no_number_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDANCE_BUDGET_DAY", text)
    with pytest.raises(BadOrder, match="SEEDANCE_BUDGET_DAY must be a number"):
        _ = Settings.load().budget


def test_a_value_of_a_section_is_removed_by_none() -> None:
    Settings.load().set_section("s3", {"bucket": "mine", "region": "eu"})
    Settings.load().set_section("s3", {"region": None})
    assert Settings.load().section("s3", "SEEDANCE_S3") == {"bucket": "mine"}


# ------------------------------------------------------------------------ nobody sees the key


def key_with_a_blank(loaded: Settings, _: pytest.MonkeyPatch) -> None:
    loaded.set_key("lumenfall", f"{KEY} {KEY}")


def key_with_a_line_break(loaded: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMENFALL_API_KEY", f"{KEY}\nX-Header: 1")
    Settings.load().key("lumenfall")


def key_outside_ascii(loaded: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMENFALL_API_KEY", f"{KEY}ü")
    Settings.load().key("lumenfall")


def key_of_another_origin(loaded: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded.set_key("lumenfall", KEY)
    monkeypatch.setenv("SEEDANCE_LUMENFALL_BASE_URL", GATEWAY)
    Settings.load().key("lumenfall")


def key_of_the_environment(loaded: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded.set_base_url("lumenfall", GATEWAY)
    monkeypatch.setenv("LUMENFALL_API_KEY", KEY)
    Settings.load().key("lumenfall")


@pytest.mark.parametrize(
    "offend",
    [
        key_with_a_blank,
        key_with_a_line_break,
        key_outside_ascii,
        key_of_another_origin,
        key_of_the_environment,
    ],
    ids=lambda offend: offend.__name__,
)
def test_no_error_shows_a_key(
    offend: Callable[[Settings, pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises((BadOrder, NeedsKey)) as caught:
        offend(Settings.load(), monkeypatch)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert KEY not in str(caught.value.as_dict())


def test_neither_settings_nor_config_show_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    Settings.load().set_key("lumenfall", KEY)
    monkeypatch.setenv("FAL_KEY", OTHER)
    loaded = Settings.load()
    shown = f"{loaded!r} {loaded} {loaded.config('lumenfall')!r} {loaded.config('fal')!r}"
    assert KEY not in shown
    assert OTHER not in shown
