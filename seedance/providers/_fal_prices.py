"""fal's list of prices. A second of video is width x height x 24 / 1024 tokens; the clips among the
inputs count like the output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Price:
    """USD per 1000 tokens, the date of the list, and the factor where a clip is among the
    inputs."""

    per_1000: float
    as_of: str
    with_clip: float = 0.6


# fal.ai/models/bytedance/seedance-2.0, and its fast tier. What is reported of 1080p is the price of
# the same tokens; of 4k nothing is.
_STANDARD = Price(0.014, "2026-04")
_FAST = Price(0.0112, "2026-04")
_MINI = Price(0.00716, "2026-08, reported")
# Comfy Router's list of what fal takes, docs.comfy.org, pricing.
_NEWEST = Price(0.0214, "2026-10")
# fal.ai/models/bytedance/seedance-2.5/draft/complete.
_NEWEST_1080P = Price(0.0234, "2026-10")
# fal.ai/models/bytedance/seedance-2.5/flash/text-to-video: in and out at the same price.
_FLASH = Price(0.014, "2026-10", with_clip=1.0)

PRICES: Mapping[str, Mapping[str, Price]] = {
    "seedance-2.0": {
        "480p": _STANDARD,
        "720p": _STANDARD,
        "1080p": Price(0.014, "2026-08, reported"),
    },
    "seedance-2.0-fast": {"480p": _FAST, "720p": _FAST},
    "seedance-2.0-mini": {"480p": _MINI, "720p": _MINI},
    "seedance-2.5": {"480p": _NEWEST, "720p": _NEWEST, "1080p": _NEWEST_1080P},
    "seedance-2.5-flash": {"480p": _FLASH, "720p": _FLASH},
}
