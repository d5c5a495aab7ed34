"""IMAGE, VIDEO and AUDIO values of ComfyUI: into media of an order, and out of saved files.

torch, NumPy and PyAV are imported when a value is first converted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from comfy_api.latest import InputImpl, Types

from ..seedance import media
from ..seedance.errors import BadOrder
from ..seedance.order import Medium
from ..seedance.said import Said, say
from . import threads

if TYPE_CHECKING:
    import numpy as np
    import torch
    from comfy_api.latest import Input

    from ..seedance.media import Promise
    from ..seedance.runner import Result

_TOO_MANY = say(
    "What was made is safe on disk. Use the video output instead of the frames, or decode fewer of "
    "them: frames_step 12 gives every twelfth, frames_first and frames_count a part. A lower "
    "resolution, a shorter duration or fewer takes need less too."
)


def _too_many(infos: Sequence[media.ClipInfo], part: Part) -> Said:
    """What to do where those frames do not fit into memory, with the step that fits now."""
    step = None if part.count or not infos else media.least_step(infos, part.first)
    if step is None:
        return _TOO_MANY
    return say(
        "What was made is safe on disk, and queueing again is free. Use the video output instead "
        "of the frames, or decode fewer of them: frames_step {step} fits now, frames_first and "
        "frames_count give a part.",
        step=step,
    )


# ------------------------------------------------------------------------------------ into an order


def picture(image: torch.Tensor, name: str) -> Medium:
    """The one picture of an IMAGE, a float tensor (1, height, width, channels) in 0..1.

    Raises BadOrder, naming the input `name`, for a batch of several.
    """
    found = list(pictures(image, name))
    if len(found) != 1:
        raise BadOrder(
            "{name} holds {count} pictures, and one is meant.",
            hint="Choose one, e.g. with Get Image from Batch, or connect them to "
            "Seedance Reference to Video.",
            name=name,
            count=len(found),
        )
    return found[0]


def pictures(image: torch.Tensor, name: str) -> Iterator[Medium]:
    """Every picture of an IMAGE, in order, as 8-bit RGB. Grey ones become RGB, transparent ones are
    laid on white. Raises BadOrder for anything that is no picture."""
    if not hasattr(image, "ndim"):
        raise _of_another_kind(name, image, "IMAGE")
    batch = image[None] if image.ndim == 3 else image
    if batch.ndim == 4 and not batch.numel():
        raise BadOrder("{name} holds no picture.", hint="Connect one that is not empty.", name=name)
    if batch.ndim != 4 or batch.shape[-1] not in (1, 3, 4):
        raise BadOrder(
            "{name} is no picture: its shape is {shape}.",
            hint="An IMAGE has the shape (pictures, height, width, 3).",
            name=name,
            shape=str(tuple(image.shape)),
        )
    for one in batch:
        yield Medium.from_pixels(_rgb(one))


def _of_another_kind(name: str, value: object, wanted: str) -> BadOrder:
    """The error for a value that a wildcard link brought, or a prompt has in place of a link."""
    return BadOrder(
        "{name} must be {what}, not {value}.",
        hint="Connect an output of that type to {name}.",
        name=name,
        what=wanted,
        value=repr(value)[:80],
    )


def _rgb(one: torch.Tensor) -> np.ndarray:
    pixels = one.detach().cpu().float().numpy()
    if pixels.shape[-1] == 1:
        pixels = pixels.repeat(3, axis=-1)
    if pixels.shape[-1] == 4:
        colour, alpha = pixels[..., :3], pixels[..., 3:].clip(0, 1)
        pixels = colour * alpha + (1 - alpha)
    return media.to_8bit(pixels)


def clip(video: Input.Video, name: str) -> Medium:
    """A VIDEO as a clip: its file where there is one that holds nothing else, otherwise the bytes
    of an MP4, which is encoded here. Raises BadOrder, naming the input `name`, for one that is no
    clip."""
    if not hasattr(video, "get_stream_source"):
        raise _of_another_kind(name, video, "VIDEO")
    if isinstance(video, InputImpl.VideoFromComponents):
        with threads.processor():
            return Medium.from_data("video", _of_components(video.get_components(), name))
    source = video.get_stream_source()
    file = source.getvalue() if isinstance(source, BytesIO) else Path(source)
    if (part := _part(video)) is not None:
        with threads.processor():
            cut = media.cut_clip(file, *part)
        if cut is not None:
            return Medium.from_data("video", cut)
    if isinstance(file, bytes):
        return Medium.from_data("video", file)
    return Medium.from_path("video", file)


def _part(video: Input.Video) -> tuple[float, float | None] | None:
    """The start and the length in seconds that trimming left of a file; None for the whole. The
    length is None where it goes to the end."""
    if hasattr(video, "get_active_trim_window"):
        start, seconds = video.get_active_trim_window()
    else:  # ComfyUI 0.18 has no name for it
        start, seconds = (
            getattr(video, f"_VideoFromFile__{each}", 0) for each in ("start_time", "duration")
        )
    return (float(start), float(seconds) or None) if start or seconds else None


def _of_components(components: Types.VideoComponents, name: str) -> bytes:
    """The pictures and the sound of a VIDEO that has no file, as an MP4. Of an odd side the last
    line is left out."""
    images = components.images
    if images.ndim != 4 or not len(images) or min(images.shape[1:3]) < 2:
        raise BadOrder(
            "{name} holds no pictures: their shape is {shape}.",
            hint="Connect a video that is not empty.",
            name=name,
            shape=str(tuple(images.shape)),
        )
    height, width = (side - side % 2 for side in images.shape[1:3])
    frames = (_rgb(one[:height, :width]) for one in images)
    sound = None
    if components.audio and components.audio["waveform"].numel():
        sound = (_samples(components.audio), int(components.audio["sample_rate"]))
    fps = Fraction(components.frame_rate).limit_denominator(1001)
    with TemporaryDirectory(prefix="seedance-") as folder:
        file = Path(folder) / "clip.mp4"
        media.write_clip(file, frames, fps, sound)
        return file.read_bytes()


def sound(audio: dict[str, Any], name: str) -> Medium:
    """An AUDIO, `{"waveform": float tensor (1, channels, samples), "sample_rate"}`, as a WAV file.

    Raises BadOrder, naming the input `name`, for a batch of several and for one without samples.
    """
    if not isinstance(audio, Mapping) or "waveform" not in audio:
        raise _of_another_kind(name, audio, "AUDIO")
    waveform = audio["waveform"]
    if not waveform.numel():
        raise BadOrder(
            "{name} holds no sound: it is empty.", hint="Connect one that is not.", name=name
        )
    if waveform.ndim == 3 and len(waveform) != 1:
        raise BadOrder(
            "{name} holds {count} sounds, and one is meant.", name=name, count=len(waveform)
        )
    wav = media.encode_wav(_samples(audio), int(audio["sample_rate"]))
    return Medium.from_data("audio", wav)


def _samples(audio: dict[str, Any]) -> np.ndarray:
    """The first sound of an AUDIO, float (channels, samples)."""
    waveform = audio["waveform"]
    first = waveform[0] if waveform.ndim == 3 else waveform
    samples: np.ndarray = first.reshape(-1, first.shape[-1]).detach().cpu().float().numpy()
    return samples


# --------------------------------------------------------------------------------- out of a result


@dataclass(frozen=True)
class Part:
    """Which frames of a video: every `step`-th from `first` on (counted from 0), at most `count`;
    0 is all."""

    first: int = 0
    count: int = 0
    step: int = 1

    def __call__(self, frames: int) -> int:
        """How many they are of so many."""
        return media.part_of(frames, self.first, self.count or None, self.step)


def memory_for(files: Sequence[Path], part: Part) -> AbstractContextManager[Promise]:
    """Hold the memory that those frames of all `files` need, for `frames`. Raises BadOrder if it
    does not suffice."""
    infos = []
    for file in files:
        with suppress(BadOrder):  # which decoding it will say again
            infos.append(media.probe(file))
    needed = sum(media.frames_bytes(info, part(info.frames)) for info in infos)
    what = say("The frames of {count} videos", count=len(files))
    if len(files) == 1:
        what = say("The frames of the video")
    return media.ensure_memory(needed, what, _too_many(infos, part))


def frames(file: Path, part: Part, memory: Promise) -> torch.Tensor:
    """IMAGE: float32 (frames, height, width, 3) in 0..1. Raises BadOrder if it cannot be read, or
    if it has no such frames."""
    import torch

    decoded = media.decode_frames(
        file, start=part.first, count=part.count or None, step=part.step, memory=memory
    )
    if not len(decoded):
        raise BadOrder(
            "The video has no frame {first}, at which frames_first begins.",
            hint="It has {frames}, counted from 0.",
            first=part.first,
            frames=media.probe(file).frames,
        )
    return torch.from_numpy(decoded)


def video(file: Path) -> Input.Video:
    """VIDEO: the file itself; nothing is read."""
    return InputImpl.VideoFromFile(str(file))


def rate_and_sound(file: Path) -> tuple[float, bool]:
    """The frames a second of a video, and whether it has sound."""
    info = media.probe(file)
    return float(info.fps), info.has_audio


def audio(file: Path) -> dict[str, Any] | None:
    """AUDIO: `{"waveform": float32 (1, channels, samples), "sample_rate"}`, None if silent."""
    import torch

    decoded = media.decode_audio(file)
    if decoded is None:
        return None
    samples, rate = decoded
    return {"waveform": torch.from_numpy(samples)[None], "sample_rate": rate}


def last_frame(result: Result) -> torch.Tensor:
    """IMAGE (1, height, width, 3): float32 in 0..1 that gives the 8 bits of the last frame's PNG
    again. Raises BadOrder if it cannot be read."""
    import numpy as np
    import torch

    from ..seedance.runner import last_frames
    from ..seedance.runner.files import Files

    pixels = last_frames.pixels(Files(result.file))
    return torch.from_numpy(np.divide(pixels, np.float32(255), dtype=np.float32))[None]
