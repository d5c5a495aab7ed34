"""What the page's routes take and give, over HTTP, as a browser and as anybody else would ask."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core

from pack_loader import loaded_pack
from pack_site import PREVIEW, Reply, Site
from running import until

pytestmark = pytest.mark.safety

KEY = "sk-nobody-may-see-this"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with loaded_pack(tmp_path, monkeypatch) as pack:
        site = Site(pack)
        try:
            yield site
        finally:
            site.close()


def key_of(site: Site, provider: str) -> Any:
    return next(item["key"] for item in site.get("/seedance/providers") if item["id"] == provider)


# ------------------------------------------------------------------------- who waits for whom


class SlowProviders:
    """Providers that answer key tests and cancels when `answer` is set, and not before."""

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self.site, self.answer = site, threading.Event()
        self.replies: list[Reply] = []
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._askers: list[threading.Thread] = []
        runner = site.pack.host.runner()
        monkeypatch.setattr(runner, "probe_key", self._probe_key)
        monkeypatch.setattr(runner, "cancel", self._cancel)

    def _probe_key(self, _provider: str) -> Any:
        self._wait()
        return self.site.pack.core("wire").Balance(account="ours")

    def _cancel(self, row: int) -> str:
        self._wait()
        return f"Row {row} is cancelled."

    def _wait(self) -> None:
        self._asked.put(None)
        self.answer.wait()

    def ask(self, *paths: str) -> None:
        """Post to each path; returns when the providers have been asked by all of them."""
        for path in paths:
            ask = threading.Thread(
                target=lambda path: self.replies.append(self.site.ask("POST", path, {})),
                args=(path,),
            )
            ask.start()
            self._askers.append(ask)
        for _ in paths:
            self._asked.get()

    def end(self) -> None:
        self.answer.set()
        for ask in self._askers:
            ask.join()


@pytest.fixture
def slow(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowProviders]:
    slow = SlowProviders(site, monkeypatch)
    try:
        yield slow
    finally:
        slow.end()


CANCELS = [f"/seedance/tasks/{row}/cancel" for row in range(1, 9)]
KEY_TESTS = ["/seedance/keys/fal/test"] * 8


def test_the_page_is_answered_while_nodes_decode(site: Site) -> None:
    go_on = threading.Event()
    decoding = [site.pack.threads.in_processor_thread(go_on.wait) for _ in range(20)]
    try:
        assert site.get("/seedance/tasks") == []
    finally:
        go_on.set()
    assert all(each.result(10) for each in decoding)


@pytest.mark.parametrize("paths", [CANCELS, KEY_TESTS], ids=["cancels", "key tests"])
def test_slow_providers_stop_neither_the_tab_nor_a_node(
    site: Site, slow: SlowProviders, paths: list[str]
) -> None:
    slow.ask(*paths)
    assert site.get("/seedance/tasks") == []
    assert check(site, "SeedanceT2V")["preview"]["price"]["amount"] == 0
    output = site.pack.run("SeedanceT2V", **PREVIEW, decode_frames=False)
    assert output.args[5] == [site.get("/seedance/tasks")[0]["task"]]
    assert slow.replies == []
    slow.end()
    assert [reply.status for reply in slow.replies] == [200] * 8


def test_more_than_sixteen_do_not_wait_for_providers_at_once(
    site: Site, slow: SlowProviders
) -> None:
    slow.ask(*CANCELS, *KEY_TESTS)
    reply = site.ask("POST", KEY_TESTS[0], {})
    assert (reply.status, reply.error["kind"]) == (503, "Unreachable")
    assert "Try again" in reply.error["hint"]
    slow.end()
    assert [reply.status for reply in slow.replies] == [200] * 16
    assert site.ask("POST", CANCELS[0], {}).json == {"message": "Row 1 is cancelled."}


def test_checks_of_a_whole_graph_stop_neither_the_tab_nor_a_node(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a graph is opened, the page asks for each of its nodes."""
    go_on, begun = threading.Event(), queue.SimpleQueue[None]()
    checked = site.pack.host.runner().check

    def slow_check(order: Any) -> Any:
        begun.put(None)
        go_on.wait()
        return checked(order)

    monkeypatch.setattr(site.pack.host.runner(), "check", slow_check)
    body = {"node": "SeedanceT2V", "inputs": {"prompt": "a hill"}}
    replies: list[Reply] = []
    asking = [
        threading.Thread(target=lambda: replies.append(site.ask("POST", "/seedance/check", body)))
        for _ in range(12)
    ]
    for each in asking:
        each.start()
    try:
        for _ in range(site.pack.threads.MOST_CHECKS):
            begun.get()
        assert site.get("/seedance/tasks") == []
        output = site.pack.run("SeedanceT2V", **PREVIEW, decode_frames=False)
        assert output.args[5] == [site.get("/seedance/tasks")[0]["task"]]
        assert begun.empty() and replies == []
    finally:
        go_on.set()
        for each in asking:
            each.join()
    assert [reply.status for reply in replies] == [200] * 12


def test_checks_beyond_a_number_are_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.pack.threads, "_checks_waiting", threading.BoundedSemaphore(1))
    assert site.pack.threads._checks_waiting.acquire()
    reply = site.ask("POST", "/seedance/check", {"node": "SeedanceT2V"})
    assert (reply.status, reply.error["kind"]) == (503, "Unreachable")


def test_a_wait_that_fails_makes_room_for_the_next(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreachable = site.pack.core("errors").Unreachable("Nobody answers.")

    def probe_key(_provider: str) -> None:
        raise unreachable

    monkeypatch.setattr(site.pack.host.runner(), "probe_key", probe_key)
    replies = [site.ask("POST", KEY_TESTS[0], {}) for _ in range(20)]
    assert [reply.status for reply in replies] == [409] * 20


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


# --------------------------------------------------------------------------------------- check


def check(site: Site, node: str, sockets: tuple[str, ...] = (), **inputs: Any) -> dict[str, Any]:
    """What the providers would make of a node, by their ids."""
    body = {"node": node, "inputs": {"prompt": "a hill", **inputs}, "sockets": list(sockets)}
    reply = site.ask("POST", "/seedance/check", body)
    assert reply.status == 200, reply.body
    return {quote["provider"]: quote for quote in reply.json["quotes"]}


def test_a_node_is_checked_at_every_provider(site: Site) -> None:
    quotes = check(site, "SeedanceT2V", resolution="720p", ratio="16:9", takes=3)
    assert quotes.keys() == {provider["id"] for provider in site.get("/seedance/providers")}
    assert quotes["preview"]["price"]["amount"] == 0
    assert quotes["lumenfall"]["payload"]["prompt"] == "a hill"


def test_a_node_without_words_or_pictures_has_a_price_all_the_same(site: Site) -> None:
    quote = check(site, "SeedanceI2V", prompt="", ratio="16:9")["lumenfall"]
    assert quote["price"]["amount"] > 0
    assert quote["problem"] is None
    assert quote["media"] == ["the first frame: inline, inside the request"]


def test_what_nearest_would_change_is_listed(site: Site) -> None:
    quote = check(site, "SeedanceT2V", resolution="4k", ratio="16:9")["lumenfall"]
    (change,) = quote["changes"]
    assert (change["field"], change["asked"], change["given"]) == ("resolution", "4k", "720p")
    assert quote["problem"]["kind"] == "BadOrder"


def test_what_nearest_changes_is_no_problem(site: Site) -> None:
    quotes = check(site, "SeedanceT2V", resolution="4k", ratio="16:9", on_unsupported="nearest")
    assert quotes["lumenfall"]["problem"] is None


def test_sockets_that_grew_are_counted_with_the_addresses(site: Site) -> None:
    sockets = ("images.image_1", "images.image_3", "videos.video_1", "seed")
    quote = check(site, "SeedanceReference", sockets, urls="audio: https://x.example/a")["preview"]
    assert [line.split(":")[0] for line in quote["media"]] == [
        *("picture 1", "picture 2", "clip 1", "sound 1"),
    ]


def test_a_pictures_number_in_the_prompt_waits_for_the_graph(site: Site) -> None:
    """One socket may bring a batch."""
    quotes = check(site, "SeedanceReference", ("images.image_1",), prompt="@Image3 runs")
    assert quotes["preview"]["problem"] is None


def test_auto_is_the_cheapest_that_has_a_key(site: Site) -> None:
    body = {"node": "SeedanceT2V", "inputs": {"prompt": "a hill", "ratio": "16:9"}}
    assert site.ask("POST", "/seedance/check", body).json["auto"] is None
    site.put("/seedance/keys/lumenfall", {"key": KEY})
    reply = site.ask("POST", "/seedance/check", body)
    assert reply.json["auto"] == "lumenfall"
    assert KEY.encode() not in reply.body


def test_an_order_can_be_checked_without_a_node(site: Site) -> None:
    order = {**PREVIEW, "first_frame": "https://x.example/a.png"}
    quotes = site.ask("POST", "/seedance/check", order).json["quotes"]
    assert quotes[0]["media"] == ["the first frame: as the address given"]


@pytest.mark.parametrize(
    "body",
    [
        {"node": "KSampler"},
        {"node": 5},
        {"node": "SeedanceT2V", "inputs": []},
        {"node": "SeedanceT2V", "inputs": {"steps": 20}},
        {"node": "SeedanceT2V", "inputs": {"duration": "5"}},
        {"node": "SeedanceT2V", "inputs": {"resolution": "8k"}},
        {"node": "SeedanceT2V", "inputs": {"extra": "{"}},
        {"node": "SeedanceT2V", "sockets": [5]},
        {"node": "SeedanceI2V", "inputs": {"image_url": "file:///etc/passwd"}},
        {"first_frame": "/etc/passwd"},
        {"references": "x"},
        {"references": [{"kind": "text", "address": "https://x.example"}]},
        {"steps": 20},
        {"media": 1},
        {"describe": 1},
        {"__class__": 1},
        {"duration": True},
        {"extra": []},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(site: Site, body: dict[str, Any]) -> None:
    reply = site.ask("POST", "/seedance/check", body)
    assert (reply.status, reply.error["kind"]) == (400, "BadOrder")


# ------------------------------------------------------------------------------------- journal


def test_a_finished_task_has_its_picture_and_its_video(site: Site) -> None:
    result = site.made(seed=5)
    (row,) = site.get("/seedance/tasks")
    assert (row["row"], row["state"], row["seed"]) == (result.row, "saved", 5)
    assert (row["mode"], row["picture"], row["there"], row["live"]) == ("text", True, True, False)
    picture = site.ask("GET", f"/seedance/tasks/{result.row}/thumbnail")
    assert picture.headers["Content-Type"] == "image/jpeg"
    assert picture.body[:2] == b"\xff\xd8"
    video = site.ask("GET", f"/seedance/tasks/{result.row}/video", Range="bytes=0-99")
    assert (video.status, video.headers["Content-Type"]) == (206, "video/mp4")
    assert video.body == result.file.read_bytes()[:100]


def test_the_order_of_a_task_can_be_had_again(site: Site) -> None:
    result = site.made(seed=6, ratio="1:1")
    order = site.get(f"/seedance/tasks/{result.row}")["order"]
    assert (order["prompt"], order["seed"], order["ratio"]) == ("a hill", 6, "1:1")


def test_a_look_since_now_gives_nothing_old(site: Site) -> None:
    site.made()
    assert len(site.get("/seedance/tasks?since=1")) == 1
    for later in ("99999999999", "9" * 12):
        assert site.get(f"/seedance/tasks?since={later}") == []


def test_a_task_under_way_says_how_far_it_is_however_late_one_looks(site: Site) -> None:
    order = site.pack.core("order").Order(**{**PREVIEW, "resolution": "1080p", "duration": 15})
    (job,) = site.pack.host.runner().start(order)
    try:
        until(lambda: site.get("/seedance/tasks")[0]["progress"]["code"] == "rendering_part")
        (row,) = site.get("/seedance/tasks?since=99999999999")
        assert row["live"] is True
        progress = row["progress"]
        assert progress["code"] == "rendering_part"
        assert progress["text"].startswith(f"rendering {progress['values']['percent']} %")
        assert 0 <= progress["fraction"] <= 1
    finally:
        job.cancel()
    until(lambda: not site.get("/seedance/tasks")[0]["live"])
    assert site.get("/seedance/tasks")[0]["progress"] is None


def test_a_forgotten_task_can_be_made_again(site: Site) -> None:
    row = site.made().row
    reply = site.ask("POST", f"/seedance/tasks/{row}/forget", {})
    assert reply.json["state"] == "cancelled"
    assert site.made().row != row


def test_a_task_that_has_ended_cannot_be_cancelled(site: Site) -> None:
    reply = site.ask("POST", f"/seedance/tasks/{site.made().row}/cancel", {})
    assert reply.status == 400
    assert "nothing to cancel" in reply.error["message"]


def test_a_lost_video_is_collected_again(site: Site) -> None:
    result = site.made()
    result.file.unlink()
    assert site.get("/seedance/tasks")[0]["there"] is False
    reply = site.ask("POST", f"/seedance/tasks/{result.row}/collect", {})
    assert reply.json == {"row": result.row}
    site.pack.host.runner().collect(result.task).wait()
    assert site.get("/seedance/tasks")[0]["there"] is True


def test_what_is_free_is_no_part_of_the_totals(site: Site) -> None:
    site.made()
    assert site.get("/seedance/totals?days=7") == []


@pytest.mark.parametrize("name", ["secret.txt", "page.html", "passwd", "clip.mp4.html", "."])
def test_only_a_video_is_served_whatever_the_journal_says(
    site: Site, name: str, tmp_path: Path
) -> None:
    """A journal may be shared by several machines, and so be written by others."""
    row = site.made().row
    path = tmp_path / name
    if name != ".":
        path.write_text("<script>alert('s3cret')</script>")
    write_into_row(site, row, file=str(path))
    for what in ("video", "thumbnail"):
        reply = site.ask("GET", f"/seedance/tasks/{row}/{what}")
        assert (reply.status, reply.error["kind"]) == (400, "BadOrder")
        assert b"s3cret" not in reply.body


def test_a_last_frame_that_is_a_program_is_not_run(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import EpsImagePlugin

    ran: list[Any] = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *args, **_: ran.append(args))
    result = site.made()
    result.last_frame.write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
    )
    reply = site.ask("GET", f"/seedance/tasks/{result.row}/thumbnail")
    assert (reply.status, reply.error["kind"]) == (400, "BadOrder")
    assert ran == []


def write_into_row(site: Site, row: int, **values: Any) -> None:
    """Change the journal behind the pack's back."""
    with closing(sqlite3.connect(site.pack.host.settings().home / "journal.db")) as database:
        for name, value in values.items():
            database.execute(f"UPDATE orders SET {name} = ? WHERE id = ?", (value, row))
        database.commit()


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
