"""The queue of fal, as fal and others serve it: a request is posted to the path of its model, and
the answer names the addresses of its status and of its result.

Sources: docs.fal.ai (queue, errors, request errors), and fal's own Python client.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from ..errors import BadOrder, Moderated, OddReply, OutOfCredit, Refused, SeedanceError
from ..order import Order
from ..said import say, template
from ..texts import LONGEST_CODE, LONGEST_NAME
from ..wire import (
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
    Words,
    dig,
    error_text,
    given,
    number_at,
    plain_word,
    text_at,
)
from ._fal_limits import PATHS

QUEUE = "https://queue.fal.run"
COMPLETE = "draft/complete"  # where a mode stands in the path of a model

# fal's queue itself runs a request again after some errors, up to ten times. This forbids it.
NO_RETRY = {"x-fal-no-retry": "1"}

# What these are about, with or without a type, is the key, the address or how often we ask.
NOT_OF_THE_RESULT = (401, 403, 404, 429)

MODERATED = "content_policy_violation"
_INPUTS = frozenset({"image_url", "end_image_url", "image_urls", "video_urls", "audio_urls"})
_STEP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # of a path


def queued(state: dict[str, Any]) -> Running:
    """In the queue, with the requests before this one where they are told."""
    position = number_at(state, "queue_position")
    return Running(phase="queued", ahead=None if position is None else int(position))


class Queue(Provider):
    """A queue that speaks as fal's does.

    A ticket keeps the path of the request, with `~` for `/`, since fal asks to use the addresses
    that it returned and the request id alone does not give them.
    """

    auth_scheme = "Key"
    # COMPLETED is no end yet: `_result` finds out which.
    words: Words = {"in_queue": queued, "in_progress": Running()}
    finished: tuple[str, ...] = ("completed",)
    mark_field = ""  # for `mark`, where the history of requests shows it

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
        if self.mark_field and self.mark and self.mark_field not in extra:
            body[self.mark_field] = self.mark
        reply = yield self.paid_call(url, body, extra, headers=NO_RETRY)
        return Ticket.issue(self.id, self._remembered(self.read(reply), model_id))

    def finish(self, order: Order, draft: Ticket) -> Flow[Ticket]:
        """The id of the draft is in its result, not in its ticket."""
        response_url, _, _ = self._urls(draft)
        result = yield from self.ask(Call("GET", response_url))
        draft_id = text_at(result, "draft_id")
        if not draft_id:
            raise Refused(
                "{provider}'s result of {draft} has no draft id: it was no draft.",
                provider=self.name,
                draft=draft,
            )
        model_id = self.model_id(order, COMPLETE).strip("/")
        body = {"draft_id": draft_id, "resolution": order.resolution}
        reply = yield self.paid_call(self.url(f"/{model_id}"), body, {}, headers=NO_RETRY)
        return Ticket.issue(self.id, self._remembered(self.read(reply), model_id))

    def check(self, ticket: Ticket) -> Flow[Status]:
        _, status_url, _ = self._urls(ticket)
        state = yield from self.ask(Call("GET", status_url))
        if plain_word(state.get("status")) in self.finished:
            return (yield from self._result(ticket, state))
        return self.standing(state)

    def cancel(self, ticket: Ticket) -> Flow[Cancelling]:
        """A queued request is removed; one that runs gets a signal, and its app decides whether it
        stops. The answer is the same."""
        *_, cancel_url = self._urls(ticket)
        reply = yield Call("PUT", cancel_url)
        outcome = self.cancelled(
            reply, template("{provider} cancels no request that is over: {said}")
        )
        if isinstance(outcome, CannotCancel):
            return outcome
        try:
            taken = dig(reply.json(), "success") is not False
        except OddReply:  # the status tells
            taken = True
        if not taken:
            return CannotCancel(
                say("{provider} did not take the request to cancel.", provider=self.name)
            )
        return CancelRequested()

    def explain(self, reply: Reply) -> SeedanceError:
        problem = _problem(reply)
        said = error_text(reply)
        if problem.code == MODERATED:
            return Moderated(
                "{provider}'s content policy refused the order: {said}",
                hint="Change the prompt or the media. Pictures and clips with real people are "
                "reported to be refused.",
                provider=self.name,
                said=said,
            )
        if reply.status == 403 and "balance" in said.lower():
            return OutOfCredit(
                "{provider} says that the balance is used up: {said}",
                hint=self.credit,
                provider=self.name,
                said=said,
            )
        if reply.status == 422:
            return Refused(
                "{provider} did not accept {field}: {said}",
                provider=self.name,
                field=problem.field or "a value",
                said=said,
            )
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
            return Done(self.video_url(result), seed=None if seed is None else int(seed))
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

    def video_url(self, result: dict[str, Any]) -> str | None:
        """The address of the video in a result, None where there is none."""
        return text_at(result, "video", "url") or None

    # ------------------------------------------------------------------------------------ tickets

    def _remembered(self, answer: dict[str, Any], model_id: str) -> str:
        """What a ticket keeps of the returned addresses: the one path that gives all three, or all
        three; or the documented path, if they are not at the queue's host."""
        request_id = text_at(answer, "request_id")
        if not request_id:
            raise OddReply("{provider}'s answer carries no request id.", provider=self.name)
        names = ("response_url", "status_url", "cancel_url")
        paths = [self._path(text_at(answer, name)) for name in names]
        if not all(paths):
            owner_and_app = "/".join(model_id.split("/")[:2])
            paths = _three(f"{owner_and_app}/requests/{request_id}")
        kept = paths[:1] if paths == _three(paths[0]) else paths
        return ":".join(kept).replace("/", "~")

    def _path(self, url: str) -> str:
        """The path of an address at the queue's host; empty for any other address."""
        for base in (self.config.base_url, QUEUE):
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
                "{ticket} is not a ticket of {provider}.",
                hint="It looks like {id}:bytedance~seedance-2.0~requests~<request id>.",
                ticket=ticket,
                provider=self.name,
                id=self.id,
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
