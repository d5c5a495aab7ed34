"""What is the same wherever Ark's models run: the body of an order, the price, and the task that
comes back. `_ark` adds the routes of Ark itself; `comfy` reaches the same models by another way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from ..errors import BadOrder, SeedanceError
from ..money import Money
from ..order import OPERATIONS, Order
from ..said import say
from ..wire import (
    Delivered,
    Done,
    Expired,
    Failed,
    Provider,
    Reply,
    Running,
    TaskCancelled,
    Words,
    number_at,
    text_at,
)
from . import _ark_errors
from ._ark_limits import FRAMES_A_SECOND, SHORTEST_CLIP, area

LARGEST_REQUEST = 64 * 2**20  # bytes, data URIs included
OTHER_NAMES = {"frames": "duration"}

GONE = Expired(say("the video is no longer there, since its address lives for 24 hours"), "yes")

# USD or CNY per million tokens, by model and resolution: (without, with) a clip among the inputs.
Prices = Mapping[str, Mapping[str, tuple[float, float]]]


class ArkModels(Provider):
    """A provider of Ark's models."""

    currency: ClassVar[str]
    prices: ClassVar[Prices]
    prices_as_of: ClassVar[str]

    @property
    def words(self) -> Words:
        return {
            "queued": Running(phase="queued"),
            "running": Running(),
            "succeeded": self._done,
            "failed": self._failed,
            "cancelled": TaskCancelled(),
            "expired": Expired(
                say("it did not finish within its time, and nothing is billed"), "no"
            ),
        }

    def estimate(self, order: Order, clip_seconds: float | None = None) -> Money | None:
        """The price by token formula and list. A length that the model decides is counted at its
        longest; an edited clip comes back about as long as it is."""
        model = self.model(order)
        with_clip = order.video is not None or bool(order.of_kind("video"))
        price = self._price(order.model, order.resolution, with_clip)
        if price is None:
            return None
        longest = order.duration == -1 or order.mode in model.source_duration
        seconds = float(model.durations[1] if longest else order.duration)
        if with_clip:
            if clip_seconds and order.mode in model.source_duration:
                seconds = clip_seconds
            seconds = self._with_clips(order, seconds, clip_seconds)
        tokens = seconds * FRAMES_A_SECOND * area(model, order.resolution, order.ratio) / 1024
        return self._money(tokens, price)

    def _with_clips(self, order: Order, output: float, clips: float | None) -> float:
        """The seconds that are billed where clips are among the inputs: theirs and the output's;
        for the 2.0 family, 5/3 of the output's at least (ComfyUI's core, price badges)."""
        if clips is None:
            limits = self.limits.of("video", order.model, order.mode)
            clips = limits.total_seconds[1] if limits and limits.total_seconds else 0.0
        least = math.ceil(output * 5 / 3) if order.model.startswith("seedance-2.0") else 0.0
        return max(clips + output, least)

    def explain(self, reply: Reply) -> SeedanceError:
        return _ark_errors.explain(self, reply) or super().explain(reply)

    def quota_used_up(self, reply: Reply) -> bool:
        return _ark_errors.quota_used_up(reply)

    # ---------------------------------------------------------------------------------- the order

    def _body(self, order: Order, delivered: Delivered) -> dict[str, Any]:
        model = self.model(order)
        body: dict[str, Any] = {
            "model": self.model_id(order),
            "content": list(content(order, delivered)),
            "resolution": order.resolution,
            "ratio": "adaptive" if order.mode in model.source_ratio else order.ratio,
            "duration": -1 if order.mode in model.source_duration else order.duration,
            "generate_audio": order.generate_audio,
            "seed": order.seed,
            "watermark": order.watermark,
            # Not together with a draft, which is 480p.
            **({"draft": True} if order.draft else {"return_last_frame": True}),
        }
        if order.web_search:
            body["tools"] = [{"type": "web_search"}]
        if order.output_format != "mp4":
            body["output_format"] = order.output_format
        if order.mode in OPERATIONS and order.mode not in model.by_prompt:
            body["omni_reference_task_type"] = order.mode
        check_size(body["content"], self.name)
        return body

    # ---------------------------------------------------------------------------------- the answers

    def _model_name(self, task: dict[str, Any]) -> str | None:
        """Our name of the task's model. The date at the end of an id changes with each release."""
        model_id = text_at(task, "model")
        for name, model in self.limits.models.items():
            if model_id in (model.id, self.config.models.get(name)):
                return name
            if _family(model_id) == _family(model.id):
                return name
        return None

    def _done(self, task: dict[str, Any]) -> Done:
        seed = number_at(task, "seed")
        return Done(
            # Once the addresses have died, `content` is null.
            text_at(task, "content", "video_url") or None,
            text_at(task, "content", "last_frame_url") or None,
            self._cost(task),
            None if seed is None else int(seed),
            GONE if task.get("content", {}) is None else None,
        )

    def _failed(self, task: dict[str, Any]) -> Failed:
        code = text_at(task, "error", "code")
        said = text_at(task, "error", "message")
        verdict = _ark_errors.verdict(code)
        if verdict is None:
            silent = say("{provider} gives no reason.", provider=self.name)
            reason: str = said or silent
            if advice := _ark_errors.advice_about_task(code):
                reason = say("{said}. {advice}", said=reason.rstrip("."), advice=advice)
            return Failed(reason, code, billed="no")
        message = say(
            "{what}: {said}. {advice}",
            what=verdict.what,
            said=(said or code).rstrip("."),
            advice=verdict.advice,
        )
        return Failed(message, code, verdict.stage, billed="no")

    def _cost(self, task: dict[str, Any]) -> Money | None:
        """The tokens that the task was billed for, times the published price."""
        tokens = number_at(task, "usage", "completion_tokens")
        name, resolution = self._model_name(task), text_at(task, "resolution")
        if tokens is None or name is None:
            return None
        price = self._price(name, resolution, self._had_clip(task, name, tokens))
        return None if price is None else self._money(tokens, price)

    def _had_clip(self, task: dict[str, Any], name: str, tokens: float) -> bool:
        """Whether a clip was among the inputs. The answer does not say it, but the seconds of clips
        are billed as tokens too, and no clip is shorter than two."""
        seconds = number_at(task, "duration")
        if seconds is None:
            return False
        model = self.limits.models[name]
        size = area(model, text_at(task, "resolution"), text_at(task, "ratio"))
        with_shortest = (seconds + SHORTEST_CLIP) * FRAMES_A_SECOND * size / 1024
        return tokens > 0.98 * with_shortest

    def _price(self, name: str, resolution: str, with_clip: bool) -> float | None:
        """Per million tokens, or None where the list has no such price."""
        price = self.prices.get(name, {}).get(resolution)
        return price[with_clip] if price else None

    def _money(self, tokens: float, price: float) -> Money:
        # Estimated also where the provider counted the tokens: what it charges is not told.
        amount = round(tokens * price / 1e6, 4)
        return Money(amount, self.currency, estimated=True, as_of=self.prices_as_of)


def check_size(content: Iterable[dict[str, Any]], name: str) -> None:
    """Raise BadOrder for a content array that makes a request too large for the provider `name`."""
    size = sum(len(item[item["type"]]["url"]) for item in content if "role" in item)
    if size > LARGEST_REQUEST:
        raise BadOrder(
            "The media make the request {size} MB large; {name} takes {most} MB.",
            hint="Use fewer or smaller ones, or give them by https address.",
            size=f"{size / 2**20:.0f}",
            name=name,
            most=LARGEST_REQUEST >> 20,
        )


def content(order: Order, delivered: Delivered) -> Iterator[dict[str, Any]]:
    """The content array: the prompt, then the media with their roles, as prompts count them."""
    if order.prompt:
        yield {"type": "text", "text": order.prompt}
    clips = (delivered.video, *delivered.videos) if delivered.video else delivered.videos
    for kind, role, urls in (
        ("image_url", "first_frame", (delivered.first_frame,)),
        ("image_url", "last_frame", (delivered.last_frame,)),
        ("image_url", "reference_image", delivered.images),
        ("video_url", "reference_video", clips),
        ("audio_url", "reference_audio", delivered.audios),
    ):
        for url in urls:
            if url:
                yield {"type": kind, kind: {"url": url}, "role": role}


def _family(model_id: str) -> str:
    return model_id.rpartition("-")[0]
