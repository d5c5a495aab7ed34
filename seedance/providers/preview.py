"""Preview: offline and free. A placeholder clip is rendered on this computer.

A provider like the others: these flows speak to `preview://local`, which the package `preview`
answers inside the process. So an order can be tried from end to end, with the real sizes, lengths
and media, before it costs anything.
"""

from __future__ import annotations

from ..money import Money
from ..order import MODELS, RATIOS, RESOLUTIONS, SIZES, Mode, Order
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
    Running,
    Status,
    TaskCancelled,
    Ticket,
    Uploaded,
    error_text,
    number_at,
    plain_word,
    text_at,
)

KEPT_SECONDS = 7 * 24 * 3600.0
MODES: frozenset[Mode] = frozenset(("text", "image", "frames", "reference", "edit", "extend"))


def _model(model_id: str) -> ModelLimits:
    return ModelLimits(
        id=model_id,
        modes=MODES,
        resolutions=RESOLUTIONS,
        ratios=tuple(ratio for ratio in RATIOS if ratio != "adaptive"),
        durations=(4, 30),
        adaptive=MODES,
        auto_duration=True,
        prompt_optional=MODES - {"text"},
        sizes=SIZES,
        images=30,
        videos=10,
        audios=10,
        audio_alone=True,
        edit_images=30,
        watermark=True,
        camera_fixed=True,
        keeps_audio=True,
    )


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
    )

    def upload(self, blob: Blob) -> Flow[Uploaded]:
        reply = yield Call("POST", self.url("/files"), body=blob)
        if not reply.ok:
            raise self.explain(reply)
        answer = reply.object()
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
        }
        reply = yield Call("POST", self.url("/tasks"), json=body, spends=True)
        if not reply.ok:
            raise self.explain(reply)
        return Ticket.issue(self.id, text_at(reply.object(), "id"), self.estimate(order))

    def check(self, ticket: Ticket) -> Flow[Status]:
        reply = yield Call("GET", self.url(f"/tasks/{ticket.opaque}"))
        if reply.status == 404:
            return Expired()
        if not reply.ok:
            raise self.explain(reply)
        task = reply.object()
        word = plain_word(task.get("status"))
        if word == "succeeded":
            seed = number_at(task, "seed")
            return Done(
                text_at(task, "video_url") or None,
                cost=Money(0.0, "USD"),
                seed=None if seed is None else int(seed),
            )
        if word == "failed":
            return Failed(text_at(task, "error", "message"), billed="no")
        if word == "cancelled":
            return TaskCancelled()
        return Running(number_at(task, "progress"), "queued" if word == "queued" else "rendering")

    def cancel(self, ticket: Ticket) -> Flow[TaskCancelled | CannotCancel]:
        reply = yield Call("DELETE", self.url(f"/tasks/{ticket.opaque}"))
        if reply.ok:
            return TaskCancelled()
        return CannotCancel(f"The preview was not cancelled: {error_text(reply)}")

    def estimate(self, order: Order) -> Money | None:
        return Money(0.0, "USD")
