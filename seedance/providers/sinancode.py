"""SinanCode: Seedance on Volcano Engine. Source: seed 002, docs.sinancode.com."""

from __future__ import annotations

from ..order import CLIP_TASKS, MODES, Order
from ..said import say
from ..wire import (
    Blob,
    Call,
    Delivered,
    FilePart,
    Flow,
    Limits,
    MediaLimits,
    ModelLimits,
    Source,
    Ticket,
    Uploaded,
    given,
    unix_seconds,
)
from ._relay import Relay


def _model(model_id: str) -> ModelLimits:
    return ModelLimits(
        id=model_id,
        modes=MODES - CLIP_TASKS,
        resolutions=("480p", "720p"),
        ratios=("16:9", "4:3", "1:1", "3:4", "9:16", "21:9"),
        durations=(4, 15),  # the schema's -1..15 would let 0 to 3 pass, its text does not
        adaptive=MODES - CLIP_TASKS,
        auto_duration=True,
        prompt_max=2000,
        prompt_optional=frozenset(("reference",)),
        images=9,
        seed=False,
        watermark=True,
        sources=(Source("docs.sinancode.com/en/api-reference/endpoint/seedance-2-0", "2026-11"),),
    )


class SinanCode(Relay):
    """SinanCode (seed 002)."""

    id = "sinancode"
    name = "SinanCode"
    key_variable = "SINANCODE_API_KEY"
    key_page = "https://docs.sinancode.com"
    where_to_look = say(
        "SinanCode documents no list of tasks: look at the history or the balance on its site."
    )
    default_base_url = "https://api.sinancode.com"
    default_upload_url = "https://files-api.sinancode.com"
    limits = Limits(
        models={"seedance-2.0": _model("standard"), "seedance-2.0-fast": _model("fast")},
        delivery={"image": ("upload", "address")},
        # The size is that of the file host (docs.sinancode.com, upload-file).
        image=MediaLimits(("image/png", "image/jpeg", "image/webp"), max_bytes=50 * 2**20),
        poll_interval=5.0,
    )

    def upload(self, blob: Blob) -> Flow[Uploaded]:
        url = self.upload_url("/api/upload/file")
        reply = yield Call("POST", url, file=FilePart("file", blob))
        file = self.part(reply, "url")
        return Uploaded(file["url"], unix_seconds(file.get("expires_at")))

    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        body = {
            "model": self.model_id(order),
            "duration": order.duration,
            "ratio": order.ratio,
            "resolution": order.resolution,
            "generate_audio": order.generate_audio,
            "watermark": order.watermark,
            # reference_images is "required" in the generated schema and "optional" in its text,
            # which also excludes it beside frames: the text holds.
            **given(
                prompt=order.prompt.strip() and order.prompt,
                first_frame=delivered.first_frame,
                last_frame=delivered.last_frame,
                reference_images=list(delivered.images),
            ),
        }
        url = self.url("/v1/generate/vol/seedance-2.0")
        return (yield from self.create(url, body, self.extra(order)))
