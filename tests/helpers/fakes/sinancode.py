"""A fake SinanCode: seed 002 for creates, docs.sinancode.com for tasks and uploads. The shape of
HTTP errors is published nowhere; it is the one that its clients read."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from . import Answer, Fake, Request, Task
from ._fields import address, boolean, integer, list_of, one_of, text, wrong

CREATE = "/v1/generate/vol/seedance-2.0"
UPLOAD = "/api/upload/file"
EXPIRES_AT = "2099-01-01T00:00:00Z"

FIELDS = {
    "model": one_of("fast", "standard"),
    "prompt": text(2000),
    "duration": integer(4, 15, -1),
    "first_frame": address,
    "last_frame": address,
    "reference_images": list_of(address, 9),
    "generate_audio": boolean,
    "ratio": one_of("16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive"),
    "resolution": one_of("480p", "720p"),
    "watermark": boolean,
}


class FakeSinanCode(Fake):
    """`plain_results`: results as texts (older page) instead of objects (newer). `fail_with`: the
    `error_msg` of a failed task."""

    provider = "sinancode"
    plain_results = False

    @property
    def upload_url(self) -> str:  # type: ignore[override]
        """The file host, here the same server."""
        return self.url

    def handle(self, request: Request) -> Answer:
        if not self.authorized(request):
            return error(401, "unauthorized", "The API token is invalid.")
        route = (request.method, request.path)
        if route == ("POST", CREATE):
            return self._create(request.json)
        if route == ("POST", UPLOAD):
            return self._upload(request)
        one = re.fullmatch(r"/v1/tasks/([^/]+)", request.path)
        task = self.tasks.get(one[1]) if one else None
        if request.method == "GET" and task:
            return Answer(json=self._show(task))
        return error(404, "not_found", f"There is no {request.method} {request.path}.")

    def _create(self, body: Any) -> Answer:
        if reason := wrong(body, FIELDS, ()):
            return error(400, "invalid_parameter", reason)
        frames = body.keys() & {"first_frame", "last_frame"}
        if "reference_images" in body and frames:
            return error(400, "invalid_parameter", "reference images exclude frames")
        if "last_frame" in body and "first_frame" not in body:
            return error(400, "invalid_parameter", "last_frame needs first_frame")
        if "prompt" not in body and "reference_images" not in body:
            return error(400, "invalid_parameter", "prompt is required")
        task = self.accept(body, "01234567-89ab-cdef-0123-{n:012x}")
        return Answer(json={"task_id": task.id})

    def _show(self, task: Task) -> dict[str, Any]:
        answer = {"id": task.id, "error_code": None, "error_msg": None, "result": None}
        if not self.done(task):
            return {**answer, "status": "pending" if task.polls == 1 else "processing"}
        if self.fail_with:
            reason = {"error_code": "upstream_error", "error_msg": self.fail_with}
            return {**answer, "status": "failed", **reason}
        url = self.result_url
        result = [url] if self.plain_results else [{"type": "video", "url": url}]
        return {**answer, "status": "completed", "result": result}

    def _upload(self, request: Request) -> Answer:
        form = request.form
        if len(form) != 1 or form[0][0] != "file" or not form[0][1]:
            return error(400, "invalid_parameter", "the form has one part, file")
        content = form[0][2]
        if not 0 < len(content) <= 50 * 2**20:
            return error(413, "file_too_large", "at most 50 MB")
        digest = hashlib.md5(content).hexdigest()
        name = f"{digest}.{form[0][1].rpartition('.')[2]}"
        return Answer(
            json={
                "url": f"https://upload-tmp.sinancode.example/{name}",
                "cn_url": f"https://upload-tmp-cn.sinancode.example/{name}",
                "key": name,
                "md5": digest,
                "size": len(content),
                "expires_at": EXPIRES_AT,
            }
        )


def error(status: int, code: str, message: str) -> Answer:
    """An HTTP error as clients read it."""
    return Answer(status, json={"error_code": code, "message": message})
