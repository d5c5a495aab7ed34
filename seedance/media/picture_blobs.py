"""A picture as the Blob that goes up: its own bytes where the limits allow, else encoded anew."""

from __future__ import annotations

import hashlib
import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

from .. import embedded
from ..errors import BadOrder
from ..order import Medium
from ..said import Said, say
from ..units import size_in_words
from ..wire import Blob, MediaLimits
from .limits import (
    PICTURE,
    accepts,
    at_most,
    check_shape,
    check_smallest,
    most_pixels,
    scale_to_fit,
    shaped,
    smallest_side,
)
from .mime_types import file_name
from .pictures import encode_png, fit_cover, holds_several, open_picture, read_picture, scale

_EXIF_ORIENTATION = 0x0112
_MOST_WEBP_SIDE = 16383  # pixels; the format's own limit
_SHRINK = 0.9  # a step smaller, where the first guess at a size in bytes was not enough


def picture_blob(
    medium: Medium,
    limits: MediaLimits,
    *,
    size: tuple[int, int] | None = None,
    ratio: tuple[int, int] | None = None,
) -> tuple[Blob, Said | None]:
    """A picture as it goes up, and a sentence if it had to be made smaller.

    `size` (width, height): cover and centre crop to exactly that; `ratio`, such as (16, 9): centre
    crop to that. A file of one picture that is upright, of an accepted format, within the limits
    and of that size goes up byte for byte, but for a graph that we put into it. All else goes up
    losslessly as PNG (or WebP, where PNG is not taken or too large; JPEG only where neither is
    taken); it is scaled down only if a documented limit demands it. Raises BadOrder for a picture
    that is unreadable, too small, or of a shape outside the limits.
    """
    source = medium.data if medium.data is not None else medium.path
    if source is not None:
        blob = _untouched(source, limits, size, ratio)
        if blob is not None:
            return blob, None
        pixels = read_picture(source)
    elif medium.pixels is not None:
        pixels = medium.pixels
    else:
        raise BadOrder("An address is not a picture that can be encoded.")
    height, width = pixels.shape[:2]
    check_smallest(width, height)
    if size is None and ratio is not None:
        size = shaped((width, height), ratio, limits)
    if size is not None:
        pixels = fit_cover(pixels, *size)
        height, width = pixels.shape[:2]
    check_shape(PICTURE, width, height, limits)
    return _encoded(pixels, limits)


def _untouched(
    source: Path | bytes,
    limits: MediaLimits,
    size: tuple[int, int] | None,
    ratio: tuple[int, int] | None,
) -> Blob | None:
    """The file as it is, if nothing asks for a change."""
    with open_picture(source) as picture:
        width, height = picture.size
        mime = Image.MIME.get(picture.format or "", "")
        as_it_is = picture.getexif().get(_EXIF_ORIENTATION, 1) == 1 and not holds_several(picture)
        picture.load()  # a broken file must be refused here, not by the provider
    check_smallest(width, height)
    if size is None and ratio is not None:
        size = shaped((width, height), ratio, limits)
    pieces = embedded.without(source)  # a graph of ours is no provider's business
    if pieces is not None:
        source = b"".join(pieces)
    length = len(source) if isinstance(source, bytes) else source.stat().st_size
    if (
        not as_it_is
        or not accepts(limits, mime)
        or (size is not None and size != (width, height))
        or scale_to_fit(width, height, limits) < 1
        or length > (limits.max_bytes or length)
    ):
        return None
    check_shape(PICTURE, width, height, limits)
    data = source if isinstance(source, bytes) else source.read_bytes()
    return _blob(data, mime, width, height)


def _encoded(pixels: np.ndarray, limits: MediaLimits) -> tuple[Blob, Said | None]:
    """The pixels as a file within the limits, scaled down until they fit, and a sentence if so."""
    was = f"{pixels.shape[1]}x{pixels.shape[0]}"
    original, factor = pixels, scale_to_fit(pixels.shape[1], pixels.shape[0], limits)
    why = at_most(most_pixels(limits)) if factor < 1 else Said("")
    while True:
        if factor < 1:
            width, height = (max(int(side * factor), 1) for side in original.shape[1::-1])
            pixels = scale(original, width, height)
        data, mime = _encode(pixels, limits)
        height, width = pixels.shape[:2]
        if limits.max_bytes is None or len(data) <= limits.max_bytes:
            break
        factor *= min(math.sqrt(limits.max_bytes / len(data)), 1) * _SHRINK
        why = at_most(size_in_words(limits.max_bytes))
        if min(original.shape[:2]) * factor < smallest_side(limits):
            raise BadOrder(
                "A picture of {was} cannot be made small enough: {why}.", was=was, why=why
            )
    if factor == 1:
        return _blob(data, mime, width, height), None
    note = say(
        "A picture of {was} was scaled down to {now}: {why}.",
        was=was,
        now=f"{width}x{height}",
        why=why,
    )
    return _blob(data, mime, width, height), note


def _encode(pixels: np.ndarray, limits: MediaLimits) -> tuple[bytes, str]:
    """The pixels in the first of PNG, WebP and JPEG that is taken and small enough."""
    most = limits.max_bytes
    data, mime = b"", ""
    if accepts(limits, "image/png"):
        data, mime = encode_png(pixels), "image/png"
        if most is None or len(data) <= most:
            return data, mime
    if accepts(limits, "image/webp") and max(pixels.shape) <= _MOST_WEBP_SIDE:
        return _by_pillow(pixels, "WEBP", lossless=True, quality=50), "image/webp"
    if not data:
        data, mime = _by_pillow(pixels, "JPEG", quality=95, subsampling=0), "image/jpeg"
    return data, mime


def _by_pillow(pixels: np.ndarray, format_name: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format_name, **options)
    return file.getvalue()


def _blob(data: bytes, mime: str, width: int, height: int) -> Blob:
    digest = hashlib.sha256(data).hexdigest()
    return Blob(
        kind="image",
        mime=mime,
        name=file_name("image", digest, mime),
        size=len(data),
        digest=digest,
        data=data,
        width=width,
        height=height,
    )
