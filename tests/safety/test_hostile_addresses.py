"""Addresses and tickets from strangers: whom they cannot make us ask, or show the key.

Addresses as such are in test_addresses.py.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fakes
import pytest
import requests
from fakes import Answer, Request
from loopback import Connection, Raw, Server, nothing_here
from running import Desk
from transports import KEY, transport_for

from seedance import download
from seedance.addresses import ForbiddenAddress, check_public_url, origin
from seedance.errors import BadOrder, OddReply, SeedanceError
from seedance.order import Medium
from seedance.providers import get
from seedance.runner import Runner
from seedance.settings import Settings
from seedance.wire import Call, Config, Ticket

pytestmark = [pytest.mark.safety, pytest.mark.slow]

PROVIDERS = sorted(fakes.all())


# ------------------------------------------------------------------------- addresses that deceive


def ask_for_the_key(connection: Connection) -> None:
    connection.read_request()
    connection.send("HTTP/1.1 401 Unauthorized\nContent-Length: 0\nConnection: close\n\n")


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
    *("a%3fx", "a%zz", "a%2", "x" * 50_000, "http://127.0.0.1/", "~", "@evil.example/"),
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


@pytest.mark.parametrize("task_id", ["", True, None, {}, [], 1.5, "x" * 10_001])
def test_what_is_no_id_is_no_ticket(task_id: Any) -> None:
    with pytest.raises(OddReply):
        Ticket.issue("lumenfall", task_id)


@pytest.mark.parametrize(
    "task_id", ["a/b", "a..b", "a\\b", "..", ".", "a\r\nb", "\x1b[2J", "\ud800", "x" * 10_000]
)
def test_an_odd_id_of_a_paid_task_is_kept_and_stays_in_the_path_of_tasks(task_id: str) -> None:
    ticket = Ticket.issue("lumenfall", task_id)
    assert Ticket.parse(str(ticket), known=True) == ticket
    assert str(ticket).isprintable()
    call = next(get("lumenfall")(Config("https://lumenfall.example/v1")).check(ticket))
    assert isinstance(call, Call)
    sent = requests.Request(call.method, call.url).prepare().url or ""
    assert sent.startswith("https://lumenfall.example/v1/videos/")
    assert sent.count("/") == 5


@pytest.mark.parametrize("task_id", ["_a1", "-a1", "a b", "ü", "100%", "a?b#c", "a:b~c", 12345])
def test_any_other_id_is_a_ticket_that_can_be_read_again(task_id: Any) -> None:
    ticket = Ticket.issue("lumenfall", task_id)
    assert Ticket.parse(str(ticket)) == ticket
