"""The service behind `preview://local`: a requests adapter that answers inside the process.

Tasks and files are kept under `home`/preview and outlive a restart. Each task has a thread.

    POST   /files         a body of any kind   -> {url, expires_at}
    POST   /tasks         JSON                 -> {id, status}
    GET    /tasks/<id>                         -> {id, status, progress, video_url, seed, error}
    DELETE /tasks/<id>                         -> {id, status}
    GET    /files/<name>  whole or by Range    -> bytes
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.client import responses as reasons
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from .. import forks
from ..errors import SeedanceError
from ..files import replacing, write_atomically
from ..providers.preview import KEPT_SECONDS
from ..texts import logger_of

logger = logger_of(__name__)

BASE = "preview://local"
AT_ONCE = 2  # tasks rendered at the same time
_TASK_ID = re.compile(r"[0-9a-f]{24}")
_FILE_NAME = re.compile(r"[0-9a-f]{24}\.[a-z0-9]{1,5}")
_EXTENSIONS = {"image": "img", "video": "mp4", "audio": "snd"}
_UNFINISHED = ("queued", "running")
_BLOCK = 1 << 20
_LARGEST_JSON = 1 << 20


class _Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class PreviewAdapter(BaseAdapter):
    """Answers `preview://local`. Adapters with the same home share their tasks."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self._service = _service(Path(home) / "preview")

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Answer one request; nothing leaves the process."""
        try:
            return self._route(request)
        except _Refusal as refusal:
            return _json(request, refusal.status, {"error": {"message": str(refusal)}})
        except OSError as error:
            return _json(request, 500, {"error": {"message": f"{error.strerror or error}"}})

    def close(self) -> None:
        """Nothing to close: tasks go on when a session is closed."""

    def _route(self, request: requests.PreparedRequest) -> requests.Response:
        path = urlsplit(request.url or "").path
        match (request.method or "").upper(), path.strip("/").split("/"):
            case "POST", ["files"]:
                return _json(request, 200, self._service.keep(request))
            case "POST", ["tasks"]:
                return _json(request, 200, self._service.create(_object(request)))
            case "GET", ["tasks", task_id]:
                return _json(request, 200, self._service.status(task_id))
            case "DELETE", ["tasks", task_id]:
                return _json(request, 200, self._service.cancel(task_id))
            case "GET", ["files", name]:
                return _file(request, self._service.file(name))
        raise _Refusal(404, f"There is nothing at {path[:80]!r}.")


# ------------------------------------------------------------------------------ tasks and files

_services: dict[Path, _Service] = {}
_services_lock = forks.Lock()
forks.in_child(_services.clear)  # their threads are the parent's


def _service(folder: Path) -> _Service:
    """The one service of this process for a folder."""
    with _services_lock:
        return _services.setdefault(folder.resolve(), _Service(folder.resolve()))


class _Service:
    """The tasks and files of one folder, and the threads that render them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._rendering: dict[str, _Rendering] = {}

    def keep(self, request: requests.PreparedRequest) -> dict[str, Any]:
        """Store an uploaded file under the digest of its bytes."""
        mime = request.headers.get("Content-Type", "")
        self._folder("files")
        part = self.folder / f"{secrets.token_hex(8)}.part"
        sha = hashlib.sha256()
        try:
            with part.open("xb") as file:
                for block in _blocks(request.body):
                    sha.update(block)
                    file.write(block)
            extension = _EXTENSIONS.get(mime.partition("/")[0], "bin")
            name = f"{sha.hexdigest()[:24]}.{extension}"
            os.replace(part, self.folder / "files" / name)
        finally:
            part.unlink(missing_ok=True)
        return {"url": f"{BASE}/files/{name}", "expires_at": time.time() + KEPT_SECONDS / 2}

    def create(self, order: dict[str, Any]) -> dict[str, Any]:
        """Save a task and start it. `draft_of` names a draft, whose order is made again in another
        resolution."""
        self._clean()
        if draft_id := order.get("draft_of"):
            draft = self._read(str(draft_id))["order"]
            if not draft.get("draft"):
                raise _Refusal(400, "The task is no draft.")
            order = {**draft, "draft": False, "resolution": order.get("resolution", "1080p")}
        task_id = secrets.token_hex(12)
        task = {"id": task_id, "status": "queued", "created": time.time(), "order": order}
        self._write(task)
        with self._lock:
            self._start(task)
        return {"id": task_id, "status": "queued"}

    def status(self, task_id: str) -> dict[str, Any]:
        """The state of a task. One that a restart interrupted is started again."""
        with self._lock:  # a rendering that ends between the two lines would be started again
            task = self._read(task_id)
            rendering = self._start(task) if task["status"] in _UNFINISHED else None
        answer = {"id": task_id, "status": task["status"], "seed": task["order"].get("seed")}
        if rendering:
            progress = rendering.progress
            return answer | {"status": "running" if progress else "queued", "progress": progress}
        if task["status"] == "succeeded":
            least = task["order"].get("seconds") or 0
            spent = time.time() - task["created"]
            if 0 <= spent < least:
                return answer | {"status": "running", "progress": spent / least}
            answer["video_url"] = f"{BASE}/files/{task_id}.mp4"
        return answer | {"error": task.get("error")}

    def cancel(self, task_id: str) -> dict[str, Any]:
        """Stop a task that has not finished."""
        with self._lock:
            task = self._read(task_id)
            if task["status"] in _UNFINISHED:
                task["status"] = "cancelled"
                self._write(task)
                if rendering := self._rendering.get(task_id):
                    rendering.cancelled.set()
        if task["status"] != "cancelled":
            raise _Refusal(409, "It has finished already.")
        return {"id": task_id, "status": "cancelled"}

    def file(self, name: str) -> Path:
        """A stored file. Raises _Refusal if there is none."""
        path = self.folder / "files" / name
        if not _FILE_NAME.fullmatch(name) or not path.is_file():
            raise _Refusal(404, "There is no such file.")
        return path

    def _start(self, task: dict[str, Any]) -> _Rendering:
        """The rendering of a task, started if this process has none. Call it with the lock."""
        rendering = self._rendering.get(task["id"])
        if rendering is None:
            rendering = self._rendering[task["id"]] = _Rendering()
            # A daemon: leaving the program does not wait for a free preview.
            threading.Thread(
                target=self._render,
                args=(task, rendering),
                name=f"seedance-preview-{task['id'][:6]}",
                daemon=True,
            ).start()
        return rendering

    def _render(self, task: dict[str, Any], rendering: _Rendering) -> None:
        from .render import Stopped, render
        from .scene import Scene

        try:
            target = self._folder("files") / f"{task['id']}.mp4"
            with self._slots, replacing(target) as part:
                render(Scene.read(task["order"], self._local), part, rendering.report)
            self._finish(task | {"status": "succeeded"})
        except Stopped:
            pass
        except Exception as error:
            if not isinstance(error, SeedanceError):
                logger.exception("The preview could not be rendered")
            message = error.message if isinstance(error, SeedanceError) else str(error)
            with suppress(OSError, _Refusal):  # the folder may be gone
                self._finish(task | {"status": "failed", "error": {"message": message}})
        finally:
            with self._lock:
                self._rendering.pop(task["id"], None)

    def _local(self, address: str) -> Path | None:
        """The stored file behind an address; None for one on the network, which is not fetched."""
        if not address.startswith(f"{BASE}/files/"):
            return None
        with suppress(_Refusal):
            return self.file(address.rpartition("/")[2])
        return None

    def _finish(self, task: dict[str, Any]) -> None:
        with self._lock:
            if self._read(task["id"])["status"] in _UNFINISHED:  # not cancelled meanwhile
                self._write(task)

    def _read(self, task_id: str) -> dict[str, Any]:
        path = self.folder / "tasks" / f"{task_id}.json"
        if not _TASK_ID.fullmatch(task_id) or not path.is_file():
            raise _Refusal(404, "There is no such task.")
        try:
            return dict(json.loads(path.read_text("utf-8")))
        except ValueError:
            raise _Refusal(404, "The task's file is damaged.") from None

    def _write(self, task: dict[str, Any]) -> None:
        write_atomically(self._folder("tasks") / f"{task['id']}.json", json.dumps(task))

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _clean(self) -> None:
        """Remove what is older than a week."""
        oldest = time.time() - KEPT_SECONDS
        for pattern in ("*.part", "tasks/*", "files/*"):
            for path in self.folder.glob(pattern):
                with suppress(OSError):
                    if path.stat().st_mtime < oldest:
                        path.unlink()


class _Rendering:
    """One task being rendered."""

    def __init__(self) -> None:
        self.progress = 0.0
        self.cancelled = threading.Event()

    def report(self, progress: float) -> bool:
        """Take note of the progress; False if the rendering should stop."""
        self.progress = progress
        return not self.cancelled.is_set()


# ----------------------------------------------------------------------------- bodies and answers


def _blocks(body: Any) -> Iterator[bytes]:
    """The blocks of a request's body, whichever form requests gave it."""
    if isinstance(body, str):
        body = body.encode()
    if isinstance(body, bytes):
        body = io.BytesIO(body)
    if body is None:
        return
    if not hasattr(body, "read"):
        yield from body
        return
    while block := body.read(_BLOCK):
        yield block


def _object(request: requests.PreparedRequest) -> dict[str, Any]:
    """The body as a JSON object."""
    body = b"".join(_blocks(request.body))
    if len(body) <= _LARGEST_JSON:
        with suppress(ValueError, RecursionError):
            value = json.loads(body)
            if isinstance(value, dict):
                return value
    raise _Refusal(400, "The body is not a JSON object.")


def _json(
    request: requests.PreparedRequest, status: int, value: Mapping[str, Any]
) -> requests.Response:
    data = json.dumps(value).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(data))}
    return _response(request, status, headers, io.BytesIO(data))


def _file(request: requests.PreparedRequest, path: Path) -> requests.Response:
    size = path.stat().st_size
    headers = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    if path.suffix == ".mp4":
        headers["Content-Type"] = "video/mp4"
    first, last, status = 0, size - 1, 200
    if wanted := re.fullmatch(r"bytes=(\d{1,18})-(\d{0,18})", request.headers.get("Range", "")):
        first, last, status = int(wanted[1]), min(int(wanted[2] or last), last), 206
        if first > last:
            headers["Content-Range"] = f"bytes */{size}"
            return _response(request, 416, headers, io.BytesIO())
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    headers["Content-Length"] = str(last - first + 1)
    return _response(request, status, headers, _Part(path, first, last - first + 1))


class _Part(io.RawIOBase):
    """`length` bytes of a file from `first` on, as something to read."""

    def __init__(self, path: Path, first: int, length: int) -> None:
        super().__init__()
        self._file: BinaryIO = path.open("rb")
        self._file.seek(first)
        self._left = length

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`; empty at the end."""
        block = self._file.read(self._left if size is None or size < 0 else min(size, self._left))
        self._left -= len(block)
        return block

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def _response(
    request: requests.PreparedRequest, status: int, headers: Mapping[str, str], raw: Any
) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.reason = reasons.get(status, "")
    response.headers = CaseInsensitiveDict(headers)
    response.raw = raw
    response.url = request.url or ""
    response.request = request
    return response
