"""Preview: offline and free. A placeholder clip is rendered on this computer.

A provider like the others: these flows speak to `preview://local`, which the package `preview`
answers inside the process. So an order can be tried from end to end, with the real sizes, lengths
and media, before it costs anything.
"""

from __future__ import annotations

from typing import Any

from ..errors import Refused
from ..money import Money
from ..order import (
    FINALS,
    LONGEST_SECONDS,
    MODELS,
    MODES,
    MOST_CLIPS,
    MOST_IMAGES,
    MOST_SOUNDS,
    RATIOS,
    RESOLUTIONS,
    SIZES,
    Order,
)
from ..wire import (
    Blob,
    Call,
    CannotCancel,
    Delivered,
    Done,
    Expired,
    Failed,
    Flow,
    Limits,
    MediaLimits,
    ModelLimits,
    Provider,
    Reply,
    Running,
    Status,
    TaskCancelled,
    Ticket,
    Uploaded,
    number_at,
    text_at,
)

KEPT_SECONDS = 7 * 24 * 3600.0
FREE = Money(0.0, "USD")


def _model(model_id: str) -> ModelLimits:
    return ModelLimits(
        id=model_id,
        modes=MODES,
        resolutions=RESOLUTIONS,
        ratios=tuple(ratio for ratio in RATIOS if ratio != "adaptive"),
        durations=(4, LONGEST_SECONDS),
        adaptive=MODES,
        auto_duration=True,
        prompt_optional=MODES - {"text"},
        sizes=SIZES,
        images=MOST_IMAGES,
        videos=MOST_CLIPS,
        audios=MOST_SOUNDS,
        audio_alone=True,
        edit_images=MOST_IMAGES,
        drafts=MODES,
        web_search=MODES,
        finals=FINALS,
        watermark=True,
        camera_fixed=True,
        keeps_audio=True,
    )


def _done(task: dict[str, Any]) -> Done:
    seed = number_at(task, "seed")
    return Done(
        text_at(task, "video_url") or None,
        cost=FREE,
        seed=None if seed is None else int(seed),
    )


def _failed(task: dict[str, Any]) -> Failed:
    return Failed(text_at(task, "error", "message"), billed="no")


class Preview(Provider):
    """The offline preview."""

    id = "preview"
    name = "Preview (offline, free)"
    key_variable = None
    default_base_url = "preview://local"
    options = ("seconds",)  # how long a task takes at least, for tests and demonstrations
    cancel_is_free = True
    limits = Limits(
        models={model: _model(model) for model in MODELS},
        delivery={
            "image": ("upload", "address"),
            "video": ("upload", "address"),
            "audio": ("upload", "address"),
        },
        image=MediaLimits(("image/png", "image/jpeg", "image/webp", "image/bmp", "image/tiff")),
        video=MediaLimits(("video/mp4", "video/quicktime", "video/webm", "video/x-matroska")),
        audio=MediaLimits(("audio/mpeg", "audio/wav", "audio/mp4", "audio/flac", "audio/ogg")),
        concurrent=8,
        poll_interval=0.5,
        result_life=KEPT_SECONDS,
        task_life=KEPT_SECONDS,
        draft_life=KEPT_SECONDS,
    )
    words = {
        "queued": Running(phase="queued"),
        "running": Running(),
        "succeeded": _done,
        "failed": _failed,
        "cancelled": TaskCancelled(),
    }

    def upload(self, blob: Blob) -> Flow[Uploaded]:
        answer = yield from self.ask(Call("POST", self.url("/files"), body=blob))
        return Uploaded(text_at(answer, "url"), number_at(answer, "expires_at"))

    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        body = {
            "model": self.model_id(order),
            "mode": order.mode,
            "prompt": order.prompt,
            "resolution": order.resolution,
            "ratio": order.ratio,
            "duration": order.duration,
            "generate_audio": order.generate_audio,
            "seed": order.seed,
            "watermark": order.watermark,
            "camera_fixed": order.camera_fixed,
            "keep_audio": order.keep_audio,
            "first_frame": delivered.first_frame,
            "last_frame": delivered.last_frame,
            "images": list(delivered.images),
            "videos": list(delivered.videos),
            "audios": list(delivered.audios),
            "video": delivered.video,
            "seconds": number_at(dict(self.config.options), "seconds") or 0.0,
            **({"draft": True} if order.draft else {}),
            **({"web_search": True} if order.web_search else {}),
        }
        return (yield from self.create(self.url("/tasks"), body, self.extra(order)))

    def finish(self, order: Order, draft: Ticket) -> Flow[Ticket]:
        body = {"draft_of": draft.opaque, "resolution": order.resolution}
        reply = yield self.paid_call(self.url("/tasks"), body, {})
        if reply.status == 404:
            raise Refused(
                "There is no draft {draft} on this machine.",
                hint="Its ticket is in: seedance tasks. A draft can be finished with the home "
                "(SEEDANCE_HOME) that made it. If the folder preview there was deleted, make the "
                "draft again: it is free.",
                draft=draft,
            )
        return self.ticket(reply)

    def ticket(self, reply: Reply) -> Ticket:
        return Ticket.issue(self.id, self.read(reply).get("id"), FREE)

    def check(self, ticket: Ticket) -> Flow[Status]:
        reply = yield Call("GET", self.url(f"/tasks/{ticket.opaque}"))
        if reply.status == 404:
            return Expired()
        task = self.read(reply)
        return self.standing(task, number_at(task, "progress"))

    def cancel(self, ticket: Ticket) -> Flow[TaskCancelled | CannotCancel]:
        return self.cancelled((yield Call("DELETE", self.url(f"/tasks/{ticket.opaque}"))))

    def estimate(self, order: Order, clip_seconds: float | None = None) -> Money | None:
        return FREE
