"""A finished video compared with what was ordered."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..fit import Change
from ..order import SIZES, sides_of
from ..said import say

WHY = say("that is what the provider delivered")
RATIO_OFF = 0.05  # of a ratio: sizes are rounded to what codecs take
SECONDS_OFF = 0.6  # clips end on a whole number of frames of the model
SMALLEST = 80  # pixels: no model makes less; it is a gateway's stand-in for a video


def differences(order: Mapping[str, Any], measured: Mapping[str, Any]) -> tuple[Change, ...]:
    """What the video has other than the order, as it was fitted, asked for: ratio, resolution,
    seconds, sound. `order` is `Order.describe()`, `measured` what a sidecar has."""
    try:
        return tuple(_differences(order, measured))
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError):
        return ()  # the row, of an older version or another hand, lacks something


def _differences(order: Mapping[str, Any], measured: Mapping[str, Any]) -> Iterator[Change]:
    width, height = measured["width"], measured["height"]
    if width < SMALLEST:
        return
    size = f"{width}x{height}"
    ratio, resolution = order["ratio"], order["resolution"]
    nearest = _nearest_ratio(width / height)
    if order["video"] is None and ratio != "adaptive" and _ratio_off(ratio, width / height):
        near = not _ratio_off(nearest, width / height)
        yield Change("ratio", ratio, f"{nearest} ({size})" if near else size, WHY)
    made = min(SIZES, key=lambda name: abs(math.log(width * height / _pixels(name))))
    if order["video"] is None and made != resolution:
        yield Change("resolution", resolution, f"{made} ({size})", WHY)
    seconds, asked = measured["duration"], order["duration"]
    if order["video"] is None and asked > 0 and abs(seconds - asked) > SECONDS_OFF:
        yield Change("duration", asked, round(seconds, 2), WHY)
    sound = order["generate_audio"] or (order["video"] is not None and order["keep_audio"])
    if bool(measured["has_audio"]) != sound and not (order["video"] is not None and not sound):
        yield Change("generate_audio", sound, bool(measured["has_audio"]), WHY)


def _pixels(resolution: str) -> int:
    width, height = SIZES[resolution]["16:9"]
    return width * height


def _ratio_of(name: str) -> float:
    width, height = sides_of(name)
    return width / height


def _ratio_off(name: str, shape: float) -> bool:
    return abs(math.log(shape / _ratio_of(name))) > RATIO_OFF


def _nearest_ratio(shape: float) -> str:
    return min(SIZES["720p"], key=lambda name: abs(math.log(shape / _ratio_of(name))))
