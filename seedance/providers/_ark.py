"""Ark, the official Seedance API, which BytePlus ModelArk and Volcano Engine serve alike.

`_ark_limits` has what the models can do, `_ark_errors` the words for refusals; `byteplus` and
`volcengine` add host, key, model ids and price list. Sources: docs.byteplus.com/en/docs/modelark
(task API, error codes), the BytePlus Seedance 2.5 tutorial, and their Volcano Engine twins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import unquote

from ..errors import BadOrder, OddReply, SeedanceError, Unclear
from ..money import Money
from ..order import OPERATIONS, Order
from ..wire import (
    Balance,
    Call,
    CannotCancel,
    Delivered,
    Done,
    Expired,
    Failed,
    Flow,
    Pause,
    Provider,
    Reply,
    Running,
    Status,
    TaskCancelled,
    Ticket,
    Words,
    number_at,
    plain_word,
    text_at,
)
from . import _ark_errors
from ._ark_limits import FRAMES_A_SECOND, SHORTEST_CLIP, area

TASKS = "/contents/generations/tasks"

LARGEST_REQUEST = 64 * 2**20  # bytes, data URIs included
OTHER_NAMES = {"frames": "duration"}

# The id of the model that finishes drafts in 4k (dreamina-seedance-2-5-premium-260915 at BytePlus).
PREMIUM = "premium_model"

MARKED = "execution_expires_after"  # in seconds; each order has its own, and the list shows it

PAGE = 100
LIST_SECONDS = 1.0  # the list route takes one call a second
# Seconds by which a task's time may lie before and after that of its order: clocks differ, and the
# answer to a create takes its time.
CLOCK_SLACK = 300.0
LONGEST_CREATE = 900.0

GONE = Expired("the video is no longer there, since its address lives for 24 hours", "yes")

# USD or CNY per million tokens, by model and resolution: (without, with) a clip among the inputs.
Prices = Mapping[str, Mapping[str, tuple[float, float]]]


class Ark(Provider):
    """The part of BytePlus and Volcano Engine that is the same."""

    options = (PREMIUM,)
    # "Only success is charged", and a queued task is the only one that DELETE cancels.
    cancel_is_free = True
    # For `MARKED`: 3600 to 259200, by default 172800
    # (providers.md, BytePlus, "Fields"). Never less than the default, so that no task ends sooner.
    marks = range(172_800, 259_201)

    currency: ClassVar[str]
    prices: ClassVar[Prices]
    prices_as_of: ClassVar[str]

    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        body = self._body(order, delivered)
        extra = self.extra(order)
        return (yield from self.create(self.url(TASKS), body, extra, others=OTHER_NAMES))

    def finish(self, order: Order, draft: Ticket) -> Flow[Ticket]:
        """The draft is the only content: to send its prompt, media, seed, ratio, length or sound
        again is an error."""
        final = {
            "model": self.model_id(order),
            "content": [{"type": "draft_task", "draft_task": {"id": unquote(draft.opaque)}}],
            "resolution": order.resolution,
            "watermark": order.watermark,
        }
        if order.resolution == "4k":
            final["model"] = self.config.options.get(PREMIUM, final["model"])
        if self.mark:
            final[MARKED] = int(self.mark)
        return (yield from self.create(self.url(TASKS), final, {}))

    def finals(self, model: str) -> tuple[str, ...]:
        finals = super().finals(model)
        return (*finals, "4k") if finals and self.config.options.get(PREMIUM) else finals

    def check(self, ticket: Ticket) -> Flow[Status]:
        task = yield from self.ask(Call("GET", self._address(ticket)))
        return self.standing(task)

    @property
    def words(self) -> Words:
        return {
            "queued": Running(phase="queued"),
            "running": Running(),
            "succeeded": self._done,
            "failed": self._failed,
            "cancelled": TaskCancelled(),
            "expired": Expired("it did not finish within its time, and nothing is billed", "no"),
        }

    def cancel(self, ticket: Ticket) -> Flow[TaskCancelled | CannotCancel]:
        # DELETE cancels a queued task, but it deletes the record of a finished one: look first.
        task = yield from self.ask(Call("GET", self._address(ticket)))
        status = self.standing(task)
        if isinstance(status, TaskCancelled):
            return status
        if status != Running(phase="queued"):
            return CannotCancel(
                f"{self.name} cancels a task only while it is queued; "
                f"it is {plain_word(task.get('status'))}."
            )
        return self.cancelled((yield Call("DELETE", self._address(ticket))))

    def probe_key(self) -> Flow[Balance]:
        yield from self.ask(Call("GET", self.url(TASKS), query={"page_num": "1", "page_size": "1"}))
        return Balance("")  # no route tells whose key it is, or what is left

    def find(self, order: Mapping[str, Any], since: float) -> Flow[Ticket | None]:
        """Look through the task list for the one that was created with our mark: the time after
        which it expires, of which each order has a number of its own. Raises Unclear where two
        tasks have it."""
        if MARKED in order.get("extra", {}).get(self.id, {}):
            return None
        alike = {
            # By id: a task moves on to the next page while the list is read.
            str(task.get("id")): Ticket.issue(self.id, task.get("id"))
            for task in (yield from self._list())
            if number_at(task, MARKED) == float(self.mark) and self._may_be(task, order, since)
        }
        if len(alike) > 1:
            raise Unclear(
                f"{self.name} has {len(alike)} tasks that this order may have made: "
                f"{', '.join(map(str, list(alike.values())[:5]))}.",
                hint="Collect the right one with seedance collect, or clear the order with "
                "seedance forget if none is.",
            )
        return next(iter(alike.values()), None)

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

    # ------------------------------------------------------------------------------ the requests

    def _address(self, ticket: Ticket) -> str:
        return self.url(f"{TASKS}/{ticket.opaque}")

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
        if self.mark and MARKED not in self.extra(order):
            body[MARKED] = int(self.mark)
        if order.mode in OPERATIONS and order.mode not in model.by_prompt:
            body["omni_reference_task_type"] = order.mode
        check_size(body["content"], self.name)
        return body

    def _list(self) -> Flow[list[dict[str, Any]]]:
        """Every task of the last seven days, the most that the list goes back."""
        tasks: list[dict[str, Any]] = []
        for page in range(1, 1000):
            if page > 1:
                yield Pause(LIST_SECONDS)
            query = {"page_num": str(page), "page_size": str(PAGE)}
            listing = yield from self.ask(Call("GET", self.url(TASKS), query=query))
            items, total = listing.get("items"), number_at(listing, "total")
            if items is None and total == 0:
                break
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise OddReply(f"{self.name}'s list of tasks cannot be read.")
            tasks += items
            if not items or (len(items) < PAGE if total is None else len(tasks) >= total):
                break
        return tasks

    # ------------------------------------------------------------------------------- the answers

    def _may_be(self, task: dict[str, Any], order: Mapping[str, Any], since: float) -> bool:
        """Whether nothing that the list shows of a task speaks against an order. There are only so
        many marks, and others use the account too."""
        created = number_at(task, "created_at")
        if created is None or not since - CLOCK_SLACK < created < since + LONGEST_CREATE:
            return False
        shown = ("seed", "resolution", "generate_audio")
        return all(task.get(name) in (None, order.get(name)) for name in shown)

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
            return Failed(said or f"{self.name} gives no reason.", code, billed="no")
        message = f"{verdict.what}: {(said or code).rstrip('.')}. {verdict.advice}"
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
            f"The media make the request {size / 2**20:.0f} MB large; {name} takes "
            f"{LARGEST_REQUEST >> 20} MB.",
            hint="Use fewer or smaller ones, or give them by https address.",
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
