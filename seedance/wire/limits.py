"""What a provider and its models can do, as data from their documents.

`fit` compares it with an order, `media` with pictures, clips and sounds. Where a limit is in no
document, a comment beside it and the README say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ..order import OPERATIONS, Kind, Mode

Delivery = Literal["address", "inline", "upload", "handle", "bucket"]
Size: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class MediaLimits:
    """What a provider documents about one kind of medium. None means that nothing is documented.

    `formats` are MIME types, the preferred first. Sides are pixels, `aspect` is width / height,
    `seconds` and `fps` are inclusive bounds of each, `total_seconds` of all of the kind together.
    """

    formats: tuple[str, ...]
    max_bytes: int | None = None
    sides: tuple[int, int] | None = None
    aspect: tuple[float, float] | None = None
    pixels: tuple[int, int] | None = None
    seconds: tuple[float, float] | None = None
    total_seconds: tuple[float, float] | None = None
    fps: tuple[float, float] | None = None


@dataclass(frozen=True)
class ModelLimits:
    """What one model can do at one provider.

    `id` is the provider's own model id; `{resolution}` and `{mode}` in it are filled in by the
    provider. `adaptive` are the modes in which the provider can follow the source's ratio (or
    choose one). `source_ratio` and `source_duration` are the modes in which the ratio or the
    length can only be the source's, that is, `adaptive` or -1. `sizes` gives the exact output in
    pixels, `sizes[resolution][ratio]`. `images`, `videos`, `audios` count references, `edit_images`
    those beside a clip to work on; `total` counts all of them together. `media` replaces the
    provider's limits of a kind of medium, `mode_media` both in one mode. `notes` are said of an
    order with references of a kind.
    """

    id: str
    modes: frozenset[Mode]
    resolutions: tuple[str, ...]
    ratios: tuple[str, ...]
    durations: tuple[int, int]
    adaptive: frozenset[Mode] = frozenset()
    source_ratio: frozenset[Mode] = frozenset()
    source_duration: frozenset[Mode] = frozenset()
    auto_duration: bool = False
    prompt_max: int | None = None
    prompt_optional: frozenset[Mode] = frozenset()
    sizes: Mapping[str, Mapping[str, Size]] = field(default_factory=dict)
    images: int = 0
    videos: int = 0
    audios: int = 0
    total: int | None = None
    audio_alone: bool = False
    edit_images: int = 0
    generates_audio: bool = True
    seed: bool = True
    watermark: bool = False
    camera_fixed: bool = False
    keeps_audio: bool = False
    media: Mapping[Kind, MediaLimits] = field(default_factory=dict)
    mode_media: Mapping[Mode, Mapping[Kind, MediaLimits]] = field(default_factory=dict)
    notes: Mapping[Kind, str] = field(default_factory=dict)

    def counts(self, mode: Mode) -> dict[Kind, int]:
        """How many references of each kind an order may have in a mode."""
        if mode in OPERATIONS:
            return {"image": self.edit_images, "video": 0, "audio": 0}
        if mode == "reference":
            return {"image": self.images, "video": self.videos, "audio": self.audios}
        return {"image": 0, "video": 0, "audio": 0}


@dataclass(frozen=True)
class Limits:
    """What a provider can do, as data.

    `delivery[kind]`: how such a medium may reach the provider, for a file best first: `address`
    (any public one; for a file, by the user's bucket), `inline` (data URI), `upload` (the
    provider's own), `handle` (its own ids only).
    `concurrent`: tasks at once per key. `poll_interval`: seconds, as documented. `result_life`:
    seconds that a result can be fetched. `task_life`: seconds that a task can be asked for.
    `forgets_after`: seconds after which, as its document says, the provider does not know a task
    any more.
    """

    models: Mapping[str, ModelLimits]
    delivery: Mapping[Kind, tuple[Delivery, ...]]
    image: MediaLimits
    video: MediaLimits | None = None
    audio: MediaLimits | None = None
    spelling: Mapping[Kind, str] = field(
        default_factory=lambda: {"image": "@Image{n}", "video": "@Video{n}", "audio": "@Audio{n}"}
    )
    concurrent: int | None = None
    poll_interval: float | None = None
    result_life: float | None = None
    task_life: float = 48 * 3600
    forgets_after: float | None = None

    def of(
        self, kind: Kind, model: str | None = None, mode: Mode | None = None
    ) -> MediaLimits | None:
        """The limits of one kind of medium: those of a model in a mode, where it has its own."""
        if model:
            own = self.models[model]
            for media in (own.mode_media.get(mode, {}) if mode else {}, own.media):
                if kind in media:
                    return media[kind]
        return {"image": self.image, "video": self.video, "audio": self.audio}[kind]
