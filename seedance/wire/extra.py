"""The user's own fields in a payload: what they may add, and what never."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import BadOrder

# Compared in lower case and without `_` and `-`.
NO_EXTRA_FIELDS = re.compile(
    r"model|n|quantity|count|num(ber)?(of)?(images|videos|outputs|samples)|batchsize"
    r"|authorization|apikey|.*(webhook|callback|notify).*"
)


def add_extra(body: dict[str, Any], extra: Mapping[str, Any], where: str = "extra") -> None:
    """Add the user's extra fields to `body`, in place, going down into objects that both have.

    Raises BadOrder for a field that the pack sends itself, a count, or an address to be called:
    a stranger's workflow must not change what is paid for or where results are sent.
    """
    for name, value in extra.items():
        if NO_EXTRA_FIELDS.fullmatch(re.sub("[_-]", "", name.lower())):
            raise BadOrder(f"{where} may not set {name!r}.", hint="Remove it from extra.")
        if isinstance(value, Mapping) and isinstance(body.get(name), dict):
            add_extra(body[name], value, f"{where}.{name}")
        elif name in body:
            raise BadOrder(
                f"{where} may not replace {name!r}, which the node sets itself.",
                hint="Use the node's own input, or remove the field from extra.",
            )
        else:
            if isinstance(value, Mapping):
                fresh: dict[str, Any] = {}
                add_extra(fresh, value, f"{where}.{name}")
                value = fresh
            body[name] = value
