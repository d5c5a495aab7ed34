"""A medium as the Blob that goes up: as it is where the limits allow, else brought within them.

Owns the comparison of a medium with `wire.MediaLimits`, and the sentences that say what does not
fit. Must not know which provider the limits are of.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import BadOrder
from ..files import sha256_of
from ..order import Medium
from ..wire import Blob, MediaLimits
from .clips import ClipPlan, convert_clip, convert_sound
from .info import ClipInfo, SoundInfo, check_whole, probe, probe_sound
from .pictures import encode_png, fit_cover, open_picture, read_picture, scale

SMALLEST_SIDE = 16  # pixels; no model sees anything in less, whatever a provider documents

_EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/bmp": "bmp",
    "image/tiff": "tiff",
    "image/gif": "gif",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
}
_SAME_TYPE = {
    "image/jpg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
}
_EXIF_ORIENTATION = 0x0112
_SHRINK = 0.9  # a step smaller, where the first guess at a size in bytes was not enough


# -------------------------------------------------------------------------------------- pictures


def picture_blob(
    medium: Medium, limits: MediaLimits, *, size: tuple[int, int] | None = None
) -> tuple[Blob, str | None]:
    """A picture as it goes up, and a sentence if it had to be made smaller.

    `size` (width, height): cover and centre crop to exactly that. A file that is upright, of an
    accepted format, within the limits and of that size goes up byte for byte. All else goes up
    losslessly as PNG (or WebP, where PNG is not taken or too large; JPEG only where neither is
    taken); it is scaled down only if a documented limit demands it. Raises BadOrder for a picture
    that is unreadable, too small, or of a shape outside the limits.
    """
    source = medium.data if medium.data is not None else medium.path
    if source is not None:
        blob = _untouched_picture(source, limits, size)
        if blob is not None:
            return blob, None
        pixels = read_picture(source)
    elif medium.pixels is not None:
        pixels = medium.pixels
    else:
        raise BadOrder("An address is not a picture that can be encoded.")
    height, width = pixels.shape[:2]
    _check_smallest(width, height)
    if size is not None:
        pixels = fit_cover(pixels, *size)
        height, width = pixels.shape[:2]
    _check_shape("picture", width, height, limits)
    return _encoded_picture(pixels, limits)


def _untouched_picture(
    source: Path | bytes, limits: MediaLimits, size: tuple[int, int] | None
) -> Blob | None:
    """The file as it is, if nothing asks for a change."""
    with open_picture(source) as picture:
        width, height = picture.size
        mime = Image.MIME.get(picture.format or "", "")
        upright = picture.getexif().get(_EXIF_ORIENTATION, 1) == 1
        picture.load()  # a broken file must be refused here, not by the provider
    _check_smallest(width, height)
    length = len(source) if isinstance(source, bytes) else source.stat().st_size
    if (
        not upright
        or not _accepts(limits, mime)
        or (size is not None and size != (width, height))
        or _scale_to_fit(width, height, limits) < 1
        or length > (limits.max_bytes or length)
    ):
        return None
    _check_shape("picture", width, height, limits)
    data = source if isinstance(source, bytes) else source.read_bytes()
    return _picture(data, mime, width, height)


def _encoded_picture(pixels: np.ndarray, limits: MediaLimits) -> tuple[Blob, str | None]:
    was = f"{pixels.shape[1]}x{pixels.shape[0]}"
    original, factor = pixels, _scale_to_fit(pixels.shape[1], pixels.shape[0], limits)
    why = f"at most {_most_pixels(limits)} are taken"
    while True:
        if factor < 1:
            width, height = (max(int(side * factor), 1) for side in original.shape[1::-1])
            pixels = scale(original, width, height)
        data, mime = _encode(pixels, limits)
        height, width = pixels.shape[:2]
        if limits.max_bytes is None or len(data) <= limits.max_bytes:
            break
        factor *= min(math.sqrt(limits.max_bytes / len(data)), 1) * _SHRINK
        why = f"at most {_megabytes(limits.max_bytes)} are taken"
        if min(original.shape[:2]) * factor < _smallest(limits):
            raise BadOrder(f"A picture of {was} cannot be made small enough: {why}.")
    note = f"A picture of {was} was scaled down to {width}x{height}: {why}." if factor < 1 else None
    return _picture(data, mime, width, height), note


def _encode(pixels: np.ndarray, limits: MediaLimits) -> tuple[bytes, str]:
    """The pixels in the first of PNG, WebP and JPEG that is taken and small enough."""
    most = limits.max_bytes
    data, mime = b"", ""
    if _accepts(limits, "image/png"):
        data, mime = encode_png(pixels), "image/png"
        if most is None or len(data) <= most:
            return data, mime
    if _accepts(limits, "image/webp") and max(pixels.shape) <= 16383:  # the format's own limit
        return _pillow(pixels, "WEBP", lossless=True, quality=50), "image/webp"
    if not data:
        data, mime = _pillow(pixels, "JPEG", quality=95, subsampling=0), "image/jpeg"
    return data, mime


def _pillow(pixels: np.ndarray, format_name: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format_name, **options)
    return file.getvalue()


def _picture(data: bytes, mime: str, width: int, height: int) -> Blob:
    digest = hashlib.sha256(data).hexdigest()
    return Blob(
        kind="image",
        mime=mime,
        name=_name("image", digest, mime),
        size=len(data),
        digest=digest,
        data=data,
        width=width,
        height=height,
    )


# ------------------------------------------------------------------------------- clips and sounds


def clip_blob(
    medium: Medium, limits: MediaLimits, *, nearest: bool, work_dir: Path
) -> tuple[Blob, list[str]]:
    """A clip as it goes up, and what was changed to make it fit, a sentence each.

    A clip within the limits goes up byte for byte, streamed from its path. Another is refused with
    BadOrder, or, if `nearest`, written anew (H.264, AAC, MP4) into `work_dir`, trimmed, scaled and
    slowed to the nearest that is taken. Raises BadOrder also where no change of ours would help.
    """
    path = _file(medium, work_dir)
    info = probe(path)
    check_whole(path)
    _check_smallest(info.width, info.height, "clip")
    _check_shape("clip", info.width, info.height, limits)
    problems = _clip_problems(info, limits)
    if not problems:
        return _clip(path, info), []
    described = f"The clip ({_describe_clip(info)})"
    _refuse_short(described, info.duration, limits)
    if not nearest:
        raise _does_not_fit(described, problems)
    return _converted_clip(path, info, limits, work_dir), problems


def sound_blob(
    medium: Medium, limits: MediaLimits, *, nearest: bool, work_dir: Path
) -> tuple[Blob, list[str]]:
    """A sound as it goes up, and what was changed to make it fit, a sentence each.

    Like `clip_blob`; what has to be written anew becomes MP3, or WAV where only that is taken.
    """
    path = _file(medium, work_dir)
    info = probe_sound(path)
    check_whole(path, "sound")
    problems = _sound_problems(info, limits)
    if not problems:
        return _sound(path, info), []
    described = f"The sound ({info.duration:.1f} s, {_megabytes(info.size)}, {info.mime})"
    _refuse_short(described, info.duration, limits)
    if not nearest:
        raise _does_not_fit(described, problems)
    codec = next((c for c in ("mp3", "wav") if _accepts(limits, _sound_type(c))), None)
    if codec is None:
        raise BadOrder(f"{described} does not fit: only {', '.join(limits.formats)} is taken.")
    seconds = limits.seconds[1] if limits.seconds else None

    def write(target: Path) -> None:
        convert_sound(path, target, codec, seconds)

    target = _work_file(path, work_dir, codec, write)
    blob = _sound(target, probe_sound(target))
    if limits.max_bytes is not None and blob.size > limits.max_bytes:
        raise _does_not_fit(described, [f"at most {_megabytes(limits.max_bytes)} are taken"])
    return blob, problems


def _clip_problems(info: ClipInfo, limits: MediaLimits) -> list[str]:
    """What about a clip is outside the limits and can be mended, a sentence each, without a full
    stop. Its shape cannot: see `_check_shape`."""
    problems = []
    if not _accepts(limits, info.mime):
        problems.append(f"{info.mime} is not taken, only {', '.join(limits.formats)}")
    if limits.seconds and not _within(info.duration, limits.seconds, slack=0.05):
        problems.append("{:g} to {:g} s are taken".format(*limits.seconds))
    if limits.fps and not _within(float(info.fps), limits.fps, slack=0.05):
        problems.append("{:g} to {:g} frames a second are taken".format(*limits.fps))
    if _scale_to_fit(info.width, info.height, limits) < 1:
        problems.append(f"at most {_most_pixels(limits)} are taken")
    elif _grow_to_fit(info.width, info.height, limits) > 1:
        problems.append(f"at least {_least_pixels(limits)} are needed")
    if limits.max_bytes is not None and info.size > limits.max_bytes:
        problems.append(f"at most {_megabytes(limits.max_bytes)} are taken")
    return problems


def _sound_problems(info: SoundInfo, limits: MediaLimits) -> list[str]:
    problems = []
    if not _accepts(limits, info.mime):
        problems.append(f"{info.mime} is not taken, only {', '.join(limits.formats)}")
    if limits.seconds and not _within(info.duration, limits.seconds, slack=0.05):
        problems.append("{:g} to {:g} s are taken".format(*limits.seconds))
    if limits.max_bytes is not None and info.size > limits.max_bytes:
        problems.append(f"at most {_megabytes(limits.max_bytes)} are taken")
    return problems


def _converted_clip(path: Path, info: ClipInfo, limits: MediaLimits, work_dir: Path) -> Blob:
    if not _accepts(limits, "video/mp4"):
        raise BadOrder(f"A clip cannot be converted to {', '.join(limits.formats)}.")
    factor = _scale_to_fit(info.width, info.height, limits)
    if factor == 1:
        factor = _grow_to_fit(info.width, info.height, limits)
    up = factor > 1
    width, height = (_even(side * factor, up) for side in (info.width, info.height))
    seconds = info.duration
    if limits.seconds:
        seconds = min(seconds, limits.seconds[1])
    fps = info.fps
    if limits.fps:
        low, high = (Fraction(bound).limit_denominator(1001) for bound in limits.fps)
        fps = min(max(fps, low), high)
    rate = None
    while True:
        plan = ClipPlan(width, height, fps, seconds, rate)

        def write(target: Path, plan: ClipPlan = plan) -> None:
            convert_clip(path, target, plan)

        target = _work_file(path, work_dir, "mp4", write)
        blob = _clip(target, probe(target))
        if limits.max_bytes is None or blob.size <= limits.max_bytes:
            return blob
        target.unlink()
        spare = limits.max_bytes * 8 / max(seconds, 1) - (192_000 if info.has_audio else 0)
        rate = int((spare if rate is None else rate) * _SHRINK)
        if rate < 100_000:
            raise BadOrder(
                f"The clip ({_describe_clip(info)}) cannot be made small enough: "
                f"at most {_megabytes(limits.max_bytes)} are taken."
            )


def _even(side: float, up: bool) -> int:
    """`side` as an even number of pixels that stays on the right side of a limit."""
    return (math.ceil(side / 2) if up else math.floor(side / 2)) * 2


def _clip(path: Path, info: ClipInfo) -> Blob:
    digest = _file_digest(path)
    return Blob(
        kind="video",
        mime=info.mime,
        name=_name("video", digest, info.mime),
        size=info.size,
        digest=digest,
        path=path,
        width=info.width,
        height=info.height,
        seconds=info.duration,
        fps=float(info.fps),
    )


def _sound(path: Path, info: SoundInfo) -> Blob:
    digest = _file_digest(path)
    return Blob(
        kind="audio",
        mime=info.mime,
        name=_name("audio", digest, info.mime),
        size=info.size,
        digest=digest,
        path=path,
        seconds=info.duration,
    )


def _file(medium: Medium, work_dir: Path) -> Path:
    """The medium as a file: its own, or its bytes written into `work_dir`."""
    if medium.path is not None:
        return medium.path
    if medium.data is None:
        raise BadOrder("An address is not a file that can be sent.")
    data = medium.data
    name = f"{medium.kind}-{hashlib.sha256(data).hexdigest()[:16]}.bin"
    return _written(work_dir / name, lambda target: target.write_bytes(data))


def _work_file(
    source: Path, work_dir: Path, extension: str, write: Callable[[Path], object]
) -> Path:
    name = f"fitted-{hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:16]}.{extension}"
    return _written(work_dir / name, write)


def _written(target: Path, write: Callable[[Path], object]) -> Path:
    """`target`, written whole or not at all; several threads may want the same one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{threading.get_ident()}-{os.getpid()}-{target.name}")
    try:
        write(part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


# ------------------------------------------------------------------------------------ the limits


def _accepts(limits: MediaLimits, mime: str) -> bool:
    """Whether a type is taken; where no types are documented, any is."""
    wanted = _SAME_TYPE.get(mime, mime)
    return not limits.formats or any(
        _SAME_TYPE.get(known, known) == wanted for known in limits.formats
    )


def _sound_type(codec: str) -> str:
    return {"mp3": "audio/mpeg", "wav": "audio/wav"}[codec]


def _within(value: float, bounds: tuple[float, float], slack: float) -> bool:
    return bounds[0] - slack <= value <= bounds[1] + slack


def _scale_to_fit(width: int, height: int, limits: MediaLimits) -> float:
    """The factor, at most 1, that brings a size within the documented maxima."""
    factor = 1.0
    if limits.sides:
        factor = min(factor, limits.sides[1] / max(width, height))
    if limits.pixels:
        factor = min(factor, math.sqrt(limits.pixels[1] / (width * height)))
    return factor


def _grow_to_fit(width: int, height: int, limits: MediaLimits) -> float:
    """The factor, at least 1, that brings a size up to the documented minima."""
    factor = 1.0
    if limits.sides:
        factor = max(factor, limits.sides[0] / min(width, height))
    if limits.pixels:
        factor = max(factor, math.sqrt(limits.pixels[0] / (width * height)))
    return factor


def _check_smallest(width: int, height: int, what: str = "picture") -> None:
    if min(width, height) < SMALLEST_SIDE:
        raise BadOrder(
            f"The {what} is {width}x{height} pixels, and each side must have at least "
            f"{SMALLEST_SIDE}.",
            hint=f"Use a larger {what}.",
        )


def _check_shape(what: str, width: int, height: int, limits: MediaLimits) -> None:
    """Raise BadOrder for what scaling down cannot mend: the aspect, and too few pixels."""
    if limits.aspect and not limits.aspect[0] <= width / height <= limits.aspect[1]:
        low, high = limits.aspect
        raise BadOrder(
            f"The {what} is {width}x{height} pixels, width / height = {width / height:.2f}, and "
            f"{low:g} to {high:g} is taken.",
            hint=f"Crop the {what}.",
        )
    if what != "picture":
        return
    factor = _scale_to_fit(width, height, limits)
    least = min(width, height) * factor
    if (limits.sides and least < limits.sides[0]) or (
        limits.pixels and width * height * factor * factor < limits.pixels[0]
    ):
        raise BadOrder(
            f"The {what} is {width}x{height} pixels, and at least {_least_pixels(limits)} "
            "are needed.",
            hint=f"Use a larger {what}.",
        )


def _refuse_short(described: str, duration: float, limits: MediaLimits) -> None:
    if limits.seconds and duration < limits.seconds[0] - 0.05:
        raise BadOrder(
            f"{described} is too short: {limits.seconds[0]:g} to {limits.seconds[1]:g} s are taken."
        )


def _does_not_fit(described: str, problems: list[str]) -> BadOrder:
    return BadOrder(
        f"{described} does not fit: {'; '.join(problems)}.",
        hint="Set on_unsupported to nearest to have it brought within the limits, or change it.",
    )


def _smallest(limits: MediaLimits) -> int:
    return max(SMALLEST_SIDE, limits.sides[0] if limits.sides else 0)


def _most_pixels(limits: MediaLimits) -> str:
    parts = []
    if limits.sides:
        parts.append(f"{limits.sides[1]} pixels a side")
    if limits.pixels:
        parts.append(f"{limits.pixels[1]:,} pixels in all")
    return " and ".join(parts)


def _least_pixels(limits: MediaLimits) -> str:
    parts = []
    if limits.sides:
        parts.append(f"{limits.sides[0]} pixels a side")
    if limits.pixels:
        parts.append(f"{limits.pixels[0]:,} pixels in all")
    return " and ".join(parts)


def _describe_clip(info: ClipInfo) -> str:
    return (
        f"{info.width}x{info.height}, {info.duration:.1f} s, {float(info.fps):g} fps, "
        f"{_megabytes(info.size)}, {info.mime}"
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size:,} bytes"


def _name(kind: str, digest: str, mime: str) -> str:
    """A file name that tells nothing about the user's files."""
    return f"{kind}-{digest[:12]}.{_EXTENSIONS.get(mime, 'bin')}"


def _file_digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise BadOrder(f"{path} cannot be read: {error.strerror}.") from error
