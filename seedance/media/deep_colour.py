"""Pictures turned into RGB as exactly as they are stored: those of more than 8 bits a channel,
those whose colours have the size of the luma (4:4:4), and those of HDR and wide gamuts.

swscale's own 16-bit RGB comes out half a level of 8 bits too dark, and its 8-bit one is rounded.
Here it only brings the planes to full size, in their own depth; the colour matrix is applied in
floats.
"""

from __future__ import annotations

import av
import numpy as np

BITS = (8, 9, 10, 12, 14, 16)  # depths that swscale has planes of full size for

# The parts of red and of blue in the luma, by the number of swscale's table.
_LUMA = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}


def exact_bits(frame: av.VideoFrame, plain: bool) -> int:
    """Bits of a channel of a frame that is to be turned into floats here; 0 where 8 bits of RGB
    hold all that it has. `plain` says whether its colours are those of sRGB."""
    bits = max(component.bits for component in frame.format.components)
    if bits not in BITS:
        return 0
    return bits if bits > 8 or not plain or _is_444(frame) else 0


def _is_444(frame: av.VideoFrame) -> bool:
    """Whether a frame in YUV has a colour for each pixel."""
    luma, *chroma = frame.format.components
    return (
        not frame.format.is_rgb
        and len(chroma) >= 2
        and chroma[0].width == luma.width
        and (chroma[0].height == luma.height)
    )


def planes_format(frame: av.VideoFrame, bits: int) -> str:
    """The name of the format whose three planes have full size and `bits` a sample: Y, U and V, or
    of a frame in RGB green, blue and red."""
    name = "gbrp" if frame.format.is_rgb else "yuv444p"
    return name if bits == 8 else f"{name}{bits}le"


def write_levels(planes: list[np.ndarray], target: np.ndarray, *, bits: int) -> None:
    """Write green, blue and red, uint8 or uint16 (height, width) with `bits` a sample, into
    `target`, float32 (height, width, 3), as RGB in 0..1."""
    for plane, channel in zip(planes, (1, 2, 0)):
        np.divide(plane, np.float32((1 << bits) - 1), out=target[..., channel], casting="unsafe")


def write_rgb(
    planes: list[np.ndarray], target: np.ndarray, *, matrix: int, full: bool, bits: int
) -> None:
    """Write Y, U and V, uint8 or uint16 (height, width) with `bits` a sample, into `target`,
    float32 (height, width, 3), as RGB in 0..1."""
    red, blue = _LUMA[matrix]
    green = 1 - red - blue
    unit = 1 << (bits - 8)  # a level of 8 bits
    black, luma_range = (0, (1 << bits) - 1) if full else (16 * unit, 219 * unit)
    chroma_range = (1 << bits) - 1 if full else 224 * unit
    luma, u, v = (plane.astype(np.float32) for plane in planes)
    luma -= black
    luma /= luma_range
    for chroma in (u, v):
        chroma -= 128 * unit
        chroma /= chroma_range
    target[..., 0] = luma + 2 * (1 - red) * v
    target[..., 2] = luma + 2 * (1 - blue) * u
    target[..., 1] = (luma - red * target[..., 0] - blue * target[..., 2]) / green
    np.clip(target, 0, 1, out=target)
