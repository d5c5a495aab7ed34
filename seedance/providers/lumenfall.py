"""Lumenfall: one endpoint for text, pictures and clips, told apart by the fields that are sent.

Sources: the seed document 003 and docs.lumenfall.ai (api-reference/videos); where they differ, the
seed wins. Pictures travel as addresses or data URIs; clips and sounds as public addresses only,
since there is no upload.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from ..errors import BadOrder, Moderated, OddReply, OutOfCredit, Refused, SeedanceError, Unclear
from ..money import Money
from ..order import Order
from ..said import say
from ..wire import (
    Balance,
    Call,
    CannotCancel,
    Delivered,
    Done,
    Failed,
    Flow,
    Limits,
    MediaLimits,
    ModelLimits,
    Provider,
    Reply,
    Running,
    Source,
    Status,
    TaskCancelled,
    Ticket,
    error_code,
    error_text,
    given,
    number_at,
    text_at,
)
from ._found import CLOCK_WRONG, MOST_PAGES, iso_time, the_one

# Seed 003 knows one tier, `1K`, which is Lumenfall's way of saying 720p, with these sizes.
TIER = {"720p": "1K"}
SIZES = {
    "720p": {
        "16:9": (1365, 768),
        "4:3": (1183, 887),
        "1:1": (1024, 1024),
        "3:4": (887, 1182),
        "9:16": (768, 1365),
        "21:9": (1563, 670),
    }
}

# USD per second at 720p, from the model's page; with a clip as input it is the reference route's.
PRICES_AS_OF = "2026-11-20"
PRICES = {"text": 0.303, "image": 0.302, "reference": 0.302, "edit": 0.181}

# The seed's runnable examples send a clip as `video_url`, its table calls it `input_video`. One of
# them is sent, never both: SEEDANCE_LUMENFALL_VIDEO_FIELD=input_video chooses the other.
VIDEO_FIELDS = ("video_url", "input_video")

# docs.lumenfall.ai; a size takes precedence over both (seed 003).
OTHER_NAMES = {"seconds": "duration", "size": "resolution"}

MARKED = "user"  # a random one for each order, and no person's; the list of requests shows it

MODERATED = "CONTENT_POLICY_VIOLATION"

MODEL = ModelLimits(
    id="seedance-2.0",
    modes=frozenset({"text", "image", "reference", "edit"}),
    resolutions=tuple(TIER),
    ratios=tuple(SIZES["720p"]),
    durations=(4, 15),
    adaptive=frozenset({"text", "image", "reference", "edit"}),
    sizes=SIZES,
    images=9,
    audios=3,
    # Seed 003 lists `audio_urls` for text to video as well, so a sound needs no company.
    audio_alone=True,
    # "Provider-specific passthrough fields, available only when the request is routed to" fal.
    notes={"audio": say("Sounds are heard only where Lumenfall sends the order on to fal.")},
    edit_images=9,
    keeps_audio=True,
    sources=(Source("lumenfall.ai/models/bytedance/seedance-2.0/api", "2026-11"),),
)


def _cost(video: dict[str, Any]) -> Money | None:
    """What the video cost, or the estimate that stands there until it is known."""
    currency = text_at(video, "metadata", "cost_currency").upper() or "USD"
    cost = number_at(video, "metadata", "cost")
    if cost is not None:
        return Money(cost, currency)
    estimate = number_at(video, "metadata", "cost_estimate")
    return None if estimate is None else Money(estimate, currency, estimated=True)


def _done(video: dict[str, Any]) -> Done:
    return Done(text_at(video, "output", "url") or None, cost=_cost(video))


def _failed(video: dict[str, Any]) -> Failed:
    code = text_at(video, "error", "code")
    message = text_at(video, "error", "message") or say("Lumenfall gives no reason.")
    return Failed(message, code, _moderated_stage(message) if code == MODERATED else "service")


def _moderated_stage(message: str) -> Literal["prompt", "input", "output"]:
    """What a content policy refused; one code stands for all three, so the words must tell."""
    words = message.lower()
    if "output" in words or "generated" in words:
        return "output"
    inputs = ("image", "video", "audio", "input")
    if "prompt" not in words and any(word in words for word in inputs):
        return "input"
    return "prompt"


class Lumenfall(Provider):
    """Lumenfall's `seedance-2.0`.

    `input_reference` carries the first frame and reference pictures alike (seed 003: "input
    image(s) to animate"); no field tells them apart. One picture is a first frame; what several
    become is up to the route that Lumenfall chooses, probably references. A last frame is
    documented nowhere.
    """

    id = "lumenfall"
    name = "Lumenfall"
    key_variable = "LUMENFALL_API_KEY"
    key_page = "https://lumenfall.ai"
    default_base_url = "https://api.lumenfall.ai/v1"
    options = ("video_field",)
    random_mark = True
    where_to_look = say("Look at the requests on lumenfall.ai/app/requests.")
    limits = Limits(
        models={"seedance-2.0": MODEL},
        delivery={"image": ("inline", "address"), "video": ("address",), "audio": ("address",)},
        image=MediaLimits(("image/png", "image/jpeg", "image/webp")),
        video=MediaLimits(("video/mp4", "video/quicktime")),
        audio=MediaLimits(("audio/mpeg", "audio/wav")),
        poll_interval=5.0,
        result_life=3600.0,
    )

    words = {
        "queued": Running(phase="queued"),
        "in_progress": Running(),
        "completed": _done,
        "failed": _failed,
        "cancelled": TaskCancelled(),  # docs.lumenfall.ai/webhooks has video.cancelled
        "canceled": TaskCancelled(),
    }

    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        body, extra = self._body(order, delivered), self.extra(order)
        if self.mark and MARKED not in extra:
            body[MARKED] = self.mark
        return (yield from self.create(self.url("/videos"), body, extra, others=OTHER_NAMES))

    def ticket(self, reply: Reply) -> Ticket:
        video = self.read(reply)
        return Ticket.issue(self.id, video.get("id"), _cost(video))

    def check(self, ticket: Ticket) -> Flow[Status]:
        video = yield from self.ask(Call("GET", self.url(f"/videos/{ticket.opaque}")))
        return self.standing(video)

    def find(
        self, order: Mapping[str, Any], since: float, create: Call | None = None
    ) -> Flow[Ticket | None]:
        """Look through the list of requests for our `user`. That a request's id is also its
        video's is what Lumenfall's own client does, so that the video is asked for first."""
        if MARKED in order.get("extra", {}).get(self.id, {}):
            raise BadOrder(
                "The order sets {marked} itself, so that nothing marks its request.", marked=MARKED
            )
        items = yield from self._requests(
            created_after=iso_time(since - CLOCK_WRONG),
            created_before=iso_time(since + CLOCK_WRONG),
        )
        found = {
            str(item.get("id")): Ticket.issue(self.id, item.get("id"))
            for item in items
            if text_at(item, MARKED) == self.mark
        }
        ticket = the_one(self.name, found.values())
        if ticket is not None:
            reply = yield Call("GET", self.url(f"/videos/{ticket.opaque}"))
            if not reply.ok:
                raise Unclear(
                    "Lumenfall's list of requests has this order as {name}, but no video "
                    "of that id.",
                    hint="Look it up there: whether it was accepted is in its status.",
                    name=unquote(ticket.opaque),
                )
        return ticket

    def recent(self, since: float) -> Flow[list[Ticket]]:
        """The requests for videos, but for those that were refused. Which models are Seedance's
        does not show where they were renamed, so that those of others are among them."""
        items = yield from self._requests(created_after=iso_time(since))
        return [
            Ticket.issue(self.id, item.get("id"))
            for item in items
            if text_at(item, "endpoint").endswith("/videos") and item.get("status") != "rejected"
        ]

    def _requests(self, **query: str) -> Flow[list[dict[str, Any]]]:
        """The requests of the account in a time, the newest first."""
        query["limit"] = "100"
        found: list[dict[str, Any]] = []
        for _ in range(MOST_PAGES):
            url = self._at_host("/v1/requests")
            page = yield from self.ask(Call("GET", url, query=dict(query)))
            items = page.get("data")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise OddReply("Lumenfall's list of requests cannot be read.")
            found += items
            if not items or not page.get("next_page_url"):
                break
            query["starting_after"] = str(items[-1].get("id"))
        return found

    def cancel(self, ticket: Ticket) -> Flow[TaskCancelled | CannotCancel]:
        # Documented for this path only, while the seed's paths have no /openai.
        url = self._at_host(f"/openai/v1/videos/{ticket.opaque}")
        return self.cancelled((yield Call("DELETE", url)))

    def probe_key(self) -> Flow[Balance]:
        # The balance is at /v1 of the host, also where the base URL is the /openai/v1 of the docs.
        balance = yield from self.ask(Call("GET", self._at_host("/v1/balance")))
        amount = number_at(balance, "available", "amount")  # null for postpaid accounts
        currency = text_at(balance, "available", "currency").upper() or "USD"
        left = None if amount is None else Money(amount, currency)
        return Balance(
            text_at(balance, "billing_type") or say("{provider} account", provider=self.name), left
        )

    def estimate(self, order: Order, clip_seconds: float | None = None) -> Money | None:
        amount = round(PRICES[order.mode] * order.duration, 4)
        return Money(amount, "USD", estimated=True, as_of=PRICES_AS_OF)

    def explain(self, reply: Reply) -> SeedanceError:
        code = error_code(reply)
        said = error_text(reply) or code
        if code == MODERATED:
            return Moderated(
                "Lumenfall's content policy refused the order: {said}",
                hint="Change the prompt or the media; nothing was billed.",
                said=said,
            )
        if code == "INSUFFICIENT_BALANCE":
            return OutOfCredit(
                "Lumenfall says the balance is too low: {said}",
                hint="Add credit in Lumenfall's dashboard.",
                said=said,
            )
        if code in ("MODEL_NOT_FOUND", "MODEL_DISABLED"):
            return Refused(
                "Lumenfall does not serve this model: {said}",
                hint="SEEDANCE_LUMENFALL_MODELS replaces the model id, if it has changed.",
                said=said,
            )
        return super().explain(reply)

    # ---------------------------------------------------------------------------------- the body

    def _body(self, order: Order, delivered: Delivered) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model_id(order),
            "prompt": order.prompt,
            "duration": order.duration,
            "aspect_ratio": "auto" if order.ratio == "adaptive" else order.ratio,
            "resolution": TIER[order.resolution],
            "generate_audio": order.generate_audio,
            "seed": order.seed,
        }
        pictures = (*filter(None, [delivered.first_frame]), *delivered.images)
        body |= given(
            input_reference=[{"image_url": picture} for picture in pictures],
            audio_urls=list(delivered.audios),
        )
        if delivered.video:
            body[self._video_field()] = delivered.video
            body["keep_audio"] = order.keep_audio
        return body

    def _at_host(self, path: str) -> str:
        """`path` at the host of the configured base URL, whose own path it replaces."""
        base = urlsplit(self.config.base_url)
        return f"{base.scheme}://{base.netloc}{path}"

    def _video_field(self) -> str:
        field = self.config.options.get("video_field") or VIDEO_FIELDS[0]
        if field not in VIDEO_FIELDS:
            raise BadOrder(
                "SEEDANCE_LUMENFALL_VIDEO_FIELD is {field}.",
                hint="Use one of: {known}.",
                field=repr(field),
                known=", ".join(VIDEO_FIELDS),
            )
        return field
