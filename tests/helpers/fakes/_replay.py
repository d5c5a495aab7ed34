"""A provider as its recorded exchanges show it, for those that need no fake of their own.

It answers as recorded, with its own task ids, file addresses and result. It takes a create only
if every field of it was recorded with such a value: a word as recorded, any text where the prompt
stands, any address where an address stands, any number where a number stands.
"""

from __future__ import annotations

import json as jsonlib
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import wire_player
from wire_player import Exchange

from . import Answer, Fake, Request, Task, _provider_class

Leaf = tuple[str, Any]  # where a value stands in a body, and the value


class Replay(Fake):
    """`fail_with`: what a failed task says, `{"message", "code"}`. `address_is_late`: the first
    answer that a task is done has no address yet, as it is recorded."""

    provider: ClassVar[str]
    address_is_late = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        everything = wire_player.exchanges_of(self.provider)
        self._named = {exchange["name"]: exchange for exchange in everything}
        # What another configuration makes of it is not what this server is configured for.
        self._exchanges = [exchange for exchange in everything if "config" not in exchange]
        self._files = 0
        self._keys: dict[str | None, tuple[tuple[str, bytes], Answer]] = {}

    @property
    def upload_url(self) -> str | None:  # type: ignore[override]
        """The upload host, where the provider has one, is the same server."""
        return self.url if _provider_class(self.provider).default_upload_url else None

    def recorded(self, name: str) -> Answer:
        """The last answer of the exchange of that name."""
        return _answer(self._named[name]["talk"][-1]["reply"])

    def handle(self, request: Request) -> Answer:
        if (priced := self._priced(request)) is not None:
            return priced
        scheme = _provider_class(self.provider).auth_scheme
        if not self.authorized(request, scheme):
            return self._rejected()
        for answer in (self._created, self._asked, self._cancelled, self._uploaded, self._probed):
            if (found := answer(request)) is not None:
                return found
        return refusal(404, f"no exchange has {request.method} {request.path}")

    def _of(self, flow: str, kind: str | None = None) -> Iterator[Exchange]:
        """The exchanges of a flow that end with a result, of a `kind` where it is given."""
        for exchange in self._exchanges:
            result = exchange.get("result") or {}
            ends_well = exchange["flow"] == flow and "error" not in exchange
            if ends_well and kind in (None, result.get("type")):
                yield exchange

    def _rejected(self) -> Answer:
        for exchange in self._exchanges:
            if exchange["talk"] and exchange["talk"][-1]["reply"]["status"] == 401:
                return _answer(exchange["talk"][-1]["reply"])
        return refusal(401, "the key is wrong")

    def _priced(self, request: Request) -> Answer | None:
        """The price list, which is asked without a key."""
        for exchange in self._of("live_price"):
            if exchange["talk"] and _fits(exchange["talk"][0]["call"], request):
                assert "authorization" not in request.headers, "a price is asked without the key"
                return _answer(exchange["talk"][0]["reply"])
        return None

    # ----------------------------------------------------------------------------------- creates

    def _created(self, request: Request) -> Answer | None:
        reasons = []
        for flow in ("submit", "finish"):
            creates = [one for one in self._of(flow) if _fits(one["talk"][-1]["call"], request)]
            if not creates:
                continue
            body = self._with_recorded_draft(request.json, creates[0])
            if not (reason := wrong(body, creates)):
                return self._accepted(request, creates[0])
            reasons.append(reason)
        return refusal(400, reasons[0]) if reasons else None

    def _with_recorded_draft(self, body: Any, exchange: Exchange) -> Any:
        """The body with the recorded draft's id where it has that of a draft that was made here."""
        if exchange["flow"] != "finish" or not isinstance(body, dict):
            return body
        drafts = {task.id for task in self.tasks.values() if task.body.get("draft")}
        recorded = _opaque(exchange["ticket"])
        return {
            name: recorded if isinstance(value, str) and value in drafts else value
            for name, value in body.items()
        }

    def _accepted(self, request: Request, exchange: Exchange) -> Answer:
        key = self._key(request)
        if key in self._keys:
            body, answer = self._keys[key]
            if body != (request.path, request.body):
                return refusal(409, "the key was used for another create", "idempotency_conflict")
            return Answer(answer.status, json=answer.json, headers={"idempotency-replayed": "true"})
        opaque = _opaque(exchange["result"]["ticket"])
        task = self.accept(request.json, opaque + "-{n:04d}")
        answer = _answer(exchange["talk"][-1]["reply"], {opaque: task.id})
        if key is not None:
            self._keys[key] = ((request.path, request.body), answer)
        return answer

    def _key(self, request: Request) -> str | None:
        """The idempotency key of a create, where the provider documents one."""
        documented = _provider_class(self.provider).idempotency
        return request.headers.get(documented.header.lower()) if documented else None

    # ------------------------------------------------------------------------------------- tasks

    def _asked(self, request: Request) -> Answer | None:
        for exchange in self._of("check"):
            call, opaque = exchange["talk"][0]["call"], _opaque(exchange["ticket"])
            if task_id := _task_id(call, request, opaque):
                task = self.tasks.get(task_id)
                return self._standing(task) if task else self._unknown(opaque, task_id)
        return None

    def _standing(self, task: Task) -> Answer:
        done = self.done(task)
        exchange = self._ended(task) if done or task.cancelled else self._running(task)
        replaced = {_opaque(exchange["ticket"]): task.id}
        result = exchange["result"]
        if result.get("video_url"):
            replaced[result["video_url"]] = self.result_url
        if result["type"] == "Failed":
            said = {"code": "", **self.fail_with}
            replaced |= {
                result[name]: said[name] for name in ("message", "code") if result.get(name)
            }
        return _answer(exchange["talk"][0]["reply"], replaced)

    def _running(self, task: Task) -> Exchange:
        known = [one for one in self._of("check", "Running") if not one["result"].get("unknown")]
        queued = [one for one in known if one["result"].get("phase") == "queued"]
        rendering = [one for one in known if one not in queued]
        return next(iter((queued if task.polls <= 1 else rendering) or known))

    def _ended(self, task: Task) -> Exchange:
        if task.cancelled:
            return next(self._of("check", "TaskCancelled"))
        if self.fail_with:
            return next(self._of("check", "Failed"))
        done = [one for one in self._of("check", "Done") if not one["result"].get("last_frame_url")]
        late = self.address_is_late and task.polls == self.polls_until_done + 1
        return next(one for one in done if bool(one["result"].get("video_url")) is not late)

    def _unknown(self, opaque: str, task_id: str) -> Answer:
        """The answer about a task that is not known, in the provider's own words where it has
        some."""
        said = [one for one in self._of("check", "Expired") if one["result"].get("may_appear")]
        status = [
            one
            for one in self._exchanges
            if one["flow"] == "check" and one["talk"] and one["talk"][-1]["reply"]["status"] == 404
        ]
        return _answer((said + status)[0]["talk"][-1]["reply"], {opaque: task_id})

    def _cancelled(self, request: Request) -> Answer | None:
        for exchange in self._of("cancel", "TaskCancelled"):
            for step in exchange["talk"]:
                opaque = _opaque(exchange["ticket"])
                task = self.tasks.get(_task_id(step["call"], request, opaque) or "")
                if task is None:
                    continue
                if task.polls > self.polls_until_done:
                    return refusal(409, "the task is over")
                task.cancelled = True
                return _answer(step["reply"], {opaque: task.id})
        return None

    # -------------------------------------------------------------------------- uploads, accounts

    def _uploaded(self, request: Request) -> Answer | None:
        for exchange in self._of("upload"):
            for step in exchange["talk"]:
                if "call" in step and _fits(step["call"], request):
                    return self._kept(request, step, exchange["result"]["reference"])
        return None

    def _kept(self, request: Request, step: dict[str, Any], reference: str) -> Answer:
        call = step["call"]
        for name, value in call.get("headers", {}).items():
            if request.headers.get(name.lower()) != value:
                return refusal(403, f"the header {name} is not as recorded")
        name = "file"
        if file := call.get("file"):
            form = request.form
            names = [*(field for field, _ in call.get("form", [])), file["field"]]
            if [part[0] for part in form] != names or not form[-1][1] or not form[-1][2]:
                return refusal(400, f"the form must have {names}, the last one a file")
            name = form[-1][1]
        elif not request.body:
            return refusal(400, "there is no body")
        self._files += 1
        kept = f"https://files.{self.provider}.example/{self._files}/{name}"
        return _answer(step["reply"], {reference: kept})

    def _probed(self, request: Request) -> Answer | None:
        for exchange in self._of("probe_key"):
            for step in exchange["talk"]:
                if _fits(step["call"], request):
                    return _answer(step["reply"])
        return None


def recorded_ids() -> list[str]:
    """The ids of the providers that have recorded exchanges."""
    return sorted(path.stem for path in wire_player.FOLDER.glob("*.json"))


@cache
def replay(provider_id: str) -> type[Replay]:
    """The replay of one provider."""
    return type(f"Replay_{provider_id}", (Replay,), {"provider": provider_id})


# ---------------------------------------------------------------------------------- what was sent


def wrong(body: Any, creates: list[Exchange]) -> str:
    """What of a create was never recorded, empty if all of it was."""
    if not isinstance(body, dict):
        return "the body must be a JSON object"
    allowed = forms(creates)
    sent = list(leaves(body))
    for place, value in sent:
        if not is_allowed(value, allowed.get(place, set())):
            return f"{place} was never recorded as {str(value)[:60]!r}"
    recorded = [list(leaves(exchange["talk"][-1]["call"]["json"])) for exchange in creates]
    needed = set.intersection(*({place for place, _ in one} for one in recorded))
    if missing := needed - {place for place, _ in sent}:
        return f"every recorded create has {sorted(missing)}"
    given = _media(sent)
    if not any(given <= _media(one) for one in recorded):
        return f"no recorded create has {sorted(given)} together"
    return ""


def forms(creates: list[Exchange]) -> dict[str, set[str]]:
    """The forms that values have in recorded creates, by their place in the body."""
    found: dict[str, set[str]] = {}
    for exchange in creates:
        prompt = exchange.get("order", {}).get("prompt")
        for place, value in leaves(exchange["talk"][-1]["call"]["json"]):
            found.setdefault(place, set()).add(TEXT if value == prompt else form(value))
    return found


def is_allowed(value: Any, allowed: set[str]) -> bool:
    """Whether a value has one of some forms."""
    free = isinstance(value, str) and bool(value.strip()) and TEXT in allowed
    return free or form(value) in allowed


def _media(sent: list[Leaf]) -> set[str]:
    """The places of media."""
    return {place for place, value in sent if form(value) in MEDIA}


TEXT = "any text"
MEDIA = ("an address", "a data URI")


def leaves(value: Any, place: str = "") -> Iterator[Leaf]:
    """Every value in a body that is no object and no list, with its place."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from leaves(item, f"{place}.{name}".lstrip("."))
    elif isinstance(value, list) and value:
        for item in value:
            yield from leaves(item, f"{place}[]")
    else:
        yield place, value


def form(value: Any) -> str:
    """The form of a value; of a word, the word."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        if value.isdecimal():
            return "digits"
        if value.startswith("data:"):
            return "a data URI"
        return "an address" if re.match(r"[a-z][a-z0-9+.-]*://", value) else f"the word {value}"
    return jsonlib.dumps(value)


def _fits(call: dict[str, Any], request: Request) -> bool:
    """Whether a request is the recorded call, as far as method, path and query tell."""
    split = urlsplit(call["url"])
    same = (call["method"], split.path, call.get("query", {}))
    return same == (request.method, request.path, request.query)


def _task_id(call: dict[str, Any], request: Request, opaque: str) -> str | None:
    """The task that a request asks for, if it is the recorded call for a task."""
    before, found, after = urlsplit(call["url"]).path.rpartition(opaque)
    if not found or (call["method"], call.get("query", {})) != (request.method, request.query):
        return None
    path = re.fullmatch(f"{re.escape(before)}([^/]+){re.escape(after)}", request.path)
    return unquote(path[1]) if path else None


def _opaque(ticket: str) -> str:
    return unquote(ticket.partition(":")[2])


# -------------------------------------------------------------------------------------- answers


def _answer(record: dict[str, Any], replaced: dict[str, str] | None = None) -> Answer:
    """A recorded answer, with some texts in it replaced."""
    headers = {name.lower(): value for name, value in record.get("headers", {}).items()}
    if "json" not in record:
        return Answer(record["status"], body=record.get("text", "").encode(), headers=headers)
    text = jsonlib.dumps(record["json"])
    if replaced:
        new = {jsonlib.dumps(old)[1:-1]: jsonlib.dumps(to)[1:-1] for old, to in replaced.items()}
        # In one pass, the longest first: the id of a task is often in its address too.
        olds = "|".join(map(re.escape, sorted(new, key=len, reverse=True)))
        text = re.sub(olds, lambda found: new[found[0]], text)
    return Answer(record["status"], json=jsonlib.loads(text), headers=headers)


def refusal(status: int, reason: str, code: str = "not_recorded") -> Answer:
    """A refusal of this server's own."""
    return Answer(status, json={"error": {"message": reason, "code": code}})
