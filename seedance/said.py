"""Sentences for people, as data: what each was made of goes with it, so that ComfyUI's page can
word it in its language. English stands where it is said; `locales/` has the other languages, by the
code of the sentence.

    say("A duration of {seconds} s is not possible.", seconds=90)

A sentence of ours that quotes a stranger (a provider, a file) has the quotation as a value, which
stays as it is in every language.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, Union

# What stands in a sentence: a text that is the same in every language, a number, a switch, another
# sentence, or several of these.
Value = Union[str, int, float, Sequence["Value"]]

LONGEST_CODE = 120  # letters
DEEPEST = 20  # sentences within sentences, of a record that somebody else may have written
_PLACE = re.compile(r"\{(\w{1,40})\}")


class Said(str):
    """A sentence in English that knows what it was made of.

    `code` names its template by that one's letters, `a_duration_of_seconds_s_is_not_possible`; it
    changes with the wording, so that a program better goes by the kind of an error. `values` are
    what stands in its places, by name.
    """

    code: str
    values: Mapping[str, Value]

    def __new__(cls, text: str, code: str = "", values: Mapping[str, Value] | None = None) -> Said:
        made = super().__new__(cls, text)
        made.code, made.values = code, dict(values or {})
        return made

    @staticmethod
    def of(text: str) -> Said:
        """A text that may be a sentence as one; other texts are the same in every language."""
        return text if isinstance(text, Said) else Said(text)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form: `{text, code, values}`, in which a value may be of this form too."""
        values = {name: _as_json(value) for name, value in self.values.items()}
        return {"text": str(self), "code": self.code, "values": values}

    def capital(self) -> Said:
        """The same with a capital letter, for the beginning of a sentence."""
        return Said(f"{self[:1].upper()}{self[1:]}", self.code, self.values)

    def rstrip(self, chars: str | None = None, /) -> Said:
        return Said(super().rstrip(chars), self.code, self.values)

    def each(self, change: Callable[[str], str]) -> Said:
        """The same with its text and the texts among its values changed."""
        values = {name: _each(value, change) for name, value in self.values.items()}
        return Said(change(str(self)), self.code, values)


def say(template: str, /, **values: object) -> Said:
    """A sentence: `template` with each `{name}` replaced by the value of that name. Of a list or a
    tuple, the members stand side by side; what is no `Value` is written as a text. What has no
    value stays as it is."""
    used = {name: _kept(values[name]) for name in _PLACE.findall(template) if name in values}

    def written(match: re.Match[str]) -> str:
        return _written(used[match[1]]) if match[1] in used else match[0]

    return Said(_PLACE.sub(written, template), code_of(template), used)


def both(first: str, second: str) -> Said:
    """Two sentences one after the other; either may be empty."""
    if first and second:
        return say("{one} {other}", one=first, other=second)
    return Said.of(first or second)


def clauses(parts: Sequence[str]) -> Said:
    """Parts of one sentence, of which there is one at least: `this; that`."""
    first, *others = parts
    return reduce(lambda a, b: say("{first}; {second}", first=a, second=b), others, Said.of(first))


def listed(parts: Sequence[str]) -> Said:
    """Things of which there is one at least: `this and that`."""
    first, *others = parts
    return reduce(lambda a, b: say("{this} and {that}", this=a, that=b), others, Said.of(first))


def either(parts: Sequence[str]) -> Said:
    """Things of which there is one at least: `this or that`."""
    first, *others = parts
    return reduce(lambda a, b: say("{this} or {that}", this=a, that=b), others, Said.of(first))


def template(text: str) -> str:
    """A template that stands apart from the `say` that takes it."""
    return text


def code_of(template: str) -> str:
    """The code of the sentences of a template."""
    return re.sub(r"[^a-z0-9]+", "_", template.lower())[:LONGEST_CODE].strip("_")


def places(template: str) -> set[str]:
    """The names of what stands in a template's places."""
    return set(_PLACE.findall(template))


def said_of(text: object, code: object, values: object, depth: int = 0) -> Said:
    """A sentence from its JSON form, in which a stranger may have written anything."""
    known = values if isinstance(values, dict) and depth < DEEPEST else {}
    return Said(
        str(text),
        code[:LONGEST_CODE] if isinstance(code, str) else "",
        {str(name): _from_json(value, depth) for name, value in known.items()},
    )


def _kept(value: object) -> Value:
    if isinstance(value, (str, int, float)):
        return value
    return [_kept(each) for each in value] if isinstance(value, (list, tuple)) else str(value)


def _written(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (str, int)):
        return str(value)
    return ", ".join(map(_written, value))


def _each(value: Value, change: Callable[[str], str]) -> Value:
    if isinstance(value, Said):
        return value.each(change)
    if isinstance(value, str):
        return change(value)
    return value if isinstance(value, (int, float)) else [_each(inner, change) for inner in value]


def _as_json(value: Value) -> Any:
    if isinstance(value, Said):
        return value.as_dict()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such number
    return value if isinstance(value, (str, int, float)) else [_as_json(inner) for inner in value]


def _from_json(value: object, depth: int) -> Value:
    if isinstance(value, dict):
        return said_of(value.get("text"), value.get("code"), value.get("values"), depth + 1)
    if isinstance(value, list) and depth < DEEPEST:
        return [_from_json(inner, depth + 1) for inner in value]
    return value if isinstance(value, (str, int, float)) else str(value)
