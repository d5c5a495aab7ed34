"""How a clip's pictures are turned before they are shown: the display matrix of phones."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type


@dataclass(frozen=True)
class Turn:
    """What is done to a decoded picture before it is shown: its sides are swapped (it is mirrored
    at its diagonal), then it is flipped left to right and top to bottom."""

    swap: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def __call__(self, plane: np.ndarray) -> np.ndarray:
        """A view of an array (height, width, ...) as it is shown."""
        if self.swap:
            plane = plane.swapaxes(0, 1)
        return plane[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height as shown, of those that are stored; and the other way round."""
        return (height, width) if self.swap else (width, height)


UPRIGHT = Turn()


def turn_of(frame: av.VideoFrame) -> Turn:
    """The turn that a decoded frame asks for, to the nearest quarter."""
    # By its key: what iterating gives differs between versions of PyAV.
    sides: Any = frame.side_data
    side = sides.get(Type.DISPLAYMATRIX)
    if side is not None and len(bytes(side)) >= 36:
        a, b, _, c, d = struct.unpack("=5i", bytes(side)[:20])
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return Turn(False, a < 0, d < 0)
        return Turn(True, c < 0, b < 0)
    return UPRIGHT
