"""An order as the queue of a farm keeps it: plain values, its media in the user's bucket."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from .. import hosting, media
from ..errors import BadOrder
from ..order import Kind, Medium, Order, plain
from ..settings import Settings

VERSION = 1
_DEFAULT = Order()
_FLAGS = ("asset", "person", "library", "untold")


@dataclass(frozen=True)
class QueuedOrder:
    """An order in the queue. `id` is another one for each order that is put in; `name` is what a
    person calls it. `fingerprint` is that of the order at its provider, empty for one that starts
    on the last frame of another and is not known before. `order` is what `pack` made of it. `then`
    are the orders that follow it: each is put in once the one that it follows (`after`, an `id`) is
    saved."""

    name: str
    provider: str
    order: Mapping[str, Any]
    fingerprint: str = ""
    after: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    then: Sequence[QueuedOrder] = ()

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        record = {each.name: getattr(self, each.name) for each in fields(self)}
        then = [each.as_dict() for each in self.then]
        return {**record, "version": VERSION, "order": dict(self.order), "then": then}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> QueuedOrder:
        """From its JSON form. Raises BadOrder for that of a newer version of the pack."""
        if record.get("version") != VERSION:
            raise BadOrder(
                "The order was put into the queue by another version of the pack; it was not sent.",
                hint="Use the same version on every machine of the farm.",
            )
        values = {each.name: record[each.name] for each in fields(cls)}
        return cls(**{**values, "then": [cls.from_dict(each) for each in record["then"]]})

    def followers(self) -> list[QueuedOrder]:
        """Those that can be put in once this one is saved, each with those that follow it."""
        return [
            replace(each, then=_below(each.id, self.then))
            for each in self.then
            if each.after == self.id
        ]


def _below(id_: str, those: Sequence[QueuedOrder]) -> list[QueuedOrder]:
    """All that follow one, directly or not. Those that follow stand after the one they follow."""
    inside, found = {id_}, []
    for each in those:
        if each.after in inside:
            inside.add(each.id)
            found.append(each)
    return found


class Bucket:
    """Puts media of orders into the user's bucket, each once in the life of this object: an object
    that is put again is as young as a new one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._put: set[str] = set()

    def put(self, medium: Medium) -> str:
        """The name of the object of a medium. Raises BadOrder without a bucket, and what
        `hosting.put` raises."""
        if not hosting.configured(self._settings):
            raise BadOrder(
                "An order has media of this machine, and there is no bucket from which other "
                "machines could take them; nothing was sent.",
                hint="Set SEEDANCE_S3_BUCKET and its keys, or give https addresses.",
            )
        pixels = medium.pixels
        ending = "png" if pixels is not None or medium.path is None else medium.path.suffix[1:]
        name = hosting.queued_name(self._settings, f"{medium.digest}.{ending or 'bin'}")
        if name in self._put:
            return name
        data = media.encode_png(pixels) if pixels is not None else medium.data
        if data is None:
            assert medium.path is not None
            hosting.put_file(self._settings, medium.path, name)
        else:
            with tempfile.TemporaryDirectory(prefix="seedance-") as folder:
                file = Path(folder, "medium")
                file.write_bytes(data)
                hosting.put_file(self._settings, file, name)
        self._put.add(name)
        return name


def has_local_media(order: Order) -> bool:
    """Whether an order has media that other machines cannot read where they are."""
    return any(medium.address is None and not medium.unknown for medium in order.media)


def pack(order: Order, bucket: Bucket) -> dict[str, Any]:
    """An order as plain values; its media go into the bucket. A medium that is not known yet is
    left out. Raises what `Bucket.put` raises."""
    record: dict[str, Any] = {}
    for each in fields(Order):
        value = getattr(order, each.name)
        if each.name == "assets" or value == getattr(_DEFAULT, each.name):
            continue
        if isinstance(value, Medium):
            if value.unknown:
                continue
            value = _packed(value, bucket)
        elif each.name == "references":
            value = [_packed(medium, bucket) for medium in value]
        record[each.name] = plain(value)
    return record


def _packed(medium: Medium, bucket: Bucket) -> dict[str, Any]:
    record: dict[str, Any] = {"kind": medium.kind}
    record |= {name: getattr(medium, name) for name in _FLAGS if getattr(medium, name)}
    if medium.address is not None:
        return {**record, "address": medium.address}
    name = medium.path.name if medium.path is not None else ""
    pixels = medium.pixels is not None
    return {
        **record,
        "object": bucket.put(medium),
        "sha256": medium.digest,
        "name": name,
        "pixels": pixels,
    }


def unpack(record: Mapping[str, Any], settings: Settings, folder: Path) -> Order:
    """The order again; its media are fetched from the bucket into `folder`.

    Raises BadOrder for one that another version of the pack packed, or where what is in the bucket
    is not what was put there; and what `hosting.get_file` raises.
    """
    values = dict(record)
    if unknown := values.keys() - {each.name for each in fields(Order)}:
        raise BadOrder(
            f"The order in the queue has values that this version of the pack does not know: "
            f"{', '.join(sorted(unknown))}; it was not sent.",
            hint="Use the same version on every machine of the farm.",
        )
    fetching = _Fetching(settings, folder)
    for name, value in values.items():
        if name == "references":
            values[name] = tuple(fetching.medium(each) for each in value)
        elif name in ("first_frame", "last_frame", "video"):
            values[name] = fetching.medium(value)
    return Order(**values)


class _Fetching:
    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self._count = 0

    def medium(self, record: Mapping[str, Any]) -> Medium:
        kind: Kind = record["kind"]
        if "address" in record:
            medium = Medium.from_address(kind, record["address"])
        else:
            medium = self._fetched(kind, record)
        flags = {name: record[name] for name in _FLAGS if name in record}
        return replace(medium, **flags)

    def _fetched(self, kind: Kind, record: Mapping[str, Any]) -> Medium:
        # Each in a folder of its own, under the name that it had: the journal keeps that name.
        self._count += 1
        name = Path(str(record["name"]).replace("\\", "/")).name or Path(record["object"]).name
        file = self._folder / str(self._count) / name
        file.parent.mkdir()
        try:
            hosting.get_file(self._settings, record["object"], file)
        except OSError as error:
            raise BadOrder(
                f"A medium of the order cannot be written to {file}: {error.strerror}; the order "
                "was not sent."
            ) from error
        medium = Medium.from_path(kind, file)
        if record["pixels"]:
            medium = Medium.from_pixels(media.read_picture(file))
        elif not record["name"]:
            medium = Medium.from_data(kind, file.read_bytes())
        if medium.digest != record["sha256"]:
            raise BadOrder(
                f"The object {record['object']} of the bucket is not what was put there; the order "
                "was not sent.",
                hint="Put it in again: seedance batch --farm",
            )
        return medium
