"""UniAll, and gateways that speak the same API. Source: seed 001 (docs.uniall.ai).

Owns UniAll's fields, routes and limits. The document shows one finished status answer and neither
the create's answer nor an error, so both are read in every shape that relay software with these
routes is known to give (new-api and its forks).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import Refused
from ..order import Kind, Mode, Order
from ..wire import (
    Call,
    Delivered,
    Delivery,
    Flow,
    Limits,
    MediaLimits,
    ModelLimits,
    Reply,
    Status,
    Ticket,
    add_extra,
    address,
    dig,
    error_code,
)
from ._relay import Meaning, Relay, read_status, video_address

CREATE_PATH = "/v1/video/generations"
PLURAL_CREATE_PATH = "/v1/videos/generations"
# The newer page's `content` goes before the flat fields; relay software with these routes also
# takes the others.
OTHER_NAMES = {
    "content": "prompt",
    "seconds": "duration",
    "size": "aspect_ratio",
    "metadata": "extra_body",
}

# For compatible clients (seed 001). Text and a lone first frame need no hint.
OPERATIONS: dict[Mode, str] = {
    "frames": "first_last_frame",
    "reference": "reference_to_video",
    "edit": "edit_video",
    "extend": "extend_video",
}
MODES: frozenset[Mode] = frozenset(("text", "image", *OPERATIONS))

# Seed 001 shows `completed`; the rest is of its sibling pages and of the relay software with these
# routes (new-api and its forks).
WORDS: Mapping[str, Meaning] = {
    "not_start": "queued",
    "submitted": "queued",
    "queued": "queued",
    "in_progress": "running",
    "completed": "done",
    "success": "done",
    "succeeded": "done",
    "failed": "failed",
    "failure": "failed",
    "expired": "expired",
}


def _model(model_id: str, *resolutions: str) -> ModelLimits:
    return ModelLimits(
        id=model_id,
        modes=MODES,
        resolutions=resolutions,
        ratios=("16:9", "1:1", "9:16"),
        durations=(5, 15),
        adaptive=MODES,  # by leaving the field out
        images=9,
        videos=3,
        audios=10,  # no count is documented; these are as many as a node has sockets
        edit_images=9,
        watermark=True,
        camera_fixed=True,
    )


class UniAll(Relay):
    """UniAll (seed 001)."""

    id = "uniall"
    name = "UniAll"
    key_variable = "UNIALL_API_KEY"
    default_base_url = None  # the document has only a placeholder
    options = ("create_path", "data_uris")
    words = WORDS
    limits = Limits(
        models={
            "seedance-2.0": _model("seedance2.0-{resolution}", "480p", "720p", "1080p", "4k"),
            "seedance-2.0-fast": _model("seedance2.0-fast-{resolution}", "480p", "720p"),
            "seedance-2.0-mini": _model("seedance2.0-mini-{resolution}", "480p", "720p"),
        },
        delivery={"image": ("address", "inline"), "video": ("address",), "audio": ("address",)},
        image=MediaLimits(("image/png", "image/jpeg", "image/webp")),
        video=MediaLimits(
            ("video/mp4", "video/quicktime"), seconds=(2.0, 15.0), total_seconds=(2.0, 15.0)
        ),
        audio=MediaLimits(("audio/mpeg", "audio/wav")),
        poll_interval=5.0,
    )

    def delivery(self, kind: Kind) -> tuple[Delivery, ...]:
        """As in `limits`, without data URIs where SEEDANCE_UNIALL_DATA_URIS forbids them."""
        ways = super().delivery(kind)
        if self.config.options.get("data_uris") == "0":
            return tuple(way for way in ways if way != "inline")
        return ways

    def url(self, path: str) -> str:
        """`path`, which begins with /v1, under a base URL that may end with it too."""
        return self.config.base_url.rstrip("/").removesuffix("/v1") + path

    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        body = self._body(order, delivered)
        chosen = self.config.options.get("create_path")
        reply = yield self._create(f"/{chosen.lstrip('/')}" if chosen else CREATE_PATH, body)
        if not chosen and _is_no_route(reply):
            # Seed 001: some clients see the plural path. A missing route has accepted nothing.
            reply = yield self._create(PLURAL_CREATE_PATH, body)
            if _is_no_route(reply):
                raise Refused(
                    f"{self.url('')} has neither {CREATE_PATH} nor {PLURAL_CREATE_PATH} "
                    f"(HTTP {reply.status}).",
                    hint="Check SEEDANCE_UNIALL_BASE_URL, or set SEEDANCE_UNIALL_CREATE_PATH.",
                )
        return self.ticket(reply)

    def _create(self, path: str, body: dict[str, Any]) -> Call:
        return Call("POST", self.url(path), json=body, spends=True)

    def _body(self, order: Order, delivered: Delivered) -> dict[str, Any]:
        switches: dict[str, Any] = {
            "generate_audio": order.generate_audio,
            "seed": order.seed,
            "watermark": order.watermark,
            "return_last_frame": True,  # lossless, unlike one taken from the clip
        }
        if order.camera_fixed:  # only then, because the model behind it may refuse the field
            switches["camera_fixed"] = True
        if order.mode in OPERATIONS:
            switches["operation"] = OPERATIONS[order.mode]
        source = [delivered.video] if delivered.video else []
        body: dict[str, Any] = {
            "model": self.model_id(order),
            "prompt": order.prompt,
            "duration": order.duration,
            "extra_body": switches,  # literally nested, as in the curl examples of seed 001
        }
        optional = {
            "aspect_ratio": "" if order.ratio == "adaptive" else order.ratio,
            "image": delivered.first_frame,
            "last_image": delivered.last_frame,
            "images": list(delivered.images),
            "videos": [*source, *delivered.videos],
            "audios": list(delivered.audios),
        }
        body.update({name: value for name, value in optional.items() if value})
        add_extra(body, order.extra.get(self.id, {}), others=OTHER_NAMES)
        return body

    def check(self, ticket: Ticket) -> Flow[Status]:
        reply = yield Call("GET", self.url(f"/v1/videos/{ticket.opaque}"))
        task = self.part(reply, "status")
        return read_status(task, self.words, _video_url(task), _last_frame_url(task))


def _is_no_route(reply: Reply) -> bool:
    """Whether a create met no route: 404 or 405, unless the answer speaks of an unknown model."""
    return reply.status == 405 or (reply.status == 404 and "model" not in error_code(reply).lower())


def _places(task: dict[str, Any]) -> list[Any]:
    """Where a task may keep its addresses: in itself, or in an object inside it."""
    inner = [task, dig(task, "data")]
    return inner + [
        dig(holder, name) for holder in inner for name in ("result", "metadata", "content")
    ]


def _video_url(task: dict[str, Any]) -> str | None:
    for place in _places(task):
        for found in (dig(place, "video_url"), dig(place, "result_url"), dig(place, "outputs")):
            if url := video_address(found):
                return url
    nested = (address(place) for place in _places(task)[1:])
    # Older relay software puts the address of a finished video where a failure has its reason.
    return next(filter(None, nested), None) or address(task.get("fail_reason"))


def _last_frame_url(task: dict[str, Any]) -> str | None:
    """No document says where: at the top, or beside the video."""
    return next(filter(None, (address(dig(p, "last_frame_url")) for p in _places(task))), None)
