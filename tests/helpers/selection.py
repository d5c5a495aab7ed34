"""Which cases of the tests a run takes."""

from __future__ import annotations

from collections import Counter

import pytest


def part_of_cases(
    items: list[pytest.Item], every: int
) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Of each test's cases the first and every `every`-th after it; and those left out."""
    seen: Counter[str] = Counter()
    taken: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        test = item.nodeid.partition("[")[0]
        (left if seen[test] % every else taken).append(item)
        seen[test] += 1
    return taken, left
