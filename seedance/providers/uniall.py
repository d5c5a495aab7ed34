"""UniAll, and gateways that speak the same API. Source: seed 001 (docs.uniall.ai).

The document shows one finished status answer and neither
the create's answer nor an error, so both are read in every shape that relay software with these
routes is known to give (new-api and its forks).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import Refused
from ..order import Kind, Mode, Order
from ..said import say
from ..wire import (
    Call,
    Delivered,
    Delivery,
    Done,
    Expired,
    Flow,
    Limits,
    MediaLimits,
    ModelLimits,
    Running,
    Source,
    Status,
    Ticket,
    Words,
    address,
    dig,
    given,
)
from ._openai import GENERATIONS as CREATE_PATH
from ._openai import Routes, is_no_route
from ._relay import failed, reserved_credits, video_address

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


def _done(task: dict[str, Any]) -> Done:
    return Done(_video_url(task), _last_frame_url(task), reserved_credits(task))


def _video_url(task: dict[str, Any]) -> str | None:
    holders = list(_holders(task))
    for holder in holders:
        for found in (dig(holder, "video_url"), dig(holder, "result_url"), dig(holder, "outputs")):
            if url := video_address(found):
                return url
    nested = map(address, holders[1:])
    # Older relay software puts the address of a finished video where a failure has its reason.
    return next(filter(None, nested), None) or address(task.get("fail_reason"))


def _last_frame_url(task: dict[str, Any]) -> str | None:
    """No document says where: at the top, or beside the video."""
    found = (address(dig(holder, "last_frame_url")) for holder in _holders(task))
    return next(filter(None, found), None)


def _holders(task: dict[str, Any]) -> Iterator[Any]:
    """What may hold a task's addresses: itself, or an object inside it."""
    inner = (task, dig(task, "data"))
    yield from inner
    for holder in inner:
        for name in ("result", "metadata", "content"):
            yield dig(holder, name)


# Seed 001 shows `completed`; the rest is of its sibling pages and of the relay software with these
# routes (new-api and its forks).
WORDS: Words = {
    "not_start": Running(phase="queued"),
    "submitted": Running(phase="queued"),
    "queued": Running(phase="queued"),
    "in_progress": Running(),
    "completed": _done,
    "success": _done,
    "succeeded": _done,
    "failed": failed,
    "failure": failed,
    "expired": Expired(),
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
        sources=(Source("docs.uniall.ai/models/video/seedance-2-0", "2026-11"),),
    )


class UniAll(Routes):
    """UniAll (seed 001)."""

    id = "uniall"
    name = "UniAll"
    key_variable = "UNIALL_API_KEY"
    key_page = "https://docs.uniall.ai"
    where_to_look = say(
        "UniAll documents no list of tasks: look at the history or the balance on its site."
    )
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

    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        chosen = self.config.options.get("create_path")
        url = self.url(f"/{chosen.lstrip('/')}" if chosen else CREATE_PATH)
        body = self._body(order, delivered)
        call = self.paid_call(url, body, self.extra(order), others=OTHER_NAMES)
        # Seed 001: some clients see the plural path.
        others = () if chosen else (self.url(PLURAL_CREATE_PATH),)
        reply = yield from self.paid(call, *others)
        if others and is_no_route(reply):
            raise Refused(
                "{address} has neither {path} nor {other} (HTTP {status}).",
                hint="Check SEEDANCE_UNIALL_BASE_URL, or set SEEDANCE_UNIALL_CREATE_PATH.",
                address=self.url(""),
                path=CREATE_PATH,
                other=PLURAL_CREATE_PATH,
                status=reply.status,
            )
        return self.ticket(reply)

    def _body(self, order: Order, delivered: Delivered) -> dict[str, Any]:
        switches: dict[str, Any] = {
            "generate_audio": order.generate_audio,
            "seed": order.seed,
            "watermark": order.watermark,
            "return_last_frame": True,  # lossless, unlike one taken from the clip
            # Only where it is on, because the model behind it may refuse the field.
            **given(camera_fixed=order.camera_fixed or None, operation=OPERATIONS.get(order.mode)),
        }
        source = [delivered.video] if delivered.video else []
        return {
            "model": self.model_id(order),
            "prompt": order.prompt,
            "duration": order.duration,
            "extra_body": switches,  # literally nested, as in the curl examples of seed 001
            **given(
                aspect_ratio=None if order.ratio == "adaptive" else order.ratio,
                image=delivered.first_frame,
                last_image=delivered.last_frame,
                images=list(delivered.images),
                videos=[*source, *delivered.videos],
                audios=list(delivered.audios),
            ),
        }

    def check(self, ticket: Ticket) -> Flow[Status]:
        return self.status((yield Call("GET", self.url(f"/v1/videos/{ticket.opaque}"))))
