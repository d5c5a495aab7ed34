"""The tables of providers in the README, from their classes. `generate.py` writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from seedance.capabilities import ability_table, access_table

README = Path(__file__).parent.parent / "README.md"
TABLES = {"what providers can do": ability_table, "keys and addresses": access_table}


def with_tables(text: str) -> str:
    """The README with each table between its marks."""
    for name, table in TABLES.items():
        marks = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = marks.subn(lambda mark: f"{mark[1]}\n{table()}\n\n{mark[2]}", text)  # noqa: B023
        if count != 1:
            raise SystemExit(f"README.md has {count} places for the table {name!r}, not one.")
    return text


def files() -> Iterator[tuple[Path, str]]:
    """The README and its text."""
    yield README, with_tables(README.read_text(encoding="utf-8"))
