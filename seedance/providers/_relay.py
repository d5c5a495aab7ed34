"""What relays of Seedance have in common: the words of their errors, and their task answers.

Answers are read in all shapes that relay software is known to give: with or without a `data`
wrapper, results as strings or objects, errors as strings or objects.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from ..errors import Moderated, OddReply, OutOfCredit, SeedanceError
from ..money import Money
from ..order import Mode
from ..said import say
from ..texts import LONGEST_CODE, quoted, sentence
from ..wire import (
    Call,
    Done,
    Failed,
    Flow,
    Provider,
    Reply,
    Running,
    Status,
    Ticket,
    Words,
    address,
    dig,
    error_codes,
    error_text,
    number_at,
    plain_word,
    text_at,
)

# How the unified create route names the modes in a model id (seed 004, docs.evolink.ai).
MODE_NAMES: dict[Mode, str] = {
    "text": "text-to-video",
    "image": "image-to-video",
    "frames": "image-to-video",
    "reference": "reference-to-video",
}

_MODERATION = re.compile(
    r"sensitive[ _]?(content|word|info)|moderation|moderated|nsfw|inappropriate"
    r"|(content|safety|usage)[ _]polic|content[ _]filter|policy[ _]?violation|risk[ _]?detect"
    r"|real[ _]person"
    r"|敏感|违规|内容审核",
    re.IGNORECASE,
)
_CREDIT = re.compile(
    r"insufficient[ _]?(\w{1,40}[ _])?(quota|balance|credit|fund)|quota[ _]failed"
    r"|not[ _]enough[ _]quota"
    r"|quota( is)? (not enough|used up|exhausted)"
    r"|account[ _]?overdue|余额不足|额度不足|欠费",
    re.IGNORECASE,
)
_BAD_INPUT = re.compile(r"invalid[ _](file|image|video|audio)", re.IGNORECASE)

# Where a failed task may have its reason and its code.
REASONS: tuple[tuple[str, ...], ...] = (
    *(("error", "message"), ("error",), ("error_msg",), ("fail_reason",), ("failMsg",)),
    *(("message",), ("detail",)),
)
CODES: tuple[tuple[str, ...], ...] = (
    *(("error", "code"), ("error_code",), ("failCode",), ("error", "type"), ("error_type",)),
)

# Where a create's answer may have the id of the task, the likeliest first. Only `task_id` is surely
# that; in a refusal sent with HTTP 200 the others hold the request's id, or the reason.
_TASK_ID = (("task_id",), ("id",), ("data", "task_id"), ("data", "id"), ("data",))


def done(task: dict[str, Any]) -> Done:
    """Finished, with the first video among the results."""
    video_url = video_address(task.get("results") or task.get("result"))
    return Done(video_url, cost=reserved_credits(task))


def failed(task: dict[str, Any]) -> Failed:
    """Failed, with the reason and the code wherever they stand."""
    said = next(filter(None, (text_at(task, *place) for place in REASONS)), "")
    message = sentence(said)
    found = (dig(task, *place) for place in CODES)
    codes = [str(code)[:LONGEST_CODE] for code in found if code and isinstance(code, (str, int))]
    stage = _stage(" ".join([*codes, message]))
    return Failed(message or say("The provider gave no reason."), next(iter(codes), ""), stage)


# The status words of the unified task route (seed 004, docs.sinancode.com, docs.evolink.ai).
WORDS: Words = {
    "pending": Running(phase="queued"),
    "processing": Running(),
    "completed": done,
    "failed": failed,
}


class Relay(Provider):
    """A provider that passes orders on. Its `check` is the unified task route that most have."""

    words = WORDS

    def explain(self, reply: Reply) -> SeedanceError:
        """As for any provider, but moderation and credit are also known by their words."""
        said, words = error_text(reply), _words(reply)
        if _MODERATION.search(words):
            return Moderated(
                "{provider} refused the prompt or an input by its content policy{tail}",
                hint="Change what it names; the same order would be refused again.",
                provider=self.name,
                tail=f": {said}" if said else ".",
            )
        if reply.status == 402 or _CREDIT.search(words):
            return OutOfCredit(
                "{provider} says that there is not enough credit{tail}",
                hint=self.credit,
                provider=self.name,
                tail=f": {said}" if said else ".",
            )
        return super().explain(reply)

    def quota_used_up(self, reply: Reply) -> bool:
        return super().quota_used_up(reply) or _CREDIT.search(_words(reply)) is not None

    def ticket(self, reply: Reply) -> Ticket:
        """The ticket in the answer to a create, with the credits that were reserved for it.

        Raises what `explain` gives for a clear no, which some relays send with HTTP 200, and
        OddReply for an answer that is neither a task nor a no.
        """
        body = self.read(reply)
        refused, strange = _refuses(body), _strange_code(body)
        doubtful = ""
        for place in _TASK_ID:
            found = _id_at(body, *place)
            if not found:
                continue
            name, holder = place[-1], dig(body, *place[:-1])
            certain = name == "task_id" or (name == "id" and _is_task(holder))
            if certain or not (refused or strange):
                return Ticket.issue(self.id, found, reserved_credits(body))
            doubtful = doubtful or found
        if doubtful and not refused:  # the strange code may be this relay's word for success
            raise OddReply(
                "{provider} answered the create with the code {strange} and with "
                "{doubtful}, which may be a task id.",
                provider=self.name,
                strange=quoted(strange),
                doubtful=quoted(doubtful),
            )
        if _says_no(body):
            raise self.explain(reply)
        raise OddReply("{provider} answered the create without a task id.", provider=self.name)

    def part(self, reply: Reply, *names: str) -> dict[str, Any]:
        """The object that has one of `names` as a text: the answer, or the `data` in it.

        Raises what `explain` gives for an error, OddReply where there is no such object.
        """
        body = self.read(reply)
        candidates = [body.get("data"), body]
        if body.get("id") or body.get("task_id"):  # a task itself; its `data` is from upstream
            candidates.reverse()
        for candidate in candidates:
            if isinstance(candidate, dict) and any(text_at(candidate, name) for name in names):
                return candidate
        if _says_no(body):
            raise self.explain(reply)
        raise OddReply("{provider} answered without {names}.", provider=self.name, names=names)

    def check(self, ticket: Ticket) -> Flow[Status]:
        return self.status((yield Call("GET", self.url(f"/v1/tasks/{ticket.opaque}"))))

    def status(self, reply: Reply) -> Status:
        """How a task stands by the answer about it."""
        task = self.part(reply, "status")
        percent = number_at(task, "progress")
        progress = None if percent is None else min(max(percent / 100, 0.0), 1.0)
        return self.standing(task, progress)


def video_address(results: Any) -> str | None:
    """The video among results, which are strings or objects, alone or in a list.

    An object's `type` or `content_type` may say what it is; otherwise the first address is taken.
    """
    items = results if isinstance(results, list) else [results]
    videos = [item for item in items if _is_video(item)]
    return next(filter(None, map(address, videos or items)), None)


def reserved_credits(task: dict[str, Any]) -> Money | None:
    """The credits that the relay says it holds for the task."""
    amount = number_at(task, "usage", "credits_reserved")
    return None if amount is None else Money(amount, "credits")


def refused_part(words: str) -> Literal["prompt", "input", "output"]:
    """What a content policy refused, as far as its words tell."""
    words = words.lower()
    if "output" in words or "generated" in words:
        return "output"
    if "prompt" in words or "text" in words:
        return "prompt"
    return "input" if re.search("image|video|audio|picture|person|face", words) else "prompt"


def _is_video(item: Any) -> bool:
    return "video" in text_at(item, "type") or "video" in text_at(item, "content_type")


def _stage(words: str) -> Literal["prompt", "input", "output", "service"]:
    """What a failure is about, as far as its words tell."""
    if _BAD_INPUT.search(words):
        return "input"
    return refused_part(words) if _MODERATION.search(words) else "service"


def _words(reply: Reply) -> str:
    """All words of an error answer that may tell its kind: its codes, its types and its text."""
    return " ".join([*error_codes(reply), error_text(reply)])


def _id_at(body: dict[str, Any], *place: str) -> str:
    """What may be an id at `place`, as text; empty if nothing there can be one. What has a space
    in it is a sentence."""
    found = dig(body, *place)
    text = str(found) if found and type(found) in (str, int) else ""
    return "" if re.search(r"\s", text) else text


def _is_task(holder: Any) -> bool:
    """Whether the object around an id says of itself that it is a task, however it stands."""
    words = (plain_word(dig(holder, "status")), plain_word(dig(holder, "object")))
    return any(word not in ("", "error", "fail") for word in words)


def _says_no(body: dict[str, Any]) -> bool:
    """Whether an answer with a 2xx status and without what was asked for is a refusal.

    A code of the 5xx kind is none: like that status, it leaves open whether a task was made.
    """
    strange = _strange_code(body)
    return _refuses(body) or (strange != "" and not strange.isdigit())


def _refuses(body: dict[str, Any]) -> bool:
    """Whether an answer with a 2xx status is a clear refusal, whatever else is in it."""
    if body.get("error") or body.get("error_msg") or body.get("success") is False:
        return True
    return re.fullmatch("4[0-9][0-9]", _code(body)) is not None


def _strange_code(body: dict[str, Any]) -> str:
    """The code in an answer, if it is none of those that stand for success; else empty."""
    code = _code(body)
    return "" if re.fullmatch("|success|ok|0|2[0-9][0-9]", code) else code


def _code(body: dict[str, Any]) -> str:
    return plain_word(str(body.get("code") or ""))
