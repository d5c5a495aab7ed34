"""Colours as a person sees them: HDR and wide gamuts as sRGB, by the formulas of the standards."""

from __future__ import annotations

from functools import cache

import numpy as np

# Transfer curves and primaries, as numbers of ISO/IEC 23091-2.
PQ, HLG = 16, 18
_SRGB = 1
_CHROMATICITIES = {  # x, y of red, green and blue; all have the white of daylight, D65, but 11
    _SRGB: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # DCI-P3, shown with the white D65
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
_D65 = (0.3127, 0.3290)

_WHITE_NITS = 203.0  # the white of standard range in HDR (BT.2408)
_HLG_NITS = 1000.0  # the brightest of the display that HLG is defined for (BT.2100)
_HLG_GAMMA = 1.2
_STEPS = 4095  # of linear light, when it is written as 8-bit sRGB
_FINE_STEPS = 65535  # the same for floats: within a hundredth of 1/1023


def is_plain(transfer: int, primaries: int) -> bool:
    """Whether pixels of this transfer and these primaries are shown as sRGB."""
    # Those that are not in the table differ little from sRGB's, and players show them as such.
    wide = primaries != _SRGB and primaries in _CHROMATICITIES
    return transfer not in (PQ, HLG) and not wide


def to_srgb(levels: np.ndarray, transfer: int, primaries: int) -> np.ndarray:
    """RGB pixels, uint16 (..., 3) over the whole range, as uint8 in sRGB.

    The white of standard range in HDR (203 nits, 75 % of HLG) becomes white; what is brighter, or
    has a colour that sRGB lacks, is clipped.
    """
    return np.asarray(_srgb_levels()[_steps_of(levels, transfer, primaries, _STEPS)])


def to_srgb_floats(pixels: np.ndarray, transfer: int, primaries: int) -> np.ndarray:
    """As `to_srgb`, of float32 in 0..1; the result is float32 in 0..1 too."""
    levels = np.rint(pixels * np.float32(65535)).astype(np.uint16)
    return np.asarray(_srgb_values()[_steps_of(levels, transfer, primaries, _FINE_STEPS)])


def _steps_of(levels: np.ndarray, transfer: int, primaries: int, most: int) -> np.ndarray:
    """Linear light in sRGB's primaries, as the number of a step, uint16 (..., 3) in 0..`most`."""
    light = _light_of(transfer)[levels]
    if transfer == HLG:
        luma = light @ np.array(_luminance(primaries), np.float32)
        light *= np.power(luma, np.float32(_HLG_GAMMA - 1), where=luma > 0, out=luma)[..., None]
        light *= np.float32(_HLG_NITS / _WHITE_NITS)
    light = light @ _to_srgb_primaries(primaries).T
    steps = np.clip(light, 0, 1, out=light)
    # Equal steps of the square root of light are fine enough for the darkest levels of sRGB.
    np.sqrt(steps, out=steps)
    steps *= most
    return np.asarray(np.rint(steps, out=steps).astype(np.uint16))


@cache
def _light_of(transfer: int) -> np.ndarray:
    """Linear light, float32, of each of 65536 levels; 1 is white (in HLG: the brightest)."""
    level = np.arange(65536) / 65535
    if transfer == PQ:
        power = level ** (1 / 78.84375)
        nits = 10000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (
            1 / 0.1593017578125
        )
        light = nits / _WHITE_NITS
    elif transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(level <= 0.5, level**2 / 3, (np.exp((level - c) / a) + b) / 12)
    else:
        light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return np.asarray(light, np.float32)


@cache
def _srgb_levels() -> np.ndarray:
    """8-bit sRGB levels for each step of the square root of light."""
    return np.asarray(np.rint(_srgb_of(_STEPS) * 255), np.uint8)


@cache
def _srgb_values() -> np.ndarray:
    """sRGB in 0..1, float32, for each fine step of the square root of light."""
    return np.asarray(_srgb_of(_FINE_STEPS), np.float32)


def _srgb_of(most: int) -> np.ndarray:
    light = (np.arange(most + 1) / most) ** 2
    level = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(level)


def _to_xyz(primaries: int) -> np.ndarray:
    """The matrix from linear RGB to CIE XYZ."""
    corners = _CHROMATICITIES.get(primaries, _CHROMATICITIES[_SRGB])
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in corners]).T
    x, y = _D65
    strength: np.ndarray = np.linalg.solve(columns, np.array((x / y, 1, (1 - x - y) / y)))
    return np.asarray(columns * strength)


@cache
def _to_srgb_primaries(primaries: int) -> np.ndarray:
    matrix: np.ndarray = np.linalg.inv(_to_xyz(_SRGB)) @ _to_xyz(primaries)
    return matrix.astype(np.float32)


def _luminance(primaries: int) -> tuple[float, ...]:
    return tuple(_to_xyz(primaries)[1])
