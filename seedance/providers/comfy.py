"""Comfy Router: Ark's models for Comfy credits, by a queue. Sources: Comfy-Org/docs,
router-openapi.yaml and development/comfy-router (headers, errors, billing, pricing).

The body of an order and the task that comes back are Ark's own; the queue around them is Comfy's.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import unquote

from ..errors import BadOrder, Moderated, OddReply, OutOfCredit, Refused, SeedanceError
from ..money import Money
from ..order import Order
from ..said import say, template
from ..wire import (
    AboutKey,
    Balance,
    Blob,
    Call,
    Cancelling,
    CancelRequested,
    Delivered,
    Done,
    Expired,
    Failed,
    Flow,
    Idempotency,
    Limits,
    ModelLimits,
    Reply,
    Running,
    Source,
    Status,
    TaskCancelled,
    Ticket,
    Uploaded,
    Words,
    dig,
    error_text,
    number_at,
    plain_word,
    text_at,
    unix_seconds,
)
from ._ark_limits import limits
from ._ark_models import OTHER_NAMES, ArkModels
from ._fal import queued

PARTNER = "byteplus"  # whose models have Ark's body
# By default Comfy lets another vendor run (and bill) what BytePlus does not.
QUERY = {"fallback_provider": "false"}
CREDITS_PER_USD = 211.0

SCHEMA = Source("Comfy-Org/docs, router-openapi.yaml and comfy-router/models/byteplus", "2026-10")

ERROR_TYPE, SUBJECT = "x-comfy-error-type", "x-comfy-refusal-subject"
CREDITS_USED = "x-comfy-credits-used"

NO_CREDIT, MODERATED = "insufficient_credits", "content_policy_violation"
# Types of error with which nothing reached a vendor.
NEVER_RUN = ("queue_timeout", "queue_backlog_full", NO_CREDIT, "not_enabled", "model_not_found")
# What an error without the queue's own word for the task is about: the key, the address, how often
# we ask, or Comfy itself.
NOT_OF_THE_TASK = (401, 402, 403, 404, 408, 410, 429, 500, 502, 503)

_PLACE = re.compile(
    r"/v2/models/([a-z0-9][a-z0-9._-]{0,63})/([a-z0-9][a-z0-9._-]{0,99})/requests"
    r"(?:/([0-9A-Za-z_-]{1,64}))?"
)


def _model(model: ModelLimits, model_id: str = "") -> ModelLimits:
    """A model of Ark's as the Router has it: its schema has no drafts and no tools."""
    return replace(
        model,
        id=f"{PARTNER}/{model_id or model.id}",
        drafts=frozenset(),
        finals=(),
        web_search=frozenset(),
        sources=(SCHEMA, *model.sources),
    )


def _limits() -> Limits:
    ark = limits("dreamina")
    other_ids = {"seedance-2.0-mini": "dreamina-seedance-2-0-mini"}
    return replace(
        ark,
        models={name: _model(each, other_ids.get(name, "")) for name, each in ark.models.items()},
        delivery={
            "image": ("upload", "address", "handle"),
            "video": ("upload", "address", "handle"),
            "audio": ("upload", "address", "handle"),
        },
        poll_interval=None,  # each answer says when to ask again
        task_life=48 * 3600.0,
        draft_life=None,
        forgets_after=24 * 3600.0,  # finished requests are kept for so long, then 410
    )


class Comfy(ArkModels):
    """Comfy Router, by a key of one's own; the login of ComfyUI is not used.

    A ticket keeps the model's id, with `~` for `/`, beside the request's: both are in its address.
    """

    id = "comfy"
    name = "Comfy"
    key_variable = "COMFY_API_KEY"
    key_page = "https://platform.comfy.org/profile/api-keys"
    default_base_url = "https://api.comfy.org"
    refuses_people = "documented"
    auth_header = "X-API-Key"
    auth_scheme = ""
    random_mark = True
    keeps_create = True
    cancel_is_request = True  # work that was begun may be charged
    idempotency = Idempotency("Idempotency-Key", 24 * 3600.0)
    where_to_look = say("Look at the usage on platform.comfy.org.")
    limits = _limits()
    currency = "USD"
    prices_as_of = "2026-10"
    price_note = say("Comfy's price is 1.43 times the list price of BytePlus.")
    prices = {
        "seedance-2.0": {
            "480p": (10.01, 6.149),
            "720p": (10.01, 6.149),
            "1080p": (11.011, 6.721),
            "4k": (5.72, 3.432),
        },
        "seedance-2.0-fast": {"480p": (8.008, 4.719), "720p": (8.008, 4.719)},
        "seedance-2.0-mini": {"480p": (5.005, 3.003), "720p": (5.005, 3.003)},
        "seedance-2.5": {
            "480p": (15.301, 9.152),
            "720p": (15.301, 9.152),
            "1080p": (16.731, 10.01),
        },
    }

    @property
    def words(self) -> Words:
        # COMPLETED is no end yet: `_result` finds out which.
        return {**super().words, "in_queue": queued, "in_progress": Running()}

    def upload(self, blob: Blob) -> Flow[Uploaded]:
        wanted = {"file_name": blob.name, "content_type": blob.mime}
        place = yield from self.ask(Call("POST", self.url("/customers/storage"), json=wanted))
        upload_url, file_url = text_at(place, "upload_url"), text_at(place, "download_url")
        if not upload_url or not file_url:
            raise OddReply("Comfy's storage did not say where to upload the file.")
        stored = yield Call("PUT", upload_url, body=blob, auth=False)
        if not stored.ok:
            raise Refused(
                "Comfy's storage did not take the file (HTTP {status}).", status=stored.status
            )
        return Uploaded(file_url, unix_seconds(place.get("expires_at")))

    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        body = self._body(order, delivered)
        path = f"/v2/models/{_place_of(body.pop('model'))}/requests"
        return (
            yield from self.repeat(
                self.paid_call(
                    self.url(path), body, self.extra(order), others=OTHER_NAMES, query=QUERY
                )
            )
        )

    def repeat(self, create: Call) -> Flow[Ticket]:
        answer = self.read((yield create))
        request_id = text_at(answer, "request_id")
        if not request_id:
            raise OddReply("Comfy's answer carries no request id.")
        place = _PLACE.search(text_at(answer, "response_url")) or _PLACE.search(create.url)
        assert place is not None
        return Ticket.issue(self.id, f"{place[1]}~{place[2]}~{request_id}")

    def check(self, ticket: Ticket) -> Flow[Status]:
        reply = yield Call("GET", self._address(ticket, "/status"))
        state = self.read(reply)
        if plain_word(state.get("status")) == "completed":
            return (yield from self._result(ticket, text_at(state, "error_type")))
        status = self.standing(state)
        if isinstance(status, Running):
            return replace(status, again_in=number_at(dict(reply.headers), "retry-after"))
        return status

    def cancel(self, ticket: Ticket) -> Flow[Cancelling]:
        """A request, not a guarantee: what was begun at the vendor may be charged."""
        reply = yield Call("PUT", self._address(ticket, "/cancel"))
        if reply.ok:
            return CancelRequested()
        return self.cancelled(reply, template("{provider} cancels no request that is over: {said}"))

    def probe_key(self) -> Flow[Balance]:
        yield from self.ask(Call("GET", self.url("/v2/models"), query={"limit": "1"}))
        return Balance("")  # no route of the Router tells whose key it is, or what is left

    def about_key(self, reply: Reply) -> AboutKey:
        said = (reply.status, _type(reply))
        if said in ((409, "concurrency_limit_exceeded"), (504, "deadline_exceeded")):
            return "open"
        return "spent" if said == (409, "invalid_input") else "nothing"

    def quota_used_up(self, reply: Reply) -> bool:
        return _type(reply) == NO_CREDIT

    def explain(self, reply: Reply) -> SeedanceError:
        kind, said = _type(reply), error_text(reply)
        tail = f": {said}" if said else "."
        if kind == MODERATED:
            return Moderated(
                "Comfy refused the order by a content policy{tail}",
                hint="Change what it names. A refusal by a policy may be charged: look at the "
                "usage on platform.comfy.org.",
                tail=tail,
            )
        if kind == NO_CREDIT or reply.status == 402:
            return OutOfCredit(
                "Comfy says that the workspace has too few credits{tail}",
                hint="Add credits at platform.comfy.org. Comfy looks at them first, so that other "
                "faults of the order may show after that.",
                tail=tail,
            )
        if kind == "not_enabled":
            return Refused(
                "Comfy Router is not switched on for this key, or not for the queue{tail}",
                hint="Make a key inside a workspace, at platform.comfy.org/profile/api-keys.",
                tail=tail,
            )
        if kind == "model_not_found":
            return Refused(
                "Comfy Router does not have this model{tail}",
                hint="SEEDANCE_COMFY_MODELS replaces model ids.",
                tail=tail,
            )
        if reply.status == 422:
            return Refused(
                "Comfy did not accept {field}{tail}",
                field=_field(reply) or say("a value"),
                tail=tail,
            )
        return super(ArkModels, self).explain(reply)

    # ----------------------------------------------------------------------- the end of a request

    def _result(self, ticket: Ticket, told: str) -> Flow[Status]:
        """How a request ended whose status is COMPLETED; `told` is the error type there. A request
        that failed may have a result all the same, if it was charged."""
        reply = yield Call("GET", self._address(ticket), any_status=True)
        if reply.status == 202:
            return Running(phase="fetching_result")
        if reply.ok:
            status = self.standing(reply.object())
            return replace(status, cost=_cost(reply)) if isinstance(status, Done) else status
        kind = told or _type(reply)
        if kind == "cancelled":
            return TaskCancelled()
        if told or (kind and reply.status not in NOT_OF_THE_TASK):
            return (yield from self._failure(ticket, kind, reply))
        if reply.status in (404, 410):
            return Expired(
                error_text(reply) or say("HTTP {status}", status=reply.status), may_appear=True
            )
        if reply.status >= 500 or reply.status in (408, 429):
            return Running(phase="fetching_result")
        raise self.explain(reply)

    def _failure(self, ticket: Ticket, kind: str, reply: Reply) -> Flow[Failed]:
        said: str = error_text(reply) or say("Comfy gives no reason ({kind}).", kind=kind)
        upstream = text_at(_object(reply), "upstream_detail")
        if upstream and upstream not in said:
            said = say("{said}: {upstream}", said=said.rstrip("."), upstream=upstream)
        billed: Literal["yes", "no", "unknown"] = "unknown"
        if kind in NEVER_RUN or reply.status == 422:
            billed = "no"
        elif kind == MODERATED:
            billed = yield from self._policy_billed(ticket)
        return Failed(said, kind, _stage(kind, reply), billed)

    def _policy_billed(self, ticket: Ticket) -> Flow[Literal["yes", "no", "unknown"]]:
        """Whether a refusal by a policy is charged, by Comfy's catalog of models."""
        partner, model, _ = self._parts(ticket)
        reply = yield Call("GET", self.url(f"/v2/models/{partner}/{model}"), any_status=True)
        word = text_at(_object(reply), "billing", "charges_on_policy_rejection")
        return "yes" if word == "yes" else "no" if word == "no" and reply.ok else "unknown"

    # ------------------------------------------------------------------------------------ tickets

    def _address(self, ticket: Ticket, what: str = "") -> str:
        partner, model, request_id = self._parts(ticket)
        return self.url(f"/v2/models/{partner}/{model}/requests/{request_id}{what}")

    def _parts(self, ticket: Ticket) -> tuple[str, str, str]:
        parts = unquote(ticket.opaque).split("~")
        path = "/v2/models/{}/{}/requests/{}".format(*parts) if len(parts) == 3 else ""
        if not _PLACE.fullmatch(path):
            raise BadOrder(
                "{ticket} is not a ticket of Comfy.",
                hint="It looks like comfy:byteplus~dreamina-seedance-2-5-260628~<request id>.",
                ticket=ticket,
            )
        return parts[0], parts[1], parts[2]


def _place_of(model_id: str) -> str:
    """`partner/model` for a model's id. Raises BadOrder for a model that does not have Ark's
    body."""
    full = model_id.strip("/") if "/" in model_id else f"{PARTNER}/{model_id}"
    if not full.startswith(f"{PARTNER}/") or not _PLACE.fullmatch(f"/v2/models/{full}/requests"):
        raise BadOrder(
            "{model_id} is no model of BytePlus at Comfy Router.",
            hint="SEEDANCE_COMFY_MODELS names ids like byteplus/dreamina-seedance-2-5-260628: "
            "models of other vendors take other orders.",
            model_id=repr(model_id),
        )
    return full


def _type(reply: Reply) -> str:
    """The type of an error: in a header, since the body of a 422 has none."""
    kind = reply.headers.get(ERROR_TYPE, "").strip()
    return plain_word(kind) or plain_word(_object(reply).get("error_type"))


def _object(reply: Reply) -> dict[str, Any]:
    """The JSON object in an answer, an empty one for anything else: it may be a proxy's page."""
    try:
        return reply.object()
    except OddReply:
        return {}


def _field(reply: Reply) -> str:
    """The field that a 422 is about."""
    place = dig(_object(reply), "detail", 0, "loc")
    return ".".join(str(step)[:40] for step in place[1:4]) if isinstance(place, list) else ""


def _stage(kind: str, reply: Reply) -> Literal["prompt", "input", "output", "service"]:
    """What a failure is about, by the subject that Comfy names."""
    if kind not in (MODERATED, "invalid_input"):
        return "service"
    subject = plain_word(reply.headers.get(SUBJECT, ""))
    subject = subject or plain_word(_object(reply).get("refusal_subject"))
    if subject.startswith("output"):
        return "output"
    return "prompt" if subject == "input_text" else "input"


def _cost(reply: Reply) -> Money | None:
    """What Comfy says that the request cost. It tells a price, not what was settled."""
    headers = dict(reply.headers)
    credits_used = number_at(headers, CREDITS_USED)
    if credits_used is not None:
        return Money(round(credits_used / CREDITS_PER_USD, 4), "USD")
    usd = number_at(headers, "x-litellm-response-cost")
    return None if usd is None else Money(round(usd, 4), "USD")
