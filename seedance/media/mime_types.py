"""MIME types of media: the usual name of a type, and the file ending that goes with it."""

from __future__ import annotations

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
_USUAL = {
    "image/jpg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
}


def usual(mime: str) -> str:
    """The usual name of a type: `audio/wav` for `audio/x-wav`."""
    return _USUAL.get(mime, mime)


def file_name(kind: str, digest: str, mime: str) -> str:
    """A file name for what goes up, which tells nothing about the user's files."""
    return f"{kind}-{digest[:12]}.{_EXTENSIONS.get(mime, 'bin')}"
