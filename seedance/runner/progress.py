"""How far an order is, as data. The node, the page and the command line put it into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

Values: TypeAlias = Mapping[str, int | float]

_NONE: Values = MappingProxyType({})

ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "starting": "starting",
        "preparing": "preparing",
        "uploading": "uploading {number} of {count}",
        "waiting_for_slot": "waiting for a slot ({busy} in use)",
        "submitting": "submitting",
        "provider_busy": "the provider is busy, trying again in {seconds} s",
        "provider_unreachable": "the provider cannot be reached, trying again in {seconds} s",
        "clearing": "finding out whether the order arrived",
        "queued": "queued",
        "queued_behind": "queued, {ahead} ahead",
        "rendering": "rendering",
        "rendering_part": "rendering {percent} %",
        "fetching_result": "fetching the result",
        "no_answer": "waiting for the provider to answer again",
        "no_address": "finished; waiting for the address of the video",
        "downloading": "downloading {megabytes} MB",
        "downloading_part": "downloading {megabytes} of {total} MB",
        "saving": "saving",
        "saved": "saved",
        "not_sent": "not sent",
        "asset_processing": "the library looks at it, for {seconds} s now",
        "asset_person": "waiting for the person to confirm, for {minutes} min at most",
        "other_process": "another process works on this order; waiting for it",
    }
)
"""The codes, and what each says in English. `locales/` has the same for the page."""


@dataclass(frozen=True)
class Progress:
    """How far an order is. `code` is a key of `ENGLISH`, `values` are the numbers that its sentence
    names; `fraction` is 0..1 and `seconds_left` are seconds, None where they are not known."""

    code: str
    values: Values = field(default_factory=lambda: _NONE)
    fraction: float | None = None
    seconds_left: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The JSON form: `{code, values, text, fraction, seconds_left}`, `text` in English."""
        return {
            "code": self.code,
            "values": dict(self.values),
            "text": str(self),
            "fraction": self.fraction,
            "seconds_left": self.seconds_left,
        }

    @property
    def text(self) -> str:
        """In English."""
        return str(self)

    def __str__(self) -> str:
        """In English: `rendering 40 %, about 12 s left`."""
        text = ENGLISH[self.code]
        for name, value in self.values.items():
            text = text.replace(f"{{{name}}}", f"{value:g}")
        seconds = round(self.seconds_left or 0)
        return f"{text}, about {seconds} s left" if seconds else text
