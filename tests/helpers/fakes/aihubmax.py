"""A fake AIHubMax: seed 004 for image to video, its OpenAPI (as restated in cookaihq/aihub-mcp) for
the other modes, tasks, errors and uploads."""

from __future__ import annotations

import re
from typing import Any

from . import Answer, Fake, Request, Task
from ._fields import Check, address, boolean, integer, list_of, one_of, text, wrong

CREATED = 1_790_000_000
CREATE = "/v1/videos/generations"
UPLOAD = "/v1/files/upload/stream"

COMMON: dict[str, Check] = {
    "model": text(),
    "prompt": text(5000),
    "resolution": one_of("480p", "720p"),
    "aspect_ratio": one_of("16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive"),
    "duration": integer(4, 15, -1),
    "generate_audio": boolean,
    "seed": integer(-1, 2**32 - 1),
}
FRAMES: dict[str, Check] = {"image_url": address, "end_image_url": address}
REFERENCES: dict[str, Check] = {
    "image_urls": list_of(address, 9),
    "video_urls": list_of(address, 3),
    "audio_urls": list_of(address, 3),
}
# By the end of the model's name: the fields it has, and those it needs.
MODES: dict[str, tuple[dict[str, Check], tuple[str, ...]]] = {
    "text-to-video": (COMMON, ("prompt",)),
    "image-to-video": ({**COMMON, **FRAMES}, ("prompt", "image_url")),
    "reference-to-video": ({**COMMON, **REFERENCES}, ("prompt",)),
}


class FakeAIHubMax(Fake):
    """`credits`: what the account has; a create holds `price` of them. `empty_first`: the first
    answer "completed" has no results yet. `fail_with`: the `message` of a failed task's error."""

    provider = "aihubmax"
    credits = 1000.0
    price = 30.0
    empty_first = True

    def handle(self, request: Request) -> Answer:
        if not self.authorized(request):
            return error(401, "authentication_error", "Invalid API key")
        route = (request.method, request.path)
        if route == ("POST", CREATE):
            return self._create(request.json)
        if route == ("POST", UPLOAD):
            return self._upload(request)
        if route == ("GET", "/v1/account/credits"):
            return Answer(json={"credits": self.credits})
        one = re.fullmatch(r"/v1/tasks/([^/]+)", request.path)
        task = self.tasks.get(one[1]) if one else None
        if request.method == "GET" and task:
            return self._show(task)
        return error(404, "not_found", f"There is no {request.method} {request.path}")

    def _create(self, body: Any) -> Answer:
        model = body.get("model") if isinstance(body, dict) else None
        found = re.fullmatch(r"seedance-2\.0(?:-fast)?-(\w+-to-video)", str(model))
        if not found or found[1] not in MODES:
            return error(422, "model_not_found", f"There is no model {model}", "validation_error")
        if reason := wrong(body, *MODES[found[1]]):
            return error(422, "validation_error", reason)
        if found[1] == "reference-to-video" and (reason := _wrong_references(body)):
            return error(422, "validation_error", reason)
        if self.credits < self.price:
            return error(402, "insufficient_quota", "Not enough credits")
        self.credits -= self.price
        task = self.accept(body, "task-unified-1757165031-{n:08d}")
        return Answer(json=self._task(task, "pending", 0))

    def _task(self, task: Task, status: str, progress: int) -> dict[str, Any]:
        return {
            "id": task.id,
            "object": "video.generation.task",
            "type": "video",
            "model": task.body["model"],
            "created": CREATED,
            "status": status,
            "progress": progress,
            "task_info": {"can_cancel": True},
            "usage": {"credits_reserved": self.price, "user_group": "default"},
        }

    def _show(self, task: Task) -> Answer:
        answer: dict[str, Any] = {"results": None, "error": None}
        if not self.done(task):
            return Answer(json={**self._task(task, "processing", 50), **answer})
        if self.fail_with:
            reason = {"code": "server_error", "message": self.fail_with, "type": "server_error"}
            return Answer(json={**self._task(task, "failed", 100), **answer, "error": reason})
        ready = not self.empty_first or task.polls > self.polls_until_done + 1
        results = [{"url": self.result_url, "content_type": "video/mp4"}] if ready else []
        return Answer(json={**self._task(task, "completed", 100), **answer, "results": results})

    def _upload(self, request: Request) -> Answer:
        if not request.headers.get("user-agent", "").startswith("Mozilla/"):
            page = b"<!DOCTYPE html><html><body>Access denied</body></html>"
            return Answer(403, body=page, headers={"content-type": "text/html"})
        parts = {name: (file_name, content) for name, file_name, content in request.form}
        if not {"file", "file_name"} <= parts.keys() <= {"file", "file_name", "auto_cleanup"}:
            return error(422, "validation_error", "the form has file and file_name")
        if not parts["file"][0] or not parts["file"][1]:
            return error(422, "invalid_file_type", "the file is empty", "validation_error")
        name = parts["file_name"][1].decode()
        number = len(self.sent("POST", UPLOAD))
        return Answer(
            json={
                "id": f"file-{number}",
                "filename": name,
                "url": f"https://files.aihubmax.example/{number}/{name}",
                "size": len(parts["file"][1]),
                "created": 4_070_908_800,  # 2099: an upload that is still kept
            }
        )


def _wrong_references(body: dict[str, Any]) -> str:
    counts = {name: len(body.get(name, [])) for name in REFERENCES}
    if sum(counts.values()) > 12:
        return "at most 12 references"
    if not counts["image_urls"] + counts["video_urls"]:
        return "audio_urls need an image or a video" if counts["audio_urls"] else "no reference"
    return ""


def error(status: int, code: str, message: str, kind: str = "") -> Answer:
    """An error in AIHubMax's shape; most have the same word as type and code."""
    return Answer(status, json={"error": {"message": message, "type": kind or code, "code": code}})
