"""The preview's writing: fonts, wrapping, the prompt, labels and cards.

Ships no font: takes one of the computer's that has the characters, else Pillow's own.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from ..texts import counted

if TYPE_CHECKING:
    from .scene import Scene

Font = ImageFont.FreeTypeFont

# Fonts with Chinese, Japanese and Korean, as Linux, macOS and Windows name them; Pillow looks for
# these in the system's folders.
_WIDE_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "NotoSerifCJK-Regular.ttc",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "STHeiti Light.ttc",
    "Arial Unicode.ttf",
    "msyh.ttc",
    "simhei.ttf",
    "simsun.ttc",
)
_NARROW_FONTS = ("DejaVuSans.ttf", "Arial.ttf", "arial.ttf", "LiberationSans-Regular.ttf")
_NOBODYS = "\U0010fffd"  # a character that no font has: what it draws is how a gap looks

_FADE_FRAMES = 12
_MOST_CHARACTERS = 600  # of a prompt; more never fits into the lines there are
_WHITE = (255, 255, 255)


class Writing:
    """All writing on the frames of one scene: the prompt, and small labels in the lower corners.

    The prompt is the picture's subject in text mode. Elsewhere it is a subtitle that appears after
    the first frame and is gone before the last, because both may be continued from.
    """

    def __init__(self, scene: Scene, size: tuple[int, int], total: int) -> None:
        self.total = total
        self.always_on = scene.mode == "text" or not (
            scene.first_frame or scene.last_frame or scene.video or scene.images or scene.videos
        )
        self.layer, self.place = _prompt(scene.prompt, size, title=self.always_on)
        label = f"PREVIEW  {scene.resolution}  seed {scene.seed}"
        self.labels = [_label(label, size, right=True)]
        if scene.watermark:
            self.labels.append(_label("AI generated", size, right=False))

    def on(self, picture: Image.Image, number: int) -> Image.Image:
        """`picture` with the writing of frame `number`."""
        written = picture.copy()
        strength = self._strength(number)
        if self.layer is not None and strength > 0:
            mask = self.layer.getchannel("A")
            if strength < 1:
                mask = mask.point(lambda level: level * strength)
            written.paste(self.layer.convert("RGB"), self.place, mask)
        for label, place in self.labels:
            written.paste(label, place, label)
        return written

    def _strength(self, number: int) -> float:
        """How visible the prompt is, 0..1."""
        if self.always_on:
            return 1.0
        from_the_ends = min(number, self.total - 1 - number)
        return min(max(from_the_ends / _FADE_FRAMES - 1, 0.0), 1.0)


def card(size: tuple[int, int], words: str) -> Image.Image:
    """A plain picture that stands for a medium which is not fetched."""
    picture = Image.new("RGB", size, (44, 48, 60))
    draw = ImageDraw.Draw(picture)
    font = font_for(words, max(min(size) // 18, 12))
    margin = min(size) // 24
    draw.rectangle((margin, margin, size[0] - margin, size[1] - margin), outline=(88, 96, 116))
    draw.text((size[0] / 2, size[1] / 2), words, (200, 206, 220), font, anchor="mm")
    return picture


def chip(words: str, size: tuple[int, int], *, small: bool = False) -> Image.Image:
    """A word on a small dark plate, with alpha."""
    points = max(min(size) // (46 if small else 26), 10)
    font = font_for(words, points)
    left, top, right, bottom = font.getbbox(words)
    pad = max(points // 2, 4)
    box = (int(right - left) + 2 * pad, int(bottom - top) + 2 * pad)
    plate = Image.new("RGBA", box, (0, 0, 0, 0))
    draw = ImageDraw.Draw(plate)
    draw.rounded_rectangle((0, 0, box[0] - 1, box[1] - 1), pad, (0, 0, 0, 150))
    draw.text((pad - left, pad - top), words, (*_WHITE, 235), font)
    return plate


def chip_place(size: tuple[int, int]) -> tuple[int, int]:
    """Where a chip goes: the upper left corner."""
    return _margin(size), _margin(size)


def _margin(size: tuple[int, int]) -> int:
    return max(min(size) // 36, 8)


def _label(
    words: str, size: tuple[int, int], *, right: bool
) -> tuple[Image.Image, tuple[int, int]]:
    """A small chip in a lower corner, and its place."""
    layer = chip(words, size, small=True)
    margin = _margin(size) // 2
    x = size[0] - margin - layer.size[0] if right else margin
    return layer, (x, size[1] - margin - layer.size[1])


def _prompt(
    prompt: str, size: tuple[int, int], *, title: bool
) -> tuple[Image.Image | None, tuple[int, int]]:
    """The prompt as a layer with alpha and a soft shadow, and where it goes."""
    if not prompt:
        return None, (0, 0)
    width, height = size
    most_lines = 6 if title else 2
    largest = min(size) // (11 if title else 22)
    font, lines = _set(
        prompt[:_MOST_CHARACTERS], int(width * 0.8), most_lines, largest, max(largest // 2, 12)
    )
    pad = round(font.size)
    step = round(font.size * 1.3)
    block = max(int(font.getlength(line)) for line in lines), step * len(lines)
    layer = Image.new("RGBA", (block[0] + 2 * pad, block[1] + 2 * pad), (0, 0, 0, 0))
    shadow = ImageDraw.Draw(layer)
    middle = layer.size[0] / 2
    for number, line in enumerate(lines):
        at = (middle, pad + step * (number + 0.5))
        shadow.text(at, line, (0, 0, 0, 200), font, anchor="mm", stroke_width=pad // 12)
    layer = layer.filter(ImageFilter.GaussianBlur(font.size / 7))
    draw = ImageDraw.Draw(layer)
    for number, line in enumerate(lines):
        draw.text((middle, pad + step * (number + 0.5)), line, (*_WHITE, 255), font, anchor="mm")
    x = (width - layer.size[0]) // 2
    bottom = height - _margin(size) * 3 - layer.size[1] + pad
    return layer, (x, (height - layer.size[1]) // 2 if title else bottom)


def _set(
    prompt: str, width: int, most_lines: int, largest: int, smallest: int
) -> tuple[Font, list[str]]:
    """The largest font in which the prompt fits, and its lines; cut off with an ellipsis."""
    for points in range(largest, smallest - 1, -2):
        font = font_for(prompt, points)
        lines = wrap(readable(prompt, font), font, width)
        if len(lines) <= most_lines:
            return font, _balanced(readable(prompt, font), font, width, lines)
    last = lines[most_lines - 1]
    while last and font.getlength(f"{last}\u2026") > width:
        last = last[:-1]
    return font, [*lines[: most_lines - 1], f"{last.rstrip()}\u2026"]


def _balanced(words: str, font: Font, width: int, lines: list[str]) -> list[str]:
    """As many lines as `lines`, but of about the same length."""
    for narrower in range(width, width // 2, -max(width // 40, 1)):
        tried = wrap(words, font, narrower)
        if len(tried) > len(lines):
            break
        lines = tried
    return lines


_WIDE = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef"
_PIECES = re.compile(rf"[{_WIDE}]|\s+|[^\s{_WIDE}]+")


def wrap(words: str, font: Font, width: int) -> list[str]:
    """Break `words` into lines: at spaces, and anywhere between wide (Chinese) characters."""
    lines = [""]
    for piece in _PIECES.findall(words):
        if font.getlength(lines[-1] + piece) <= width:
            lines[-1] += piece
            continue
        while font.getlength(piece) > width:  # a word longer than a line
            fitting = next(
                count
                for count in range(len(piece), 0, -1)
                if count == 1 or font.getlength(piece[:count]) <= width
            )
            lines.append(piece[:fitting])
            piece = piece[fitting:]
        lines.append(piece.lstrip())
    return [line.strip() for line in lines if line.strip()] or [""]


def readable(words: str, font: Font) -> str:
    """`words` without the characters that the font lacks; says how many those are."""
    gap = _shape(font, _NOBODYS)
    kept = "".join(each for each in words if each.isspace() or _shape(font, each) != gap)
    lost = len(words) - len(kept)
    if not kept.strip():
        return f"(a prompt of {len(words)} characters without a font here)"
    said = f" (and {counted(lost, 'characters')} without a font here)" if lost else ""
    return " ".join(kept.split()) + said


def _shape(font: Font, character: str) -> bytes:
    mask = font.getmask(character)
    return bytes(mask) + bytes(mask.size)


@lru_cache(maxsize=64)
def font_for(words: str, points: int) -> Font:
    """A font for `words`: the first that has all its characters, else that with the most."""
    wide = any(ord(character) > 0x2E7F for character in words)
    best, fewest = None, len(words) + 1
    for name in (*(_WIDE_FONTS if wide else _NARROW_FONTS), None):
        try:
            font = ImageFont.truetype(name, points) if name else ImageFont.load_default(points)
        except OSError:
            continue
        if not isinstance(font, ImageFont.FreeTypeFont):
            continue
        gap = _shape(font, _NOBODYS)
        missing = sum(_shape(font, each) == gap for each in set(words) if not each.isspace())
        if missing == 0:
            return font
        if missing < fewest:
            best, fewest = font, missing
    if best is None:
        raise RuntimeError("Pillow was built without FreeType")
    return best
