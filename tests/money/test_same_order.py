"""The same order, also where an older version of the pack wrote it otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest
from running import Desk

from seedance.runner import quotes

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("provider", ["lumenfall", "auto"])
def test_an_order_that_was_not_trimmed_then_is_found(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    with monkeypatch.context() as older:
        older.setattr(quotes, "tidy", lambda order: (order, ()))
        first = desk.video(prompt="a fox \n")
    order = desk.order(prompt="a fox \n")
    (job,) = desk.runner().start(replace(order, provider=provider))
    assert job.wait().task == first.task
    assert desk.fake.creates == 1
