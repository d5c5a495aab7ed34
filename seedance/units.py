"""Sizes in words."""

from __future__ import annotations


def size_in_words(nbytes: int) -> str:
    """`4,200 bytes`, `2.2 MB`, `1.5 GB`: of memory as of files, in powers of ten as shops and
    systems count."""
    if nbytes < 100_000:
        return f"{nbytes:,} bytes"
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.1f} MB"
