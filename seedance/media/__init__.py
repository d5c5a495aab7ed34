"""Pictures, clips and sounds: numpy arrays <-> bytes and files, with Pillow and PyAV.

    info.py           what a file holds: probe; opening files that may be hostile
    turns.py          how a clip's pictures are turned
    colours.py        HDR and wide gamuts as sRGB
    deep_colour.py    pictures of more than 8 bits a channel, of 4:4:4 and of HDR
    pictures.py       picture files <-> pixels, PNG, fitting to a size
    profiles.py       the ICC profile of a picture applied
    signatures.py     what a file is by its first bytes, for errors
    frames.py         clip -> float32 frames; its last frame
    parts.py          which packets are decoded for a part of the frames
    sounds.py         sound track -> samples, WAV
    clips.py          frames -> clip; a clip or a sound converted
    join.py           clips one after the other as one film
    film_sound.py     the sound of a film: copied, but for what lies around its joints
    sound_runs.py     what of a film's sound is encoded
    voices.py         what the sound of a clip is, for a film
    aac.py            packets of AAC: whether they can be copied, and where they fit together
    completeness.py   whether a video file has all of its parts
    colour_tags.py    colour tags that a clip lacks
    packets.py        whether a copy has the same pictures and sound
    graphs.py         ComfyUI's graph in a saved video or picture
    memory.py         whether decoded frames fit into memory
    huge_pages.py     large arrays that are quick to fill
    measuring.py      what a medium is, before anything is made of it
    limits.py         a medium against a provider's limits
    picture_blobs.py  a picture -> the Blob that goes up
    clip_blobs.py     a clip or a sound -> the Blob that goes up
    mime_types.py     names and file endings of types

Importing this package is cheap: its names, which names.py lists, are loaded when the first of them
is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .names import *  # noqa: F403 (names.py holds nothing else)
else:

    def __getattr__(name: str) -> object:
        if name.startswith("_"):  # Python itself asks for such
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(".names", __name__), name)
