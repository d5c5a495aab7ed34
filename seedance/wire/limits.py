"""What a provider and its models can do, as data from their documents.

`fit` compares it with an order, `media` with pictures, clips and sounds. Where a limit is in no
document, a comment beside it and the README say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias

from ..order import (
    LONGEST_SECONDS,
    MOST_CLIPS,
    MOST_IMAGES,
    MOST_SOUNDS,
    OPERATIONS,
    Kind,
    Mode,
)
from ..said import Said

Delivery = Literal["address", "inline", "upload", "handle", "bucket"]
Size: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Source:
    """Where limits are from: the document, and the date (ISO 8601, a month where that is all that
    is known) of the text that was read. `reported`: no document of the provider says it, others who
    use it do."""

    where: str
    as_of: str
    reported: bool = False


NOT_SAID = Said("")
# Of a model that a person named (`SEEDANCE_<ID>_MODELS`) and that the provider documents nowhere.
UNDOCUMENTED = Source("no document: named by SEEDANCE_<ID>_MODELS", "", reported=True)


@dataclass(frozen=True)
class MediaLimits:
    """What a provider documents about one kind of medium. None means that nothing is documented.

    `formats` are MIME types, the preferred first. Sides are pixels, `aspect` is width / height,
    `seconds` and `fps` are inclusive bounds of each, `total_seconds` of all of the kind together.
    `tolerance`: seconds below and above these bounds that the provider is known to take too.
    `doubtful_pixels`: the fewest by another document, which is said and not enforced.
    """

    formats: tuple[str, ...]
    max_bytes: int | None = None
    sides: tuple[int, int] | None = None
    aspect: tuple[float, float] | None = None
    pixels: tuple[int, int] | None = None
    seconds: tuple[float, float] | None = None
    total_seconds: tuple[float, float] | None = None
    fps: tuple[float, float] | None = None
    tolerance: tuple[float, float] = (0.0, 0.0)
    doubtful_pixels: int | None = None


@dataclass(frozen=True)
class ModelLimits:
    """What one model can do at one provider.

    `id` is the provider's own model id; `{resolution}` and `{mode}` in it are filled in by the
    provider. `adaptive` are the modes in which the provider can follow the source's ratio (or
    choose one). `source_ratio` and `source_duration` are the modes in which the ratio or the
    length can only be the source's, that is, `adaptive` or -1. `prompt_reported`: how long a prompt
    may be where no document tells, as those who use it report; it is said, and not enforced.
    `sizes` gives the exact output in pixels, `sizes[resolution][ratio]`. `images`, `videos`,
    `audios` count references, `edit_images` those beside a clip to work on; `total` counts all of
    them together. `media` replaces the
    provider's limits of a kind of medium, `mode_media` both in one mode, and `clip_pixels` the
    pixels of a clip by the resolution of the output. `notes` are said of an order with references
    of a kind. `by_prompt` are the modes for which the provider has no field of their own: the clip
    is a reference, and the prompt says what to do with it, so that nothing is guaranteed.
    `drafts` are the modes in which a 480p draft can be had, `finals` the resolutions that a draft
    can be finished in. `extends_apart`: an extension comes back without the clip that it goes on
    from.
    `web_search` are the modes in which the model may look things up, `formats` the containers that
    the video can be had in. `exact_frames`: with `adaptive`, too, first and last frames are brought
    to the exact size of the output, in the nearest ratio that has one, because the video jumps
    otherwise.
    `sources` say where all this is from.
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
    prompt_reported: int | None = None
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
    clip_pixels: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    notes: Mapping[Kind, Said] = field(default_factory=dict)
    by_prompt: frozenset[Mode] = frozenset()
    drafts: frozenset[Mode] = frozenset()
    finals: tuple[str, ...] = ()
    extends_apart: bool = False
    web_search: frozenset[Mode] = frozenset()
    formats: tuple[str, ...] = ("mp4",)
    exact_frames: bool = False
    sources: tuple[Source, ...] = ()

    @property
    def reported(self) -> bool:
        """Whether nothing but reports of others says what the model can do here."""
        return bool(self.sources) and all(source.reported for source in self.sources)

    def only(self, modes: Iterable[Mode]) -> ModelLimits:
        """The same model with no other modes than these."""
        kept = self.modes & frozenset(modes)
        fewer: dict[str, Any] = {
            item.name: getattr(self, item.name) & kept
            for item in fields(self)
            if isinstance(getattr(self, item.name), frozenset)
        }
        if "reference" not in kept:
            fewer |= dict.fromkeys(("images", "videos", "audios"), 0)
        if not kept & frozenset(OPERATIONS):
            fewer["edit_images"] = 0
        return replace(self, **fewer)

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
    any more. `draft_life`: seconds for which a draft can be finished, None where no document tells.
    `endless`: why a task may be under way for ever by the provider's answers, in a sentence; empty
    where no document tells of such tasks.
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
    draft_life: float | None = None
    endless: Said = NOT_SAID

    def of(
        self,
        kind: Kind,
        model: str | None = None,
        mode: Mode | None = None,
        resolution: str | None = None,
    ) -> MediaLimits | None:
        """The limits of one kind of medium: those of a model in a mode at a resolution of the
        output, where it has its own."""
        found = {"image": self.image, "video": self.video, "audio": self.audio}[kind]
        if not model:
            return found
        own = self.models[model]
        found = own.media.get(kind, found)
        if mode:
            found = own.mode_media.get(mode, {}).get(kind, found)
        pixels = own.clip_pixels.get(resolution or "")
        return replace(found, pixels=pixels) if found and pixels and kind == "video" else found

    def with_models(self, names: Iterable[str]) -> Limits:
        """These limits and, for each name that they lack, a model that a person named by an id of
        the provider's. No document says what it can do there, so that the counts and the lengths
        are the largest that any Seedance model has, and the rest is that of the first model."""
        lacking = [name for name in names if name not in self.models]
        if not lacking:
            return self
        first = next(iter(self.models.values()))
        counts: dict[str, Any] = {}
        if first.images:
            counts["images"] = MOST_IMAGES
        if first.videos:
            counts["videos"] = MOST_CLIPS
        if first.audios:
            counts["audios"] = MOST_SOUNDS
        named = replace(
            first,
            durations=(first.durations[0], max(LONGEST_SECONDS, first.durations[1])),
            total=None,
            sources=(UNDOCUMENTED,),
            **counts,
        )
        return replace(self, models={**self.models, **dict.fromkeys(lacking, named)})
