"""Which addresses may be asked, checked by name, on the connected address, and behind a proxy."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from fakes import Answer
from loopback import Connection, Raw, Server

from seedance.addresses import ForbiddenAddress, check_public_url, is_public, origin
from seedance.transport import Credentials, NotSent, Transport
from seedance.wire import Blob, Call

pytestmark = pytest.mark.safety

KEY = "sk-the-key-that-nobody-may-see"
PICTURE = Blob("image", "image/png", "cat.png", 1, "digest", data=b"x")


def transport_for(url: str) -> Transport:
    return Transport(Credentials("Bearer", KEY, frozenset({origin(url)})))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("198.18.0.1", True),  # what local VPNs answer for every name
        ("198.19.255.255", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True),
        ("2002:808:808::1", True),
        ("127.0.0.1", False),
        ("127.8.9.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),  # where clouds keep credentials
        ("100.64.0.1", False),
        ("192.0.2.1", False),
        ("198.20.0.1", True),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("240.0.0.1", False),
        ("::", False),
        ("::1", False),
        ("::127.0.0.1", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("2002:7f00:1::", False),
        ("2002:a00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2001:db8::1", False),
        ("fec0::1", False),  # site-local, of old
        ("64:ff9b:1::7f00:1", False),
        ("::ffff:0:7f00:1", False),
        ("4000::1", False),
        ("2001:0:a9fe:a9fe::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example/clip.mp4?sig=1",
        "https://files.example:8443/clip.mp4",
        "HTTPS://FILES.EXAMPLE/",
        "https://8.8.8.8/clip.mp4",
        "https://[2606:4700:4700::1111]/clip.mp4",
        "https://10.example/",
        "https://1.2.3.4.example/",
    ],
)
def test_public_addresses_may_be_fetched(url: str) -> None:
    check_public_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://files.example/clip.mp4",
        "ftp://files.example/clip.mp4",
        "file:///etc/passwd",
        "//files.example/clip.mp4",
        "files.example",
        "",
        "https://",
        "https://[files.example/",
        "https://files.example:99999/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://a.localhost/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://intranet/",
        "https://127.0.0.1/",
        "https://127.0.0.1./",
        "https://files.example@127.0.0.1/",
        "https://127.1/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://2130706433/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
    ],
)
def test_other_addresses_may_not(url: str) -> None:
    with pytest.raises(ForbiddenAddress):
        check_public_url(url)


def test_a_refused_address_is_named_without_its_signature() -> None:
    with pytest.raises(ForbiddenAddress) as caught:
        check_public_url("http://files.example/clip.mp4?X-Signature=s3cret")
    assert "http://files.example/clip.mp4" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.fixture
def at_loopback(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let every name lead to a port of this machine, as the owner of a name can."""
    look_up = socket.getaddrinfo

    def point_to(port: int) -> None:
        def resolve(host: Any, _port: Any, *args: Any, **kwargs: Any) -> Any:
            return look_up("127.0.0.1", port, *args, **kwargs)

        monkeypatch.setattr(socket, "getaddrinfo", resolve)

    return point_to


def fetch(sender: Transport, url: str) -> None:
    with sender.fetching(url, headers={}, own_origin="https://api.example:443"):
        pass


def put(sender: Transport, url: str) -> None:
    sender.perform(Call("PUT", url, body=PICTURE))


@pytest.mark.parametrize("send", [fetch, put], ids=["a result", "an upload"])
def test_a_public_name_that_leads_to_loopback_is_refused_before_a_byte_is_sent(
    send: Callable[[Transport, str], None], at_loopback: Callable[[int], None]
) -> None:
    seen = threading.Event()
    received = []

    def listen(connection: Connection) -> None:
        received.append(connection.socket.recv(100))
        seen.set()

    with Raw(listen) as server:
        at_loopback(server.port)
        with pytest.raises(ForbiddenAddress, match=r"files\.example is at 127\.0\.0\.1"):
            send(transport_for("https://api.example"), "https://files.example/clip.mp4")
        assert seen.wait(60)
    assert received == [b""]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/up", "https://10.0.0.1/up", "http://files.example/up"]
)
def test_a_provider_elsewhere_cannot_name_a_private_address_for_an_upload(url: str) -> None:
    with pytest.raises(ForbiddenAddress):
        transport_for("https://api.example").perform(Call("PUT", url, body=PICTURE))


def test_a_name_that_begins_like_loopback_is_not_trusted() -> None:
    with pytest.raises(ForbiddenAddress):
        transport_for("http://127.0.0.1:9").perform(Call("PUT", "http://127.evil.example/up"))


# ------------------------------------------------------------------------------------ proxies


def refuse_to_connect(connection: Connection) -> None:
    connection.read_request()
    connection.send("HTTP/1.1 403 Forbidden\nContent-Length: 0\n\n")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A proxy on this machine for everything; it refuses to connect anywhere."""
    with Raw(refuse_to_connect) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, server.url)
            monkeypatch.setenv(name.lower(), server.url)
        yield server


def test_behind_a_proxy_an_address_is_judged_by_its_name(proxy: Raw) -> None:
    with pytest.raises(NotSent):
        fetch(transport_for("https://api.example"), "https://files.example/clip.mp4")
    assert proxy.received[0].startswith(b"CONNECT files.example:443 ")


@pytest.mark.parametrize("url", ["https://localhost/", "https://10.0.0.1/", "https://intranet/"])
def test_behind_a_proxy_a_private_name_is_refused_unasked(url: str, proxy: Raw) -> None:
    with pytest.raises(ForbiddenAddress):
        fetch(transport_for("https://api.example"), url)
    assert not proxy.received


def test_an_order_that_the_proxy_did_not_pass_on_was_not_sent(proxy: Raw) -> None:
    url = "https://api.example/videos"
    with pytest.raises(NotSent):
        transport_for(url).perform(Call("POST", url, json={"prompt": "a cat"}, spends=True))
    assert b"a cat" not in proxy.received[0]
    assert KEY.encode() not in proxy.received[0]


def test_a_gateway_on_this_machine_is_not_asked_for_through_a_proxy(proxy: Raw) -> None:
    with Server(lambda _: Answer(json={})) as server:
        sender = transport_for(server.url)
        assert sender.perform(Call("GET", server.url)).ok
        with sender.fetching(server.url, headers={}, own_origin=origin(server.url)) as response:
            assert response.status_code == 200
    assert not proxy.received


def test_a_socks_proxy_is_used_and_its_refusal_has_sent_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("socks", reason="needs PySocks, as every use of such a proxy does")
    asked = []

    def refuse(connection: Connection) -> None:
        connection.socket.recv(100)
        connection.socket.sendall(b"\5\0")  # version 5, no authentication
        asked.append(connection.socket.recv(100))
        connection.socket.sendall(b"\5\2\0\1\0\0\0\0\0\0")  # not allowed

    with Raw(refuse) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"socks5h://127.0.0.1:{server.port}")
        with pytest.raises(NotSent):
            fetch(transport_for("https://api.example"), "https://files.example/clip.mp4")
    assert b"files.example" in asked[0]
