"""A fake Replicate: the schemas of bytedance/seedance-2.0 and -2.5, and the routes of
replicate-python."""

from __future__ import annotations

import re
from typing import Any

from . import Answer, Fake, Request, Task, iso, seconds_of
from ._fields import Check, boolean, integer, list_of, one_of, picture, text, wrong

INPUTS: dict[str, Check] = {
    "prompt": text(2000),
    "image": picture,
    "last_frame_image": picture,
    "reference_images": list_of(picture, 9),
    "reference_videos": list_of(picture, 3),
    "reference_audios": list_of(picture, 3),
    "duration": integer(-1, 15),
    "resolution": one_of("480p", "720p"),
    "aspect_ratio": one_of("16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive"),
    "generate_audio": boolean,
    "seed": integer(0, 2**32 - 1),
}
INPUTS_25: dict[str, Check] = {
    **INPUTS,
    "reference_images": list_of(picture, 30),
    "reference_videos": list_of(picture, 10),
    "reference_audios": list_of(picture, 10),
    "duration": integer(4, 30, -1),
    "resolution": one_of("480p", "720p", "1080p"),
    "aspect_ratio": one_of("16:9", "4:3", "1:1", "3:4", "9:16", "adaptive"),
    "watermark": boolean,
    "output_format": one_of("mp4"),
}
REFERENCES = {"reference_images", "reference_videos", "reference_audios"}


class FakeReplicate(Fake):
    """`fail_with`: the `error` text of a failed prediction. `output_is_list`: the other shape that
    an output may have."""

    provider = "replicate"
    output_is_list = False
    page_size = 100

    @staticmethod
    def failure(message: str, code: str) -> Any:
        """A failed prediction has one text and no code."""
        return message

    def handle(self, request: Request) -> Answer:
        if not self.authorized(request):
            title = "Unauthenticated"
            return problem(401, title, "You did not pass a valid authentication token")
        route = (request.method, request.path)
        create = re.fullmatch(
            r"/v1/models/(bytedance/seedance-2\.(?:0(?:-fast|-mini)?|5))/predictions", request.path
        )
        if request.method == "POST" and create:
            return self._create(request.json, create[1])
        if route == ("POST", "/v1/files"):
            return self._upload(request)
        if route == ("GET", "/v1/account"):
            return Answer(json={"type": "user", "username": "ada", "name": "Ada"})
        if route == ("GET", "/v1/predictions"):
            return self._list(request)
        later = re.fullmatch(r"/v1/predictions/([^/]+)(/cancel)?", request.path)
        task = self.tasks.get(later[1]) if later else None
        if later and task and (request.method, later[2]) == ("GET", None):
            self.done(task)
            return Answer(json=self._prediction(task))
        if later and task and (request.method, later[2]) == ("POST", "/cancel"):
            task.cancelled = task.polls <= self.polls_until_done
            return Answer(json=self._prediction(task))
        return problem(404, "Not found", "The requested resource could not be found.")

    def _create(self, body: Any, model: str) -> Answer:
        known = {"input", "webhook", "webhook_events_filter", "stream"}
        if not isinstance(body, dict) or "input" not in body or body.keys() - known:
            return problem(422, "Input validation failed", "- input is required")
        given = body["input"]
        new = model.endswith("2.5")
        reason = wrong(given, INPUTS_25 if new else INPUTS, ("prompt",)) or _wrong_media(given)
        if not reason and new and "last_frame_image" in given:
            reason = "" if given.get("aspect_ratio") == "adaptive" else "two frames need adaptive"
        if reason:
            return problem(422, "Input validation failed", f"- input: {reason}\n")
        task = self.accept({"model": model, **body}, "q3v8h2k9n1rma0cpd2vs6x{n:04d}")
        return Answer(201, json=self._prediction(task))

    def _list(self, request: Request) -> Answer:
        """The predictions of the account, newest first, 100 a page."""
        if request.query.keys() - {"created_after", "created_before", "cursor"}:
            return problem(400, "Bad request", "Unknown parameters.")
        first = seconds_of(request.query.get("created_after", "2000-01-01T00:00:00Z"))
        last = seconds_of(request.query.get("created_before", "2100-01-01T00:00:00Z"))
        tasks = [task for task in self.tasks.values() if first <= task.created <= last][::-1]
        start = int(request.query.get("cursor", "0"))
        end = start + self.page_size
        more = f"{self.url}/v1/predictions?cursor={end}" if len(tasks) > end else None
        page = [{**self._prediction(task), "source": "api"} for task in tasks[start:end]]
        return Answer(json={"previous": None, "next": more, "results": page})

    def _prediction(self, task: Task) -> dict[str, Any]:
        address = f"{self.url}/v1/predictions/{task.id}"
        prediction: dict[str, Any] = {
            "id": task.id,
            "model": task.body["model"],
            "version": "hidden",
            "input": task.body["input"],
            "logs": "",
            "output": None,
            "error": None,
            "status": self._word(task),
            "created_at": iso(task.created),
            "urls": {"get": address, "cancel": f"{address}/cancel"},
        }
        if prediction["status"] == "failed":
            prediction["error"] = self.fail_with
        if prediction["status"] == "succeeded":
            prediction["output"] = [self.result_url] if self.output_is_list else self.result_url
            prediction["metrics"] = {"predict_time": 81.2}
        return prediction

    def _word(self, task: Task) -> str:
        if task.cancelled:
            return "canceled"
        if task.polls <= self.polls_until_done:
            return "starting" if task.polls <= 1 else "processing"
        return "failed" if self.fail_with else "succeeded"

    def _upload(self, request: Request) -> Answer:
        parts = {name: (file_name, content) for name, file_name, content in request.form}
        name, content = parts.get("content", (None, b""))
        if not name or not content or parts.keys() - {"content", "metadata", "type", "filename"}:
            return problem(422, "Invalid file", "The form has content, metadata, type, filename.")
        number = len(self.sent("POST", "/v1/files"))
        return Answer(
            201,
            json={
                "id": f"file{number}",
                "name": name,
                "content_type": "application/octet-stream",
                "size": len(content),
                "etag": f"etag{number}",
                "checksums": {},
                "metadata": {},
                "created_at": "2026-11-20T09:30:00.000Z",
                "expires_at": "2099-01-01T00:00:00.000Z",
                "urls": {"get": f"{self.url}/v1/files/file{number}"},
            },
        )


def _wrong_media(given: dict[str, Any]) -> str:
    if 0 <= given.get("duration", 5) < 4:
        return "duration: must be -1 or 4 to 15"
    references = given.keys() & REFERENCES
    if "image" in given and references:
        return "image excludes references"
    if "last_frame_image" in given and "image" not in given:
        return "last_frame_image needs image"
    if references == {"reference_audios"}:
        return "reference_audios need an image or a video"
    return ""


def problem(status: int, title: str, text: str) -> Answer:
    """An error in Replicate's shape."""
    return Answer(status, json={"title": title, "detail": text, "status": status})
