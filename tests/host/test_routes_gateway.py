"""The page's form for a gateway, as its routes see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pack_site import Site

pytestmark = pytest.mark.safety

KEY = "sk-gateway-0123456789"
ADDRESS = {"base_urls": {"gateway": "https://gateway.example"}}
MODELS = {"seedance-2.0": "doubao-seedance-2-0-260128", "seedance-2.5": "bytedance/{mode}"}


def own(**values: Any) -> dict[str, Any]:
    return {"providers": {"gateway": values}}


def offered(site: Site) -> dict[str, Any]:
    record: dict[str, Any] = next(
        each for each in site.get("/seedance/providers") if each["id"] == "gateway"
    )
    return record


def test_address_dialect_and_models_are_stored_together(site: Site) -> None:
    assert site.get("/seedance/settings")["providers"] == {
        "gateway": {"models": {}, "dialect": "openai"}
    }
    now = site.put("/seedance/settings", {**ADDRESS, **own(dialect="ark", models=MODELS)})
    assert now["base_urls"]["gateway"] == "https://gateway.example"
    assert now["providers"] == {"gateway": {"models": MODELS, "dialect": "ark"}}
    record = offered(site)
    assert record["choices"] == {"dialect": ["openai", "ark", "fal"]}
    assert record["models"].keys() == MODELS.keys()
    assert "edit" in record["models"]["seedance-2.5"]["modes"]  # which `openai` cannot carry
    assert site.put("/seedance/settings", own(dialect=None))["providers"]["gateway"] == {
        "models": MODELS,
        "dialect": "openai",
    }
    assert "edit" not in offered(site)["models"]["seedance-2.5"]["modes"]
    site.put("/seedance/settings", own(models={}))
    assert offered(site)["models"] == {}


def test_another_address_takes_the_key_away(site: Site) -> None:
    site.put("/seedance/settings", {**ADDRESS, **own(models=MODELS)})
    site.put("/seedance/keys/gateway", {"key": KEY})
    moved = {"base_urls": {"gateway": "https://other.example"}, **own(dialect="fal")}
    assert site.put("/seedance/settings", moved)["keys_removed"] == ["gateway"]
    assert offered(site)["key"] is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"providers": ["gateway"]}, "providers must be an object of: gateway"),
        ({"providers": {"fal": {"models": MODELS}}}, "providers must be an object of: gateway"),
        (own(key=KEY), "gateway must be an object of: dialect, models"),
        (own(base_url="https://x.example"), "gateway must be an object of: dialect, models"),
        (own(dialect="grpc"), "There is no dialect 'grpc'"),
        (own(dialect=["ark"]), "There is no dialect"),
        (own(models=["a"]), "must be a JSON object"),
        (own(models={"sora": "a"}), "must be a JSON object"),
        (own(models={"seedance-2.0": 5}), "at most 200 letters"),
        (own(models={"seedance-2.0": "x" * 201}), "at most 200 letters"),
        (own(models={"seedance-2.0": "a?b=c"}), "at most 200 letters"),
        (own(models={"seedance-2.0": "a b"}), "at most 200 letters"),
        (
            {"base_urls": {"gateway": "https://10.0.0.7"}, **own(dialect="ark")},
            "is not a public address",
        ),
        (
            {"base_urls": {"gateway": "https://me:word@gateway.example"}},
            "user name or a password cannot be the base URL",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    site: Site, body: dict[str, Any], said: str
) -> None:
    before = site.get("/seedance/settings")
    reply = site.ask("PUT", "/seedance/settings", body)
    assert reply.status == 400
    assert said in reply.error["message"]
    assert "word" not in reply.error["message"].replace("password", "")
    assert site.get("/seedance/settings") == before


def test_a_gateway_that_cannot_be_as_it_is_set_does_not_break_the_page(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDANCE_GATEWAY_DIALECT", "grpc")
    site.pack.host.settings.cache_clear()
    assert offered(site)["models"].keys() >= {"seedance-2.0"}
    assert site.get("/seedance/settings")["providers"] == {"gateway": {}}
