"""A medium against the limits that a provider documents: what does not fit, in sentences.

Sizes are in pixels and bytes, times in seconds.
"""

from __future__ import annotations

import math

from ..errors import BadOrder
from ..wire import MediaLimits
from .info import ClipInfo, SoundInfo
from .mime_types import usual

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


def check_smallest(width: int, height: int, what: str = "picture") -> None:
    """Raise BadOrder for a side of fewer pixels than any model can use."""
    if min(width, height) < SMALLEST_SIDE:
        raise BadOrder(
            f"The {what} is {width}x{height} pixels, and each side must have at least "
            f"{SMALLEST_SIDE}.",
            hint=f"Use a larger {what}.",
        )


def check_shape(what: str, width: int, height: int, limits: MediaLimits) -> None:
    """Raise BadOrder for an aspect outside of the limits, and for a picture that has too few pixels
    once it is scaled down to the maxima. A clip is scaled up instead."""
    if limits.aspect and not limits.aspect[0] <= width / height <= limits.aspect[1]:
        low, high = limits.aspect
        raise BadOrder(
            f"The {what} is {width}x{height} pixels, width / height = {width / height:.2f}, and "
            f"{low:g} to {high:g} is taken.",
            hint=f"Crop the {what}.",
        )
    if what != "picture":
        return
    factor = scale_to_fit(width, height, limits)
    least = min(width, height) * factor
    if (limits.sides and least < limits.sides[0]) or (
        limits.pixels and width * height * factor * factor < limits.pixels[0]
    ):
        raise BadOrder(
            f"The {what} is {width}x{height} pixels, and at least {least_pixels(limits)} "
            "are needed.",
            hint=f"Use a larger {what}.",
        )


def check_long_enough(described: str, seconds: float, limits: MediaLimits) -> None:
    """Raise BadOrder for a clip or sound that is shorter than the limits allow."""
    if limits.seconds and seconds < limits.seconds[0] - max(_SLACK, limits.tolerance[0]):
        raise BadOrder(
            f"{described} is too short: {limits.seconds[0]:g} to {limits.seconds[1]:g} s are taken."
        )


# ---------------------------------------------------------------------- what a conversion can mend


def clip_problems(info: ClipInfo, limits: MediaLimits) -> list[str]:
    """What about a clip is outside of the limits and can be converted, a sentence each, without a
    full stop. Its shape cannot: see `check_shape`."""
    problems = _problems(info, limits)
    if limits.fps and not _within(float(info.fps), limits.fps):
        problems.append("{:g} to {:g} frames a second are taken".format(*limits.fps))
    if scale_to_fit(info.width, info.height, limits) < 1:
        problems.append(f"at most {most_pixels(limits)} are taken")
    elif grow_to_fit(info.width, info.height, limits) > 1:
        problems.append(f"at least {least_pixels(limits)} are needed")
    return [*problems, *_size_problem(info.size, limits)]


def sound_problems(info: SoundInfo, limits: MediaLimits) -> list[str]:
    """As `clip_problems`, of a sound."""
    return [*_problems(info, limits), *_size_problem(info.size, limits)]


def _problems(info: ClipInfo | SoundInfo, limits: MediaLimits) -> list[str]:
    problems = []
    if not accepts(limits, info.mime):
        problems.append(f"{info.mime} is not taken, only {', '.join(limits.formats)}")
    if limits.seconds and not _within(info.duration, limits.seconds, limits.tolerance):
        problems.append("{:g} to {:g} s are taken".format(*limits.seconds))
    return problems


def _size_problem(size: int, limits: MediaLimits) -> list[str]:
    if limits.max_bytes is not None and size > limits.max_bytes:
        return [f"at most {megabytes(limits.max_bytes)} are taken"]
    return []


def _within(
    value: float, bounds: tuple[float, float], tolerance: tuple[float, float] = (0.0, 0.0)
) -> bool:
    below, above = (max(_SLACK, some) for some in tolerance)
    return bounds[0] - below <= value <= bounds[1] + above


def does_not_fit(described: str, problems: list[str]) -> BadOrder:
    """The error that names the problems of a clip or sound."""
    return BadOrder(
        f"{described} does not fit: {'; '.join(problems)}.",
        hint="Set on_unsupported to nearest to have it brought within the limits, or change it.",
    )


# ------------------------------------------------------------------------------------- in words


def most_pixels(limits: MediaLimits) -> str:
    """The documented maxima, in words."""
    return _pixels(limits, 1)


def least_pixels(limits: MediaLimits) -> str:
    """The documented minima, in words."""
    return _pixels(limits, 0)


def _pixels(limits: MediaLimits, bound: int) -> str:
    parts = []
    if limits.sides:
        parts.append(f"{limits.sides[bound]} pixels a side")
    if limits.pixels:
        parts.append(f"{limits.pixels[bound]:,} pixels in all")
    return " and ".join(parts)


def describe_clip(info: ClipInfo) -> str:
    """A clip with its figures, to begin a sentence with."""
    return (
        f"The clip ({info.width}x{info.height}, {info.duration:.1f} s, {float(info.fps):g} fps, "
        f"{megabytes(info.size)}, {info.mime})"
    )


def describe_sound(info: SoundInfo) -> str:
    """A sound with its figures, to begin a sentence with."""
    return f"The sound ({info.duration:.1f} s, {megabytes(info.size)}, {info.mime})"


def megabytes(size: int) -> str:
    """A number of bytes, in words: `1.5 MB`."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size:,} bytes"
