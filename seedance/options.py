"""The long options of `generate`, by the names that Python and shot lists give them, and the order
that they make.

No file is opened here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .errors import BadOrder
from .order import (
    MODELS,
    ON_UNSUPPORTED,
    OPERATIONS,
    OUTPUT_FORMATS,
    RATIOS,
    RESOLUTIONS,
    Kind,
    Medium,
    Order,
    is_address,
    kind_of_reference,
    read_extra,
    reference_at,
)
from .texts import did_you_mean, quoted

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "operation": OPERATIONS,
    "model": MODELS,
    "resolution": RESOLUTIONS,
    "ratio": RATIOS,
    "on_unsupported": ON_UNSUPPORTED,
    "output_format": OUTPUT_FORMATS,
}
_WHOLE = ("duration", "seed", "takes")
_SWITCHES = (
    *("keep_audio", "no_audio", "watermark", "camera_fixed", "draft", "web_search"),
    "chain",
)
_MEDIA: Mapping[str, Kind] = {"image": "image", "last_image": "image", "video": "video"}

NAMES = (
    *("prompt", "image", "last_image", "references", "video", "operation", "keep_audio"),
    *("provider", "model", "resolution", "ratio", "duration", "seed", "no_audio", "watermark"),
    *("camera_fixed", "on_unsupported", "extra", "draft", "web_search", "output_format"),
    "project",
)
ALIASES = {"reference": "references"}  # as the command line spells it

# As spreadsheets write them, in the languages of their users too.
_YES = {
    *("true", "yes", "on", "1", "x", "wahr", "ja", "vrai", "oui", "verdadero", "sí", "vero", "是"),
    *("verdadeiro", "sim", "waar", "sant", "sand", "tosi", "prawda", "pravda", "истина", "да"),
}
_NO = {
    *("false", "no", "off", "0", "falsch", "nein", "faux", "non", "falso", "否"),
    *("não", "onwaar", "nee", "falskt", "falsk", "epätosi", "fałsz", "nepravda", "ложь", "нет"),
}
_TIME = re.compile(r"0?([1-9]\d?):0?([1-9]\d?)(?::00)?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://")
_SPLIT = re.compile(r"[;\n]")


def order_of(given: Mapping[str, Any], folder: Path | None = None) -> Order:
    """The order that options make. `given` has some of `NAMES`; what it lacks, and None, is the
    default.

    Media are Media, or texts as of `medium`. Raises BadOrder for what cannot be read.
    """
    values = {name: value for name, value in given.items() if value is not None}
    if "video" not in values:
        for name in ("operation", "keep_audio"):
            if values.get(name):
                raise BadOrder(f"{name} needs a clip to work on.", hint="Give it as video.")
    fields: dict[str, Any] = {
        name: values[name]
        for name in NAMES
        if name in values and name not in (*_MEDIA, "references", "no_audio")
    }
    media = {name: _one(kind, values.get(name), folder) for name, kind in _MEDIA.items()}
    references = tuple(_reference(each, folder) for each in values.get("references") or ())
    any_media = references or any(each is not None for each in media.values())
    fields["ratio"] = values.get("ratio") or ("adaptive" if any_media else "16:9")
    return Order(
        first_frame=media["image"],
        last_frame=media["last_image"],
        video=media["video"],
        references=references,
        generate_audio=not values.get("no_audio", False),
        **fields,
    )


def _one(kind: Kind, value: Any, folder: Path | None) -> Medium | None:
    if value is None or isinstance(value, Medium):
        return value
    return medium(kind, str(value), folder)


def _reference(value: Any, folder: Path | None) -> Medium:
    return value if isinstance(value, Medium) else reference(str(value), folder)


def reference(text: str, folder: Path | None = None) -> Medium:
    """A reference whose kind follows from `image:`, `video:`, `audio:` before it or its ending."""
    kind, where = kind_of_reference(text)
    if kind is None:
        if (asset := reference_at(text)) is not None:
            return asset
        raise BadOrder(
            f"Whether {text[:80]!r} is a picture, a clip or a sound cannot be told from its "
            "ending.",
            hint="Write image:, video: or audio: before it.",
        )
    return medium(kind, where, folder)


def names_no_file(text: str) -> bool:
    """Whether a medium that is written so is an address or a provider's handle."""
    return is_address(kind_of_reference(text)[1]) or is_address(text.strip())


def medium(kind: Kind, text: str, folder: Path | None = None) -> Medium:
    """A medium from an address, a provider's handle or a local file, which is relative to `folder`
    (the current one unless given). Raises BadOrder if there is no such file."""
    if is_address(text.strip()):
        return Medium.from_address(kind, text)
    if (scheme := _SCHEME.match(text.strip())) is not None:
        raise BadOrder(
            f"{quoted(text)} is no address that can be used.",
            hint="Give the path of the file, without file://."
            if scheme[0].lower() == "file://"
            else "Use an https address, or the path of a file.",
        )
    try:
        path = Path(text).expanduser()
        return Medium.from_path(kind, path if folder is None else folder / path)
    except BadOrder:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, ~ of nobody
        raise BadOrder(f"{quoted(text)} cannot be the name of a file.") from error


# ----------------------------------------------------------------------- values that are written


def read(name: str, value: Any, folder: Path | None = None) -> Any:
    """The value of an option as a person, a spreadsheet or a JSON file writes it; None for one that
    is empty. Raises BadOrder, saying which values would work."""
    if isinstance(value, str):
        value = value.strip() if name != "prompt" else value
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if name in _MEDIA:
        return _medium_value(name, value, folder)
    if name == "references":
        return tuple(reference(each, folder) for each in texts_of(value)) or None
    if name in _WHOLE:
        return whole(name, value)
    if name in _SWITCHES:
        return switch(name, value)
    if name == "extra":
        return _extra(value)
    if not isinstance(value, str):
        raise BadOrder(f"{name} must be a text, not {quoted(value)}.")
    known = _CHOICES.get(name)
    if name == "ratio" and value not in RATIOS and (time := _TIME.fullmatch(value)) is not None:
        near = f"{time[1]}:{time[2]}"  # a spreadsheet takes 16:9 for nine past four
        value = near if near in RATIOS else value
    if known is not None and value not in known:
        raise no_choice(name, value, known)
    return value


def no_choice(name: str, value: str, known: Iterable[str]) -> BadOrder:
    """The error for a value that is none of those that there are."""
    near = did_you_mean(value, known)
    return BadOrder(
        f"There is no {name} {quoted(value)}.", hint=f"{near}Use one of: {', '.join(known)}."
    )


def _medium_value(name: str, value: Any, folder: Path | None) -> Medium:
    if isinstance(value, Medium):
        return value
    if not isinstance(value, str):
        raise BadOrder(f"{name} must be a file or an address, not {quoted(value)}.")
    return medium(_MEDIA[name], value, folder)


def texts_of(value: Any) -> list[str]:
    """The references of a text, parted by `;` or by lines, or of a list. Raises BadOrder."""
    if value is None:
        return []
    items = _SPLIT.split(value) if isinstance(value, str) else value
    if isinstance(items, (list, tuple)) and all(isinstance(each, str) for each in items):
        return [each.strip() for each in items if each.strip()]
    raise BadOrder(
        f"references must be a list of files and addresses, not {quoted(value)}.",
        hint='Write it like ["her.png", "street.jpg"].',
    )


def _extra(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        if all(isinstance(fields, Mapping) for fields in value.values()):
            return value
        value = "[]"  # for the error of a text that is no such object
    return read_extra(value) if isinstance(value, str) else read_extra("[]")


def whole(name: str, value: Any) -> int:
    """A whole number: 8, "8", "8.0", "8,0", and for a duration "8 s". Raises BadOrder."""
    if isinstance(value, bool):
        pass
    elif hasattr(value, "__index__"):  # also the whole numbers of NumPy
        return int(value)
    elif isinstance(value, float):
        if value == int(value) if abs(value) < 2**63 else False:
            return int(value)
    elif isinstance(value, str):
        number = re.fullmatch(r"([+-]?\d{1,20})(?:[.,]0{1,9})?", without_unit(name, value))
        if number is not None:
            return int(number[1])
    raise BadOrder(
        f"{name} must be a whole number, not {quoted(value)}.",
        hint="Write it like 8." if name == "duration" else "Write it like 3.",
    )


def without_unit(name: str, text: str) -> str:
    """A number without the `s` of seconds that may stand after a duration."""
    text = text.strip()
    for unit in ("seconds", "sec", "s") if name == "duration" else ():
        if text.lower().endswith(unit):
            return text[: -len(unit)].rstrip()
    return text


def switch(name: str, value: Any) -> bool:
    """On or off: true, false, "yes", "no", 1, 0, as spreadsheets write them. Raises BadOrder."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _YES or text in _NO:
        return text in _YES
    raise BadOrder(f"{name} must be true or false, not {quoted(value)}.")
