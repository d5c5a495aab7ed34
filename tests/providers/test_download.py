"""A result comes down whole, from where it may, in as many pieces as the network makes of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import Answer, Request, ranged
from loopback import Connection, Raw, Server

from seedance import download
from seedance.addresses import ForbiddenAddress, origin
from seedance.download import AddressExpired, fetch
from seedance.errors import OddReply
from seedance.transport import Credentials, Lost, NotSent, Stop, Transport

pytestmark = pytest.mark.safety

KEY = "sk-the-key-that-nobody-may-see"
CLIP = os.urandom(1 << 20)
HALF = len(CLIP) // 2  # whole blocks of the download: what breaks within one is asked for again
DATE = "Sat, 21 Nov 2026 00:00:00 GMT"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited between attempts; they take no time."""
    seconds: list[float] = []
    monkeypatch.setattr(Stop, "wait", lambda self, pause: seconds.append(pause))
    return seconds


def get(url: str, part: Path, *, own: str = "", **options: Any) -> list[tuple[int, int | None]]:
    """Fetch `url` as the result of the provider at `own` (by default where the file is); returns
    the progress."""
    progress: list[tuple[int, int | None]] = []
    home = origin(own or url)
    fetch(
        Transport(Credentials("Bearer", KEY, frozenset({home}))),
        url,
        part,
        own_origin=home,
        on_progress=lambda done, total: progress.append((done, total)),
        **options,
    )
    return progress


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "clip.mp4.part"


# --------------------------------------------------------------------------------- whole files


def test_a_file_comes_down_as_it_is(part: Path) -> None:
    with Server(lambda request: ranged(request, CLIP, "video/mp4")) as server:
        progress = get(server.url, part)
    assert part.read_bytes() == CLIP
    assert progress[-1] == (len(CLIP), len(CLIP))
    assert [done for done, _ in progress] == sorted(done for done, _ in progress)


def test_what_lay_there_is_replaced(part: Path) -> None:
    part.write_bytes(b"of another time")
    with Server(lambda request: ranged(request, CLIP, "video/mp4")) as server:
        get(server.url, part)
    assert part.read_bytes() == CLIP


def test_a_file_without_a_length_ends_with_the_connection(part: Path) -> None:
    def send(connection: Connection) -> None:
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\n\n")
        connection.socket.sendall(CLIP)

    with Raw(send) as server:
        progress = get(server.url, part)
    assert part.read_bytes() == CLIP
    assert progress[-1] == (len(CLIP), None)


def test_no_packed_form_is_asked_for(part: Path) -> None:
    with Server(lambda request: ranged(request, CLIP, "video/mp4")) as server:
        get(server.url, part)
    assert server.requests[0].headers["accept-encoding"] == "identity"


# --------------------------------------------------------------------------------------- pieces


def cut_after_half(
    headers: str = "", length: int = len(CLIP), data: bytes = CLIP
) -> Callable[[Connection], None]:
    def send(connection: Connection) -> None:
        connection.read_request()
        connection.send(f"HTTP/1.1 200 OK\nContent-Length: {length}\n{headers}\n")
        connection.socket.sendall(data[:HALF])

    return send


def rest(
    first: int = HALF, total: int | str = len(CLIP), data: bytes = CLIP
) -> Callable[[Connection], None]:
    def send(connection: Connection) -> None:
        connection.read_request()
        body = data[first:]
        connection.send(
            f"HTTP/1.1 206 Partial Content\nContent-Length: {len(body)}\n"
            f"Content-Range: bytes {first}-{len(data) - 1}/{total}\n\n"
        )
        connection.socket.sendall(body)

    return send


def whole(data: bytes = CLIP) -> Callable[[Connection], None]:
    def send(connection: Connection) -> None:
        connection.read_request()
        connection.send(f"HTTP/1.1 200 OK\nContent-Length: {len(data)}\n\n")
        connection.socket.sendall(data)

    return send


def status(code: int, headers: str = "", body: str = "") -> Callable[[Connection], None]:
    def send(connection: Connection) -> None:
        connection.read_request()
        # The connection ends with the answer: unsaid, the next request may still be sent on it.
        length = f"Content-Length: {len(body)}\nConnection: close\n"
        connection.send(f"HTTP/1.1 {code} X\n{length}{headers}\n{body}")

    return send


def drop(connection: Connection) -> None:
    connection.read_request()


def header(request: bytes, name: str) -> str | None:
    for line in request.decode("latin-1").split("\r\n"):
        if line.lower().startswith(name.lower() + ":"):
            return line.partition(":")[2].strip()
    return None


def test_a_broken_download_goes_on_where_it_stopped(part: Path) -> None:
    with Raw(cut_after_half(), rest()) as server:
        get(server.url, part)
    assert part.read_bytes() == CLIP
    assert header(server.received[0], "Range") is None
    assert header(server.received[1], "Range") == f"bytes={HALF}-"


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        (f'ETag: "v1"\nLast-Modified: {DATE}\n', '"v1"'),
        (f'ETag: W/"v1"\nLast-Modified: {DATE}\n', DATE),
        ('ETag: W/"v1"\n', None),
        ("", None),
    ],
    ids=["strong", "weak with a date", "weak", "none"],
)
def test_it_goes_on_only_in_the_same_file(headers: str, validator: str | None, part: Path) -> None:
    with Raw(cut_after_half(headers), rest()) as server:
        get(server.url, part)
    assert header(server.received[1], "If-Range") == validator


OTHER = os.urandom(len(CLIP) - 1)


@pytest.mark.parametrize(
    "answers",
    [
        [whole(OTHER)],  # what If-Range asks for
        [rest(data=OTHER, total=len(OTHER)), whole(OTHER)],
        [rest(first=HALF - 1), whole(OTHER)],
        [status(416, f"Content-Range: bytes */{HALF - 1}\n"), whole(OTHER)],
        [status(206), whole(OTHER)],
    ],
    ids=["whole again", "another length", "another range", "no such range", "no range told"],
)
def test_a_file_that_changed_is_fetched_again_from_the_start(
    answers: list[Callable[[Connection], None]], part: Path
) -> None:
    with Raw(cut_after_half(), *answers) as server:
        get(server.url, part)
    assert part.read_bytes() == OTHER


def test_progress_starts_the_count_of_failures_anew(part: Path, pauses: list[float]) -> None:
    four = [drop] * 4
    with Raw(*four, cut_after_half(), *four, rest()) as server:
        get(server.url, part)
    assert part.read_bytes() == CLIP
    assert pauses == [1, 2, 4, 8, 0.5, 1, 2, 4, 8]


@pytest.mark.parametrize(
    "script",
    [
        drop,
        status(500),
        status(503),
        status(429),
        status(408),
        status(200),
        status(200, "Content-Type: text/html; charset=utf-8\n", "<h1>One moment</h1>"),
    ],
    ids=["dropped", "500", "503", "429", "408", "empty", "a web page"],
)
def test_what_brings_nothing_is_tried_five_times(
    script: Callable[[Connection], None], part: Path
) -> None:
    with Raw(script) as server:
        with pytest.raises(Lost):
            get(server.url, part)
        assert len(server.received) == 5


def test_an_address_without_a_server_was_not_reached(part: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/clip.mp4"
    with pytest.raises(NotSent):
        get(url, part)


def test_a_file_that_always_ends_early_is_given_up(part: Path) -> None:
    with Raw(cut_after_half()) as server:
        with pytest.raises(Lost):
            get(server.url, part)
        assert len(server.received) == 1 + download.TRIES_WITHOUT_PROGRESS


# ---------------------------------------------------------------------------------------- ends


@pytest.mark.parametrize("code", [403, 404, 410])
def test_an_address_that_has_expired_is_gone(code: int, part: Path) -> None:
    with Raw(status(code)) as server:
        with pytest.raises(AddressExpired, match=f"HTTP {code}") as caught:
            get(server.url, part)
        assert len(server.received) == 1
    assert caught.value.spent == "yes"


@pytest.mark.parametrize("code", [204, 400, 418])
def test_another_status_is_odd(code: int, part: Path) -> None:
    with Raw(status(code)) as server, pytest.raises(OddReply, match=f"HTTP {code}"):
        get(server.url, part)


@pytest.mark.parametrize("told", [True, False], ids=["by its length", "by what comes"])
def test_a_file_beyond_the_limit_is_refused(told: bool, part: Path) -> None:
    def send(connection: Connection) -> None:
        connection.read_request()
        length = f"Content-Length: {4 << 20}\n" if told else ""
        connection.send(f"HTTP/1.1 200 OK\n{length}\n")
        if not told:
            connection.socket.sendall(b"x" * (4 << 20))
        connection.keep_waiting()

    with Raw(send) as server, pytest.raises(OddReply, match=r"larger than 2\.1 MB") as caught:
        get(server.url, part, largest=2 << 20)
    assert caught.value.spent == "yes"
    assert not part.exists() or part.stat().st_size < 3 << 20


def test_a_download_that_takes_too_long_is_given_up(
    part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LONGEST_SECONDS", 0.0)
    with Raw(whole()) as server, pytest.raises(OddReply, match="takes too long"):
        get(server.url, part)


def test_a_full_disk_is_not_taken_for_a_broken_connection(tmp_path: Path) -> None:
    with Raw(whole()) as server:
        with pytest.raises(FileNotFoundError):
            get(server.url, tmp_path / "no folder" / "clip.part")
        assert len(server.received) == 1


# --------------------------------------------------------------------- where it may be fetched


def redirect_to(target: str) -> Callable[[Request], Answer]:
    def answer(request: Request) -> Answer:
        if request.path == "/go":
            return Answer(302, headers={"location": target})
        return ranged(request, CLIP, "video/mp4")

    return answer


def test_a_redirect_within_the_own_origin_is_followed(part: Path) -> None:
    with Server(redirect_to("/clip.mp4")) as server:
        get(f"{server.url}/go", part)
    assert part.read_bytes() == CLIP
    assert [request.path for request in server.requests] == ["/go", "/clip.mp4"]


@pytest.mark.parametrize(
    "target",
    [
        "https://10.0.0.1/clip.mp4",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/clip.mp4",
        "https://[::1]/clip.mp4",
        "http://files.example/clip.mp4",
        "//files.example/clip.mp4",  # http, as the address that redirects
        "file:///etc/passwd",
        "https://[files.example/clip.mp4",
        "https://files.example:99999/clip.mp4",
    ],
)
def test_a_redirect_to_where_it_may_not_is_refused(target: str, part: Path) -> None:
    with Server(redirect_to(target)) as server, pytest.raises(ForbiddenAddress):
        get(f"{server.url}/go", part)
    assert not part.exists()


def test_a_redirect_to_another_port_of_this_machine_is_refused(part: Path) -> None:
    with Raw(whole()) as other, Server(redirect_to(other.url)) as server:
        with pytest.raises(ForbiddenAddress):
            get(f"{server.url}/go", part)
        assert not other.received


def test_a_redirect_to_a_name_that_leads_to_this_machine_is_refused(
    part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = socket.getaddrinfo

    def resolve(host: str, port: Any, *args: Any, **kwargs: Any) -> Any:
        at = ("127.0.0.1", other.port) if host == "files.example" else (host, port)
        return look_up(*at, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    target = "https://files.example/clip.mp4"
    with (
        Raw(whole()) as other,
        Server(redirect_to(target)) as server,
        pytest.raises(ForbiddenAddress, match=r"files\.example is at 127\.0\.0\.1"),
    ):
        get(f"{server.url}/go", part)


def test_a_circle_of_redirects_ends(part: Path) -> None:
    with Server(redirect_to("/go")) as server:
        with pytest.raises(OddReply, match="circle"):
            get(f"{server.url}/go", part)
        assert len(server.requests) == 6


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/clip.mp4", "https://10.0.0.1/clip.mp4"])
def test_a_private_address_in_an_answer_is_refused(url: str, part: Path) -> None:
    with pytest.raises(ForbiddenAddress):
        get(url, part, own="https://api.example")


# ----------------------------------------------------------------------------------- the key


def guarded(request: Request) -> Answer:
    if request.headers.get("authorization") != f"Bearer {KEY}":
        return Answer(401, json={"error": "no key"})
    return ranged(request, CLIP, "video/mp4")


def test_the_key_is_shown_to_the_own_origin_only_when_it_asks(part: Path) -> None:
    with Server(guarded) as server:
        get(server.url, part)
    assert part.read_bytes() == CLIP
    assert ["authorization" in request.headers for request in server.requests] == [False, True]


def test_the_key_is_not_shown_where_nobody_asks(part: Path) -> None:
    with Server(lambda request: ranged(request, CLIP, "video/mp4")) as server:
        get(server.url, part)
    assert "authorization" not in server.requests[0].headers


def test_the_key_stays_shown_when_a_download_goes_on(part: Path) -> None:
    with Raw(status(401), cut_after_half(), rest()) as server:
        get(server.url, part)
    assert part.read_bytes() == CLIP
    shown = [header(request, "Authorization") for request in server.received]
    assert shown == [None, f"Bearer {KEY}", f"Bearer {KEY}"]


def test_an_own_origin_that_does_not_take_the_key_has_no_file(part: Path) -> None:
    with Raw(status(401)) as server:
        with pytest.raises(AddressExpired, match="HTTP 401"):
            get(server.url, part)
        assert len(server.received) == 2


def test_the_key_is_not_shown_off_its_own_origins(part: Path) -> None:
    with Server(guarded) as server, pytest.raises(AddressExpired):
        sender = Transport(Credentials("Bearer", KEY, frozenset({"https://api.example:443"})))
        fetch(sender, server.url, part, own_origin=origin(server.url))
    assert not any("authorization" in request.headers for request in server.requests)
