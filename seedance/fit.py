"""An order and a provider's limits in; what will be sent and what had to change out.

One generic function over `wire.Limits`, the same for every provider. Owns the comparison and
the sentences about it. Does no I/O: media are only counted here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, replace
from typing import Any

from .errors import BadOrder
from .order import (
    LONGEST_PROJECT,
    MODE_WORDS,
    MODELS,
    ON_UNSUPPORTED,
    OPERATIONS,
    OUTPUT_FORMATS,
    RATIOS,
    RESOLUTIONS,
    SEEDS,
    Medium,
    Order,
    check_extra,
    sides_of,
)
from .prompt_names import KIND_WORDS, ONE_WORDS, AnyProvider, check_handles, spelled
from .providers import ids, registry
from .said import Said, both, clauses, said_of, say
from .texts import LONGEST_PROMPT, nearest, number_in_words, quoted
from .wire import UNDOCUMENTED, ModelLimits, Provider

# The fields of an order that may change, and those of their values that are words.
FIELD_WORDS: Mapping[str, Said] = {
    "model": say("model"),
    "resolution": say("resolution"),
    "ratio": say("ratio"),
    "duration": say("duration"),
    "generate_audio": say("generate_audio"),
    "web_search": say("web_search"),
    "output_format": say("output_format"),
    "watermark": say("watermark"),
    "camera_fixed": say("camera_fixed"),
    "keep_audio": say("keep_audio"),
    "draft": say("draft"),
    "operation": say("operation"),
    "on_unsupported": say("on_unsupported"),
}
VALUE_WORDS: Mapping[str, Said] = {"adaptive": say("adaptive")}
MOST_REFERENCES = 100  # no provider takes half of that

DRAFT_RESOLUTION = "480p"


class DoesNotFit(BadOrder):
    """One provider cannot take the order as it is; another may."""


PARTS = ("field", "asked", "given", "why")  # of a change


@dataclass(frozen=True)
class Change:
    """One thing that is sent other than asked: `field` (of the order, or a medium in words),
    `asked`, `given`, and `why` in words."""

    field: str
    asked: Any
    given: Any
    why: Said
    code: InitVar[str] = ""  # of a record by `as_dict`
    values: InitVar[Mapping[str, Any] | None] = None

    def __post_init__(self, _: str, values: Mapping[str, Any] | None) -> None:
        for name, part in said_of("", "", values).values.items():
            if name in PARTS and isinstance(part, Said):
                object.__setattr__(self, name, part)

    @property
    def said(self) -> Said:
        """The whole in words."""
        return say(
            "{field}: {asked} became {given} ({why})",
            field=FIELD_WORDS.get(self.field, self.field),
            asked=_in_words(self.asked),
            given=_in_words(self.given),
            why=self.why,
        )

    def as_dict(self) -> dict[str, Any]:
        """The JSON form: `{field, asked, given, why}`, and what the change in words is made of:
        `{code, values}`."""
        said = self.said.as_dict()
        return {
            **{name: _plain(getattr(self, name)) for name in PARTS},
            "code": said["code"],
            "values": said["values"],
        }

    def __str__(self) -> str:
        return str(self.said)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


def _in_words(value: Any) -> Any:
    return VALUE_WORDS.get(value, value) if isinstance(value, str) else value


@dataclass(frozen=True)
class Fit:
    """A fitted order (its `provider` set, its prompt still as written), the changes that alter the
    picture or the sound, and notes about what does not."""

    order: Order
    changes: tuple[Change, ...] = ()
    notes: tuple[Said, ...] = ()


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
    notes: list[Said] = []
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
        notes.append(
            say(
                "{provider} takes no seed; it still makes this order a different one.",
                provider=provider.name,
            )
        )
    notes += [note for kind, note in model.notes.items() if order.of_kind(kind)]
    notes += _notes_on_the_model(order, model, provider)
    if changes and order.on_unsupported == "error":
        raise unsupported(asked, changes, provider)
    return Fit(replace(order, **values), tuple(changes), tuple(notes))


def _fit_final(order: Order, provider: AnyProvider) -> Fit:
    """The order for the final video of a draft: only its resolution is the order's own."""
    if order.draft_of.partition(":")[0] != provider.id:
        raise DoesNotFit(
            "{provider} did not make the draft {draft}.",
            provider=provider.name,
            draft=order.draft_of,
        )
    if isinstance(provider, Provider):
        finals = provider.finals(order.model)
    else:
        model = provider.limits.models.get(order.model)
        finals = model.finals if model else ()
    if not finals:
        raise DoesNotFit(
            "{provider} finishes no drafts of {model}.", provider=provider.name, model=order.model
        )
    changes = []
    if order.resolution not in finals:
        given = _nearest_resolution(order.resolution, finals)
        why = say(
            "{provider} finishes a draft in {resolutions}",
            provider=provider.name,
            resolutions=finals,
        )
        changes.append(Change("resolution", order.resolution, given, why))
        if order.on_unsupported == "error":
            raise without_nearest(unsupported(order, changes, provider))
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
                "The asset {name} {why} in the library of {provider}.",
                hint="Wait until it is active, or add it again.",
                name=asset.name,
                why=why,
                provider=provider.name,
            )
        if not found and not asset.files:
            raise DoesNotFit(
                "{provider} cannot take the asset {name}: it is in {libraries} only."
                if asset.handles
                else "{provider} cannot take the asset {name}: it is in no library, as an active "
                "one only.",
                hint="Choose that provider, or add the files to this machine, for any provider: "
                "seedance asset add FILE --name {name} --provider any.",
                provider=provider.name,
                name=asset.name,
                libraries=list(asset.handles),
            )
        media += found or asset.files
    return replace(order, references=(*order.references, *media), assets=())


# ------------------------------------------------------------------ what is wrong at any provider


def check_words(order: Order) -> None:
    """Raise BadOrder for values that no provider has, and for media that exclude each other."""
    check_extra(order.extra)
    for name in order.extra:
        if name not in registry():
            raise BadOrder(
                "extra has fields for {name}, which is no provider.",
                hint=_choose(name, ids()),
                name=quoted(name),
            )
    if len(order.prompt) > LONGEST_PROMPT:
        raise BadOrder(
            "The prompt has {count} letters.",
            hint="No provider takes as many; use at most {most}.",
            count=len(order.prompt),
            most=LONGEST_PROMPT,
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
        ("on_unsupported", order.on_unsupported, ON_UNSUPPORTED),
    ):
        if value not in known:
            raise BadOrder(
                "There is no {field} {value}.",
                hint=_choose(str(value), known),
                field=FIELD_WORDS[name],
                value=quoted(value),
            )
    if order.duration != -1 and not 1 <= order.duration <= 60:
        raise BadOrder(
            "A duration of {duration} s is not possible.",
            hint="Use 4 to 30 seconds, or -1 to let the model decide.",
            duration=number_in_words(order.duration),
        )
    if len(order.project) > LONGEST_PROJECT or not order.project.isprintable():
        raise BadOrder(
            "{name} cannot be the name of a project.",
            hint="Use at most {most} letters, without line breaks.",
            name=quoted(order.project),
            most=LONGEST_PROJECT,
        )
    if not 0 <= order.seed < SEEDS:
        raise BadOrder(
            "The seed {seed} is out of range.",
            hint="Use 0 to {most}. (One of up to 64 bits is taken modulo 2^32; none "
            "below 0 stands for a random one.)",
            seed=number_in_words(order.seed),
            most=SEEDS - 1,
        )
    if len(order.references) > MOST_REFERENCES:
        raise BadOrder(
            "The order has {count} references.",
            hint="No provider takes as many; use at most {most}.",
            count=len(order.references),
            most=MOST_REFERENCES,
        )
    frames = order.first_frame is not None or order.last_frame is not None
    if order.last_frame is not None and order.first_frame is None:
        raise BadOrder("There is a last frame without a first.", hint="Give a first frame too.")
    if frames and order.references:
        raise BadOrder(
            "First and last frames exclude references, and so assets that the prompt names."
            if any(medium.asset for medium in order.references)
            else "First and last frames exclude references.",
            hint="Use either frames or references; a picture can be named @Image1 as a reference.",
        )
    if order.video is not None and frames:
        raise BadOrder("A clip to work on excludes first and last frames.", hint="Remove one.")


def _choose(value: str, known: Iterable[str]) -> Said:
    """Which values there are, for one that is none of them."""
    near = nearest(value, known)
    return both(
        say("Did you mean {near}?", near=near) if near else "",
        say("Use one of: {known}.", known=list(known)),
    )


# --------------------------------------------------------------------- what is wrong at this one


def _check_mode(order: Order, model: ModelLimits, provider: AnyProvider) -> None:
    if order.mode not in model.modes:
        raise DoesNotFit(
            "{provider} cannot do {mode} with {model}.",
            hint="It can do: {can}.",
            provider=provider.name,
            mode=MODE_WORDS[order.mode],
            model=order.model,
            can=[words for mode, words in MODE_WORDS.items() if mode in model.modes],
        )


def _check_counts(order: Order, model: ModelLimits, provider: AnyProvider) -> None:
    for kind, limit in model.counts(order.mode).items():
        count = len(order.of_kind(kind))
        if count > limit:
            raise DoesNotFit(
                "{provider} takes at most {limit} reference {kind}, not {count}."
                if limit
                else "{provider} takes no reference {kind}.",
                hint="Remove {over}.",
                provider=provider.name,
                limit=limit,
                kind=(ONE_WORDS if limit == 1 else KIND_WORDS)[kind],
                count=count,
                over=count - limit,
            )
    if model.total is not None and len(order.references) > model.total:
        raise DoesNotFit(
            "{provider} takes at most 1 reference in all, not {count}."
            if model.total == 1
            else "{provider} takes at most {limit} references in all, not {count}.",
            hint="Remove {over}.",
            provider=provider.name,
            limit=model.total,
            count=len(order.references),
            over=len(order.references) - model.total,
        )
    only_sounds = order.references and all(m.kind == "audio" for m in order.references)
    if only_sounds and order.video is None and not model.audio_alone:
        raise DoesNotFit(
            "{provider} takes a sound only together with a picture or a clip.",
            hint="Connect a reference picture or clip too.",
            provider=provider.name,
        )


def _check_prompt(order: Order, model: ModelLimits, provider: AnyProvider) -> None:
    if not order.prompt.strip() and order.mode not in model.prompt_optional:
        raise DoesNotFit(
            "The prompt is empty.",
            hint="{provider} needs one for {mode}.",
            provider=provider.name,
            mode=MODE_WORDS[order.mode],
        )
    length = len(spelled(order, provider).prompt)
    if model.prompt_max is not None and length > model.prompt_max:
        raise DoesNotFit(
            "The prompt has {length} characters; {provider} takes {most}.",
            hint="Shorten it.",
            length=length,
            provider=provider.name,
            most=model.prompt_max,
        )


def _value_changes(order: Order, model: ModelLimits, provider: AnyProvider) -> Iterable[Change]:
    named: dict[str, Any] = {"provider": provider.name, "model": order.model}
    mode = MODE_WORDS[order.mode]
    if order.draft and order.mode not in model.drafts:
        why = say("{provider} documents no drafts for {mode} with {model}", mode=mode, **named)
        yield Change("draft", True, False, why)
        cheap = _nearest_resolution(DRAFT_RESOLUTION, model.resolutions)
        if order.resolution != cheap:
            why = say("as near to a draft as there is")
            yield Change("resolution", order.resolution, cheap, why)
            order = replace(order, resolution=cheap)
    if order.resolution not in model.resolutions:
        given = _nearest_resolution(order.resolution, model.resolutions)
        why = _offers(model.resolutions, named)
        yield Change("resolution", order.resolution, given, why)
        order = replace(order, resolution=given)
    adaptive = order.mode in model.adaptive
    if order.ratio == "adaptive" and not adaptive:
        given = "16:9" if "16:9" in model.ratios else model.ratios[0]
        why = say(
            "{provider} cannot follow the source's ratio in {mode} mode; it offers {ratios}",
            mode=mode,
            ratios=model.ratios,
            **named,
        )
        yield Change("ratio", "adaptive", given, why)
    elif order.ratio != "adaptive" and order.ratio not in _ratios(order, model):
        known = _ratios(order, model)
        given = _nearest_ratio(order.ratio, known) if known else "adaptive"
        offered = [*known, *(["adaptive"] if adaptive else [])]
        yield Change("ratio", order.ratio, given, _offers(offered, named))
    low, high = model.durations
    if order.mode in model.source_duration:
        if order.duration != -1:
            why = say(
                "{provider} takes the length from the clip in {mode} mode", mode=mode, **named
            )
            yield Change("duration", order.duration, -1, why)
    elif order.duration == -1 and not model.auto_duration:
        given_duration = min(max(5, low), high)
        why = say("{provider} needs a duration of {low} to {high} s", low=low, high=high, **named)
        yield Change("duration", -1, given_duration, why)
    elif order.duration != -1 and not low <= order.duration <= high:
        given_duration = low if order.duration < low else high
        why = say("{provider} offers {low} to {high} s", low=low, high=high, **named)
        yield Change("duration", order.duration, given_duration, why)
    if order.generate_audio and not model.generates_audio:
        why = say("{provider} makes no sound with {model}", **named)
        yield Change("generate_audio", True, False, why)
    if order.web_search and order.mode not in model.web_search:
        why = say("{provider} documents no web search for {mode} with {model}", mode=mode, **named)
        yield Change("web_search", True, False, why)
    if order.output_format not in model.formats:
        yield Change("output_format", order.output_format, "mp4", _offers(model.formats, named))
    for name, able in (
        ("watermark", model.watermark),
        ("camera_fixed", model.camera_fixed),
        ("keep_audio", model.keeps_audio),
    ):
        if getattr(order, name) and not able:
            yield Change(name, True, False, say("{provider} has no such switch", **named))


def _notes_on_the_model(order: Order, model: ModelLimits, provider: AnyProvider) -> Iterable[Said]:
    """How far what is sent rests on documents."""
    named: dict[str, Any] = {"provider": provider.name, "model": order.model}
    if UNDOCUMENTED in model.sources:
        yield say(
            "No document of {provider} has {model}: it is sent under the id that {variable} names, "
            "and {provider} decides.",
            variable=f"SEEDANCE_{provider.id.upper()}_MODELS",
            **named,
        )
    elif model.reported:
        yield say("What {model} can do at {provider} is reported, not documented.", **named)
    length = len(spelled(order, provider).prompt)
    if model.prompt_reported is not None and length > model.prompt_reported:
        yield say(
            "{provider} is reported to cut off or refuse prompts of more than {most} characters "
            "with {model}; this one has {length}.",
            most=model.prompt_reported,
            length=length,
            **named,
        )
    if order.mode in model.by_prompt:
        yield say(
            "{provider} has no field for {mode} with {model}: the clip is a reference and the "
            "prompt must say what to do with it. That is not guaranteed.",
            mode=MODE_WORDS[order.mode],
            **named,
        )
    if order.mode == "extend" and model.extends_apart:
        yield say("The video is the new part only: join it to the clip.")


def _ratios(order: Order, model: ModelLimits) -> tuple[str, ...]:
    """The ratios that have a size at the order's resolution, where sizes are given at all; none
    where only the source's is possible."""
    if order.mode in model.source_ratio:
        return ()
    sizes = model.sizes.get(order.resolution)
    return tuple(r for r in model.ratios if not sizes or r in sizes)


def _offers(values: Sequence[str], named: Mapping[str, Any]) -> Said:
    offered = [_in_words(value) for value in values]
    return say("{provider} offers {values} with {model}", values=offered, **named)


def _nearest_resolution(asked: str, offered: Sequence[str]) -> str:
    rank = RESOLUTIONS.index
    return min(offered, key=lambda value: (abs(rank(value) - rank(asked)), rank(value)))


def _nearest_ratio(asked: str, offered: Sequence[str]) -> str:
    def shape(ratio: str) -> float:
        width, height = sides_of(ratio)
        return width / height

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
            "{value}, nor for any other model.",
            hint='Name those that it has: SEEDANCE_{id}_MODELS={"{asked}": "its id '
            'there"}, or in the settings.',
            value=provider.lacks(asked),
            id=provider.id.upper(),
            asked=asked,
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

    def words(change: Change, value: Any) -> dict[str, object]:
        field = FIELD_WORDS.get(change.field, change.field)
        return {"field": field, "value": _in_words(value)}

    what = [
        say("{field} {value} ({why})", why=change.why, **words(change, change.asked))
        for change in changes
    ]
    use = [say("{field} {value}", **words(change, change.given)) for change in changes]
    return DoesNotFit(
        "{provider} does not support {what}.",
        hint="Use {use}, or set on_unsupported to nearest.",
        provider=provider.name,
        what=clauses(what),
        use=use,
    )


def without_nearest(error: DoesNotFit) -> DoesNotFit:
    """The error of `unsupported` for whoever finishes a draft, and cannot set on_unsupported."""
    use = Said.of(error.hint).values.get("use")
    if use is not None:
        error.hint = say("Use {use}.", use=use)
    return error
