"""AIHubMax. Sources: seed 004 (values and limits), its OpenAPI as restated in cookaihq/aihub-mcp
(names, routes, reference mode, upload).
"""

from __future__ import annotations

from typing import Any

from ..money import Money
from ..order import CLIP_TASKS, MODES, Order
from ..said import say
from ..wire import (
    Balance,
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
    dig,
    given,
    number_at,
    text_at,
    unix_seconds,
)
from ._relay import MODE_NAMES, Relay

UPLOAD_LIFE = 72 * 3600  # seconds
# The protection before the upload host turns clients away that do not look like a browser.
USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)


def _model(model_id: str) -> ModelLimits:
    return ModelLimits(
        id=model_id,
        modes=MODES - CLIP_TASKS,
        resolutions=("480p", "720p"),
        ratios=("16:9", "4:3", "1:1", "3:4", "9:16", "21:9"),
        durations=(4, 15),
        adaptive=MODES - CLIP_TASKS,
        auto_duration=True,
        prompt_max=5000,
        images=9,
        videos=3,
        audios=3,
        total=12,
        sources=(Source("docs.aihubmax.com, its OpenAPI in cookaihq/aihub-mcp", "2026-07-16"),),
    )


class AIHubMax(Relay):
    """AIHubMax (seed 004)."""

    id = "aihubmax"
    name = "AIHubMax"
    key_variable = "AIHUBMAX_API_KEY"
    key_page = "https://aihubmax.com"
    where_to_look = say(
        "AIHubMax documents no list of tasks: look whether the credits on its site became fewer."
    )
    default_base_url = "https://api.aihubmax.com"
    limits = Limits(
        models={
            "seedance-2.0": _model("seedance-2.0-{mode}"),
            "seedance-2.0-fast": _model("seedance-2.0-fast-{mode}"),
        },
        delivery={
            "image": ("upload", "address"),
            "video": ("upload", "address"),
            "audio": ("upload", "address"),
        },
        image=MediaLimits(("image/png", "image/jpeg", "image/webp"), max_bytes=30 * 2**20),
        video=MediaLimits(
            ("video/mp4", "video/quicktime"), max_bytes=50 * 2**20, total_seconds=(2.0, 15.0)
        ),
        # 15 s: the source does not say whether of each or of all, so only each is held to it.
        audio=MediaLimits(("audio/mpeg", "audio/wav"), max_bytes=15 * 2**20, seconds=(0.0, 15.0)),
        poll_interval=5.0,
        result_life=24 * 3600,
    )

    def upload(self, blob: Blob) -> Flow[Uploaded]:
        reply = yield Call(
            "POST",
            self.url("/v1/files/upload/stream"),
            form=[("file_name", blob.name)],
            file=FilePart("file", blob),
            headers={"User-Agent": USER_AGENT},
        )
        file = self.part(reply, "url")
        created = unix_seconds(file.get("created"))
        return Uploaded(file["url"], created + UPLOAD_LIFE if created else None)

    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        body = {
            "model": self.model_id(order, MODE_NAMES[order.mode]),
            "prompt": order.prompt,
            "resolution": order.resolution,
            "aspect_ratio": order.ratio,
            "duration": order.duration,
            "generate_audio": order.generate_audio,
            "seed": order.seed,
            **given(
                image_url=delivered.first_frame,
                end_image_url=delivered.last_frame,
                image_urls=list(delivered.images),
                video_urls=list(delivered.videos),
                audio_urls=list(delivered.audios),
            ),
        }
        # EvoLink, whose routes are the same, calls it so.
        others = {"quality": "resolution"}
        url = self.url("/v1/videos/generations")
        return (yield from self.create(url, body, self.extra(order), others=others))

    def probe_key(self) -> Flow[Balance]:
        """Reads the account's credits; the shape of that answer is published nowhere."""
        body = yield from self.ask(Call("GET", self.url("/v1/account/credits")))
        account = body["data"] if isinstance(body.get("data"), dict) else body
        names = ("email", "username", "name")
        who = next(filter(None, (text_at(account, name) for name in names)), "")
        return Balance(who or say("{provider} account", provider=self.name), _credits_left(account))


def _credits_left(account: dict[str, Any]) -> Money | None:
    for holder in (account, dig(account, "credits")):
        for name in ("remaining", "available", "balance", "credits"):
            if (amount := number_at(holder, name)) is not None:
                return Money(amount, "credits")
    return None
