"""Fake gateways, one for each dialect: new-api before Ark, a clone of Ark, and a queue like fal's.

`FakeGateway` is new-api: QuantumNous/new-api, router/video-router.go, dto/openai_video.go and the
adaptor relay/channel/task/doubao. It takes what reaches Ark and refuses what would get lost on the
way, where new-api itself says nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, ClassVar

from . import Answer, Fake, Request, Task, _ark, ranged
from ._ark import FakeArk
from ._fields import Check, boolean, integer, one_of, text
from .fal import INITIATE, FakeFal, detail

VIDEOS, GENERATIONS = "/v1/videos", "/v1/video/generations"
UPSTREAM = "doubao"

FIELDS: dict[str, Check] = {
    "model": text(),
    "prompt": text(),
    "seconds": lambda value: isinstance(value, str) and value.isdecimal(),
    "duration": integer(1, 60),
    "metadata": lambda value: isinstance(value, dict),
}
# `requestPayload` of the adaptor, without what the gateway itself sets.
METADATA: dict[str, Check] = {
    "content": lambda value: isinstance(value, list) and bool(value),
    "return_last_frame": boolean,
    "service_tier": one_of("default"),
    "execution_expires_after": integer(3600, 259_200),
    "generate_audio": boolean,
    "tools": lambda value: value == [{"type": "web_search"}],
    "safety_identifier": text(64),
    "priority": integer(0, 9),
    "resolution": text(),
    "ratio": text(),
    "duration": integer(-1, -1),  # any other is replaced by `seconds`
    "seed": integer(-1, 2**32 - 1),
    "camera_fixed": boolean,
    "watermark": boolean,
}


class _OfGateway:
    """What the fakes of all dialects have: they are of one provider, which needs more settings."""

    provider: ClassVar[str] = "gateway"
    upload_url = None
    dialect: ClassVar[str]
    models: ClassVar[dict[str, str]]

    def environment(self) -> dict[str, str]:
        """The variables that point the pack at this gateway."""
        return {
            **super().environment(),  # type: ignore[misc]
            "SEEDANCE_GATEWAY_DIALECT": self.dialect,
            "SEEDANCE_GATEWAY_MODELS": json.dumps(self.models),
        }


def _ids(prefix: str) -> dict[str, str]:
    return {
        "seedance-2.0": f"{prefix}-seedance-2-0-260128",
        "seedance-2.0-fast": f"{prefix}-seedance-2-0-fast-260128",
        "seedance-2.0-mini": f"{prefix}-seedance-2-0-mini-260615",
        "seedance-2.5": f"{prefix}-seedance-2-5-260628",
    }


# ------------------------------------------------------------------------------------------- openai


class FakeGateway(_OfGateway, Fake):
    """New-api. `fail_with`: the `error` of a failed video, `{"code", "message"}`.

    `create_at`, `poll_at`: the routes that there are, of `VIDEOS` and `GENERATIONS`. `result`: what
    the object of a finished video has beside its usual fields, made of the video's address; without
    any the video is to be had from /content only. `endless`: the task behind it has expired, which
    new-api calls "in progress" for ever.
    """

    provider = "gateway"
    dialect = "openai"
    models = _ids(UPSTREAM)
    create_at: tuple[str, ...] = (VIDEOS, GENERATIONS)
    poll_at: tuple[str, ...] = (VIDEOS, GENERATIONS)
    endless = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.result: Callable[[str], dict[str, Any]] = lambda url: {"metadata": {"url": url}}

    def handle(self, request: Request) -> Answer:
        created = request.method == "POST" and request.path in self.create_at
        asked = re.fullmatch(rf"({'|'.join(self.poll_at)})/([^/]+)", request.path)
        content = re.fullmatch(rf"{VIDEOS}/([^/]+)/content", request.path)
        if not (created or (request.method == "GET" and (asked or content))):
            what = f"Invalid URL ({request.method} {request.path})"
            return openai_error(404, what, "invalid_request_error")
        if not self.authorized(request):
            return openai_error(401, "Invalid token (request id: 20261128093000)", "new_api_error")
        if created:
            return self._create(request.json)
        if content:
            return self._content(request, self.tasks.get(content[1]))
        assert asked
        if asked[2] not in self.tasks:
            return _refusal(400, "task_not_exist", "task_not_exist")
        task = self.tasks[asked[2]]
        self.done(task)
        return Answer(json=self._video(task) if asked[1] == VIDEOS else self._task(task))

    # -- creates

    def _create(self, body: Any) -> Answer:
        if not isinstance(body, dict):
            return _refusal(400, "invalid_request", "the body must be a JSON object")
        if not text()(body.get("prompt")):
            return _refusal(400, "invalid_request", "prompt is required")
        if body.get("model") not in self.models.values():
            what = f"No available channel for model {body.get('model')} under group default"
            return openai_error(503, what, "new_api_error")
        if "seconds" in body and "duration" in body:
            return _refusal(400, "invalid_request", "seconds and duration exclude each other")
        metadata = body.get("metadata", {})
        for fields, checks in ((body, FIELDS), (metadata, METADATA)):
            for name, value in fields.items():
                if name not in checks or not checks[name](value):
                    return _refusal(400, "lost", f"{name}: {value!r} would get lost")
        if refused := self._upstream(body, metadata):
            said = refused.json["error"]["message"]
            return _refusal(400, "fail_to_fetch_task", said)
        task = self.accept(body, "task_{n:04d}")
        return Answer(json=self._object(task, "queued", 0))

    def _upstream(self, body: dict[str, Any], metadata: dict[str, Any]) -> Answer | None:
        """What Ark says of the create that the gateway makes of this one."""
        content = metadata.get("content", [])
        if any(item.get("type") == "text" for item in content):
            return _ark.error(400, "lost", "texts of metadata.content are dropped")
        seconds = body.get("duration") or body.get("seconds")
        sent = {
            **metadata,
            "model": body["model"],
            "content": [*content, {"type": "text", "text": body["prompt"]}],
            **({"duration": int(seconds)} if seconds else {}),
        }
        model = sent["model"].removeprefix(f"{UPSTREAM}-")
        return _ark._wrong_fields(sent, model) or _ark._wrong_content(sent, model)

    # -- tasks

    def _word(self, task: Task) -> str:
        if task.polls <= self.polls_until_done:
            return "queued" if task.polls <= 1 else "in_progress"
        if self.endless:
            return "in_progress"
        return "failed" if self.fail_with else "completed"

    def _video(self, task: Task) -> dict[str, Any]:
        word = self._word(task)
        progress = {"queued": 10, "in_progress": 30 if self.endless else 50}.get(word, 100)
        shown = self._object(task, word, progress)
        if word == "failed":
            shown["error"] = self.fail_with
        if word == "completed":
            shown |= {"completed_at": 1_790_000_090, **self.result(self.result_url)}
        return shown

    def _task(self, task: Task) -> dict[str, Any]:
        """The same in the form of the other route."""
        word = self._word(task)
        words = {"queued": "SUBMITTED", "completed": "SUCCESS", "failed": "FAILURE"}
        data = {
            "task_id": task.id,
            "action": "generate",
            "status": words.get(word, word.upper()),
            "progress": {"queued": "10%", "in_progress": "50%"}.get(word, "100%"),
            "fail_reason": self.fail_with["message"] if word == "failed" else "",
        }
        if word == "completed":
            data |= self.result(self.result_url)
        return {"code": "success", "message": "", "data": data}

    def _object(self, task: Task, word: str, progress: int) -> dict[str, Any]:
        return {
            "id": task.id,
            "task_id": task.id,
            "object": "video",
            "model": task.body["model"],
            "status": word,
            "progress": progress,
            "created_at": 1_790_000_000,
        }

    def _content(self, request: Request, task: Task | None) -> Answer:
        if task is None:
            return openai_error(404, "Task not found", "invalid_request_error")
        if self._word(task) != "completed":
            return openai_error(400, "Task is not completed yet", "invalid_request_error")
        return ranged(request, self.clip, "video/mp4")


def openai_error(status: int, message: str, kind: str) -> Answer:
    """An error in OpenAI's form."""
    error = {"message": message, "type": kind, "param": "", "code": ""}
    return Answer(status, json={"error": error})


def _refusal(status: int, code: str, message: str) -> Answer:
    """A refusal of new-api's task routes."""
    return Answer(status, json={"code": code, "message": message, "data": None})


# ---------------------------------------------------------------------------------------------- ark


class FakeArkClone(_OfGateway, FakeArk):
    """A clone of Ark under a path of its own.

    `has_list`: whether it serves the list of tasks, which no clone promises. `wrapped`: whether it
    puts its answers into `data`.
    """

    prefix = UPSTREAM
    region = ""
    dialect = "ark"
    models = _ids(UPSTREAM)
    has_list = True
    wrapped = False

    @property
    def base_url(self) -> str:
        """What to configure as the base URL."""
        return f"{self.url}/seedance/api/v3"

    def handle(self, request: Request) -> Answer:
        inner = request.path.removeprefix("/seedance")
        if request.path != _ark.LAST_FRAME and inner == request.path:
            return Answer(404, body=b"<html>no such page</html>", headers={"content-type": HTML})
        if not self.has_list and (request.method, inner) == ("GET", _ark.TASKS):
            return _ark.error(404, "NotFound", "There is no such route.")
        if request.method == "DELETE":
            return _ark.error(405, "MethodNotAllowed", "Tasks cannot be cancelled.")
        inside = Request(request.method, inner, request.query, request.headers, request.body)
        answer = super().handle(inside)
        if self.wrapped and answer.status == 200 and answer.json:
            answer.json = {"code": 0, "message": "ok", "data": answer.json}
        return answer


HTML = "text/html"


# ---------------------------------------------------------------------------------------------- fal


class FakeFalGateway(_OfGateway, FakeFal):
    """A queue like fal's, under a path of its own and without storage.

    `upstream_addresses`: it hands on the addresses of the queue behind it, which do not know its
    keys.
    """

    dialect = "fal"
    models: ClassVar[dict[str, str]] = {
        "seedance-2.0": "bytedance/seedance-2.0/{mode}",
        "seedance-2.0-fast": "bytedance/seedance-2.0/fast/{mode}",
        "seedance-2.0-mini": "bytedance/seedance-2.0/mini/{mode}",
        "seedance-2.5": "bytedance/seedance-2.5/{mode}",
        "seedance-2.5-flash": "bytedance/seedance-2.5/flash/{mode}",
    }
    upstream_addresses = False

    @property
    def base_url(self) -> str:
        """What to configure as the base URL."""
        return f"{self.url}/fal"

    def handle(self, request: Request) -> Answer:
        inner = request.path.removeprefix("/fal")
        if inner in (request.path, INITIATE):
            return detail(404, "Not Found")
        inside = Request(request.method, inner, request.query, request.headers, request.body)
        return super().handle(inside)

    def _addresses(self, task: Task) -> dict[str, str]:
        mine = super()._addresses(task)
        base = "https://queue.fal.run" if self.upstream_addresses else self.base_url
        return {name: value.replace(self.url, base) for name, value in mine.items()}


BY_DIALECT: dict[str, type[Fake]] = {
    kind.dialect: kind for kind in (FakeGateway, FakeArkClone, FakeFalGateway)
}
