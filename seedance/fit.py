"""An order and a provider's limits in; what will be sent and what had to change out.

One generic function over `wire.Limits`, the same for every provider. Owns the comparison, the
sentences about it, and the spelling of prompt handles. Does no I/O: media are only counted here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Union

from .errors import BadOrder
from .order import (
    LONGEST_PROJECT,
    MODE_WORDS,
    MODELS,
    OPERATIONS,
    OUTPUT_FORMATS,
    RATIOS,
    RESOLUTIONS,
    SEEDS,
    Kind,
    Medium,
    Order,
    check_extra,
)
from .providers import ids, registry
from .texts import LONGEST_PROMPT, counted, did_you_mean, number_in_words, quoted
from .wire import UNDOCUMENTED, ModelLimits, Provider

# A provider as it is everywhere, or as it is configured here.
AnyProvider = Union[type[Provider], Provider]

KIND_WORDS: dict[Kind, str] = {"image": "pictures", "video": "clips", "audio": "sounds"}
MOST_REFERENCES = 100  # no provider takes half of that


DRAFT_RESOLUTION = "480p"


class DoesNotFit(BadOrder):
    """One provider cannot take the order as it is; another may."""


@dataclass(frozen=True)
class Change:
    """One thing that is sent other than asked: `field`, `asked`, `given`, and `why` in words."""

    field: str
    asked: Any
    given: Any
    why: str

    def as_dict(self) -> dict[str, Any]:
        """The JSON form: `{field, asked, given, why}`."""
        return {"field": self.field, "asked": self.asked, "given": self.given, "why": self.why}

    def __str__(self) -> str:
        return f"{self.field}: {self.asked} became {self.given} ({self.why})"


@dataclass(frozen=True)
class Fit:
    """A fitted order (its `provider` set, its prompt still as written), the changes that alter the
    picture or the sound, and notes about what does not."""

    order: Order
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()


def fit(order: Order, provider: AnyProvider) -> Fit:
    """Fit `order` to `provider`.

    With `on_unsupported="error"` any change raises DoesNotFit, naming what would work; with
    `"nearest"` the nearest supported value is taken. What has no nearest value (a mode, a reference
    too many, a prompt too long) always raises it.
    """
    order = _with_references(order, provider)
    check_words(order)
    if order.draft_of:
        return _fit_final(order, provider)
    check_handles(order)
    asked = order
    model = provider.limits.models.get(order.model)
    changes: list[Change] = []
    notes: list[str] = []
    if model is None:
        model_name = _nearest_model(order.model, provider)
        changes.append(Change("model", order.model, model_name, provider.lacks(order.model)))
        model = provider.limits.models[model_name]
        order = replace(order, model=model_name)
    _check_mode(order, model, provider)
    _check_counts(order, model, provider)
    _check_prompt(order, model, provider)
    values: dict[str, Any] = {"provider": provider.id}
    if order.draft and order.mode in model.drafts:
        values["resolution"] = DRAFT_RESOLUTION  # asked for by `draft`, so that it is no change
        order = replace(order, resolution=DRAFT_RESOLUTION)
    for change in _value_changes(order, model, provider):
        changes.append(change)
        values[change.field] = change.given
    if order.seed and not model.seed:
        notes.append(f"{provider.name} takes no seed; it still makes this order a different one.")
    notes += [note for kind, note in model.notes.items() if order.of_kind(kind)]
    notes += _notes_on_the_model(order, model, provider)
    if changes and order.on_unsupported == "error":
        raise unsupported(asked, changes, provider)
    return Fit(replace(order, **values), tuple(changes), tuple(notes))


def _fit_final(order: Order, provider: AnyProvider) -> Fit:
    """The order for the final video of a draft: only its resolution is the order's own."""
    if order.draft_of.partition(":")[0] != provider.id:
        raise DoesNotFit(f"{provider.name} did not make the draft {order.draft_of}.")
    if isinstance(provider, Provider):
        finals = provider.finals(order.model)
    else:
        model = provider.limits.models.get(order.model)
        finals = model.finals if model else ()
    if not finals:
        raise DoesNotFit(f"{provider.name} finishes no drafts of {order.model}.")
    changes = []
    if order.resolution not in finals:
        given = _nearest_resolution(order.resolution, finals)
        why = f"{provider.name} finishes a draft in {', '.join(finals)}"
        changes.append(Change("resolution", order.resolution, given, why))
        if order.on_unsupported == "error":
            raise unsupported(order, changes, provider)
        order = replace(order, resolution=given)
    return Fit(replace(order, provider=provider.id), tuple(changes))


def _with_references(order: Order, provider: AnyProvider) -> Order:
    """The order with its assets among its references, as `provider` can take them: from its own
    library where that has them, else as files."""
    if not order.assets:
        return order
    media: list[Medium] = []
    for asset in order.assets:
        found = asset.handles.get(provider.id, ())
        if not found and (why := asset.lacking.get(provider.id)):
            raise DoesNotFit(
                f"The asset {asset.name} {why} in the library of {provider.name}.",
                hint="Wait until it is active, or add it again.",
            )
        if not found and not asset.files:
            libraries = ", ".join(asset.handles) or "no library, as an active one"
            raise DoesNotFit(
                f"{provider.name} cannot take the asset {asset.name}: it is in {libraries} only.",
                hint="Choose that provider, or add the files to this machine, for any provider: "
                f"seedance asset add FILE --name {asset.name} --provider any.",
            )
        media += found or asset.files
    return replace(order, references=(*order.references, *media), assets=())


_ASSET = re.compile(r"(?<![\w@])@asset:(\w[\w-]*)", re.IGNORECASE)


def asset_names(prompt: str, known: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """The assets that a prompt names, each as it is written there and as it is known; None for one
    that is not known."""
    names = list(known)
    for match in _ASSET.finditer(prompt):
        yield match[1], _known_asset(match[1], names)[0]


def _known_asset(written: str, known: Sequence[str]) -> tuple[str | None, int]:
    """The known name that a text begins with, and how many of its letters that is. Scripts without
    blanks go on after a name; all others end it with something that is no letter."""
    by_form = {name.casefold(): name for name in known}
    for length in range(len(written), 0, -1):
        name = by_form.get(unicodedata.normalize("NFC", written[:length]).casefold())
        if name is not None and (length == len(written) or _ends_at(written, length)):
            return name, length
    return None, 0


def _ends_at(text: str, at: int) -> bool:
    wide = any(unicodedata.east_asian_width(each) in "WF" for each in text[at - 1 : at + 1])
    return wide or text[at] == "-"


def _with_numbers(order: Order) -> str:
    """The prompt with `@Image1` and so on in place of the names of assets."""
    counts: dict[Kind, int] = {"image": 0, "video": int(order.video is not None), "audio": 0}
    numbers: dict[str, list[str]] = {}
    for medium in order.references:
        counts[medium.kind] += 1
        if medium.asset:
            number = f"@{medium.kind.capitalize()}{counts[medium.kind]}"
            numbers.setdefault(medium.asset, []).append(number)

    def number_of(match: re.Match[str]) -> str:
        name, length = _known_asset(match[1], list(numbers))
        return ", ".join(numbers[name]) + match[1][length:] if name is not None else match[0]

    return _ASSET.sub(number_of, order.prompt) if numbers else order.prompt


def spelled(order: Order, provider: AnyProvider) -> Order:
    """The order with `@Image1`, `@Video1`, `@Audio1`, and the names of its assets, in the
    provider's own spelling."""

    def spell(match: re.Match[str]) -> str:
        kind: Kind = match[1].lower()  # type: ignore[assignment]
        return provider.limits.spelling[kind].replace("{n}", match[2])

    return replace(order, prompt=_HANDLE.sub(spell, _with_numbers(order)))


# ------------------------------------------------------------------ what is wrong at any provider

_HANDLE = re.compile(r"(?<![\w@])@(image|video|audio)([1-9]\d?)(?!\d)", re.IGNORECASE)


def check_words(order: Order) -> None:
    """Raise BadOrder for values that no provider has, and for media that exclude each other."""
    check_extra(order.extra)
    for name in order.extra:
        if name not in registry():
            raise BadOrder(
                f"extra has fields for {quoted(name)}, which is no provider.",
                hint=f"{did_you_mean(name, ids())}{_one_of(ids())}",
            )
    if len(order.prompt) > LONGEST_PROMPT:
        raise BadOrder(
            f"The prompt has {len(order.prompt)} letters.",
            hint=f"No provider takes as many; use at most {LONGEST_PROMPT}.",
        )
    if re.search("[\ud800-\udfff]", order.prompt):
        raise BadOrder(
            "The prompt holds half a character (a lone surrogate).",
            hint="Type it again; it is often half of an emoji that was cut in two.",
        )
    for name, value, known in (
        ("model", order.model, MODELS),
        ("resolution", order.resolution, RESOLUTIONS),
        ("ratio", order.ratio, RATIOS),
        ("operation", order.operation, OPERATIONS),
        ("output_format", order.output_format, OUTPUT_FORMATS),
        ("on_unsupported", order.on_unsupported, ("error", "nearest")),
    ):
        if value not in known:
            near = did_you_mean(str(value), known)
            raise BadOrder(f"There is no {name} {quoted(value)}.", hint=near + _one_of(known))
    if order.duration != -1 and not 1 <= order.duration <= 60:
        raise BadOrder(
            f"A duration of {number_in_words(order.duration)} s is not possible.",
            hint="Use 4 to 30 seconds, or -1 to let the model decide.",
        )
    if len(order.project) > LONGEST_PROJECT or not order.project.isprintable():
        raise BadOrder(
            f"{quoted(order.project)} cannot be the name of a project.",
            hint=f"Use at most {LONGEST_PROJECT} letters, without line breaks.",
        )
    if not 0 <= order.seed < SEEDS:
        raise BadOrder(
            f"The seed {number_in_words(order.seed)} is out of range.",
            hint=f"Use 0 to {SEEDS - 1}. (One of up to 64 bits is taken modulo 2^32; none below 0 "
            "stands for a random one.)",
        )
    if len(order.references) > MOST_REFERENCES:
        raise BadOrder(
            f"The order has {len(order.references)} references.",
            hint=f"No provider takes as many; use at most {MOST_REFERENCES}.",
        )
    frames = order.first_frame is not None or order.last_frame is not None
    if order.last_frame is not None and order.first_frame is None:
        raise BadOrder("There is a last frame without a first.", hint="Give a first frame too.")
    if frames and order.references:
        raise BadOrder(
            "First and last frames exclude references"
            + (", and so assets that the prompt names." if _any_asset(order) else "."),
            hint="Use either frames or references; a picture can be named @Image1 as a reference.",
        )
    if order.video is not None and frames:
        raise BadOrder("A clip to work on excludes first and last frames.", hint="Remove one.")


def _any_asset(order: Order) -> bool:
    return any(medium.asset for medium in order.references)


def check_handles(order: Order) -> None:
    """Raise BadOrder if the prompt names a reference that is not there. The media of a final video
    are those of its draft."""
    if order.draft_of:
        return
    frames = sum(medium is not None for medium in (order.first_frame, order.last_frame))
    have: dict[str, int] = {
        "image": len(order.of_kind("image")) + frames,
        "video": len(order.of_kind("video")) + (order.video is not None),
        "audio": len(order.of_kind("audio")),
    }
    for match in _HANDLE.finditer(order.prompt):
        kind = match[1].lower()
        if int(match[2]) > have[kind]:
            there = counted(have[kind], KIND_WORDS[kind])  # type: ignore[index]
            raise BadOrder(
                f"The prompt names {match[0]}, but the order has {there}.",
                hint="Connect it, or change the prompt; pictures are counted, not sockets.",
            )


# --------------------------------------------------------------------- what is wrong at this one


def _check_mode(order: Order, model: ModelLimits, provider: AnyProvider) -> None:
    if order.mode not in model.modes:
        can = ", ".join(MODE_WORDS[mode] for mode in MODE_WORDS if mode in model.modes)
        raise DoesNotFit(
            f"{provider.name} cannot do {MODE_WORDS[order.mode]} with {order.model}.",
            hint=f"It can do: {can}.",
        )


def _check_counts(order: Order, model: ModelLimits, provider: AnyProvider) -> None:
    for kind, limit in model.counts(order.mode).items():
        count = len(order.of_kind(kind))
        if count > limit:
            most = counted(limit, f"reference {KIND_WORDS[kind]}")
            raise DoesNotFit(
                f"{provider.name} takes at most {most}, not {count}."
                if limit
                else f"{provider.name} takes {most}.",
                hint=f"Remove {count - limit}.",
            )
    if model.total is not None and len(order.references) > model.total:
        raise DoesNotFit(
            f"{provider.name} takes at most {counted(model.total, 'references')} in all, "
            f"not {len(order.references)}.",
            hint=f"Remove {len(order.references) - model.total}.",
        )
    only_sounds = order.references and all(m.kind == "audio" for m in order.references)
    if only_sounds and order.video is None and not model.audio_alone:
        raise DoesNotFit(
            f"{provider.name} takes a sound only together with a picture or a clip.",
            hint="Connect a reference picture or clip too.",
        )


def _check_prompt(order: Order, model: ModelLimits, provider: AnyProvider) -> None:
    if not order.prompt.strip() and order.mode not in model.prompt_optional:
        raise DoesNotFit(
            "The prompt is empty.", hint=f"{provider.name} needs one for {MODE_WORDS[order.mode]}."
        )
    length = len(spelled(order, provider).prompt)
    if model.prompt_max is not None and length > model.prompt_max:
        raise DoesNotFit(
            f"The prompt has {length} characters; {provider.name} takes {model.prompt_max}.",
            hint="Shorten it.",
        )


def _value_changes(order: Order, model: ModelLimits, provider: AnyProvider) -> Iterable[Change]:
    who = provider.name
    if order.draft and order.mode not in model.drafts:
        why = f"{who} documents no drafts for {MODE_WORDS[order.mode]} with {order.model}"
        yield Change("draft", True, False, why)
        cheap = _nearest_resolution(DRAFT_RESOLUTION, model.resolutions)
        if order.resolution != cheap:
            yield Change("resolution", order.resolution, cheap, "as near to a draft as there is")
            order = replace(order, resolution=cheap)
    if order.resolution not in model.resolutions:
        given = _nearest_resolution(order.resolution, model.resolutions)
        yield Change("resolution", order.resolution, given, _offers(who, model.resolutions, order))
        order = replace(order, resolution=given)
    adaptive = order.mode in model.adaptive
    if order.ratio == "adaptive" and not adaptive:
        given = "16:9" if "16:9" in model.ratios else model.ratios[0]
        why = f"{who} cannot follow the source's ratio in {MODE_WORDS[order.mode]} mode"
        yield Change("ratio", "adaptive", given, f"{why}; it offers {', '.join(model.ratios)}")
    elif order.ratio != "adaptive" and order.ratio not in _ratios(order, model):
        known = _ratios(order, model)
        given = _nearest_ratio(order.ratio, known) if known else "adaptive"
        offered = [*known, *(["adaptive"] if adaptive else [])]
        yield Change("ratio", order.ratio, given, _offers(who, offered, order))
    low, high = model.durations
    if order.mode in model.source_duration:
        if order.duration != -1:
            why = f"{who} takes the length from the clip in {MODE_WORDS[order.mode]} mode"
            yield Change("duration", order.duration, -1, why)
    elif order.duration == -1 and not model.auto_duration:
        given_duration = min(max(5, low), high)
        yield Change("duration", -1, given_duration, f"{who} needs a duration of {low} to {high} s")
    elif order.duration != -1 and not low <= order.duration <= high:
        given_duration = low if order.duration < low else high
        yield Change("duration", order.duration, given_duration, f"{who} offers {low} to {high} s")
    if order.generate_audio and not model.generates_audio:
        yield Change("generate_audio", True, False, f"{who} makes no sound with {order.model}")
    if order.web_search and order.mode not in model.web_search:
        why = f"{who} documents no web search for {MODE_WORDS[order.mode]} with {order.model}"
        yield Change("web_search", True, False, why)
    if order.output_format not in model.formats:
        yield Change(
            "output_format", order.output_format, "mp4", _offers(who, model.formats, order)
        )
    for name, able in (
        ("watermark", model.watermark),
        ("camera_fixed", model.camera_fixed),
        ("keep_audio", model.keeps_audio),
    ):
        if getattr(order, name) and not able:
            yield Change(name, True, False, f"{who} has no such switch")


def _notes_on_the_model(order: Order, model: ModelLimits, provider: AnyProvider) -> Iterable[str]:
    """How far what is sent rests on documents."""
    if UNDOCUMENTED in model.sources:
        yield (
            f"No document of {provider.name} has {order.model}: it is sent under the id that "
            f"SEEDANCE_{provider.id.upper()}_MODELS names, and {provider.name} decides."
        )
    elif model.reported:
        yield f"What {order.model} can do at {provider.name} is reported, not documented."
    if order.mode in model.by_prompt:
        yield (
            f"{provider.name} has no field for {MODE_WORDS[order.mode]} with {order.model}: the "
            "clip is a reference and the prompt must say what to do with it. That is not "
            "guaranteed."
        )
    if order.mode == "extend" and model.extends_apart:
        yield "The video is the new part only: join it to the clip."


def _ratios(order: Order, model: ModelLimits) -> tuple[str, ...]:
    """The ratios that have a size at the order's resolution, where sizes are given at all; none
    where only the source's is possible."""
    if order.mode in model.source_ratio:
        return ()
    sizes = model.sizes.get(order.resolution)
    return tuple(r for r in model.ratios if not sizes or r in sizes)


def _offers(who: str, values: Sequence[str], order: Order) -> str:
    return f"{who} offers {', '.join(values)} with {order.model}"


def _nearest_resolution(asked: str, offered: Sequence[str]) -> str:
    rank = RESOLUTIONS.index
    return min(offered, key=lambda value: (abs(rank(value) - rank(asked)), rank(value)))


def _nearest_ratio(asked: str, offered: Sequence[str]) -> str:
    def shape(ratio: str) -> float:
        width, height = ratio.split(":")
        return float(width) / float(height)

    def rank(value: str) -> tuple[float, bool]:
        factor = shape(value) / target
        # 4:3 is as far from 16:9 as from 1:1: then wide stays wide, and tall tall.
        return round(max(factor, 1 / factor), 6), (shape(value) > 1) != (target > 1)

    target = shape(asked)
    return min(offered, key=rank)


def _nearest_model(asked: str, provider: AnyProvider) -> str:
    offered = provider.limits.models
    if not offered:
        raise DoesNotFit(
            f"{provider.lacks(asked)}, nor for any other model.",
            hint=f'Name those that it has: SEEDANCE_{provider.id.upper()}_MODELS={{"{asked}": '
            '"its id there"}, or in the settings.',
        )
    # The nearest of a family that only gets smaller: 2.5 -> 2.0, mini -> fast -> 2.0.
    rank = [
        "seedance-2.5",
        "seedance-2.5-flash",
        "seedance-2.0",
        "seedance-2.0-fast",
        "seedance-2.0-mini",
    ].index
    return min(offered, key=lambda name: (abs(rank(name) - rank(asked)), rank(name)))


def unsupported(asked: Order, changes: Sequence[Change], provider: AnyProvider) -> DoesNotFit:
    """The error for an order that `provider` could only take with `changes`."""
    what = "; ".join(f"{change.field} {change.asked} ({change.why})" for change in changes)
    use = ", ".join(f"{change.field} {change.given}" for change in changes)
    return DoesNotFit(
        f"{provider.name} does not support {what}.",
        hint=f"Use {use}, or set on_unsupported to nearest.",
    )


def _one_of(values: Sequence[str]) -> str:
    return f"Use one of: {', '.join(values)}."
