"""Answers from crooks: without measure in size or time, or with words that steer a terminal."""

from __future__ import annotations

import gzip
import json
import re
import threading
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import fakes
import pytest
from fakes import Answer
from loopback import Connection, Raw, Server
from running import Desk, until
from transports import transport_for

from seedance import download
from seedance.addresses import origin
from seedance.errors import OddReply, SeedanceError
from seedance.transport import Lost
from seedance.wire import Call

pytestmark = [pytest.mark.safety, pytest.mark.slow]


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
    monkeypatch.setattr("seedance.transport.session.LONGEST_REPLY_SECONDS", 2.0)
    monkeypatch.setattr("seedance.transport.session.LONGEST_SPEND_SECONDS", 2.0)
    for spends in (True, False):
        with Raw(drip(DRIPS[where])) as server, pytest.raises(Lost, match="no answer in time"):
            transport_for(server.url).perform(Call("POST", server.url, json={}, spends=spends))


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
