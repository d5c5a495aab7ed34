"""The colours of a picture file in sRGB, by its ICC profile."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

# Colours that tell whether a profile is anything else than sRGB: a level of rounding is not.
_PATCHES = np.stack(np.meshgrid(*[np.linspace(0, 255, 6).astype(np.uint8)] * 3), axis=-1)
_ROUNDING = 1


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
    return picture.mode == "PA" or "transparency" in picture.info


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
