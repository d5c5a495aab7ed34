"""Shot lists: CSV, JSON, JSONL or plain text -> shots, whose options make orders.

forms     the four forms: a text -> what each shot says, and where it stands
reading   shots, checked: all mistakes of a list at once
"""

from __future__ import annotations

from .reading import (
    BadShots,
    Problem,
    Shot,
    file_stem,
    read_file,
    read_records,
    read_text,
)

__all__ = [
    "BadShots",
    "Problem",
    "Shot",
    "file_stem",
    "read_file",
    "read_records",
    "read_text",
]
