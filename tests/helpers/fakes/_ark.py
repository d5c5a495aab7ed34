"""A fake Ark, for BytePlus and Volcano Engine alike: docs.byteplus.com/en/docs/modelark, task API.

Each clip among the inputs counts as five seconds.
"""

from __future__ import annotations

import io
import re
import time
from functools import cache
from typing import Any, ClassVar

from . import Answer, Fake, Request, Task
from ._ark_assets import Library
from ._fields import Check, boolean, integer, one_of, text

TASKS = "/api/v3/contents/generations/tasks"
LAST_FRAME = "/results/last_frame.png"
CLIP_SECONDS = 5
RATIOS = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive")
AREAS = {"480p": 864 * 496, "720p": 1280 * 720, "1080p": 1920 * 1080, "4k": 3840 * 2160}

# By what follows the prefix in the model's id: resolutions, longest duration, references of a kind.
MODELS: dict[str, tuple[tuple[str, ...], int, dict[str, int]]] = {
    "seedance-2-0-260128": (
        ("480p", "720p", "1080p", "4k"),
        15,
        {"image": 9, "video": 3, "audio": 3},
    ),
    "seedance-2-0-fast-260128": (("480p", "720p"), 15, {"image": 9, "video": 3, "audio": 3}),
    "seedance-2-0-mini-260615": (("480p", "720p"), 15, {"image": 9, "video": 3, "audio": 3}),
    "seedance-2-5-260628": (
        ("480p", "720p", "1080p"),
        30,
        {"image": 30, "video": 10, "audio": 10},
    ),
}
PREMIUM = "seedance-2-5-premium-260915"
MODELS[PREMIUM] = (("4k",), 30, {"image": 30, "video": 10, "audio": 10})
ROLES = {
    "image": ("first_frame", "last_frame", "reference_image"),
    "video": ("reference_video",),
    "audio": ("reference_audio",),
}
FIELDS: dict[str, Check] = {
    "model": text(),
    "content": lambda value: isinstance(value, list) and bool(value),
    "ratio": one_of(*RATIOS),
    "generate_audio": boolean,
    "watermark": boolean,
    "seed": integer(-1, 2**32 - 1),
    "return_last_frame": boolean,
    "execution_expires_after": integer(3600, 259_200),
    "callback_url": text(),
    "safety_identifier": text(),
    "priority": integer(0, 9),
    "service_tier": one_of("default"),
}
ONLY_20: dict[str, Check] = {"tools": lambda value: value == [{"type": "web_search"}]}
ONLY_25: dict[str, Check] = {
    "draft": boolean,
    "output_format": one_of("mp4", "mov"),
    "omni_reference_task_type": one_of("auto", "edit", "extend"),
}


class FakeArk(Fake):
    """`prefix`: of the model ids. `fail_with`: a failed task's `error` object, or `expired`.
    `library`: its asset library, which is at `/`."""

    prefix: ClassVar[str]
    region: ClassVar[str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.created: dict[str, int] = {}
        self.deleted: set[str] = set()
        self.library = Library(self.region, lambda: self.url)

    def handle(self, request: Request) -> Answer:
        if request.path == "/":
            return self.library.handle(request)
        if request.path == LAST_FRAME:
            return self._last_frame(request)
        if not self.authorized(request):
            return error(401, "AuthenticationError", "The API key doesn't exist or is invalid.")
        if request.path == TASKS and request.method == "POST":
            return self._create(request.json)
        if request.path == TASKS and request.method == "GET":
            return self._list(request)
        one = re.fullmatch(rf"{TASKS}/([^/]+)", request.path)
        task = self.tasks.get(one[1]) if one else None
        if task is None or task.id in self.deleted or request.method not in ("GET", "DELETE"):
            return error(404, "ResourceNotFound", "The specified resource is not found.")
        if request.method == "DELETE":
            return self._delete(task)
        self.done(task)
        return Answer(json=self._show(task))

    def word(self, task: Task) -> str:
        """The task's status after the polls that it had."""
        if task.cancelled:
            return "cancelled"
        if task.polls <= self.polls_until_done:
            return "queued" if task.polls <= 1 else "running"
        if self.fail_with == "expired":
            return "expired"
        return "failed" if self.fail_with else "succeeded"

    # ------------------------------------------------------------------------------------ routes

    def _create(self, body: Any) -> Answer:
        if not isinstance(body, dict):
            return error(400, "InvalidParameter", "The body must be a JSON object.")
        # The SDKs send null for what is not given.
        body = {name: value for name, value in body.items() if value is not None}
        for name in ("model", "content"):
            if name not in body:
                return error(400, "MissingParameter", f"The request is missing {name}.")
        model = str(body["model"]).removeprefix(f"{self.prefix}-")
        if model not in MODELS or model == body["model"]:
            message = "The model or endpoint does not exist or you do not have access to it."
            return error(404, "InvalidEndpointOrModel.NotFound", message)
        if (draft := _draft_of(body)) is not None:
            refusal = self._wrong_final(body, model, draft)
        else:
            refusal = _wrong_fields(body, model) or _wrong_content(body, model)
        if refusal:
            return refusal
        if draft is not None:
            drafted = self.tasks[draft].body
            body = {**drafted, "draft": False, "resolution": body["resolution"], "of": draft}
        task = self.accept(body, "cgt-20261120093000-{n:05d}")
        self.created[task.id] = int(time.time())
        return Answer(json={"id": task.id})

    def _wrong_final(self, body: dict[str, Any], model: str, draft: str) -> Answer | None:
        """The final of a draft: docs.apiyi.com, draft mode; the premium model makes 4k only."""
        known = {"model", "content", "resolution", "watermark", "execution_expires_after"}
        if unknown := body.keys() - known:
            return error(400, "InvalidParameter", f"{sorted(unknown)} are those of the draft.")
        right = {"seedance-2-5-260628": "1080p", PREMIUM: "4k"}
        if right.get(model) != body.get("resolution"):
            return error(400, "InvalidResolutionParameter", "The resolution is not supported.")
        task = self.tasks.get(draft)
        if task is None or not task.body.get("draft") or self.word(task) != "succeeded":
            return error(400, "InvalidParameter.draft_task", "There is no such draft.")
        return None

    def _list(self, request: Request) -> Answer:
        known = {"page_num", "page_size", "filter.status", "filter.model", "filter.task_ids"}
        if unknown := request.query.keys() - known - {"filter.service_tier"}:
            return error(400, "InvalidParameter", f"Unknown {sorted(unknown)}.")
        number, size = (
            int(request.query.get(name, default))
            for name, default in (("page_num", "1"), ("page_size", "10"))
        )
        if not (1 <= number <= 500 and 1 <= size <= 500):
            return error(400, "InvalidParameter.page_size", "1 to 500.")
        tasks = [task for task in self.tasks.values() if task.id not in self.deleted]
        if status := request.query.get("filter.status"):
            tasks = [task for task in tasks if self.word(task) == status]
        newest_first = tasks[::-1]
        page = newest_first[(number - 1) * size : number * size]
        return Answer(json={"items": [self._show(task) for task in page], "total": len(tasks)})

    def _delete(self, task: Task) -> Answer:
        word = self.word(task)
        if word == "running":
            return error(409, "OperationDenied.TaskRunning", "A running task cannot be deleted.")
        if word == "queued":
            task.cancelled = True
        else:
            self.deleted.add(task.id)
        return Answer(json={})  # or 204, which the SDKs cannot read

    def _show(self, task: Task) -> dict[str, Any]:
        body, word = task.body, self.word(task)
        seconds = body.get("duration", 5)
        seconds = 5 if seconds == -1 else seconds
        ratio = body.get("ratio", "adaptive")
        shown: dict[str, Any] = {
            "id": task.id,
            "model": body["model"],
            "status": word,
            "error": None,
            "created_at": self.created[task.id],
            "updated_at": self.created[task.id] + 90,
            "seed": body.get("seed", 4711),
            "resolution": body.get("resolution", "720p"),
            "ratio": "16:9" if ratio == "adaptive" else ratio,
            "duration": seconds,
            "framespersecond": 24,
            "service_tier": "default",
            "execution_expires_after": body.get("execution_expires_after", 172_800),
            "generate_audio": body.get("generate_audio", True),
            "draft": body.get("draft", False),
        }
        if word == "failed":
            shown["error"] = self.fail_with
        if word == "succeeded":
            clips = sum(item["type"] == "video_url" for item in body["content"])
            frames = 24 * (seconds + CLIP_SECONDS * clips) + 1
            tokens = frames * AREAS[shown["resolution"]] // 1024
            shown["content"] = {"video_url": self.result_url}
            if body.get("return_last_frame"):
                shown["content"]["last_frame_url"] = self.url + LAST_FRAME
            shown["usage"] = {"completion_tokens": tokens, "total_tokens": tokens}
        return shown

    def _last_frame(self, request: Request) -> Answer:
        if "authorization" in request.headers:  # the object store takes its own signature only
            return Answer(400, body=b"<Error><Code>InvalidArgument</Code></Error>")
        return Answer(body=last_frame(), headers={"content-type": "image/png"})


@cache
def last_frame() -> bytes:
    """The last frame of the tiny clip, as PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (64, 48), (220, 220, 220)).save(file, "PNG")
    return file.getvalue()


def error(status: int, code: str, message: str) -> Answer:
    """An error in Ark's shape."""
    record = {"code": code, "message": message, "param": "", "type": "BadRequest"}
    return Answer(status, json={"error": record})


# ------------------------------------------------------------------------------------- the create


def _wrong_fields(body: dict[str, Any], model: str) -> Answer | None:
    resolutions, longest, _ = MODELS[model]
    checks = {
        **FIELDS,
        "resolution": one_of(*resolutions),
        "duration": integer(4, longest, -1),
        **(ONLY_25 if model.startswith("seedance-2-5") else ONLY_20),
    }
    for name, value in body.items():
        if name not in checks:
            return error(400, f"InvalidParameter.{name}", f"{name} is not supported by {model}.")
        if not checks[name](value):
            return error(400, f"InvalidParameter.{name}", f"{name} does not take {value!r}.")
    if body.get("draft") and (body.get("resolution") != "480p" or body.get("return_last_frame")):
        return error(400, "InvalidParameter.draft", "A draft is 480p, without its last frame.")
    return None


def _draft_of(body: dict[str, Any]) -> str | None:
    """The id of the draft that a create is for, None for any other create."""
    content = body["content"]
    if not isinstance(content, list) or len(content) != 1 or not isinstance(content[0], dict):
        return None
    draft = content[0].get("draft_task")
    return str(draft.get("id")) if isinstance(draft, dict) else None


def _wrong_content(body: dict[str, Any], model: str) -> Answer | None:
    roles: list[str] = []
    texts = 0
    for item in body["content"]:
        kind = str(item.get("type")).removesuffix("_url")
        if kind == "text" and item.keys() == {"type", "text"} and text()(item["text"]):
            texts += 1
        elif _is_medium(item, kind):
            roles.append(item["role"])
        else:
            return error(400, "InvalidParameter.content", f"Cannot read {str(item)[:80]}.")
    new = model.startswith("seedance-2-5")
    if texts > 1 or not (texts or roles):
        return error(400, "InvalidParameter.content", "One text item is needed.")
    frames = [role for role in roles if role.endswith("_frame")]
    if frames and (len(frames) < len(roles) or frames not in (["first_frame"], FIRST_AND_LAST)):
        return error(400, "InvalidParameter.content", "The roles exclude each other.")
    if roles and not new and set(roles) == {"reference_audio"}:
        return error(400, "InvalidParameter.content", "Audio needs an image or a video.")
    for kind, most in MODELS[model][2].items():
        if roles.count(f"reference_{kind}") > most:
            return error(400, "InvalidParameter.content", f"At most {most} of {kind}.")
    return _wrong_task_type(body, roles) if new else None


FIRST_AND_LAST = ["first_frame", "last_frame"]


def _wrong_task_type(body: dict[str, Any], roles: list[str]) -> Answer | None:
    kind = body.get("omni_reference_task_type", "auto")
    if kind != "auto" and "reference_video" not in roles:
        return error(400, "InvalidParameter.TaskTypeMismatch", f"{kind} needs a video.")
    follows = kind != "auto" or "first_frame" in roles
    if follows and body.get("ratio", "adaptive") != "adaptive":
        return error(400, "InvalidParameter.TaskTypeConstraint", "ratio must be adaptive.")
    if kind == "edit" and body.get("duration", -1) != -1:
        return error(400, "InvalidParameter.TaskTypeConstraint", "duration must be -1.")
    return None


def _is_medium(item: Any, kind: str) -> bool:
    if kind not in ROLES or item.keys() != {"type", f"{kind}_url", "role"}:
        return False
    inner = item[f"{kind}_url"]
    if item["role"] not in ROLES[kind] or not isinstance(inner, dict) or inner.keys() != {"url"}:
        return False
    inline = "" if kind == "video" else rf"|data:{kind}/[a-z0-9.+-]+;base64,[A-Za-z0-9+/]+=*"
    address = rf"https?://[^\s/]+/\S+|asset://[\w-]+{inline}"
    return isinstance(inner["url"], str) and bool(re.fullmatch(address, inner["url"]))
