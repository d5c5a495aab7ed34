"""What relays of Seedance have in common: the words of their errors, and their task answers.

Owns the reading of answers, tolerant of the shapes that relay software is known to give: with or
without a `data` wrapper, results as strings or objects, errors as strings or objects. Must not
know any one relay's fields, limits or addresses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, ClassVar, Literal, TypeAlias

from ..errors import Moderated, OddReply, OutOfCredit, SeedanceError
from ..wire import (
    Call,
    Cancelled,
    Done,
    Expired,
    Failed,
    Flow,
    Money,
    Provider,
    Reply,
    Running,
    Status,
    Ticket,
    dig,
    error_code,
    error_text,
    number_at,
    plain_word,
    text_at,
)

Meaning: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled", "expired"]
Verdict: TypeAlias = Literal["yes", "no", "a word", "open"]

# The status words of the unified task route (seed 004, docs.sinancode.com, docs.evolink.ai).
WORDS: Mapping[str, Meaning] = {
    "pending": "queued",
    "processing": "running",
    "completed": "done",
    "failed": "failed",
}

_MODERATION = re.compile(
    r"sensitive[ _]?(content|word|info)|moderation|moderated|nsfw|inappropriate"
    r"|(content|safety|usage)[ _]polic|policy[ _]?violation|risk[ _]?detect|real[ _]person"
    r"|敏感|违规|内容审核",
    re.IGNORECASE,
)
_CREDIT = re.compile(
    r"insufficient[ _]?(\w+[ _])?(quota|balance|credit|fund)|quota[ _]failed|not[ _]enough[ _]quota"
    r"|account[ _]?overdue|余额不足|额度不足|欠费",
    re.IGNORECASE,
)
_BAD_INPUT = re.compile(r"invalid[ _](file|image|video|audio)", re.IGNORECASE)

_TASK_ID = (("task_id",), ("id",), ("data", "task_id"), ("data", "id"), ("data",))


class Relay(Provider):
    """A provider that passes orders on. Its `check` is the unified task route that most have.

    `words` are the status words that the provider documents, in lower case; any other one counts
    as running, never as an end.
    """

    words: ClassVar[Mapping[str, Meaning]] = WORDS

    def explain(self, reply: Reply) -> SeedanceError:
        """As for any provider, but moderation and credit are also known by their words."""
        said, words = error_text(reply), _words(reply)
        if _MODERATION.search(words):
            return Moderated(
                f"{self.name} refused the prompt or an input by its content policy"
                f"{f': {said}' if said else '.'}",
                hint="Change what it names; the same order would be refused again.",
            )
        if reply.status == 402 or _CREDIT.search(words):
            return OutOfCredit(
                f"{self.name} says that there is not enough credit{f': {said}' if said else '.'}",
                hint=f"Add credit at {self.name}, then send the order again.",
            )
        return super().explain(reply)

    def quota_used_up(self, reply: Reply) -> bool:
        return super().quota_used_up(reply) or bool(_CREDIT.search(_words(reply)))

    def ticket(self, reply: Reply) -> Ticket:
        """The ticket in the answer to a create, with the credits that were reserved for it.

        Raises what `explain` gives for a clear no, which some relays send with HTTP 200, and
        OddReply for an answer that is neither a task nor a no.
        """
        if not reply.ok:
            raise self.explain(reply)
        body = reply.object()
        verdict = _verdict(body)
        found = [(place, task_id) for place in _TASK_ID if (task_id := _id_at(body, *place))]
        for place, task_id in found:
            # A request has an `id` as well, and a `data` of text may be a remark.
            named = place[-1] == "task_id" or _is_task(body, *place)
            if named or verdict == "yes":
                return Ticket.issue(self.id, task_id, reserved_credits(body))
        # A word for success that we do not know must not make the order look free to be sent again.
        if verdict == "no" or (verdict == "a word" and not found):
            raise self.explain(reply)
        raise OddReply(f"{self.name} answered the create without a task id.")

    def part(self, reply: Reply, *names: str) -> dict[str, Any]:
        """The object that has one of `names` as a text: the answer, or the `data` in it.

        Raises what `explain` gives for an error, OddReply where there is no such object.
        """
        if not reply.ok:
            raise self.explain(reply)
        body = reply.object()
        candidates = [body.get("data"), body]
        if body.get("id") or body.get("task_id"):  # a task itself; its `data` is from upstream
            candidates.reverse()
        for candidate in candidates:
            if isinstance(candidate, dict) and any(text_at(candidate, name) for name in names):
                return candidate
        if _verdict(body) in ("no", "a word"):
            raise self.explain(reply)
        raise OddReply(f"{self.name} answered without {' or '.join(names)}.")

    def check(self, ticket: Ticket) -> Flow[Status]:
        reply = yield Call("GET", self.url(f"/v1/tasks/{ticket.opaque}"))
        return self.status(reply)

    def status(self, reply: Reply) -> Status:
        """What the answer of the unified task route says."""
        task = self.part(reply, "status")
        video_url = video_address(task.get("results") or task.get("result"))
        return read_status(task, self.words, video_url)


def read_status(
    task: dict[str, Any],
    words: Mapping[str, Meaning],
    video_url: str | None,
    last_frame_url: str | None = None,
) -> Status:
    """The status of a task by the provider's own `words`; its addresses were found already."""
    word = plain_word(task.get("status"))
    meaning = words.get(word)
    if meaning == "done":
        return Done(video_url, last_frame_url, reserved_credits(task))
    if meaning == "failed":
        return _failed(task)
    if meaning == "cancelled":
        return Cancelled()
    if meaning == "expired":
        return Expired()
    percent = number_at(task, "progress")
    progress = None if percent is None else min(max(percent / 100, 0.0), 1.0)
    return Running(progress, "queued" if meaning == "queued" else "", None if meaning else word)


def video_address(results: Any) -> str | None:
    """The video among results, which are strings or objects, alone or in a list.

    An object's `type` or `content_type` may say what it is; otherwise the first address is taken.
    """
    items = results if isinstance(results, list) else [results]
    videos = [item for item in items if _is_video(item)]
    return next(filter(None, map(address, videos or items)), None)


def address(value: Any) -> str | None:
    """The web address that `value` is, or has as `url` or `video_url`."""
    for found in (value, dig(value, "url"), dig(value, "video_url")):
        if isinstance(found, str) and found.startswith(("https://", "http://")):
            return found
    return None


def reserved_credits(task: dict[str, Any]) -> Money | None:
    """The credits that the relay says it holds for the task."""
    amount = number_at(task, "usage", "credits_reserved")
    return None if amount is None else Money(amount, "credits")


def unix_seconds(value: Any) -> float | None:
    """A point in time as Unix seconds, from seconds, milliseconds or ISO 8601 (UTC if unsaid)."""
    if (number := number_at([value], 0)) is not None:
        if number > 1e11:
            number /= 1000
        return number if number > 1e9 else None  # smaller is a span, not a point in time
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", value.strip()))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _is_video(item: Any) -> bool:
    return "video" in text_at(item, "type") or "video" in text_at(item, "content_type")


def _failed(task: dict[str, Any]) -> Failed:
    places = (("error", "message"), ("error",), ("error_msg",), ("fail_reason",), ("message",))
    said = next(filter(None, (text_at(task, *place) for place in places)), "")
    message = " ".join(said.split())[:400]
    codes = (dig(task, "error", "code"), dig(task, "error_code"), dig(task, "error", "type"))
    code = next((str(item) for item in codes if item and isinstance(item, (str, int))), "")
    return Failed(message or "The provider gave no reason.", code, _stage(f"{code} {message}"))


def _stage(words: str) -> Literal["prompt", "input", "output", "service"]:
    """What a failure is about, as far as its words tell."""
    if _BAD_INPUT.search(words):
        return "input"
    if not _MODERATION.search(words):
        return "service"
    words = words.lower()
    if "output" in words or "generated" in words:
        return "output"
    if "prompt" in words or "text" in words:
        return "prompt"
    return "input" if re.search("image|video|audio|picture|person|face", words) else "prompt"


def _words(reply: Reply) -> str:
    """All that an error answer says: its code, its type, its sentence."""
    try:
        kind = text_at(reply.json(), "error", "type")
    except OddReply:
        kind = ""
    return f"{error_code(reply)} {kind} {error_text(reply)}"


def _id_at(body: dict[str, Any], *place: str) -> str | int | None:
    """What stands at a place for a task's id, if it can be one."""
    found = dig(body, *place)
    if isinstance(found, bool) or not isinstance(found, (str, int)):
        return None
    return found if not isinstance(found, str) or re.fullmatch(r"\S+", found) else None


def _is_task(body: dict[str, Any], *place: str) -> bool:
    """Whether the object around an `id` says of itself that it is a task, whatever became of it."""
    around = dig(body, *place[:-1])
    words = (plain_word(dig(around, "status")), plain_word(dig(around, "object")))
    return place[-1] == "id" and any(word not in ("", "error", "fail") for word in words)


def _verdict(body: dict[str, Any]) -> Verdict:
    """What an answer with a 2xx status says of the request: yes (or nothing), clearly no, a word
    that we do not know, or a code of the 5xx kind, which leaves open whether a task was made."""
    if body.get("error") or body.get("error_msg") or body.get("success") is False:
        return "no"
    code = plain_word(str(body.get("code") or ""))
    if code in ("", "0", "success", "ok") or re.fullmatch("2[0-9][0-9]", code):
        return "yes"
    if code.isdigit():
        return "no" if re.fullmatch("4[0-9][0-9]", code) else "open"
    return "a word"
