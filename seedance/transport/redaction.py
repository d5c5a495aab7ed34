"""Takes a key out of what comes back: a provider may quote the key that it refuses.

Owns the spellings in which a key can stand in an answer. Must not know who answered.
"""

from __future__ import annotations

import base64
import re


class Redaction:
    """Of one key; an empty one is found nowhere."""

    def __init__(self, key: str) -> None:
        self._spellings = _spellings(key)

    def of(self, data: bytes) -> bytes:
        """`data` without the key."""
        return self._spellings.sub(b"(your key)", data) if self._spellings else data

    def of_text(self, text: str) -> str:
        """`text` without the key."""
        return self.of(text.encode()).decode()


def _spellings(key: str) -> re.Pattern[bytes] | None:
    """Finds a key as it is, with letters escaped as JSON, an address or a web page may have them,
    up to a few times over, in base64 wherever it begins (but for the letters at either end that
    depend on what stands there), or in hexadecimal. It takes a time in proportion to the text."""
    if not key:
        return None
    letters = "".join(
        rf"(?:\\{{0,8}}{re.escape(letter)}|\\{{1,8}}u00(?i:{ord(letter):02x})"
        rf"|%(?:25){{0,4}}(?i:{ord(letter):02x})|&#(?:{ord(letter)}|[xX](?i:{ord(letter):x}));)"
        for letter in key
    )
    if len(key) < 8:  # no key, but somebody's stand-in, whose other forms are in every text
        return re.compile(letters.encode())
    forms = [letters, f"(?i:{key.encode().hex()})"]
    for before in range(3):
        packed = base64.b64encode(bytes(before) + key.encode()).decode()
        whole = packed[-(-before * 8 // 6) : (before + len(key)) * 8 // 6]
        forms.append(re.sub("[+/]", lambda found: "[+-]" if found[0] == "+" else "[/_]", whole))
    return re.compile("|".join(forms).encode())
