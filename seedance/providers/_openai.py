"""The routes of OpenAI's video API, as new-api and its forks serve them for any model.

Sources: QuantumNous/new-api (router/video-router.go, dto/openai_video.go, the adaptor for Seedance
in relay/channel/task/doubao), OpenAI's own SDK.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..order import CLIP_TASKS, Order
from ..said import say
from ..wire import (
    Call,
    Delivered,
    Done,
    Expired,
    Flow,
    Limits,
    ModelLimits,
    Reply,
    Source,
    Status,
    Ticket,
    error_code,
    given,
)
from . import _ark_limits, _ark_models, _relay, _spellings

VIDEOS = "/v1/videos"
GENERATIONS = "/v1/video/generations"
UNKNOWN_TASK = "task_not_exist"  # sent with HTTP 400

# Seconds. Ark gives a task up after 48 hours, which new-api takes for "in progress" from then on.
LONGEST_TASK = 50 * 3600.0

NEW_API = Source("QuantumNous/new-api on GitHub, relay/channel/task/doubao", "2026-08")


class Routes(_relay.Relay):
    """A relay whose paths begin with /v1."""

    def url(self, path: str) -> str:
        """`path`, which begins with /v1, under a base URL that may end with it too."""
        return self.config.base_url.rstrip("/").removesuffix("/v1") + path

    def paid(self, call: Call, *others: str) -> Flow[Reply]:
        """Make a paid call, at `others` where there is no such route: a missing route has accepted
        nothing. Returns the last answer."""
        reply = yield call
        for url in others:
            if not is_no_route(reply):
                break
            reply = yield replace(call, url=url)
        return reply


class OpenAIVideos(Routes):
    """New-api's form of the API: what OpenAI's has no field for is in `metadata`, as Ark spells it.

    There is no cancelling, and no list in which a task could be found again.
    """

    words = _spellings.words(_spellings.done, _relay.failed)

    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        call = self.paid_call(self.url(VIDEOS), self._body(order, delivered), self.extra(order))
        return self.ticket((yield from self.paid(call, self.url(GENERATIONS))))

    def check(self, ticket: Ticket) -> Flow[Status]:
        ours = self.url(f"{VIDEOS}/{ticket.opaque}")
        reply = yield Call("GET", ours, may_be_missing=True)
        if reply.status in (404, 405, 410):
            reply = yield Call("GET", self.url(f"{GENERATIONS}/{ticket.opaque}"))
        if reply.status == 400 and error_code(reply) == UNKNOWN_TASK:
            return Expired(say("the gateway does not know the task"), may_appear=True)
        status = self.status(reply)
        if isinstance(status, Done):
            # Also in place of the address of this route that a gateway makes with the name that it
            # has for itself, which may be one that only it can reach.
            found, content = status.video_url or "", f"{ours}/content"
            if not found or found.endswith(f"{VIDEOS}/{ticket.opaque}/content"):
                return replace(status, video_url=content)
        return status

    def _body(self, order: Order, delivered: Delivered) -> dict[str, Any]:
        """New-api appends the prompt to `content` itself, and drops other texts in it."""
        media = [item for item in _ark_models.content(order, delivered) if item["type"] != "text"]
        _ark_models.check_size(media, self.name)
        return {
            "model": self.model_id(order),
            "prompt": order.prompt,
            **given(seconds=None if order.duration == -1 else str(order.duration)),
            "metadata": {
                **given(content=media),
                # Instead of `seconds`, which must be positive.
                **given(duration=-1 if order.duration == -1 else None),
                "resolution": order.resolution,
                "ratio": order.ratio,
                "generate_audio": order.generate_audio,
                "seed": order.seed,
                "watermark": order.watermark,
                "return_last_frame": True,
                **given(tools=[{"type": "web_search"}] if order.web_search else None),
            },
        }


def is_no_route(reply: Reply) -> bool:
    """Whether a create met no route: 404 or 405, unless the answer speaks of an unknown model."""
    return reply.status == 405 or (reply.status == 404 and "model" not in error_code(reply).lower())


def limits() -> Limits:
    """Ark's limits, without what `metadata` cannot carry: the task types of 2.5, drafts (a final
    has another kind of content) and the choice of a container."""
    official = _ark_limits.limits("")
    carried = {name: _carried(model) for name, model in official.models.items()}
    return replace(
        official, models=carried, task_life=LONGEST_TASK, draft_life=None, forgets_after=None
    )


def _carried(model: ModelLimits) -> ModelLimits:
    by_types = CLIP_TASKS - model.by_prompt
    return replace(
        model.only(model.modes - by_types),
        id="",
        drafts=frozenset(),
        finals=(),
        formats=("mp4",),
        sources=(NEW_API, *model.sources),
    )
