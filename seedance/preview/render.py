"""Draws the preview's clips: what is seen and heard for each kind of order.

The pictures and their timing are made here, the writing in text.py, the sound in sound.py.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from .. import media
from ..order import SIZES
from . import sound, text
from .scene import Scene

FPS = 24
DEFAULT_SECONDS = 5
_ZOOM = 0.1  # how far the camera moves into a picture, as a part of its size
_FADE = 0.5  # seconds, of writing and between references
_AURORA = (96, 54)  # the moving colours are computed this small, then enlarged

Clip = Iterator[Image.Image]


class Stopped(Exception):
    """Whoever asked for the clip no longer wants it."""


def render(scene: Scene, target: Path, report: Callable[[float], bool]) -> None:
    """Write the clip of `scene` to `target`: MP4, H.264, 24 fps, and AAC where sound is asked for.

    `report(progress 0..1)` is called for each frame; if it returns False, Stopped is raised. Raises
    BadOrder if one of the media cannot be read.
    """
    size = _size(scene)
    total = _seconds(scene) * FPS + 1  # as the service counts: 5 s are 121 frames
    track = sound.track(scene, total / FPS)

    def frames() -> Iterator[np.ndarray]:
        writing = text.Writing(scene, size, total)
        for number, picture in zip(range(total), _clip(scene, size, total)):
            if not report(number / total):
                raise Stopped
            yield np.asarray(writing.on(picture, number))

    media.write_clip(target, frames(), FPS, track, preset="superfast", crf=17)


def _seconds(scene: Scene) -> int:
    if scene.duration != -1:
        return scene.duration
    if scene.mode == "edit" and scene.video is not None:
        return min(max(round(media.probe(scene.video).duration), 1), 30)
    return DEFAULT_SECONDS


def _size(scene: Scene) -> tuple[int, int]:
    """The exact size in pixels; `adaptive` takes the ratio nearest to the first medium's."""
    sizes = SIZES[scene.resolution]
    if scene.ratio != "adaptive":
        return sizes[scene.ratio]
    shape = _source_shape(scene)
    if shape is None:
        return sizes["16:9"]
    wanted = math.log(shape)
    return min(sizes.values(), key=lambda size: abs(math.log(size[0] / size[1]) - wanted))


def _source_shape(scene: Scene) -> float | None:
    """Width / height of the first picture or clip, None where there is none."""
    for picture in (scene.first_frame, *scene.images):
        if picture is not None:
            height, width = media.read_picture(picture).shape[:2]
            return float(width / height)
    for clip in (scene.video, *scene.videos):
        if clip is not None:
            info = media.probe(clip)
            return info.width / info.height
    return None


# ----------------------------------------------------------------------------------- what is seen


def _clip(scene: Scene, size: tuple[int, int], total: int) -> Clip:
    """The frames of a scene, at least `total` of them, without any writing."""
    if scene.mode in ("image", "frames"):
        first = _picture(scene.first_frame, size, "first frame")
        if scene.mode == "image":
            return _move_in(first, total, scene.camera_fixed)
        return _from_to(first, _picture(scene.last_frame, size, "last frame"), total)
    if scene.mode == "edit":
        return _edited(scene, size)
    if scene.mode == "extend":
        return _move_in(_last_picture(scene.video, size), total, scene.camera_fixed)
    if scene.images or scene.videos:
        return _in_turn(scene, size, total)
    return _aurora(scene.seed, size)


def _picture(path: Path | None, size: tuple[int, int], what: str) -> Image.Image:
    if path is None:
        return text.card(size, f"{what} from an address")
    return Image.fromarray(media.fit_cover(media.read_picture(path), *size))


def _last_picture(path: Path | None, size: tuple[int, int]) -> Image.Image:
    if path is None:
        return text.card(size, "clip from an address")
    return Image.fromarray(media.fit_cover(media.last_frame(path), *size))


def _move_in(picture: Image.Image, total: int, still: bool) -> Clip:
    """Begin with exactly `picture`, then move into it; with a fixed camera, a light passes."""
    light = _light(picture.size) if still else None
    for number in range(total):
        part = number / max(total - 1, 1)
        if light is None:
            yield _zoomed(picture, _ZOOM * _eased(part))
        else:
            yield _lit(picture, light, part)


def _from_to(first: Image.Image, last: Image.Image, total: int) -> Clip:
    """Begin with exactly `first`, end with exactly `last`."""
    for number in range(total):
        part = number / max(total - 1, 1)
        mix = _eased(min(max((part - 0.25) / 0.5, 0.0), 1.0))
        if mix == 0:
            yield _zoomed(first, _ZOOM * part)
        elif mix == 1:
            yield _zoomed(last, _ZOOM * (1 - part))
        else:
            yield Image.blend(_zoomed(first, _ZOOM * part), _zoomed(last, _ZOOM * (1 - part)), mix)


def _zoomed(picture: Image.Image, zoom: float) -> Image.Image:
    """The middle of a picture, `zoom` of its size cut off, at full size."""
    if zoom == 0:
        return picture
    width, height = picture.size
    left, top = width * zoom / 2, height * zoom / 2
    box = (left, top, width - left, height - top)
    return picture.resize(picture.size, Image.Resampling.BILINEAR, box)


def _eased(part: float) -> float:
    """0..1 to 0..1, slow at both ends."""
    return part * part * (3 - 2 * part)


def _light(size: tuple[int, int]) -> Image.Image:
    """A soft slanted beam, twice as wide as the picture, as a mask."""
    width, height = 128, 36
    x = np.linspace(-4.0, 4.0, width)[None, :] + np.linspace(-0.4, 0.4, height)[:, None]
    beam = np.exp(-(x**2)) * 90
    mask = Image.fromarray(beam.astype(np.uint8))
    return mask.resize((size[0] * 2, size[1]), Image.Resampling.BICUBIC)


def _lit(picture: Image.Image, light: Image.Image, part: float) -> Image.Image:
    """The picture with the beam at `part` of its way; outside the picture at both ends."""
    if part == 0:
        return picture
    width, height = picture.size
    # From beyond the left edge to beyond the right one.
    left = round(width * (1.5 - 2 * part))
    lit = picture.copy()
    lit.paste((255, 244, 220), (0, 0), light.crop((left, 0, left + width, height)))
    return lit


def _edited(scene: Scene, size: tuple[int, int]) -> Clip:
    """The source clip in two colours of the seed; its last picture is held where it ends early."""
    dark, bright = _palette(scene.seed)[:2]
    table = [
        round(low + (high - low) * _eased(level / 255))
        for low, high in zip((channel * 0.25 for channel in dark), _towards_white(bright))
        for level in range(256)
    ]
    for picture in _playing(scene.video, size):
        grey = picture.convert("L").convert("RGB")
        yield Image.blend(picture, grey.point(table), 0.75)


def _towards_white(colour: Sequence[float]) -> Iterator[float]:
    return (255 - (255 - channel) * 0.35 for channel in colour)


def _playing(path: Path | None, size: tuple[int, int]) -> Clip:
    """A clip at our frame rate, cover-fitted; its last picture for ever after its end."""
    if path is None:
        last = text.card(size, "clip from an address")
    else:
        before: np.ndarray | None = None
        for pixels in media.iter_frames(path, FPS):
            if pixels is not before:
                last, before = Image.fromarray(media.fit_cover(pixels, *size)), pixels
            yield last
    while True:
        yield last


def _in_turn(scene: Scene, size: tuple[int, int], total: int) -> Clip:
    """Each reference for the same time, one fading into the next."""
    shown = [("Image", number, path) for number, path in enumerate(scene.images, 1)]
    shown += [("Video", number, path) for number, path in enumerate(scene.videos, 1)]
    length = math.ceil(total / len(shown))
    fade = min(round(_FADE * FPS), length // 2)
    before: Image.Image | None = None
    for kind, number, path in shown:
        label = f"@{kind}{number}"
        clip = _reference(kind, path, size, length, label)
        for position, picture in zip(range(length), clip):
            if before is not None and position < fade:
                yield Image.blend(before, picture, (position + 1) / (fade + 1))
            else:
                yield picture
        before = picture


def _reference(
    kind: str, path: Path | None, size: tuple[int, int], length: int, label: str
) -> Clip:
    """One reference, whole, before a blurred enlargement of itself, with its handle."""
    if path is None:
        clip: Clip = _move_in(text.card(size, f"{label} from an address"), length, still=False)
    elif kind == "Image":
        framed = _framed(Image.fromarray(media.read_picture(path)), size)
        clip = _move_in(framed, length, still=False)
    else:
        clip = _playing_framed(path, size)
    chip = text.chip(label, size)
    for picture in clip:
        shown = picture.copy()
        shown.paste(chip, text.chip_place(size), chip)
        yield shown


def _framed(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    width, height = picture.size
    factor = min(size[0] / width, size[1] / height)
    inner = (max(round(width * factor), 1), max(round(height * factor), 1))
    framed = _backdrop(picture, size)
    place = ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2)
    framed.paste(picture.resize(inner, Image.Resampling.BICUBIC), place)
    return framed


def _backdrop(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    small = Image.fromarray(media.fit_cover(np.asarray(picture), size[0] // 8, size[1] // 8))
    blurred = small.filter(ImageFilter.GaussianBlur(size[1] / 160)).point(lambda level: level * 0.5)
    return blurred.resize(size, Image.Resampling.BICUBIC)


def _playing_framed(path: Path, size: tuple[int, int]) -> Clip:
    """A clip at our frame rate, whole, before a backdrop; its last picture after its end."""
    info = media.probe(path)
    factor = min(size[0] / info.width, size[1] / info.height)
    inner = (max(round(info.width * factor), 1), max(round(info.height * factor), 1))
    place = ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2)
    backdrop: Image.Image | None = None
    for picture in _playing(path, inner):
        backdrop = backdrop or _backdrop(picture, size)
        framed = backdrop.copy()
        framed.paste(picture, place)
        yield framed


# ----------------------------------------------------------------------------- colours of the seed


def _palette(seed: int) -> list[tuple[float, float, float]]:
    """Four colours that go together, by the seed: night to light along neighbouring hues."""
    generator = np.random.default_rng(seed)
    hue = generator.random()
    turn = generator.choice([-1, 1]) * generator.uniform(0.08, 0.16)
    levels = ((0.85, 0.35), (0.8, 0.62), (0.7, 0.85), (0.45, 1.0))
    return [
        _from_hsv((hue + turn * number) % 1, strength, level)
        for number, (strength, level) in enumerate(levels)
    ]


def _from_hsv(hue: float, strength: float, level: float) -> tuple[float, float, float]:
    red, green, blue = colorsys.hsv_to_rgb(hue, strength, level)
    return red * 255, green * 255, blue * 255


def _aurora(seed: int, size: tuple[int, int]) -> Clip:
    """Soft lights of the seed's colours drifting over a dark ground, for ever."""
    generator = np.random.default_rng([seed, 1])
    palette = np.array(_palette(seed), np.float32)
    width, height = _AURORA if size[0] >= size[1] else _AURORA[::-1]
    x = np.linspace(0, size[0] / max(size), width, dtype=np.float32)[None, :]
    y = np.linspace(0, size[1] / max(size), height, dtype=np.float32)[:, None]
    lights = [
        (
            palette[1 + number % 3],
            generator.uniform(0.1, 0.9, 2) * (x.max(), y.max()),  # where it is
            generator.uniform(0.05, 0.22, 2),  # how far it wanders
            generator.uniform(0.25, 0.8, 2),  # how fast, in radians a second
            generator.uniform(0, 2 * np.pi, 2),  # where it starts
            generator.uniform(0.12, 0.3),  # its size
        )
        for number in range(7)
    ]
    ground = palette[0] * (0.35 + 0.4 * (y / max(float(y.max()), 1e-6)))[..., None]
    grain = _grain(seed, size)
    number = 0
    while True:
        seconds = number / FPS
        field = np.broadcast_to(ground, (height, width, 3)).copy()
        for colour, place, way, speed, start, extent in lights:
            at_x, at_y = place + way * np.sin(speed * seconds + start)
            glow = np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (extent * extent))
            field += (colour - field) * (0.75 * glow)[..., None]
        small = Image.fromarray(field.clip(0, 255).astype(np.uint8))
        pixels = np.asarray(small.resize(size, Image.Resampling.BICUBIC))
        yield Image.fromarray(pixels + grain)
        number += 1


def _grain(seed: int, size: tuple[int, int]) -> np.ndarray:
    """One level more here and there, so that soft colours show no bands. It stands still."""
    generator = np.random.default_rng([seed, 2])
    levels = generator.integers(0, 2, (size[1], size[0], 1), dtype=np.uint8)
    return np.repeat(levels, 3, axis=2)
