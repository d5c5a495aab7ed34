"""The user's own fields in a payload: which of them may be added, and which may not.

What is sent is what the node says and what was priced. So a field of `extra` has, at any depth, no
name that stands for a part of an order: neither one that the payload has already, nor one that the
document of a provider has for such a part.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from ..errors import BadOrder
from ..texts import LONGEST_NAME, json_in, quoted

# Names that no field of extra may have, as `_spelled` writes them: which model, how many videos,
# and who pays.
NO_EXTRA_FIELDS = re.compile(
    r"models?|(fallback|base|engine)models?|modelversion"
    r"|n|num|quantity|takes|copies|variants|samples|outputs|generations|repeats?"
    r"|batch(size|count)?|(sample|image|video|output|result|variant|frame)?counts?"
    r"|n(um(ber)?)?(of)?(images|videos|outputs|samples|frames|results|variants|generations)"
    r"|authorization|apikey|accesskey|accesstoken"
)
# In the name of an address to be called, or of a place that results go to; wherever they stand.
_WHO_IS_TOLD = (
    *("hook", "callback", "notif", "postback", "returnurl", "pushurl", "pingurl", "reporturl"),
    *("uploadurl", "outputurl", "resulturl", "deliveryurl", "targeturl", "destination"),
    *("oncomplete", "onfinish", "ondone", "onerror"),
)

# What an order decides, by what documents of providers call it, as `_spelled` writes that. A field
# that the payload of this order does not have may still be one that its provider reads.
OF_AN_ORDER: Mapping[str, str] = {
    name: part
    for part, names in (
        ("prompt", "prompt content messages text"),
        ("resolution", "resolution quality size width height videosize outputresolution draft"),
        ("resolution", "dimension dimensions definition megapixels"),
        ("ratio", "ratio aspect aspectratio orientation"),
        ("duration", "duration seconds frames length videolength videoduration"),
        ("seed", "seed"),
        ("generate_audio", "generateaudio withaudio enableaudio motionhasaudio audio sound"),
        ("generate_audio", "mute muted silent bgm"),
        ("keep_audio", "keepaudio keeporiginalaudio keeporiginalsound keepsound"),
        ("watermark", "watermark logo logoinfo"),
        ("camera_fixed", "camerafixed fixedcamera camera"),
        ("first frame", "firstframe firstframeurl firstframeimage startframe startimage image"),
        ("first frame", "imageurl inputimage inputreference frameimages frametype imagestart"),
        ("last frame", "lastframe lastframeurl lastframeimage lastimage endframe endimage"),
        ("last frame", "endimageurl endframeurl imageend imagetail"),
        ("references", "images imageurls referenceimages videos videourls referencevideos"),
        ("references", "imagereference videoreference videoreferencebase audioreference"),
        ("references", "audios audiourl audiourls referenceaudios references guidances"),
        ("references", "inputreferences"),
        ("video", "video videourl inputvideo sourcevideo drafttask"),
        ("operation", "operation omnireferencetasktype task tasktype action"),
        ("mode", "mode"),
        ("output_format", "outputformat format container"),
    )
    for name in names.split()
}
# What stands before or behind such a name and leaves its meaning: `video_resolution`,
# `durationSeconds`, `reference_image_urls`, `enable_sound`, `random_seed`.
_BEFORE = (
    *("video", "image", "output", "input", "target", "requested", "desired", "generation"),
    *("max", "min", "random", "rand", "noise", "user", "positive", "default", "is", "has", "with"),
    *("use", "enable", "disable", "add", "remove", "no", "include", "generate", "lock", "static"),
    *("first", "last", "start", "end", "head", "tail", "init", "source", "ref", "reference"),
    *("subject", "clip", "screen", "preview", "edit", "file", "task", "my", "the"),
)
_BEHIND = (
    *("url", "urls", "uri", "uris", "id", "ids", "name", "names", "value", "values", "list", "s"),
    *("seconds", "sec", "secs", "insec", "inseconds", "ms", "inms", "px", "pixels", "mode", "info"),
    *("base64", "b64", "data", "path", "file", "files", "enabled", "on", "off", "generation"),
    *("control", "type", "reference", "references", "ref", "refs", "start", "end", "tail", "text"),
)
MOST_AROUND = 4  # of these words; more make no name, and take long to look through


def add_extra(
    body: dict[str, Any],
    extra: Mapping[str, Any],
    where: str = "extra",
    *,
    others: Mapping[str, str] = MappingProxyType({}),
    whole: Mapping[str, Any] | None = None,
) -> None:
    """Add the user's extra fields to `body`, in place, going down into objects that both have.

    `whole` is the payload that `body` is a part of, where it is not the whole one. `others` are
    other names that the provider has for fields of it. Raises BadOrder for a field that stands for
    a part of the order at whatever depth and however it is spelled, for a count, and for an address
    to be called: a stranger's workflow must not change what is paid for or where results are sent.
    """
    own = {_spelled(name): name for name in _names(whole or {})}
    own |= {_spelled(name): name for name in _names(body)}
    own |= {_spelled(other): name for other, name in others.items()}
    _add(body, extra, where, own)


def _add(body: dict[str, Any], extra: Mapping[str, Any], where: str, own: dict[str, str]) -> None:
    for name, value in extra.items():
        _check_name(name, where)
        if isinstance(value, Mapping) and isinstance(body.get(name), dict):
            _add(body[name], value, f"{where}.{name}", own)
            continue
        for spelled in _spellings(name):
            if (mine := own.get(spelled) or _part_of_an_order(spelled)) is not None:
                raise BadOrder(
                    "{where} may not replace {mine}, which the node sets itself."
                    if mine == name
                    else "{where} may not replace {mine}, which the node sets itself, as {name}.",
                    hint="Use the node's own input, or remove the field from extra.",
                    where=where,
                    mine=quoted(mine),
                    name=quoted(name),
                )
        body[name] = _checked(value, f"{where}.{name}", own)


def _check_name(name: str, where: str) -> None:
    if len(name) > LONGEST_NAME:
        raise BadOrder(
            "{where} has a field of {count} letters, {name}.",
            hint="A field's name has at most {most} letters. Remove it from extra.",
            where=where,
            count=len(name),
            name=quoted(name),
            most=LONGEST_NAME,
        )
    for spelled in _spellings(name):
        told = any(word in spelled for word in _WHO_IS_TOLD)
        if told or any(map(NO_EXTRA_FIELDS.fullmatch, _cores(spelled))):
            raise BadOrder(
                "{where} may not set {name}.",
                hint="Remove it from extra.",
                where=where,
                name=quoted(name),
            )


def _checked(value: Any, where: str, own: dict[str, str]) -> Any:
    """A copy of a value of extra. What `add_extra` forbids is forbidden in its objects too."""
    if isinstance(value, Mapping):
        fresh: dict[str, Any] = {}
        _add(fresh, value, where, own)
        return fresh
    if isinstance(value, (list, tuple)):
        return [_checked(item, where, own) for item in value]
    if isinstance(value, str):
        for inner in json_in(value):  # which some servers read
            _checked(inner, where, own)
    return value


def _names(body: Mapping[str, Any]) -> Iterator[str]:
    """The names of all fields, also in objects in objects; those in lists are parts of media."""
    for name, value in body.items():
        yield name
        if isinstance(value, Mapping):
            yield from _names(value)


def _spellings(name: str) -> set[str]:
    """A field's name for comparing, and each part of one like `a.b`, `a/b` or `a[b]`, which some
    servers read as a path."""
    parts = name.translate(_PATHS).split("\n")
    return {_spelled(name), *map(_spelled, parts)}


def _part_of_an_order(spelled: str) -> str | None:
    """The part of an order that a name stands for, None for any other name."""
    return next((OF_AN_ORDER[core] for core in _cores(spelled) if core in OF_AN_ORDER), None)


@lru_cache(maxsize=4096)
def _cores(spelled: str) -> tuple[str, ...]:
    """A name, and what is left of it without words around it, the longest first."""
    found = layer = {spelled: None}
    for _ in range(MOST_AROUND):
        before = (name[len(word) :] for name in layer for word in _BEFORE if name.startswith(word))
        behind = (name[: -len(word)] for name in layer for word in _BEHIND if name.endswith(word))
        layer = dict.fromkeys(filter(None, (*before, *behind)))
        found = {**found, **layer}
    return tuple(found)


_PATHS = str.maketrans(dict.fromkeys("./[]:$", "\n"))


def _spelled(name: str) -> str:
    """A name as the laxest server reads it: whatever its case, with letters of other scripts for
    ours, and without what stands between its words (`aspectRatio` for `aspect_ratio`)."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(letter for letter in plain if letter.isalnum())
