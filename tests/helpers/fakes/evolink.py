"""A fake EvoLink: docs.evolink.ai and Evolink-AI/seedance-2-family-video-gen-skill."""

from __future__ import annotations

import re
from typing import Any

from . import Answer, Fake, Request, Task
from ._fields import Check, address, boolean, integer, list_of, one_of, text, wrong

CREATE = "/v1/videos/generations"
UPLOAD = "/api/v1/files/upload/stream"
CREATED = 1_790_000_000

COMMON: dict[str, Check] = {
    "model": text(),
    "prompt": text(),
    "duration": integer(4, 15),
    "aspect_ratio": one_of("16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "adaptive"),
    "generate_audio": boolean,
    "callback_url": lambda value: isinstance(value, str) and value.startswith("https://"),
}
# By the end of the model's name: its own fields, and those it needs.
MODES: dict[str, tuple[dict[str, Check], tuple[str, ...]]] = {
    "text-to-video": (
        {"model_params": lambda value: value in ({"web_search": True}, {"web_search": False})},
        ("model", "prompt"),
    ),
    "image-to-video": ({"image_urls": list_of(address, 2)}, ("model", "prompt", "image_urls")),
    "reference-to-video": (
        {
            "image_urls": list_of(address, 9),
            "video_urls": list_of(address, 3),
            "audio_urls": list_of(address, 3),
        },
        ("model", "prompt"),
    ),
}


class FakeEvoLink(Fake):
    """`credits`: what the account has; a create holds `price` of them. `fail_with`: the `error`
    object of a failed task, `{"code", "message"}`."""

    provider = "evolink"
    credits = 1000.0
    price = 50

    @property
    def upload_url(self) -> str:  # type: ignore[override]
        """The files host is the same server."""
        return self.url

    def handle(self, request: Request) -> Answer:
        if not self.authorized(request):
            return error(401, "unauthorized", "Invalid API key")
        route = (request.method, request.path)
        if route == ("POST", CREATE):
            return self._create(request.json)
        if route == ("POST", UPLOAD):
            return self._upload(request)
        if route == ("GET", "/v1/credits"):
            user = {"remaining_credits": self.credits, "used_credits": 0.0}
            return Answer(json={"data": {"user": user}, "message": "", "success": True})
        one = re.fullmatch(r"/v1/tasks/([^/]+)", request.path)
        if request.method != "GET" or not one:
            return error(404, "not_found", f"There is no {request.method} {request.path}")
        task = self.tasks.get(one[1])
        return self._show(task) if task else error(400, "invalid_task_id", "Invalid task id")

    def _create(self, body: Any) -> Answer:
        model = str(body.get("model")) if isinstance(body, dict) else ""
        found = re.fullmatch(r"seedance-2\.0(-fast|-mini)?-(\w+-to-video)", model)
        if not found or found[2] not in MODES:
            return error(404, "model_not_found", f"There is no model {model}")
        qualities = ("480p", "720p") if found[1] else ("480p", "720p", "1080p")
        own, required = MODES[found[2]]
        if reason := wrong(body, {**COMMON, "quality": one_of(*qualities), **own}, required):
            return error(400, "invalid_request", reason)
        if found[2] == "reference-to-video" and not body.keys() & {"image_urls", "video_urls"}:
            return error(400, "invalid_request", "at least one image or video is needed")
        if self.credits < self.price:
            return error(402, "insufficient_quota", "Insufficient balance")
        self.credits -= self.price
        task = self.accept(body, "task-unified-1774857405-{n:08d}")
        return Answer(json=self._task(task, "pending", 0))

    def _task(self, task: Task, status: str, progress: int) -> dict[str, Any]:
        return {
            "id": task.id,
            "object": "video.generation.task",
            "created": CREATED,
            "model": task.body["model"],
            "status": status,
            "progress": progress,
            "type": "video",
            "task_info": {"can_cancel": True, "estimated_time": 165},
            "usage": {
                "billing_rule": "per_second",
                "credits_reserved": self.price,
                "user_group": "default",
            },
        }

    def _show(self, task: Task) -> Answer:
        if not self.done(task):
            return Answer(json=self._task(task, "processing", 50))
        if self.fail_with:
            return Answer(json={**self._task(task, "failed", 100), "error": self.fail_with})
        return Answer(json={**self._task(task, "completed", 100), "results": [self.result_url]})

    def _upload(self, request: Request) -> Answer:
        parts = {name: (file_name, content) for name, file_name, content in request.form}
        if not {"file"} <= parts.keys() <= {"file", "upload_path", "file_name"}:
            return error(400, "invalid_request", "the form has file, upload_path and file_name")
        name, content = parts["file"]
        if not name or not content:
            return error(400, "invalid_request", "the file is empty")
        number = len(self.sent("POST", UPLOAD))
        return Answer(
            json={
                "success": True,
                "code": 200,
                "msg": "File uploaded successfully",
                "data": {
                    "file_id": f"file_{number}",
                    "file_url": f"https://files.evolink.example/{number}/{name}",
                    "download_url": f"https://files.evolink.example/download/{number}",
                    "file_size": len(content),
                    "expires_at": "2099-01-01T00:00:00Z",
                },
            }
        )


def error(status: int, code: str, message: str) -> Answer:
    """An error in EvoLink's shape."""
    kind = "authentication_error" if status == 401 else "invalid_request_error"
    return Answer(status, json={"error": {"code": code, "message": message, "type": kind}})
