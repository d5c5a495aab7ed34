"""The tables of providers in the README and in docs/providers.md, from their classes.
`generate.py` writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from seedance.capabilities import (
    ability_table,
    access_table,
    choice_table,
    means_table,
    mode_table,
    source_table,
)

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TABLES = {
    README: {"choice": choice_table, "keys and addresses": access_table},
    ROOT / "docs" / "providers.md": {
        "what providers can do": ability_table,
        "modes": mode_table,
        "sources": source_table,
        "lost answers": means_table,
    },
}


def with_tables(text: str, file: Path = README) -> str:
    """The text of a file with each of its tables between its marks."""
    for name, table in TABLES[file].items():
        marks = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = marks.subn(lambda mark: f"{mark[1]}\n{table()}\n\n{mark[2]}", text)  # noqa: B023
        if count != 1:
            raise SystemExit(f"{file.name} has {count} places for the table {name!r}, not one.")
    return text


def files() -> Iterator[tuple[Path, str]]:
    """The files with tables, and their texts."""
    for file in TABLES:
        yield file, with_tables(file.read_text(encoding="utf-8"), file)
