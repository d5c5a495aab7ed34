"""The colours of a picture file in sRGB, by its ICC profile, or by numbers that stand for it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from .colours import is_plain, to_srgb

# Colours that tell whether a profile is anything else than sRGB: a level of rounding is not.
_PATCHES = np.stack(np.meshgrid(*[np.linspace(0, 255, 6).astype(np.uint8)] * 3), axis=-1)
_ROUNDING = 1

_ROWS = 64  # converted at once


_HEAD = 65536  # bytes, among which the numbers are
# Where they stand: a chunk of PNG, a box of AVIF and HEIF. Primaries come first, then the transfer;
# the second value is how many bytes each has.
_PLACES = ((b"\0\0\0\x04cICP", 1), (b"colrnclx", 2))


def numbered_colours(source: Path | bytes) -> tuple[int, int] | None:
    """The transfer and the primaries of a picture, as numbers of ISO/IEC 23091-2; None where it
    has none, or where they are shown as sRGB."""
    if isinstance(source, bytes):
        head = source[:_HEAD]
    else:
        with Path(source).open("rb") as file:
            head = file.read(_HEAD)
    for name, size in _PLACES:
        at = head.find(name) + len(name)
        if at >= len(name) and len(head) >= at + 2 * size:
            primaries = int.from_bytes(head[at : at + size], "big")
            transfer = int.from_bytes(head[at + size : at + 2 * size], "big")
            return None if is_plain(transfer, primaries) else (transfer, primaries)
    return None


def from_numbered(picture: Image.Image, colours: tuple[int, int]) -> Image.Image:
    """A picture whose colours are those of `numbered_colours`, in sRGB: RGB, or RGBA."""
    picture = picture.convert("RGBA" if _has_alpha(picture) else "RGB")
    pixels = np.asarray(picture)
    result = pixels.copy()
    for top in range(0, len(pixels), _ROWS):
        rows = pixels[top : top + _ROWS, :, :3].astype(np.uint16) * 257
        result[top : top + _ROWS, :, :3] = to_srgb(rows, *colours)
    return Image.fromarray(result)


def in_srgb(picture: Image.Image) -> Image.Image:
    """A picture in the colours that its profile means, as RGB; with its transparency, as RGBA.

    One without a profile, with that of sRGB, or with one that cannot be used is returned as it is.
    """
    data = picture.info.get("icc_profile")
    if picture.mode == "LAB":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        return _converted(picture, profile)
    if not data:
        return picture
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        if picture.mode in ("P", "PA"):
            picture = picture.convert("RGBA" if _has_alpha(picture) else "RGB")
        if picture.mode == "LA":
            grey, alpha = picture.split()
            result = _converted(grey, profile)
            result.putalpha(alpha)
            return result
        if picture.mode in ("RGB", "RGBA") and _is_srgb(profile):
            return picture
        return _converted(picture, profile)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture


def _has_alpha(picture: Image.Image) -> bool:
    return picture.mode in ("PA", "LA", "RGBA") or "transparency" in picture.info


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    patches = Image.fromarray(_PATCHES.reshape(36, 6, 3))
    change = np.asarray(_converted(patches, profile)).astype(int) - np.asarray(patches)
    return bool(np.abs(change).max() <= _ROUNDING)


def _converted(picture: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    mode = "RGBA" if picture.mode == "RGBA" else "RGB"
    srgb = ImageCms.createProfile("sRGB")
    result = ImageCms.profileToProfile(picture, profile, srgb, outputMode=mode)
    assert result is not None  # it is None only where the picture itself is changed
    return result
