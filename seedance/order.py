"""What a person asks for: an Order, the media it carries, and its fingerprint.

Also the values that an order may have (models, resolutions, ratios, modes), and the rule by which
two orders are the same.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from . import embedded
from .errors import BadOrder
from .said import Said, say
from .texts import LONGEST_ADDRESS, json_in, quoted

if TYPE_CHECKING:
    import numpy as np

MODELS = (
    "seedance-2.0",
    "seedance-2.0-fast",
    "seedance-2.0-mini",
    "seedance-2.5",
    "seedance-2.5-flash",
)
RESOLUTIONS = ("480p", "720p", "1080p", "4k")
OUTPUT_FORMATS = ("mp4", "mov")
FINALS = ("1080p", "4k")  # what a draft can become
RATIOS = ("adaptive", "16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "9:21")
OPERATIONS = ("edit", "extend")
SEEDS = 2**32  # seeds are 0 .. 2^32 - 1
# Of the largest model, 2.5: references, and the seconds of a video.
MOST_IMAGES, MOST_CLIPS, MOST_SOUNDS = 30, 10, 10
LONGEST_SECONDS = 30
ON_UNSUPPORTED = ("error", "nearest")
ASSET_KINDS = ("person", "other")
MOST_TAKES = 8  # of one order
LONGEST_PROJECT = 60  # letters

# The size of Seedance 2.0's video in pixels: SIZES[resolution][ratio]. 480p and 720p are Leonardo's
# table (seed 000), 1080p is that of the official API. Some are inferred: 9:21 at 1080p is 21:9
# turned, and 21:9 and 9:21 at 4k are twice those at 1080p; the rest of 4k is EvoLink's table.
SIZES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "480p": {
        "16:9": (864, 496),
        "4:3": (752, 560),
        "1:1": (640, 640),
        "3:4": (560, 752),
        "9:16": (496, 864),
        "21:9": (992, 432),
        "9:21": (432, 992),
    },
    "720p": {
        "16:9": (1280, 720),
        "4:3": (1112, 834),
        "1:1": (960, 960),
        "3:4": (834, 1112),
        "9:16": (720, 1280),
        "21:9": (1470, 630),
        "9:21": (630, 1470),
    },
    "1080p": {
        "16:9": (1920, 1080),
        "4:3": (1664, 1248),
        "1:1": (1440, 1440),
        "3:4": (1248, 1664),
        "9:16": (1080, 1920),
        "21:9": (2206, 946),
        "9:21": (946, 2206),
    },
    "4k": {
        "16:9": (3840, 2160),
        "4:3": (3326, 2494),
        "1:1": (2880, 2880),
        "3:4": (2494, 3326),
        "9:16": (2160, 3840),
        "21:9": (4412, 1892),
        "9:21": (1892, 4412),
    },
}

Kind = Literal["image", "video", "audio"]
Mode = Literal["text", "image", "frames", "reference", "edit", "extend"]
MODE_WORDS: dict[Mode, Said] = {
    "text": say("text to video"),
    "image": say("first frame"),
    "frames": say("first and last frame"),
    "reference": say("references"),
    "edit": say("video editing"),
    "extend": say("video extension"),
}
MODES: frozenset[Mode] = frozenset(MODE_WORDS)
CLIP_TASKS: frozenset[Mode] = frozenset(("edit", "extend"))

NO_EXTRA: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Medium:
    """A picture, clip or sound, from exactly one source. Make it with one of the `from_` methods.

    `pixels`: uint8 array of shape (height, width, 3), RGB. `path`: a local file. `data`: the bytes
    of a file. `address`: an https address, or a provider's own handle (`asset://...`,
    `leonardo:GENERATED:<id>`), which is sent as it is.
    `unknown`: it stands in for a medium that is not at hand.
    `asset`: the name of the asset that it belongs to. `person`: it is marked as showing a real
    person. `library`: the id of the provider whose asset library has it, where that is known.
    `untold`: nobody said what kind an asset of a library is; the journal may know.
    """

    kind: Kind
    pixels: np.ndarray | None = None
    path: Path | None = None
    data: bytes | None = field(default=None, repr=False)
    address: str | None = None
    unknown: bool = False
    asset: str = ""
    person: bool = False
    library: str = ""
    untold: bool = False

    @classmethod
    def stand_in(cls, kind: Kind) -> Medium:
        """Stands for a medium that is not at hand: an order with it can be checked and priced, not
        sent."""
        return cls(kind, unknown=True)

    @classmethod
    def from_pixels(cls, pixels: np.ndarray) -> Medium:
        """A picture from 8-bit RGB pixels of shape (height, width, 3)."""
        if pixels.dtype != "uint8" or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise BadOrder(
                "A picture must be 8-bit RGB of shape (height, width, 3), not {dtype} "
                "of shape {shape}.",
                dtype=pixels.dtype,
                shape=str(pixels.shape),
            )
        contiguous = pixels if pixels.flags.c_contiguous else pixels.copy()
        return cls("image", pixels=contiguous)

    @classmethod
    def from_library(cls, kind: Kind, handle: str, provider: str, asset: str = "") -> Medium:
        """A medium in the asset library of a provider."""
        return cls(kind, address=handle, asset=asset, library=provider)

    @classmethod
    def from_path(cls, kind: Kind, path: str | Path) -> Medium:
        """A medium from a local file. Raises BadOrder if there is none; it is not read yet."""
        path = Path(path)
        try:
            is_file, exists = path.is_file(), path.exists()
        except OSError as error:  # a folder that cannot be entered, a name that is too long
            raise BadOrder(
                "{path} cannot be read: {reason}.",
                hint="Check the path.",
                path=quoted(path),
                reason=error.strerror,
            ) from error
        if exists and not is_file:
            raise BadOrder(
                "{path} is a folder." if path.is_dir() else "{path} is no file.",
                hint="Give the path of a file.",
                path=path.absolute(),
            )
        if not is_file:
            raise BadOrder("There is no file {path}.", hint="Check the path.", path=path)
        return cls(kind, path=path)

    @classmethod
    def from_data(cls, kind: Kind, data: bytes) -> Medium:
        """A medium from the bytes of a file."""
        return cls(kind, data=data)

    @classmethod
    def from_address(cls, kind: Kind, address: str) -> Medium:
        """A medium at an https address, or named by a provider's own handle.

        Raises BadOrder for anything else: a local path or a `file:` address in a shared workflow
        must never be read.
        """
        address = address.strip()
        if not is_address(address):
            raise BadOrder(
                "{address} is neither an https address nor a provider's handle.",
                hint="Use https://..., asset://... or e.g. leonardo:GENERATED:<id>.",
                address=quoted(address),
            )
        return cls(kind, address=address)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over what the user gave, before any conversion of ours. Of a video that we saved,
        the graph that was put into it does not count: it is the same clip with any graph."""
        sha = hashlib.sha256()
        if self.address is not None:
            sha.update(b"address\0" + self.address.encode())
        elif self.pixels is not None:
            height, width, _ = self.pixels.shape
            sha.update(b"pixels\0%d\0%d\0" % (height, width))
            sha.update(self.pixels.data)
        elif self.data is not None:
            return embedded.digest(self.data, b"bytes\0")
        elif self.path is not None:
            try:
                return embedded.digest(self.path, b"bytes\0")
            except OSError as error:
                raise BadOrder(
                    "{path} cannot be read: {reason}.", path=self.path, reason=error.strerror
                ) from error
        elif self.unknown:
            raise BadOrder("The order names a medium that is not at hand, so it cannot be sent.")
        else:
            raise BadOrder("A medium has no source.")
        return sha.hexdigest()


ASSET = "asset://"
_HANDLE = re.compile(r"(asset://|[a-z][a-z0-9_]{0,31}:[A-Z]{1,32}:)[A-Za-z0-9._~-]{1,200}")
_URL = re.compile(r"https?://[^\s/?#@\\]{1,300}([/?#][^\s]*)?", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Whether `text` is an address or a provider's handle that an order may carry.

    Plain http passes here. `runner.delivery`, which knows the provider's base URL, refuses it
    unless it is an address of the user's own gateway.
    """
    if len(text) > LONGEST_ADDRESS:
        return False
    return bool(_URL.fullmatch(text) or _HANDLE.fullmatch(text))


ENDINGS: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        "image": ("png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic"),
        "video": ("mp4", "mov", "m4v", "webm", "mkv", "avi"),
        "audio": ("mp3", "wav", "m4a", "aac", "flac", "ogg", "opus"),
    }
)


def kind_by_ending(text: str) -> Kind | None:
    """The kind that the ending of a file name or an address tells; None if it does not."""
    # The query of an address may hold anything, so the ending is looked for before it.
    ending = re.split(r"[?#]", text, maxsplit=1)[0].rpartition(".")[2].lower()
    return next((kind for kind, endings in ENDINGS.items() if ending in endings), None)


def kind_of_reference(text: str) -> tuple[Kind | None, str]:
    """The kind of a reference that a person typed, and its file, address or handle.

    `image:`, `video:` or `audio:` before it (in any case) tells the kind, or else its ending; the
    kind is None if neither does.
    """
    prefix, _, rest = text.partition(":")
    for kind in ENDINGS:
        if prefix.strip().lower() == kind and rest.strip():
            return kind, rest.strip()
    return kind_by_ending(text.strip()), text.strip()


def reference_at(text: str) -> Medium | None:
    """The reference at an address or handle that a person typed; None where nothing tells its kind.
    That of an asset is told by the journal. Raises BadOrder for what is no address."""
    kind, address = kind_of_reference(text)
    if kind is None and address.startswith(ASSET):
        return replace(Medium.from_address("image", address), untold=True)
    return Medium.from_address(kind, address) if kind is not None else None


# A name of an asset: letters of any script, digits, `_` and `-`, so that it can stand in a prompt
# and be the name of a folder.
LONGEST_ASSET_NAME = 64
_ASSET_NAME = re.compile(r"\w[\w-]*")


def sides_of(ratio: str) -> tuple[int, int]:
    """The two numbers of a ratio such as `16:9`."""
    width, height = map(int, ratio.split(":"))
    return width, height


def is_asset_name(text: str) -> bool:
    """Whether an asset may have this name."""
    return len(text) <= LONGEST_ASSET_NAME and bool(_ASSET_NAME.fullmatch(text))


def names_assets(prompt: object) -> bool:
    """Whether a prompt names an asset (`@Asset:NAME`)."""
    return isinstance(prompt, str) and "@asset:" in prompt.lower()


@dataclass(frozen=True, eq=False)
class NamedAsset:
    """What the name of an asset stands for: `files` of this machine, which any provider may take,
    and by provider what its asset library has. `lacking` says by provider why what its library has
    cannot be used now."""

    name: str
    files: tuple[Medium, ...] = ()
    handles: Mapping[str, tuple[Medium, ...]] = field(default_factory=dict)
    lacking: Mapping[str, str] = field(default_factory=dict)

    @property
    def digests(self) -> list[str]:
        """What it is made of: its files; without any, what the libraries have."""
        libraries = (medium for media in self.handles.values() for medium in media)
        return [medium.digest for medium in self.files] or sorted(m.digest for m in libraries)


def mode_of(values: Mapping[str, Any]) -> Mode:
    """Which of the six ways to make a video an order with these values is, by its media."""
    if values.get("video"):
        return "extend" if values.get("operation") == "extend" else "edit"
    if values.get("references"):
        return "reference"
    if values.get("last_frame"):
        return "frames"
    return "image" if values.get("first_frame") else "text"


@dataclass(frozen=True, eq=False)
class Order:
    """One video, as asked for. Defaults are those of the nodes; `takes` are separate orders.

    `duration` is whole seconds, -1 lets the model decide. `seed` is 0 .. 2^32 - 1. `references`
    are pictures, clips and sounds in the order in which prompts count them. `video` is the clip
    that `operation` (`edit` or `extend`) works on. `extra` is keyed by provider id. `draft` asks
    for a cheap 480p video that can be made into a final one. `draft_of` is the ticket of such a
    draft: the order is for its final video, and all but `resolution` is the draft's.
    `output_format` is `mp4`, or `mov` for a 4:4:4 master. `assets` are those that the prompt names
    (`@Asset:NAME`); `fit` makes references of them. `project` is a label for whoever adds up what
    was spent; it is no part of what is sent, and the same order in another project is the same.
    """

    prompt: str = ""
    provider: str = "auto"
    model: str = "seedance-2.0"
    resolution: str = "720p"
    ratio: str = "adaptive"
    duration: int = 5
    generate_audio: bool = True
    seed: int = 0
    watermark: bool = False
    camera_fixed: bool = False
    first_frame: Medium | None = None
    last_frame: Medium | None = None
    references: tuple[Medium, ...] = ()
    video: Medium | None = None
    operation: str = "edit"
    keep_audio: bool = False
    on_unsupported: str = "error"
    extra: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: NO_EXTRA)
    draft: bool = False
    draft_of: str = ""
    web_search: bool = False
    output_format: str = "mp4"
    project: str = ""
    assets: tuple[NamedAsset, ...] = ()

    @property
    def mode(self) -> Mode:
        """Which of the six ways to make a video this is; it follows from the media."""
        return mode_of(vars(self))

    def of_kind(self, kind: Kind) -> tuple[Medium, ...]:
        """The references of one kind, in order."""
        return tuple(medium for medium in self.references if medium.kind == kind)

    @property
    def media(self) -> tuple[Medium, ...]:
        """Every medium of the order, in a fixed order."""
        single = (self.first_frame, self.last_frame, self.video)
        return tuple(medium for medium in single if medium is not None) + self.references

    def with_known_seed(self) -> Order:
        """The order with a seed that other programs share, of up to 64 bits, modulo 2^32."""
        within = SEEDS <= self.seed < SEEDS**2
        return replace(self, seed=self.seed % SEEDS) if within else self

    def take(self, number: int) -> Order:
        """The order for take `number` (from 0): the same with seed + number modulo 2^32."""
        return replace(self, seed=(self.seed + number) % SEEDS) if number else self

    def describe(self) -> dict[str, Any]:
        """Plain values for the journal and the sidecar: everything but the bytes of media."""
        record: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Medium):
                value = _medium_record(value)
            elif item.name == "references":
                value = [_medium_record(medium) for medium in value]
            elif item.name == "extra":
                value = plain(value)
            elif item.name == "assets":
                value = [asset.name for asset in value]  # none, once they are references
            record[item.name] = value
        return record


def _medium_record(medium: Medium) -> dict[str, str]:
    record: dict[str, str] = {"kind": medium.kind, "sha256": medium.digest}
    if medium.asset:
        record["asset"] = medium.asset
    if medium.address is not None:
        record["address"] = medium.address.split("?", 1)[0]  # a query may carry a signature
    elif medium.path is not None:
        # A name from an old disk may not be UTF-8, and the journal and sidecars hold nothing else.
        record["name"] = medium.path.name.encode("utf-8", "replace").decode()
    return record


def plain(value: Any) -> Any:
    """A JSON-like value with ordinary dicts and lists, whatever mappings it was made of."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


LARGEST_EXTRA = 64 * 1024  # bytes
DEEPEST_EXTRA = 32


def check_extra(extra: Mapping[str, Any]) -> None:
    """Raise BadOrder for an `extra` that cannot be written as JSON, or is too deep or too large."""
    if not extra:
        return
    layer: list[Any] = [extra]
    texts: list[str] = []
    for _ in range(DEEPEST_EXTRA):
        texts += [each for each in layer if isinstance(each, str)]
        layer = [inner for outer in layer for inner in _inside(outer)]
    if layer or not all(map(_is_readable, texts)):
        raise BadOrder(
            "extra is nested more than {most} deep.",
            hint="Remove what is not needed.",
            most=DEEPEST_EXTRA,
        )
    if not all(isinstance(fields, Mapping) for fields in extra.values()):
        raise BadOrder("extra is not keyed by provider id.", hint=_EXTRA_HINT)
    try:
        text = json.dumps(plain(extra), ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (TypeError, ValueError):
        raise BadOrder(
            "extra holds what JSON does not have: NaN, Infinity, half a character, or an object "
            "of another kind.",
            hint="Correct it in extra.",
        ) from None
    if size > LARGEST_EXTRA:
        raise BadOrder(
            "extra is larger than {most} KiB.", hint="Shorten it.", most=LARGEST_EXTRA >> 10
        )


def _is_readable(text: str) -> bool:
    try:
        json_in(text)
    except RecursionError:
        return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, (list, tuple)) else ()


_EXTRA_HINT = say('It is keyed by provider id, like {"leonardo": {"public": true}}.')


def read_extra(text: str, name: str = "extra") -> dict[str, dict[str, Any]]:
    """`extra` from the text that a person writes; empty text is no extra. `name` is what the person
    calls it, for errors.

    Raises BadOrder if it is no JSON object of objects.
    """
    if not text.strip():
        return {}
    try:
        extra = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadOrder(
            "{name} is not JSON: {error}.", hint=_EXTRA_HINT, name=name, error=error
        ) from error
    if not isinstance(extra, dict) or not all(isinstance(item, dict) for item in extra.values()):
        raise BadOrder(
            "{name} is not a JSON object keyed by provider id.", hint=_EXTRA_HINT, name=name
        )
    return extra


# ------------------------------------------------------------------------------ the fingerprint

FINGERPRINT_VERSION = 1
_NOT_PART = {"provider", "on_unsupported", "extra", "project"}
_DEFAULTS = Order()


def fingerprint(order: Order, *, model_id: str | None = None) -> str:
    """The identity of an order that was fitted to `order.provider`, as 64 hex digits.

    Two orders with the same fingerprint would buy the same video twice. Only fields that differ
    from their default are part of it, so that a field added later leaves old fingerprints alone;
    of `extra` only what is addressed to the provider. `model_id` is the user's replacement for the
    provider's model id, if there is one.
    """
    record = _identity(order)
    record["provider"] = order.provider
    if model_id and not order.draft_of:
        record["model_id"] = model_id
    if mine := order.extra.get(order.provider):
        record["extra"] = plain(mine)
    return _hash(record)


def asked_fingerprint(order: Order) -> str:
    """The identity of an order as it was asked, whichever provider serves it (for `auto`)."""
    record = _identity(order)
    if order.extra:
        record["extra"] = plain(order.extra)
    return _hash(record)


def _identity(order: Order) -> dict[str, Any]:
    record: dict[str, Any] = {"version": FINGERPRINT_VERSION, "model": order.model}
    if order.draft_of:
        # Whatever else is known of the draft on this machine: the same final is not paid twice.
        return {**record, "draft_of": order.draft_of, "resolution": order.resolution}
    record["seed"] = order.seed
    for item in fields(order):
        value = getattr(order, item.name)
        if item.name in _NOT_PART or value == getattr(_DEFAULTS, item.name):
            continue
        if isinstance(value, Medium):
            value = [value.kind, value.digest]
        elif item.name == "references":
            value = [[medium.kind, medium.digest] for medium in value]
        elif item.name == "assets":
            value = [[asset.name, *asset.digests] for asset in value]
        record[item.name] = value
    return record


def _hash(record: dict[str, Any]) -> str:
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
