"""A fake fal: docs.fal.ai (queue, errors), the model pages of bytedance/seedance-2.0 and of
2.5-flash, and the OpenAPI schemas of 2.0 and 2.5.

The sub-path of a model belongs into the submit URL only; elsewhere it is 404, as the queue's
document says.
"""

from __future__ import annotations

import re
import time
from typing import Any

from . import Answer, Fake, Request, Task, iso, seconds_of
from ._fields import Check, boolean, list_of, one_of, picture, text

HISTORY = "/v1/models/requests/by-endpoint"
INITIATE = "/storage/upload/initiate"
APP = r"/(bytedance/seedance-2\.[05])"

RATIOS = ("auto", "21:9", "16:9", "4:3", "1:1", "3:4", "9:16")
# There is no seed: it is in none of the schemas.
COMMON: dict[str, Check] = {
    "prompt": text(),
    "generate_audio": boolean,
    "end_user_id": text(),
    "codec": one_of("auto", "H264", "H265"),
}
# By what stands before the mode in the path: resolutions, longest duration, references of each kind
# and of all, and whether a high bitrate can be had.
MODELS: dict[str, tuple[tuple[str, ...], int, tuple[int, int, int, int], bool]] = {
    "2.0": (("480p", "720p", "1080p", "4k"), 15, (9, 3, 3, 12), True),
    "2.0/fast": (("480p", "720p"), 15, (9, 3, 3, 12), True),
    "2.0/mini": (("480p", "720p"), 15, (9, 3, 3, 12), False),
    "2.5": (("480p", "720p", "1080p"), 30, (30, 10, 10, 50), True),
    "2.5/flash": (("480p", "720p"), 30, (30, 10, 10, 50), True),
}
# By the end of the path: the fields it needs.
MODES: dict[str, tuple[str, ...]] = {
    "text-to-video": ("prompt",),
    "image-to-video": ("prompt", "image_url"),
    "reference-to-video": ("prompt",),
}


def _fields(model: str, mode: str) -> dict[str, Check]:
    """The fields of a model's route."""
    resolutions, longest, counts, bitrate = MODELS[model]
    auto_only = (model, mode) == ("2.5", "image-to-video")
    checks = {
        **COMMON,
        "resolution": one_of(*resolutions),
        "duration": one_of("auto", *map(str, range(4, longest + 1))),
        "aspect_ratio": one_of("auto") if auto_only else one_of(*RATIOS),
    }
    if (model, mode) == ("2.5", "text-to-video"):
        checks["draft"] = boolean
    if bitrate:
        checks["bitrate_mode"] = one_of("standard", "high")
    if mode == "image-to-video":
        checks |= {"image_url": picture, "end_image_url": picture}
    if mode == "reference-to-video":
        for kind, most in zip(("image", "video", "audio"), counts):
            checks[f"{kind}_urls"] = list_of(picture, most)
    return checks


class FakeFal(Fake):
    """`fail_with`: status and body of a failed request's result, e.g. `(422, {"detail": [...]})`;
    a body with `error_type` is also told in the status."""

    provider = "fal"
    stops_on_signal = True  # whether a request that runs stops when it is cancelled
    keeps_payloads = True  # whether the history has what was sent

    @staticmethod
    def failure(message: str, code: str) -> Any:
        """A refusal of the model's, about the prompt."""
        return 422, {"detail": [{"msg": message, "type": code, "loc": ["body", "prompt"]}]}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.apps: dict[str, str] = {}
        self.endpoint = ""  # of the create that is handled
        self.endpoints: dict[str, str] = {}
        self.stored: dict[str, bytes] = {}

    @property
    def upload_url(self) -> str:  # type: ignore[override]
        """Storage is the same server."""
        return self.url

    def handle(self, request: Request) -> Answer:
        if request.method == "PUT" and request.path.startswith("/stored/"):
            return self._store(request)
        if not self.authorized(request, "Key"):
            return detail(401, "Authentication is required to access this application.")
        if request.method == "POST" and request.path == INITIATE:
            return self._initiate(request)
        if (request.method, request.path) == ("GET", HISTORY):
            return self._history(request)
        submit = re.fullmatch(rf"{APP}(/\w+)?/(\w+-to-video)", request.path)
        model = submit and submit[1].removeprefix("bytedance/seedance-") + (submit[2] or "")
        if request.method == "POST" and submit and model in MODELS and submit[3] in MODES:
            self.endpoint = request.path.strip("/")
            return self._submit(request.json, submit[1], model, submit[3])
        if (request.method, request.path) == ("POST", "/bytedance/seedance-2.5/draft/complete"):
            self.endpoint = request.path.strip("/")
            return self._complete(request.json)
        later = re.fullmatch(rf"{APP}/requests/([^/]+)(/status|/cancel)?", request.path)
        task = self.tasks.get(later[2]) if later else None
        if not later or task is None or self.apps[task.id] != later[1]:
            return detail(404, f"There is no {request.method} {request.path}")
        if (request.method, later[3]) == ("GET", "/status"):
            return self._status(task)
        if (request.method, later[3]) == ("GET", None):
            return self._result(task)
        if (request.method, later[3]) == ("PUT", "/cancel"):
            return self._cancel(task)
        return detail(405, "Method Not Allowed")

    def _submit(self, body: Any, app: str, model: str, mode: str) -> Answer:
        checks = _fields(model, mode)
        if not isinstance(body, dict):
            return invalid(None, "The body must be a JSON object.", "json_invalid")
        for name in MODES[mode]:
            if name not in body:
                return invalid(name, "Field required", "missing")
        for name, value in body.items():
            if name not in checks:
                return invalid(name, "Extra inputs are not permitted", "extra_forbidden")
            if not checks[name](value):
                return invalid(name, f"Invalid value {value!r}", "value_error")
        if mode == "reference-to-video":
            counts = {name: len(body.get(name, ())) for name in checks if name.endswith("_urls")}
            if sum(counts.values()) > MODELS[model][2][3]:
                return invalid("image_urls", "Too many references", "value_error")
            if not counts["image_urls"] + counts["video_urls"]:
                return invalid("audio_urls", "An image or a video is needed", "value_error")
        task = self.accept(body, "764cabcf-b745-4b3e-ae38-{n:012d}")
        self.apps[task.id], self.endpoints[task.id] = app, self.endpoint
        return Answer(json={"status": "IN_QUEUE", "queue_position": 0, **self._addresses(task)})

    def _history(self, request: Request) -> Answer:
        """fal's platform API: the requests of an endpoint, here three a page at the most."""
        query = request.query
        known = {"endpoint_id", "start", "end", "status", "request_id", "expand", "sort_by"}
        if query.keys() - known - {"limit", "cursor"} or "endpoint_id" not in query:
            return detail(422, "endpoint_id is required")
        if not 1 <= int(query.get("limit", "50")) <= 100:
            return detail(422, "limit is 1 to 100")
        first = seconds_of(query.get("start", iso(time.time() - 86400)))
        last = seconds_of(query.get("end", iso(time.time() + 1)))
        tasks = [
            task
            for task in self.tasks.values()
            if self.endpoints[task.id] == query["endpoint_id"] and first <= task.created < last
        ]
        start = int(query.get("cursor", "0"))
        items = [self._entry(task, query) for task in tasks[start : start + 3]]
        more = len(tasks) > start + 3
        cursor = str(start + 3) if more else None
        return Answer(json={"items": items, "has_more": more, "next_cursor": cursor})

    def _entry(self, task: Task, query: dict[str, str]) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "request_id": task.id,
            "endpoint_id": self.endpoints[task.id],
            "sent_at": iso(task.created),
            "started_at": iso(task.created),
            "ended_at": None,
            "status_code": None,
        }
        if query.get("expand") == "payloads" and self.keeps_payloads:
            entry["json_input"] = task.body
        return entry

    def _complete(self, body: Any) -> Answer:
        """fal.ai/models/bytedance/seedance-2.5/draft/complete"""
        if not isinstance(body, dict) or body.keys() - {"draft_id", "resolution", "codec"}:
            return invalid(None, "Only draft_id, resolution and codec", "extra_forbidden")
        draft = self.tasks.get(str(body.get("draft_id")).removeprefix("draft-"))
        if draft is None or not draft.body.get("draft") or not self._over(draft):
            return invalid("draft_id", "There is no such draft", "value_error")
        if body.get("resolution", "1080p") != "1080p":
            return invalid("resolution", "Must be 1080p", "literal_error")
        task = self.accept(body, "764cabcf-b745-4b3e-ae38-{n:012d}")
        self.apps[task.id] = "bytedance/seedance-2.5"
        self.endpoints[task.id] = self.endpoint
        return Answer(json={"status": "IN_QUEUE", "queue_position": 0, **self._addresses(task)})

    def _addresses(self, task: Task) -> dict[str, str]:
        root = f"{self.url}/{self.apps[task.id]}/requests/{task.id}"
        return {
            "request_id": task.id,
            "response_url": root,
            "status_url": f"{root}/status",
            "cancel_url": f"{root}/cancel",
        }

    def _over(self, task: Task) -> bool:
        return task.cancelled or task.polls > self.polls_until_done

    def _status(self, task: Task) -> Answer:
        self.done(task)
        answer: dict[str, Any] = self._addresses(task)
        if not self._over(task):
            if task.polls <= 1:
                return Answer(202, json={**answer, "status": "IN_QUEUE", "queue_position": 0})
            return Answer(202, json={**answer, "status": "IN_PROGRESS", "logs": None})
        answer |= {"status": "COMPLETED", "logs": None, "metrics": {"inference_time": 81.2}}
        _, failure = self._failure(task)
        if failure.get("error_type"):
            answer |= {"error": failure["detail"], "error_type": failure["error_type"]}
        return Answer(json=answer)

    def _failure(self, task: Task) -> tuple[int, dict[str, Any]]:
        if task.cancelled:
            return 400, {"detail": "Request was cancelled.", "error_type": "client_cancelled"}
        return self.fail_with or (0, {})

    def _result(self, task: Task) -> Answer:
        if not self._over(task):
            return detail(400, "Request is still in progress")
        status, failure = self._failure(task)
        if status:
            return Answer(status, json=failure)
        video = {
            "url": self.result_url,
            "content_type": "video/mp4",
            "file_name": "clip.mp4",
            "file_size": len(self.clip),
        }
        drafted = {"draft_id": f"draft-{task.id}"} if task.body.get("draft") else {}
        return Answer(json={"video": video, "seed": 4711, **drafted})

    def _cancel(self, task: Task) -> Answer:
        if self._over(task):
            return Answer(400, json={"status": "ALREADY_COMPLETED"})
        if task.polls <= 1 or self.stops_on_signal:
            task.cancelled = True
        return Answer(202, json={"status": "CANCELLATION_REQUESTED"})

    # ----------------------------------------------------------------------------------- storage

    def _initiate(self, request: Request) -> Answer:
        body = request.json
        if request.query not in ({"storage_type": "fal-cdn-v3"}, {"storage_type": "gcs"}):
            return detail(422, "storage_type is required")
        if not isinstance(body, dict) or body.keys() != {"content_type", "file_name"}:
            return detail(422, "content_type and file_name are required")
        name = f"{len(self.sent('POST', INITIATE))}/{body['file_name']}"
        self.stored[f"/stored/{name}"] = b""
        return Answer(
            json={
                "upload_url": f"{self.url}/stored/{name}?content_type={body['content_type']}",
                "file_url": f"https://v3.fal.example/files/{name}",
            }
        )

    def _store(self, request: Request) -> Answer:
        """A signed address: it takes only what it was signed for."""
        right = request.headers.get("content-type") == request.query.get("content_type")
        if request.path not in self.stored or not right:
            return Answer(403, body=b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        self.stored[request.path] = request.body
        return Answer(200, body=b"")


def detail(status: int, message: str) -> Answer:
    """An error of the platform."""
    return Answer(status, json={"detail": message})


def invalid(field: str | None, message: str, kind: str) -> Answer:
    """An error of a model about one of its fields."""
    location = ["body", field] if field else ["body"]
    return Answer(422, json={"detail": [{"loc": location, "msg": message, "type": kind}]})
