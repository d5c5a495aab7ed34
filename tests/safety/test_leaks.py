"""A key is seen by its own provider and by nobody else.

A key that can be recognised is planted, everything is run (success, refusal, crash, web pages for
answers, answers that quote the key, redirects, other hosts), with every logger at DEBUG; then all
that anybody could see is searched for it, also in other spellings.
"""

from __future__ import annotations

import base64
import contextlib
import html
import http.client
import json
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import fakes
import numpy as np
import pytest
from fakes import Answer, Fake, Request, ranged, tiny_clip
from key_search import KEY, World, spellings
from loopback import Connection, Raw, Server
from pack_loader import Pack, loaded_pack
from running import Desk, is_result, order_for

from seedance import hosting
from seedance.addresses import origin
from seedance.download import fetch
from seedance.errors import OddReply, SeedanceError
from seedance.order import Medium
from seedance.providers import get, registry
from seedance.runner import Runner
from seedance.settings import Settings
from seedance.transport import Credentials, Transport
from seedance.wire import Blob, Call

pytestmark = [pytest.mark.safety, pytest.mark.slow]

# A queue takes no picture but by its address, so that it has a test of its own.
FAKES = {name: fake for name, fake in fakes.in_every_dialect().items() if name != "gateway-fal"}
PROVIDERS = sorted(FAKES)


@pytest.mark.parametrize("spelling", sorted(spellings(KEY)))
def test_the_search_finds_each_spelling(spelling: bytes) -> None:
    world = World()
    world.add("somewhere", b"before " + spelling + b" after")
    assert world.leaks() == ["somewhere"]


@pytest.mark.parametrize("before", ["", ":", "Bearer ", "api:"])
def test_the_search_finds_base64_wherever_it_begins(before: str) -> None:
    world = World()
    world.add("somewhere", base64.b64encode(f"{before}{KEY}:".encode()))
    assert world.leaks() == ["somewhere"]


# ------------------------------------------------------------------------------- what is looked at


def elsewhere(request: Request) -> Answer:
    """Another host: it takes whatever comes, and serves a clip."""
    if request.method == "GET":
        return ranged(request, tiny_clip(), "video/mp4")
    return Answer(200, json={"id": "there"})


@dataclass
class Scene:
    """One provider, another host beside it, and what is looked at while they talk."""

    world: World
    fake: Fake
    other: Server
    runner: Runner
    patch: pytest.MonkeyPatch
    seed: int = 0

    def run(self) -> str:
        """One order with a picture, to whatever end; returns its state."""
        self.seed += 1
        order = order_for(self.fake.provider, self.seed, first_frame=new_picture(self.seed))
        try:
            self.world.add("result", repr(self.runner.start(order)[0].wait()))
        except Exception as error:
            self.world.add_error(error)
        row = self.runner.tasks(1)[0]
        self.world.add("row", repr(row))
        return row.state

    def spoil(self, which: Callable[[Request], bool], what: Answer, times: int = 9) -> None:
        self.fake.fault(which, what, times)

    def alter(self, change: Callable[[Request, Answer], Answer]) -> None:
        """Let the provider's own answers be changed."""
        handle = self.fake.handle
        self.patch.setattr(self.fake, "handle", lambda request: change(request, handle(request)))


def serves_the_video(request: Request) -> bool:
    """Whether a request fetches the finished video, from wherever it can be fetched."""
    return is_result(request) or request.path.endswith("/content")


def new_picture(number: int) -> Medium:
    """A picture that has not gone up before."""
    pixels = np.random.default_rng(number).integers(0, 255, (320, 320, 3)).astype("uint8")
    return Medium.from_pixels(pixels)


def is_post(request: Request) -> bool:
    return request.method == "POST"


# --------------------------------------------------------------------------------- what can happen


def success(scene: Scene) -> None:
    assert scene.run() == "saved"


def quotes() -> dict[str, bytes]:
    """The key in a JSON text, as a provider may quote it."""
    escaped = "".join(f"\\u{ord(letter):04X}" for letter in KEY)
    found = {
        "plain": KEY,
        "slashes": KEY.replace("/", "\\/"),
        "letters": escaped,
        "some letters": KEY.replace("+", "\\u002b").replace("=", "\\u003D"),
        "address": f"https://console.example/?key={quote(KEY, safe='')}",
        "base64": f"Basic {base64.b64encode(KEY.encode()).decode()}",
        "base64 of a header": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
        "base64 of a pair": base64.urlsafe_b64encode(f"me:{KEY}".encode()).decode(),
        "hexadecimal": KEY.encode().hex(),
        "web page": html.escape(KEY).replace("/", "&#x2F;").replace("+", "&#43;"),
        "JSON in JSON": json.dumps(json.dumps(KEY.replace("/", "\\/")))[3:-3],
        "address in an address": quote(quote(KEY, safe=""), safe=""),
    }
    return {name: text.encode() for name, text in found.items()}


def refused_with_the_key_quoted(scene: Scene) -> None:
    text = quotes()["slashes"]
    body = b'{"error": {"message": "bad key %s", "code": "%s"}}' % (text, text)
    scene.spoil(is_post, Answer(401, body=body), times=1)
    assert scene.run() == "refused"


def web_pages_that_quote_the_key(scene: Scene) -> None:
    page = f"<html><body>Forbidden: {KEY}</body></html>".encode()
    headers = {"content-type": f"text/html; key={KEY}", "retry-after": KEY, "location": f"/{KEY}"}
    for status in (403, 200):
        scene.spoil(is_post, Answer(status, body=page, headers=headers), times=1)
        scene.run()


def failed_with_the_key_in_its_reason(scene: Scene) -> None:
    scene.patch.setattr(scene.fake, "fail_with", scene.fake.failure(f"bad key {KEY}", KEY))
    assert scene.run() == "failed"


def a_status_word_that_is_the_key(scene: Scene) -> None:
    def odd(request: Request, answer: Answer) -> Answer:
        if request.method == "GET" and isinstance(answer.json, dict):
            scene.patch.undo()  # once
            return Answer(200, body=b'{"status": "%s", "note": "%s"}' % ((KEY.encode(),) * 2))
        return answer

    scene.alter(odd)
    scene.run()


def crash_inside(flow: str) -> Callable[[Scene], None]:
    def crash(scene: Scene) -> None:
        cls = type(scene.runner.settings.configured(scene.fake.provider))
        real = getattr(cls, flow)

        def crashing(self: Any, *args: Any) -> Any:
            crashed.append(flow)
            yield next(real(self, *args))
            raise RuntimeError(f"crash in {flow} of {self.config!r} {vars(self)!r}")

        crashed: list[str] = []
        scene.patch.setattr(cls, flow, crashing)
        scene.run()
        assert crashed or flow == "upload"  # where a picture goes inline, nothing goes up

    crash.__name__ = f"crash_inside_{flow}"
    return crash


def an_order_that_is_redirected_to_another_host(scene: Scene) -> None:
    away = Answer(307, headers={"location": f"{scene.other.url}/videos"})
    scene.spoil(is_post, away, times=1)
    scene.run()


def a_result_that_redirects_to_another_host(scene: Scene) -> None:
    away = Answer(302, headers={"location": f"{scene.other.url}/clip.mp4"})
    scene.spoil(serves_the_video, away)
    assert scene.run() != "saved"


def a_result_for_which_the_key_is_asked(scene: Scene) -> None:
    scene.spoil(is_result, Answer(401), times=1)
    assert scene.run() == "saved"


def uploads_and_results_at_another_host(scene: Scene) -> None:
    def pointing_away(request: Request, answer: Answer) -> Answer:
        text = json.dumps(answer.json).replace(scene.fake.url, scene.other.url)
        return replace(answer, json=json.loads(text))

    scene.alter(pointing_away)
    scene.run()


HAPPENINGS: tuple[Callable[[Scene], None], ...] = (
    success,
    refused_with_the_key_quoted,
    web_pages_that_quote_the_key,
    failed_with_the_key_in_its_reason,
    a_status_word_that_is_the_key,
    crash_inside("upload"),
    crash_inside("submit"),
    crash_inside("check"),
    an_order_that_is_redirected_to_another_host,
    a_result_for_which_the_key_is_asked,
    a_result_that_redirects_to_another_host,
    uploads_and_results_at_another_host,
)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_whatever_happens_the_key_is_seen_by_its_provider_alone(
    provider: str,
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("seedance.runner.clearing.FIND_SECONDS", 0.05)
    with FAKES[provider]() as fake, Server(elsewhere) as other:
        fake.key = KEY
        desk = Desk(fake, tmp_path)
        settings = desk.settings()
        if PROVIDERS.index(provider) % 2:  # every other key is stored, not in the environment
            variables = {n: v for n, v in desk.settings()._environment.items() if v != KEY}
            settings = Settings(settings.home, settings.output, variables)
            settings.set_key(fake.provider, KEY)
        runner = Runner(settings)
        handle = fake.handle

        def looked_at(request: Request) -> Answer:
            world.add_files(tmp_path / "tmp")  # while temporary files are there
            return handle(request)

        fake.handle = looked_at  # type: ignore[method-assign]
        for happening in HAPPENINGS:
            world.now = happening.__name__
            with monkeypatch.context() as patch:
                happening(Scene(world, fake, other, runner, patch, seed=100 * len(world.seen)))
            fake._faults.clear()
        world.now = "in the end"
        header = get(fake.provider).auth_header.lower()
        assert any(KEY in request.headers.get(header, "") for request in fake.requests)
        world.add_requests("the provider", fake.requests, own=header)
        world.add_requests("another host", other.requests)
        assert other.requests or provider not in ("fal", "leonardo")
    said = capfd.readouterr()
    world.add("standard output", said.out)
    world.add("standard error", said.err)


@pytest.mark.parametrize("form", quotes())
def test_a_quoted_key_is_taken_out_of_an_answer(form: str) -> None:
    body = b'{"message": "bad key %s."}' % quotes()[form]
    with Server(lambda request: Answer(401, body=body, headers={"x-key": KEY})) as server:
        sender = Transport(Credentials("Bearer", KEY, frozenset({origin(server.url)})))
        reply = sender.perform(Call("GET", server.url))
    world = World()
    world.add("body", reply.body)
    world.add("text", str(reply.json()))
    world.add("headers", repr(reply.headers))
    assert world.leaks() == []
    assert "(your key)" in reply.json()["message"]


def test_what_is_no_key_stays_in_an_answer() -> None:
    text = json.dumps({"message": base64.b64encode(bytes(range(256))).decode(), "n": "6b" * 50})
    with Server(lambda request: Answer(200, body=text.encode())) as server:
        for key in (KEY, "k", "key"):
            sender = Transport(Credentials("Bearer", key, frozenset({origin(server.url)})))
            assert sender.perform(Call("GET", server.url)).body.count(b"(your key)") == (
                text.count(key) if key != KEY else 0
            )


def test_a_redirect_that_quotes_the_key_is_refused_without_it(tmp_path: Path) -> None:
    to_key = Answer(302, headers={"location": f"http://10.0.0.1/{KEY}"})
    with Server(lambda request: to_key) as server, pytest.raises(OddReply) as caught:
        sender = Transport(Credentials("Bearer", KEY, frozenset({origin(server.url)})))
        fetch(sender, server.url, tmp_path / "part", own_origin=origin(server.url))
    world = World()
    world.add_error(caught.value)
    assert world.leaks() == []
    assert "(your key)" in str(caught.value)


# ------------------------------------------------------------- what others make programs tell of us


def nobody_there(connection: Connection) -> None:
    connection.read_request()


def test_an_error_carries_no_request_and_no_variable_with_the_key(tmp_path: Path) -> None:
    """What requests raises holds its request, whose headers hold the key."""
    world = World()
    with Raw(nobody_there) as server:
        origins = frozenset({origin(server.url), "http://127.0.0.1:9"})
        sender = Transport(Credentials("Bearer", KEY, origins))
        for url in (server.url, "http://127.0.0.1:9"):
            for spends in (False, True):
                with pytest.raises(SeedanceError) as caught:
                    sender.perform(Call("POST", url, json={}, spends=spends))
                world.add_error(caught.value)
            with (
                pytest.raises(SeedanceError) as caught,
                sender.fetching(url, headers={}, own_origin=origin(url), authorized=True),
            ):
                pass
            world.add_error(caught.value)
        assert all(KEY.encode() in received for received in server.received)
    assert world.leaks() == []
    assert len(world.seen) > 20


def test_an_error_of_the_settings_shows_no_key_that_was_at_hand(tmp_path: Path) -> None:
    world = World()
    order = order_for("lumenfall")
    stored = Settings(tmp_path / "home", tmp_path / "output", {})
    stored.set_key("lumenfall", KEY)
    stored.set_section("s3", {"bucket": "b" * 100, "secret_access_key": KEY})
    costly = {"SEEDANCE_BUDGET_DAY": "0.01"}
    moved = {"SEEDANCE_LUMENFALL_BASE_URL": "https://gateway.example"}
    for variables in (costly, moved, {**costly, "LUMENFALL_API_KEY": KEY}):
        with pytest.raises(SeedanceError) as caught:
            Runner(Settings(tmp_path / "home", tmp_path / "output", variables)).start(order)
        world.add_error(caught.value)
    blob = Blob("image", "image/png", "a.png", 1, "digest", data=b"x")
    for variables in ({}, {"SEEDANCE_S3_BUCKET": "b" * 100, "SEEDANCE_S3_SECRET_ACCESS_KEY": KEY}):
        with pytest.raises(SeedanceError) as caught:
            hosting.put(Settings(tmp_path / "home", tmp_path, variables), blob, "a.png")
        world.add_error(caught.value)
    world.add("what is shown of a key", repr(stored.key("lumenfall")))
    assert world.leaks() == []
    assert stored.key("lumenfall") == KEY
    for provider in registry().values():  # each variable is known for a secret
        if provider.key_variable:
            settings = Settings(tmp_path, tmp_path, {provider.key_variable: KEY})
            assert KEY not in repr(vars(settings))


def test_printing_all_headers_does_not_print_ours(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """http.client's own way to be verbose, which people switch on for the whole program."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with Server(lambda request: Answer(json={})) as server:
        sender = Transport(Credentials("Bearer", KEY, frozenset({origin(server.url)})))
        assert sender.perform(Call("GET", server.url)).ok
    assert KEY not in capfd.readouterr().out


SIGNATURE = "X-Amz-Signature=5ec4e7f00d"


def test_a_signed_address_is_in_no_log_line_and_no_error(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Whoever has the address of an upload or a result can use it."""
    caplog.set_level(logging.DEBUG)
    with Server(lambda request: Answer(404)) as server, Raw(nobody_there) as broken:
        sender = Transport(Credentials("Bearer", KEY, frozenset({origin(server.url)})))
        for host in (server.url, broken.url, "http://127.0.0.1:9"):
            url = f"{host}/clip.mp4?{SIGNATURE}"
            with contextlib.suppress(SeedanceError):
                sender.perform(Call("PUT", url, json={}, auth=False))
            with pytest.raises(SeedanceError) as caught:
                fetch(sender, url, tmp_path / "part", own_origin=origin(host))
            assert SIGNATURE not in "".join(traceback.format_exception(caught.value))
        assert all("X-Amz-Signature" in request.query for request in server.requests)
        assert server.requests
    logging.getLogger("urllib3.connectionpool").debug("said of another program's call")
    assert SIGNATURE not in caplog.text
    assert "said of another program's call" in caplog.text


def test_a_signed_address_that_a_provider_quotes_is_shortened(tmp_path: Path) -> None:
    said = f"cannot read https://files.example/a.png?{SIGNATURE}&x=1: HTTP 403"
    with fakes.all()["lumenfall"](fail_with={"code": "FAILED", "message": said}) as fake:
        desk = Desk(fake, tmp_path)
        with pytest.raises(SeedanceError, match=r"https://files\.example/a\.png\?\.\.\.") as caught:
            desk.video()
        assert SIGNATURE not in json.dumps([caught.value.as_dict(), desk.row().error])
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or SIGNATURE.encode() not in file.read_bytes(), file


def test_an_odd_status_is_logged_without_the_addresses_beside_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def odd(request: Request, answer: Answer) -> Answer:
        if request.method == "GET" and isinstance(answer.json, dict) and not told:
            told.append(request)
            escaped = f'"https:\\/\\/files.example/secret-path\\u003f{SIGNATURE}"'
            return Answer(200, body=b'{"status": "hatching", "url": %s}' % escaped.encode())
        return answer

    told: list[Request] = []
    with fakes.all()["lumenfall"]() as fake:
        handle = fake.handle
        fake.handle = lambda request: odd(request, handle(request))  # type: ignore[method-assign]
        Desk(fake, tmp_path).video()
    assert "hatching" in caplog.text
    assert "secret-path" not in caplog.text and SIGNATURE not in caplog.text


# -------------------------------------------------------------------------------- the command line


def test_the_command_line(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is typed in, and all commands after that, each a process that is looked at."""
    monkeypatch.setattr(fakes.all()["lumenfall"], "key", KEY)
    with fakes.all()["lumenfall"](polls_until_done=3) as fake:
        variables = {**os.environ, **fake.environment(), "SEEDANCE_POLL_INTERVAL": "0.05"}
        del variables["LUMENFALL_API_KEY"]

        def seedance(*words: str, typed: str = "") -> int:
            process = subprocess.Popen(
                [sys.executable, "-m", "seedance", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=variables,
            )
            world.add_processes()
            for name, text in zip(("output", "error"), process.communicate(typed.encode())):
                world.add(f"standard {name} of {words}", text)
            return process.returncode

        assert seedance("key", "set", "lumenfall", typed=f"{KEY}\n") == 0
        assert seedance("key", "test", "lumenfall") == 0
        order = ("--provider", "lumenfall", "--prompt", "a fox")
        assert seedance("generate", *order, "--json") == 0
        quoting = Answer(401, json={"error": {"message": f"bad key {KEY}"}})
        fake.fault(lambda request: request.method == "POST", quoting)
        assert seedance("generate", *order, "--seed", "1") == 4
        assert seedance("check", *order, "--json") == 0
        assert seedance("tasks", "--json") == 0
        assert seedance("doctor") in (0, 1)
        assert fake.creates == 1
        logging.getLogger("seedance").debug("looked at")


# ------------------------------------------------------------------------------- nodes and routes


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pack]:
    pytest.importorskip("aiohttp")
    with loaded_pack(tmp_path, monkeypatch) as pack:
        yield pack


def test_nodes_and_routes(pack: Pack, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key stored by the page; then a run that succeeds, one that is refused, and all routes."""
    from pack_site import Site  # needs aiohttp

    kind = fakes.all()["lumenfall"]
    monkeypatch.setattr(kind, "key", KEY)
    secrets = {"access_key_id": f"id-{KEY}", "secret_access_key": KEY}
    with kind() as fake:
        for name, value in fake.environment().items():
            if value != KEY:
                monkeypatch.setenv(name, value)
        monkeypatch.setenv("SEEDANCE_S3_SESSION_TOKEN", KEY)
        monkeypatch.setenv("SEEDANCE_POLL_INTERVAL", "0.05")
        site = Site(pack)
        try:

            def ask(method: str, path: str, body: Any = None) -> None:
                reply = site.ask(method, path, body)
                world.add(f"{method} {path}", json.dumps(reply.headers).encode() + reply.body)

            ask("PUT", "/seedance/keys/lumenfall", {"key": KEY})
            ask("PUT", "/seedance/settings", {"bucket": {"bucket": "b", **secrets}})
            ask("POST", "/seedance/keys/lumenfall/test", {})
            ran = pack.run("SeedanceT2V", prompt="a fox", provider="lumenfall", resolution="720p")
            world.add(
                "what the node gave", repr(ran.ui) + repr(ran.args if hasattr(ran, "args") else "")
            )
            quoting = Answer(401, json={"error": {"message": f"bad key {KEY}"}})
            fake.fault(lambda request: request.method == "POST", quoting)
            with pytest.raises(Exception, match="key") as caught:
                pack.run("SeedanceT2V", prompt="a fox", provider="lumenfall", seed=1)
            world.add_error(caught.value)
            assert any(event == "seedance.node" for event, *_ in pack.server.sent)
            world.add("what the page was told", repr(pack.server.sent))
            world.add("the server", repr(vars(pack.server)))
            for path in ("providers", "settings", "tasks", "totals", "tasks/1", "tasks/2"):
                ask("GET", f"/seedance/{path}")
            ask("POST", "/seedance/check", {"provider": "lumenfall", "prompt": "a fox"})
            ask("POST", "/seedance/tasks/1/collect", {})
            ask("GET", "/seedance/tasks/1/thumbnail")
            ask("PUT", "/seedance/keys/lumenfall", {"key": f"{KEY} with a blank"})
            ask("PUT", "/seedance/keys/nosuch", {"key": KEY})
            assert fake.creates == 1
        finally:
            site.close()


def test_a_stored_key_is_in_one_file_and_that_is_ours_alone(tmp_path: Path) -> None:
    settings = Settings(tmp_path, tmp_path, {})
    settings.set_key("lumenfall", KEY)
    holding = [path for path in tmp_path.rglob("*") if KEY.encode() in path.read_bytes()]
    assert holding == [settings.key_file]
    assert os.name != "posix" or settings.key_file.stat().st_mode & 0o777 == 0o600
