"""How a provider is described: calls and replies, tickets and statuses, limits, and Provider.

A provider describes a conversation and does not hold it: its methods are generators that yield a
`Call` (or a `Pause`), receive a `Reply`, and return the result. So the same description serves the
runner, the tests (dictionaries in, dictionaries out) and the free preview of a payload. Nothing
here does I/O, sleeps, or knows the journal, the clock or a key.
"""

from __future__ import annotations

import json as jsonlib
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar
from urllib.parse import quote, unquote

from .errors import BadOrder, OddReply, OutOfCredit, Refused, SeedanceError
from .order import Kind, Mode, Order

# ------------------------------------------------------------------------------- calls and replies


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
    is sent once, on a fresh connection, and redirects are not followed. `any_status=True` marks one
    whose 429 and 5xx are answers that the flow reads, not outages to wait out. `timeout`: seconds
    without a byte from the other side, None for the transport's default.
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
    any_status: bool = False
    timeout: float | None = None


_HALVES = re.compile(r"\\u[dD][89a-fA-F]")  # surrogates, one of which alone is half a character


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
        """The body as JSON. Raises OddReply if it is none."""
        try:
            text = self.body.decode("utf-8-sig")
            value = jsonlib.loads(text)
            # Half a character can be neither printed nor written to a file or a database.
            if _HALVES.search(text):
                whole = jsonlib.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass")
                value = jsonlib.loads(whole.decode("utf-16", "replace"))
            return value
        except (ValueError, RecursionError) as error:
            kind = self.headers.get("content-type", "no content type").split(";")[0][:60]
            raise OddReply(
                f"The provider answered HTTP {self.status} with {kind} where JSON was expected."
            ) from error

    def object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises OddReply if it is none."""
        value = self.json()
        if not isinstance(value, dict):
            raise OddReply(f"The provider answered HTTP {self.status} with JSON that is no object.")
        return value


@dataclass(frozen=True)
class Pause:
    """A wait that the provider's document asks for, in seconds, with words for the progress."""

    seconds: float
    note: str = ""


Result = TypeVar("Result")
Flow: TypeAlias = Generator[Call | Pause, Reply, Result]


# --------------------------------------------------------------------------- tickets and statuses


@dataclass(frozen=True)
class Money:
    """An amount in a currency: an ISO code such as USD, or the provider's own unit (`credits`), of
    which at most ten letters are kept, whatever an answer has in its place.

    `estimated` says it was not told by the provider for this task; `as_of` is the date of the
    price list, ISO 8601.
    """

    amount: float
    currency: str
    estimated: bool = False
    as_of: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "currency", self.currency[:10])

    def as_dict(self) -> dict[str, Any]:
        """The JSON form: `{amount, currency, estimated}`."""
        return {"amount": self.amount, "currency": self.currency, "estimated": self.estimated}

    def __str__(self) -> str:
        """`1.50 USD`, `0.0725 USD (estimated)` or `free`."""
        if not self.amount:
            return "free"
        # Two decimals at least, more only where a price has them.
        whole, _, decimals = f"{self.amount:.4f}".partition(".")
        figure = f"{whole}.{decimals.rstrip('0'):0<2}"
        return f"{figure} {self.currency}{' (estimated)' if self.estimated else ''}"


_TICKET = re.compile(r"([a-z][a-z0-9_]*):([A-Za-z0-9%_-][A-Za-z0-9%._~:-]{0,500})")
_NOT_IN_A_PATH = re.compile(r"[\x00-\x1f\x7f/\\]|\.\.")


@dataclass(frozen=True)
class Ticket:
    """A paid task: `<provider id>:<opaque>`. With the key, enough to collect it anywhere.

    `cost` is what the create answer said about the price; it is not part of the ticket's text.
    """

    provider: str
    opaque: str
    cost: Money | None = None

    def __str__(self) -> str:
        return f"{self.provider}:{self.opaque}"

    @classmethod
    def issue(cls, provider: str, task_id: object, cost: Money | None = None) -> Ticket:
        """A ticket for the id in a create answer. Raises OddReply if that is no id."""
        if isinstance(task_id, bool) or not isinstance(task_id, (str, int)) or task_id == "":
            raise OddReply("The provider's answer carries no task id.")
        try:
            opaque = quote(str(task_id), safe=":~")
            cls.parse(f"{provider}:{opaque}")  # what is paid must be collectable
        except ValueError:
            raise OddReply(
                f"The provider's task id {str(task_id)[:80]!r} cannot be used."
            ) from None
        return cls(provider, opaque, cost)

    @classmethod
    def parse(cls, text: str) -> Ticket:
        """Read a ticket's text. Raises BadOrder if it is none.

        A ticket comes from strangers' workflows and ends up in a path of the provider's API, so
        what could climb out of that path is refused here, as is any escape but those of `issue`.
        """
        match = _TICKET.fullmatch(text.strip())
        task_id = unquote(match[2]) if match else ""
        if not match or _NOT_IN_A_PATH.search(task_id) or quote(task_id, safe=":~") != match[2]:
            raise BadOrder(
                f"{text.strip()[:80]!r} is not a ticket.",
                hint="A ticket looks like lumenfall:video_123; the task output of a node gives it.",
            )
        return cls(match[1], match[2])


@dataclass(frozen=True)
class Running:
    """Queued or rendering. `progress` is 0..1 or None; `unknown` is an undocumented status word."""

    progress: float | None = None
    note: str = ""
    unknown: str | None = None


@dataclass(frozen=True)
class Done:
    """Finished. `video_url` is None in the transient where the address is not there yet."""

    video_url: str | None
    last_frame_url: str | None = None
    cost: Money | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Failed:
    """Failed after it was accepted."""

    message: str
    code: str = ""
    stage: Literal["prompt", "input", "output", "service"] = "service"
    billed: Literal["yes", "no", "unknown"] = "unknown"


@dataclass(frozen=True)
class Cancelled:
    """Cancelled at the provider."""


@dataclass(frozen=True)
class Expired:
    """The provider gave the task up, or no longer knows it."""

    message: str = "the provider no longer has the task"


@dataclass(frozen=True)
class CannotCancel:
    """The provider does not cancel this task; `reason` is shown to the person."""

    reason: str


Status: TypeAlias = Running | Done | Failed | Cancelled | Expired


# ----------------------------------------------------------------------------------------- limits

Travel = Literal["address", "inline", "upload", "handle"]
Size: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class MediaLimits:
    """What a provider documents about one kind of medium. None means that nothing is documented.

    `formats` are MIME types, the preferred first. Sides are pixels, `aspect` is width / height,
    `seconds` and `fps` are inclusive bounds of each, `total_seconds` of all of the kind together.
    """

    formats: tuple[str, ...]
    max_bytes: int | None = None
    sides: tuple[int, int] | None = None
    aspect: tuple[float, float] | None = None
    pixels: tuple[int, int] | None = None
    seconds: tuple[float, float] | None = None
    total_seconds: tuple[float, float] | None = None
    fps: tuple[float, float] | None = None


@dataclass(frozen=True)
class ModelLimits:
    """What one model can do at one provider: data, from its documents only.

    `id` is the provider's own model id; `{resolution}` and `{mode}` in it are filled in by the
    provider. `adaptive` are the modes in which the provider can follow the source's ratio (or
    choose one). `source_ratio` and `source_duration` are the modes in which the ratio or the
    length can only be the source's, that is, `adaptive` or -1. `sizes` gives the exact output in
    pixels, `sizes[resolution][ratio]`. `images`, `videos`, `audios` count references; `total`
    counts them together. `media` replaces the provider's limits of a kind of medium.
    """

    id: str
    modes: frozenset[Mode]
    resolutions: tuple[str, ...]
    ratios: tuple[str, ...]
    durations: tuple[int, int]
    adaptive: frozenset[Mode] = frozenset()
    source_ratio: frozenset[Mode] = frozenset()
    source_duration: frozenset[Mode] = frozenset()
    auto_duration: bool = False
    prompt_max: int | None = None
    prompt_optional: frozenset[Mode] = frozenset()
    sizes: Mapping[str, Mapping[str, Size]] = field(default_factory=dict)
    images: int = 0
    videos: int = 0
    audios: int = 0
    total: int | None = None
    audio_alone: bool = False
    edit_images: int = 0
    generates_audio: bool = True
    seed: bool = True
    watermark: bool = False
    camera_fixed: bool = False
    keeps_audio: bool = False
    media: Mapping[Kind, MediaLimits] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """What a provider can do, as data.

    `travel[kind]`: how such a medium may reach the provider, for a file best first: `address` (any
    public one; for a file, by the user's bucket), `inline` (data URI), `upload` (the provider's
    own), `handle` (its own ids only).
    `concurrent`: tasks at once per key. `poll_interval`: seconds, as documented. `result_life`:
    seconds that a result can be fetched. `task_life`: seconds that a task can be asked for.
    """

    models: Mapping[str, ModelLimits]
    travel: Mapping[Kind, tuple[Travel, ...]]
    image: MediaLimits
    video: MediaLimits | None = None
    audio: MediaLimits | None = None
    spelling: Mapping[Kind, str] = field(
        default_factory=lambda: {"image": "@Image{n}", "video": "@Video{n}", "audio": "@Audio{n}"}
    )
    concurrent: int | None = None
    poll_interval: float | None = None
    result_life: float | None = None
    task_life: float = 48 * 3600

    def of(self, kind: Kind, model: str | None = None) -> MediaLimits | None:
        """The limits of one kind of medium, for one of the models if it has its own."""
        own = self.models[model].media if model else {}
        if kind in own:
            return own[kind]
        return {"image": self.image, "video": self.video, "audio": self.audio}[kind]


# --------------------------------------------------------------------------------------- provider


@dataclass(frozen=True)
class Config:
    """What the user configured for a provider; never a workflow's doing, and never the key.

    `models` replaces provider model ids; `options` are the provider's own switches, by their name
    in the environment, lower case (`create_path` for `SEEDANCE_UNIALL_CREATE_PATH`).
    """

    base_url: str
    upload_url: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Uploaded:
    """What the provider calls a medium that went up: an address or an id.

    `expires_at`: Unix seconds until which it can be used again, None where no document says.
    """

    reference: str
    expires_at: float | None = None


@dataclass(frozen=True)
class Placed:
    """The media of an order as the provider can read them: addresses, data URIs or ids."""

    first_frame: str | None = None
    last_frame: str | None = None
    images: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()
    audios: tuple[str, ...] = ()
    video: str | None = None


@dataclass(frozen=True)
class Balance:
    """What the account has left, and a name (at most 100 letters) to recognise it by."""

    account: str
    left: Money | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "account", self.account[:100])


class Provider(ABC):
    """One service that makes Seedance videos. See `providers/__init__` on how to add one."""

    id: ClassVar[str]
    name: ClassVar[str]
    key_variable: ClassVar[str | None]
    default_base_url: ClassVar[str | None]
    default_upload_url: ClassVar[str | None] = None
    limits: ClassVar[Limits]
    auth_scheme: ClassVar[str] = "Bearer"
    options: ClassVar[tuple[str, ...]] = ()
    # True only where a document says that a cancelled task is not billed.
    cancel_is_free: ClassVar[bool] = False

    def __init__(self, config: Config) -> None:
        self.config = config

    # -- what every provider describes

    def upload(self, blob: Blob) -> Flow[Uploaded]:
        """Send one picture, clip or sound up. Raises BadOrder where there is no upload."""
        raise BadOrder(f"{self.name} has no upload for a {blob.kind}.")
        yield  # makes this a generator

    @abstractmethod
    def submit(self, order: Order, placed: Placed) -> Flow[Ticket]:
        """Create the task. Exactly one Call has `spends=True`.

        Raises Refused (or a kind of it) for a clear no, OddReply for a 2xx that makes no sense.
        """

    @abstractmethod
    def check(self, ticket: Ticket) -> Flow[Status]:
        """Ask once how the task stands. Raises what `explain` gives for an HTTP error."""

    def cancel(self, ticket: Ticket) -> Flow[Cancelled | CannotCancel]:
        """Ask the provider to cancel."""
        return CannotCancel(f"{self.name} documents no way to cancel a task.")
        yield

    # -- what some of them offer

    def probe_key(self) -> Flow[Balance]:
        """Check the key free of charge; says whose it is. Raises Refused if it is not taken."""
        raise BadOrder(f"{self.name} documents no free way to test a key.")
        yield

    def find(self, order: Order, since: float, known: Collection[str] = ()) -> Flow[Ticket | None]:
        """Look for a task made from `order` after `since` (Unix seconds): clears an Unclear.

        `known` are the tickets of other orders, which cannot be it. None means that there is
        certainly none. Raises BadOrder where nothing lists tasks, Unclear where the list does not
        settle which task it is.
        """
        raise BadOrder(f"{self.name} has no list of tasks to look into.")
        yield

    def estimate(self, order: Order) -> Money | None:
        """The price of a fitted order by the published list, or None if there is none."""
        return None

    @staticmethod
    def adapter(home: Path) -> Any | None:
        """A requests adapter that answers this provider's calls inside the process, if there is
        one; `home` is a folder for what it keeps."""
        return None

    # -- reading answers

    def explain(self, reply: Reply) -> SeedanceError:
        """The error that an answer other than 2xx stands for, in words for a person.

        By default: 401 and 403 speak of the key, 402 of credit; the provider's own sentence is
        always part of it.
        """
        said = error_text(reply)
        tail = f": {said}" if said else "."
        if reply.status in (401, 403):
            return Refused(
                f"{self.name} refused the key (HTTP {reply.status}){tail}",
                hint=f"Check it with: seedance key test {self.id}.",
            )
        if reply.status == 402:
            return OutOfCredit(f"{self.name} says there is no credit left{tail}")
        return Refused(f"{self.name} refused the request (HTTP {reply.status}){tail}")

    def quota_used_up(self, reply: Reply) -> bool:
        """Whether a 429 means that a quota is used up, so that waiting does not help."""
        code = error_code(reply).lower()
        return any(word in code for word in ("quota", "insufficient", "balance", "billing"))

    # -- small helpers

    def url(self, path: str) -> str:
        """`path` under the configured base URL."""
        return self.config.base_url.rstrip("/") + path

    def travel(self, kind: Kind) -> tuple[Travel, ...]:
        """How a medium of this kind may reach the provider as configured, best first."""
        return self.limits.travel.get(kind, ())

    def model(self, order: Order) -> ModelLimits:
        """The limits of the order's model."""
        return self.limits.models[order.model]

    def model_id(self, order: Order, mode: str = "") -> str:
        """The provider's id for the order's model, with the user's replacement if there is one."""
        template = self.config.models.get(order.model) or self.model(order).id
        return template.replace("{resolution}", order.resolution).replace("{mode}", mode)


# ---------------------------------------------------------------------- for those who write flows


def dig(value: Any, *path: str | int) -> Any:
    """The item at `path` inside nested dicts and lists, or None where there is none."""
    for step in path:
        if isinstance(step, int):
            value = (
                value[step]
                if isinstance(value, list) and -len(value) <= step < len(value)
                else None
            )
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def text_at(value: Any, *path: str | int) -> str:
    """The non-empty string at `path`, or an empty one."""
    found = dig(value, *path)
    return found if isinstance(found, str) else ""


def number_at(value: Any, *path: str | int) -> float | None:
    """The finite number at `path` (a number or a numeric string), or None."""
    found = dig(value, *path)
    if isinstance(found, bool) or not isinstance(found, (int, float, str)):
        return None
    try:
        number = float(str(found).rstrip("% "))
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 1e15 else None  # also false for NaN


def error_text(reply: Reply) -> str:
    """The sentence in an error answer, whichever of the usual places it stands in; at most 400
    characters, one line. Empty for HTML."""
    try:
        body = reply.json()
    except OddReply:
        return ""
    if isinstance(body, dict):
        for path in (
            ("error", "message"),
            ("error_msg",),
            ("message",),
            ("error",),
            ("detail",),
            ("detail", 0, "msg"),
            ("msg",),
            ("title",),
            ("error_code",),
        ):
            if found := text_at(body, *path):
                return " ".join(found.split())[:400]
    return ""


def error_code(reply: Reply) -> str:
    """The machine-readable code in an error answer, or an empty string."""
    try:
        body = reply.json()
    except OddReply:
        return ""
    for path in (("error", "code"), ("error", "type"), ("code",), ("error_type",), ("error_code",)):
        found = dig(body, *path)
        if isinstance(found, (str, int)) and not isinstance(found, bool):
            return str(found)
    return ""


def plain_word(value: Any) -> str:
    """A status word in lower case with underscores; empty if it is no string."""
    return (
        value.strip().lower().replace("-", "_").replace(" ", "_") if isinstance(value, str) else ""
    )


# Compared as `_spelled` gives them.
NO_EXTRA_FIELDS = re.compile(
    r"model|n|quantity|count|num(ber)?(of)?(images|videos|outputs|samples|frames)|batchsize"
    r"|authorization|apikey|.*(hook|callback|notif).*"
)


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
        if NO_EXTRA_FIELDS.fullmatch(_spelled(name)):
            raise BadOrder(f"{where} may not set {name!r}.", hint="Remove it from extra.")
        if isinstance(value, Mapping) and isinstance(body.get(name), dict):
            add_extra(body[name], value, f"{where}.{name}")
        elif own := taken.get(_spelled(name)):
            also = "" if own == name else f", as {name!r}"
            raise BadOrder(
                f"{where} may not replace {own!r}, which the node sets itself{also}.",
                hint="Use the node's own input, or remove the field from extra.",
            )
        else:
            body[name] = _checked(value, f"{where}.{name}")


def _spelled(name: str) -> str:
    """A field's name for comparing: some servers read names whatever their case, and some take
    `aspectRatio` for `aspect_ratio`."""
    return re.sub("[_-]", "", name.casefold())


def _checked(value: Any, where: str) -> Any:
    """A copy of a value of extra, whose objects may not set either what `add_extra` forbids."""
    if isinstance(value, Mapping):
        fresh: dict[str, Any] = {}
        add_extra(fresh, value, where)
        return fresh
    if isinstance(value, (list, tuple)):
        return [_checked(item, where) for item in value]
    return value
