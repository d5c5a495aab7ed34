"""fal: a queue before every model. Sources: docs.fal.ai, and the model pages of
bytedance/seedance-2.0. The mode is part of the model's path.
"""

from __future__ import annotations

from ..errors import OddReply, Refused
from ..money import Money
from ..order import SIZES, Order
from ..wire import Blob, Call, Flow, Uploaded, text_at
from ._ark_limits import FRAMES_A_SECOND, SIZES_25
from ._fal import QUEUE, Queue
from ._fal_limits import LIMITS
from ._fal_prices import PRICES


class Fal(Queue):
    """fal.ai."""

    id = "fal"
    name = "fal"
    key_variable = "FAL_KEY"
    key_page = "https://fal.ai/dashboard/keys"
    default_base_url = QUEUE
    default_upload_url = "https://rest.fal.ai"
    limits = LIMITS

    def upload(self, blob: Blob) -> Flow[Uploaded]:
        place = yield from self.ask(
            Call(
                "POST",
                self.upload_url("/storage/upload/initiate"),
                json={"content_type": blob.mime, "file_name": blob.name},
                query={"storage_type": "fal-cdn-v3"},
            )
        )
        upload_url, file_url = text_at(place, "upload_url"), text_at(place, "file_url")
        if not upload_url or not file_url:
            raise OddReply("fal's storage did not say where to upload the file.")
        stored = yield Call("PUT", upload_url, body=blob, auth=False)
        if not stored.ok:
            raise Refused(f"fal's storage did not take the file (HTTP {stored.status}).")
        return Uploaded(file_url)

    def estimate(self, order: Order, clip_seconds: float | None = None) -> Money | None:
        """The price by tokens. A length that the model decides is counted at its longest."""
        model = self.model(order)
        price = PRICES.get(order.model, {}).get(order.resolution)
        if price is None:
            return None
        seconds = float(model.durations[1] if order.duration == -1 else order.duration)
        per_token = price.per_1000 / 1000
        if order.video is not None or order.of_kind("video"):
            limits = self.limits.of("video", order.model)
            longest = limits.total_seconds[1] if limits and limits.total_seconds else 0.0
            seconds += longest if clip_seconds is None else clip_seconds
            per_token *= price.with_clip
        sizes = (SIZES_25 if "2.5" in order.model else SIZES)[order.resolution]
        width, height = sizes.get(order.ratio, sizes["16:9"])
        tokens = seconds * width * height * FRAMES_A_SECOND / 1024
        return Money(round(tokens * per_token, 4), "USD", estimated=True, as_of=price.as_of)
