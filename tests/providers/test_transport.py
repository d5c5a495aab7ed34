"""What is sent, to whom, and what a failure says about whether anything was sent."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import Answer, Request
from loopback import Connection, Raw, Server
from running import until

from seedance.addresses import origin
from seedance.errors import BadOrder, OddReply, SeedanceError
from seedance.transport import (
    Credentials,
    Lost,
    NotSent,
    Transport,
)
from seedance.wire import Blob, Call, FilePart

KEY = "sk-the-key-that-nobody-may-see"


def transport_for(*urls: str, key: str = KEY, scheme: str = "Bearer") -> Transport:
    return Transport(Credentials(scheme, key, frozenset(map(origin, urls))))


def echo(request: Request) -> Answer:
    return Answer(json={"headers": request.headers, "body": request.body.decode("latin-1")})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def blob(data: bytes, name: str = "cat.png") -> Blob:
    return Blob("image", "image/png", name, len(data), "digest", data=data)


# ---------------------------------------------------------------- what a failure says about money


def close_at_once(connection: Connection) -> None:
    pass


def close_after_the_request(connection: Connection) -> None:
    connection.read_request()


def reset_after_the_request(connection: Connection) -> None:
    connection.read_request()
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def close_within_the_status_line(connection: Connection) -> None:
    connection.read_request()
    connection.send("HTTP/1.1")


def close_within_the_body(connection: Connection) -> None:
    connection.read_request()
    connection.send('HTTP/1.1 200 OK\nContent-Length: 100\n\n{"id": ')


def close_within_a_chunk(connection: Connection) -> None:
    connection.read_request()
    connection.send('HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n40\n{"id": ')


def say_something_else(connection: Connection) -> None:
    connection.read_request()
    connection.send("220 mail.example ESMTP\n")


def say_nothing(connection: Connection) -> None:
    connection.read_request()
    connection.keep_waiting()


def stop_within_the_body(connection: Connection) -> None:
    close_within_the_body(connection)
    connection.keep_waiting()


@pytest.mark.parametrize("spends", [False, True], ids=["free", "spending"])
@pytest.mark.parametrize(
    "script",
    [
        close_at_once,
        close_after_the_request,
        reset_after_the_request,
        close_within_the_status_line,
        close_within_the_body,
        close_within_a_chunk,
        say_something_else,
        say_nothing,
        stop_within_the_body,
    ],
    ids=lambda script: script.__name__,
)
def test_a_call_is_lost_once_the_connection_was_made(
    script: Callable[[Connection], None], spends: bool
) -> None:
    silent = script in (say_nothing, stop_within_the_body)
    with Raw(script) as server:
        call = Call("POST", server.url, json={}, spends=spends, timeout=0.3 if silent else 60)
        with pytest.raises(Lost) as caught:
            transport_for(server.url).perform(call)
        until(lambda: server.received)
    assert caught.value.spent == "unknown"
    assert len(server.received) == 1


@pytest.mark.parametrize("spends", [False, True], ids=["free", "spending"])
def test_a_refused_connection_has_sent_nothing(spends: bool) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(NotSent, match="connection refused") as caught:
        transport_for(url).perform(Call("POST", url, json={}, spends=spends))
    assert caught.value.spent == "no"


def test_an_unknown_name_has_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NotSent, match="its name is not known"):
        transport_for("https://api.example").perform(Call("POST", "https://api.example", json={}))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux drops what a full backlog gets")
def test_a_connection_that_is_never_answered_has_sent_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("seedance.transport.session.CONNECT_SECONDS", 0.2)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(NotSent, match="no answer in time"):
            transport_for(url).perform(Call("POST", url, json={}, spends=True))
        for client in waiting:
            client.close()


def test_a_failed_handshake_has_sent_nothing() -> None:
    def speak_plainly(connection: Connection) -> None:
        connection.socket.recv(100)
        connection.send("HTTP/1.1 400 Bad Request\n\n")

    with Raw(speak_plainly) as server, pytest.raises(NotSent, match="encryption"):
        url = f"https://127.0.0.1:{server.port}"
        transport_for(url).perform(Call("POST", url, json={}, spends=True))


def test_a_call_is_lost_on_a_connection_that_was_used_before() -> None:
    def answer_once(connection: Connection) -> None:
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\nContent-Length: 2\n\n{}")
        connection.read_request()

    with Raw(answer_once) as server:
        sender = transport_for(server.url)
        assert sender.perform(Call("GET", server.url)).status == 200
        with pytest.raises(Lost):
            sender.perform(Call("DELETE", server.url))
    assert len(server.received) == 1


def test_a_failure_does_not_show_what_is_in_the_address() -> None:
    with Raw(close_after_the_request) as server, pytest.raises(Lost) as caught:
        url = f"{server.url}/up?X-Signature=s3cret"
        transport_for(server.url).perform(Call("PUT", url, query={"token": "s3cret"}))
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


# ---------------------------------------------------------------------------- one call, once


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer(status: int) -> None:
    target = "http://127.0.0.1:9/elsewhere"
    with Server(lambda _: Answer(status, headers={"location": target})) as server:
        call = Call("POST", server.url, json={}, spends=True)
        reply = transport_for(server.url).perform(call)
    assert (reply.status, reply.headers["location"]) == (status, target)
    assert len(server.requests) == 1


@pytest.mark.parametrize("target", ["https://[", "https://a:99999", "", "\x00"])
def test_a_redirect_to_nowhere_is_an_answer(target: str) -> None:
    with Server(lambda _: Answer(302, headers={"location": target})) as server:
        reply = transport_for(server.url).perform(Call("POST", server.url, spends=True))
    assert reply.status == 302


def test_the_body_of_a_redirect_is_not_read_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedance.transport.session.LARGEST_REPLY", 1 << 20)

    def redirect(connection: Connection) -> None:
        connection.read_request()
        connection.send("HTTP/1.1 302 Found\nLocation: /\n\n")
        connection.socket.sendall(b"x" * (2 << 20))
        connection.keep_waiting()

    with Raw(redirect) as server, pytest.raises(OddReply, match="larger than 1 MB"):
        transport_for(server.url).perform(Call("GET", server.url))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_nothing_is_repeated(status: int) -> None:
    with Server(lambda _: Answer(status, headers={"retry-after": "0"})) as server:
        reply = transport_for(server.url).perform(Call("GET", server.url))
    assert reply.status == status
    assert len(server.requests) == 1


def keep_alive(connection: Connection) -> None:
    while connection.read_request().strip():
        connection.send("HTTP/1.1 200 OK\nContent-Length: 2\n\n{}")


def test_calls_share_a_connection_and_spending_ones_get_a_fresh_one() -> None:
    with Raw(keep_alive) as server:
        sender = transport_for(server.url)
        for spends in (False, False, True, True, False):
            sender.perform(Call("POST", server.url, json={}, spends=spends))
        assert len(server.received) == 3
        assert server.received[0].count(b"POST") == 3
        assert b"Connection: close" in server.received[1]


def test_no_cookie_is_carried_over() -> None:
    with Server(lambda _: Answer(json={}, headers={"set-cookie": "session=1; Path=/"})) as server:
        sender = transport_for(server.url)
        for _ in range(2):
            sender.perform(Call("GET", server.url))
        with sender.fetching(server.url, headers={}, own_origin=origin(server.url)):
            pass
    assert len(server.requests) == 3
    assert not any("cookie" in request.headers for request in server.requests)


def test_header_names_of_a_reply_are_lower_case() -> None:
    with Server(lambda _: Answer(headers={"Retry-After": "3"})) as server:
        assert transport_for(server.url).perform(Call("GET", server.url)).headers["retry-after"]


def test_a_reply_beyond_the_limit_is_odd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedance.transport.session.LARGEST_REPLY", 1 << 20)
    large = Answer(body=b"x" * ((1 << 20) + 1))
    with Server(lambda _: large) as server, pytest.raises(OddReply, match="larger than 1 MB"):
        transport_for(server.url).perform(Call("GET", server.url))


# ------------------------------------------------------------------------------------ the key


@pytest.mark.parametrize("scheme", ["Bearer", "Key"])
def test_the_key_goes_to_its_own_origin(scheme: str) -> None:
    with Server(echo) as server:
        transport_for(server.url, scheme=scheme).perform(Call("GET", server.url))
    assert server.requests[0].headers["authorization"] == f"{scheme} {KEY}"


def test_the_key_goes_to_no_other_port() -> None:
    with Server(echo) as own, Server(echo) as other:
        transport_for(own.url).perform(Call("PUT", other.url, body=blob(b"x")))
    assert "authorization" not in other.requests[0].headers


def test_the_key_stays_where_the_call_says_so() -> None:
    with Server(echo) as server:
        transport_for(server.url).perform(Call("GET", server.url, auth=False))
    assert "authorization" not in server.requests[0].headers


@pytest.mark.safety
@pytest.mark.parametrize("key", ["", KEY], ids=["without a key", "with a key"])
def test_nothing_is_taken_from_netrc(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Server(echo) as server:
        sender = transport_for(server.url, key=key)
        sender.perform(Call("GET", server.url, auth=False))
        with sender.fetching(server.url, headers={}, own_origin=origin(server.url)):
            pass
    assert not any("authorization" in request.headers for request in server.requests)


def test_a_reply_that_quotes_the_key_is_cleaned() -> None:
    with Server(lambda _: Answer(401, json={"error": f"Incorrect key {KEY}."})) as server:
        reply = transport_for(server.url).perform(Call("GET", server.url))
    assert reply.object() == {"error": "Incorrect key (your key)."}


def test_credentials_do_not_show_the_key() -> None:
    assert KEY not in repr(Credentials("Bearer", KEY, frozenset()))


# ------------------------------------------------------------------------------------- bodies


def test_json_is_sent_as_utf_8() -> None:
    with Server(echo) as server:
        transport_for(server.url).perform(Call("POST", server.url, json={"prompt": "猫 \N{CAT}"}))
    request = server.requests[0]
    assert request.headers["content-type"] == "application/json"
    assert request.body == '{"prompt": "猫 \N{CAT}"}'.encode()


def test_a_number_that_json_does_not_have_is_a_bad_order() -> None:
    with Server(echo) as server:
        sender = transport_for(server.url)
        with pytest.raises(BadOrder, match="not a number that JSON has"):
            sender.perform(Call("POST", server.url, json={"x": float("nan")}, spends=True))
    assert not server.requests


@pytest.mark.parametrize("source", ["data", "path"])
def test_a_form_has_its_fields_first_and_the_file_last(source: str, tmp_path: Path) -> None:
    data = os.urandom(200_000)
    file = blob(data)
    if source == "path":
        path = tmp_path / "cat.png"
        path.write_bytes(data)
        file = Blob("image", "image/png", "cat.png", len(data), "digest", path=path)
    with Server(echo) as server:
        sender = transport_for(server.url)
        call = Call("POST", server.url, form=[("a", "1"), ("ü", "ß")], file=FilePart("file", file))
        for _ in range(2):  # the second call finds the connection in order, or it would hang
            sender.perform(call)
    fields = [("a", None, b"1"), ("ü", None, "ß".encode())]
    for request in server.requests:
        assert request.form == [*fields, ("file", "cat.png", data)]
        assert int(request.headers["content-length"]) == len(request.body)
        assert b"Content-Type: image/png\r\n" in request.body


def test_a_form_without_a_file_is_a_form() -> None:
    with Server(echo) as server:
        transport_for(server.url).perform(Call("POST", server.url, form=[("a", "1")]))
    assert server.requests[0].form == [("a", None, b"1")]


def test_a_file_name_cannot_add_a_header() -> None:
    name = 'a"\r\nX-Header: 1\r\n\r\nb.png'
    with Server(echo) as server:
        call = Call("POST", server.url, file=FilePart("file", blob(b"x", name)))
        transport_for(server.url).perform(call)
    assert server.requests[0].form == [("file", "a___X-Header: 1____b.png", b"x")]


def test_a_body_is_the_bytes_of_the_file_with_its_type_and_length() -> None:
    with Server(echo) as server:
        transport_for(server.url).perform(Call("PUT", server.url, body=blob(b"bytes")))
    request = server.requests[0]
    assert request.body == b"bytes"
    assert request.headers["content-type"] == "image/png"
    assert request.headers["content-length"] == "5"


UPLOAD = """
import sys, tracemalloc
from pathlib import Path
from seedance.addresses import origin
from seedance.transport import Credentials, Transport
from seedance.wire import Blob, Call, FilePart
url, path = sys.argv[1], Path(sys.argv[2])
clip = Blob("video", "video/mp4", "clip.mp4", path.stat().st_size, "digest", path=path)
sender = Transport(Credentials("Bearer", "key", frozenset({origin(url)})))
sender.perform(Call("GET", url))  # what is loaded once is not counted
tracemalloc.start()
for call in (Call("PUT", url, body=clip), Call("POST", url, file=FilePart("file", clip))):
    assert sender.perform(call).ok
print(tracemalloc.get_traced_memory()[1])
"""


def test_a_large_file_goes_up_at_flat_memory(tmp_path: Path) -> None:
    size, counted = 50 * 2**20, []

    def count(connection: Connection) -> None:
        with connection.socket.makefile("rb") as stream:
            while line := stream.readline():
                length = 0
                while line.strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                    line = stream.readline()
                left = length
                while left:
                    left -= len(stream.read1(min(left, 1 << 20)))
                counted.append(length)
                connection.send("HTTP/1.1 200 OK\nContent-Length: 0\n\n")

    clip = tmp_path / "clip.mp4"
    with clip.open("wb") as file:
        file.truncate(size)
    with Raw(count) as server:
        child = subprocess.run(
            [sys.executable, "-c", UPLOAD, server.url, str(clip)], capture_output=True, text=True
        )
    assert child.returncode == 0, child.stderr
    assert counted[1] == size < counted[2]
    assert int(child.stdout) < 2 * 2**20


# --------------------------------------------------------------------------- threads, adapters


def test_calls_of_several_threads_do_not_mix() -> None:
    with Server(echo) as server:
        sender = transport_for(server.url)
        bodies: dict[int, Any] = {}

        def ask(number: int) -> None:
            reply = sender.perform(Call("POST", server.url, json={"number": number}))
            bodies[number] = json.loads(reply.object()["body"])

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert bodies == {number: {"number": number} for number in range(8)}


def test_an_adapter_answers_inside_the_process() -> None:
    import requests

    class Inside(requests.adapters.BaseAdapter):
        def send(self, request: Any, **_: Any) -> requests.Response:
            response = requests.Response()
            response.status_code, response.raw = 200, io.BytesIO(request.url.encode())
            return response

        def close(self) -> None:
            pass

    mine = Credentials("", "", frozenset({"preview://local:0"}))
    sender = Transport(mine, {"preview://": Inside()})
    reply = sender.perform(Call("GET", "preview://local/task/1", spends=True))
    assert reply.body == b"preview://local/task/1"


def test_what_is_raised_is_always_ours() -> None:
    for url in ("https://[", "https://a:99999/", "nonsense", "https://" + "a" * 70 + ".example"):
        with pytest.raises(SeedanceError):
            transport_for("https://api.example").perform(Call("GET", url))
