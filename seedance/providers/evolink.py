"""EvoLink: a sibling of AIHubMax with other fields. Sources: docs.evolink.ai,
github.com/Evolink-AI/seedance-2-family-video-gen-skill, and EvoLink's own MCP server
(github.com/EvoLinkAI/evolink-mcp), whose tables are generated from its documents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote, unquote

from ..errors import BadOrder, Moderated, Refused, SeedanceError
from ..money import Money
from ..order import CLIP_TASKS, MODES, Order
from ..said import say
from ..wire import (
    AboutKey,
    Balance,
    Blob,
    Call,
    Delivered,
    Done,
    Expired,
    Failed,
    FilePart,
    Flow,
    Idempotency,
    Limits,
    MediaLimits,
    ModelLimits,
    Reply,
    Source,
    Status,
    TaskCancelled,
    Ticket,
    Uploaded,
    dig,
    error_codes,
    error_text,
    given,
    number_at,
    unix_seconds,
)
from ._ark_limits import SIZES, SIZES_25
from ._price_rules import BadRule, usd
from ._relay import MODE_NAMES, WORDS, Relay, done, failed, refused_part

# USD per second by model and quality: (without, with) a clip among the references. With one, the
# longer of input and output is paid beside the output.
PRICES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "seedance-2.0": {"480p": (0.0919, 0.0560), "720p": (0.1985, 0.1209)},
    "seedance-2.0-fast": {"480p": (0.0745, 0.0443), "720p": (0.1608, 0.0957)},
}
PRICES_AS_OF = "2026-11-20"
# The higher of what is reported; with a clip nothing is.
REPORTED_25: Mapping[str, float] = {"480p": 0.138, "720p": 0.296}
REPORTED_AS_OF = "2026-10, reported"
LONGEST_CLIPS = 15.0
UNFILTERED = 1.1  # the price with `content_filter` off, which only `extra` can set

KEY_OPEN, KEY_SPENT = "paid_outcome_unknown", "idempotency_conflict"
MODEL_NOT_ALLOWED = "key_model_not_allowed"
UNKNOWN_TASK = "invalid_task_id"  # with HTTP 400, where others answer 404
# Its content policy is known by this word only: a message about faces (HTTP 400).
_FACES = re.compile(r"\bfaces?\b|人脸", re.IGNORECASE)


PARAMETERS = Source(
    "EvoLinkAI/evolink-mcp, model-params.generated.ts (from EvoLink's documents)", "2026-10"
)
NAMES = {**MODE_NAMES, "edit": "video-edit", "extend": "video-extend"}

VIDEO = MediaLimits(
    ("video/mp4", "video/quicktime"),
    max_bytes=50 * 2**20,
    sides=(300, 6000),
    aspect=(0.4, 2.5),
    pixels=(409_600, 2_086_876),
    seconds=(2, 15),
    total_seconds=(2, LONGEST_CLIPS),
    fps=(24, 60),
)
AUDIO = MediaLimits(
    ("audio/wav", "audio/mpeg"), max_bytes=15 * 2**20, seconds=(2, 15), total_seconds=(2, 15)
)
VIDEO_25 = replace(VIDEO, max_bytes=None, pixels=None, seconds=(2, 30), total_seconds=(2, 30))
AUDIO_25 = replace(AUDIO, seconds=(2, 30), total_seconds=(2, 30))
EDITED_25 = replace(VIDEO_25, seconds=(4, 30))


def _model(model_id: str, *resolutions: str) -> ModelLimits:
    return ModelLimits(
        id=model_id,
        # 2.0 has no models for clips to work on: its reference mode takes an "original video for
        # editing/extension".
        modes=MODES,
        resolutions=("480p", "720p", *resolutions),
        ratios=("16:9", "4:3", "1:1", "3:4", "9:16", "21:9"),
        durations=(4, 15),
        adaptive=MODES,
        sizes=SIZES,
        images=9,
        videos=3,
        audios=3,
        edit_images=9,
        by_prompt=CLIP_TASKS,
        extends_apart=True,
        seed=False,  # not documented, and unknown fields may be refused
        web_search=frozenset(("text",)),
        # The official API's table (ComfyUI's core): the most pixels depend on the output.
        clip_pixels=dict.fromkeys(("480p", "720p"), (409_600, 927_408)),
        sources=(PARAMETERS,),
    )


NEWEST = replace(
    _model("seedance-2.5-{mode}", "1080p"),
    durations=(4, 30),
    sizes=SIZES_25,
    source_ratio=CLIP_TASKS | {"image", "frames"},
    source_duration=frozenset(("edit",)),
    auto_duration=True,
    images=30,
    videos=10,
    audios=10,
    audio_alone=True,
    edit_images=30,
    by_prompt=frozenset(),
    drafts=MODES,
    formats=("mp4", "mov"),
    finals=("1080p",),
    media={"video": VIDEO_25, "audio": AUDIO_25},
    mode_media={"edit": {"video": EDITED_25}},
    clip_pixels={},
)


def _container(order: Order) -> dict[str, Any]:
    return {} if order.output_format == "mp4" else {"output_format": order.output_format}


def _done(task: dict[str, Any]) -> Done:
    return replace(done(task), draft_until=unix_seconds(task.get("draft_expires_at")))


def _failed(task: dict[str, Any]) -> Failed:
    status = failed(task)
    if not _FACES.search(status.message):
        return status
    finished = refused_part(status.message) == "output"
    return replace(status, stage="output" if finished else "input")


class EvoLink(Relay):
    """EvoLink. It publishes prices in USD and answers in credits."""

    id = "evolink"
    name = "EvoLink"
    key_variable = "EVOLINK_API_KEY"
    key_page = "https://evolink.ai/dashboard/keys"
    refuses_people = "documented"
    default_base_url = "https://api.evolink.ai"
    default_upload_url = "https://files-api.evolink.ai"
    random_mark = True
    keeps_create = True
    # How long a key is remembered is in no document, so that a short time is assumed.
    idempotency = Idempotency("Idempotency-Key", 600.0)
    words = {
        **WORDS,
        "completed": _done,
        "failed": _failed,
        "cancelled": TaskCancelled(),  # in callbacks only
    }
    limits = Limits(
        models={
            "seedance-2.0": _model("seedance-2.0-{mode}", "1080p", "4k"),
            "seedance-2.0-fast": _model("seedance-2.0-fast-{mode}"),
            # Its table has no `model_params`.
            "seedance-2.0-mini": replace(
                _model("seedance-2.0-mini-{mode}"), web_search=frozenset()
            ),
            "seedance-2.5": NEWEST,
        },
        delivery={
            "image": ("upload", "address"),
            "video": ("upload", "address"),
            "audio": ("upload", "address"),
        },
        image=MediaLimits(
            ("image/png", "image/jpeg", "image/webp"),
            max_bytes=30 * 2**20,
            sides=(300, 6000),
            aspect=(0.4, 2.5),
        ),
        video=VIDEO,
        audio=AUDIO,
        poll_interval=8.0,  # each question about an unfinished task is passed on upstream
        result_life=24 * 3600,
    )

    def upload(self, blob: Blob) -> Flow[Uploaded]:
        url = self.upload_url("/api/v1/files/upload/stream")
        reply = yield Call("POST", url, file=FilePart("file", blob))
        file = self.part(reply, "file_url")
        return Uploaded(file["file_url"], unix_seconds(file.get("expires_at")))

    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        frames = list(filter(None, (delivered.first_frame, delivered.last_frame)))
        body = {
            "model": self.model_id(order, self._name_of_mode(order)),
            "prompt": order.prompt,
            "duration": order.duration,
            "quality": order.resolution,
            "aspect_ratio": order.ratio,
            "generate_audio": order.generate_audio,
            **({"draft": True} if order.draft else {}),
            **({"model_params": {"web_search": True}} if order.web_search else {}),
            **_container(order),
            **given(
                image_urls=frames or list(delivered.images),
                video_urls=list(filter(None, (delivered.video, *delivered.videos))),
                audio_urls=list(delivered.audios),
            ),
        }
        extra = self.extra(order)
        if order.web_search and extra.get("content_filter") is False:
            raise BadOrder(
                "{provider} takes no web search with content_filter off.",
                hint="Switch web_search off, or remove content_filter from extra.",
                provider=self.name,
            )
        # AIHubMax, whose routes are the same, calls it so.
        others = {"resolution": "quality"}
        url = self.url("/v1/videos/generations")
        return (yield from self.create(url, body, extra, others=others))

    def _name_of_mode(self, order: Order) -> str:
        by_prompt = order.mode in self.model(order).by_prompt
        return NAMES["reference" if by_prompt else order.mode]

    def finish(self, order: Order, draft: Ticket) -> Flow[Ticket]:
        """The route has no field for the resolution: it makes 1080p."""
        model = self.model_id(order, "draft-to-video")
        # The draft's container is not taken over.
        body = {"model": model, "source_task_id": unquote(draft.opaque), **_container(order)}
        return (yield from self.create(self.url("/v1/videos/generations"), body, {}))

    def status(self, reply: Reply) -> Status:
        if reply.status == 400 and UNKNOWN_TASK in error_codes(reply):
            said = error_text(reply) or UNKNOWN_TASK
            return Expired(say("it does not know the task ({said})", said=said), may_appear=True)
        return super().status(reply)

    def probe_key(self) -> Flow[Balance]:
        account = yield from self.ask(Call("GET", self.url("/v1/credits")))
        left = number_at(account, "data", "user", "remaining_credits")
        return Balance(
            say("{provider} account", provider=self.name),
            None if left is None else Money(left, "credits"),
        )

    def estimate(self, order: Order, clip_seconds: float | None = None) -> Money | None:
        """The price by seconds; with clips, of the longer of input and output beside the output. A
        length that the model decides is counted at its longest."""
        with_clip = order.video is not None or bool(order.of_kind("video"))
        own = PRICES.get(order.model, {}).get(order.resolution)
        price = own[with_clip] if own else None
        if price is None and order.model == "seedance-2.5" and not with_clip:
            price = REPORTED_25.get(order.resolution)
        if price is None:
            return None
        output = self.model(order).durations[1] if order.duration == -1 else order.duration
        seconds = float(output)
        if with_clip:
            seconds += max(output, LONGEST_CLIPS if clip_seconds is None else clip_seconds)
        if self.extra(order).get("content_filter") is False:
            seconds *= UNFILTERED
        as_of = PRICES_AS_OF if own else REPORTED_AS_OF
        return Money(round(seconds * price, 4), "USD", estimated=True, as_of=as_of)

    def live_price(self, order: Order, clip_seconds: float | None = None) -> Flow[Money | None]:
        """By the public pricing rules of the model. As in `estimate`, lengths that are not known
        are counted at their longest. What a web search costs is not known before."""
        if order.draft_of:
            return None
        model = self.model_id(order, self._name_of_mode(order))
        path = f"/v1/catalog/models/{quote(model.lower(), safe='')}/pricing-rules"
        call = Call("GET", self.url(path), query={"view": "full"}, auth=False)
        answer = yield from self.ask(call)
        longest = self.model(order).durations[1]
        with_clip = order.video is not None or bool(order.of_kind("video"))
        clips = 0 if not with_clip else longest if clip_seconds is None else clip_seconds
        output = longest if order.duration == -1 else order.duration
        known = {
            "quality": order.resolution,
            "duration": order.duration,
            # An edited clip keeps its length; the rule then counts that of the clip.
            "duration_seconds": 0 if order.mode in self.model(order).source_duration else output,
            "input_seconds": round(clips, 3),
            "first_input_video_seconds": round(clips, 3),
            "search_count": 0,
        }
        updated = unix_seconds(dig(answer, "meta", "updated_at"))
        try:
            amount = usd(answer, model, known)
        except BadRule:
            return None
        if updated is None or amount <= 0:
            return None
        if self.extra(order).get("content_filter") is False:
            amount *= UNFILTERED
        day = datetime.fromtimestamp(updated, timezone.utc).date().isoformat()
        return Money(round(amount, 4), "USD", estimated=True, as_of=f"{day}, live")

    def about_key(self, reply: Reply) -> AboutKey:
        codes = set(error_codes(reply))
        if KEY_OPEN in codes:
            return "open"
        return "spent" if KEY_SPENT in codes else "nothing"

    def explain(self, reply: Reply) -> SeedanceError:
        said = error_text(reply)
        if MODEL_NOT_ALLOWED in error_codes(reply):
            return Refused(
                "EvoLink does not let this key use the model: {said}",
                hint="Change which models the key may use at evolink.ai/dashboard/keys, or take "
                "another key.",
                said=said or MODEL_NOT_ALLOWED,
            )
        if reply.status == 400 and _FACES.search(said):
            return Moderated(
                "{provider}'s content policy refused the order: {said}",
                hint="Realistic faces are refused: use other pictures or clips, or another prompt.",
                provider=self.name,
                said=said,
            )
        return super().explain(reply)
