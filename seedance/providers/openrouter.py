"""OpenRouter's video API. Sources: OpenRouter's Python SDK (videogenerationrequest,
videogenerationresponse), openrouter.ai/docs (video generation), its skill openrouter-video, and its
own list GET /videos/models, as it was on 2026-10-09.

That list is read once a day (`catalog`); what it says then holds instead of what is here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..errors import Moderated, OutOfCredit, Refused, SeedanceError
from ..money import Money
from ..order import CLIP_TASKS, MODES, RESOLUTIONS, SIZES, Order
from ..said import say
from ..wire import (
    Balance,
    Call,
    Config,
    Delivered,
    Done,
    Expired,
    Failed,
    Flow,
    Limits,
    ModelLimits,
    Provider,
    Reply,
    Running,
    Source,
    Status,
    TaskCancelled,
    Ticket,
    Words,
    dig,
    error_text,
    number_at,
    object_at,
    text_at,
)
from ._ark_limits import AUDIO, AUDIO_25, FRAMES_A_SECOND, IMAGE, SIZES_25, VIDEO, VIDEO_25, area

# The list calls the highest resolution so.
SPELLED = {"4k": "4K"}

LIST = Source("openrouter.ai/api/v1/videos/models", "2026-10-09")
PAGE_FLASH = Source("openrouter.ai/bytedance/seedance-2.5-flash", "2026-10")
LONGEST_SKU = 80  # letters
LONGEST = 60  # seconds
FARTHEST = 10.0  # a listed price that differs from the known one by more is not believed

STANDARD = ModelLimits(
    id="bytedance/seedance-2.0",
    modes=MODES - CLIP_TASKS,
    resolutions=("480p", "720p", "1080p", "4k"),
    ratios=("16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "9:21"),
    durations=(4, 15),
    # How many references it takes is in no document: these are the counts of the official API,
    # which OpenRouter passes them on to.
    images=9,
    videos=3,
    audios=3,
    sources=(LIST,),
)
SMALL = replace(STANDARD, resolutions=("480p", "720p"))
NEWEST = replace(
    SMALL,
    id="bytedance/seedance-2.5",
    ratios=("16:9", "4:3", "1:1", "3:4", "9:16", "21:9"),
    durations=(4, 30),
    images=30,
    videos=10,
    audios=10,
    audio_alone=True,
    media={"video": replace(VIDEO_25, pixels=None), "audio": AUDIO_25},
)
FLASH = replace(
    NEWEST,
    id="bytedance/seedance-2.5-flash",
    audio_alone=False,
    notes={
        "image": say("Other services take 10 pictures at the most with seedance-2.5-flash."),
        "video": say("Other services take 5 clips at the most with seedance-2.5-flash."),
        "audio": say("Other services take 5 sounds at the most with seedance-2.5-flash."),
    },
    sources=(PAGE_FLASH,),
)

# USD per token, as the list names the prices: `video_tokens`, with the resolution and with what is
# among the inputs where these have a price of their own.
Prices = Mapping[str, float]
PRICES_AS_OF = "2026-10-09"
PRICES: Mapping[str, Prices] = {
    "seedance-2.0": {
        "video_tokens": 7e-6,
        "video_tokens_1080p": 7.7e-6,
        "video_tokens_4k": 4e-6,
        "video_tokens_with_video_input": 4.3e-6,
        "video_tokens_1080p_with_video_input": 4.7e-6,
        "video_tokens_4k_with_video_input": 2.4e-6,
    },
    "seedance-2.0-fast": {"video_tokens": 4.2e-6, "video_tokens_with_video_input": 2.475e-6},
    "seedance-2.0-mini": {"video_tokens": 3.5e-6, "video_tokens_with_video_input": 2.1e-6},
    "seedance-2.5": {"video_tokens": 10.7e-6, "video_tokens_with_video_input": 6.4e-6},
    # The page has the price of the lowest resolution only, by the second: 0.06726 USD.
    "seedance-2.5-flash": {"video_tokens_480p": 7e-6},
}


class OpenRouter(Provider):
    """OpenRouter. Its fields name no ratio of the source's and no kind of task, so that nothing is
    edited, extended or adaptive here."""

    id = "openrouter"
    name = "OpenRouter"
    key_variable = "OPENROUTER_API_KEY"
    key_page = "https://openrouter.ai/keys"
    default_base_url = "https://openrouter.ai/api/v1"
    where_to_look = say(
        "OpenRouter documents no list of tasks: look at openrouter.ai/activity, or whether what "
        "the key has left became less (seedance key test openrouter)."
    )
    limits = Limits(
        models={
            "seedance-2.0": STANDARD,
            "seedance-2.0-fast": replace(SMALL, id="bytedance/seedance-2.0-fast"),
            "seedance-2.0-mini": replace(SMALL, id="bytedance/seedance-2.0-mini"),
            "seedance-2.5": NEWEST,
            "seedance-2.5-flash": FLASH,
        },
        delivery={
            "image": ("inline", "address"),
            "video": ("address",),
            "audio": ("address",),
        },
        image=replace(IMAGE, formats=("image/png", "image/jpeg", "image/webp")),
        video=VIDEO,
        audio=AUDIO,
        poll_interval=30.0,
    )

    def __init__(self, config: Config, mark: str = "") -> None:
        super().__init__(config, mark)
        self._listed = _listed(config.catalog)
        if self._listed:
            models = {
                name: _as_listed(model, self._listed[name]) if name in self._listed else model
                for name, model in self.limits.models.items()
            }
            self.limits = replace(self.limits, models=models)

    @property
    def words(self) -> Words:
        return {
            "pending": Running(phase="queued"),
            "in_progress": Running(),
            "completed": self._done,
            "failed": _failed,
            "cancelled": TaskCancelled(),
            "expired": Expired(say("it did not finish within its time")),
        }

    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        body: dict[str, Any] = {
            "model": self.model_id(order),
            "prompt": order.prompt,
            "resolution": SPELLED.get(order.resolution, order.resolution),
            "aspect_ratio": order.ratio,
            "duration": order.duration,
            "generate_audio": order.generate_audio,
            "seed": order.seed,
        }
        if frames := list(_frames(delivered)):
            body["frame_images"] = frames
        if references := list(_references(delivered)):
            body["input_references"] = references
        # A user's own fields are the vendor's, which stand in `provider.options`.
        return (yield from self.create(self.url("/videos"), body, self.extra(order)))

    def check(self, ticket: Ticket) -> Flow[Status]:
        task = yield from self.ask(Call("GET", self.url(f"/videos/{ticket.opaque}")))
        return self.standing({**task, "ours": ticket.opaque})

    def probe_key(self) -> Flow[Balance]:
        answer = yield from self.ask(Call("GET", self.url("/key")))
        left = number_at(answer, "data", "limit_remaining")  # null for a key without a limit
        return Balance(
            say("{provider} key", provider=self.name), None if left is None else Money(left, "USD")
        )

    def catalog(self) -> Flow[dict[str, Any]]:
        """The models of ours in the public list, with what is read of them."""
        call = Call("GET", self.url("/videos/models"), auth=False)
        answer = yield from self.ask(call)
        names = (
            "id",
            "supported_resolutions",
            "supported_aspect_ratios",
            "supported_durations",
            "supported_frame_images",
            "generate_audio",
            "seed",
            "pricing_skus",
        )
        ids = {model.id for model in type(self).limits.models.values()}
        items = answer.get("data")
        ours = [
            {name: item.get(name) for name in names}
            for item in (items if isinstance(items, list) else [])
            if isinstance(item, dict) and item.get("id") in ids
        ]
        return {"models": ours}

    def estimate(self, order: Order, clip_seconds: float | None = None) -> Money | None:
        """The price by tokens, as the list names them. With clips, their seconds count as tokens
        too."""
        with_clip = bool(order.of_kind("video"))
        price, as_of = _price(PRICES.get(order.model, {}), order, with_clip), PRICES_AS_OF
        if order.model in self._listed:
            today = _price(_prices(self._listed[order.model]), order, with_clip)
            if today and (price is None or price / FARTHEST <= today <= price * FARTHEST):
                price, as_of = today, f"{text_at(self.config.catalog, 'as_of')}, live"
        if price is None:
            return None
        seconds = float(order.duration)
        if with_clip:
            limits = self.limits.of("video", order.model)
            longest = limits.total_seconds[1] if limits and limits.total_seconds else 0.0
            seconds += longest if clip_seconds is None else clip_seconds
        sizes = SIZES_25 if "2.5" in order.model else SIZES
        sized = replace(self.model(order), sizes={**SIZES_25, **sizes})
        tokens = seconds * FRAMES_A_SECOND * area(sized, order.resolution, order.ratio) / 1024
        return Money(round(tokens * price, 4), "USD", estimated=True, as_of=as_of)

    def explain(self, reply: Reply) -> SeedanceError:
        said = error_text(reply)
        tail = f": {said}" if said else "."
        if reply.status == 403 and dig(_metadata(reply), "reasons") is not None:
            return Moderated(
                "OpenRouter's moderation refused the order{tail}",
                hint="Change what it names; nothing was billed.",
                tail=tail,
            )
        if reply.status == 402:
            return OutOfCredit(
                "OpenRouter says that the credits are used up{tail}",
                hint="Add credits at openrouter.ai/credits, or raise the limit of the key.",
                tail=tail,
            )
        if reply.status == 404:
            return Refused(
                "OpenRouter does not know this model or task (HTTP 404){tail}",
                hint="SEEDANCE_OPENROUTER_MODELS replaces model ids.",
                tail=tail,
            )
        return super().explain(reply)

    def _done(self, task: dict[str, Any]) -> Done:
        """Finished. `unsigned_urls` need no key; the route of our own does, and comes second."""
        own = self.url(f"/videos/{task['ours']}/content?index=0")
        usage = object_at(task, "usage")
        cost = None if usage.get("is_byok") else number_at(usage, "cost")
        return Done(
            text_at(task, "unsigned_urls", 0) or own,
            cost=None if cost is None else Money(cost, "USD"),
            own_url=own,
        )


def _failed(task: dict[str, Any]) -> Failed:
    said = text_at(task, "error") or text_at(task, "error", "message")
    return Failed(said or say("OpenRouter gives no reason."))


def _metadata(reply: Reply) -> Any:
    return dig(reply.json(), "error", "metadata") if reply.body[:1] == b"{" else None


def _frames(delivered: Delivered) -> Iterator[dict[str, Any]]:
    for kind, url in (
        ("first_frame", delivered.first_frame),
        ("last_frame", delivered.last_frame),
    ):
        if url:
            yield {"type": "image_url", "image_url": {"url": url}, "frame_type": kind}


def _references(delivered: Delivered) -> Iterator[dict[str, Any]]:
    for kind, urls in (
        ("image_url", delivered.images),
        ("video_url", delivered.videos),
        ("audio_url", delivered.audios),
    ):
        for url in urls:
            yield {"type": kind, kind: {"url": url}}


# ------------------------------------------------------------------------------- what the list says


def _listed(catalog: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the list said of our models, by our names for them."""
    names = {model.id: name for name, model in OpenRouter.limits.models.items()}
    items = catalog.get("models")
    return {
        names[item["id"]]: item
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, dict) and item.get("id") in names
    }


def _as_listed(model: ModelLimits, item: Mapping[str, Any]) -> ModelLimits:
    """A model with what the list says of it; where that makes no sense, as it is known."""
    resolutions = {str(each).lower() for each in _list(item, "supported_resolutions")}
    ratios = set(map(str, _list(item, "supported_aspect_ratios")))
    lengths = _list(item, "supported_durations")
    seconds = [each for each in lengths if type(each) is int and 1 <= each <= LONGEST]
    frames = item.get("supported_frame_images")
    modes = model.modes
    if isinstance(frames, list):
        modes -= {"image"} if "first_frame" not in frames else set()
        modes -= {"frames"} if not {"first_frame", "last_frame"} <= set(map(str, frames)) else set()
    return replace(
        model,
        modes=modes,
        resolutions=tuple(each for each in RESOLUTIONS if each in resolutions) or model.resolutions,
        ratios=tuple(each for each in STANDARD.ratios if each in ratios) or model.ratios,
        durations=(min(seconds), max(seconds)) if seconds else model.durations,
        generates_audio=item.get("generate_audio") is not False,
        seed=item.get("seed") is not False,
    )


def _list(item: Mapping[str, Any], name: str) -> list[Any]:
    found = item.get(name)
    return found if isinstance(found, list) else []


def _prices(item: Mapping[str, Any]) -> Prices:
    """The prices by the token; those of other kinds are not understood, and left out."""
    skus = object_at(item, "pricing_skus")
    found = {
        name: number_at(skus, name)
        for name in skus
        if len(name) <= LONGEST_SKU and name.startswith("video_tokens")
    }
    return {name: price for name, price in found.items() if price is not None and price >= 0}


def _price(prices: Prices, order: Order, with_clip: bool) -> float | None:
    """The price of a token of an order: that of its resolution and inputs, or else the plain one
    for them. With a clip, no price without one stands in."""
    if with_clip:
        endings: tuple[str, ...] = ("_with_video_input",)
    else:
        endings = ("",) if order.generate_audio else ("_without_audio", "")
    for ending in endings:
        for middle in (f"_{order.resolution}", ""):
            if (price := prices.get(f"video_tokens{middle}{ending}")) is not None:
                return price
    return None
