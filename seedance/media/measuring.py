"""What a medium is, and whether it fits a provider's limits, before anything is made of it."""

from __future__ import annotations

import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path

from PIL import ImageOps

from .. import forks
from ..order import Kind, Medium
from ..said import Said, say
from ..wire import MediaLimits, Size
from .info import ClipInfo, SoundInfo, check_whole, probe, probe_sound
from .limits import (
    CLIP,
    PICTURE,
    check_long_enough,
    check_shape,
    check_smallest,
    clip_problems,
    describe_clip,
    describe_sound,
    does_not_fit,
    shaped,
    sound_problems,
)
from .pictures import holds_several, open_picture


@dataclass(frozen=True)
class Measured:
    """What a medium is as a person sees it. `size` is (width, height) in pixels, None for a sound;
    `seconds` is None for a picture. `note` is a sentence about what is not used of it, if there is
    something."""

    kind: Kind
    size: Size | None = None
    seconds: float | None = None
    info: ClipInfo | SoundInfo | None = None
    note: Said | None = None


_known: weakref.WeakKeyDictionary[Medium, Measured] = weakref.WeakKeyDictionary()
_lock = forks.Lock()


def measure(medium: Medium) -> Measured:
    """What a medium with pixels, bytes or a file is. It is read once, however often this is called.

    Raises BadOrder for one that cannot be read, that was cut off, or in which no model sees
    anything.
    """
    with _lock:
        known = _known.get(medium)
    if known is None:
        known = _measured(medium)
        with _lock:
            _known[medium] = known
    return known


def check_fits(
    measured: Measured,
    limits: MediaLimits,
    *,
    size: Size | None = None,
    ratio: Size | None = None,
    nearest: bool = False,
) -> None:
    """Raise BadOrder for a medium that a provider does not take, and that no conversion of ours
    makes fit. A picture is cropped to `size`, or to a `ratio` such as (16, 9); `nearest` allows to
    convert clips and sounds."""
    info = measured.info
    if measured.kind == "image":
        check_shape(PICTURE, *fitted_size(measured, limits, size, ratio), limits)
    elif isinstance(info, ClipInfo):
        check_shape(CLIP, info.width, info.height, limits)
        _check_problems(clip_problems(info, limits), describe_clip(info), info, limits, nearest)
    elif isinstance(info, SoundInfo):
        _check_problems(sound_problems(info, limits), describe_sound(info), info, limits, nearest)


def fitted_size(
    measured: Measured, limits: MediaLimits, size: Size | None, ratio: Size | None
) -> Size:
    """What a measured picture is fitted to: exactly `size`, or a `ratio`, or its own size."""
    assert measured.size is not None
    if size is not None:
        return size
    return shaped(measured.size, ratio, limits) if ratio is not None else measured.size


def _check_problems(
    problems: list[Said],
    described: Said,
    info: ClipInfo | SoundInfo,
    limits: MediaLimits,
    nearest: bool,
) -> None:
    if problems:
        check_long_enough(described, info.duration, limits)
        if not nearest:
            raise does_not_fit(described, problems)


def _measured(medium: Medium) -> Measured:
    if medium.kind == "image":
        return _picture(medium)
    if medium.path is not None:
        return _clip_or_sound(medium.kind, medium.path)
    with tempfile.TemporaryDirectory(prefix="seedance-") as folder:
        file = Path(folder) / f"{medium.kind}.bin"
        file.write_bytes(medium.data or b"")
        return _clip_or_sound(medium.kind, file)


def _picture(medium: Medium) -> Measured:
    note = None
    if medium.pixels is not None:
        height, width = medium.pixels.shape[:2]
    else:
        with open_picture(medium.path or medium.data or b"") as picture:
            if holds_several(picture):
                note = say("It holds several pictures; the first one is used.")
            picture.load()  # a broken file must be refused here, not by the provider
            width, height = ImageOps.exif_transpose(picture).size
    check_smallest(width, height)
    return Measured("image", (width, height), note=note)


def _clip_or_sound(kind: Kind, file: Path) -> Measured:
    if kind == "audio":
        sound = probe_sound(file)
        check_whole(file, "sound")
        return Measured(kind, None, sound.duration, sound)
    clip = probe(file)
    check_whole(file)
    check_smallest(clip.width, clip.height, CLIP)
    return Measured(kind, (clip.width, clip.height), clip.duration, clip)
