"""Pictures of more than 8 bits a channel, turned into RGB as exactly as they are stored.

swscale's own 16-bit RGB comes out half a level of 8 bits too dark. Here it only brings the planes
to full size, in their own depth; the colour matrix is applied in floats.
"""

from __future__ import annotations

import av
import numpy as np

DEEP_BITS = (10, 12, 14, 16)  # depths that swscale has planes of full size for

# The parts of red and of blue in the luma, by the number of swscale's table.
_LUMA = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}


def depth_of(frame: av.VideoFrame) -> int:
    """Bits of a channel of a frame in YUV, where they are more than 8; otherwise 0."""
    bits = max(component.bits for component in frame.format.components)
    return bits if bits in DEEP_BITS and not frame.format.is_rgb else 0


def planes_format(bits: int) -> str:
    """The name of the format whose three planes have full size and `bits` a sample."""
    return f"yuv444p{bits}le"


def write_rgb(
    planes: list[np.ndarray], target: np.ndarray, *, matrix: int, full: bool, bits: int
) -> None:
    """Write Y, U and V, uint16 (height, width) with `bits` a sample, into `target`, float32
    (height, width, 3), as RGB in 0..1."""
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
