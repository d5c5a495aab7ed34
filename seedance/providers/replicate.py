"""Replicate: predictions of the models bytedance/seedance-*. Sources: the schemas on
replicate.com/bytedance/seedance-2.0, sdks.replicate.com, and Replicate's own Python client.

No page has its prices; those there are were reported by who uses it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from ..errors import BadOrder, Moderated, OddReply, Refused, SeedanceError, Unclear
from ..money import Money
from ..order import CLIP_TASKS, MODES, Order
from ..said import say
from ..wire import (
    Balance,
    Blob,
    Call,
    CannotCancel,
    Delivered,
    Done,
    Failed,
    FilePart,
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
    Uploaded,
    address,
    error_text,
    given,
    plain_word,
    text_at,
    unix_seconds,
)
from ._found import CLOCK_WRONG, MOST_PAGES, is_of_that_time, iso_time, recognised

VIDEO = MediaLimits(("video/mp4", "video/quicktime"), total_seconds=(0, 15))
AUDIO = MediaLimits(("audio/mpeg", "audio/wav"), total_seconds=(0, 15))

# Error texts carry codes; E005 says that an input or the output was flagged as sensitive.
_CODE = re.compile(r"\bE\d{3,5}\b")
MODERATED = "E005"
FALSE_ALARM = say(
    "This is often a false alarm, above all about faces and cars, and no fault of the order: try "
    "again with another seed, other words or another picture."
)


SCHEMA_20 = Source("replicate.com/bytedance/seedance-2.0 and -fast, api schema", "2026-06")
ID_MINI = Source(
    "replicate.com/bytedance/seedance-2.0-mini: the id; its schema was not found", "", True
)
SCHEMA_25 = Source("schema of bytedance/seedance-2.5, version fa8b2706 (a copy)", "2026-09-05")

STANDARD = ModelLimits(
    id="bytedance/seedance-2.0",
    # The schema's text on clips names editing. There is no field for it.
    modes=MODES - {"extend"},
    resolutions=("480p", "720p"),  # no document lists them; these are reported
    ratios=("16:9", "4:3", "1:1", "3:4", "9:16", "21:9"),
    durations=(4, 15),
    adaptive=MODES - {"extend"},
    auto_duration=True,
    prompt_reported=2000,  # a longer one is cut off or refused
    images=9,
    videos=3,
    audios=3,
    edit_images=9,
    by_prompt=frozenset(("edit",)),
    sources=(SCHEMA_20,),
)
NEWEST = replace(
    STANDARD,
    id="bytedance/seedance-2.5",
    modes=MODES,
    resolutions=("480p", "720p", "1080p"),
    ratios=("16:9", "4:3", "1:1", "3:4", "9:16"),
    durations=(4, 30),
    prompt_max=2000,
    prompt_reported=None,
    adaptive=MODES,
    source_ratio=CLIP_TASKS | {"frames"},
    source_duration=CLIP_TASKS,
    images=30,
    videos=10,
    audios=10,
    edit_images=30,
    watermark=True,
    media={
        "video": replace(VIDEO, total_seconds=(0, 30)),
        "audio": replace(AUDIO, total_seconds=(0, 30)),
    },
    by_prompt=CLIP_TASKS,
    extends_apart=True,
    sources=(SCHEMA_25,),
)


def _done(prediction: dict[str, Any]) -> Done:
    output = prediction.get("output")
    return Done(address(output[0] if isinstance(output, list) and output else output))


def _failed(prediction: dict[str, Any]) -> Failed:
    said = text_at(prediction, "error")
    code = next(iter(_CODE.findall(said)), "")
    # E005 stands for a flagged input and a flagged output; what can be changed is the input.
    stage: Literal["input", "service"] = "input" if code == MODERATED else "service"
    if code == MODERATED:
        said = say("{said}. {advice}", said=said.rstrip("."), advice=FALSE_ALARM)
    return Failed(said or say("Replicate gives no reason."), code, stage)


# USD per second of output by resolution: (without, with) a clip among the inputs, None where
# nothing is reported.
PRICES: Mapping[str, Mapping[str, tuple[float, float | None]]] = {
    "seedance-2.0": {"480p": (0.08, None), "720p": (0.18, None)},
    "seedance-2.0-mini": {"480p": (0.04, None)},
    "seedance-2.5": {"480p": (0.1028, None), "720p": (0.2312, 0.9676)},
}
PRICES_AS_OF = "2026-09, reported"


class Replicate(Provider):
    """Replicate."""

    id = "replicate"
    name = "Replicate"
    key_variable = "REPLICATE_API_TOKEN"
    key_page = "https://replicate.com/account/api-tokens"
    default_base_url = "https://api.replicate.com"
    limits = Limits(
        models={
            "seedance-2.0": STANDARD,
            "seedance-2.0-fast": replace(STANDARD, id="bytedance/seedance-2.0-fast"),
            "seedance-2.0-mini": replace(
                STANDARD, id="bytedance/seedance-2.0-mini", sources=(ID_MINI,)
            ),
            "seedance-2.5": NEWEST,
        },
        # Data URIs are advised against above 256 KB, so files always go up.
        delivery={
            "image": ("upload", "address"),
            "video": ("upload", "address"),
            "audio": ("upload", "address"),
        },
        image=MediaLimits(("image/png", "image/jpeg", "image/webp")),
        video=VIDEO,
        audio=AUDIO,
        spelling={"image": "[Image{n}]", "video": "[Video{n}]", "audio": "[Audio{n}]"},
        result_life=3600.0,
    )
    keeps_create = True
    found_for = 3600.0  # then the inputs are removed
    where_to_look = say("Look at replicate.com/predictions.")
    words = {
        "starting": Running(phase="queued"),
        "processing": Running(),
        "succeeded": _done,
        "failed": _failed,
        "canceled": TaskCancelled(),
        "cancelled": TaskCancelled(),
        "aborted": TaskCancelled(),
    }

    def upload(self, blob: Blob) -> Flow[Uploaded]:
        call = Call("POST", self.url("/v1/files"), file=FilePart("content", blob))
        file = yield from self.ask(call)
        return Uploaded(text_at(file, "urls", "get"), unix_seconds(file.get("expires_at")))

    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        wanted = {
            "prompt": order.prompt,
            "duration": order.duration,
            "resolution": order.resolution,
            "aspect_ratio": order.ratio,
            "generate_audio": order.generate_audio,
            "seed": order.seed,
            **given(
                image=delivered.first_frame,
                last_frame_image=delivered.last_frame,
                reference_images=list(delivered.images),
                reference_videos=list(filter(None, (delivered.video, *delivered.videos))),
                reference_audios=list(delivered.audios),
            ),
        }
        if order.watermark:
            wanted["watermark"] = True  # unknown names are refused, and 2.0 has no such field
        url = self.url(f"/v1/models/{self.model_id(order).strip('/')}/predictions")
        return (yield from self.create(url, {"input": wanted}, self.extra(order), into=wanted))

    def check(self, ticket: Ticket) -> Flow[Status]:
        prediction = yield from self.ask(Call("GET", self._address(ticket)))
        return self.standing(prediction)

    def cancel(self, ticket: Ticket) -> Flow[TaskCancelled | CannotCancel]:
        reply = yield Call("POST", f"{self._address(ticket)}/cancel")
        word = plain_word(reply.object().get("status")) if reply.ok else ""
        if word in ("succeeded", "failed"):
            if word == "failed":
                return CannotCancel(say("The prediction has already failed."))
            return CannotCancel(say("The prediction has already succeeded."))
        return self.cancelled(reply)

    def find(
        self, order: Mapping[str, Any], since: float, create: Call | None = None
    ) -> Flow[Ticket | None]:
        """Look through the list of predictions for one with the same inputs, which hold the whole
        order, down to its seed and the addresses of its files. No field could mark it."""
        if create is None:
            raise BadOrder("What was sent was not kept, so that its prediction is not looked for.")
        model = create.url.removeprefix(self.url("/v1/models/")).removesuffix("/predictions")
        query = {
            "created_after": iso_time(since - CLOCK_WRONG),
            "created_before": iso_time(since + CLOCK_WRONG),
        }
        found, bare = [], []
        for item in (yield from self._list(query)):
            if item.get("model", model) != model:
                continue
            created = unix_seconds(item.get("created_at"))
            if item.get("data_removed"):
                if is_of_that_time(created, since):
                    bare.append(Ticket.issue(self.id, item.get("id")))
            elif item.get("input") == create.json["input"]:
                found.append((Ticket.issue(self.id, item.get("id")), created))
        if bare and not found:
            raise Unclear(
                "Replicate has {count} predictions of that time whose inputs are "
                "removed, one of which may be this order's: {tickets}.",
                hint="Collect the right one with seedance collect.",
                count=len(bare),
                tickets=bare[:5],
            )
        return recognised(self.name, found, since)

    def recent(self, since: float) -> Flow[list[Ticket]]:
        """The predictions of Seedance's models."""
        offered = self.limits.models.items()
        models = {self.config.models.get(name) or each.id for name, each in offered}
        items = yield from self._list({"created_after": iso_time(since)})
        return [
            Ticket.issue(self.id, item.get("id"))
            for item in items
            if text_at(item, "model") in models
        ]

    def _list(self, query: Mapping[str, str]) -> Flow[list[dict[str, Any]]]:
        """All predictions of a time."""
        found: list[dict[str, Any]] = []
        for _ in range(MOST_PAGES):
            page = yield from self.ask(Call("GET", self.url("/v1/predictions"), query=query))
            items = page.get("results")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise OddReply("Replicate's list of predictions cannot be read.")
            found += items
            cursor = dict(parse_qsl(urlsplit(text_at(page, "next")).query)).get("cursor")
            if not cursor:
                break
            query = {**query, "cursor": cursor}
        return found

    def probe_key(self) -> Flow[Balance]:
        account = yield from self.ask(Call("GET", self.url("/v1/account")))
        return Balance(
            text_at(account, "username") or say("{provider} account", provider=self.name)
        )

    def estimate(self, order: Order, clip_seconds: float | None = None) -> Money | None:
        """The price by seconds of output; the flat price with a clip covers clips of any length. A
        length that the model decides is counted at its longest; an edited clip comes back about as
        long as it is."""
        prices = PRICES.get(order.model, {}).get(order.resolution)
        with_clip = order.video is not None or bool(order.of_kind("video"))
        price = prices[with_clip] if prices else None
        if price is None:
            return None
        longest = self.model(order).durations[1]
        seconds = float(longest if order.duration == -1 else order.duration)
        if clip_seconds and order.mode == "edit" and order.duration == -1:
            seconds = clip_seconds
        return Money(round(seconds * price, 4), "USD", estimated=True, as_of=PRICES_AS_OF)

    def explain(self, reply: Reply) -> SeedanceError:
        said = error_text(reply)
        if MODERATED in _CODE.findall(said):
            return Moderated(
                "Replicate's content policy refused the order: {said}", hint=FALSE_ALARM, said=said
            )
        if reply.status == 422:
            return Refused(
                "Replicate did not accept the input: {said}",
                said=said or say("it gives no reason"),
            )
        return super().explain(reply)

    def _address(self, ticket: Ticket) -> str:
        return self.url(f"/v1/predictions/{ticket.opaque}")
