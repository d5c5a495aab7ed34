"""A fake Lumenfall: seed 003, and docs.lumenfall.ai for the answers.

Unknown fields of a create pass "straight through to the upstream API", so they are accepted; they
can be looked up in `tasks[...].body`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from . import Answer, Fake, Request, Task, iso, seconds_of

BASE = "/v1"
CREATED_AT = 1_790_000_000


class FakeLumenfall(Fake):
    """`fail_with`: the `error` object of a failed video, `{"code", "message"}`. `logs_requests`:
    whether the list of requests is there."""

    provider = "lumenfall"
    logs_requests = True

    def handle(self, request: Request) -> Answer:
        if not self.authorized(request):
            return error(401, "AUTHENTICATION_FAILED", "Invalid API key.")
        if request.path == f"{BASE}/balance" and request.method == "GET":
            left = {"amount": 12.5, "currency": "usd"}
            return Answer(json={"object": "balance", "billing_type": "prepaid", "available": left})
        if (request.method, request.path) == ("GET", "/v1/requests") and self.logs_requests:
            return self._requests(request)
        if request.path == f"{BASE}/videos" and request.method == "POST":
            return self._create(request)
        bases = {"GET": BASE, "DELETE": f"/openai{BASE}"}
        base = bases.get(request.method, "no such method")
        one = re.fullmatch(rf"{base}/videos/([^/]+)", request.path)
        task = self.tasks.get(one[1]) if one else None
        if task is None:
            return error(404, "NOT_FOUND", f"There is no {request.method} {request.path}.")
        return self._show(task) if request.method == "GET" else self._cancel(task)

    def _create(self, request: Request) -> Answer:
        body = request.json
        if not isinstance(body, dict):
            return error(400, "INVALID_REQUEST", "The body must be a JSON object.")
        if body.get("model") not in ("seedance-2.0", "fal/seedance-2.0"):
            return error(404, "MODEL_NOT_FOUND", f"Model '{body.get('model')}' not found.")
        if wrong := _wrong(body):
            return error(400, "INVALID_REQUEST", wrong)
        task = self.accept(body, "vid_{n:04d}")
        return Answer(202, json=self._video(task, "queued"))

    def _requests(self, request: Request) -> Answer:
        """docs.lumenfall.ai/api-reference/requests/list: newest first, and no prompts."""
        known = {"limit", "created_after", "created_before", "starting_after", "key_id", "status"}
        limit = int(request.query.get("limit", "20"))
        if request.query.keys() - known or not 1 <= limit <= 100:
            return error(400, "INVALID_REQUEST", "Unknown or wrong parameters.")
        first = seconds_of(request.query.get("created_after", "2000-01-01T00:00:00Z"))
        last = seconds_of(request.query.get("created_before", "2100-01-01T00:00:00Z"))
        tasks = [task for task in self.tasks.values() if first <= task.created <= last][::-1]
        if after := request.query.get("starting_after"):
            tasks = tasks[[task.id for task in tasks].index(after) + 1 :]
        page = [
            {
                "id": task.id,
                "object": "request",
                "created_at": iso(task.created),
                "model": task.body["model"],
                "modality": "video",
                "endpoint": "/openai/v1/videos",
                "status": "pending",
                "cost": None,
                "currency": "usd",
                "error_code": None,
                "user": task.body.get("user"),
                "session_id": None,
                "trace_id": None,
            }
            for task in tasks[:limit]
        ]
        more = len(tasks) > limit
        later = f"/v1/requests?starting_after={page[-1]['id']}&limit={limit}" if more else None
        return Answer(json={"object": "list", "data": page, "next_page_url": later})

    def _video(self, task: Task, status: str) -> dict[str, Any]:
        return {
            "id": task.id,
            "object": "video",
            "created_at": CREATED_AT,
            "status": status,
            "model": task.body["model"],
            "seconds": str(task.body.get("duration", 5)),
            "size": task.body.get("size", "auto"),
            "metadata": {"cost_estimate": 1.515, "cost_currency": "USD"},
        }

    def _show(self, task: Task) -> Answer:
        if task.cancelled:
            return Answer(json=self._video(task, "cancelled"))
        if not self.done(task):
            return Answer(json=self._video(task, "queued" if task.polls == 1 else "in_progress"))
        if self.fail_with:
            return Answer(json={**self._video(task, "failed"), "error": self.fail_with})
        return Answer(
            json={
                **self._video(task, "completed"),
                "completed_at": CREATED_AT + 60,
                "expires_at": CREATED_AT + 3660,
                "prompt": task.body["prompt"],
                "output": {"url": self.result_url},
                "metadata": {"provider": "fal", "cost": 1.51, "cost_currency": "USD"},
            }
        )

    def _cancel(self, task: Task) -> Answer:
        if task.polls > self.polls_until_done:
            return error(400, "INVALID_REQUEST", "The video is no longer running.")
        task.cancelled = True
        return Answer(json=self._video(task, "cancelled"))


def error(status: int, code: str, message: str) -> Answer:
    """An error in Lumenfall's shape."""
    kind = "authentication_error" if status == 401 else "invalid_request_error"
    return Answer(status, json={"error": {"message": message, "type": kind, "code": code}})


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("https://")


def _is_picture(item: Any) -> bool:
    if not isinstance(item, dict) or set(item) != {"image_url"}:
        return False
    url = item["image_url"]
    return _is_address(url) or (
        isinstance(url, str)
        and bool(re.fullmatch(r"data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/]+=*", url))
    )


# Field by field, what the parameter reference says.
CHECKS: dict[str, Callable[[Any], bool]] = {
    "prompt": lambda value: isinstance(value, str) and bool(value.strip()),
    "seed": _is_integer,
    "duration": lambda value: (
        isinstance(value, (int, float)) and not isinstance(value, bool) and 4 <= value <= 15
    ),
    "size": lambda value: (
        isinstance(value, str) and bool(re.fullmatch(r"auto|\d+x\d+|\d+:\d+", value))
    ),
    "aspect_ratio": lambda value: (
        isinstance(value, str) and bool(re.fullmatch(r"auto|\d+:\d+", value))
    ),
    "resolution": lambda value: (
        isinstance(value, str) and bool(re.fullmatch(r"auto|[\d.]+K?", value))
    ),
    "input_reference": lambda value: (
        isinstance(value, list) and 1 <= len(value) <= 9 and all(map(_is_picture, value))
    ),
    "input_video": _is_address,
    "video_url": _is_address,
    "keep_audio": lambda value: isinstance(value, bool),
    "generate_audio": lambda value: isinstance(value, bool),
    "n": lambda value: _is_integer(value) and 1 <= value <= 4,
    "audio_urls": lambda value: (
        isinstance(value, list) and 1 <= len(value) <= 3 and all(map(_is_address, value))
    ),
    "end_user_id": lambda value: isinstance(value, str),
    "user": lambda value: isinstance(value, str) and bool(value),
}


def _wrong(body: dict[str, Any]) -> str:
    """What is wrong with a create, empty if nothing is."""
    if "prompt" not in body:
        return "prompt is required."
    for name, check in CHECKS.items():
        if name in body and not check(body[name]):
            return f"Invalid value for {name}."
    if "input_video" in body and "video_url" in body:
        return "input_video and video_url are the same thing."
    return ""
