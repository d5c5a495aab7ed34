"""Takes a key out of what comes back: a provider may quote the key that it refuses."""

from __future__ import annotations

import base64
import re


class Redaction:
    """Takes keys out of texts; an empty key is found in none."""

    def __init__(self, *keys: str) -> None:
        forms = [form for key in keys for form in _spellings(key)]
        self._spellings = re.compile("|".join(forms).encode()) if forms else None

    def of(self, data: bytes) -> bytes:
        """`data` without the key."""
        return self._spellings.sub(b"(your key)", data) if self._spellings else data

    def of_text(self, text: str) -> str:
        """`text` without the key."""
        return self.of(text.encode()).decode()


def _spellings(key: str) -> list[str]:
    """Patterns that find a key in each of these spellings; none for an empty key.

    As it is; with letters escaped as in JSON, addresses or web pages, also several times over; in
    hexadecimal; in base64 at any offset, but for the letters at either end, which depend on the
    bytes beside the key. The time to search grows only in proportion to the text.
    """
    if not key:
        return []
    letters = "".join(
        rf"(?:\\{{0,8}}{re.escape(letter)}|\\{{1,8}}u00(?i:{ord(letter):02x})"
        rf"|%(?:25){{0,4}}(?i:{ord(letter):02x})|&#(?:{ord(letter)}|[xX](?i:{ord(letter):x}));)"
        for letter in key
    )
    if len(key) < 8:  # a placeholder, whose other spellings would be found in any text
        return [letters]
    forms = [letters, f"(?i:{key.encode().hex()})"]
    for before in range(3):
        packed = base64.b64encode(bytes(before) + key.encode()).decode()
        whole = packed[-(-before * 8 // 6) : (before + len(key)) * 8 // 6]
        forms.append(re.sub("[+/]", lambda found: "[+-]" if found[0] == "+" else "[/_]", whole))
    return forms
