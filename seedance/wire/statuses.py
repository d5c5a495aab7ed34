"""A paid task: its ticket, and how it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import quote, unquote

from ..errors import BadOrder, OddReply
from ..money import Money
from ..said import Said, say
from ..texts import LONGEST_CODE, LONGEST_NAME, LONGEST_SENTENCE, quoted, sentence, shown

_TICKET = re.compile(r"([a-z][a-z0-9_]{0,31}):([A-Za-z0-9%_-][A-Za-z0-9%._~:-]{0,39999})")
_NOT_IN_A_PATH = re.compile(r"[\x00-\x1f\x7f/\\]|\.\.")
LONGEST_OPAQUE = 39_990  # letters, with escapes; `parse` reads no more
LONGEST_ID = 10_000  # characters; what is paid is kept, however odd its id


@dataclass(frozen=True)
class Ticket:
    """A paid task: `<provider id>:<opaque>`. With the key, enough to collect it anywhere.

    `opaque` is the provider's own id, escaped as a part of a path. `cost` is what the create answer
    said about the price; it is not part of the ticket's text.
    """

    provider: str
    opaque: str
    cost: Money | None = None

    def __str__(self) -> str:
        return f"{self.provider}:{self.opaque}"

    @classmethod
    def issue(cls, provider: str, task_id: object, cost: Money | None = None) -> Ticket:
        """A ticket for the id in a create answer, whatever characters it has: what is paid must be
        kept. Raises OddReply if that is no id."""
        if isinstance(task_id, bool) or not isinstance(task_id, (str, int)) or task_id == "":
            raise OddReply("The provider's answer carries no task id.")
        text = str(task_id)
        if len(text) > LONGEST_ID:
            raise OddReply("The provider's task id {text} cannot be used.", text=quoted(text))
        opaque = quote(text, safe=":~", errors="replace")
        if len(opaque) > LONGEST_OPAQUE:
            raise OddReply("The provider's task id {text} cannot be used.", text=quoted(text))
        if opaque[0] in ".~:":  # ids that a path reads as something else
            opaque = f"%{ord(opaque[0]):02X}{opaque[1:]}"
        return cls(provider, opaque, cost)

    @classmethod
    def parse(cls, text: str, *, known: bool = False) -> Ticket:
        """Read a ticket's text. Raises BadOrder if it is none.

        A ticket comes from strangers' workflows and ends up in a path of the provider's API. What
        could climb out of that path is refused here, unless the ticket is `known`: this journal has
        it from the provider itself.
        """
        match = _TICKET.fullmatch(text.strip())
        task_id = unquote(match[2]) if match else ""
        if not match or (not known and (_NOT_IN_A_PATH.search(task_id) or not _is_ours(match[2]))):
            raise BadOrder(
                "{text} is not a ticket.",
                hint="A ticket looks like lumenfall:video_123; the task output of a node gives it.",
                text=quoted(text.strip()),
            )
        return cls(match[1], match[2])


def _is_ours(opaque: str) -> bool:
    """Whether every escape is one that `issue` makes."""
    return Ticket.issue("any", unquote(opaque)).opaque == opaque


def _said(text: str) -> Said:
    """What a provider says of a task, with our own words around it."""
    return Said.of(text).each(lambda part: shown(sentence(part, 2 * LONGEST_SENTENCE)))


Billed = Literal["yes", "no", "unknown"]
Phase = Literal["queued", "rendering", "fetching_result"]


@dataclass(frozen=True)
class Running:
    """Not ended yet. `progress` is 0..1, `ahead` counts the tasks before this one in the queue;
    both are None where the provider does not tell them. `unknown` is a status word that no document
    has, cut: such a task counts as running. `again_in` are the seconds after which the provider
    wants to be asked again, where it says so."""

    progress: float | None = None
    phase: Phase = "rendering"
    ahead: int | None = None
    unknown: str | None = None
    again_in: float | None = None

    def __post_init__(self) -> None:
        if self.unknown is not None:
            object.__setattr__(self, "unknown", self.unknown[:LONGEST_NAME])


@dataclass(frozen=True)
class Failed:
    """Failed after it was accepted."""

    message: str
    code: str = ""
    stage: Literal["prompt", "input", "output", "service"] = "service"
    billed: Billed = "unknown"

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", _said(self.message))
        object.__setattr__(self, "code", shown(self.code[:LONGEST_CODE]))


@dataclass(frozen=True)
class Done:
    """Finished. `video_url` is None while the provider does not give the address yet.

    `without_address`: the end that it is if the address never comes, where the answer tells.
    `own_url`: another address of the video, at the provider's own origin, that needs the key; it is
    tried where `video_url` does not work. `draft_until`: until when the draft that it is can be
    finished, in Unix seconds, where the answer tells.
    """

    video_url: str | None
    last_frame_url: str | None = None
    cost: Money | None = None
    seed: int | None = None
    without_address: Failed | Expired | None = None
    own_url: str | None = None
    draft_until: float | None = None


@dataclass(frozen=True)
class TaskCancelled:
    """Cancelled at the provider."""


@dataclass(frozen=True)
class Expired:
    """The provider gave the task up, or does not know it.

    `may_appear`: the provider only says that it does not know the task, which may be because the
    task is new. The runner then asks again before it believes that the task has expired.
    """

    message: str = say("the provider no longer has the task")
    billed: Billed = "unknown"
    may_appear: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", _said(self.message))


@dataclass(frozen=True)
class CancelRequested:
    """The provider took the request to cancel. Whether the task stops, and what is billed then, is
    known when it has ended."""


@dataclass(frozen=True)
class CannotCancel:
    """The provider does not cancel this task; `reason` is shown to the person."""

    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", _said(self.reason))


Status: TypeAlias = Running | Done | Failed | TaskCancelled | Expired
# What came of a request to cancel.
Cancelling: TypeAlias = TaskCancelled | CancelRequested | CannotCancel

# What a provider's status words mean. A key is a word in lower case with underscores; its value is
# a status, or a function that makes one from the answer about the task.
Words: TypeAlias = Mapping[str, Status | Callable[[dict[str, Any]], Status]]
