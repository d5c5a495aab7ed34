"""Fake provider servers on loopback, as strict as the provider's document.

Here is the HTTP side: listening, recording, faults, the result file. What a provider accepts and
answers is in `fakes/<id>.py` where it has state that tests need, and is replayed from its recorded
exchanges where not. Of the code under test only names and addresses are read.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json as jsonlib
import pkgutil
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from typing_extensions import Self

JSON = "application/json"
RESULT_PATH = "/results/clip.mp4"


@dataclass
class Request:
    """One request as it arrived. Header names are lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON, or None if it is none or is not said to be."""
        if self.headers.get("content-type", "").split(";")[0].strip() != JSON:
            return None
        try:
            return jsonlib.loads(self.body)
        except ValueError:
            return None

    @property
    def form(self) -> list[tuple[str, str | None, bytes]]:
        """The parts of a multipart form in order: (name, file name or None, content)."""
        boundary = re.search(r'boundary="?([^";]+)"?', self.headers.get("content-type", ""))
        if not boundary:
            return []
        parts = []
        for piece in self.body.split(b"--" + boundary[1].encode())[1:-1]:
            head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            name = re.search(rb'[; ]name="([^"]*)"', head)
            file_name = re.search(rb'filename="([^"]*)"', head)
            parts.append(
                (
                    name[1].decode() if name else "",
                    file_name[1].decode() if file_name else None,
                    content.removesuffix(b"\r\n"),
                )
            )
        return parts


@dataclass
class Answer:
    """What to send back: `json`, or raw `body`."""

    status: int = 200
    json: Any = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The bytes of the body."""
        if self.body is not None:
            return self.body
        return b"" if self.json is None else jsonlib.dumps(self.json).encode()


@dataclass
class Task:
    """One accepted create."""

    id: str
    body: Any
    polls: int = 0
    cancelled: bool = False
    created: float = field(default_factory=time.time)


@dataclass
class _Fault:
    when: Callable[[Request], bool]
    what: str | Answer
    left: int


class Fake:
    """A provider on loopback; use it as a context manager.

    `requests`: everything received, in order. `creates`: how many creates were accepted, that is,
    paid. `polls_until_done`: answers "running" before success. `fail_with`: makes tasks fail, in a
    form that the subclass documents.
    """

    provider: ClassVar[str]
    key = "sk-test-0123456789abcdef"
    upload_url: str | None = None

    def __init__(
        self, clip: bytes | None = None, *, polls_until_done: int = 2, fail_with: Any = None
    ) -> None:
        self.polls_until_done = polls_until_done
        self.fail_with = fail_with
        self.requests: list[Request] = []
        self.tasks: dict[str, Task] = {}
        self._clip = clip
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._let_go = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    # -- for the subclass

    def handle(self, request: Request) -> Answer:
        """Answer one request as the provider's document says. Calls do not overlap."""
        raise NotImplementedError

    def accept(self, body: Any, form: str = "task-{n:04d}") -> Task:
        """Count a create that is paid for and make up its task; `form` is that of its id."""
        task = Task(form.format(n=len(self.tasks) + 1), body)
        self.tasks[task.id] = task
        return task

    def done(self, task: Task) -> bool:
        """Count one poll; whether the task is at its end."""
        task.polls += 1
        return task.polls > self.polls_until_done

    def done_by_clock(self, task: Task, over: bool) -> bool:
        """As `done`, where a clock says whether the task is `over`. Some fakes look at the number
        of polls too."""
        task.polls = self.polls_until_done + 1 if over else 1
        return over

    def authorized(self, request: Request, scheme: str = "Bearer") -> bool:
        """Whether the request carries the key."""
        return request.headers.get("authorization") == f"{scheme} {self.key}"

    # -- for tests

    @staticmethod
    def failure(message: str, code: str) -> Any:
        """What `fail_with` must be for a task to fail with these words."""
        return {"message": message, "code": code}

    @property
    def creates(self) -> int:
        """How many creates were accepted."""
        return len(self.tasks)

    @property
    def clip(self) -> bytes:
        """The MP4 that is served as the result."""
        if self._clip is None:
            self._clip = tiny_clip()
        return self._clip

    @property
    def url(self) -> str:
        """http://127.0.0.1:<port>, while started."""
        assert self._server is not None, "the fake is not started"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def base_url(self) -> str:
        """What to configure as the provider's base URL."""
        return self.url + urlsplit(_provider_class(self.provider).default_base_url or "").path

    @property
    def result_url(self) -> str:
        """The address of the finished video."""
        return self.url + RESULT_PATH

    def sent(self, method: str, path: str = "") -> list[Request]:
        """The recorded requests of a method whose path ends with `path`."""
        return [
            item for item in self.requests if item.method == method and item.path.endswith(path)
        ]

    def environment(self) -> dict[str, str]:
        """The variables that point the pack at this fake."""
        provider = _provider_class(self.provider)
        variables = {f"SEEDANCE_{self.provider.upper()}_BASE_URL": self.base_url}
        if provider.key_variable:
            variables[provider.key_variable] = self.key
        if self.upload_url:
            variables[f"SEEDANCE_{self.provider.upper()}_UPLOAD_URL"] = self.upload_url
        return variables

    def fault(self, when: Callable[[Request], bool], what: str | Answer, times: int = 1) -> None:
        """Spoil the next `times` requests for which `when` is true. `what` is one of

        reset            the connection dies before the request is handled
        reset-after      the request is handled, then the connection dies without an answer
        hang             the request is handled, the answer comes when the test calls `let_go`
        hang:SECONDS     the request is handled, the answer comes that much later
        truncate         the request is handled, half of the answer comes
        status:CODE      refused with that status and a JSON error, not handled
        html[:CODE]      a web page with that status (502), not handled
        429:SECONDS      429 with Retry-After, not handled
        an Answer        that answer, not handled
        """
        self._faults.append(_Fault(when, what, times))

    def let_go(self) -> None:
        """Send the answers that hang, and no longer hold back any."""
        self._let_go.set()

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._stopping.set()
        self._let_go.set()
        self._server.shutdown()
        self._server.server_close()

    # -- for the handler

    def _take_fault(self, request: Request) -> str | Answer:
        for fault in self._faults:
            if fault.left and fault.when(request):
                fault.left -= 1
                return fault.what
        return ""

    def _answer(self, request: Request) -> tuple[Answer | None, str]:
        """The answer, None for a dead connection, and the fault to send it with."""
        with self._lock:
            self.requests.append(request)
            fault = self._take_fault(request)
            if isinstance(fault, Answer):
                return fault, ""
            if fault == "reset":
                return None, fault
            if spoiled := _spoiled_answer(fault):
                return spoiled, fault
            if request.path == RESULT_PATH and request.method in ("GET", "HEAD"):
                answer = ranged(request, self.clip, "video/mp4")
            else:
                answer = self.handle(request)
        if fault == "hang":
            self._let_go.wait()
        elif fault.startswith("hang:"):
            self._stopping.wait(float(fault[5:]))
        return (None if fault == "reset-after" else answer), fault


def iso(seconds: float) -> str:
    """Unix seconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat().replace("+00:00", "Z")


def seconds_of(text: str) -> float:
    """Unix seconds of an ISO 8601 time in UTC. Raises ValueError."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def ranged(request: Request, data: bytes, mime: str) -> Answer:
    """A file, or the part of it that a Range header asks for."""
    headers = {"content-type": mime, "accept-ranges": "bytes"}
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if not wanted:
        return Answer(200, body=data, headers=headers)
    start = int(wanted[1])
    end = min(int(wanted[2] or len(data) - 1), len(data) - 1)
    if start > end:
        return Answer(416, body=b"", headers={"content-range": f"bytes */{len(data)}"})
    headers["content-range"] = f"bytes {start}-{end}/{len(data)}"
    return Answer(206, body=data[start : end + 1], headers=headers)


def _spoiled_answer(fault: str) -> Answer | None:
    kind, _, value = fault.partition(":")
    if kind == "status":
        message = f"This fake answers {value}."
        return Answer(int(value), json={"error": {"message": message, "code": "fault"}})
    if kind == "html":
        page = b"<!DOCTYPE html><html><body><h1>Bad Gateway</h1></body></html>"
        return Answer(int(value or 502), body=page, headers={"content-type": "text/html"})
    if kind == "429":
        error = {"error": {"message": "Too many requests.", "code": "rate_limited"}}
        return Answer(429, json=error, headers={"retry-after": value or "1"})
    return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: Fake

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        split = urlsplit(self.path)
        if "transfer-encoding" in headers:  # storage hosts want a length
            self.close_connection = True
            self._send(Answer(411, json={"error": {"message": "Content-Length is required."}}), "")
            return
        body = self.rfile.read(int(headers.get("content-length") or 0))
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        answer, fault = self.fake._answer(Request(self.command, split.path, query, headers, body))
        if answer is None:
            self._reset()
        else:
            self._send(answer, fault)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _serve

    def _send(self, answer: Answer, fault: str) -> None:
        content = answer.content
        headers: Mapping[str, str] = {"content-type": JSON, **answer.headers}
        try:
            self.send_response(answer.status)
            for name, value in headers.items():
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("content-length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content[: len(content) // 2] if fault == "truncate" else content)
        except OSError:  # the other side stopped waiting
            self.close_connection = True
        if fault == "truncate":
            self.close_connection = True

    def _reset(self) -> None:
        self.close_connection = True
        # Zero linger makes close() send a reset instead of an orderly end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed by _reset
            super().finish()

    def log_message(self, *_: object) -> None:
        """Keep the test output clean."""


@cache
def tiny_clip() -> bytes:
    """A valid MP4 of 12 frames, 64 x 48, 24 fps, H.264, silent."""
    import av
    import numpy as np

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(12):
            pixels = np.full((48, 64, 3), number * 20, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def all() -> dict[str, type[Fake]]:
    """The fakes by provider id: those of this folder, and a replay of every other provider that
    has recorded exchanges and is reached over HTTP."""
    from ._replay import recorded_ids, replay

    found: dict[str, type[Fake]] = {
        provider_id: replay(provider_id)
        for provider_id in recorded_ids()
        if urlsplit(_provider_class(provider_id).default_base_url or "https:").scheme == "https"
    }
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for item in vars(module).values():
            # Python 3.10 takes an alias like dict[str, Any] for an instance of type.
            if type(item) is type and issubclass(item, Fake) and "provider" in vars(item):
                found[item.provider] = item
    return found


def in_every_dialect() -> dict[str, type[Fake]]:
    """Those of `all`, and of gateways that speak another dialect than the default, by names like
    `gateway-ark`."""
    from . import gateway

    others = list(gateway.BY_DIALECT.items())[1:]
    return {**all(), **{f"gateway-{dialect}": kind for dialect, kind in others}}


def _provider_class(provider_id: str) -> Any:
    from seedance.providers import get

    return get(provider_id)
