"""A fake Leonardo.AI: seed 000 for creates, docs.leonardo.ai for everything else.

Its storage host is played by the same server, under /storage/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import Answer, Fake, Request, Task

BASE = "/api/rest"
UUID = "00000000-0000-4000-8000-{n:012d}"
PICTURES = {"png": b"\x89PNG", "jpg": b"\xff\xd8\xff", "jpeg": b"\xff\xd8\xff", "webp": b"RIFF"}
CLIPS = {"mp4": b"ftyp", "mov": b"ftyp"}

_480 = ((992, 432), (864, 496), (752, 560), (640, 640), (560, 752), (496, 864), (432, 992))
_720 = ((1470, 630), (1280, 720), (1112, 834), (960, 960), (834, 1112), (720, 1280), (630, 1470))
SIZES = {"RESOLUTION_480": _480, "RESOLUTION_720": _720}


@dataclass
class Upload:
    """A medium that was announced; `data` is set once the storage has it."""

    id: str
    kind: str
    extension: str
    fields: dict[str, str]
    data: bytes | None = None
    polls: int = 0


class Wrong(Exception):
    """What is wrong with a request, in the words of the error answer."""


class FakeLeonardo(Fake):
    """`fail_with`: the moderation labels of a failed generation (an empty list: no reason).

    `late_url`: how many COMPLETE answers still have no video. `nsfw`: the video is withheld.
    `clip_status`: what an uploaded clip becomes after one PENDING.
    """

    provider = "leonardo"

    @staticmethod
    def failure(message: str, code: str) -> Any:
        """Two labels of the moderation."""
        return [message, code]

    late_url = 0
    nsfw = False
    clip_status = "COMPLETE"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.uploads: dict[str, Upload] = {}

    def handle(self, request: Request) -> Answer:
        if request.path.startswith("/storage/"):
            return self._store(request)
        if not request.path.startswith(f"{BASE}/"):
            page = b"<html><head><title>403 Forbidden</title></head></html>"
            return Answer(403, body=page, headers={"content-type": "text/html"})
        if not self.authorized(request):
            return error(401, "access-denied", "Authentication hook unauthorized this request")
        try:
            return self._api(request.method, request.path.removeprefix(BASE), request.json)
        except Wrong as wrong:
            return error(400, "validation-failed", str(wrong))

    def _api(self, method: str, path: str, body: Any) -> Answer:
        match [method, *path.strip("/").split("/")]:
            case ["POST", "v1", "init-image"]:
                upload = self._announce("image", body, PICTURES)
                granted = {"id": upload.id, "key": upload.fields["key"], **self._form(upload)}
                return Answer(json={"uploadInitImage": granted})
            case ["POST", "v1", "media"]:
                upload = self._announce("video", body, CLIPS)
                granted = {"uploadId": upload.id, **self._form(upload)}
                return Answer(json={"uploadMedia": granted})
            case ["GET", "v1", "media", upload_id] if upload_id in self.uploads:
                return Answer(json={"uploaded_media_by_pk": self._clip_state(upload_id)})
            case ["GET", "v1", "me"]:
                user = {"id": UUID.format(n=1), "username": "koala"}
                tokens = {"apiPaidTokens": 1000, "apiSubscriptionTokens": 250}
                return Answer(json={"user_details": [{"user": user, **tokens}]})
            case ["POST", "v2", "generations"]:
                return self._create(body)
            case ["GET", "v1", "generations", task_id]:
                task = self.tasks.get(task_id)
                return Answer(json={"generations_by_pk": self._state(task) if task else None})
        return error(404, "not-found", f"There is no {method} {path}.")

    # ---------------------------------------------------------------------------------- uploads

    def _announce(self, kind: str, body: Any, extensions: dict[str, bytes]) -> Upload:
        _object(body, "$", {"extension"})
        extension = body.get("extension")
        if extension not in extensions:
            raise Wrong("invalid file extension")
        number = len(self.uploads) + 1000
        key = f"uploads/{number}.{extension}"
        fields = {"key": key, "policy": f"policy-{number}", "x-amz-signature": f"signed-{number}"}
        upload = Upload(UUID.format(n=number), kind, extension, fields)
        self.uploads[upload.id] = upload
        return upload

    def _form(self, upload: Upload) -> dict[str, str]:
        return {"url": f"{self.url}/storage/", "fields": json.dumps(upload.fields)}

    def _store(self, request: Request) -> Answer:
        """The storage host: every granted field first, in any order, then the file, last."""
        form = request.form
        fields = {name: data.decode() for name, file_name, data in form if file_name is None}
        upload = next((each for each in self.uploads.values() if each.fields == fields), None)
        if request.method != "POST" or "authorization" in request.headers:
            return storage_error(400, "Only one auth mechanism allowed")
        if upload is None:
            return storage_error(403, "Invalid according to Policy")
        name, file_name, data = form[-1]
        if name != "file" or not file_name or len(form) != len(fields) + 1:
            return storage_error(400, "POST requires exactly one file upload per request.")
        if {**PICTURES, **CLIPS}[upload.extension] not in data[:12]:
            return storage_error(400, f"This is no {upload.extension}.")
        upload.data = data
        return Answer(204)

    def _clip_state(self, upload_id: str) -> dict[str, Any]:
        upload = self.uploads[upload_id]
        upload.polls += 1
        status = "PENDING" if upload.polls == 1 else self.clip_status
        reason = "The clip is too long." if status == "FAILED" else None
        return {"id": upload_id, "status": status, "statusReason": reason, "mediaType": "VIDEO"}

    # ------------------------------------------------------------------------------ generations

    def _create(self, body: Any) -> Answer:
        _object(body, "$", {"model", "public", "parameters"})
        if body.get("model") not in ("seedance-2.0", "seedance-2.0-fast", "seedance-2.0-mini"):
            raise Wrong(f"Model {body.get('model')} is not supported within the Production API")
        if not isinstance(body.get("public", False), bool):
            raise Wrong("Expected a boolean for type Boolean")
        self._check_parameters(body.get("parameters"))
        task = self.accept(body, UUID)
        cost = {"amount": "0.75", "unit": "DOLLARS"}
        answer = {"generationId": task.id, "apiCreditCost": None, "cost": cost}
        return Answer(json={"generate": answer})

    def _check_parameters(self, given: Any) -> None:
        _object(given, "$.parameters", {"guidances", "width", "height", "mode", *CHECKS})
        if "prompt" not in given:
            raise Wrong("prompt is required.")
        for name, check in CHECKS.items():
            if name in given and not check(given[name]):
                raise Wrong(f"Invalid value for {name}.")
        guidances = given.get("guidances", {})
        self._check_guidances(guidances)
        mode = given.get("mode", "RESOLUTION_720")
        size = (given.get("width", 1280), given.get("height", 720))
        allowed = [*SIZES.get(mode, ()), *([(0, 0)] if "start_frame" in guidances else [])]
        if size not in allowed or bool in map(type, size):
            raise Wrong(f"Invalid dimensions {size} for {mode}.")

    def _check_guidances(self, guidances: Any) -> None:
        _object(guidances, "$.parameters.guidances", set(GUIDANCES))
        for name, items in guidances.items():
            kind, most = GUIDANCES[name]
            if not isinstance(items, list) or not 1 <= len(items) <= most:
                raise Wrong(f"{name} takes 1 to {most} items.")
            for item in items:
                self._check_item(item, kind)
        frames = {"start_frame", "end_frame"} & set(guidances)
        if frames == {"end_frame"}:
            raise Wrong("end_frame requires start_frame.")
        if frames and frames != set(guidances):
            raise Wrong("References are incompatible with start_frame and end_frame.")

    def _check_item(self, item: Any, kind: str) -> None:
        _object(item, "guidance", {kind})
        medium = item.get(kind)
        _object(medium, kind, {"id", "type"})
        if medium.get("type") == "GENERATED" and re.fullmatch(r"[0-9a-f-]{36}", str(medium["id"])):
            return
        upload = self.uploads.get(medium.get("id"))
        if medium.get("type") != "UPLOADED" or upload is None or upload.kind != kind:
            raise Wrong(f"Invalid {kind} {medium}.")
        if upload.data is None or (kind == "video" and upload.polls < 2):
            raise Wrong(f"The {kind} {upload.id} is not ready.")

    def _state(self, task: Task) -> dict[str, Any]:
        parameters = task.body["parameters"]
        state: dict[str, Any] = {
            "id": task.id,
            "status": "PENDING",
            "prompt": parameters["prompt"],
            "seed": parameters.get("seed", -1),
            "generated_images": [],
            "prompt_moderations": [],
        }
        if not self.done(task):
            return state
        if self.fail_with is not None:
            labels = {"moderationClassification": self.fail_with}
            return {**state, "status": "FAILED", "prompt_moderations": [labels]}
        still = {"id": UUID.format(n=9), "url": f"{self.url}/results/still.jpg"}
        video = {**still, "motionMP4URL": self.result_url, "nsfw": False}
        if self.nsfw or task.polls <= self.polls_until_done + self.late_url:
            video.update(motionMP4URL=None, nsfw=self.nsfw)
        return {**state, "status": "COMPLETE", "generated_images": [video]}


# Guidance by name: the kind of its items, and how many there may be.
GUIDANCES = {
    "start_frame": ("image", 1),
    "end_frame": ("image", 1),
    "image_reference": ("image", 4),
    "video_reference_base": ("video", 3),
}


def _is_integer(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and low <= value <= high


CHECKS: dict[str, Callable[[Any], bool]] = {
    "prompt": lambda value: isinstance(value, str) and 0 < len(value) <= 1500,
    "duration": _is_integer(4, 15),
    "seed": _is_integer(-1, 2**32 - 1),
    "motion_has_audio": lambda value: isinstance(value, bool),
    "prompt_enhance": lambda value: value in ("ON", "OFF"),
    "quantity": _is_integer(1, 1),
}


def _object(value: Any, path: str, known: set[str]) -> None:
    if not isinstance(value, dict):
        raise Wrong(f"Expected an object at {path}.")
    if unknown := set(value) - known:
        raise Wrong(f"Unexpected {sorted(unknown)} at {path}.")


def error(status: int, code: str, message: str) -> Answer:
    """An error in Leonardo's shape."""
    return Answer(status, json={"error": message, "path": "$", "code": code})


def storage_error(status: int, message: str) -> Answer:
    """An error in the shape of the storage host."""
    body = f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
    return Answer(status, body=body.encode(), headers={"content-type": "application/xml"})
