"""An order from what the page sends: fields of an order, or a node as it stands in the graph.

Media that only the graph knows are stand-ins, so that what is made here can be checked and priced,
not sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..seedance.errors import BadOrder
from ..seedance.order import Kind, Medium, Order, names_assets, read_extra
from .generate import parse_urls
from .inputs import DECODING

Body = Mapping[str, Any]

# Of each generating node: the order's field for a socket, and the widget with an address for it.
_SINGLE: dict[str, dict[str, tuple[Kind, str]]] = {
    "SeedanceT2V": {},
    "SeedanceI2V": {"first_frame": ("image", "image_url")},
    "SeedanceFrames": {
        "first_frame": ("image", "first_frame_url"),
        "last_frame": ("image", "last_frame_url"),
    },
    "SeedanceReference": {},
    "SeedanceV2V": {"video": ("video", "video_url")},
}
GENERATING = frozenset(_SINGLE)
_NUMBERED = re.compile(r"@(?=(image|video|audio)\d)", re.IGNORECASE)
_GROWING: dict[str, Kind] = {"images": "image", "videos": "video", "audios": "audio"}
_NOT_PART = ("takes", "urls", *DECODING)
_MADE_HERE = frozenset(("first_frame", "last_frame", "video", "references", "assets"))
_FIELDS = {field.name: getattr(Order(), field.name) for field in fields(Order)}


def order_of(body: Body) -> Order:
    """The order of a request's body. Raises BadOrder for what no order has."""
    return _of_node(body) if "node" in body else _of_fields(body)


# ------------------------------------------------------------------------------ fields of an order


def _of_fields(body: Body) -> Order:
    values = dict(body)
    for name, kind in (("first_frame", "image"), ("last_frame", "image"), ("video", "video")):
        if name in body:
            values[name] = Medium.from_address(kind, text(body, name))  # type: ignore[arg-type]
    values["references"] = tuple(_reference(item) for item in _list(body, "references"))
    if not isinstance(values.get("extra", {}), dict):
        raise BadOrder("extra must be an object keyed by provider id.")
    return _order(values)


def _order(values: Body) -> Order:
    for name, value in values.items():
        if name not in _FIELDS:
            raise BadOrder("An order has no {name}.", name=repr(name[:40]))
        if name in _MADE_HERE and not _is_made(value):
            raise BadOrder("{name} cannot be given here.", name=name)
        expected = _FIELDS[name]
        if isinstance(expected, (str, int)) and type(value) is not type(expected):
            raise BadOrder("{name} must be {type}.", name=name, type=type(expected).__name__)
    return Order(**values)


def _is_made(value: Any) -> bool:
    """Whether a medium, or a list of them, is none that the request wrote itself."""
    media = value if isinstance(value, tuple) else (value,)
    return all(isinstance(medium, Medium) for medium in media)


def _reference(item: Any) -> Medium:
    if not isinstance(item, dict) or item.get("kind") not in ("image", "video", "audio"):
        raise BadOrder('A reference looks like {"kind": "image", "address": "https://..."}.')
    return Medium.from_address(item["kind"], text(item, "address"))


# --------------------------------------------------------------------------------- a node's widgets


def _of_node(body: Body) -> Order:
    """`node` is its id, `inputs` the values of its widgets, `sockets` the names of its connected
    inputs, `images.image_1` for one that grew."""
    node_id, inputs, sockets = body.get("node"), body.get("inputs", {}), _list(body, "sockets")
    if not isinstance(node_id, str) or node_id not in _SINGLE or not isinstance(inputs, dict):
        raise BadOrder(
            "node must be one of: {nodes}, and inputs an object.", nodes=", ".join(_SINGLE)
        )
    if not all(isinstance(name, str) for name in sockets):
        raise BadOrder("sockets must be a list of names.")
    values = {name: value for name, value in inputs.items() if name not in _NOT_PART}
    # How many pictures a socket brings is known only when the graph runs, so the names in the
    # prompt (@Image2) are not checked here; those of assets are. A price needs no prompt.
    values["prompt"] = _NUMBERED.sub("#", _words(inputs, "prompt")) or "-"
    values["extra"] = read_extra(_words(inputs, "extra"))
    for name, (kind, url) in _SINGLE[node_id].items():
        values.pop(url, None)
        values[name] = _medium(kind, _words(inputs, url))
    values["references"] = _references(node_id, inputs, sockets)
    return _order(values)


def _references(node_id: str, inputs: Body, sockets: Sequence[str]) -> tuple[Medium, ...]:
    connected = [
        _medium(kind) for name in sockets if (kind := _GROWING.get(name.partition(".")[0]))
    ]
    if node_id != "SeedanceReference":
        return tuple(connected)
    given = (*connected, *parse_urls(_words(inputs, "urls")))
    return given if given or names_assets(inputs.get("prompt")) else (_medium("image"),)


def _medium(kind: Kind, address: str = "") -> Medium:
    return Medium.from_address(kind, address) if address.strip() else Medium.stand_in(kind)


# --------------------------------------------------------------------------------- values of a body


def text(body: Body, name: str) -> str:
    """The text at `name`. Raises BadOrder if there is none."""
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadOrder("{name} must be a text that is not empty.", name=name)
    return value


def _words(body: Body, name: str) -> str:
    value = body.get(name, "")
    return value if isinstance(value, str) else ""


def _list(body: Body, name: str) -> list[Any]:
    value = body.get(name, [])
    if not isinstance(value, list):
        raise BadOrder("{name} must be a list.", name=name)
    return value
