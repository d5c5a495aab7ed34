"""Checks of the fields of a create, for fakes that are as strict as the provider's document."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Check = Callable[[Any], bool]

_INLINE = re.compile(r"data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/]+=*")


def integer(low: int, high: int, *also: int) -> Check:
    """A JSON integer from `low` to `high`, or one of `also`."""

    def check(value: Any) -> bool:
        return type(value) is int and (low <= value <= high or value in also)

    return check


def text(most: int | None = None) -> Check:
    """A text that is not blank, of at most `most` characters."""

    def check(value: Any) -> bool:
        return isinstance(value, str) and bool(value.strip()) and len(value) <= (most or len(value))

    return check


def one_of(*values: str) -> Check:
    """One of some words."""
    return lambda value: isinstance(value, str) and value in values


def boolean(value: Any) -> bool:
    """A JSON true or false."""
    return isinstance(value, bool)


def address(value: Any) -> bool:
    """A web address."""
    return isinstance(value, str) and bool(re.fullmatch(r"https?://[^\s/]+/\S+", value))


def picture(value: Any) -> bool:
    """A web address, or a picture as data URI."""
    return address(value) or (isinstance(value, str) and bool(_INLINE.fullmatch(value)))


def list_of(check: Check, most: int | None = None) -> Check:
    """A list of 1 to `most` items, each of which passes `check`."""
    return lambda value: (
        isinstance(value, list)
        and 1 <= len(value) <= (most or len(value))
        and all(map(check, value))
    )


def wrong(body: Any, checks: Mapping[str, Check], required: Iterable[str]) -> str:
    """What is wrong with a body, empty if nothing is: missing, unknown and invalid fields."""
    if not isinstance(body, dict):
        return "the body must be a JSON object"
    for name in required:
        if name not in body:
            return f"{name} is required"
    for name, value in body.items():
        if name not in checks:
            return f"unknown field {name}"
        if not checks[name](value):
            return f"invalid value for {name}"
    return ""
