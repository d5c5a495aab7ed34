"""How gateways spell what they say: status words, places of results, reasons and codes.

All as data, from the documents and the code of those who speak so (providers-2.md, "Spelling
tables"). A word is compared in lower case, with underscores. Of the places the first that holds
something counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from ..errors import OddReply
from ..said import say
from ..wire import (
    Done,
    Expired,
    Failed,
    Reply,
    Running,
    Status,
    TaskCancelled,
    Words,
    address,
    dig,
    object_at,
)

QUEUED = (
    *("queued", "pending", "submitted", "not_start", "in_queue", "starting", "created"),
    *("waiting", "queuing"),
)
RUNNING = ("running", "processing", "in_progress", "generating", "cancellation_requested")
DONE = ("succeeded", "success", "completed")
FAILED = ("failed", "failure", "fail", "error")
CANCELLED = ("cancelled", "canceled", "aborted")
# Ends that say by their word alone what happened.
TELLING: Mapping[str, Status] = MappingProxyType(
    {
        "expired": Expired(say("it did not finish within its time")),
        "timeout": Failed(say("It did not finish within its time."), "timeout"),
        "nsfw": Failed(say("A content policy refused it."), "nsfw", "output"),
        "deleted": Failed(say("It was deleted at the gateway."), "deleted"),
    }
)

Place = tuple[str | int, ...]

RESULTS: tuple[Place, ...] = (
    ("content", "video_url"),
    ("video", "url"),
    ("output", "url"),
    ("output",),
    ("output", 0),
    ("metadata", "url"),
    ("video_url",),
    ("url",),
    ("result_url",),
    ("results", 0),
    ("result", 0),
    ("result",),  # with `url` or `video_url` in it
    ("result", "outputs", 0),
    ("outputs", 0),
    ("unsigned_urls", 0),
    ("data", 0),
    ("resultJson", "resultUrls", 0),
    ("fail_reason",),  # where older relay software puts the address of a finished video
)
LAST_FRAMES: tuple[Place, ...] = (
    ("content", "last_frame_url"),
    ("metadata", "last_frame_url"),
    ("last_frame_url",),
    ("result", "last_frame_url"),
)
# A task as new-api has it holds, in `data`, the answer of the service behind it.
INSIDE: tuple[Place, ...] = ((), ("data",), ("data", "data"))


def words(
    done: Callable[[dict[str, Any]], Status], failed: Callable[[dict[str, Any]], Status]
) -> Words:
    """The meaning of each word; `done` and `failed` read the answer about a task that has ended."""
    return {
        **dict.fromkeys(QUEUED, Running(phase="queued")),
        **dict.fromkeys(RUNNING, Running()),
        **dict.fromkeys(DONE, done),
        **dict.fromkeys(FAILED, failed),
        **dict.fromkeys(CANCELLED, TaskCancelled()),
        **TELLING,
    }


def done(task: dict[str, Any]) -> Done:
    """Finished, with what the answer says of the video and of its last frame."""
    return Done(found(task, RESULTS), found(task, LAST_FRAMES))


def found(task: dict[str, Any], places: tuple[Place, ...]) -> str | None:
    """The first web address at one of `places`, in the task or in what it holds."""
    holders = list(_holders(task))
    addresses = (address(dig(holder, *place)) for place in places for holder in holders)
    return next(filter(None, addresses), None)


def _holders(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for place in INSIDE:
        holder = object_at(task, *place) if place else task
        yield holder
        if isinstance(text := holder.get("resultJson"), str):  # JSON as a text
            try:
                yield {"resultJson": Reply(200, body=text.encode()).json()}
            except OddReply:
                continue
