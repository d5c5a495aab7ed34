"""What arrives on the link of a widget, as the type that the widget has.

ComfyUI checks only values that are typed in. On a link, a wildcard output may bring 7.0, "7" or
"false"; they are what they mean, and None is the default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..seedance.errors import BadOrder
from ..seedance.said import Said, say

WHOLE = ("duration", "seed", "takes", "frames_first", "frames_count", "frames_step")
SWITCHES = (
    *("generate_audio", "watermark", "camera_fixed", "decode_frames", "keep_audio"),
    *("draft", "web_search", "chain", "decode_last_frame", "decode_audio"),
)
_WORDS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def converted(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of widgets by name, each as its widget's type; None is left out, so that the
    default is taken. Raises BadOrder, naming the input and its value."""
    for name, value in values.items():
        growing, dot, socket = name.partition(".")
        if dot:  # ComfyUI hands on what begins like a growing input and is none
            check_names({socket: value}, growing)
            raise BadOrder(
                "This node has no input {name}.", hint="Remove it from the prompt.", name=name
            )
    return {
        name: _whole(name, value)
        if name in WHOLE
        else _switch(name, value)
        if name in SWITCHES
        else text(name, value)
        for name, value in values.items()
        if value is not None
    }


def _plain(value: Any) -> Any:
    """A single number of NumPy or torch as Python's own; all else as it is."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value


def text(name: str, value: Any) -> str:
    """A text; a number as it is written, None as nothing. Raises BadOrder for anything else."""
    value = _plain(value)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(name, value, say("a text"))
    return str(int(value) if float(value).is_integer() else value)


def _whole(name: str, value: Any) -> int:
    number = _plain(value)
    if isinstance(number, str) and len(number) < 40:
        try:
            number = float(number) if "." in number or "e" in number.lower() else int(number)
        except ValueError:
            raise _wrong(name, value, say("a whole number")) from None
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise _wrong(name, value, say("a whole number"))
    if not math.isfinite(number) or number != int(number):
        raise _wrong(name, value, say("a whole number"))
    return int(number)


def _switch(name: str, value: Any) -> bool:
    value = _plain(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in _WORDS:
        return _WORDS[value.strip().lower()]
    raise _wrong(name, value, say("true or false"))


def _wrong(name: str, value: Any, what: Said) -> BadOrder:
    return BadOrder(
        "{name} must be {what}, not {value}.",
        hint="Correct what is linked to {name}, or remove the link.",
        name=name,
        what=what,
        value=repr(value)[:80],
    )


def check_names(sockets: Mapping[str, Any] | None, growing: str) -> None:
    """Raise BadOrder for a socket of a growing input that has not the name of one, such as
    `image1`."""
    stem = growing.removesuffix("s")
    for name in sockets or {}:
        if not str(name).removeprefix(f"{stem}_").isdecimal():
            raise BadOrder(
                "{growing} has no socket {name}, so what is connected would be left out.",
                hint="Name it {growing}.{stem}_1, {growing}.{stem}_2 and so on.",
                growing=growing,
                name=repr(name),
                stem=stem,
            )


def check_prompt(hidden: Any, known: tuple[str, ...]) -> None:
    """Raise BadOrder for inputs in the API prompt of a running node that begin like a growing one
    of `known` and that ComfyUI leaves out. `hidden` has the prompt and the node's id."""
    prompt, node_id = getattr(hidden, "prompt", None), getattr(hidden, "unique_id", None)
    node = prompt.get(node_id) if isinstance(prompt, Mapping) else None
    inputs = node.get("inputs") if isinstance(node, Mapping) else None
    for name, value in inputs.items() if isinstance(inputs, Mapping) else ():
        growing, dot, socket = str(name).partition(".")
        if growing not in known:
            continue
        if dot:
            check_names({socket: value}, growing)
        elif value:  # as a whole, which ComfyUI leaves out, or hands on as one value
            stem = growing.removesuffix("s")
            raise BadOrder(
                "{growing} is a group of sockets, so what is given as {growing} itself would be "
                "left out.",
                hint="Name each socket: {growing}.{stem}_1, {growing}.{stem}_2 and so on.",
                growing=growing,
                stem=stem,
            )
