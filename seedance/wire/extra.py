"""The user's own fields in a payload: which of them may be added, and which may not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ..errors import BadOrder
from ..texts import LONGEST_NAME, quoted

# Names that no field of extra may have, as `_spelled` writes them.
NO_EXTRA_FIELDS = re.compile(
    r"model|n|quantity|count|num(ber)?(of)?(images|videos|outputs|samples|frames)|batchsize"
    r"|authorization|apikey"
)
_WHO_IS_TOLD = ("hook", "callback", "notif")  # in such a name, wherever they stand


def add_extra(
    body: dict[str, Any],
    extra: Mapping[str, Any],
    where: str = "extra",
    *,
    others: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Add the user's extra fields to `body`, in place, going down into objects that both have.

    `others` are other names that the provider has for fields of `body`. Raises BadOrder for a field
    that the pack sends itself, however it is spelled, a count, or an address to be called: a
    stranger's workflow must not change what is paid for or where results are sent.
    """
    taken = {_spelled(name): name for name in body}
    taken |= {_spelled(other): name for other, name in others.items()}
    for name, value in extra.items():
        if len(name) > LONGEST_NAME:
            raise BadOrder(
                f"{where} has a field of {len(name)} letters, {quoted(name)}.",
                hint=f"A field's name has at most {LONGEST_NAME} letters. Remove it from extra.",
            )
        if _is_forbidden(_spelled(name)):
            raise BadOrder(f"{where} may not set {quoted(name)}.", hint="Remove it from extra.")
        if isinstance(value, Mapping) and isinstance(body.get(name), dict):
            add_extra(body[name], value, f"{where}.{name}")
        elif own := taken.get(_spelled(name)):
            also = "" if own == name else f", as {quoted(name)}"
            raise BadOrder(
                f"{where} may not replace {quoted(own)}, which the node sets itself{also}.",
                hint="Use the node's own input, or remove the field from extra.",
            )
        else:
            body[name] = _checked(value, f"{where}.{name}")


def _is_forbidden(spelled: str) -> bool:
    return bool(NO_EXTRA_FIELDS.fullmatch(spelled)) or any(word in spelled for word in _WHO_IS_TOLD)


def _spelled(name: str) -> str:
    """A field's name for comparing: some servers read names whatever their case, and some take
    `aspectRatio` for `aspect_ratio`."""
    return name.casefold().replace("_", "").replace("-", "")


def _checked(value: Any, where: str) -> Any:
    """A copy of a value of extra. What `add_extra` forbids is forbidden in its objects too."""
    if isinstance(value, Mapping):
        fresh: dict[str, Any] = {}
        add_extra(fresh, value, where)
        return fresh
    if isinstance(value, (list, tuple)):
        return [_checked(item, where) for item in value]
    return value
