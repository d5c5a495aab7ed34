"""Packets of AAC as they can be copied: what their track says of them, and where they fit together.

Each packet holds 2048 samples, half of them shared with the packet before: what is heard of them
needs both packets, and is right where both describe the same sound under windows that complement
each other.
"""

from __future__ import annotations

PACKET = 1024  # samples by which a packet goes on

RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_LOW_COMPLEXITY = 2
_SYNC, _SBR = 0x2B7, 5  # that the sound has a part that repeats its lower half, an octave higher
_SINGLE, _PAIR = 0, 1  # elements of a packet: one channel, two channels
_START, _SHORT = 1, 2  # windows that end in the slope of a short one


def config(rate: int, channels: int) -> bytes:
    """How the track of a sound begins that is plain AAC-LC of 1 or 2 channels; empty where there is
    no such sound."""
    if rate not in RATES or channels not in (1, 2):
        return b""
    return (_LOW_COMPLEXITY << 11 | RATES.index(rate) << 7 | channels << 3).to_bytes(2, "big")


def is_plain(extradata: bytes, rate: int, channels: int) -> bool:
    """Whether a track that begins so is plain AAC-LC of 1024 samples a packet."""
    head, rest = extradata[:2], int.from_bytes(extradata[2:5], "big")
    more = len(extradata) >= 5 and rest >> 13 == _SYNC and rest >> 8 & 31 == _SBR and rest >> 7 & 1
    return bool(head) and head == config(rate, channels) and not more


def slope(packet: bytes) -> tuple[bool, int] | None:
    """How the window of a packet ends: whether in the slope of a short one, and in which shape.
    The packet after it must begin so. None where it is not told at once: its channels differ."""
    bits = int.from_bytes(packet[:4], "big")
    kind = bits >> 29 if len(packet) >= 4 else None
    if kind == _PAIR and bits >> 24 & 1:
        window, shape = bits >> 21 & 3, bits >> 20 & 1
    elif kind == _SINGLE:
        window, shape = bits >> 14 & 3, bits >> 13 & 1
    else:
        return None
    return window in (_START, _SHORT), shape
