"""What the page's routes take and give, over HTTP, as a browser and as anybody else would ask."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core

from pack_loader import loaded_pack
from pack_site import KEY, Site

pytestmark = pytest.mark.safety


def key_of(site: Site, provider: str) -> Any:
    return next(item["key"] for item in site.get("/seedance/providers") if item["id"] == provider)


# --------------------------------------------------------------------------------- who may ask


@pytest.mark.parametrize("where", ["cross-site", "same-site"])
def test_another_sites_page_is_turned_away(site: Site, where: str) -> None:
    reply = site.ask("DELETE", "/seedance/keys/fal", Sec_Fetch_Site=where)
    assert (reply.status, reply.error["kind"]) == (403, "BadOrder")


def test_a_foreign_origin_is_turned_away_where_the_browser_says_no_more(site: Site) -> None:
    body = {"key": KEY}
    reply = site.ask("PUT", "/seedance/keys/fal", body, Origin="https://evil.example")
    assert reply.status == 403
    assert key_of(site, "fal") is None


def test_comfyuis_own_page_may_ask(site: Site) -> None:
    origin = f"http://127.0.0.1:{site.port}"
    assert site.ask("GET", "/seedance/settings", Origin=origin).status == 200
    assert site.ask("GET", "/seedance/settings", Sec_Fetch_Site="same-origin").status == 200


@pytest.mark.parametrize("site_", ["cross-site", "same-site", ""])
@pytest.mark.parametrize(
    "path", ["settings", "providers", "tasks", "tasks/1", "tasks/1/video", "tasks/1/thumbnail"]
)
def test_another_site_may_not_even_look(site: Site, path: str, site_: str) -> None:
    assert site.ask("GET", f"/seedance/{path}", Sec_Fetch_Site=site_).status == 403


@pytest.mark.parametrize(
    "origin", ["null", "", "http://evil.example", "http://127.0.0.1:{}.evil.example", "file://"]
)
def test_an_origin_that_is_not_ours_is_turned_away(site: Site, origin: str) -> None:
    reply = site.ask("POST", "/seedance/check", {}, Origin=origin.format(site.port))
    assert reply.status == 403


@pytest.mark.parametrize(
    "origin",
    ["http://[", "http://[::1", "[", "http://]/", "//[", "http://\u2100.example", "x" * 6000],
)
def test_a_garbage_origin_is_turned_away_without_a_traceback(
    site: Site, origin: str, caplog: pytest.LogCaptureFixture
) -> None:
    sent = origin.encode("utf-8").decode("latin-1")
    reply = site.ask("POST", "/seedance/check", {}, Origin=sent)
    assert (reply.status, reply.error["kind"]) == (403, "BadOrder")
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://a:99999999", "http://a:b"])
def test_a_garbage_origin_reaches_no_middleware_of_comfyui(site: Site, origin: str) -> None:
    """ComfyUI's own reads the Origin before a route does, and fails."""
    for path in ("/seedance/tasks", "/api/seedance/tasks"):
        reply = site.ask("GET", path, Origin=origin)
        assert (reply.status, reply.error["kind"]) == (403, "BadOrder")
    first = site.pack.server.app.middlewares[0]
    assert first.__qualname__.startswith("guard.")


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "OPTIONS"])
def test_what_comfyui_itself_answers_there_has_the_headers_too(site: Site, method: str) -> None:
    reply = site.ask(method, "/seedance/tasks")
    assert reply.status == 405
    assert reply.headers["X-Frame-Options"] == "DENY"
    assert "X-Frame-Options" not in site.ask(method, "/elsewhere").headers


@pytest.mark.parametrize(
    "body",
    [
        {"assets": [{"name": "x"}]},
        {"assets": "x"},
        {"node": "SeedanceT2V", "inputs": {"assets": [1]}},
        {"node": "SeedanceT2V", "inputs": {"first_frame": {"kind": "image"}}},
        {"node": "SeedanceT2V", "inputs": {"video": "https://files.example/a.mp4"}},
        {"node": "SeedanceI2V", "inputs": {"last_frame": ["1", 0]}},
    ],
)
def test_media_that_no_request_can_give_are_refused(site: Site, body: dict[str, Any]) -> None:
    assert site.ask("POST", "/seedance/check", body).status == 400


def test_every_route_has_the_headers_against_embedding(site: Site) -> None:
    for method, path, _ in site.pack.routes._routes:
        at = path.replace("{provider}", "fal").replace(r"{row:\d+}", "99")
        headers = site.ask(method, at, {} if method in ("POST", "PUT") else None).headers
        assert headers["X-Frame-Options"] == "DENY", path


def test_no_answer_can_be_embedded_elsewhere_or_taken_for_another_type(site: Site) -> None:
    """Over plain http, browsers do not say which site's page a picture or script is for."""
    row = site.made().row
    for path in ("settings", "tasks", f"tasks/{row}/video", f"tasks/{row}/thumbnail", "tasks/99"):
        headers = site.ask("GET", f"/seedance/{path}").headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
        assert headers["X-Frame-Options"] == "DENY"


def test_looking_changes_nothing(site: Site) -> None:
    """Any page can make a browser look, so that only PUT, POST and DELETE may do something."""
    site.made()
    before = contents(site.pack.host.settings().home)
    paths = {path for method, path, _ in site.pack.routes._routes if method == "GET"}
    assert len(paths) > 5
    for path in paths:
        site.ask("GET", path.replace(r"{row:\d+}", "1"))
    assert contents(site.pack.host.settings().home) == before


def contents(folder: Path) -> dict[Path, bytes]:
    """What is in the files of a folder; of the journal, in its rows."""
    with closing(sqlite3.connect(folder / "journal.db")) as database:
        rows = "\n".join(database.iterdump()).encode()
    files = [path for path in folder.rglob("*") if path.is_file() and "journal" not in path.name]
    return {folder / "journal.db": rows, **{path: path.read_bytes() for path in files}}


# --------------------------------------------------------------------------- what may come in


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"[]", 400), (b"\xff", 400), (b"[" * 100_000, 400)]
)
def test_what_is_no_json_object_is_refused(site: Site, body: bytes, status: int) -> None:
    reply = site.ask("POST", "/seedance/check", body, Content_Type="application/json")
    assert reply.status == status
    assert reply.error["message"].startswith("The body is not")


def test_a_form_is_refused(site: Site) -> None:
    """A page elsewhere can send one without asking first."""
    reply = site.ask("PUT", "/seedance/keys/fal", b'{"key": "x"}', Content_Type="text/plain")
    assert reply.status == 415


def test_a_body_that_is_too_large_is_refused(site: Site) -> None:
    reply = site.ask("POST", "/seedance/check", {"prompt": "x" * 300_000})
    assert reply.status == 413


@pytest.mark.parametrize("body", [{}, {"key": ""}, {"key": 5}, {"key": ["x"]}])
def test_a_key_must_be_a_text(site: Site, body: dict[str, Any]) -> None:
    assert site.ask("PUT", "/seedance/keys/fal", body).status == 400


@pytest.mark.parametrize("provider", ["nobody", "..%2f..%2fkeys", "s3", "budget"])
def test_an_unknown_provider_is_refused_by_name(site: Site, provider: str) -> None:
    reply = site.ask("PUT", f"/seedance/keys/{provider}", {"key": KEY})
    assert reply.status == 400
    assert "no provider" in reply.error["message"]


@pytest.mark.parametrize(
    "row", ["..", "..%2f..%2fetc%2fpasswd", "1%2f..%2f..", "-1", "1e3", "%00", "%D9%A3"]
)
def test_a_row_is_a_number_and_no_path(site: Site, row: str) -> None:
    assert site.ask("GET", f"/seedance/tasks/{row}/video").status in (400, 404)


@pytest.mark.parametrize("row", ["7", "9" * 30])
@pytest.mark.parametrize("what", ["", "/video", "/thumbnail"])
def test_a_row_that_is_not_there_is_said_to_be_missing(site: Site, row: str, what: str) -> None:
    reply = site.ask("GET", f"/seedance/tasks/{row}{what}")
    assert reply.status == 400
    assert "There is no row" in reply.error["message"]


@pytest.mark.parametrize("query", ["limit=-1", "limit=x", "since=1.5", "limit=" + "9" * 40])
def test_a_query_that_makes_no_sense_is_refused(site: Site, query: str) -> None:
    assert site.ask("GET", f"/seedance/tasks?{query}").status == 400


# ---------------------------------------------------------------------------------------- keys


def test_a_key_goes_in_and_never_out(site: Site, tmp_path: Path) -> None:
    reply = site.ask("PUT", "/seedance/keys/fal", {"key": KEY})
    assert (reply.status, reply.json) == (200, {"key": "file"})
    file = site.pack.host.settings().key_file
    assert os.name != "posix" or stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["fal"]["key"] == KEY
    for path in ("/seedance/providers", "/seedance/settings", "/seedance/tasks"):
        assert KEY.encode() not in site.ask("GET", path).body


def test_a_removed_key_is_gone(site: Site) -> None:
    site.put("/seedance/keys/fal", {"key": KEY})
    assert site.ask("DELETE", "/seedance/keys/fal").json == {"key": None}
    assert key_of(site, "fal") is None


def test_a_key_from_the_environment_shows_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAL_KEY", KEY)
    with loaded_pack(tmp_path, monkeypatch) as pack:
        site = Site(pack)
        try:
            assert site.put("/seedance/keys/fal", {"key": "sk-other"}) == {"key": "environment"}
        finally:
            site.close()


def test_a_new_address_takes_the_key_of_the_old_one_away(site: Site) -> None:
    site.put("/seedance/settings", {"base_urls": {"uniall": "https://one.example"}})
    site.put("/seedance/keys/uniall", {"key": KEY})
    now = site.put("/seedance/settings", {"base_urls": {"uniall": "https://two.example"}})
    assert now["keys_removed"] == ["uniall"]
    assert now["base_urls"]["uniall"] == "https://two.example"
    assert key_of(site, "uniall") is None


def test_testing_a_key_that_is_not_there_says_so(site: Site) -> None:
    reply = site.ask("POST", "/seedance/keys/fal/test", {})
    assert (reply.status, reply.error["kind"]) == (409, "NeedsKey")


# ------------------------------------------------------------------------------------ settings


def test_the_buckets_secrets_are_only_said_to_be_there(site: Site) -> None:
    bucket = {"bucket": "films", "endpoint": "https://s3.example", "secret_access_key": KEY}
    now = site.put("/seedance/settings", {"bucket": bucket})["bucket"]
    assert now == {**bucket, "secret_access_key": True}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("endpoint", "s3.example"),
        ("endpoint", "http://s3.example"),
        ("endpoint", "https://user:pass@s3.example"),
        ("bucket", "My Films"),
        ("bucket", "s3://films"),
        ("region", "Frankfurt am Main"),
        ("prefix", "films?x"),
    ],
)
def test_what_no_bucket_can_have_is_refused_with_an_example(
    site: Site, name: str, value: str
) -> None:
    reply = site.ask("PUT", "/seedance/settings", {"bucket": {name: value}})
    assert reply.status == 400
    assert value in reply.error["message"]
    assert "looks like" in reply.error["hint"]
    assert site.get("/seedance/settings")["bucket"] == {}


def test_the_bucket_can_be_tried_out(site: Site) -> None:
    reply = site.ask("POST", "/seedance/bucket/test", {})
    assert (reply.status, reply.error["message"]) == (400, "No bucket is set up.")


def test_another_endpoint_takes_the_buckets_secrets_away(site: Site) -> None:
    secrets = {"access_key_id": "id", "secret_access_key": KEY}
    site.put("/seedance/settings", {"bucket": {"endpoint": "https://s3.example", **secrets}})
    now = site.put("/seedance/settings", {"bucket": {"endpoint": "https://evil.example"}})
    assert now["bucket"] == {"endpoint": "https://evil.example"}


def test_a_budget_is_kept_and_reset(site: Site) -> None:
    site.put("/seedance/settings", {"budget": {"day": 5, "month": "50.5"}})
    assert site.put("/seedance/settings", {"budget": {"day": None}})["budget"] == {"month": 50.5}


@pytest.mark.parametrize("amount", ["-1", "1e9", "lots", "nan", "1.2.3", "9" * 30, 10**30, "٣"])
def test_a_budget_is_an_amount(site: Site, amount: Any) -> None:
    assert site.ask("PUT", "/seedance/settings", {"budget": {"day": amount}}).status == 400
    assert site.get("/seedance/settings")["budget"] == {}


@pytest.mark.parametrize(
    "body",
    [
        {"budget": {"year": 1}},
        {"bucket": {"key": "x"}},
        {"base_urls": {"nobody": "https://x.example"}},
        {"base_urls": ["https://x.example"]},
        {"base_urls": {"uniall": {"x": 1}}},
        {"base_urls": {"uniall": "http://elsewhere.example"}},
    ],
)
def test_settings_that_do_not_exist_are_refused(site: Site, body: dict[str, Any]) -> None:
    assert site.ask("PUT", "/seedance/settings", body).status == 400


def test_settings_of_which_one_is_refused_change_nothing(site: Site) -> None:
    site.put("/seedance/keys/lumenfall", {"key": KEY})
    before = site.get("/seedance/settings")
    body = {
        "base_urls": {"lumenfall": "https://elsewhere.example", "fal": "nonsense"},
        "bucket": {"bucket": "films"},
        "budget": {"day": 5},
    }
    assert (
        "cannot be the base URL of fal"
        in site.ask("PUT", "/seedance/settings", body).error["message"]
    )
    assert site.get("/seedance/settings") == before
    assert key_of(site, "lumenfall") == "file"


def test_the_page_learns_which_variables_win(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDANCE_BUDGET_DAY", "3")
    assert "SEEDANCE_BUDGET_DAY" in site.get("/seedance/settings")["environment"]


# ---------------------------------------------------------------------------------- the modules


def test_a_module_is_asked_for_anew_after_an_update(site: Site, tmp_path: Path) -> None:
    """ComfyUI says so for *.js only; without it a browser keeps a module for days."""
    (tmp_path / "x.mjs").write_text("")
    (tmp_path / "x.png").write_bytes(b"")
    assert site.pack.server.app.on_response_prepare
    request = type("Request", (), {"path": "/extensions/comfyui-seedance/x.mjs"})()
    response = type("Response", (), {"headers": {}})()
    asyncio.run(site.pack.routes._revalidate(request, response))
    assert response.headers == {"Cache-Control": "no-cache"}
