"""Servers on loopback for tests of what lies below a provider: answers from a function, and
connections that misbehave on purpose."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from fakes import Answer, Fake, Request

if TYPE_CHECKING:
    from typing_extensions import Self


class Server(Fake):
    """An HTTP server that answers with what `answer` makes of a request, and records requests."""

    provider = "lumenfall"  # whose address and key a Fake is about; they are not used here

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        super().__init__(clip=b"")
        self._make_answer = answer

    def handle(self, request: Request) -> Answer:
        return self._make_answer(request)


def nothing_here(request: Request) -> Answer:
    """An answer for a `Server` that has nothing."""
    return Answer(404)


class Raw:
    """A TCP server that hands each connection to the next of `scripts`, the last one for ever.

    `received` holds, for each connection, the bytes that its script read by `read_request`.
    """

    def __init__(self, *scripts: Callable[[Connection], None]) -> None:
        self._scripts = scripts
        self.received: list[bytes] = []
        self._stopping = threading.Event()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connected, _ = self._socket.accept()
            except OSError:
                return
            script = self._scripts[min(len(self.received), len(self._scripts) - 1)]
            self.received.append(b"")
            connection = Connection(self, len(self.received) - 1, connected, self._stopping)
            threading.Thread(target=self._run, args=(script, connection), daemon=True).start()

    @staticmethod
    def _run(script: Callable[[Connection], None], connection: Connection) -> None:
        with connection.socket, contextlib.suppress(OSError):
            script(connection)


class Connection:
    """One connection to a `Raw`, as its script sees it; it is closed when the script returns."""

    def __init__(
        self, server: Raw, number: int, connected: socket.socket, stopping: threading.Event
    ) -> None:
        self.socket = connected
        self._server, self._number, self._stopping = server, number, stopping

    def read_request(self) -> bytes:
        """Read one request, the body by its Content-Length."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (block := self.socket.recv(1 << 16)):
                break
            data += block
        head, _, body = data.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                while len(body) < int(line.split(b":")[1]):
                    body += self.socket.recv(1 << 16)
        whole = head + b"\r\n\r\n" + body
        self._server.received[self._number] += whole
        return whole

    def send(self, text: str) -> None:
        """Send a text with the line ends of HTTP."""
        self.socket.sendall(text.replace("\n", "\r\n").encode())

    def keep_waiting(self) -> None:
        """Keep the connection open without a byte until the test is over."""
        self._stopping.wait(600)
