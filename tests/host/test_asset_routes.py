"""The page's routes for assets and their signing keys, over HTTP."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import fakes
import numpy as np
import pytest
from fakes import Answer
from PIL import Image

from seedance.providers import get

pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core

from pack_site import Site, check

pytestmark = pytest.mark.safety

ADDRESS = "https://media.example/1.png"


@pytest.fixture
def ark(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A BytePlus with a library; this server has its address and the key of its video API."""
    with fakes.all()["byteplus"]() as fake:
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(site.pack.core("runner.library"), "CHECK_SECONDS", 0.01)
        yield fake


@pytest.fixture
def signed(ark: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same with its signing key in the environment."""
    variables = ark.library.environment(get("byteplus").asset_key_variables)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return ark


def add(site: Site, name: str, provider: str = "byteplus", address: str = ADDRESS) -> Any:
    medium = site.pack.core("order").Medium.from_address("image", address)
    return site.pack.host.runner().assets.add(medium, name, provider)


def add_file(site: Site, name: str, grey: int = 200) -> Any:
    file = io.BytesIO()
    Image.fromarray(np.full((400, 500, 3), grey, np.uint8)).save(file, "PNG")
    medium = site.pack.core("order").Medium("image", data=file.getvalue())
    return site.pack.host.runner().assets.add(medium, name, "any")


def library_of(site: Site, provider: str) -> Any:
    return next(
        item["assets"] for item in site.get("/seedance/providers") if item["id"] == provider
    )


# -------------------------------------------------------------------------------- the signing key


def test_a_signing_key_goes_in_and_never_out(site: Site, ark: Any) -> None:
    variables = ["BYTEPLUS_ACCESS_KEY_ID", "BYTEPLUS_SECRET_ACCESS_KEY"]
    assert library_of(site, "byteplus") == {"key": None, "variables": variables}
    assert library_of(site, "fal") is None
    halves = {"access_key_id": ark.library.key_id, "secret_access_key": ark.library.secret}
    reply = site.put("/seedance/keys/byteplus/assets", halves)
    assert reply == {"key": "file"}
    assert library_of(site, "byteplus")["key"] == "file"
    tried = site.ask("POST", "/seedance/keys/byteplus/assets/test", {})
    assert tried.json == {"works": True}
    for path in ("providers", "settings", "assets", "tasks"):
        body = site.ask("GET", f"/seedance/{path}").body.decode()
        assert not any(half in body for half in halves.values()), path
    removed = site.ask("DELETE", "/seedance/keys/byteplus/assets")
    assert removed.json == {"key": None}


def test_a_wrong_signing_key_is_told(site: Site, ark: Any) -> None:
    halves = {"access_key_id": "AKTPwrong0123456789", "secret_access_key": "wrong-secret-0000"}
    site.put("/seedance/keys/byteplus/assets", halves)
    reply = site.ask("POST", "/seedance/keys/byteplus/assets/test", {})
    assert reply.error["kind"] == "Refused"
    assert not any(half in reply.body.decode() for half in halves.values())


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("fal", {"access_key_id": "AKTPtest0123456789", "secret_access_key": "secret-0000"}),
        ("byteplus", {"access_key_id": "AKTPtest0123456789"}),
        ("byteplus", {"access_key_id": "AKTP test", "secret_access_key": "secret-0000"}),
        ("nobody", {"access_key_id": "AKTPtest0123456789", "secret_access_key": "secret-0000"}),
    ],
)
def test_what_is_no_signing_key_is_not_stored(
    site: Site, ark: Any, provider: str, body: dict[str, str]
) -> None:
    reply = site.ask("PUT", f"/seedance/keys/{provider}/assets", body)
    assert (reply.status, reply.error["kind"]) == (400, "BadOrder")
    assert not any(half in reply.body.decode() for half in body.values())
    assert not site.pack.host.settings().key_file.exists()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "keys/byteplus/assets"),
        ("POST", "assets/remove"),
        ("POST", "assets/refresh"),
        ("GET", "assets"),
        ("GET", "assets/picture?provider=any&name=Hero&file=01-1.png"),
    ],
)
def test_another_sites_page_is_turned_away(site: Site, method: str, path: str) -> None:
    body = None if method == "GET" else {}
    reply = site.ask(method, f"/seedance/{path}", body, Sec_Fetch_Site="cross-site")
    assert reply.status == 403


# --------------------------------------------------------------------------------------- the list


def test_assets_are_listed_with_what_the_page_shows(site: Site, signed: Any) -> None:
    add(site, "Hero")
    add_file(site, "Dog")
    mine, theirs = site.get("/seedance/assets")
    assert (mine["name"], mine["provider"], mine["state"]) == ("Dog", "any", "local")
    assert mine["file"] == Path(mine["file"]).name
    assert (theirs["name"], theirs["provider"], theirs["state"]) == ("Hero", "byteplus", "active")
    assert theirs["handle"].startswith("asset://") and theirs["file"] is None
    assert mine["picture"] and theirs["picture"]
    assert (
        str(site.pack.host.settings().home) not in site.ask("GET", "/seedance/assets").body.decode()
    )


def test_a_list_of_nothing_asks_nobody(site: Site, ark: Any) -> None:
    assert site.get("/seedance/assets") == []
    assert ark.requests == []


def test_a_refresh_takes_in_what_others_added(site: Site, signed: Any) -> None:
    add(site, "Hero")
    signed.library.assets.clear()
    reply = site.ask("POST", "/seedance/assets/refresh", {})
    assert reply.json == {"assets": [], "problems": []}


def test_a_refresh_says_which_library_cannot_be_asked(site: Site, signed: Any) -> None:
    add(site, "Hero")
    signed.library.subscribed = False
    answer = site.ask("POST", "/seedance/assets/refresh", {}).json
    assert [asset["name"] for asset in answer["assets"]] == ["Hero"]
    (problem,) = answer["problems"]
    assert "BytePlus" in problem


def test_an_asset_is_removed_by_name_and_by_handle(site: Site, signed: Any) -> None:
    add(site, "Hero")
    second = add(site, "Hero", address="https://media.example/2.png")
    before = site.pack.fingerprint("SeedanceAsset")
    body = {"name": second.handle, "provider": "byteplus"}
    (gone,) = site.ask("POST", "/seedance/assets/remove", body).json
    assert gone["handle"] == second.handle
    assert len(signed.library.assets) == 1
    assert site.pack.fingerprint("SeedanceAsset") != before
    site.ask("POST", "/seedance/assets/remove", {"name": "Hero", "provider": "byteplus"})
    assert signed.library.assets == {} and site.get("/seedance/assets") == []
    missing = site.ask("POST", "/seedance/assets/remove", {"name": "Hero", "provider": "any"})
    assert missing.error["kind"] == "BadOrder"


# ------------------------------------------------------------------------------------ the pictures


def test_the_picture_of_a_file_is_small(site: Site, ark: Any) -> None:
    add_file(site, "Dog")
    (asset,) = site.get("/seedance/assets")
    reply = site.ask("GET", f"/seedance/assets/picture?provider=any&name=Dog&file={asset['file']}")
    assert reply.headers["Content-Type"] == "image/jpeg"
    with Image.open(io.BytesIO(reply.body)) as picture:
        assert max(picture.size) <= 500


@pytest.mark.parametrize(
    ("name", "file"), [("Dog", "../../keys.json"), ("..", "keys.json"), ("Dog", "asset.json")]
)
def test_nothing_but_an_assets_pictures_is_given(
    site: Site, ark: Any, name: str, file: str
) -> None:
    add_file(site, "Dog")
    site.pack.host.settings().set_key("fal", "sk-nobody-may-see-this")
    query = f"provider=any&name={quote(name)}&file={quote(file)}"
    reply = site.ask("GET", f"/seedance/assets/picture?{query}")
    assert reply.error["kind"] == "BadOrder"


def test_the_picture_of_a_library_is_fetched_once(site: Site, signed: Any) -> None:
    handle = add(site, "Hero").handle
    file = io.BytesIO()
    Image.fromarray(np.full((400, 500, 3), 90, np.uint8)).save(file, "PNG")
    shown = Answer(200, body=file.getvalue(), headers={"content-type": "image/png"})
    signed.fault(lambda request: request.path.startswith("/assets/"), shown)
    path = f"/seedance/assets/picture?provider=byteplus&handle={quote(handle)}"
    first, again = site.ask("GET", path), site.ask("GET", path)
    assert first.headers["Content-Type"] == "image/jpeg"
    assert first.body == again.body
    fetched = [request for request in signed.requests if request.path.startswith("/assets/")]
    assert len(fetched) == 1


def test_a_picture_of_what_is_not_ours_is_not_asked_for(site: Site, signed: Any) -> None:
    add(site, "Hero")
    asked = len(signed.requests)
    path = "/seedance/assets/picture?provider=byteplus&handle=asset%3A%2F%2Fasset-other"
    assert site.ask("GET", path).error["kind"] == "BadOrder"
    assert len(signed.requests) == asked


# ------------------------------------------------------------------------------------------ prices


def test_a_check_knows_the_names_in_a_prompt(site: Site, signed: Any) -> None:
    add(site, "Hero")
    quotes = check(site, "SeedanceReference", prompt="@Asset:Hero walks")
    assert quotes["byteplus"]["problem"] is None
    assert "byteplus" in quotes["fal"]["problem"]["hint"]
    body = {"node": "SeedanceReference", "inputs": {"prompt": "@Asset:Nobody walks"}, "sockets": []}
    reply = site.ask("POST", "/seedance/check", body)
    assert "Nobody" in reply.error["message"]
