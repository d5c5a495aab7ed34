"""The outputs of nodes that give videos: each a list with one item a take. A take that failed is an
ExecutionBlocker with its sentence in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Union

import folder_paths
from comfy_api.latest import io, ui
from comfy_execution.graph_utils import ExecutionBlocker

from ..seedance import media
from ..seedance.errors import SeedanceError
from . import tensors
from .values import converted

if TYPE_CHECKING:
    import torch

    from ..seedance.media import Promise
    from ..seedance.runner import Result

    Outcome = Union[Result, SeedanceError]

Given = ParamSpec("Given")
Value = TypeVar("Value")

NOT_DECODED = "The frames were not decoded, because decode_frames was off."
NO_LAST_FRAME = "The last frame was not decoded, because decode_last_frame was off."
NO_AUDIO = "The sound was not decoded, because decode_audio was off."


def schema() -> list[io.Output]:
    """The outputs as ComfyUI and saved workflows know them."""
    return [
        io.Image.Output(
            "frames",
            display_name="frames",
            is_output_list=True,
            tooltip="The frames of the video. They are decoded only where something uses them.",
        ),
        io.Video.Output(
            "video",
            display_name="video",
            is_output_list=True,
            tooltip="The video as it was saved, with its sound.",
        ),
        io.Audio.Output(
            "audio",
            display_name="audio",
            is_output_list=True,
            tooltip="The sound; nothing where the video is silent.",
        ),
        io.Float.Output(
            "fps", display_name="fps", is_output_list=True, tooltip="Frames per second."
        ),
        io.Image.Output(
            "last_frame",
            display_name="last_frame",
            is_output_list=True,
            tooltip="The last frame: connect it to the first frame of the next shot. It is always "
            "the same to the bit, so that a chain is not paid for again.",
        ),
        io.String.Output(
            "task",
            display_name="task",
            is_output_list=True,
            tooltip="The ticket of the paid task. With Seedance Collect Task or the command line "
            "it gives the video again.",
        ),
    ]


class _Shown(ui.PreviewVideo):
    """Saved videos, and what the node says of them (report.py): ComfyUI gives both back to the page
    where it need not run the node again."""

    def __init__(self, values: list[ui.SavedResult], news: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.news = news

    def as_dict(self) -> dict[str, Any]:
        return {**super().as_dict(), "seedance": [self.news]}


def preview(outcomes: Sequence[Outcome], news: Mapping[str, Any]) -> ui.PreviewVideo | None:
    """The saved videos for the page, where they are in ComfyUI's output folder."""
    saved = [outcome.file for outcome in outcomes if not isinstance(outcome, SeedanceError)]
    return preview_files(saved, news)


def preview_files(saved: Sequence[Path], news: Mapping[str, Any]) -> ui.PreviewVideo | None:
    """Files for the page, where they are in ComfyUI's output folder."""
    base = Path(folder_paths.get_output_directory()).absolute()
    files = [
        ui.SavedResult(file.name, file.parent.relative_to(base).as_posix(), io.FolderType.output)
        for file in (each.absolute() for each in saved)
        if file.is_relative_to(base)
    ]
    return _Shown(files, news) if files else None


class Failure(ExecutionBlocker):
    """Blocks what hangs on a value that should be there and is not; queueing again may mend it."""


Values = tuple[object, ...]  # of one take, in the order of `schema`


@dataclass(frozen=True)
class Decoded:
    """What is decoded of a video, by the inputs of these names."""

    decode_frames: bool = True
    decode_last_frame: bool = True
    decode_audio: bool = True
    frames_first: int = 0
    frames_count: int = 0
    frames_step: int = 1

    def __post_init__(self) -> None:
        """Raises BadOrder for a part that makes no sense: a link may bring any number."""
        for name, least in (("frames_first", 0), ("frames_count", 0), ("frames_step", 1)):
            media.check_least(name, getattr(self, name), least)

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Decoded:
        """From a node's values, which a link may have brought. Raises BadOrder."""
        return cls(**converted(values))

    @property
    def part(self) -> tensors.Part:
        """Which frames are decoded."""
        return tensors.Part(self.frames_first, self.frames_count, self.frames_step)


def values(
    outcomes: Sequence[Outcome],
    decoded: Decoded,
    on_memory: Callable[[Promise], None] = lambda _: None,
) -> list[Values]:
    """The outputs of each take. Decodes, and so keeps a processor busy. `on_memory` is given the
    memory that the frames will fill. Raises the takes' error if all failed."""
    errors = [outcome for outcome in outcomes if isinstance(outcome, SeedanceError)]
    if len(errors) == len(outcomes):
        raise all_failed(errors)
    files = [outcome.file for outcome in outcomes if not isinstance(outcome, SeedanceError)]
    blocked = [ExecutionBlocker(NOT_DECODED)] * len(files)
    frames = iter(_frames(files, decoded.part, on_memory) if decoded.decode_frames else blocked)
    return [
        (Failure(str(outcome)),) * len(schema())
        if isinstance(outcome, SeedanceError)
        else _of_take(outcome, next(frames), decoded)
        for outcome in outcomes
    ]


def all_failed(errors: Sequence[SeedanceError]) -> SeedanceError:
    """One error for all takes: the first, with what the others say where that differs."""
    first = errors[0]
    sentences = list(dict.fromkeys(str(error) for error in errors))
    if len(sentences) == 1:
        return first
    return type(first)(
        "All {count} takes failed. {said}",
        spent=first.spent,
        count=len(errors),
        said=" ".join(sentences),
    )


def _of_take(result: Result, frames: torch.Tensor | ExecutionBlocker, decoded: Decoded) -> Values:
    return (
        frames,
        tensors.video(result.file),
        audio(result.file, result.has_audio, decoded),
        result.fps,
        last_frame(result, decoded),
        result.task,
    )


def audio(
    file: Path, has_audio: bool, decoded: Decoded
) -> dict[str, Any] | ExecutionBlocker | None:
    """The sound of a saved video, None where it has none; blocked where it is not decoded."""
    if not has_audio:
        return None
    return or_failure(tensors.audio, file) if decoded.decode_audio else ExecutionBlocker(NO_AUDIO)


def last_frame(result: Result, decoded: Decoded) -> torch.Tensor | ExecutionBlocker:
    """The last frame of a saved video; blocked where it is not decoded."""
    if not decoded.decode_last_frame:
        return ExecutionBlocker(NO_LAST_FRAME)
    return or_failure(tensors.last_frame, result)


def _frames(
    files: Sequence[Path], part: tensors.Part, on_memory: Callable[[Promise], None]
) -> Sequence[torch.Tensor | Failure]:
    """Those frames of each file, or failures if memory does not suffice for the frames of all."""
    try:
        with tensors.memory_for(files, part) as memory:
            on_memory(memory)
            return [or_failure(tensors.frames, file, part, memory) for file in files]
    except SeedanceError as error:
        return [Failure(str(error))] * len(files)


def or_failure(
    decode: Callable[Given, Value], *given: Given.args, **named: Given.kwargs
) -> Value | Failure:
    """What is in a file. Where it cannot be decoded, for want of memory for instance, the saved
    video is there all the same, so that only this value is blocked."""
    try:
        return decode(*given, **named)
    except SeedanceError as error:
        return Failure(str(error))
