"""What the names in a prompt stand for: `@Image1` for a medium by its number, `@Asset:NAME` for an
asset; and how a provider spells them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Union

from .errors import BadOrder
from .order import Kind, Order
from .said import Said, say
from .wire import Provider

# A provider as it is everywhere, or as it is configured here.
AnyProvider = Union[type[Provider], Provider]

ONE_WORDS: dict[Kind, Said] = {
    "image": say("picture"),
    "video": say("clip"),
    "audio": say("sound"),
}
KIND_WORDS: dict[Kind, Said] = {
    "image": say("pictures"),
    "video": say("clips"),
    "audio": say("sounds"),
}

_ASSET = re.compile(r"(?<![\w@])@asset:(\w[\w-]*)", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w@])@(image|video|audio)([1-9]\d?)(?!\d)", re.IGNORECASE)


def asset_names(prompt: str, known: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """The assets that a prompt names, each as it is written there and as it is known; None for one
    that is not known."""
    names = list(known)
    for match in _ASSET.finditer(prompt):
        yield match[1], _known_asset(match[1], names)[0]


def _known_asset(written: str, known: Sequence[str]) -> tuple[str | None, int]:
    """The known name that a text begins with, and how many of its letters that is. Scripts without
    blanks go on after a name; all others end it with something that is no letter."""
    by_form = {name.casefold(): name for name in known}
    for length in range(len(written), 0, -1):
        name = by_form.get(unicodedata.normalize("NFC", written[:length]).casefold())
        if name is not None and (length == len(written) or _ends_at(written, length)):
            return name, length
    return None, 0


def _ends_at(text: str, at: int) -> bool:
    wide = any(unicodedata.east_asian_width(each) in "WF" for each in text[at - 1 : at + 1])
    return wide or text[at] == "-"


def _with_numbers(order: Order) -> str:
    """The prompt with `@Image1` and so on in place of the names of assets."""
    counts: dict[Kind, int] = {"image": 0, "video": int(order.video is not None), "audio": 0}
    numbers: dict[str, list[str]] = {}
    for medium in order.references:
        counts[medium.kind] += 1
        if medium.asset:
            number = f"@{medium.kind.capitalize()}{counts[medium.kind]}"
            numbers.setdefault(medium.asset, []).append(number)

    def number_of(match: re.Match[str]) -> str:
        name, length = _known_asset(match[1], list(numbers))
        return ", ".join(numbers[name]) + match[1][length:] if name is not None else match[0]

    return _ASSET.sub(number_of, order.prompt) if numbers else order.prompt


def spelled(order: Order, provider: AnyProvider) -> Order:
    """The order with `@Image1`, `@Video1`, `@Audio1`, and the names of its assets, in the
    provider's own spelling."""

    def spell(match: re.Match[str]) -> str:
        kind: Kind = match[1].lower()  # type: ignore[assignment]
        return provider.limits.spelling[kind].replace("{n}", match[2])

    return replace(order, prompt=_HANDLE.sub(spell, _with_numbers(order)))


def check_handles(order: Order) -> None:
    """Raise BadOrder if the prompt names a reference that is not there. The media of a final video
    are those of its draft."""
    if order.draft_of:
        return
    frames = sum(medium is not None for medium in (order.first_frame, order.last_frame))
    have: dict[str, int] = {
        "image": len(order.of_kind("image")) + frames,
        "video": len(order.of_kind("video")) + (order.video is not None),
        "audio": len(order.of_kind("audio")),
    }
    for match in _HANDLE.finditer(order.prompt):
        kind = match[1].lower()
        if int(match[2]) > have[kind]:
            many = have[kind]
            raise BadOrder(
                "The prompt names {name}, but the order has {count} {kind}."
                if many
                else "The prompt names {name}, but the order has no {kind}.",
                hint="Connect it, or change the prompt; pictures are counted, not sockets.",
                name=match[0],
                count=many,
                kind=(ONE_WORDS if many == 1 else KIND_WORDS)[kind],  # type: ignore[index]
            )
