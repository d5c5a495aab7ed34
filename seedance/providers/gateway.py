"""A gateway of the user's own, of which no list can know: its address, its key, the dialect that it
speaks and its ids of the models are set by whoever runs ComfyUI, never by a workflow.

Each dialect is a class of its own. `Gateway(config)` is of the class that the configuration names.
What a dialect cannot carry is not in its limits, and so is refused before anything is sent. No
gateway documents its prices, or that a cancelled task is not billed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from ..errors import BadOrder, OddReply, Refused, SeedanceError
from ..said import both, say
from ..wire import (
    Balance,
    Call,
    Config,
    Done,
    Failed,
    Flow,
    Limits,
    ModelLimits,
    Provider,
    Reply,
    Source,
    Status,
    Ticket,
    Words,
    dig,
    error_codes,
    error_text,
    text_at,
)
from . import _ark_limits, _relay, _spellings
from ._ark import TASKS, Ark
from ._fal import Queue, queued
from ._fal_limits import LIMITS as FAL_LIMITS
from ._fal_limits import PATHS
from ._openai import VIDEOS, OpenAIVideos, is_no_route
from ._openai import limits as openai_limits

ENDLESS = say(
    'Some gateways say "in progress" for ever of a task that expired or was cancelled behind them; '
    "their own log of tasks tells."
)
CLONE = Source("docs.apiyi.com, seedance2: the page of such a gateway", "2026-10", reported=True)

NOBODY = "seedance-asks-for-nobody"  # an id that no task has, and a path that is none


def _ark_limits_of_clones() -> Limits:
    official = _ark_limits.limits("")
    models = {
        name: replace(model, id="", sources=(CLONE, *model.sources))
        for name, model in official.models.items()
    }
    return replace(official, models=models, forgets_after=None, endless=ENDLESS)


class Gateway(Provider):
    """A gateway of the user's own. The class itself shows what `openai`, the default, can carry."""

    id = "gateway"
    name = "Gateway"
    key_variable = "SEEDANCE_GATEWAY_KEY"
    default_base_url = None
    options = ("dialect",)
    choices = {"dialect": ("openai", "ark", "fal")}
    names_no_models = True
    limits = replace(openai_limits(), endless=ENDLESS)
    dialect: ClassVar[str]

    def __new__(cls, config: Config, mark: str = "") -> Gateway:
        if cls is not Gateway:
            return super().__new__(cls)
        first = cls.choices["dialect"][0]
        return super().__new__(DIALECTS[config.options.get("dialect", first)])

    def probe_key(self) -> Flow[Balance]:
        """Ask, free of charge, in the way of each dialect for what is not there: which of them the
        address answers to, and whether it takes the key."""
        control = yield self.question(f"/{NOBODY}")
        ranks, answers = {}, {}
        for dialect, kind in DIALECTS.items():
            other = kind(self.config)
            ranks[dialect] = 0
            for call in other.questions():
                reply = yield call
                rank = other.evidence(reply, control)
                if rank > ranks[dialect]:
                    ranks[dialect], answers[dialect] = rank, reply
        best = [dialect for dialect, rank in ranks.items() if rank == max(ranks.values())]
        if not answers:
            raise self._no_dialect(control)
        if self.dialect not in best:
            raise BadOrder(
                "The address answers to the dialect {best}, not to {dialect}.",
                hint="Set SEEDANCE_GATEWAY_DIALECT={first}, or choose it in the settings.",
                best=" or ".join(best),
                dialect=self.dialect,
                first=best[0],
            )
        if answers[self.dialect].status in (401, 403):
            raise self.explain(answers[self.dialect])
        return Balance(
            say(
                "a gateway of the dialect {dialect}"
                if ranks[self.dialect] > 1
                else "probably a gateway of the dialect {dialect}",
                dialect=self.dialect,
            )
        )

    def explain(self, reply: Reply) -> SeedanceError:
        if is_no_route(reply):
            said = self.said(reply)
            return Refused(
                "{provider} does not answer to the dialect {dialect} there (HTTP {status}){tail}",
                hint="Check SEEDANCE_GATEWAY_BASE_URL and the model's id; which dialect the "
                "address answers to tells: seedance key test gateway.",
                provider=self.name,
                dialect=self.dialect,
                status=reply.status,
                tail=f": {said}" if said else ".",
            )
        error = super().explain(reply)
        if reply.status in (401, 403) and type(error) is Refused:
            error.hint = both(
                error.hint,
                say("One of another dialect refuses it too: seedance key test gateway tells."),
            )
        return error

    def question(self, path: str, **query: str) -> Call:
        """A free call, whatever answer to which is one."""
        return Call("GET", self.url(path), query=query, any_status=True)

    def questions(self) -> Iterable[Call]:
        """Free questions that have an answer in this dialect only."""
        raise NotImplementedError

    def is_answer(self, body: dict[str, Any], *, ok: bool) -> bool:
        """Whether the JSON object in an answer, a success or an error, has this dialect's form."""
        raise NotImplementedError

    def evidence(self, reply: Reply, control: Reply) -> int:
        """How much an answer to one of `questions` shows that this dialect is spoken. `control` is
        the answer about a path that no dialect has.

        2: it is what only this dialect answers; 1: it has its form, as the answer to anything may;
        0: nothing.
        """
        try:
            body = reply.object()
        except OddReply:
            return 0
        if reply.status >= 500 or not self.is_answer(body, ok=reply.ok):
            return 0
        return 2 if reply.ok or _essence(reply) != _essence(control) else 1

    def _no_dialect(self, control: Reply) -> SeedanceError:
        if control.status >= 500 or control.status == 429:
            return OddReply(
                "{provider} answered HTTP {status}.",
                hint="It is safe to try again.",
                provider=self.name,
                status=control.status,
            )
        return BadOrder(
            "The address answers to none of the dialects {dialects} (HTTP {status}).",
            hint="Set SEEDANCE_GATEWAY_BASE_URL to what stands before /v1/videos, "
            "before {tasks}, or before the id of a model.",
            dialects=", ".join(DIALECTS),
            status=control.status,
            tasks=TASKS,
        )


class OpenAIGateway(Gateway, OpenAIVideos):
    """The dialect `openai`: /v1/videos, with new-api's `metadata`."""

    dialect = "openai"

    def questions(self) -> Iterable[Call]:
        return self.question(f"{VIDEOS}/{NOBODY}"), self.question(VIDEOS)

    def is_answer(self, body: dict[str, Any], *, ok: bool) -> bool:
        if ok:
            return isinstance(body.get("data"), list)
        return _is_error(body) and not _ARK_CODE.fullmatch(text_at(body, "error", "code"))


class ArkGateway(Gateway, Ark, _relay.Relay):
    """The dialect `ark`: /contents/generations/tasks. Drafts and task types are carried; a task is
    found again where the gateway has Ark's list."""

    dialect = "ark"
    cancel_is_free = False
    currency, prices, prices_as_of = "", {}, ""

    limits = _ark_limits_of_clones()

    @property
    def words(self) -> Words:  # type: ignore[override]  # Ark has a property, Relay a constant
        return _spellings.words(self._done, self._failed)

    def check(self, ticket: Ticket) -> Flow[Status]:
        return self.status((yield Call("GET", self._address(ticket))))

    def quota_used_up(self, reply: Reply) -> bool:
        return Ark.quota_used_up(self, reply) or _relay.Relay.quota_used_up(self, reply)

    def _done(self, task: dict[str, Any]) -> Done:
        done, spelled = super()._done(task), _spellings.done(task)
        return replace(
            done,
            video_url=spelled.video_url,
            last_frame_url=spelled.last_frame_url,
            without_address=done.without_address
            and replace(done.without_address, billed="unknown"),
        )

    def _failed(self, task: dict[str, Any]) -> Failed:
        """As of Ark. That a failure is not billed is told of codes with this beginning only."""
        known = super()._failed(task) if text_at(task, "error", "code") else _relay.failed(task)
        return replace(known, billed="no" if known.code.startswith("PUBLIC_") else "unknown")

    def questions(self) -> Iterable[Call]:
        one = self.question(TASKS, page_num="1", page_size="1")
        return one, self.question(f"{TASKS}/{NOBODY}")

    def is_answer(self, body: dict[str, Any], *, ok: bool) -> bool:
        return "items" in body or body.get("total") == 0 if ok else _is_error(body)


class FalGateway(Gateway, Queue):
    """The dialect `fal`: a queue. Media travel by address only, because a queue has no storage."""

    dialect = "fal"
    finished = _spellings.DONE  # no end yet: the result is in a second request
    words = {**_spellings.words(_spellings.done, _relay.failed), "in_queue": queued}
    limits = replace(
        FAL_LIMITS,
        delivery=dict.fromkeys(FAL_LIMITS.delivery, ("address",)),
        draft_life=None,
        endless=ENDLESS,
    )

    def __init__(self, config: Config, mark: str = "") -> None:
        super().__init__(config, mark)
        models = {
            name: _by_path(model, config.models[name]) for name, model in self.limits.models.items()
        }
        self.limits = replace(self.limits, models=models)

    def video_url(self, result: dict[str, Any]) -> str | None:
        return _spellings.done(result).video_url

    def questions(self) -> Iterable[Call]:
        model_id = next(iter(self.config.models.values()), "bytedance/seedance-2.0")
        owner_and_app = "/".join(model_id.strip("/").split("/")[:2])
        return (self.question(f"/{owner_and_app}/requests/{NOBODY}/status"),)

    def is_answer(self, body: dict[str, Any], *, ok: bool) -> bool:
        return "status" in body if ok else "detail" in body


DIALECTS: Mapping[str, type[Gateway]] = {
    kind.dialect: kind for kind in (OpenAIGateway, ArkGateway, FalGateway)
}


def _by_path(model: ModelLimits, model_id: str) -> ModelLimits:
    """A model as its path allows: one that names a mode serves that mode, and one without `{mode}`
    has no other path to finish drafts at."""
    if "{mode}" in model_id:
        return model
    name = next((name for name in PATHS.values() if model_id.endswith(f"/{name}")), None)
    if name is not None:
        model = model.only(mode for mode, path in PATHS.items() if path == name)
    return replace(model, drafts=frozenset(), finals=())


# ----------------------------------------------------------------------- which dialect that answers

_ARK_CODE = re.compile(r"[A-Z][A-Za-z0-9.]{0,99}")


def _is_error(body: dict[str, Any]) -> bool:
    """An error as OpenAI, Ark and new-api write it."""
    named = isinstance(dig(body, "error"), dict) and bool(text_at(body, "error", "message"))
    return named or ("code" in body and bool(text_at(body, "message")))


def _essence(reply: Reply) -> tuple[int, tuple[str, ...], str]:
    """An error without what differs from request to request: paths, ids and numbers."""
    words = error_text(reply).split("(request id")[0].split()
    plain = [word for word in words if word.isalpha()]
    return reply.status, tuple(error_codes(reply)), " ".join(plain)
