"""Functions for flows that read an answer, whatever its shape."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

from ..errors import OddReply
from ..texts import LONGEST_CODE, LONGEST_NAME, LONGEST_NUMBER, LONGEST_TEXT, sentence
from .calls import Reply


def dig(value: Any, *path: str | int) -> Any:
    """The item at `path` inside nested dicts and lists, or None where there is none."""
    for step in path:
        if isinstance(step, int):
            value = (
                value[step]
                if isinstance(value, list) and -len(value) <= step < len(value)
                else None
            )
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def object_at(value: Any, *path: str | int) -> dict[str, Any]:
    """The object at `path`, or an empty one."""
    found = dig(value, *path)
    return found if isinstance(found, dict) else {}


def text_at(value: Any, *path: str | int) -> str:
    """The non-empty string at `path`, or an empty one."""
    found = dig(value, *path)
    return found if isinstance(found, str) else ""


def number_at(value: Any, *path: str | int) -> float | None:
    """The finite number at `path` (a number or a numeric string), or None."""
    found = dig(value, *path)
    if isinstance(found, bool) or not isinstance(found, (int, float, str)):
        return None
    if isinstance(found, str) and len(found) > LONGEST_NUMBER:
        return None
    try:
        number = float(str(found).rstrip("% "))
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 1e15 else None  # also false for NaN


def error_text(reply: Reply, *first: tuple[str | int, ...]) -> str:
    """The sentence in an error answer, at one of the paths in `first` or in one of the usual
    places; one line, cut. Empty for HTML."""
    try:
        body = reply.json()
    except OddReply:
        return ""
    if isinstance(body, dict):
        for path in (
            *first,
            ("error", "message"),
            ("error_msg",),
            ("message",),
            ("error",),
            ("detail",),
            ("detail", 0, "msg"),
            ("msg",),
            ("title",),
            ("error_code",),
            ("data",),  # relays that refuse with HTTP 200 have the reason where the task would be
        ):
            if found := text_at(body, *path):
                return sentence(found)
    return ""


def error_code(reply: Reply) -> str:
    """The machine-readable code in an error answer, or an empty string."""
    return next(iter(error_codes(reply)), "")


def error_codes(reply: Reply) -> list[str]:
    """Every code in an error answer, each cut, the most telling first: many have a type beside it,
    and some leave the code itself empty."""
    try:
        body = reply.json()
    except OddReply:
        return []
    places = (("error", "code"), ("error", "type"), ("code",), ("error_type",), ("error_code",))
    found = (dig(body, *place) for place in places)
    return [str(code)[:LONGEST_CODE] for code in found if code and type(code) in (str, int)]


def plain_word(value: Any) -> str:
    """A status word in lower case with underscores, cut; empty if it is no string."""
    if not isinstance(value, str):
        return ""
    return value.strip()[:LONGEST_NAME].lower().replace("-", "_").replace(" ", "_")


def address(value: Any) -> str | None:
    """The web address that `value` is, or has as `url` or `video_url`."""
    for found in (value, dig(value, "url"), dig(value, "video_url")):
        if isinstance(found, str) and found.startswith(("https://", "http://")):
            return found if len(found) <= LONGEST_TEXT else None  # a cut one leads nowhere
    return None


def unix_seconds(value: Any) -> float | None:
    """A point in time as Unix seconds, from seconds, milliseconds or ISO 8601 (UTC if unsaid)."""
    if (number := number_at([value], 0)) is not None:
        if number > 1e11:
            number /= 1000
        return number if number > 1e9 else None  # smaller is a span, not a point in time
    if not isinstance(value, str) or len(value) > LONGEST_CODE:
        return None
    try:
        text = re.sub("[zZ]$", "+00:00", value.strip())
        # Python 3.10 reads six digits behind the second.
        text = re.sub(r"\.[0-9]{1,12}", lambda part: f"{part[0]:0<7}"[:7], text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
