"""A medium against the limits that a provider documents: what does not fit, in sentences.

Sizes are in pixels and bytes, times in seconds.
"""

from __future__ import annotations

import math

from ..errors import BadOrder
from ..said import Said, clauses, listed, say
from ..units import size_in_words
from ..wire import MediaLimits
from .info import ClipInfo, SoundInfo
from .mime_types import usual

PICTURE, CLIP = say("picture"), say("clip")
SMALLEST_SIDE = 16  # pixels; no model sees anything in less, whatever a provider documents

_SLACK = 0.05  # seconds, or frames a second: headers round


def accepts(limits: MediaLimits, mime: str) -> bool:
    """Whether a type is taken; where no types are documented, any is."""
    return not limits.formats or usual(mime) in map(usual, limits.formats)


def scale_to_fit(width: int, height: int, limits: MediaLimits) -> float:
    """The factor, at most 1, that brings a size within the documented maxima."""
    factor = 1.0
    if limits.sides:
        factor = min(factor, limits.sides[1] / max(width, height))
    if limits.pixels:
        factor = min(factor, math.sqrt(limits.pixels[1] / (width * height)))
    return factor


def grow_to_fit(width: int, height: int, limits: MediaLimits) -> float:
    """The factor, at least 1, that brings a size up to the documented minima."""
    factor = 1.0
    if limits.sides:
        factor = max(factor, limits.sides[0] / min(width, height))
    if limits.pixels:
        factor = max(factor, math.sqrt(limits.pixels[0] / (width * height)))
    return factor


def cropped(size: tuple[int, int], ratio: tuple[int, int]) -> tuple[int, int]:
    """The size (width, height) of the largest part of a picture of `size` that has a ratio such as
    (16, 9). One that lacks no more than a pixel has it already."""
    width, height = size
    across, down = ratio
    part = (min(width, round(height * across / down)), min(height, round(width * down / across)))
    close = width - part[0] <= 1 and height - part[1] <= 1
    return size if close else (max(part[0], 1), max(part[1], 1))


def shaped(size: tuple[int, int], ratio: tuple[int, int], limits: MediaLimits) -> tuple[int, int]:
    """What a picture of `size` (width, height) is fitted to for a `ratio` such as (16, 9): its
    largest part of that ratio, enlarged where that has too few pixels."""
    width, height = cropped(size, ratio)
    if (width, height) == size:
        return size
    factor = grow_to_fit(width, height, limits)
    return math.ceil(width * factor), math.ceil(height * factor)


def smallest_side(limits: MediaLimits) -> int:
    """The fewest pixels that a side may have."""
    return max(SMALLEST_SIDE, limits.sides[0] if limits.sides else 0)


# -------------------------------------------------------------- what no conversion of ours mends


def check_smallest(width: int, height: int, what: Said = PICTURE) -> None:
    """Raise BadOrder for a side of fewer pixels than any model can use."""
    if min(width, height) < SMALLEST_SIDE:
        raise BadOrder(
            "The {what} is {width}x{height} pixels, and each side must have at least {least}.",
            hint="Use a larger {what}.",
            what=what,
            width=width,
            height=height,
            least=SMALLEST_SIDE,
        )


def check_shape(what: Said, width: int, height: int, limits: MediaLimits) -> None:
    """Raise BadOrder for an aspect outside of the limits, and for a picture that has too few pixels
    once it is scaled down to the maxima. A clip is scaled up instead."""
    if limits.aspect and not limits.aspect[0] <= width / height <= limits.aspect[1]:
        low, high = limits.aspect
        raise BadOrder(
            "The {what} is {width}x{height} pixels, width / height = {aspect}, and "
            "{low} to {high} is taken.",
            hint="Crop the {what}.",
            what=what,
            width=width,
            height=height,
            aspect=f"{width / height:.2f}",
            low=f"{low:g}",
            high=f"{high:g}",
        )
    if what != PICTURE:
        return
    factor = scale_to_fit(width, height, limits)
    least = min(width, height) * factor
    if (limits.sides and least < limits.sides[0]) or (
        limits.pixels and width * height * factor * factor < limits.pixels[0]
    ):
        raise BadOrder(
            "The {what} is {width}x{height} pixels, and at least {least} are needed.",
            hint="Use a larger {what}.",
            what=what,
            width=width,
            height=height,
            least=least_pixels(limits),
        )


def check_long_enough(described: Said, seconds: float, limits: MediaLimits) -> None:
    """Raise BadOrder for a clip or sound that is shorter than the limits allow."""
    if limits.seconds and seconds < limits.seconds[0] - max(_SLACK, limits.tolerance[0]):
        raise BadOrder(
            "{described} is too short: {low} to {high} s are taken.",
            described=described,
            low=f"{limits.seconds[0]:g}",
            high=f"{limits.seconds[1]:g}",
        )


# ---------------------------------------------------------------------- what a conversion can mend


def clip_problems(info: ClipInfo, limits: MediaLimits) -> list[Said]:
    """What about a clip is outside of the limits and can be converted, a sentence each, without a
    full stop. Its shape cannot: see `check_shape`."""
    problems = _problems(info, limits)
    if limits.fps and not _within(float(info.fps), limits.fps):
        low, high = limits.fps
        problems.append(say("{low} to {high} frames a second are taken", low=low, high=high))
    if scale_to_fit(info.width, info.height, limits) < 1:
        problems.append(at_most(most_pixels(limits)))
    elif grow_to_fit(info.width, info.height, limits) > 1:
        problems.append(say("at least {least} are needed", least=least_pixels(limits)))
    return [*problems, *_size_problem(info.size, limits)]


def sound_problems(info: SoundInfo, limits: MediaLimits) -> list[Said]:
    """As `clip_problems`, of a sound."""
    return [*_problems(info, limits), *_size_problem(info.size, limits)]


def _problems(info: ClipInfo | SoundInfo, limits: MediaLimits) -> list[Said]:
    problems = []
    if not accepts(limits, info.mime):
        problems.append(
            say("{mime} is not taken, only {formats}", mime=info.mime, formats=limits.formats)
        )
    if limits.seconds and not _within(info.duration, limits.seconds, limits.tolerance):
        low, high = limits.seconds
        problems.append(say("{low} to {high} s are taken", low=low, high=high))
    return problems


def _size_problem(size: int, limits: MediaLimits) -> list[Said]:
    if limits.max_bytes is not None and size > limits.max_bytes:
        return [at_most(size_in_words(limits.max_bytes))]
    return []


def at_most(most: str) -> Said:
    """That a size, or a number of pixels, is the largest that is taken."""
    return say("at most {most} are taken", most=most)


def _within(
    value: float, bounds: tuple[float, float], tolerance: tuple[float, float] = (0.0, 0.0)
) -> bool:
    below, above = (max(_SLACK, some) for some in tolerance)
    return bounds[0] - below <= value <= bounds[1] + above


def does_not_fit(described: Said, problems: list[Said]) -> BadOrder:
    """The error that names the problems of a clip or sound."""
    return BadOrder(
        "{described} does not fit: {problems}.",
        hint="Set on_unsupported to nearest to have it brought within the limits, or change it.",
        described=described,
        problems=clauses(problems),
    )


# ------------------------------------------------------------------------------------- in words


def most_pixels(limits: MediaLimits) -> Said:
    """The documented maxima, in words."""
    return _pixels(limits, 1)


def least_pixels(limits: MediaLimits) -> Said:
    """The documented minima, in words."""
    return _pixels(limits, 0)


def _pixels(limits: MediaLimits, bound: int) -> Said:
    parts = []
    if limits.sides:
        parts.append(say("{count} pixels a side", count=limits.sides[bound]))
    if limits.pixels:
        parts.append(say("{count} pixels in all", count=f"{limits.pixels[bound]:,}"))
    return listed(parts)


def describe_clip(info: ClipInfo) -> Said:
    """A clip with its figures, to begin a sentence with."""
    return say(
        "The clip ({pixels}, {seconds} s, {fps} fps, {size}, {mime})",
        pixels=f"{info.width}x{info.height}",
        seconds=f"{info.duration:.1f}",
        fps=float(info.fps),
        size=size_in_words(info.size),
        mime=info.mime,
    )


def describe_sound(info: SoundInfo) -> Said:
    """A sound with its figures, to begin a sentence with."""
    return say(
        "The sound ({seconds} s, {size}, {mime})",
        seconds=f"{info.duration:.1f}",
        size=size_in_words(info.size),
        mime=info.mime,
    )
