"""A key is seen by its own provider and by nobody else.

A key that can be recognised is planted, everything is run (success, refusal, crash, web pages for
answers, answers that quote the key, redirects, other hosts), with every logger at DEBUG; then all
that anybody could see is searched for it, also in other spellings.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import fakes
import pytest
from fakes import Answer, Fake, Request, ranged, tiny_clip
from loopback import Server
from rim import Pack, loaded_pack
from running import Desk, is_result, picture
from test_routes import Site

from seedance.providers import get

# Letters that JSON, addresses and base64 spell in other ways.
KEY = "sk-LEAK/7f3a+canary=9c~e5d1-abcdefghij"
PROVIDERS = sorted(fakes.all())


def spellings(key: str) -> set[bytes]:
    """How a key may be written where it should not be."""
    found = {key, quote(key, safe=""), quote(key, safe="").lower(), key.replace("/", "\\/")}
    found |= {"".join(f"\\u{ord(letter):04x}" for letter in key), key.encode().hex(), key[::-1]}
    for shift in range(3):  # base64 looks different by what stands before
        packed = base64.b64encode(b"\0" * shift + key.encode())[4:-4].decode()
        found |= {packed, packed.replace("+", "-").replace("/", "_")}
    return {text.encode() for text in found}


@dataclass
class World:
    """All that anybody could see, by where it was seen."""

    key: str = KEY
    seen: list[tuple[str, bytes]] = field(default_factory=list)

    def add(self, where: str, what: str | bytes) -> None:
        self.seen.append(
            (where, what.encode("utf-8", "replace") if isinstance(what, str) else what)
        )

    def add_files(self, folder: Path) -> None:
        """Every file but the key file, with its name: journal, sidecars, pictures, clips."""
        for path in folder.rglob("*"):
            self.add("a file's name", str(path))
            if path.is_file() and path.name != "keys.json":
                with contextlib.suppress(FileNotFoundError):  # a temporary one
                    self.add(path.name, path.read_bytes())

    def add_error(self, error: BaseException) -> None:
        """An error as logs, dialogs and reports show it, with the chain of its causes."""
        self.add("traceback", "".join(traceback.format_exception(error)))
        while error is not None:
            self.add("error", f"{error} {error!r} {error.args}")
            if hasattr(error, "as_dict"):
                self.add("error as JSON", json.dumps(error.as_dict()))
            error = error.__cause__ or error.__context__  # type: ignore[assignment]

    def add_processes(self) -> None:
        """The arguments of this process and all that it started, as other users see them."""
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                self.add("arguments", process.read_bytes())

    def add_requests(self, where: str, requests: list[Request], *, own: bool) -> None:
        """What a server received; at the provider itself the key may be in one header."""
        for request in requests:
            headers = {
                name: value
                for name, value in request.headers.items()
                if not (own and name == "authorization")
            }
            self.add(where, f"{request.method} {request.path} {request.query} {headers}")
            self.add(where, request.body)

    def leaks(self) -> list[str]:
        """Where the key can be seen."""
        forms = spellings(self.key)
        return [where for where, what in self.seen if any(form in what for form in forms)]


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


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world during a test, with every logger talking and temporary files at hand."""
    world = World()
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    words = io.StringIO()
    handler = logging.StreamHandler(words)
    root = logging.getLogger()
    loggers = [root, *map(logging.getLogger, ("urllib3", "requests", "sqlalchemy", "alembic"))]
    loggers += map(logging.getLogger, ("seedance", "asyncio", "PIL", "sqlalchemy.engine"))
    levels = [logger.level for logger in loggers]
    root.addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    try:
        yield world
    finally:
        root.removeHandler(handler)
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
    assert words.getvalue(), "nothing was logged, so nothing was searched"
    world.add("log", words.getvalue())
    world.add_files(tmp_path)
    world.add_processes()
    assert world.leaks() == []


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
    desk: Desk

    def run(self, seed: int = 0) -> None:
        """One order with a picture, to whatever end."""
        try:
            result = self.desk.video(seed=seed, first_frame=picture())
            self.world.add("result", repr(result))
        except Exception as error:
            self.world.add_error(error)
        self.world.add("row", repr(self.desk.row()))


@pytest.fixture(params=PROVIDERS)
def scene(
    request: pytest.FixtureRequest,
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Scene]:
    kind = fakes.all()[request.param]
    monkeypatch.setattr(kind, "key", KEY)
    with kind() as fake, Server(elsewhere) as other:
        handle = fake.handle

        def looked_at(request: Request) -> Answer:
            # In the middle of things, when temporary files and processes are there.
            world.add_files(tmp_path / "tmp")
            return handle(request)

        fake.handle = looked_at  # type: ignore[method-assign]
        yield Scene(world, fake, other, Desk(fake, tmp_path))
        assert fake.requests
        world.add_requests("the provider", fake.requests, own=True)
        world.add_requests("another host", other.requests, own=False)
    said = capfd.readouterr()
    world.add("standard output", said.out)
    world.add("standard error", said.err)


# ------------------------------------------------------------------------------------ what happens


def test_success(scene: Scene) -> None:
    scene.run()
    assert scene.desk.row().state == "saved"


def quotes() -> dict[str, str]:
    """A key as a provider may quote it."""
    return {
        "plain": f'"Incorrect API key: {KEY}"',
        "slashes": '"Incorrect API key: ' + KEY.replace("/", "\\/") + '"',
        "letters": '"' + "".join(f"\\u{ord(letter):04X}" for letter in KEY) + '"',
        "some letters": '"key ' + KEY.replace("+", "\\u002b").replace("=", "\\u003D") + '"',
        "address": f'"https://console.example/?key={quote(KEY, safe="")}"',
        "base64": f'"Basic {base64.b64encode(KEY.encode()).decode()}"',
    }


@pytest.mark.parametrize("form", quotes())
@pytest.mark.parametrize("status", [401, 400, 500])
def test_an_answer_that_quotes_the_key(scene: Scene, status: int, form: str) -> None:
    if PROVIDERS.index(scene.fake.provider) % 3 != (status + len(form)) % 3:
        pytest.skip("another provider does this one")
    body = '{"error": {"message": %s, "code": "bad"}}' % quotes()[form]  # noqa: UP031
    quoting = Answer(status, body=body.encode())
    scene.fake.fault(lambda request: request.method == "POST", quoting, times=9)
    scene.run()
    assert scene.desk.row().state in ("refused", "unclear")


def test_a_web_page_that_quotes_the_key(scene: Scene) -> None:
    page = f"<html><body>Forbidden: {KEY}</body></html>".encode()
    headers = {"content-type": f"text/html; key={KEY}", "retry-after": KEY, "location": f"/{KEY}"}
    for status in (403, 302, 502):
        scene.fake.fault(lambda _: True, Answer(status, body=page, headers=headers), times=4)
    for seed in range(2):
        scene.run(seed)


def test_a_task_that_fails_with_the_key_in_its_reason(scene: Scene) -> None:
    handle = scene.fake.handle

    def failing(request: Request) -> Answer:
        answer = handle(request)
        if request.method == "GET" and answer.json is not None:
            reason = {"message": f"bad key {KEY}", "code": KEY}
            return Answer(
                200, json={**answer.json, "status": "failed", "error": reason, "fail_reason": KEY}
            )
        return answer

    scene.fake.handle = failing  # type: ignore[method-assign]
    scene.desk = Desk(scene.fake, scene.desk.output.parent, SEEDANCE_TIMEOUT="2")
    scene.run()


@pytest.mark.parametrize("flow", ["upload", "submit", "check"])
def test_a_crash_inside_a_flow(scene: Scene, flow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cls = get(scene.fake.provider)
    real = getattr(cls, flow)

    def crash(self: Any, *args: Any) -> Any:
        yield next(real(self, *args))
        raise RuntimeError(f"crash in {flow} of {self.config!r} {vars(self)!r}")

    monkeypatch.setattr(cls, flow, crash)
    scene.run()


def test_redirects_to_another_host(scene: Scene) -> None:
    def away(request: Request) -> Answer:
        return Answer(307, headers={"location": scene.other.url + request.path})

    for method in ("POST", "PUT", "GET"):
        with contextlib.ExitStack():
            redirect = away(Request(method, "/there", {}, {}, b""))
            scene.fake.fault(lambda request, m=method: request.method == m, redirect, times=2)
    for seed in range(2):
        scene.run(seed)


def test_a_result_that_redirects_to_another_host(scene: Scene) -> None:
    away = Answer(302, headers={"location": f"{scene.other.url}/clip.mp4"})
    scene.fake.fault(is_result, away, times=9)
    scene.run()


def test_a_result_for_which_the_key_is_asked(scene: Scene) -> None:
    scene.fake.fault(is_result, Answer(401))
    scene.run()
    assert scene.desk.row().state == "saved"


def test_uploads_and_results_at_another_host(scene: Scene) -> None:
    handle = scene.fake.handle

    def pointing_away(request: Request) -> Answer:
        answer = handle(request)
        text = json.dumps(answer.json).replace(scene.fake.url, scene.other.url)
        answer.json = json.loads(text)
        return answer

    scene.fake.handle = pointing_away  # type: ignore[method-assign]
    scene.run()


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
    pytest.importorskip("torch")
    with loaded_pack(tmp_path, monkeypatch) as pack:
        yield pack


def test_nodes_and_routes(
    world: World, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key stored by the page; then a run that succeeds, one that is refused, and all routes."""
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
            ask: Callable[..., None] = (
                lambda *words: world.add(
                    " ".join(map(str, words[:2])), answer_of(site, *words)
                )
            )
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
            world.add("words on nodes", repr(pack.server.texts))
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


def answer_of(site: Site, method: str, path: str, body: Any = None) -> bytes:
    reply = site.ask(method, path, body)
    return json.dumps(reply.headers).encode() + reply.body


def test_a_stored_key_is_in_one_file_and_that_is_ours_alone(tmp_path: Path) -> None:
    from seedance.settings import Settings

    settings = Settings(tmp_path, tmp_path, {})
    settings.set_key("lumenfall", KEY)
    holding = [path for path in tmp_path.rglob("*") if KEY.encode() in path.read_bytes()]
    assert holding == [settings.key_file]
    assert settings.key_file.stat().st_mode & 0o777 == 0o600
