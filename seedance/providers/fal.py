"""fal: a queue before every model. Sources: docs.fal.ai (queue, errors, request errors), the model
pages of bytedance/seedance-2.0, fal's own Python client, and, of the history of requests, fal's
platform API (retold). The mode is part of the model's path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from ..errors import (
    BadOrder,
    Moderated,
    OddReply,
    OutOfCredit,
    Refused,
    SeedanceError,
    Unclear,
)
from ..money import Money
from ..order import SIZES, Order
from ..texts import LONGEST_CODE, LONGEST_NAME
from ..wire import (
    Blob,
    Call,
    Cancelling,
    CancelRequested,
    CannotCancel,
    Delivered,
    Done,
    Failed,
    Flow,
    Provider,
    Reply,
    Running,
    Status,
    TaskCancelled,
    Ticket,
    Uploaded,
    dig,
    error_text,
    given,
    number_at,
    plain_word,
    text_at,
    unix_seconds,
)
from ._ark_limits import FRAMES_A_SECOND, SIZES_25
from ._fal_limits import LIMITS, PATHS
from ._fal_prices import PRICES
from ._found import CLOCK_SLACK, MOST_PAGES, is_of_that_time, iso_time, the_one

HISTORY = "/v1/models/requests/by-endpoint"
MARKED = "end_user_id"  # a random one for each order, and no person's
COMPLETE = "draft/complete"  # where a mode stands in the path of a model

# fal's queue itself runs a request again after some errors, up to ten times. This forbids it.
NO_RETRY = {"x-fal-no-retry": "1"}

# What these are about, with or without a type, is the key, the address or how often we ask.
NOT_OF_THE_RESULT = (401, 403, 404, 429)

MODERATED = "content_policy_violation"
_INPUTS = frozenset({"image_url", "end_image_url", "image_urls", "video_urls", "audio_urls"})
_STEP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # of a path


def _queued(state: dict[str, Any]) -> Running:
    position = number_at(state, "queue_position")
    return Running(phase="queued", ahead=None if position is None else int(position))


class Fal(Provider):
    """fal.ai.

    A ticket keeps the path of the request, with `~` for `/`, since fal asks to use the addresses
    that it returned and the request id alone does not give them.
    """

    id = "fal"
    name = "fal"
    key_variable = "FAL_KEY"
    key_page = "https://fal.ai/dashboard/keys"
    default_base_url = "https://queue.fal.run"
    default_upload_url = "https://rest.fal.ai"
    default_history_url = "https://api.fal.ai"
    auth_scheme = "Key"
    limits = LIMITS
    random_mark = True
    keeps_create = True
    found_for = 30 * 24 * 3600.0  # what was sent is kept for so long
    where_to_look = "Look at the requests on fal.ai/dashboard/requests."
    # COMPLETED is no end yet: `_result` finds out which.
    words = {"in_queue": _queued, "in_progress": Running()}

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

    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        body = {
            "prompt": order.prompt,
            "resolution": order.resolution,
            "duration": "auto" if order.duration == -1 else str(order.duration),
            "aspect_ratio": "auto" if order.ratio == "adaptive" else order.ratio,
            "generate_audio": order.generate_audio,
            **given(
                image_url=delivered.first_frame,
                end_image_url=delivered.last_frame,
                image_urls=list(delivered.images),
                video_urls=list(filter(None, (delivered.video, *delivered.videos))),
                audio_urls=list(delivered.audios),
            ),
        }
        if order.draft:
            body["draft"] = True
        model_id = self.model_id(order, PATHS[order.mode]).strip("/")
        url, extra = self.url(f"/{model_id}"), self.extra(order)
        if self.mark and MARKED not in extra:
            body[MARKED] = self.mark
        reply = yield self.paid_call(url, body, extra, headers=NO_RETRY)
        return Ticket.issue(self.id, self._remembered(self.read(reply), model_id))

    def finish(self, order: Order, draft: Ticket) -> Flow[Ticket]:
        """The id of the draft is in its result, not in its ticket."""
        response_url, _, _ = self._urls(draft)
        result = yield from self.ask(Call("GET", response_url))
        draft_id = text_at(result, "draft_id")
        if not draft_id:
            raise Refused(f"fal's result of {draft} has no draft id: it was no draft.")
        model_id = self.model_id(order, COMPLETE).strip("/")
        body = {"draft_id": draft_id, "resolution": order.resolution}
        reply = yield self.paid_call(self.url(f"/{model_id}"), body, {}, headers=NO_RETRY)
        return Ticket.issue(self.id, self._remembered(self.read(reply), model_id))

    def check(self, ticket: Ticket) -> Flow[Status]:
        _, status_url, _ = self._urls(ticket)
        state = yield from self.ask(Call("GET", status_url))
        if plain_word(state.get("status")) == "completed":
            return (yield from self._result(ticket, state))
        return self.standing(state)

    def cancel(self, ticket: Ticket) -> Flow[Cancelling]:
        """A queued request is removed; one that runs gets a signal, and its app decides whether it
        stops. The answer is the same."""
        *_, cancel_url = self._urls(ticket)
        reply = yield Call("PUT", cancel_url)
        outcome = self.cancelled(reply, "cancels no request that is over")
        if isinstance(outcome, CannotCancel):
            return outcome
        if dig(reply.object(), "success") is False:
            return CannotCancel("fal did not take the request to cancel.")
        return CancelRequested()

    def find(
        self, order: Mapping[str, Any], since: float, create: Call | None = None
    ) -> Flow[Ticket | None]:
        """Look through the history of the model's requests, with what was sent: for our
        `end_user_id`, or, for the final video of a draft, which takes none, for its draft."""
        if order.get("draft_of"):
            response_url, *_ = self._urls(Ticket.parse(order["draft_of"], known=True))
            drafted = yield from self.ask(Call("GET", response_url))
            wanted = {"draft_id": text_at(drafted, "draft_id"), "resolution": order["resolution"]}
            template = self.config.models.get(order["model"])
            template = template or self.limits.models[order["model"]].id
            endpoint = template.replace("{mode}", COMPLETE).strip("/")
        elif MARKED in order.get("extra", {}).get(self.id, {}):
            raise BadOrder(f"The order sets {MARKED} itself, so that nothing marks its request.")
        elif create is None:
            raise BadOrder("What was sent was not kept, so that its request is not looked for.")
        else:
            wanted = {MARKED: self.mark}
            endpoint = create.url.removeprefix(self.url("/"))
        requests = yield from self._history(endpoint, since)
        bare = [item for item in requests if not isinstance(item.get("json_input"), dict)]
        found = [
            item
            for item in requests
            if item not in bare
            and all(item["json_input"].get(name) == value for name, value in wanted.items())
        ]
        app = "/".join(endpoint.split("/")[:2])
        paths = (f"{app}/requests/{text_at(item, 'request_id')}" for item in found or bare)
        tickets = [Ticket.issue(self.id, path.replace("/", "~")) for path in paths]
        if bare and not found:
            raise Unclear(
                f"fal's history has {len(bare)} requests of that time without what was sent, one "
                f"of which may be this order's: {', '.join(map(str, tickets[:5]))}.",
                hint="Collect the right one with seedance collect.",
            )
        return the_one(self.name, tickets)

    def _history(self, endpoint: str, since: float) -> Flow[list[dict[str, Any]]]:
        """The requests of one model at the time of an order, with what was sent.

        It is not documented which of a request's times `start` and `end` are about, so that only
        the first is given, and the time when a request was sent is compared here.
        """
        query = {
            "endpoint_id": endpoint,
            "start": iso_time(since - CLOCK_SLACK),
            "expand": "payloads",
            "limit": "100",
        }
        found: list[dict[str, Any]] = []
        for _ in range(MOST_PAGES):
            page = yield from self.ask(Call("GET", self.history_url(HISTORY), query=query))
            items = page.get("items")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise OddReply("fal's history of requests cannot be read.")
            found += [
                item
                for item in items
                if is_of_that_time(unix_seconds(item.get("sent_at")), since)
                and item.get("endpoint_id", endpoint) == endpoint
            ]
            if not page.get("has_more"):
                return found
            query = {**query, "cursor": text_at(page, "next_cursor")}
        raise OddReply("fal's history of requests does not end.")

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

    def explain(self, reply: Reply) -> SeedanceError:
        problem = _problem(reply)
        said = error_text(reply)
        if problem.code == MODERATED:
            return Moderated(
                f"fal's content policy refused the order: {said}",
                hint="Change the prompt or the media. Pictures and clips with real people are "
                "reported to be refused.",
            )
        if reply.status == 403 and "balance" in said.lower():
            return OutOfCredit(f"fal says that the balance is used up: {said}", hint=self.credit)
        if reply.status == 422:
            return Refused(f"fal did not accept {problem.field or 'a value'}: {said}")
        return super().explain(reply)

    # ----------------------------------------------------------------------- the end of a request

    def _result(self, ticket: Ticket, state: dict[str, Any]) -> Flow[Status]:
        """COMPLETED covers failure: then the result is an HTTP error, and the state may say it too.

        Such an error may be a 5xx, so a failure is known by its type: an error without one is of
        the way to the result, not of the result.
        """
        response_url, _, _ = self._urls(ticket)
        reply = yield Call("GET", response_url, any_status=True)
        told = text_at(state, "error_type") or text_at(state, "error")
        if reply.ok and not told:
            result = reply.object()
            seed = number_at(result, "seed")
            return Done(
                text_at(result, "video", "url") or None, seed=None if seed is None else int(seed)
            )
        problem = _problem(reply)
        if "client_cancelled" in (told, problem.code):
            return TaskCancelled()
        if told or (problem.code and reply.status not in NOT_OF_THE_RESULT):
            code = problem.code or text_at(state, "error_type")
            message = problem.message or text_at(state, "error") or code
            return Failed(message, code, problem.stage)
        if reply.status >= 500 or reply.status in (408, 429):
            return Running(phase="fetching_result")
        raise self.explain(reply)

    # ------------------------------------------------------------------------------------ tickets

    def _remembered(self, answer: dict[str, Any], model_id: str) -> str:
        """What a ticket keeps of the returned addresses: the one path that gives all three, or all
        three; or the documented path, if they are not at the queue's host."""
        request_id = text_at(answer, "request_id")
        if not request_id:
            raise OddReply("fal's answer carries no request id.")
        names = ("response_url", "status_url", "cancel_url")
        paths = [self._path(text_at(answer, name)) for name in names]
        if not all(paths):
            owner_and_app = "/".join(model_id.split("/")[:2])
            paths = _three(f"{owner_and_app}/requests/{request_id}")
        kept = paths[:1] if paths == _three(paths[0]) else paths
        return ":".join(kept).replace("/", "~")

    def _path(self, url: str) -> str:
        """The path of an address at the queue's host; empty for any other address."""
        for base in (self.config.base_url, self.default_base_url):
            path = url.removeprefix(f"{base.rstrip('/')}/")
            if path != url and _is_path(path):
                return path
        return ""

    def _urls(self, ticket: Ticket) -> list[str]:
        """The addresses of the response, the status and the cancelling."""
        paths = ticket.opaque.replace("~", "/").split(":")
        if len(paths) == 1:
            paths = _three(paths[0])
        if len(paths) != 3 or not all(map(_is_path, paths)):
            raise BadOrder(
                f"{ticket} is not a ticket of fal.",
                hint="It looks like fal:bytedance~seedance-2.0~requests~<request id>.",
            )
        return [self.url(f"/{path}") for path in paths]


def _is_path(text: str) -> bool:
    """Whether it is a path of at least two steps that climbs nowhere."""
    steps = text.split("/")
    return len(steps) > 1 and all(map(_STEP.fullmatch, steps))


def _three(path: str) -> list[str]:
    return [path, f"{path}/status", f"{path}/cancel"]


class _Problem:
    """What an error answer says: of the model (`detail` is a list) or of the platform (a text,
    with its type beside it or in a header)."""

    def __init__(self, body: Any, type_in_header: str) -> None:
        first = dig(body, "detail", 0)
        self.field = text_at(first, "loc", 1)[:LONGEST_NAME]  # after "body"
        code = text_at(first, "type") or text_at(body, "error_type") or type_in_header
        self.code = code[:LONGEST_CODE]
        self.message = text_at(first, "msg") or text_at(body, "detail")

    @property
    def stage(self) -> Literal["prompt", "input", "output", "service"]:
        """What it is about, by the field that it names."""
        if self.field == "prompt":
            return "prompt"
        if self.field in _INPUTS or self.code.startswith(("image_", "video_", "audio_", "file_")):
            return "input"
        return "output" if self.code == MODERATED else "service"


def _problem(reply: Reply) -> _Problem:
    type_in_header = reply.headers.get("x-fal-error-type", "").strip()
    try:
        return _Problem(reply.json(), type_in_header)
    except OddReply:
        return _Problem(None, type_in_header)
