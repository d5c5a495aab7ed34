"""A part of the cases leaves out no test."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from selection import part_of_cases


def test_each_test_keeps_its_first_case_and_every_nth() -> None:
    cases = ["t.py::a[0]", "t.py::a[1-[]", "t.py::b", "t.py::a[2]", "t.py::a[3]", "u.py::a[0]"]
    items: Any = [SimpleNamespace(nodeid=name) for name in cases]
    taken, left = part_of_cases(items, 2)
    assert [each.nodeid for each in taken] == ["t.py::a[0]", "t.py::b", "t.py::a[2]", "u.py::a[0]"]
    assert [each.nodeid for each in left] == ["t.py::a[1-[]", "t.py::a[3]"]
    assert part_of_cases(items, 1) == (items, [])
