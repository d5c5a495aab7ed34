"""An order as it reached the preview: what a clip is drawn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadOrder
from ..order import RATIOS, SIZES


@dataclass(frozen=True)
class Scene:
    """An order as it reached the preview. Media are local files, or None where they are addresses
    on the network, which are not fetched: a card stands for them."""

    mode: str
    prompt: str
    resolution: str
    ratio: str
    duration: int
    generate_audio: bool
    seed: int
    watermark: bool
    camera_fixed: bool
    keep_audio: bool
    first_frame: Path | None
    last_frame: Path | None
    video: Path | None
    images: tuple[Path | None, ...]
    videos: tuple[Path | None, ...]
    audios: tuple[Path | None, ...]

    @classmethod
    def read(cls, order: Mapping[str, Any], local: Callable[[str], Path | None]) -> Scene:
        """From the JSON of a create; `local` finds the file behind an address.

        Raises BadOrder for what no preview can be made of.
        """

        def one(name: str) -> Path | None:
            return local(str(order[name])) if order.get(name) else None

        def several(name: str) -> tuple[Path | None, ...]:
            found = order.get(name) or ()
            return tuple(local(str(address)) for address in found)

        if order.get("resolution") not in SIZES or order.get("ratio") not in RATIOS:
            raise BadOrder("The preview does not know this resolution or ratio.")
        duration = order.get("duration")
        if not isinstance(duration, int) or not (duration == -1 or 1 <= duration <= 60):
            raise BadOrder("The preview makes clips of 1 to 60 s.")
        return cls(
            mode=str(order.get("mode") or "text"),
            prompt=" ".join(str(order.get("prompt") or "").split()),
            resolution=order["resolution"],
            ratio=order["ratio"],
            duration=duration,
            generate_audio=bool(order.get("generate_audio")),
            seed=int(order.get("seed") or 0),
            watermark=bool(order.get("watermark")),
            camera_fixed=bool(order.get("camera_fixed")),
            keep_audio=bool(order.get("keep_audio")),
            first_frame=one("first_frame"),
            last_frame=one("last_frame"),
            video=one("video"),
            images=several("images"),
            videos=several("videos"),
            audios=several("audios"),
        )
