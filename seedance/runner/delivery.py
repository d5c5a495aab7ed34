"""Chooses the delivery of each medium of an order: how it reaches the provider. Sends nothing."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .. import hosting, media, providers
from ..addresses import ForbiddenAddress, check_public_url, is_loopback, origin
from ..errors import BadOrder
from ..fit import DoesNotFit
from ..order import ASSET, Kind, Medium, Order, sides_of
from ..prompt_names import KIND_WORDS
from ..said import Said, either, listed, say, template
from ..settings import Settings
from ..wire import Delivered, Delivery, MediaLimits, Provider, Size

DELIVERY_WORDS: dict[Delivery, str] = {
    "address": "as the address given",
    "handle": "as the provider's own id",
    "inline": "inline, inside the request",
    "upload": "by the provider's own upload",
    "bucket": "by your bucket",
}

# The part that a medium has in its order, and what a person calls it.
_NAMES: dict[str, str] = {
    "first_frame": template("the first frame"),
    "last_frame": template("the last frame"),
    "video": template("the clip"),
    "image_reference": template("picture {number}"),
    "video_reference": template("clip {number}"),
    "audio_reference": template("sound {number}"),
}


@dataclass(frozen=True)
class Item:
    """One medium of an order and its delivery. `part` is a key of `_NAMES`, `number` counts the
    references of a kind from 1. A first or last frame is fitted to `size`, the exact pixels of the
    video, where they are known, else to `ratio`, such as (16, 9)."""

    medium: Medium
    part: str
    number: int
    delivery: Delivery
    size: Size | None = None
    ratio: Size | None = None

    @property
    def label(self) -> Said:
        """What a person calls it: `the first frame`, `picture 2`."""
        return _label(self.part, self.number)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form: `{medium, number, delivery}`."""
        return {"medium": self.part, "number": self.number, "delivery": self.delivery}

    def __str__(self) -> str:
        return f"{self.label}: {DELIVERY_WORDS[self.delivery]}"


def _label(part: str, number: int) -> Said:
    return say(_NAMES[part], number=number)


@dataclass(frozen=True)
class Deliveries:
    """All media of an order with their deliveries."""

    first_frame: Item | None
    last_frame: Item | None
    video: Item | None
    references: tuple[Item, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        """Every item, in a fixed order."""
        single = (self.first_frame, self.last_frame, self.video)
        return tuple(item for item in single if item is not None) + self.references

    def delivered(self, find: Callable[[Item], str]) -> Delivered:
        """The media, each by the address or id that `find` gives for its item."""

        def one(item: Item | None) -> str | None:
            return find(item) if item is not None else None

        def several(kind: Kind) -> tuple[str, ...]:
            return tuple(find(item) for item in self.references if item.medium.kind == kind)

        return Delivered(
            first_frame=one(self.first_frame),
            last_frame=one(self.last_frame),
            video=one(self.video),
            images=several("image"),
            videos=several("video"),
            audios=several("audio"),
        )


def choose_deliveries(order: Order, provider: Provider, settings: Settings) -> Deliveries:
    """Choose the delivery of each medium. Raises BadOrder where there is none, saying what to
    set."""
    size, ratio = _frame_size(order, provider), None
    if order.ratio != "adaptive":
        ratio = sides_of(order.ratio)

    def item(part: str, number: int, medium: Medium) -> Item:
        delivery = _delivery(medium, _label(part, number), provider, settings)
        is_frame = part in ("first_frame", "last_frame")
        return Item(medium, part, number, delivery, *((size, ratio) if is_frame else ()))

    items = [item(*each) for each in _parts(order)]
    single = {each.part: each for each in items}
    return Deliveries(
        single.get("first_frame"),
        single.get("last_frame"),
        single.get("video"),
        tuple(each for each in items if each.part.endswith("_reference")),
    )


def _frame_size(order: Order, provider: Provider) -> Size | None:
    """The pixels that first and last frames are fitted to, None where they are sent as they are."""
    model = provider.model(order)
    sizes = model.sizes.get(order.resolution, {})
    if order.ratio != "adaptive":
        return sizes.get(order.ratio)
    first = order.first_frame
    offered = [sizes[ratio] for ratio in model.ratios if ratio in sizes]
    if not model.exact_frames or not offered or first is None or not _at_hand(first):
        return None
    width, height = media.measure(first).size or (1, 1)
    shape = math.log(width / height)
    return min(offered, key=lambda size: abs(math.log(size[0] / size[1]) - shape))


def _parts(order: Order) -> Iterator[tuple[str, int, Medium]]:
    """Each medium of an order, with what it is there and its number among references of its
    kind."""
    for part in ("first_frame", "last_frame", "video"):
        if (medium := getattr(order, part)) is not None:
            yield part, 1, medium
    counts: dict[Kind, int] = {"image": 0, "video": 0, "audio": 0}
    for medium in order.references:
        counts[medium.kind] += 1
        yield f"{medium.kind}_reference", counts[medium.kind], medium


def _delivery(medium: Medium, label: Said, provider: Provider, settings: Settings) -> Delivery:
    possible = provider.delivery(medium.kind)
    address = medium.address
    if address is not None and not _is_web(address):
        return _handle_delivery(address, medium, label, provider)
    if address is not None:
        _check_public(address, label, provider.config.base_url)
        if "address" in possible:
            return "address"
    for each in possible:
        if each in ("inline", "upload"):
            return each
        if each == "address" and hosting.configured(settings):
            check_bucket(provider.name, provider.config.base_url, settings)
            return "bucket"
    raise DoesNotFit(
        "{provider} takes {kind} only by a public address, and {label} is a file.",
        hint="Give an https address instead, or set up your own S3-compatible bucket: "
        "SEEDANCE_S3_BUCKET, SEEDANCE_S3_ENDPOINT, SEEDANCE_S3_ACCESS_KEY_ID and "
        "SEEDANCE_S3_SECRET_ACCESS_KEY (see the README).",
        provider=provider.name,
        kind=KIND_WORDS[medium.kind],
        label=label,
    )


def check_addresses(order: Order, settings: Settings) -> None:
    """Raise BadOrder, naming the medium, for an address that the order's provider must not be asked
    to fetch."""
    for part, number, medium in _parts(order):
        if medium.address is not None and _is_web(medium.address):
            base_url = settings.access(order.provider).config.base_url
            _check_public(medium.address, _label(part, number), base_url)


def _is_web(address: str) -> bool:
    return re.match(r"https?://", address, re.IGNORECASE) is not None


def _check_public(address: str, label: Said, base_url: str) -> None:
    if origin(address) == origin(base_url):
        return  # the user's own gateway can read addresses of its own, public or not
    try:
        check_public_url(address)
    except ForbiddenAddress as error:
        raise BadOrder(
            "{label}: {said}",
            hint="Give an https address that anybody can reach, or connect the file itself.",
            label=label.capital(),
            said=error.message,
        ) from None


def check_bucket(reader: str, at: str, settings: Settings) -> None:
    """Raise BadOrder for a bucket that a provider of the name `reader`, at the address `at`, cannot
    reach: the order would fail after it was paid."""
    endpoint = hosting.endpoint(settings)
    if endpoint is None or is_loopback(at):
        return
    try:
        check_public_url(endpoint)
    except ForbiddenAddress as error:
        raise BadOrder(
            "{provider} cannot read from your bucket: {said}",
            hint="Set SEEDANCE_S3_ENDPOINT to a service that can be reached by https from "
            "everywhere.",
            provider=reader,
            said=error.message,
        ) from None


def _handle_delivery(address: str, medium: Medium, label: Said, provider: Provider) -> Delivery:
    if address.startswith(ASSET):
        if provider.can("assets") and medium.library in ("", provider.id):
            return "handle"
        libraries = [medium.library] if medium.library else providers.WITH_ASSETS
        raise DoesNotFit(
            "{label} is {address}, an asset in the library of {libraries}; {provider} cannot take "
            "it.",
            hint="Choose the provider {libraries}, or give a picture or an https address.",
            label=label.capital(),
            address=repr(address[:60]),
            libraries=either(libraries),
            provider=provider.name,
        )
    owner = address.partition(":")[0]
    if owner != provider.id or "handle" not in provider.delivery(medium.kind):
        raise DoesNotFit(
            "{label} is {address}, which only {owner} knows.",
            hint="Choose the provider {owner}, or give a picture or an https address.",
            label=label.capital(),
            address=repr(address[:60]),
            owner=owner,
        )
    return "handle"


def stand_in(provider: Provider, item: Item) -> str:
    """The text that stands for a medium in a payload that is shown before anything is sent."""
    name = item.label.replace(" ", "-")
    if item.delivery in ("address", "handle"):
        return item.medium.address or ""
    if item.delivery == "inline":
        return f"data:({name}, inline)"
    if "address" in provider.delivery(item.medium.kind):
        return f"https://upload.invalid/{name}"
    return f"{provider.id}:UPLOADED:{name}"


# ---------------------------------------------------------------------------------------- measuring

SLACK_SECONDS = 0.05


def check_readable(order: Order) -> None:
    """Raise BadOrder, naming the medium, for one that cannot be read: no provider could take it."""
    for part, number, medium in _parts(order):
        if _at_hand(medium):
            with _named(_label(part, number)):
                media.measure(medium)


def check_measures(deliveries: Deliveries, order: Order, provider: Provider) -> None:
    """Raise DoesNotFit for a medium that the provider does not take, and for clips or sounds that
    are too long or too short together."""
    nearest = order.on_unsupported == "nearest"
    for item in deliveries.items:
        if _at_hand(item.medium):
            limits = limits_of(provider, order, item.medium.kind)
            with _named(item.label):
                measured = media.measure(item.medium)
                media.check_fits(
                    measured, limits, size=item.size, ratio=item.ratio, nearest=nearest
                )
    for kind in ("video", "audio"):
        limits = limits_of(provider, order, kind)
        bounds = limits.total_seconds
        ours = [
            (item.label, media.measure(item.medium).seconds or 0.0)
            for item in deliveries.items
            if item.medium.kind == kind and _at_hand(item.medium)
        ]
        if bounds is not None and ours:
            total = sum(seconds for _, seconds in ours)
            below, above = (max(SLACK_SECONDS, some) for some in limits.tolerance)
            high = float("inf") if nearest else bounds[1]
            if not bounds[0] - below <= total <= high + above:
                raise wrong_total(kind, ours, bounds, provider)


def clip_seconds(order: Order, provider: Provider) -> float | None:
    """How long the clips of an order are together, as they will be sent; 0 without any, None where
    one of them is not at hand."""
    clips = [medium for medium in order.media if medium.kind == "video"]
    if not all(map(_at_hand, clips)):
        return None
    total = sum(media.measure(clip).seconds or 0.0 for clip in clips)
    bounds = limits_of(provider, order, "video").total_seconds
    return min(total, bounds[1]) if bounds else total


CROP_SAID = 0.05  # of a frame; a smaller crop is not worth a word


def media_notes(deliveries: Deliveries, order: Order, provider: Provider) -> tuple[Said, ...]:
    """What is not used of the media, a sentence each. The media are measured already."""
    return tuple(
        say("{label}: {said}", label=item.label.capital(), said=note)
        for item in deliveries.items
        if _at_hand(item.medium)
        for note in notes_of(item, item.medium, limits_of(provider, order, item.medium.kind))
    )


def notes_of(item: Item, medium: Medium, limits: MediaLimits) -> Iterator[Said]:
    """The sentences about one medium, which is that of the item or was fetched for it."""
    measured = media.measure(medium)
    if measured.note:
        yield measured.note
    pixels = measured.size[0] * measured.size[1] if measured.size else None
    if pixels and pixels < (limits.doubtful_pixels or 0):
        yield say(
            "It has {pixels} pixels; by another document {least} are the least, so that it may be "
            "refused.",
            pixels=f"{pixels:,}",
            least=f"{limits.doubtful_pixels:,}",
        )
    if measured.size is not None and (item.size or item.ratio):
        width, height = measured.size
        across, down = media.fitted_size(measured, limits, item.size, item.ratio)
        kept = min(width * down, height * across) / max(width * down, height * across)
        if 1 - kept > CROP_SAID:
            beside = width * down > height * across
            yield say(
                "It is {size}; {part} of it, at its {sides}, is cut off to fit the ratio.",
                size=f"{width}x{height}",
                part=f"{1 - kept:.0%}",
                sides=say("left and right") if beside else say("top and bottom"),
            )


def limits_of(provider: Provider, order: Order, kind: Kind) -> MediaLimits:
    """What the provider takes of a kind of medium, for the order's model and mode."""
    return provider.limits.of(kind, order.model, order.mode, order.resolution) or MediaLimits(())


def wrong_total(
    kind: Kind, ours: Sequence[tuple[Said, float]], bounds: tuple[float, float], provider: Provider
) -> DoesNotFit:
    """The error for clips or sounds (label, seconds) that are not within `bounds` together."""
    total = sum(seconds for _, seconds in ours)
    named = [
        say("{label} ({seconds} s)", label=label, seconds=f"{seconds:.1f}")
        for label, seconds in ours
    ]
    return DoesNotFit(
        "{named} are {total} s long together: {provider} takes {low} to {high} s of {kind} in all."
        if len(ours) > 1
        else "{named} does not fit: {provider} takes {low} to {high} s of {kind} in all.",
        hint="Set on_unsupported to nearest to have them shortened, or change them yourself."
        if total > bounds[1]
        else "Use longer ones.",
        named=listed(named).capital(),
        total=f"{total:.1f}",
        provider=provider.name,
        low=f"{bounds[0]:g}",
        high=f"{bounds[1]:g}",
        kind=KIND_WORDS[kind],
    )


def _at_hand(medium: Medium) -> bool:
    return medium.address is None and not medium.unknown


@contextlib.contextmanager
def _named(label: Said) -> Iterator[None]:
    """Say of which medium an error is."""
    try:
        yield
    except BadOrder as error:
        raise DoesNotFit(
            "{label}: {said}", hint=error.hint, label=label.capital(), said=error.message
        ) from error
