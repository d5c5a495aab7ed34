"""Pictures, clips and sounds: numpy arrays <-> bytes and files, with Pillow and PyAV.

    info.py      what a file holds: probe, open_media
    frames.py    clip -> float32 frames, its last frame
    memory.py    whether decoded frames fit into memory
    pages.py     which pages of memory they get
    pictures.py  picture files <-> pixels, PNG, fitting
    sound.py     sound track -> samples, WAV
    clips.py     frames -> clip; a clip or a sound brought within limits
    tags.py      colour tags that a clip lacks
    blobs.py     a Medium -> the Blob that goes up

Must not know the network, providers, the journal, torch or ComfyUI. Importing this package is
cheap: a name is loaded from its file when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .blobs import clip_blob, picture_blob, sound_blob
    from .clips import convert_clip, convert_sound, write_clip
    from .frames import decode_frames, iter_frames, last_frame
    from .info import ClipInfo, SoundInfo, probe, probe_sound
    from .memory import Promise, ensure_memory, frames_bytes
    from .pictures import encode_png, fit_cover, read_picture, save_png, to_8bit
    from .sound import decode_audio, encode_wav
    from .tags import tag_colour

_HOME = {
    "clip_blob": "blobs",
    "picture_blob": "blobs",
    "sound_blob": "blobs",
    "convert_clip": "clips",
    "convert_sound": "clips",
    "write_clip": "clips",
    "decode_frames": "frames",
    "iter_frames": "frames",
    "last_frame": "frames",
    "ClipInfo": "info",
    "SoundInfo": "info",
    "probe": "info",
    "probe_sound": "info",
    "Promise": "memory",
    "ensure_memory": "memory",
    "frames_bytes": "memory",
    "encode_png": "pictures",
    "fit_cover": "pictures",
    "read_picture": "pictures",
    "save_png": "pictures",
    "to_8bit": "pictures",
    "decode_audio": "sound",
    "encode_wav": "sound",
    "tag_colour": "tags",
}

__all__ = [
    "ClipInfo",
    "Promise",
    "SoundInfo",
    "clip_blob",
    "convert_clip",
    "convert_sound",
    "decode_audio",
    "decode_frames",
    "encode_png",
    "encode_wav",
    "ensure_memory",
    "fit_cover",
    "frames_bytes",
    "iter_frames",
    "last_frame",
    "picture_blob",
    "probe",
    "probe_sound",
    "read_picture",
    "save_png",
    "sound_blob",
    "tag_colour",
    "to_8bit",
    "write_clip",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
