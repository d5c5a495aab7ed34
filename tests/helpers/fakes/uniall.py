"""A fake UniAll: seed 001 for what is sent. The answers it does not show are those of the relay
software with these routes: `native` switches from the OpenAI-like shape to that software's own.
"""

from __future__ import annotations

import re
from typing import Any

from . import Answer, Fake, Request, Task
from ._fields import address, boolean, integer, list_of, one_of, picture, text, wrong

MODELS = (
    *(f"seedance2.0-{resolution}" for resolution in ("480p", "720p", "1080p", "4k")),
    *(f"seedance2.0-{tier}-{tall}" for tier in ("fast", "mini") for tall in ("480p", "720p")),
)
LAST_FRAME_PATH = "/results/last.png"


def _switch(value: Any) -> bool:
    """boolean/string, as the document says of some fields."""
    return boolean(value) or value in ("true", "false")


def _duration(value: Any) -> bool:
    """integer/string, 5 to 15."""
    return integer(5, 15)(value) or value in [str(seconds) for seconds in range(5, 16)]


EXTRA_BODY = {
    "generate_audio": boolean,
    "seed": integer(0, 2**32 - 1),
    "watermark": _switch,
    "camera_fixed": _switch,
    "return_last_frame": _switch,
    "operation": one_of("reference_to_video", "edit_video", "extend_video", "first_last_frame"),
}
FIELDS = {
    "model": text(),
    "prompt": text(),
    "duration": _duration,
    "aspect_ratio": one_of("9:16", "1:1", "16:9"),
    "image": picture,
    "last_image": picture,
    "images": list_of(picture, 9),
    "videos": list_of(address, 3),
    "audios": list_of(address),
    "extra_body": lambda value: not wrong(value, EXTRA_BODY, ()),
}


class FakeUniAll(Fake):
    """`create_path`: the one create route that exists. `native`: the answers' shape. `last_frame`:
    a PNG to be given with the video. `fail_with`: the reason of a failed task, a text."""

    provider = "uniall"
    create_path = "/v1/video/generations"
    native = False
    last_frame: bytes | None = None

    def handle(self, request: Request) -> Answer:
        if request.path == LAST_FRAME_PATH and self.last_frame:
            return Answer(body=self.last_frame, headers={"content-type": "image/png"})
        if not self.authorized(request):
            return error(401, "Invalid token")
        if (request.method, request.path) == ("POST", self.create_path):
            return self._create(request.json)
        one = re.fullmatch(r"/v1/videos/([^/]+)", request.path)
        if one and request.method == "GET":
            task = self.tasks.get(one[1])
            return self._show(task) if task else error(400, "task not exist", "task_not_exist")
        return error(404, f"Invalid URL ({request.method} {request.path})")

    def _create(self, body: Any) -> Answer:
        if reason := wrong(body, FIELDS, ("model", "prompt", "duration")):
            return error(400, reason)
        if body["model"] not in MODELS:
            return error(404, f"The model {body['model']} does not exist", "model_not_found")
        if "last_image" in body and "image" not in body:
            return error(400, "last_image needs image")
        task = self.accept(body, "task_{n:04d}")
        if self.native:
            return Answer(json={"code": "success", "message": "", "data": task.id})
        return Answer(json=self._job(task, "queued", 0))

    def _job(self, task: Task, status: str, progress: int) -> dict[str, Any]:
        return {
            "id": task.id,
            "task_id": task.id,
            "object": "video.generation.job",
            "model": task.body["model"],
            "status": status,
            "progress": progress,
        }

    def _show(self, task: Task) -> Answer:
        done = self.done(task)
        if self.native:
            return Answer(json={"code": "success", "message": "", "data": self._native(task, done)})
        if not done:
            return Answer(json=self._job(task, "in_progress", 40))
        if self.fail_with:
            reason = {"message": self.fail_with, "code": "upstream_error"}
            return Answer(json={**self._job(task, "failed", 100), "error": reason})
        result = {"video_url": self.result_url, **self._last_frame()}
        return Answer(json={**self._job(task, "completed", 100), "error": None, **result})

    def _native(self, task: Task, done: bool) -> dict[str, Any]:
        if not done:
            return {"task_id": task.id, "status": "IN_PROGRESS", "progress": "40%"}
        if self.fail_with:
            ended: dict[str, Any] = {"status": "FAILURE", "fail_reason": self.fail_with}
        else:
            content = {"video_url": self.result_url, **self._last_frame()}
            ended = {"status": "SUCCESS", "fail_reason": "", "data": {"content": content}}
        return {"task_id": task.id, "progress": "100%", **ended}

    def _last_frame(self) -> dict[str, str]:
        return {"last_frame_url": self.url + LAST_FRAME_PATH} if self.last_frame else {}


def error(status: int, message: str, code: str = "") -> Answer:
    """An error in the shape of OpenAI-like relays."""
    kind = "invalid_request_error"
    return Answer(
        status, json={"error": {"message": message, "type": kind, "param": "", "code": code}}
    )
