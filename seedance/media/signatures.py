"""What a file is by its first bytes, for the words of an error."""

from __future__ import annotations

from pathlib import Path

from ..order import Kind

_LENGTH = 512

# Files of ISO/IEC 14496-12, by their brand; all others are clips.
_BRANDS: dict[bytes, tuple[Kind, str]] = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc"), ("image", "HEIC")),
    **dict.fromkeys((b"mif1", b"msf1"), ("image", "HEIF")),
    **dict.fromkeys((b"avif", b"avis"), ("image", "AVIF")),
    b"crx ": ("image", "CR3"),
    b"M4A ": ("audio", "M4A"),
    b"qt  ": ("video", "MOV"),
}
_BEGINNINGS: tuple[tuple[bytes, Kind, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image", "PNG"),
    (b"\xff\xd8\xff", "image", "JPEG"),
    (b"GIF8", "image", "GIF"),
    (b"BM", "image", "BMP"),
    (b"\0\0\0\x0cjP  ", "image", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "image", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "image", "JPEG XL"),
    (b"\xff\x0a", "image", "JPEG XL"),
    (b"8BPS", "image", "PSD"),
    (b"\x76\x2f\x31\x01", "image", "EXR"),
    (b"#?RADIANCE", "image", "HDR"),
    (b"II*\0", "image", "TIFF"),
    (b"MM\0*", "image", "TIFF"),
    (b"II+\0", "image", "TIFF"),
    (b"MM\0+", "image", "TIFF"),
    (b"DDS ", "image", "DDS"),
    (b"SDPX", "image", "DPX"),
    (b"XPDS", "image", "DPX"),
    (b"gimp xcf", "image", "XCF"),
    (b"%PDF", "image", "PDF"),
    (b"%!PS", "image", "EPS"),
    (b"<svg", "image", "SVG"),
    (b"\0\0\x01\0", "image", "ICO"),
    (b"\x1a\x45\xdf\xa3", "video", "Matroska or WebM"),
    (b"FLV", "video", "FLV"),
    (b"\x30\x26\xb2\x75", "video", "WMV"),
    (b"\0\0\x01\xba", "video", "MPEG"),
    (b"ID3", "audio", "MP3"),
    (b"\xff\xfb", "audio", "MP3"),
    (b"fLaC", "audio", "FLAC"),
    (b"OggS", "audio", "Ogg"),
)
_RIFF: dict[bytes, tuple[Kind, str]] = {
    b"WEBP": ("image", "WebP"),
    b"AVI ": ("video", "AVI"),
    b"WAVE": ("audio", "WAV"),
}


def signature(source: Path | bytes) -> tuple[Kind, str] | None:
    """The kind of a file and the name of its format; None where it is not known, or unreadable."""
    try:
        if isinstance(source, bytes):
            head = source[:_LENGTH]
        else:
            with Path(source).open("rb") as file:
                head = file.read(_LENGTH)
    except OSError:
        return None
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], ("video", "MP4"))
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[:5] == b"<?xml" and b"<svg" in head:
        return "image", "SVG"
    for beginning, kind, name in _BEGINNINGS:
        if head.startswith(beginning):
            return kind, name
    return None
