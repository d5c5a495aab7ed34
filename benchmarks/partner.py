"""Providers at which the pack and others order the same: tasks of the same lengths, that give the
same clip.

`FakePartner` is a BytePlus that is reached at its own address, and through ComfyUI's proxy by its
partner nodes; `FakeFalHost` is a fal that also takes uploads as the package fal_client sends them.
They count what they are sent and what they send, and keep the first frames that they are given.
"""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import re
import time
from pathlib import Path
from typing import Any

from fakes import Answer, Fake, Request, Task, iso
from fakes.byteplus import FakeBytePlus
from fakes.fal import FakeFal

# Of the usual length of a task, one after the other: no way may be lucky with one length alone.
LENGTHS = (1.0, 0.9, 1.1, 0.95, 1.05)
TOLD = "/told"
_PROXIED = re.compile(r"/proxy/byteplus(?:-seedance2)?(/api/.*)")
_LIBRARY = "/proxy/seedance/virtual-library/assets"
_FILES = "https://v3.fal.example/files/"
_ASSET = re.compile(r"/proxy/seedance/assets/(asset-\d+)")


class Counting(Fake):
    """`seconds`: what a task takes, about. `folder`: where first frames are kept. `GET /told` gives
    what was counted since it was asked last, and is not counted itself: `requests`, the bytes `up`
    and `down`, `creates`, the files of the `pictures`, and of each task in seconds how long it took
    (`lengths`) and when it was first said to be over (`seen`)."""

    def __init__(self, clip: bytes, seconds: float, folder: Path) -> None:
        super().__init__(clip)
        self._seconds, self._folder = seconds, folder
        self._ends: dict[str, float] = {}
        self._unseen: set[str] = set()
        self._told = _nothing()
        self._kept = itertools.count(1)

    def first_frame(self, body: Any) -> str | None:
        """The address of the first frame of an order."""
        raise NotImplementedError

    def picture(self, address: str) -> bytes:
        """What was uploaded there."""
        raise NotImplementedError

    def done(self, task: Task) -> bool:
        """By the clock, however often it is asked for."""
        over = self.done_by_clock(task, time.monotonic() >= self._ends[task.id])
        if over and task.id in self._unseen:
            self._unseen.remove(task.id)
            self._told["seen"].append(time.time() - task.created)
        return over

    def accept(self, body: Any, form: str = "task-{n:04d}") -> Task:
        task = super().accept(body, form)
        length = self._seconds * LENGTHS[len(self._told["lengths"]) % len(LENGTHS)]
        self._ends[task.id] = time.monotonic() + length
        self._unseen.add(task.id)
        self._told["lengths"].append(length)
        self._told["creates"] += 1
        if address := self.first_frame(body):
            self._keep(address)
        return task

    def _keep(self, address: str) -> None:
        inline = address.startswith("data:")
        data = base64.b64decode(address.partition(",")[2]) if inline else self.picture(address)
        file = self._folder / f"first-frame-{self.provider}-{next(self._kept)}"
        file.write_bytes(data)
        self._told["pictures"].append(str(file))

    def _answer(self, request: Request) -> tuple[Answer | None, str]:
        if request.path == TOLD:
            with self._lock:
                told, self._told = self._told, _nothing()
            return Answer(body=json.dumps(told).encode()), ""
        answer, fault = super()._answer(request)
        with self._lock:
            self.requests.clear()  # they hold what was uploaded
            self._told["requests"] += 1
            self._told["up"] += len(request.body)
            self._told["down"] += len(answer.content) if answer else 0
        return answer, fault


class FakePartner(Counting, FakeBytePlus):
    """BytePlus, and ComfyUI's proxy to it."""

    def __init__(self, clip: bytes, seconds: float, folder: Path) -> None:
        super().__init__(clip, seconds, folder)
        self._stored: dict[str, bytes] = {}
        self._assets: dict[str, bytes] = {}

    def environment(self) -> dict[str, str]:
        """The variables that point the pack at it."""
        return {**super().environment(), "SEEDANCE_BYTEPLUS_BASE_URL": f"{self.url}/api/v3"}

    def first_frame(self, body: Any) -> str | None:
        found = [item for item in body["content"] if item.get("role") == "first_frame"]
        return str(found[0]["image_url"]["url"]) if found else None

    def picture(self, address: str) -> bytes:
        return self._assets[address]

    def handle(self, request: Request) -> Answer:
        if request.path.startswith("/stored/"):
            return self._storage(request)
        if request.path.startswith(("/proxy/", "/customers/")):
            if request.headers.get("x-api-key") != self.key:
                return Answer(401, json={"message": "Unauthorized"})
            return self._proxy(request)
        return super().handle(request)

    # ------------------------------------------------------------------------- ComfyUI's proxy

    def _proxy(self, request: Request) -> Answer:
        if (request.method, request.path) == ("POST", "/customers/storage"):
            place = f"{self.url}/stored/{len(self._stored) + 1}"
            self._stored[place] = b""
            return Answer(json={"upload_url": place, "download_url": place})
        if (request.method, request.path) == ("POST", _LIBRARY):
            name = f"asset-{len(self._assets) + 1}"
            self._assets[f"asset://{name}"] = self._stored[request.json["url"]]
            return Answer(json={"asset_id": name})
        if request.method == "GET" and (asset := _ASSET.fullmatch(request.path)):
            shown = {"id": asset[1], "asset_type": "Image", "group_id": "library"}
            return Answer(json={**shown, "status": "Active"})
        if behind := _PROXIED.fullmatch(request.path):
            headers = {**request.headers, "authorization": f"Bearer {self.key}"}
            return super().handle(dataclasses.replace(request, path=behind[1], headers=headers))
        return Answer(404, json={"message": "Not found"})

    def _storage(self, request: Request) -> Answer:
        place = self.url + request.path
        if request.method != "PUT" or place not in self._stored:
            return Answer(404)
        self._stored[place] = request.body
        return Answer(200)


class FakeFalHost(Counting, FakeFal):
    """fal, its storage and its CDN."""

    def first_frame(self, body: Any) -> str | None:
        address: str | None = body.get("image_url")
        return address

    def picture(self, address: str) -> bytes:
        return self.stored[address.replace(_FILES, "/stored/")]

    def handle(self, request: Request) -> Answer:
        """fal_client asks for a token, and sends the whole file with it."""
        if (request.method, request.path) == ("POST", "/storage/auth/token"):
            token = {"token": "token", "token_type": "Bearer", "base_url": self.url}
            return Answer(json={**token, "expires_at": iso(time.time() + 3600)})
        if (request.method, request.path) == ("POST", "/files/upload"):
            if request.headers.get("authorization") != "Bearer token":
                return Answer(401, json={"detail": "Unauthorized"})
            place = f"{len(self.stored) + 1}/{request.headers['x-fal-file-name']}"
            self.stored[f"/stored/{place}"] = request.body
            return Answer(json={"access_url": _FILES + place})
        return super().handle(request)


def _nothing() -> dict[str, Any]:
    counted = {"requests": 0, "up": 0, "down": 0, "creates": 0}
    return {**counted, "lengths": [], "seen": [], "pictures": []}
