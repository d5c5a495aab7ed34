"""Workflows from strangers, answers from crooks, files from anywhere: what they cannot do.

Addresses as such are in test_addresses.py, routes in test_routes.py, the key file's basics in
test_settings.py, keys that might be seen in test_leaks.py.
"""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import random
import re
import struct
import subprocess
import sys
import threading
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import clips
import fakes
import numpy as np
import pytest
import requests
from fakes import Answer, Request
from loopback import Connection, Raw, Server
from PIL import EpsImagePlugin, Image
from running import Desk, until

from seedance import download, media
from seedance.addresses import ForbiddenAddress, check_public_url, origin
from seedance.errors import BadOrder, OddReply, SeedanceError, StillRunning
from seedance.fit import check_words
from seedance.journal import Journal
from seedance.media import clips as media_clips
from seedance.order import DEEPEST_EXTRA, LARGEST_EXTRA, Medium, Order
from seedance.providers import get
from seedance.runner import Runner, files
from seedance.settings import PACK, Settings
from seedance.transport import Credentials, Lost, Transport
from seedance.wire import (
    Call,
    Config,
    Delivered,
    FilePart,
    MediaLimits,
    Ticket,
    add_extra,
)

pytestmark = [pytest.mark.safety, pytest.mark.slow]

posix = pytest.mark.skipif(os.name != "posix", reason="file modes and links are those of POSIX")

KEY = "sk-the-key-that-nobody-may-see"
PROVIDERS = sorted(fakes.all())


def transport_for(*urls: str, key: str = KEY) -> Transport:
    return Transport(Credentials("Bearer", key, frozenset(map(origin, urls))))


# ------------------------------------------------------------------------- addresses that deceive


def ask_for_the_key(connection: Connection) -> None:
    connection.read_request()
    connection.send("HTTP/1.1 401 Unauthorized\nContent-Length: 0\nConnection: close\n\n")


def nothing_here(request: Request) -> Answer:
    return Answer(404)


@pytest.mark.parametrize(
    "form", ["{evil}\\@{own}/clip.mp4", "{evil}\\\\@{own}/", "{evil}\t@{own}/"]
)
def test_an_address_that_two_parsers_read_differently_does_not_get_the_key(
    form: str, tmp_path: Path
) -> None:
    # urlsplit takes what stands before the @ for a user's name, the library that connects for the
    # host; asked with 401, the download would have shown the key there.
    with Raw(ask_for_the_key) as evil, Server(nothing_here) as own:
        url = form.format(evil=evil.url, own=urlsplit(own.url).netloc)
        with pytest.raises(SeedanceError):
            download.fetch(
                transport_for(own.url), url, tmp_path / "part", own_origin=origin(own.url)
            )
        assert KEY.encode() not in b"".join(evil.received)


def test_a_redirect_to_such_an_address_does_not_get_the_key_either(tmp_path: Path) -> None:
    with Raw(ask_for_the_key) as evil:

        def lead_on(request: Request) -> Answer:
            target = f"{evil.url}\\@{request.headers['host']}/clip.mp4"
            return Answer(302, headers={"location": target})

        with Server(lead_on) as own, pytest.raises(ForbiddenAddress):
            download.fetch(
                transport_for(own.url),
                f"{own.url}/clip.mp4",
                tmp_path / "part",
                own_origin=origin(own.url),
            )
        assert evil.received == []


def test_an_address_leads_where_its_origin_says() -> None:
    pieces = ["a.example", "b.example", "127.0.0.1", "[::1]", "@", "\\", "/", "//", ":", ":80", "?"]
    pieces += ["#", "%40", "%2f", ".", "..", ";", "user", " ", "\t", "\n", "。", "Å", "\x00", "&"]
    chance = random.Random(1)
    seen = 0
    for _ in range(20_000):
        url = "https://" + "".join(chance.choices(pieces, k=chance.randint(1, 6)))
        try:
            reached = requests.Request("GET", url, auth=lambda request: request).prepare().url
        except requests.RequestException:
            continue
        host = (urlsplit(url).hostname or "").lower() if origin(url) else ""
        if host and host.isascii():
            seen += 1
            assert host == (urlsplit(str(reached)).hostname or "").lower(), url
    assert seen > 1000


@pytest.mark.parametrize(
    "host",
    [
        "127。0。0。1",
        "127。0.0.1",
        "１２７.0.0.1",
        "①②⑦.0.0.1",
        "ⓛocalhost.ⓛocal",
        "loc%61lhost.example",
        "127.0.0.1%00.example",
        "127.0.0.1%2f.example",
        "127.0.0.1\\@files.example",
        "files.example\x00",
        "files.example\t",
        "printer.lan",
        "nas.home.arpa",
        "wiki.corp",
        "localhost.localdomain",
        "127.0.0.1..",
        "a..",
    ],
)
@pytest.mark.parametrize("form", ["https://{}/a.png", "https://user@{}:443/a.png"])
def test_a_disguised_private_address_is_no_public_one(host: str, form: str) -> None:
    with pytest.raises(ForbiddenAddress):
        check_public_url(form.format(host))


def test_a_public_name_in_another_script_is_fine() -> None:
    check_public_url("https://bücher.example/a.png")


@pytest.mark.parametrize(
    "address",
    [
        "https://127。0.0.1/a.png",
        "https://127.1/a.png",
        "http://files.example/a.png",
        "https://[::ffff:10.0.0.1]/a.png",
        "https://0x7f000001/a.png",
        "https://017700000001/a.png",
    ],
)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_provider_is_handed_a_private_address(
    address: str, provider: str, tmp_path: Path
) -> None:
    with fakes.all()[provider]() as fake:
        desk = Desk(fake, tmp_path)
        medium = Medium.from_address("image", address)
        order = replace(desk.order(), first_frame=medium, prompt="a fox")
        with pytest.raises(BadOrder):
            desk.runner().start(order)
        assert fake.requests == []


@pytest.mark.parametrize(
    "text",
    [
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "ftp://files.example/a.png",
        "/etc/passwd",
        "data:image/png;base64,AAAA",
        "gopher://127.0.0.1:70/",
        "javascript:alert(1)",
        "\\\\host\\a",
        "https://user:password@files.example/a.png",
        "https://files.example/a\r\nX-Header: 1",
    ],
)
def test_what_is_no_web_address_is_no_reference(text: str) -> None:
    with pytest.raises(BadOrder):
        Medium.from_address("image", text)


# ---------------------------------------------------------------------------------------- tickets

CLIMBERS = [
    *("../../keys", "a/../../b", "..", "a..b", "%2e%2e%2f", "%2E%2E/x", "a%2fb", "a%5cb", "a\\b"),
    *("a?x=1", "a#x", "a%00b", "a%0d%0aX-Header:1", "a\r\nX-Header: 1", "a b", ".", "", "a%c0%af"),
    *("a%3fx", "a%zz", "a%2", "x" * 600, "http://127.0.0.1/", "~", "@evil.example/"),
]


@pytest.mark.parametrize("opaque", CLIMBERS)
@pytest.mark.parametrize("provider", [*PROVIDERS, "preview"])
def test_a_strangers_ticket_cannot_leave_the_path_of_tasks(provider: str, opaque: str) -> None:
    with pytest.raises(BadOrder):
        Ticket.parse(f"{provider}:{opaque}")


@pytest.mark.parametrize("name", ["../lumenfall", "nosuch", "_ark", "__init__", "preview.server"])
def test_a_ticket_cannot_name_anything_but_a_provider(name: str, tmp_path: Path) -> None:
    settings = Settings(tmp_path / "home", tmp_path / "output", {})
    with pytest.raises(BadOrder):
        Runner(settings).collect(f"{name}:abc")


@pytest.mark.parametrize(
    "opaque",
    ["a~..~b", "~etc~passwd", "a~b?x=1", "a~b:c~d", "a:b:c", "https:~~evil.example~x", "a~b%2fc"],
)
def test_a_ticket_of_fal_stays_in_the_queue(opaque: str) -> None:
    provider = get("fal")(Config("https://queue.fal.run"))
    with pytest.raises(BadOrder):
        next(provider.check(Ticket.parse(f"fal:{opaque}")))


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("task", ["abc", "a%252e%252e", "a:b~c", "-x", "%C3%BC", "a%20b"])
def test_what_a_ticket_asks_for_is_below_the_base_url(provider: str, task: str) -> None:
    base = f"https://{provider}.example/base"
    flow = get(provider)(Config(base)).check(Ticket(provider, task))
    try:
        call = next(flow)
    except BadOrder:
        return
    assert isinstance(call, Call)
    sent = requests.Request(call.method, call.url).prepare().url or ""
    assert sent.startswith(f"{base}/")
    assert "/../" not in sent and "?" not in sent


@pytest.mark.parametrize(
    "task_id", ["a/b", "a..b", "a\\b", "..", "", True, None, {}, "x" * 600, "\ud800"]
)
def test_an_id_that_could_not_be_collected_is_no_ticket(task_id: Any) -> None:
    with pytest.raises(OddReply):
        Ticket.issue("lumenfall", task_id)


@pytest.mark.parametrize("task_id", ["_a1", "-a1", "a b", "ü", "100%", "a?b#c", "a:b~c", 12345])
def test_any_other_id_is_a_ticket_that_can_be_read_again(task_id: Any) -> None:
    ticket = Ticket.issue("lumenfall", task_id)
    assert Ticket.parse(str(ticket)) == ticket


# ------------------------------------------------------------------------------------------ extra


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": [value]}
    return value


def bad_extras() -> dict[str, Any]:
    return {
        "NaN": {"lumenfall": {"strength": float("nan")}},
        "Infinity": {"lumenfall": {"list": [1, {"x": float("inf")}]}},
        "half a character": {"lumenfall": {"style": "\ud83d"}},
        "half a character as a name": {"lumenfall": {"\udc00": 1}},
        "too deep": {"lumenfall": deep(DEEPEST_EXTRA)},
        "absurdly deep": {"lumenfall": deep(100_000)},
        "too large": {"lumenfall": {"text": "x" * LARGEST_EXTRA}},
        "too many": {"lumenfall": {"list": list(range(LARGEST_EXTRA))}},
        "of another provider": {"fal": {"strength": float("nan")}},
        "no object": {"lumenfall": [1]},
        "an object of Python's": {"lumenfall": {"x": object()}},
    }


@pytest.mark.parametrize("name", bad_extras())
def test_an_extra_that_no_json_carries_is_refused_before_anything_is_written(
    name: str, tmp_path: Path
) -> None:
    runner = Runner(Settings(tmp_path / "home", tmp_path / "output", {"LUMENFALL_API_KEY": KEY}))
    order = Order(prompt="a fox", provider="lumenfall", extra=bad_extras()[name])
    with pytest.raises(BadOrder, match="extra"):
        runner.start(order)
    with pytest.raises(BadOrder, match="extra"):
        runner.check(order)
    assert list(tmp_path.iterdir()) == []


def test_a_reasonable_extra_is_sent() -> None:
    check_words(Order(prompt="a fox", extra={"lumenfall": {"size": "1:1", "deep": deep(5)}}))


@pytest.mark.parametrize(
    "name",
    [
        "model",
        "Model",
        "n",
        "quantity",
        "num_videos",
        "batch-size",
        "api_key",
        "apiKey",
        "API-KEY",
        "Authorization",
        "webhook",
        "webhookUrl",
        "webhook_url",
        "fal_webhook",
        "callbackUrl",
        "callback-url",
        "webhook_events_filter",
        "notify_hook",
        "notifyUrl",
        "notification_url",
        "Webhoo\u212a",  # ends with a Kelvin sign
        "num_frames",
    ],
)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: value,
        lambda value: {"options": value},
        lambda value: {"tools": [value]},
        lambda value: {"tools": [[{"deep": [value]}]]},
    ],
    ids=["here", "in an object", "in a list", "deep in lists"],
)
def test_extra_cannot_change_what_is_paid_for_or_who_is_told(
    name: str, wrap: Callable[[Any], Any]
) -> None:
    with pytest.raises(BadOrder, match="may not set"):
        add_extra({"options": {}}, wrap({name: "https://evil.example"}))


@pytest.mark.parametrize("name", ["Duration", "DURATION", "dur_ation", "aspectRatio", "\u017feed"])
@pytest.mark.parametrize("inside", [False, True])
def test_extra_cannot_replace_a_field_by_another_spelling(name: str, inside: bool) -> None:
    """Some servers, those written in Go among them, read names whatever their case; the last one
    counts."""
    fields = {"duration": 5, "aspect_ratio": "16:9", "seed": 1}
    extra = {name: 15}
    with pytest.raises(BadOrder, match="may not replace"):
        add_extra({"in": fields} if inside else fields, {"in": extra} if inside else extra)


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("lumenfall", "seconds"),
        ("uniall", "content"),
        ("uniall", "Seconds"),
        ("uniall", "metadata"),
        ("byteplus", "frames"),
        ("volcengine", "frames"),
        ("aihubmax", "quality"),
        ("evolink", "resolution"),
    ],
)
def test_extra_cannot_replace_a_field_by_the_providers_other_name_for_it(
    provider: str, name: str, tmp_path: Path
) -> None:
    with fakes.all()[provider]() as fake:
        desk = Desk(fake, tmp_path)
        with pytest.raises(BadOrder, match="may not replace"):
            desk.runner().start(desk.order(extra={provider: {name: 15}}))
        assert fake.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/a.png",
        "https://10.0.0.1/a.png",
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "https://metadata.google.internal/",
        "ftp://files.example/a",
        " http://[::1]/",
    ],
)
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: {"url": x}], ids="abc")
def test_extra_hands_no_private_address_to_a_provider(
    address: str, wrap: Callable[[str], Any], tmp_path: Path
) -> None:
    with fakes.all()["lumenfall"]() as fake:
        desk = Desk(fake, tmp_path)
        with pytest.raises(BadOrder, match="extra"):
            desk.runner().start(desk.order(extra={"lumenfall": {"mask": wrap(address)}}))
        assert fake.requests == []


@pytest.mark.parametrize(
    "name", ["base_url", "url", "host", "Host", "headers", "endpoint", "proxy"]
)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_workflow_cannot_choose_where_an_order_goes(
    provider: str, name: str, tmp_path: Path
) -> None:
    with Server(nothing_here) as elsewhere, fakes.all()[provider]() as fake:
        desk = Desk(fake, tmp_path)
        words = elsewhere.url.removeprefix("http://")  # what is no address is let through
        call = first_call(provider, desk, {name: words})
        assert origin(call.url) == origin(fake.url)
        assert not {"Host", "host"} & set(call.headers)
        assert elsewhere.requests == []


def first_call(provider: str, desk: Desk, extra: dict[str, Any]) -> Call:
    order = desk.order(extra={provider: extra})
    flow = get(provider)(desk.settings().config(provider)).submit(order, Delivered())
    call = next(flow)
    assert isinstance(call, Call)
    return call


def test_a_workflow_cannot_make_us_show_the_key_at_an_address_of_its_own_choice(
    tmp_path: Path,
) -> None:
    """Leonardo takes no addresses, so a picture at one is fetched here first; one of its own API is
    such an address too."""
    with fakes.all()["leonardo"]() as fake:
        handle = fake.handle

        def asks_for_the_key(request: Request) -> Answer:
            return Answer(401) if request.path == "/account.png" else handle(request)

        fake.handle = asks_for_the_key  # type: ignore[method-assign]
        desk = Desk(fake, tmp_path)
        medium = Medium.from_address("image", f"{fake.url}/account.png")
        with pytest.raises(BadOrder, match="could not be fetched"):
            desk.video(first_frame=medium)
        asked = [each for each in fake.requests if each.path == "/account.png"]
        assert len(asked) == 1
        assert "authorization" not in asked[0].headers
        assert fake.creates == 0


@pytest.mark.parametrize("where", ["prompt", "extra", "address"])
def test_a_key_that_was_pasted_by_mistake_is_not_sent_or_kept(where: str, tmp_path: Path) -> None:
    with fakes.all()["lumenfall"]() as fake:
        desk = Desk(fake, tmp_path)
        key = fake.key
        other = {"FAL_KEY": "another-key-0123456789abcdef"}
        for secret in (key, other["FAL_KEY"]):
            runner = desk.runner(**other)
            order = {
                "prompt": lambda secret: desk.order(prompt=f"a fox {secret}"),
                "extra": lambda secret: desk.order(extra={"lumenfall": {"style": secret}}),
                "address": lambda secret: desk.order(
                    first_frame=Medium.from_address("image", f"https://a.example/{secret}.png")
                ),
            }[where](secret)
            for doing in (runner.start, runner.check):
                with pytest.raises(BadOrder, match="holds the key of") as caught:
                    doing(order)
                assert secret not in str(caught.value)
        assert fake.requests == []
        for file in tmp_path.rglob("*"):
            assert not file.is_file() or key.encode() not in file.read_bytes(), file


# --------------------------------------------------------- prompts, names and headers on their way

NASTY = (
    'a fox\r\nX-Injected: 1\r\n\r\n{"n": 9} {0.__class__} {order} %s %(key)s ${jndi:ldap://x} '
    "$(id) `id` ../../../../etc/passwd \x00\x1b[2J <script>alert(1)</script> ; rm -rf ~ --seed=3"
)


@pytest.fixture(scope="module")
def nasty_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[Request]]]:
    """A nasty prompt and extra at every provider; what was sent, and the folder."""
    folder = tmp_path_factory.mktemp("nasty")
    sent = {}
    for provider, kind in fakes.all().items():
        with kind() as fake:
            desk = Desk(fake, folder / provider)
            desk.runner().start(replace(desk.order(), prompt=NASTY))[0].wait()
            sent[provider] = list(fake.requests)
    return folder, sent


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_prompt_is_sent_as_it_is_and_adds_no_header(
    provider: str, nasty_run: tuple[Path, dict[str, list[Request]]]
) -> None:
    requests_ = nasty_run[1][provider]
    create = next(each for each in requests_ if b"X-Injected" in each.body)
    assert NASTY in texts_of(create.json)
    assert not any("x-injected" in each.headers for each in requests_)


def texts_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts_of(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item)]
    return [value] if isinstance(value, str) else []


def test_files_have_names_of_our_own(nasty_run: tuple[Path, Any]) -> None:
    for provider in PROVIDERS:
        output = nasty_run[0] / provider / "output"
        names = [path.name for path in output.rglob("*")]
        assert len(names) == 3  # the video, its last frame, the sidecar
        stem = rf"\d{{4}}-\d\d-\d\d_{provider}_[0-9a-f]{{10}}"
        for name in names:
            assert re.fullmatch(rf"{stem}(\.mp4|\.last\.png|\.seedance\.json)", name)


@pytest.mark.parametrize(
    "task_id", ["../../../../tmp/x", "..\\..\\x", "/etc/cron.d/x", "C:\\x", "a\x00b"]
)
def test_an_id_from_a_provider_is_no_part_of_a_path(task_id: str, tmp_path: Path) -> None:
    with fakes.all()["lumenfall"]() as fake:
        fake.fault(lambda each: each.method == "POST", Answer(200, json={"id": task_id}))
        desk = Desk(fake, tmp_path)
        with pytest.raises(SeedanceError):
            desk.video()
    inside = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert inside <= {"home", "output"}
    assert not [path for path in (tmp_path / "output").rglob("*") if path.is_file()]


def test_half_a_character_in_a_prompt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOrder, match="half a character"):
        Runner(Settings(tmp_path / "home", tmp_path / "output", {})).start(
            Order(prompt="a fox \ud83d", provider="preview")
        )


def test_half_a_character_from_a_provider_does_not_lose_the_video(tmp_path: Path) -> None:
    def answer(request: Request) -> Answer:
        if request.path.endswith(".mp4"):
            return fakes.ranged(request, fakes.tiny_clip(), "video/mp4")
        if request.method == "POST":
            return Answer(
                200, json={"id": "vid_1", "metadata": {"cost": 1, "cost_currency": "\ud800"}}
            )
        done = {
            "id": "vid_1",
            "status": "completed",
            "output": {"url": f"http://{request.headers['host']}/a.mp4"},
        }
        return Answer(200, json={**done, "metadata": {"cost": 1, "cost_currency": "\ud800" * 40}})

    with Server(answer) as server:
        result = Desk(server, tmp_path).video()
        assert result.file.is_file()
        json.loads(result.sidecar.read_text("utf-8"))


@pytest.mark.parametrize(
    "name", ['a"; filename="b', "a\r\nX-Header: 1", "../../a.png", "a\x00.png"]
)
def test_a_file_name_of_the_user_is_not_sent(name: str, tmp_path: Path) -> None:
    pixels = Image.fromarray(clips.pattern(400, 400))
    file = tmp_path / "user"
    pixels.save(file, "PNG")
    blob, _ = media.picture_blob(Medium("image", path=file), MediaLimits(("image/png",)))
    blob = replace(blob, name=name)  # and if it were, it could not break out of its header

    def echo(request: Request) -> Answer:
        return Answer(json={"parts": [[part, str(given)] for part, given, _ in request.form]})

    with Server(echo) as server:
        reply = transport_for(server.url).perform(
            Call("POST", server.url, file=FilePart("file", blob))
        )
        assert [part for part, _ in reply.object()["parts"]] == ["file"]
    assert (
        "user"
        not in media.picture_blob(Medium("image", path=file), MediaLimits(("image/png",)))[0].name
    )


# -------------------------------------------------------------- answers without measure: size, time


def respond(head: str, body: bytes) -> Callable[[Connection], None]:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(f"HTTP/1.1 200 OK\nContent-Length: {len(body)}\n{head}\n")
        connection.socket.sendall(body)

    return script


@pytest.mark.parametrize("packing", ["br", "zstd", "gzip, gzip", "deflate", "x"])
def test_an_answer_is_not_unpacked_in_ways_that_nobody_asked_for(packing: str) -> None:
    with Raw(respond(f"Content-Encoding: {packing}\n", b"x" * 100)) as server:
        with pytest.raises(OddReply, match="packed"):
            transport_for(server.url).perform(Call("GET", server.url))
        assert b"Accept-Encoding: gzip\r\n" in server.received[0]


def test_an_answer_that_unpacks_to_gigabytes_is_left_early() -> None:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    megabyte = bytes(2**20)
    bomb = b"".join(packer.compress(megabyte) for _ in range(200)) + packer.flush()
    tracemalloc.start()
    try:
        with (
            Raw(respond("Content-Encoding: gzip\n", bomb)) as server,
            pytest.raises(OddReply, match="larger than 16 MB"),
        ):
            transport_for(server.url).perform(Call("GET", server.url))
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packing", ["gzip", "br"])
def test_a_packed_video_is_refused(packing: str, tmp_path: Path) -> None:
    with (
        Raw(respond(f"Content-Encoding: {packing}\n", gzip.compress(b"x"))) as server,
        pytest.raises(OddReply, match="packed"),
    ):
        download.fetch(
            transport_for(server.url), server.url, tmp_path / "part", own_origin=origin(server.url)
        )


def drip(start: str) -> Callable[[Connection], None]:
    """A server that is never silent for long and never comes to an end."""

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(start)
        while not connection._stopping.wait(0.05):
            connection.socket.sendall(b"x")

    return script


DRIPS = {
    "status": "HTTP/1.1 200 ",
    "header": "HTTP/1.1 200 OK\nX-Long: ",
    "body": "HTTP/1.1 200 OK\nContent-Length: 1000000\n\n",
}


@pytest.mark.parametrize("where", DRIPS)
def test_an_answer_that_drips_for_ever_is_cut(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedance.transport.session.LONGEST_REPLY_SECONDS", 0.5)
    with Raw(drip(DRIPS[where])) as server, pytest.raises(Lost, match="no answer in time"):
        transport_for(server.url).perform(Call("POST", server.url, json={}, spends=True))


@pytest.mark.parametrize("where", DRIPS)
def test_a_download_that_drips_for_ever_is_cut(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LONGEST_SECONDS", 0.5)
    with Raw(drip(DRIPS[where])) as server, pytest.raises(OddReply, match="takes too long"):
        download.fetch(
            transport_for(server.url), server.url, tmp_path / "part", own_origin=origin(server.url)
        )


def test_no_thread_is_left_behind_by_the_clock_of_a_call() -> None:
    with Server(lambda request: Answer(json={})) as server:
        sender = transport_for(server.url)
        for _ in range(20):
            sender.perform(Call("GET", server.url))
        until(lambda: not any(isinstance(each, threading.Timer) for each in threading.enumerate()))


def test_a_word_of_a_provider_is_kept_short(tmp_path: Path) -> None:
    with fakes.all()["lumenfall"](fail_with={"code": "x" * 10**6, "message": "y" * 10**6}) as fake:
        desk = Desk(fake, tmp_path)
        with pytest.raises(SeedanceError) as caught:
            desk.video()
        assert len(str(caught.value)) < 2000
        assert len(json.dumps(desk.row().error)) < 4000


def test_a_word_of_a_provider_does_not_steer_a_terminal_or_write_lines_of_a_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nasty = "no\x1b[2J\x1b]52;c;cm0gLXJm\x07 \u202egnp.exe\x9b1m\r\nINFO root: all is well"
    with fakes.all()["lumenfall"](fail_with={"code": nasty, "message": nasty}) as fake:
        fake.fault(
            lambda each: each.method == "GET" and "/videos/" in each.path,
            Answer(200, body=json.dumps({"status": nasty}, ensure_ascii=False).encode()),
        )
        desk = Desk(fake, tmp_path)
        with pytest.raises(SeedanceError) as caught:
            desk.video()
    for text in (str(caught.value), json.dumps(caught.value.as_dict(), ensure_ascii=False)):
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202e]", text)
    assert "undocumented status word" in caplog.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]|^INFO root", caplog.text, re.M)


@pytest.mark.parametrize("text", ["\\", "%25", "&#x", "\\u00", "sk-the-key-that-nobody-may-se"])
def test_looking_for_the_key_takes_no_longer_for_an_answer_made_to_take_long(text: str) -> None:
    body = text.encode() * (4 * 2**20 // len(text))
    with Server(lambda request: Answer(200, body=body)) as server:
        assert transport_for(server.url).perform(Call("GET", server.url)).body == body


# ---------------------------------------------------------------------------- pictures and clips


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of one colour: a few kilobytes, however large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + (width + 7) // 8)) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    body = rows + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def test_a_decompression_bomb_is_no_picture() -> None:
    bomb = png_bomb(20_000, 20_000)
    assert len(bomb) < 100_000
    for read in (
        lambda: media.read_picture(bomb),
        lambda: media.picture_blob(Medium.from_data("image", bomb), MediaLimits(("image/png",))),
    ):
        with pytest.raises(BadOrder, match="too large"):
            read()


def picture_file(kind: str, size: tuple[int, int], colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


OTHERS = {
    "a bomb": png_bomb(20_000, 20_000),
    "a JPEG": picture_file("JPEG", (64, 48)),
    "another size": picture_file("PNG", (48, 64)),
    "no picture": b"<html>",
    "nothing": b"",
    "half a PNG": picture_file("PNG", (64, 48))[:60],
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_last_frame_that_is_no_png_of_the_video_s_size_is_left_aside(
    other: bytes, tmp_path: Path
) -> None:
    with fakes.all()["byteplus"]() as fake:
        handle = fake.handle

        def with_other(request: Request) -> Answer:
            if request.path == "/other.png":
                return Answer(200, body=other, headers={"content-type": "image/png"})
            answer = handle(request)
            if isinstance(answer.json, dict) and "content" in answer.json:
                answer.json["content"]["last_frame_url"] = f"{fake.url}/other.png"
            return answer

        fake.handle = with_other  # type: ignore[method-assign]
        result = Desk(fake, tmp_path).video()
        assert any(each.path == "/other.png" for each in fake.requests)
        assert result.last_frame.read_bytes().startswith(b"\x89PNG")
        ours = media.last_frame(result.file)
        assert np.array_equal(media.read_picture(result.last_frame), ours)
        left = sorted(path.suffixes[-1] for path in result.file.parent.iterdir())
        assert left == [".json", ".mp4", ".png"]


def test_the_provider_s_own_last_frame_leaves_nothing_where_the_video_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(files: files.Files, *_: Any) -> dict[str, Any]:
        assert files.last_frame_part.exists()
        raise OSError(errno.ENOSPC, "No space left on device")

    with fakes.all()["byteplus"]() as fake:
        desk = Desk(fake, tmp_path)
        monkeypatch.setattr(files, "finish", full)
        with pytest.raises(StillRunning, match="No space left"):
            desk.video()
        assert list(desk.output.iterdir()) == []


EPS = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\n"
    b"newpath 0 0 moveto 50 50 lineto stroke\nshowpage\n"
)


@pytest.mark.parametrize("name", ["a.eps", "a.png"])
def test_a_picture_is_no_program(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *args, **_: ran.append(args))
    file = tmp_path / name
    file.write_bytes(EPS)
    with pytest.raises(BadOrder):
        media.read_picture(file)
    assert ran == []


def playlist(target: Path) -> bytes:
    return (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{target}\n#EXT-X-ENDLIST\n".encode()
    )


@pytest.mark.parametrize("form", ["playlist", "list of files", "session"])
def test_a_clip_cannot_make_ffmpeg_open_something_else(form: str, tmp_path: Path) -> None:
    secret = clips.write(tmp_path / "secret.mp4", width=64, height=48)
    with Server(nothing_here) as server:
        text = {
            "playlist": playlist(secret) + f"{server.url}/a.ts\n".encode(),
            "list of files": f"ffconcat version 1.0\nfile '{secret}'\n".encode(),
            "session": b"v=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
        }[form]
        for ending in ("mp4", "m3u8", "ffconcat", "sdp", "txt"):
            file = tmp_path / f"clip.{ending}"
            file.write_bytes(text)
            with pytest.raises(BadOrder):
                media.probe(file)
        assert server.requests == []


def test_a_zip_is_no_clip_and_is_not_opened(tmp_path: Path) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(BadOrder):
        media.probe(file)


def rewritten(folder: Path, edit: Callable[[bytearray], None], **options: Any) -> Path:
    """A small clip with something else in its header."""
    source = clips.write(folder / "source.mp4", **{"width": 64, "height": 48, **options})
    data = bytearray(source.read_bytes())
    edit(data)
    file = folder / "clip.mp4"
    file.write_bytes(data)
    return file


def many_samples(data: bytearray) -> None:
    """100 million samples of one byte, which FFmpeg would lay out one by one."""
    number = struct.pack(">I", 40_000_000)
    place = data.find(b"stsz")
    data[place + 8 : place + 16] = struct.pack(">I", 1) + number
    place = data.find(b"stsc")
    data[place + 16 : place + 20] = number


def many_frames(data: bytearray) -> None:
    place = data.find(b"stts")
    data[place + 12 : place + 16] = struct.pack(">I", 2_000_000_000)


def long_time(data: bytearray) -> None:
    for name, offset in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
        place = data.find(name)
        data[place + offset : place + offset + 4] = struct.pack(">I", 2**32 - 2)
    place = data.find(b"stts")
    data[place + 16 : place + 20] = struct.pack(">I", 2**31 - 1)


def wide_frames(data: bytearray) -> None:
    for name, offset in ((b"avc1", 28),):
        place = data.find(name, data.find(b"stsd"))
        data[place + offset : place + offset + 4] = struct.pack(">HH", 65000, 65000)


CHILD = """
import resource, sys, time
from pathlib import Path
sys.path[:0] = sys.argv[1].split("|")
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
from seedance import media
from seedance.errors import BadOrder
from seedance.order import Medium
from seedance.wire import MediaLimits
file = Path(sys.argv[2])
limits = MediaLimits(("video/mp4",), sides=(300, 6000))
for doing in (
    lambda: media.probe(file),
    lambda: media.last_frame(file),
    lambda: media.decode_frames(file),
    lambda: media.clip_blob(
        Medium.from_path("video", file), limits, nearest=True, work_dir=file.parent / "fitted"
    ),
):
    try:
        doing()
    except BadOrder as error:
        print(error.message)
print("done")
"""


@pytest.mark.parametrize("lie", [many_samples, many_frames, long_time, wide_frames])
def test_a_clip_that_lies_about_itself_costs_neither_memory_nor_time(
    lie: Callable[[bytearray], None], tmp_path: Path
) -> None:
    file = rewritten(tmp_path, lie)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, "|".join(sys.path), str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.endswith("done\n"), done.stderr[-2000:]


def test_frames_beyond_any_screen_are_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = clips.write(tmp_path / "clip.mp4", width=320, height=240)
    monkeypatch.setattr("seedance.media.info.MAX_PIXELS", 320 * 240 - 1)
    for read in (media.probe, media.last_frame, media.decode_frames):
        with pytest.raises(BadOrder, match="too large"):
            read(file)


def test_a_clip_cannot_grow_to_such_frames_midway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough at first that its header is read as that of a small clip.
    small = clips.write(tmp_path / "small.ts", width=64, height=48, frames=240, container="mpegts")
    large = clips.write(tmp_path / "large.ts", width=640, height=480, container="mpegts")
    file = tmp_path / "clip.ts"
    file.write_bytes(small.read_bytes() + large.read_bytes())
    assert sum(1 for _ in media.iter_frames(file)) == 252
    monkeypatch.setattr("seedance.media.info.MAX_PIXELS", 64 * 48 * 4)
    assert sum(1 for _ in media.iter_frames(file)) <= 240


def test_a_clip_that_claims_to_last_for_hours_is_not_converted(tmp_path: Path) -> None:
    file = rewritten(tmp_path, long_time)
    with pytest.raises(BadOrder):
        media.clip_blob(
            Medium.from_path("video", file),
            MediaLimits(("video/mp4",), sides=(300, 6000)),
            nearest=True,
            work_dir=tmp_path,
        )


def test_more_frames_than_memory_are_refused_though_the_header_hid_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = clips.write(tmp_path / "clip.mp4", width=64, height=48, frames=40)
    honest = media.probe(file)
    monkeypatch.setattr("seedance.media.frames.probe", lambda path: replace(honest, frames=2))
    monkeypatch.setattr("seedance.media.memory.free_memory", lambda: media.frames_bytes(honest, 4))
    with pytest.raises(BadOrder, match="memory"):
        media.decode_frames(file)


def silence(file: Path, seconds: int) -> Path:
    """A FLAC file of silence: a few hundred bytes for each second, whatever they unpack to."""
    rate = 48000
    with av.open(str(file), "w", format="flac") as container:
        stream: Any = container.add_stream("flac", rate=rate)
        stream.layout = "stereo"
        for number in range(seconds):
            samples = np.zeros((1, 2 * rate), np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = rate, number * rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file


def test_more_sound_than_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = silence(tmp_path / "bomb.flac", 300)
    unpacked = 300 * 48000 * 2 * 4
    assert file.stat().st_size < unpacked / 1000
    monkeypatch.setattr("seedance.media.memory.free_memory", lambda: unpacked)
    with pytest.raises(BadOrder, match="memory"):
        media.decode_audio(file)
    monkeypatch.setattr("seedance.media.memory.free_memory", lambda: 4 * unpacked)
    decoded = media.decode_audio(file)
    assert decoded is not None and decoded[0].shape == (2, 300 * 48000)


def test_memory_that_does_not_suffice_after_all_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: Any, **__: Any) -> Any:
        raise MemoryError

    file = silence(tmp_path / "short.flac", 1)
    monkeypatch.setattr("seedance.media.memory.free_memory", lambda: None)
    monkeypatch.setattr("seedance.media.sounds.np.concatenate", no_memory)
    with pytest.raises(BadOrder, match="memory"):
        media.decode_audio(file)


def test_a_sound_that_unpacks_to_hours_is_not_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seedance.media.clips.MAX_SECONDS", 10)
    medium = Medium.from_path("audio", silence(tmp_path / "bomb.flac", 12))
    with pytest.raises(BadOrder, match="too long"):
        media.sound_blob(medium, MediaLimits(("audio/wav",)), nearest=True, work_dir=tmp_path)
    assert not list(tmp_path.glob("*.wav"))
    cut = MediaLimits(("audio/wav",), seconds=(1, 5))
    blob, _ = media.sound_blob(medium, cut, nearest=True, work_dir=tmp_path)
    assert blob.seconds == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize("codec", ["wav", "mp3"])
def test_a_sound_in_which_nothing_can_be_decoded_is_refused(codec: str, tmp_path: Path) -> None:
    file = tmp_path / "header.wav"
    file.write_bytes(media.encode_wav(np.zeros((2, 0)), 48000))
    with pytest.raises(BadOrder, match="nothing can be decoded"):
        media.convert_sound(file, tmp_path / f"target.{codec}", codec, 1.0)


def test_a_picture_that_does_not_fit_into_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture = png_bomb(4000, 4000)
    monkeypatch.setattr("seedance.media.memory.free_memory", lambda: 4000 * 4000 * 3)
    for read in (
        lambda: media.read_picture(picture),
        lambda: media.picture_blob(Medium.from_data("image", picture), MediaLimits(("image/png",))),
    ):
        with pytest.raises(BadOrder, match="memory"):
            read()


def test_a_clip_of_more_pictures_than_anybody_films_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures in which nothing changes take a few bytes each, and time each."""
    file = clips.write(tmp_path / "clip.mp4", width=64, height=48, frames=30)
    monkeypatch.setattr("seedance.media.frames.MOST_PIXELS", 64 * 48 * 3)
    for read in (media.last_frame, media.decode_frames, lambda path: list(media.iter_frames(path))):
        with pytest.raises(BadOrder, match="too long"):
            read(file)


def test_a_clip_that_is_cut_is_not_decoded_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = clips.write(tmp_path / "clip.mp4", width=320, height=240, frames=240, audio=True)
    decoded = []
    add_at = media_clips._add_at
    monkeypatch.setattr(media_clips, "_add_at", lambda *args: decoded.append(args) or add_at(*args))
    limits = MediaLimits(("video/mp4",), seconds=(1, 2))
    blob, _ = media.clip_blob(
        Medium.from_path("video", file), limits, nearest=True, work_dir=tmp_path
    )
    assert blob.seconds == pytest.approx(2, abs=0.1)
    assert len(decoded) < 120


# ---------------------------------------------------------------------------------- the key file


def test_keys_that_are_stored_at_once_do_not_undo_each_other(tmp_path: Path) -> None:
    names = [name for name in PROVIDERS if get(name).default_base_url]

    def store(name: str) -> None:
        for number in range(5):
            Settings(tmp_path / "home", tmp_path, {}).set_key(name, f"key-of-{name}-{number}")

    threads = [threading.Thread(target=store, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    loaded = Settings(tmp_path / "home", tmp_path, {})
    assert [loaded.key(name) for name in names] == [f"key-of-{name}-4" for name in names]


def test_keys_that_two_processes_store_at_once_do_not_undo_each_other(tmp_path: Path) -> None:
    names = [name for name in PROVIDERS if get(name).default_base_url][:4]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "seedance", "key", "set", name],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "SEEDANCE_HOME": str(tmp_path / "home")},
        )
        for name in names
    ]
    for name, process in zip(names, started):
        process.communicate(f"key-of-{name}\n".encode())
        assert process.returncode == 0
    loaded = Settings(tmp_path / "home", tmp_path, {})
    assert [loaded.key(name) for name in names] == [f"key-of-{name}" for name in names]


@posix
def test_the_key_file_is_never_readable_by_others_not_even_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[int] = set()
    replace_file = os.replace

    def look(source: Any, target: Any) -> None:
        seen.update(path.stat().st_mode & 0o777 for path in (tmp_path / "home").iterdir())
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", look)
    before = os.umask(0)
    try:
        settings = Settings(tmp_path / "home", tmp_path, {})
        settings.set_key("lumenfall", KEY)
        settings.set_key("fal", KEY)
    finally:
        os.umask(before)
    assert seen == {0o600}
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0


@posix
def test_a_link_to_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared.json"
    shared.write_text(
        json.dumps({"lumenfall": {"key": KEY, "origin": "https://api.lumenfall.ai:443"}})
    )
    shared.chmod(0o644)
    home = tmp_path / "home"
    home.mkdir()
    (home / "keys.json").symlink_to(shared)
    with pytest.raises(BadOrder, match="chmod 600"):
        Settings(home, tmp_path, {}).key("lumenfall")


@posix
def test_a_key_is_not_written_through_a_link(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text("{}")
    elsewhere.chmod(0o600)
    (home / "keys.json").symlink_to(elsewhere)
    Settings(home, tmp_path, {}).set_key("lumenfall", KEY)
    assert elsewhere.read_text() == "{}"
    assert Settings(home, tmp_path, {}).key("lumenfall") == KEY


def test_a_key_file_that_is_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "home" / "keys.json").mkdir(parents=True)
    settings = Settings(tmp_path / "home", tmp_path, {})
    with pytest.raises(BadOrder, match="cannot be read"):
        settings.key("lumenfall")
    with pytest.raises(BadOrder):
        settings.set_key("lumenfall", KEY)


@pytest.mark.parametrize("folder", ["", "web", "seedance", "a/b/../.."])
def test_a_key_is_never_written_into_the_packs_folder(folder: str) -> None:
    before = set(PACK.iterdir())
    with pytest.raises(BadOrder, match="pack's own folder"):
        Settings(PACK / folder, PACK, {}).set_key("lumenfall", KEY)
    assert set(PACK.iterdir()) == before


@posix
def test_the_journal_is_for_its_owner_alone_wherever_it_is(tmp_path: Path) -> None:
    """It holds prompts, and addresses of uploads, which whoever has them can read."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    before = os.umask(0)
    try:
        journal = Journal(f"sqlite:///{home / 'journal.db'}")
        journal.newest()
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in home.iterdir()}
    journal.close()
    assert modes and set(modes.values()) == {0o600}, modes


@posix
def test_a_link_into_the_packs_folder_is_seen_through(tmp_path: Path) -> None:
    (tmp_path / "home").symlink_to(PACK / "web")
    with pytest.raises(BadOrder, match="pack's own folder"):
        Settings(tmp_path / "home", tmp_path, {}).set_key("lumenfall", KEY)


def test_the_environments_bucket_key_is_for_the_environments_bucket(tmp_path: Path) -> None:
    Settings(tmp_path, tmp_path, {}).set_section(
        "s3", {"endpoint": "https://evil.example", "bucket": "theirs"}
    )
    variables = {"SEEDANCE_S3_BUCKET": "mine", "SEEDANCE_S3_SECRET_ACCESS_KEY": KEY}
    values = Settings(tmp_path, tmp_path, variables).section("s3", "SEEDANCE_S3")
    assert values == {"bucket": "mine", "secret_access_key": KEY}


@pytest.mark.parametrize("url", ["https://evil.example\\@api.lumenfall.ai", "https://a b.example"])
def test_a_base_url_that_two_parsers_read_differently_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadOrder):
        Settings(tmp_path, tmp_path, {}).set_base_url("lumenfall", url)


@pytest.mark.parametrize(
    "url", ["postgresql:/me:s3cret@host/db", "postgresql://me:s3cret@host:abc/db", "s3cret"]
)
def test_a_broken_journal_address_is_not_quoted(url: str) -> None:
    with pytest.raises(BadOrder) as caught:
        Journal(url)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
