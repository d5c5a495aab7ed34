"""A clip or a sound as the Blob that goes up: the file itself where the limits allow, else a
converted one in a work folder."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from .. import embedded
from ..errors import BadOrder
from ..files import replacing, sha256_of
from ..order import Medium
from ..said import Said, clauses
from ..units import size_in_words
from ..wire import Blob, MediaLimits
from .clips import ClipPlan, convert_clip, convert_sound
from .info import ClipInfo, SoundInfo, check_whole, probe, probe_sound
from .limits import (
    CLIP,
    accepts,
    at_most,
    check_long_enough,
    check_shape,
    check_smallest,
    clip_problems,
    describe_clip,
    describe_sound,
    does_not_fit,
    grow_to_fit,
    scale_to_fit,
    sound_problems,
)
from .mime_types import file_name

_SHRINK = 0.9  # of the bit rate, where a converted clip still has too many bytes
_LEAST_RATE = 100_000  # bits a second; below it nothing can be recognized
_SOUND_RATE = 192_000  # bits a second
_SOUND_CODECS = {"mp3": "audio/mpeg", "wav": "audio/wav"}  # the preferred first


def clip_blob(
    medium: Medium, limits: MediaLimits, *, nearest: bool, work_dir: Path
) -> tuple[Blob, list[Said]]:
    """A clip as it goes up, and what was changed to make it fit, a sentence each.

    A clip within the limits goes up byte for byte, streamed from its path. Another is refused with
    BadOrder, or, if `nearest`, written anew (H.264, AAC, MP4) into `work_dir`, trimmed, scaled and
    slowed to the nearest that is taken. Raises BadOrder also where no change of ours would help.
    """
    path = _file(medium, work_dir)
    info = probe(path)
    check_whole(path)
    check_smallest(info.width, info.height, CLIP)
    check_shape(CLIP, info.width, info.height, limits)
    problems = clip_problems(info, limits)
    if not problems:
        return _clip(path, info), []
    described = describe_clip(info)
    check_long_enough(described, info.duration, limits)
    if not nearest:
        raise does_not_fit(described, problems)
    return _converted_clip(path, info, limits, work_dir), problems


def sound_blob(
    medium: Medium, limits: MediaLimits, *, nearest: bool, work_dir: Path
) -> tuple[Blob, list[Said]]:
    """A sound as it goes up, and what was changed to make it fit, a sentence each.

    Like `clip_blob`; what has to be written anew becomes MP3, or WAV where only that is taken.
    """
    path = _file(medium, work_dir)
    info = probe_sound(path)
    check_whole(path, "sound")
    problems = sound_problems(info, limits)
    if not problems:
        return _sound(path, info), []
    described = describe_sound(info)
    check_long_enough(described, info.duration, limits)
    if not nearest:
        raise does_not_fit(described, problems)
    return _converted_sound(path, described, limits, work_dir), problems


def _converted_clip(path: Path, info: ClipInfo, limits: MediaLimits, work_dir: Path) -> Blob:
    """The clip as MP4 within the limits, with ever fewer bits a second until its bytes fit."""
    if not accepts(limits, "video/mp4"):
        raise BadOrder(
            "A clip cannot be converted to {formats}.", formats=", ".join(limits.formats)
        )
    width, height, fps, seconds = _nearest(info, limits)
    rate = None
    while True:
        plan = ClipPlan(width, height, fps, seconds, rate)

        def write(target: Path, plan: ClipPlan = plan) -> None:
            convert_clip(path, target, plan)

        target = _work_file(path, work_dir, "mp4", write)
        made = probe(target)
        blob = _clip(target, made)
        if limits.max_bytes is None or blob.size <= limits.max_bytes:
            _check_made(describe_clip(info), describe_clip(made), clip_problems(made, limits))
            return blob
        target.unlink()
        if rate is None:
            rate = int(limits.max_bytes * 8 / max(seconds, 1))
            rate -= _SOUND_RATE if info.has_audio else 0
        rate = int(rate * _SHRINK)
        if rate < _LEAST_RATE:
            raise BadOrder(
                "{info} cannot be made small enough: at most {size} are taken.",
                info=describe_clip(info),
                size=size_in_words(limits.max_bytes),
            )


def _nearest(info: ClipInfo, limits: MediaLimits) -> tuple[int, int, Fraction, float]:
    """Width, height, frames a second and seconds within the limits, as near as they can be."""
    factor = scale_to_fit(info.width, info.height, limits)
    if factor == 1:
        factor = grow_to_fit(info.width, info.height, limits)
    up = factor > 1
    fps = max(info.rate, Fraction(1))
    if limits.fps:
        low, high = (Fraction(bound).limit_denominator(1001) for bound in limits.fps)
        fps = min(max(fps, low), high)
    seconds = _whole_frames(info.duration, fps, limits.seconds)
    return _even(info.width * factor, up), _even(info.height * factor, up), fps, seconds


def _check_made(described: Said, made: Said, problems: list[Said]) -> None:
    """Raise BadOrder if what was converted is outside of the limits still."""
    if problems:
        raise BadOrder(
            "{described} could not be brought within the limits. {made} came out: {problems}.",
            hint="Change it in a video editor. Nothing was sent.",
            described=described,
            made=made,
            problems=clauses(problems),
        )


def _whole_frames(seconds: float, fps: Fraction, bounds: tuple[float, float] | None) -> float:
    """The length of whole frames that is nearest to `seconds` and within the bounds."""
    count = round(Fraction(seconds) * fps)
    if bounds:
        low, high = (Fraction(bound).limit_denominator(1000) * fps for bound in bounds)
        count = min(max(count, math.ceil(low)), math.floor(high))
    return float(max(count, 1) / fps)


def _even(side: float, up: bool) -> int:
    """`side` as an even number of pixels, rounded up or down."""
    return (math.ceil(side / 2) if up else math.floor(side / 2)) * 2


def _converted_sound(path: Path, described: Said, limits: MediaLimits, work_dir: Path) -> Blob:
    """The sound as MP3 or WAV, cut where it is too long."""
    codec = next((c for c, mime in _SOUND_CODECS.items() if accepts(limits, mime)), None)
    if codec is None:
        raise BadOrder(
            "{described} does not fit: only {formats} is taken.",
            described=described,
            formats=", ".join(limits.formats),
        )
    seconds = limits.seconds[1] if limits.seconds else None

    def write(target: Path) -> None:
        convert_sound(path, target, codec, seconds)

    target = _work_file(path, work_dir, codec, write)
    made = probe_sound(target)
    blob = _sound(target, made)
    if limits.max_bytes is not None and blob.size > limits.max_bytes:
        raise does_not_fit(described, [at_most(size_in_words(limits.max_bytes))])
    _check_made(described, describe_sound(made), sound_problems(made, limits))
    return blob


def _clip(path: Path, info: ClipInfo) -> Blob:
    digest = _digest(path)
    return Blob(
        kind="video",
        mime=info.mime,
        name=file_name("video", digest, info.mime),
        size=info.size,
        digest=digest,
        path=path,
        width=info.width,
        height=info.height,
        seconds=info.duration,
        fps=float(info.fps),
    )


def _sound(path: Path, info: SoundInfo) -> Blob:
    digest = _digest(path)
    return Blob(
        kind="audio",
        mime=info.mime,
        name=file_name("audio", digest, info.mime),
        size=info.size,
        digest=digest,
        path=path,
        seconds=info.duration,
    )


# ------------------------------------------------------------------------------------------- files


def _file(medium: Medium, work_dir: Path) -> Path:
    """The medium as a file: its own, or its bytes written into `work_dir`. A graph that we put into
    it is left out: it is no provider's business."""
    source = medium.path if medium.path is not None else medium.data
    if source is None:
        raise BadOrder("An address is not a file that can be sent.")
    try:
        pieces = embedded.without(source)
    except OSError as error:
        raise BadOrder(
            "{source} cannot be read: {reason}.", source=source, reason=error.strerror
        ) from error
    if pieces is None:
        if isinstance(source, Path):
            return source
        pieces = iter((source,))
    name = f"{medium.kind}-{medium.digest[:16]}{medium.path.suffix if medium.path else '.bin'}"

    def write(target: Path) -> None:
        with target.open("xb") as file:
            file.writelines(pieces)

    return _written(work_dir / name, write)


def _work_file(
    source: Path, work_dir: Path, extension: str, write: Callable[[Path], object]
) -> Path:
    """A file in `work_dir`, by `write`, whose name is always the same for the same source."""
    name = f"fitted-{hashlib.sha256(os.fsencode(source.resolve())).hexdigest()[:16]}.{extension}"
    return _written(work_dir / name, write)


def _written(target: Path, write: Callable[[Path], object]) -> Path:
    """`target`, written whole or not at all; several threads may want the same one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as part:
        write(part)
    return target


def _digest(path: Path) -> str:
    """The SHA-256 of a file's bytes. Raises BadOrder if it cannot be read."""
    try:
        return sha256_of(path)
    except OSError as error:
        raise BadOrder(
            "{path} cannot be read: {reason}.", path=path, reason=error.strerror
        ) from error
