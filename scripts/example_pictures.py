"""Draw the pictures that the example workflows begin on: example_workflows/pictures/*.png.

A windmill by day and by night, and a balloon. Everything is drawn as shapes, without a font, so
that every computer draws the same. The pictures are in the public domain (CC0).

    python scripts/example_pictures.py
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

PICTURES = Path(__file__).parent.parent / "example_workflows" / "pictures"
LAND = (1280, 720)
SQUARE = (768, 768)
_FINER = 3  # everything is drawn so many times larger, then reduced

Colour = tuple[int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True)
class Palette:
    """The colours of the land at a time of the day."""

    sky: Sequence[tuple[float, Colour]]  # from the top (0) to the bottom (1)
    light: Colour  # the sun or the moon
    cloud: Colour
    far: Colour
    near: Colour
    meadow: Colour
    shade: Colour
    path: Colour
    tower: Colour
    tower_shade: Colour
    cap: Colour
    wood: Colour
    window: Colour
    petals: Sequence[Colour]
    night: bool = False


DAY = Palette(
    sky=(
        *((0, (64, 118, 236)), (0.25, (94, 148, 255)), (0.45, (94, 148, 255))),
        *((0.62, (196, 226, 255)), (1, (230, 244, 255))),
    ),
    light=(255, 244, 190),
    cloud=(255, 255, 255),
    far=(136, 176, 204),
    near=(112, 172, 130),
    meadow=(112, 190, 92),
    shade=(84, 160, 78),
    path=(232, 214, 168),
    tower=(250, 246, 238),
    tower_shade=(214, 206, 200),
    cap=(190, 74, 58),
    wood=(122, 84, 60),
    window=(96, 116, 140),
    petals=((255, 255, 255), (255, 214, 90), (240, 110, 110), (186, 130, 220)),
)
NIGHT = Palette(
    sky=((0, (12, 18, 58)), (0.35, (26, 36, 92)), (0.62, (66, 70, 134)), (1, (96, 92, 150))),
    light=(246, 242, 220),
    cloud=(96, 100, 158),
    far=(44, 54, 102),
    near=(30, 52, 80),
    meadow=(28, 66, 70),
    shade=(20, 50, 60),
    path=(94, 98, 118),
    tower=(140, 144, 178),
    tower_shade=(98, 102, 142),
    cap=(84, 44, 66),
    wood=(46, 38, 54),
    window=(255, 206, 110),
    petals=((150, 156, 196), (150, 140, 130), (130, 90, 130), (110, 96, 160)),
    night=True,
)


def windmill(palette: Palette) -> Image.Image:
    """A windmill on a hill, with a path to its door."""
    picture = _sky(palette)
    draw = ImageDraw.Draw(picture, "RGBA")
    _light(picture, palette)
    if palette.night:
        _stars(draw)
    for x, y, size in ((330, 150, 1.0), (940, 120, 1.2), (700, 210, 0.7)):
        _cloud(picture, (x, y), size, palette)
    draw = ImageDraw.Draw(picture, "RGBA")
    _hill(draw, palette.far, 452, 46, 1.1, 0.4)
    _hill(draw, palette.near, 506, 34, 1.9, 2.2)
    _trees(draw, palette)
    _hill(draw, palette.meadow, 560, 42, 0.75, -1.15)
    _path(draw, palette)
    _tower(picture, palette, (830, 545))
    _flowers(ImageDraw.Draw(picture, "RGBA"), palette)
    return picture.resize(LAND, Image.Resampling.BOX)


def balloon() -> Image.Image:
    """A striped hot-air balloon before a pale sky."""
    width, height = SQUARE[0] * _FINER, SQUARE[1] * _FINER
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    pixels = _mix((214, 234, 252), (255, 246, 232), np.repeat(rows, width, 1))
    picture = Image.fromarray(pixels.round().astype(np.uint8))
    draw = ImageDraw.Draw(picture, "RGBA")
    middle, top, radius = 384.0, 300.0, 214.0
    stripes = ((226, 84, 72), (250, 236, 210), (244, 170, 70), (70, 140, 180))
    outline = [_of_balloon(middle, top, radius, step / 120) for step in range(121)]
    for number in range(12):
        left, right = (math.cos(math.pi * (1 - edge / 12)) for edge in (number, number + 1))
        side = [(middle + (x - middle) * left, y) for x, y in outline]
        other = [(middle + (x - middle) * right, y) for x, y in reversed(outline)]
        draw.polygon(_fine(side + other), stripes[number % len(stripes)])
    for number in range(1, 40):  # rounder towards its right
        part = math.cos(math.pi * (1 - (0.55 + 0.45 * number / 40)))
        side = [(middle + (x - middle) * part, y) for x, y in outline]
        draw.polygon(_fine(side + [(x, y) for x, y in reversed(outline)]), (60, 30, 60, 3))
    for x in (-34, -12, 12, 34):
        draw.line(_fine([(middle + x * 1.25, 528), (middle + x, 596)]), (112, 78, 56), 2 * _FINER)
    basket = [(middle - 42, 594), (middle + 42, 594), (middle + 34, 650), (middle - 34, 650)]
    draw.polygon(_fine(basket), (156, 104, 64))
    for y in (606, 620, 634):
        draw.line(_fine([(middle - 40, y), (middle + 40, y)]), (122, 78, 48), 3 * _FINER)
    draw.rounded_rectangle(_box(middle - 46, 588, middle + 46, 600), 5 * _FINER, (122, 78, 48))
    return picture.resize(SQUARE, Image.Resampling.BOX)


# ------------------------------------------------------------------------------------------- parts


def _of_balloon(middle: float, top: float, radius: float, part: float) -> Point:
    """A point of the right edge of a balloon, from its top (0) to its mouth (1)."""
    if part < 0.62:
        angle = part / 0.62 * math.pi * 0.62
        return middle + radius * math.sin(angle), top - radius * math.cos(angle)
    angle = math.pi * 0.62
    start = (radius * math.sin(angle), top - radius * math.cos(angle))
    bent = (start[0] + 100 * math.cos(angle), start[1] + 100 * math.sin(angle))
    ends = (start, bent, (68.0, 470.0), (44.0, 530.0))
    down = (part - 0.62) / 0.38
    weights = ((1 - down) ** 3, 3 * down * (1 - down) ** 2, 3 * down**2 * (1 - down), down**3)
    x, y = (sum(weight * end[axis] for weight, end in zip(weights, ends)) for axis in (0, 1))
    return middle + x, y


def _sky(palette: Palette) -> Image.Image:
    width, height = LAND[0] * _FINER, LAND[1] * _FINER
    y = np.linspace(0, 1, height, dtype=np.float32)
    stops = [stop for stop, _ in palette.sky]
    columns = [
        np.interp(y, stops, [colour[each] for _, colour in palette.sky]) for each in range(3)
    ]
    pixels = np.repeat(np.stack(columns, -1)[:, None], width, 1)
    return Image.fromarray(pixels.round().astype(np.uint8))


def _light(picture: Image.Image, palette: Palette) -> None:
    """The sun, or the moon, with its glow."""
    x, y, radius = 1120, 210, 44
    glow = Image.new("L", picture.size)
    for number in range(24, 0, -1):
        reach = radius * (1 + number * 0.22)
        ImageDraw.Draw(glow).ellipse(
            _box(x - reach, y - reach, x + reach, y + reach), round(70 * (1 - number / 24) ** 2)
        )
    picture.paste(palette.light, (0, 0), glow.filter(ImageFilter.GaussianBlur(10 * _FINER)))
    draw = ImageDraw.Draw(picture)
    draw.ellipse(_box(x - radius, y - radius, x + radius, y + radius), palette.light)
    if palette.night:
        for dx, dy, size in ((-14, -8, 9), (12, 10, 7), (6, -20, 5)):
            spot = (226, 222, 200)
            draw.ellipse(_box(x + dx - size, y + dy - size, x + dx + size, y + dy + size), spot)


def _stars(draw: ImageDraw.ImageDraw) -> None:
    chance = random.Random(11)
    for _ in range(150):
        x, y = chance.uniform(0, LAND[0]), chance.uniform(0, 400) * chance.uniform(0.3, 1)
        size, shine = chance.uniform(0.6, 1.9), chance.randint(90, 230)
        draw.ellipse(_box(x - size, y - size, x + size, y + size), (255, 250, 230, shine))


def _cloud(picture: Image.Image, at: Point, size: float, palette: Palette) -> None:
    mask = Image.new("L", picture.size)
    draw = ImageDraw.Draw(mask)
    puffs = ((-78, 8, 30), (-42, -10, 40), (0, -24, 52), (44, -8, 42), (84, 8, 28))
    for x, y, radius in puffs:
        x, y, radius = at[0] + x * size, at[1] + y * size, radius * size
        draw.ellipse(_box(x - radius, y - radius, x + radius, y + radius), 235)
    base = at[1] + 10 * size
    draw.rectangle(_box(0, base + 18 * size, *LAND), 0)
    left, right = at[0] - 96 * size, at[0] + 100 * size
    draw.rounded_rectangle(_box(left, base, right, base + 26 * size), 13 * size * _FINER, 235)
    strength = 110 if palette.night else 235
    mask = mask.filter(ImageFilter.GaussianBlur(2 * _FINER)).point(lambda v: v * strength // 235)
    picture.paste(palette.cloud, (0, 0), mask)


def _hill(
    draw: ImageDraw.ImageDraw, colour: Colour, base: float, wave: float, turns: float, shift: float
) -> None:
    draw.polygon(_fine([*_line(base, wave, turns, shift), LAND, (0, LAND[1])]), colour)


def _line(base: float, wave: float, turns: float, shift: float) -> list[Point]:
    return [
        (x, base - wave * math.sin(x / LAND[0] * turns * 2 * math.pi + shift))
        for x in range(0, LAND[0] + 1, 4)
    ]


def _trees(draw: ImageDraw.ImageDraw, palette: Palette) -> None:
    chance = random.Random(4)
    for number in range(16):
        x = 60 + number * 27 + chance.uniform(-9, 9)
        y = 506 - 34 * math.sin(x / LAND[0] * 1.9 * 2 * math.pi + 2.2)
        size = chance.uniform(13, 24)
        draw.rectangle(_box(x - 2, y - size, x + 2, y + 6), palette.wood)
        crown = _mixed(palette.near, palette.shade, chance.uniform(0.5, 1))
        draw.ellipse(_box(x - size * 0.7, y - size * 2.3, x + size * 0.7, y - size * 0.5), crown)


def _path(draw: ImageDraw.ImageDraw, palette: Palette) -> None:
    """From the lower edge to the door, ever narrower."""
    left, right = [], []
    for step in range(41):
        part = step / 40
        x = 560 + 270 * part + 70 * math.sin(part * math.pi * 1.6) * (1 - part)
        y = 724 - 172 * part**0.8
        width = 58 * (1 - part) ** 1.3 + 9
        left.append((x - width, y))
        right.append((x + width, y))
    draw.polygon(_fine([*left, *reversed(right)]), palette.path)


def _tower(picture: Image.Image, palette: Palette, foot: Point) -> None:
    draw = ImageDraw.Draw(picture, "RGBA")
    x, y = foot
    draw.ellipse(_box(x - 96, y - 10, x + 110, y + 18), (*palette.shade, 150))
    tower = [(x - 62, y), (x - 40, y - 190), (x + 40, y - 190), (x + 62, y)]
    draw.polygon(_fine(tower), palette.tower)
    shade = [(x + 14, y), (x + 10, y - 190), (x + 40, y - 190), (x + 62, y)]
    draw.polygon(_fine(shade), palette.tower_shade)
    cap = [(x - 48, y - 188), (x - 34, y - 228), (x, y - 250), (x + 34, y - 228), (x + 48, y - 188)]
    draw.polygon(_fine(cap), palette.cap)
    draw.rounded_rectangle(_box(x - 15, y - 46, x + 15, y + 2), 14 * _FINER, palette.wood)
    for up, size in ((96, 10), (146, 8)):
        if palette.night:
            glow = Image.new("L", picture.size)
            ImageDraw.Draw(glow).ellipse(_box(x - 46, y - up - 46, x + 30, y - up + 30), 110)
            blurred = glow.filter(ImageFilter.GaussianBlur(14 * _FINER))
            picture.paste(palette.window, (0, 0), blurred)
        pane = _box(x - 8 - size, y - up - size * 1.3, x - 8 + size, y - up + size * 1.3)
        draw.rounded_rectangle(pane, 5 * _FINER, palette.window)
    for number in range(4):
        _sail(draw, palette, (x - 4, y - 208), math.radians(24 + 90 * number))
    draw.ellipse(_box(x - 12, y - 216, x + 4, y - 200), palette.wood)


def _sail(draw: ImageDraw.ImageDraw, palette: Palette, hub: Point, angle: float) -> None:
    along = (math.cos(angle), math.sin(angle))
    across = (-along[1], along[0])

    def at(out: float, side: float) -> Point:
        return (
            hub[0] + along[0] * out + across[0] * side,
            hub[1] + along[1] * out + across[1] * side,
        )

    cloth = [at(34, 2), at(150, 2), at(150, 34), at(34, 30)]
    draw.polygon(_fine(cloth), (*palette.tower, 235))
    for out in range(34, 151, 29):
        draw.line(_fine([at(out, 0), at(out, 33)]), palette.wood, 2 * _FINER)
    draw.line(_fine([at(34, 17), at(150, 18)]), palette.wood, 2 * _FINER)
    draw.line(_fine([at(0, 0), at(156, 0)]), palette.wood, 5 * _FINER)


def _flowers(draw: ImageDraw.ImageDraw, palette: Palette) -> None:
    """Over the meadow, larger towards the lower edge; none on its plain left part."""
    chance = random.Random(7)
    for _ in range(260):
        x, depth = chance.uniform(0, LAND[0]), chance.random() ** 1.4
        y = 612 + 104 * depth
        middle = 560 + 270 * min(1, (724 - y) / 172) ** 1.25 + 40
        if 60 < x < 330 or abs(x - middle) < 110:
            continue
        size = 1.4 + 3.4 * depth
        stem = _mixed(palette.meadow, palette.shade, 0.9)
        draw.line(_fine([(x, y), (x, y + size * 3)]), stem, max(round(size * 0.5 * _FINER), 1))
        petal = chance.choice(palette.petals)
        draw.ellipse(_box(x - size, y - size, x + size, y + size), petal)


# ----------------------------------------------------------------------------------------- helpers


def _mix(one: Colour, other: Colour, part: np.ndarray) -> np.ndarray:
    first, second = np.array(one, np.float32), np.array(other, np.float32)
    return first + (second - first) * part[..., None]


def _mixed(one: Colour, other: Colour, part: float) -> Colour:
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, other))
    return red, green, blue


def _fine(points: Sequence[Point]) -> list[Point]:
    return [(x * _FINER, y * _FINER) for x, y in points]


def _box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
    return left * _FINER, top * _FINER, right * _FINER, bottom * _FINER


# Every picture, by its name. All begin alike, so that nobody's own picture has their name.
DRAWN = {
    "seedance_windmill_day.png": lambda: windmill(DAY),
    "seedance_windmill_night.png": lambda: windmill(NIGHT),
    "seedance_balloon.png": balloon,
}

if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    for name, draw in DRAWN.items():
        draw().save(PICTURES / name, optimize=True)
