"""Write the tables of providers, generated from their classes, into the README.

Run it after a provider's limits changed: python scripts/provider_table.py
"""

from __future__ import annotations

import re
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


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
