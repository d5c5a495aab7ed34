"""Write all that is generated from the code. Run it after a provider, a node, an option or a
variable has changed:

    python scripts/generate.py            writes what is stale
    python scripts/generate.py --check    writes nothing; the exit code is 1 if anything is stale

README.md                tables of the providers      provider_tables.py
tests/names.json         the names that last          lasting_names.py
web/docs, locales/en     help pages, English labels   help_pages.py
locales/en/main.json     what the code says           sentences.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import help_pages
import lasting_names
import provider_tables
import sentences

ROOT = Path(__file__).parent.parent


def stale() -> Iterator[tuple[Path, str]]:
    """The files that are not as they would be written, and how they would be."""
    for module in (provider_tables, lasting_names, help_pages, sentences):
        for file, text in module.files():
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                yield file, text


def main(words: list[str]) -> int:
    """Write the stale files, or only name them; returns the exit code."""
    check = words == ["--check"]
    if words and not check:
        raise SystemExit(__doc__)
    found = list(stale())
    for file, text in found:
        print("stale:" if check else "written:", file.relative_to(ROOT))
        if not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
