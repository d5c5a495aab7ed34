"""What a provider wants sent, and what came back: calls, files, replies, pauses."""

from __future__ import annotations

import json as jsonlib
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from ..errors import OddReply
from ..order import Kind
from ..said import Said, say
from ..texts import LONGEST_NUMBER, LONGEST_TEXT, cut


@dataclass(frozen=True)
class Blob:
    """A file as it goes up: encoded, measured, never changed again.

    Exactly one of `data` and `path` is set; a path is streamed. `digest` is the SHA-256 of the
    bytes, by which an upload is found again. `seconds` is None for pictures.
    """

    kind: Kind
    mime: str
    name: str
    size: int
    digest: str
    data: bytes | None = field(default=None, repr=False)
    path: Path | None = None
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    fps: float | None = None

    @property
    def extension(self) -> str:
        """The file name's ending without the dot: `png`, `jpg`, `mp4`."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class FilePart:
    """The one file of a multipart form; it is always sent last."""

    field: str
    blob: Blob


@dataclass(frozen=True)
class Call:
    """One HTTP request that a provider wants made.

    `url` is absolute. At most one of `json`, (`form` and `file`) and `body` is set. `auth=False`
    keeps our key away from a storage host. `spends=True` marks the one call that costs money: it
    is sent once, on a fresh connection, and redirects are not followed. `once=True` marks one that
    is free, but makes something: where its answer is lost, it is not sent again. `any_status=True`
    marks one whose 429 and 5xx are answers that the flow reads, not outages to wait out. With
    `may_be_missing=True` the flow reads a 404 about a task, which may be known at another address.
    `timeout`: seconds without a byte from the other side, None for the transport's default.
    """

    method: str
    url: str
    json: Any = None
    form: Sequence[tuple[str, str]] = ()
    file: FilePart | None = None
    body: Blob | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    auth: bool = True
    spends: bool = False
    once: bool = False
    any_status: bool = False
    may_be_missing: bool = False
    timeout: float | None = None


_HALVES = re.compile(r"\\u[dD][89a-fA-F]")  # escaped surrogates; one alone is half a character


@dataclass(frozen=True)
class Reply:
    """What came back. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON, each text in it cut to `LONGEST_TEXT` letters. It is not to be changed.
        Raises OddReply if it is none."""
        return self._value

    @cached_property
    def _value(self) -> Any:
        # Kept, because an error is looked through for many things, and may have megabytes.
        try:
            text = self.body.decode("utf-8-sig")
            value = jsonlib.loads(text, parse_int=_whole)
            # Half a character can be neither printed nor written to a file or a database.
            if _HALVES.search(text):
                whole = jsonlib.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass")
                value = jsonlib.loads(whole.decode("utf-16", "replace"), parse_int=_whole)
            return _with_cut_texts(value) if len(text) > LONGEST_TEXT else value
        except (ValueError, RecursionError) as error:
            raise OddReply(
                "The provider answered HTTP {status} with {kind}.",
                status=self.status,
                kind=self._no_json(),
            ) from error

    def _no_json(self) -> Said:
        """What came in place of JSON."""
        if not self.body.strip():
            return say("nothing where JSON was expected")
        kind = self.headers.get("content-type", "").split(";")[0][:60]
        if "json" in kind:
            return say("JSON that is broken")
        return say("{kind} where JSON was expected", kind=kind or say("no content type"))

    def object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises OddReply if it is none."""
        value = self.json()
        if not isinstance(value, dict):
            raise OddReply(
                "The provider answered HTTP {status} with JSON that is no object.",
                status=self.status,
            )
        return value


def _whole(digits: str) -> int:
    """A whole number of an answer. Raises ValueError for one that takes long to read."""
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _with_cut_texts(value: Any) -> Any:
    """`value` with each text in it cut, at any depth, names of fields as well."""
    top = [value]
    layers: list[Any] = [top]
    while layers:
        inside = layers.pop()
        items = enumerate(inside) if isinstance(inside, list) else list(inside.items())
        for key, item in items:
            if isinstance(item, str):
                item = inside[key] = cut(item, LONGEST_TEXT)
            elif isinstance(item, (dict, list)):
                layers.append(item)
            if isinstance(key, str) and len(key) > LONGEST_TEXT:
                inside[cut(key, LONGEST_TEXT)] = inside.pop(key)
    return top[0]


@dataclass(frozen=True)
class Pause:
    """A wait that the provider's document asks for, in seconds."""

    seconds: float


def given(**fields: Any) -> dict[str, Any]:
    """The fields of a body that have a value: without None, empty texts and empty lists."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], ())}


Result = TypeVar("Result")
Flow: TypeAlias = Generator[Call | Pause, Reply, Result]
