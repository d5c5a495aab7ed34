"""Pictures: files of any usual format <-> 8-bit RGB pixels, and fitting them to a size."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import BadOrder
from ..files import replacing
from ..said import say
from .memory import ensure_memory
from .profiles import from_numbered, in_srgb, numbered_colours
from .signatures import signature

MAX_PIXELS = 178_956_970  # where Pillow refuses as well, unless a host has switched that off

# Of the formats that Pillow reads, those of pictures that people have. EPS, for one, is a program,
# which Pillow would have run by Ghostscript.
_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")

_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF", "TIFF")
# Known by their first bytes, and read by no Pillow, or not by every one.
_UNREAD = frozenset(
    [
        "HEIC",
        "HEIF",
        "AVIF",
        "CR3",
        "PSD",
        "EXR",
        "HDR",
        "TIFF",
        "DDS",
        "DPX",
        "XCF",
        "PDF",
        "EPS",
        "SVG",
        "ICO",
    ]
) | {"JPEG 2000", "JPEG XL"}
_HINT = say(
    "Open it in a picture viewer. If it opens there, convert it to JPEG or PNG; if not, save or "
    "fetch it again."
)

_BRIGHTEST = 2.0  # of a float picture in 0..1: filters overshoot a little, another scale does more
_DARKEST = -0.1  # likewise; -1..1, as diffusion models give, would lose its darker half
_OVER_WHITE = 16  # times as bright as white: highlights of floating-point pictures

_LARGE_PIXELS = 12_000_000  # above which memory is looked at
_BYTES_PER_PIXEL = 24  # while a picture with transparency is turned and laid over white

_SIGNED = say(
    "Where they are in -1..1, as diffusion models give them, use (x + 1) / 2. "
    "np.clip(x, 0, 1) makes those below 0 black."
)

_BLOCK = 64  # rows filtered at once: they stay in the processor's cache


def to_8bit(frames: np.ndarray) -> np.ndarray:
    """Float pixels in 0..1 as uint8, rounded to the nearest level; what lies outside is clipped.

    Exact for pixels that came from 8 bits. NaN becomes 0.
    """
    levels = np.empty(frames.shape, np.uint8)
    whole = (frames, levels) if frames.ndim == 4 else (frames[None], levels[None])
    for frame, target in zip(*whole):  # one at a time: a batch may fill half of the memory
        scaled = np.nan_to_num(np.multiply(frame, 255.0, dtype=np.float32), nan=0.0)
        np.rint(np.clip(scaled, 0.0, 255.0, out=scaled), out=scaled)
        target[...] = scaled
    return levels


@contextmanager
def open_picture(source: Path | bytes) -> Iterator[Image.Image]:
    """Open a picture with Pillow, its pixels not loaded yet.

    Pillow's errors, while opening and inside the `with` block, become BadOrder.
    """
    name = say("The picture") if isinstance(source, bytes) else Path(source).name
    file = io.BytesIO(source) if isinstance(source, bytes) else Path(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            Image.init()
            picture = Image.open(file, formats=[name for name in _FORMATS if name in Image.OPEN])
        with picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            if picture.width * picture.height > _LARGE_PIXELS:
                need = picture.width * picture.height * _BYTES_PER_PIXEL
                what = say("{name}: its pixels", name=name)
                with ensure_memory(need, what, say("Use a smaller picture.")):
                    yield picture
            else:
                yield picture
    except Image.DecompressionBombError as error:
        raise BadOrder(
            "{name} is too large: a picture may have {most} million pixels.",
            name=name,
            most=f"{MAX_PIXELS / 1e6:.0f}",
        ) from error
    except UnidentifiedImageError as error:
        raise _unreadable(name, source) from error
    except PermissionError as error:
        raise BadOrder(
            "{path} cannot be read: {reason}.",
            hint="Make the file readable for whoever runs this.",
            path=source if isinstance(source, Path) else name,
            reason=error.strerror,
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        if isinstance(error, BadOrder):
            raise
        raise BadOrder(
            "{name} is not a readable picture: {error}.", hint=_HINT, name=name, error=error
        ) from error


def _unreadable(name: str, source: Path | bytes) -> BadOrder:
    """The error for a file that Pillow does not know."""
    kind, form = signature(source) or ("image", "")
    if kind != "image":
        if kind == "video":
            return BadOrder(
                "{name} is a clip ({form}), not a picture.",
                hint="Give it as a clip, or save one of its pictures as JPEG or PNG.",
                name=name,
                form=form,
            )
        return BadOrder(
            "{name} is a sound ({form}), not a picture.",
            hint="Give it as a sound.",
            name=name,
            form=form,
        )
    if form in _UNREAD:
        return BadOrder(
            "{name} is a picture in the format {form}, which cannot be read here.",
            hint="Convert it to JPEG or PNG.",
            name=name,
            form=form,
        )
    return BadOrder("{name} is not a readable picture.", hint=_HINT, name=name)


def holds_several(picture: Image.Image) -> bool:
    """Whether an opened file is an animation, or has pages. (The second picture in the JPEG of a
    phone is a part of the first.)"""
    return picture.format in _ANIMATED and bool(getattr(picture, "is_animated", False))


def read_picture(source: Path | bytes) -> np.ndarray:
    """A picture file, or the bytes of one, as uint8 (height, width, 3), RGB.

    It is turned upright as its EXIF data say, and its ICC profile is applied. Of an animation it is
    the first picture. Grey becomes RGB, 16 bits become 8, and what is
    transparent is laid over white, as a viewer shows it. Raises BadOrder if it cannot be read or
    is too large.
    """
    with open_picture(source) as picture:
        colours = numbered_colours(source)
        return np.asarray(_rgb(ImageOps.exif_transpose(picture), colours))


def is_whole_png(path: Path, width: int, height: int) -> bool:
    """Whether a file is a PNG of that size that has all of its parts. Its pixels are not
    decoded: the checksums of the parts tell whether they are whole."""
    try:
        with open_picture(path) as picture:
            if picture.format != "PNG" or picture.size != (width, height):
                return False
            picture.verify()
            return True
    except BadOrder:
        return False


def pixels_of(value: object) -> np.ndarray | None:
    """A picture in memory as uint8 (height, width, 3), RGB: a Pillow image, turned and in the
    colours that a viewer shows; or an array of shape (height, width, 3), uint8 in 0..255 or float
    in 0..1. None for a value that is neither.

    Raises BadOrder for an array of another shape, type or range.
    """
    if isinstance(value, Image.Image):
        try:
            return np.asarray(_rgb(ImageOps.exif_transpose(value), None))
        except (OSError, SyntaxError, ValueError) as error:  # its file may be read only now
            raise BadOrder(
                "The picture cannot be read: {error}.", hint=_HINT, error=error
            ) from error
    if not isinstance(value, np.ndarray):
        return None
    if value.ndim != 3 or value.shape[2] != 3 or not value.size:
        raise BadOrder(
            "The array of a picture must have the shape (height, width, 3), not {shape}.",
            hint="Of several pictures give one; leave transparency out.",
            shape=value.shape,
        )
    if value.dtype == np.uint8:
        return np.array(value)  # its owner may paint over it while the order is under way
    if value.dtype.kind != "f":
        raise BadOrder(
            "The array of a picture must be uint8 or float, not {dtype}.",
            hint="uint8 is in 0..255, float in 0..1.",
            dtype=value.dtype,
        )
    lowest, highest = value.min(), value.max()
    # NaN is in no range, so that it is refused too.
    if not (highest <= _BRIGHTEST and lowest >= _DARKEST):
        if not np.isfinite(value).all():
            hint = say(
                "Some are not finite (NaN or infinite): np.nan_to_num makes numbers of them."
            )
        elif highest <= _BRIGHTEST:
            hint = _SIGNED
        else:
            hint = say("Divide it by 255, or make it uint8.")
        raise BadOrder(
            "The array of a picture is float, and its values are not in 0..1.", hint=hint
        )
    return to_8bit(value)


def _rgb(picture: Image.Image, colours: tuple[int, int] | None) -> Image.Image:
    """Any picture as 8-bit RGB in the colours of sRGB, what is transparent on white. `colours` are
    those of `numbered_colours`."""
    if picture.mode == "F":
        picture = _grey_of_floats(picture)
    if picture.mode.startswith("I"):  # 16-bit grey, which Pillow's own conversion clips at 255
        levels = np.asarray(picture).astype(np.uint32)
        grey = Image.fromarray((levels.clip(0, 65535) // 257).astype(np.uint8))
        grey.info = picture.info
        picture = grey
    picture = from_numbered(picture, colours) if colours else in_srgb(picture)
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return picture.convert("RGB")


def _grey_of_floats(picture: Image.Image) -> Image.Image:
    """A picture of floating-point numbers as 8-bit grey. White is 1, unless its numbers are plainly
    those of 8 or 16 bits: a few that are far above 1 are highlights."""
    values = np.nan_to_num(np.asarray(picture, np.float32), nan=0.0, posinf=1.0, neginf=0.0)
    most = float(values.max(initial=0.0))
    white = next(level for level in (1.0, 255.0, 65535.0, most) if most <= level * _OVER_WHITE)
    if np.count_nonzero(values > 1) * 2 < np.count_nonzero(values > 0):
        white = 1.0
    return Image.fromarray(to_8bit(values / white))


def fit_cover(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Scale uint8 (h, w, 3) to cover width x height (Lanczos), and crop it to that at its centre.

    Pixels that have the size already come back as they are.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    fitted = ImageOps.fit(Image.fromarray(pixels), (width, height), Image.Resampling.LANCZOS)
    return np.asarray(fitted)


def scale(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Scale uint8 (h, w, 3) to width x height, whatever that does to its shape (Lanczos)."""
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def encode_png(pixels: np.ndarray) -> bytes:
    """uint8 (height, width, 3) as a PNG file, lossless, in a fraction of the time Pillow takes.

    Pillow tries all five row filters and searches for long matches. In photographs there are hardly
    any matches once the rows are filtered, so two filters and run lengths reach about the same
    size; drawings have matches, and get a quick search. zlib and numpy let other threads run
    meanwhile. FFmpeg's encoder is as quick, but its files of grainy photographs are larger:
    benchmarks/pictures.py compares them.
    """
    height, width, _ = pixels.shape
    rows = np.ascontiguousarray(pixels).reshape(height, width * 3)
    packer = _packer(_quicker_strategy(rows))
    parts = [packer.compress(block.data) for block in _filtered(rows)]
    parts.append(packer.flush())
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, RGB
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", b"".join(parts)),
            _chunk(b"IEND", b""),
        )
    )


def _packer(strategy: int) -> zlib._Compress:
    """zlib at its quickest level, with a strategy of its own."""
    return zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, strategy)


def _quicker_strategy(rows: np.ndarray) -> int:
    """Run lengths, unless the rows in the middle of the picture become smaller by matches."""
    middle = max((len(rows) - _BLOCK) // 2, 0)
    sample = next(_filtered(rows[middle : middle + _BLOCK])).data
    sizes = {
        strategy: len((packer := _packer(strategy)).compress(sample) + packer.flush())
        for strategy in (zlib.Z_RLE, zlib.Z_DEFAULT_STRATEGY)
    }
    return min(sizes, key=lambda strategy: sizes[strategy])


def _filtered(rows: np.ndarray) -> Iterator[np.ndarray]:
    """PNG rows: each the difference to the left or to the row above, whichever is smaller."""
    above = np.zeros_like(rows[:1])
    for top in range(0, len(rows), _BLOCK):
        block = rows[top : top + _BLOCK]
        left_difference = block.copy()
        left_difference[:, 3:] -= block[:, :-3]
        up_difference = block - np.concatenate((above, block[:-1]))
        above = block[-1:]
        use_up = _weight(up_difference) < _weight(left_difference)
        filtered = np.empty((len(block), block.shape[1] + 1), np.uint8)
        filtered[:, 0] = np.where(use_up, 2, 1)  # the filter's number in the PNG standard
        filtered[:, 1:] = np.where(use_up[:, None], up_difference, left_difference)
        yield filtered


def _weight(differences: np.ndarray) -> np.ndarray:
    """How far each row's differences, taken as signed bytes, are from zero."""
    weights: np.ndarray = np.abs(differences.view(np.int8).astype(np.int16)).sum(axis=1)
    return weights


def _chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG file: its length, kind, data and checksum."""
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def save_png(path: Path, pixels: np.ndarray) -> None:
    """Write uint8 (height, width, 3) to `path` as PNG; whole or not at all."""
    with replacing(Path(path)) as part, part.open("xb") as file:
        file.write(encode_png(pixels))
