"""Draw the icon and the banner of the registry: docs/icon.png and docs/banner.png.

Shots on a film, each wired to the next by its last frame. Everything is drawn as shapes, without a
font, so that every computer draws the same.

    python scripts/artwork.py
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

DOCS = Path(__file__).parent.parent / "docs"
ICON = (400, 400)  # the largest that the registry takes
BANNER = (1260, 540)  # 21:9
_FINER = 3  # everything is drawn so many times larger, then reduced

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]

_NIGHT, _DUSK = (20, 16, 44), (74, 40, 122)
_FILM = (11, 10, 24)
_WIRE = (126, 190, 255)  # as ComfyUI draws an image's wire
_PAPER = (250, 246, 240)
# What a shot shows, from morning to night: sky above, sky below, sun, hill behind, hill before.
_SHOTS: Sequence[tuple[Colour, Colour, Colour, Colour, Colour]] = (
    ((255, 196, 150), (255, 236, 205), (255, 250, 236), (120, 146, 128), (58, 92, 92)),
    ((110, 190, 245), (214, 240, 250), (255, 244, 200), (104, 170, 120), (40, 118, 96)),
    ((255, 168, 76), (255, 222, 140), (255, 252, 226), (176, 120, 96), (104, 62, 84)),
    ((214, 70, 110), (255, 150, 92), (255, 226, 150), (112, 54, 104), (64, 30, 80)),
    ((24, 28, 84), (84, 66, 150), (236, 240, 255), (40, 40, 96), (20, 20, 58)),
)


def icon() -> Image.Image:
    """Three shots one before the other, the last of them playing."""
    picture = _backdrop(ICON)
    for number, (x, y, width) in enumerate(((34, 58, 196), (82, 112, 232), (132, 172, 232))):
        _card(picture, (x, y, x + width, y + width * 0.72), (1, 3, 4)[number])
    left, top, right, bottom = 132, 172, 364, 172 + 232 * 0.72
    middle = ((left + right) / 2, (top + bottom) / 2)
    _play(picture, middle, 40)
    return _reduced(picture, ICON)


def banner() -> Image.Image:
    """A film of five shots, and the wires between them."""
    picture = _backdrop(BANNER)
    width, gap, top = 206, 40, 173
    left = (BANNER[0] - 5 * width - 4 * gap) / 2
    bottom = top + width * 0.94
    _film(picture, top - 46, bottom + 46)
    boxes = [
        (left + number * (width + gap), top, left + number * (width + gap) + width, bottom)
        for number in range(5)
    ]
    for number, box in enumerate(boxes):
        _shot(picture, box, number, radius=14)
    for before, after in pairwise(boxes):
        _wire(picture, (before[2], bottom - 52), (after[0], top + 52))
    return _reduced(picture, BANNER)


# ------------------------------------------------------------------------------------------- parts


def _backdrop(size: tuple[int, int]) -> Image.Image:
    """Night above dusk, with a glow from the lower right."""
    width, height = size[0] * _FINER, size[1] * _FINER
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / width, y / height
    pixels = _mixed(_NIGHT, _DUSK, np.clip(0.35 * x + 0.75 * y, 0, 1))
    glow = np.exp(-(((x - 0.82) * size[0] / size[1]) ** 2 + (y - 1.02) ** 2) * 2.6)[..., None]
    pixels += glow * (np.array((255, 132, 92)) - pixels) * 0.85
    return Image.fromarray(pixels.round().astype(np.uint8))


def _mixed(one: Colour, other: Colour, part: np.ndarray) -> np.ndarray:
    first, second = np.array(one, np.float32), np.array(other, np.float32)
    return first + (second - first) * part[..., None]


def _film(picture: Image.Image, top: float, bottom: float) -> None:
    """A strip with its holes, over the whole width."""
    _shadow(picture, (-60, top, BANNER[0] + 60, bottom), 0)
    draw = ImageDraw.Draw(picture)
    draw.rectangle(_fine((0, top, BANNER[0], bottom)), _FILM)
    for number in range(-1, 44):
        x = number * 30 + 6
        for y in (top + 13, bottom - 13 - 16):
            draw.rounded_rectangle(_fine((x, y, x + 18, y + 16)), 5 * _FINER, (52, 44, 86))


def _card(picture: Image.Image, box: Box, number: int) -> None:
    """A shot on paper, as one lies before another."""
    _shadow(picture, box, 26)
    rim = (box[0] - 6, box[1] - 6, box[2] + 6, box[3] + 6)
    ImageDraw.Draw(picture).rounded_rectangle(_fine(rim), 26 * _FINER, _PAPER)
    _shot(picture, box, number, radius=20)


def _shot(picture: Image.Image, box: Box, number: int, radius: float) -> None:
    """One picture of the day: the sun goes its way, the hills go on from the shot before."""
    left, top, right, bottom = (round(side) for side in _fine(box))
    width, height = right - left, bottom - top
    above, below, sun, behind, before = _SHOTS[number]
    y = np.repeat(np.linspace(0, 1, height, dtype=np.float32)[:, None], width, 1)
    scene = Image.fromarray(_mixed(above, below, y).round().astype(np.uint8))
    draw = ImageDraw.Draw(scene)
    part = number / (len(_SHOTS) - 1)
    x = width * (0.2 + 0.6 * part)
    high = height * (0.52 - 0.3 * math.sin(math.pi * (0.12 + 0.76 * part)))
    size = height * 0.12
    draw.ellipse((x - size, high - size, x + size, high + size), sun)
    for colour, base, wave, shift in ((behind, 0.62, 0.09, 0.9), (before, 0.78, 0.07, 2.6)):
        line = [
            (step, height * (base + wave * math.sin((number + step / width) * 5.2 + shift)))
            for step in range(0, width + 1, 4)
        ]
        draw.polygon([*line, (width, height), (0, height)], colour)
    mask = Image.new("L", scene.size)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width - 1, height - 1), radius * _FINER, 255)
    picture.paste(scene, (left, top), mask)


def _shadow(picture: Image.Image, box: Box, radius: float) -> None:
    mask = Image.new("L", picture.size)
    left, top, right, bottom = box
    lower = _fine((left - 2, top + 8, right + 2, bottom + 14))
    ImageDraw.Draw(mask).rounded_rectangle(lower, radius * _FINER, 150)
    picture.paste((6, 4, 20), (0, 0), mask.filter(ImageFilter.GaussianBlur(14 * _FINER)))


def _wire(picture: Image.Image, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From an output to an input, with a socket at each."""
    draw = ImageDraw.Draw(picture)
    reach = 48.0
    bends = (start, (start[0] + reach, start[1]), (end[0] - reach, end[1]), end)
    for width, colour in ((11, _FILM), (5, _WIRE)):
        for step in range(241):
            part = step / 240
            weights = (
                (1 - part) ** 3,
                3 * part * (1 - part) ** 2,
                3 * part**2 * (1 - part),
                part**3,
            )
            x, y = (
                sum(weight * bend[axis] for weight, bend in zip(weights, bends)) for axis in (0, 1)
            )
            _dot(draw, (x, y), width / 2, colour)
    for socket in (start, end):
        _dot(draw, socket, 10, _FILM)
        _dot(draw, socket, 7, _WIRE)


def _play(picture: Image.Image, middle: tuple[float, float], radius: float) -> None:
    """The sign for a film that plays, on a disc."""
    x, y = middle
    disc = (x - radius, y - radius, x + radius, y + radius)
    _shadow(picture, disc, radius)
    draw = ImageDraw.Draw(picture)
    _dot(draw, middle, radius, _PAPER)
    points = [(x - 0.30 * radius, y - 0.46 * radius), (x - 0.30 * radius, y + 0.46 * radius)]
    points.append((x + 0.52 * radius, y))
    draw.polygon([(px * _FINER, py * _FINER) for px, py in points], (92, 44, 138))


def _dot(
    draw: ImageDraw.ImageDraw, middle: tuple[float, float], radius: float, colour: Colour
) -> None:
    x, y = middle
    draw.ellipse(_fine((x - radius, y - radius, x + radius, y + radius)), colour)


def _fine(box: Box) -> Box:
    left, top, right, bottom = box
    return left * _FINER, top * _FINER, right * _FINER, bottom * _FINER


def _reduced(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return picture.resize(size, Image.Resampling.BOX)


# Every picture, by where it lies.
PICTURES = {DOCS / "icon.png": icon, DOCS / "banner.png": banner}

if __name__ == "__main__":
    for file, draw in PICTURES.items():
        draw().save(file, optimize=True)
