"""A fake OpenRouter: the request and response classes of its Python SDK, openrouter.ai/docs, and
its list of video models as it was on 2026-10-09.

What is to be fetched with the key is refused without it; what needs none turns the key away.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from . import Answer, Fake, Request, Task, ranged
from ._fields import Check, address, boolean, integer, one_of, picture, text, wrong

BASE = "/api/v1"
RATIOS = ["16:9", "4:3", "1:1", "3:4", "9:16", "21:9"]


def model(
    name: str, resolutions: list[str], longest: int, skus: dict[str, str], *ratios: str
) -> dict[str, Any]:
    """An item of the list."""
    return {
        "id": f"bytedance/{name}",
        "canonical_slug": f"bytedance/{name}-20260807",
        "supported_resolutions": resolutions,
        "supported_aspect_ratios": [*RATIOS, *ratios],
        "supported_durations": list(range(4, longest + 1)),
        "supported_sizes": ["1280x720"],
        "supported_frame_images": ["first_frame", "last_frame"],
        "generate_audio": True,
        "seed": True,
        "pricing_skus": skus,
        "allowed_passthrough_parameters": ["watermark", "req_key"],
    }


SMALL = ["480p", "720p"]
MODELS = [
    {"id": "google/veo-3.1", "supported_resolutions": ["720p"], "pricing_skus": {}},
    model(
        "seedance-2.0",
        [*SMALL, "1080p", "4K"],
        15,
        {
            "video_tokens": "0.000007",
            "video_tokens_4k": "0.000004",
            "video_tokens_1080p": "0.0000077",
            "video_tokens_without_audio": "0.000007",
            "video_tokens_with_video_input": "0.0000043",
            "video_tokens_4k_with_video_input": "0.0000024",
            "video_tokens_1080p_with_video_input": "0.0000047",
        },
        "9:21",
    ),
    model("seedance-2.0-fast", SMALL, 15, {"video_tokens": "0.0000042"}, "9:21"),
    model("seedance-2.0-mini", SMALL, 15, {"video_tokens": "0.0000035"}, "9:21"),
    model(
        "seedance-2.5",
        SMALL,
        30,
        {"video_tokens": "0.0000107", "video_tokens_with_video_input": "0.0000064"},
    ),
    model("seedance-2.5-flash", SMALL, 30, {"video_tokens": "0.000007"}),
]


def frame(value: Any) -> bool:
    """An item of `frame_images`."""
    return (
        isinstance(value, dict)
        and value.keys() == {"type", "image_url", "frame_type"}
        and value["type"] == "image_url"
        and value["frame_type"] in ("first_frame", "last_frame")
        and isinstance(value["image_url"], dict)
        and value["image_url"].keys() == {"url"}
        and picture(value["image_url"]["url"])
    )


def reference(value: Any) -> bool:
    """An item of `input_references`."""
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in ("image_url", "video_url", "audio_url") or value.keys() != {"type", kind}:
        return False
    inner = value[kind]
    allowed = picture if kind == "image_url" else address
    return isinstance(inner, dict) and inner.keys() == {"url"} and allowed(inner["url"])


def several(check: Check) -> Check:
    """A list of one or more."""
    return lambda value: isinstance(value, list) and bool(value) and all(map(check, value))


class FakeOpenRouter(Fake):
    """`fail_with`: the `error` text of a failed video. `vendor_address`: whether a finished video
    has `unsigned_urls`; `vendor_works`: whether they lead anywhere. `listed`: the models."""

    provider = "openrouter"
    vendor_address = True
    vendor_works = True

    @property
    def result_url(self) -> str:
        """The address at the vendor's, which needs no key."""
        return f"{self.url}/vendor/clip.mp4"

    @staticmethod
    def failure(message: str, code: str) -> Any:
        """A failed video has one text and no code."""
        return message

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.listed: list[dict[str, Any]] = copy.deepcopy(MODELS)

    def handle(self, request: Request) -> Answer:
        if request.path == "/vendor/clip.mp4":
            return self._vendor(request)
        if (request.method, request.path) == ("GET", f"{BASE}/videos/models"):
            return Answer(json={"data": self.listed})
        if not self.authorized(request):
            return error(401, "Missing Authentication header")
        if (request.method, request.path) == ("GET", f"{BASE}/key"):
            label = "sk-or-v1-0e6...1c9"
            return Answer(json={"data": {"label": label, "limit_remaining": 12.5, "usage": 37.5}})
        if (request.method, request.path) == ("POST", f"{BASE}/videos"):
            return self._create(request.json)
        one = re.fullmatch(rf"{BASE}/videos/([^/]+)(/content)?", request.path)
        task = self.tasks.get(one[1]) if one else None
        if one is None or task is None or request.method != "GET":
            return error(404, "Resource not found")
        if one[2]:
            if request.query != {"index": "0"} or self._word(task) != "completed":
                return error(404, "Resource not found")
            return ranged(request, self.clip, "video/mp4")
        self.done(task)
        return Answer(json=self._show(task))

    def _vendor(self, request: Request) -> Answer:
        if "authorization" in request.headers:  # the object store takes its own signature only
            return Answer(400, body=b"<Error><Code>InvalidArgument</Code></Error>")
        if not self.vendor_works:
            return Answer(403, body=b"<Error><Code>AccessDenied</Code></Error>")
        return ranged(request, self.clip, "video/mp4")

    def _create(self, body: Any) -> Answer:
        item = next(
            (
                each
                for each in self.listed
                if isinstance(body, dict) and each["id"] == body.get("model")
            ),
            None,
        )
        if item is None:
            return error(404, "No endpoints found for this model")
        seconds = item["supported_durations"]
        checks: dict[str, Check] = {
            "model": text(),
            "prompt": text(),
            "resolution": one_of(*item["supported_resolutions"]),
            "aspect_ratio": one_of(*item["supported_aspect_ratios"]),
            "duration": integer(min(seconds), max(seconds)),
            "generate_audio": boolean,
            "seed": integer(0, 2**32 - 1),
            "frame_images": several(frame),
            "input_references": several(reference),
            "provider": lambda value: isinstance(value, dict),
            "callback_url": address,
        }
        if reason := wrong(body, checks, ("model", "prompt")):
            return error(400, reason)
        kinds = [each["frame_type"] for each in body.get("frame_images", [])]
        if kinds not in ([], ["first_frame"], ["first_frame", "last_frame"]):
            return error(400, "frame_images: a first frame, or a first and a last one")
        task = self.accept(body, "gen-vid-1767225600-{n:020d}")
        polling = f"{self.url}{BASE}/videos/{task.id}"
        return Answer(202, json={"id": task.id, "polling_url": polling, "status": "pending"})

    def _word(self, task: Task) -> str:
        if task.polls <= self.polls_until_done:
            return "pending" if task.polls <= 1 else "in_progress"
        return "failed" if self.fail_with else "completed"

    def _show(self, task: Task) -> dict[str, Any]:
        word = self._word(task)
        shown: dict[str, Any] = {
            "id": task.id,
            "polling_url": f"{self.url}{BASE}/videos/{task.id}",
            "status": word,
        }
        if word == "failed":
            shown["error"] = self.fail_with
        if word == "completed":
            shown["usage"] = {"cost": 0.756, "is_byok": False}
            if self.vendor_address:
                shown["unsigned_urls"] = [self.result_url]
        return shown


def error(status: int, message: str) -> Answer:
    """An error in OpenRouter's shape."""
    return Answer(status, json={"error": {"code": status, "message": message}})
