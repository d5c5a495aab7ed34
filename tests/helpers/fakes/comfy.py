"""A fake Comfy Router: Comfy-Org/docs, router-openapi.yaml and development/comfy-router; POST
/customers/storage as ComfyUI's core uses it. The order's body is checked as Ark's.

The key is taken in X-API-Key only, credits are looked at before the order, and an idempotency key
is remembered as its document says. Whoever sends the key to the storage is turned away.
"""

from __future__ import annotations

import re
import time
from typing import Any

from . import Answer, Fake, Request, Task, iso
from ._ark import FIELDS, MODELS, ONLY_25, _wrong_content, _wrong_fields

BASE = "/v2/models"
NAMES = {
    "dreamina-seedance-2-0-260128": "seedance-2-0-260128",
    "dreamina-seedance-2-0-fast-260128": "seedance-2-0-fast-260128",
    "dreamina-seedance-2-0-mini": "seedance-2-0-mini-260615",
    "dreamina-seedance-2-5-260628": "seedance-2-5-260628",
}
SCHEMA = {*FIELDS, *ONLY_25, "resolution", "duration"} - {"model", "draft", "priority"}
KEPT_SECONDS = 24 * 3600.0
LAST_FRAME = "/results/last_frame.png"


class FakeComfy(Fake):
    """`fail_with`: the error type of a failed request, its HTTP status and its body. `credits`:
    what the workspace has; a create needs some. `clock` gives Unix seconds, by which idempotency
    keys are forgotten."""

    provider = "comfy"
    key = "comfyui-0123456789abcdef0123"
    credits = 1000.0
    charges_on_policy_rejection = "unknown"

    @staticmethod
    def failure(message: str, code: str) -> Any:
        """A failure at the vendor; `code` is its type."""
        return code, 502, {"detail": message, "error_type": code}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.models: dict[str, str] = {}  # of requests
        self.keys: dict[str, tuple[float, Any, Answer]] = {}
        self.stored: dict[str, bytes] = {}
        self.clock = time.time

    def handle(self, request: Request) -> Answer:
        if request.path == LAST_FRAME:
            from ._ark import last_frame

            return Answer(body=last_frame(), headers={"content-type": "image/png"})
        if request.method == "PUT" and request.path.startswith("/stored/"):
            return self._store(request)
        if request.headers.get("x-api-key") != self.key or "authorization" in request.headers:
            return error(401, "unauthorized", "The request carried no usable credential.")
        if (request.method, request.path) == ("POST", "/customers/storage"):
            return self._place(request)
        if (request.method, request.path) == ("GET", BASE):
            listed = {"data": list(map(self._entry, NAMES)), "has_more": False, "limit": 20}
            return Answer(json=listed)
        path = re.fullmatch(
            rf"{BASE}/byteplus/([a-z0-9.-]+)(/requests(?:/([0-9a-f-]+)(/status|/cancel)?)?)?",
            request.path,
        )
        if path is None or path[1] not in NAMES:
            return error(404, "model_not_found", "No such model.")
        if (request.method, path[2]) == ("GET", None):
            return Answer(json=self._entry(path[1]))
        if (request.method, path[2]) == ("POST", "/requests"):
            return self._keyed(request, path[1])
        task = self.tasks.get(path[3] or "")
        if task is None or self.models[task.id] != path[1]:
            return error(404, "request_not_found", "No such request.")
        if (request.method, path[4]) == ("GET", "/status"):
            return self._status(task)
        if (request.method, path[4]) == ("GET", None):
            return self._result(task)
        if (request.method, path[4]) == ("PUT", "/cancel"):
            return self._cancel(task)
        return error(404, "request_not_found", "No such route.")

    def _entry(self, model: str) -> dict[str, Any]:
        billing = {"charges_on_policy_rejection": self.charges_on_policy_rejection}
        whole = f"byteplus/{model}"
        return {"id": whole, "provider": "byteplus", "model": model, "billing": billing}

    # ------------------------------------------------------------------------------------ creates

    def _keyed(self, request: Request, model: str) -> Answer:
        key = request.headers.get("idempotency-key", "")
        if not 1 <= len(key) <= 255:
            return error(400, "invalid_input", "An Idempotency-Key has 1 to 255 characters.")
        at, sent, answer = self.keys.get(key, (0.0, None, Answer(500)))
        this = (request.path, request.query, request.body)
        if self.clock() - at < KEPT_SECONDS:
            if sent != this:
                return error(409, "invalid_input", "The key was used for a different request.")
            headers = {**answer.headers, "Idempotent-Replayed": "true"}
            return Answer(answer.status, json=answer.json, headers=headers)
        answer = self._create(request, model)
        if answer.status == 201:  # a refusal that dispatched nothing releases the key
            self.keys[key] = (self.clock(), this, answer)
        return answer

    def _create(self, request: Request, model: str) -> Answer:
        if self.credits <= 0:
            return error(402, "insufficient_credits", "The workspace has not enough credits.")
        if request.query != {"fallback_provider": "false"}:
            return error(400, "invalid_input", "Another vendor might run and bill this.")
        body = request.json
        if not isinstance(body, dict):
            return invalid([], "dict_type", "The body must be an object.")
        if "content" not in body:
            return invalid(["content"], "missing", "Field required")
        if unknown := body.keys() - SCHEMA:
            return invalid([min(unknown)], "extra_forbidden", "Not in the schema.")
        own = NAMES[model]
        assert own in MODELS
        if wrong := _wrong_fields(body, own) or _wrong_content(body, own):
            return invalid(["content"], "value_error", wrong.json["error"]["message"])
        task = self.accept(body, "6f1a1a6e-6a53-4a5f-9d3a-{n:012x}")
        self.models[task.id] = model
        self.credits -= 1.0
        state = self._state(task, "IN_QUEUE") | {"queue_position": 0}
        return Answer(201, json=state, headers={"X-Comfy-Request-Id": "0b0e7a52"})

    def _state(self, task: Task, word: str) -> dict[str, Any]:
        root = f"{self.url}{BASE}/byteplus/{self.models[task.id]}/requests/{task.id}"
        return {
            "request_id": task.id,
            "status": word,
            "status_url": f"{root}/status",
            "response_url": root,
            "cancel_url": f"{root}/cancel",
        }

    # ------------------------------------------------------------------------------------- requests

    def _over(self, task: Task) -> bool:
        return task.cancelled or task.polls > self.polls_until_done

    def _failure(self, task: Task) -> tuple[str, int, Any] | None:
        if task.cancelled:
            detail = "The request was cancelled."
            return "cancelled", 409, {"detail": detail, "error_type": "cancelled"}
        return self.fail_with  # type: ignore[no-any-return]

    def _status(self, task: Task) -> Answer:
        self.done(task)
        if not self._over(task):
            word = "IN_QUEUE" if task.polls <= 1 else "IN_PROGRESS"
            ahead = {"queue_position": 0} if word == "IN_QUEUE" else {}
            return Answer(json=self._state(task, word) | ahead, headers={"Retry-After": "3"})
        state = self._state(task, "COMPLETED")
        if failure := self._failure(task):
            state["error_type"] = failure[0]
        return Answer(json=state)

    def _result(self, task: Task) -> Answer:
        if not self._over(task):
            return Answer(202, json=self._state(task, "IN_PROGRESS"), headers={"Retry-After": "3"})
        if failure := self._failure(task):
            kind, status, body = failure
            return Answer(status, json=body, headers={"X-Comfy-Error-Type": kind})
        body = task.body
        content = {"video_url": self.result_url}
        if body.get("return_last_frame"):
            content["last_frame_url"] = self.url + LAST_FRAME
        seconds = body.get("duration", 5)
        shown = {
            "id": "cgt-20261120093000-x7k2p",
            "model": self.models[task.id],
            "status": "succeeded",
            "error": None,
            "created_at": int(task.created),
            "updated_at": int(task.created) + 90,
            "seed": body.get("seed", 4711),
            "resolution": body.get("resolution", "720p"),
            "duration": 5 if seconds == -1 else seconds,
            "content": content,
        }
        return Answer(json=shown, headers={"X-Comfy-Credits-Used": "228.1"})

    def _cancel(self, task: Task) -> Answer:
        if self._over(task):
            body = {"request_id": task.id, "status": "ALREADY_COMPLETED"}
            return Answer(409, json=body)
        task.cancelled = True
        return Answer(202, json={"request_id": task.id, "status": "CANCELLATION_REQUESTED"})

    # -------------------------------------------------------------------------------------- storage

    def _place(self, request: Request) -> Answer:
        body = request.json
        if not isinstance(body, dict) or body.keys() - {"file_name", "content_type"}:
            return Answer(400, json={"message": "file_name and content_type"})
        if not isinstance(body.get("file_name"), str):
            return Answer(400, json={"message": "file_name is required"})
        name = f"{len(self.stored) + 1}/{body['file_name']}"
        self.stored[f"/stored/{name}"] = b""
        return Answer(
            json={
                "upload_url": f"{self.url}/stored/{name}?type={body.get('content_type', '')}",
                "download_url": f"https://storage.comfy.example/{name}?sig=read",
                "existing_file": False,
                "expires_at": iso(time.time() + 24 * 3600),
            }
        )

    def _store(self, request: Request) -> Answer:
        """A signed address: it takes what it was signed for, and no key."""
        right = request.headers.get("content-type", "") == request.query.get("type")
        keyed = "x-api-key" in request.headers or "authorization" in request.headers
        if request.path not in self.stored or not right or keyed:
            return Answer(403, body=b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        self.stored[request.path] = request.body
        return Answer(200, body=b"")


def error(status: int, kind: str, detail: str) -> Answer:
    """An error of the Router's."""
    body = {"detail": detail, "error_type": kind}
    return Answer(status, json=body, headers={"X-Comfy-Error-Type": kind})


def invalid(place: list[str], kind: str, message: str) -> Answer:
    """A body that the schema does not have."""
    body = {"detail": [{"loc": ["body", *place], "msg": message, "type": kind}]}
    return Answer(422, json=body, headers={"X-Comfy-Error-Type": "invalid_input"})
