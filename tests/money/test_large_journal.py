"""What is asked of the journal for a click or an order does not read every row that there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from running import Desk

from seedance.journal import Journal, NewRow, Row
from seedance.order import Order

ORDER = Order(prompt="a fox", provider="lumenfall", project="film").describe()


@pytest.fixture
def journal(desk: Desk) -> Iterator[Journal]:
    with closing(desk.runner().journal) as journal:
        yield journal


def plan_of(journal: Journal, ask: Callable[[], Any]) -> list[str]:
    """How SQLite reads the rows for what `ask` asks."""
    asked: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, given: Any, *_: Any) -> None:
        if "FROM orders" in statement:
            asked.append((statement, given))

    engine = journal._opened()
    sa.event.listen(engine, "before_cursor_execute", note)
    ask()
    sa.event.remove(engine, "before_cursor_execute", note)
    assert asked
    with engine.connect() as connection:
        return [
            str(step[3])
            for statement, given in asked
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
        ]


def of_another(journal: Journal) -> Row:
    return journal.reserve(NewRow("other", "other", "evolink", "account", ORDER))[0]


ASKED: dict[str, Callable[[Journal], Any]] = {
    "by fingerprint": lambda journal: journal.held("f"),
    "as it was asked": lambda journal: journal.held_as_asked("f"),
    "that ended": lambda journal: journal.last_ended("f"),
    "by its words": lambda journal: journal.held_alike(ORDER, ["lumenfall"]),
    "by ticket": lambda journal: journal.by_ticket("lumenfall:1"),
    "by its file": lambda journal: journal.going_to(Path("a.mp4")),
    "left": lambda journal: journal.abandoned(),
    "unclear": lambda journal: journal.unclear(["lumenfall"], 0.0),
    "the usual time": lambda journal: journal.typical_seconds(of_another(journal)),
    "a new one": lambda journal: journal.reserve(
        NewRow("new", "new", "lumenfall", "account", ORDER, budget_usd=1.0),
        {"day": 5.0, "month": 5.0, "project": 5.0},
    ),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_an_order_is_found_by_an_index(journal: Journal, ask: Callable[[Journal], Any]) -> None:
    steps = plan_of(journal, lambda: ask(journal))
    assert not [step for step in steps if step.startswith("SCAN orders")]


def test_an_order_is_found_by_its_words_and_not_by_its_state(journal: Journal) -> None:
    steps = plan_of(journal, lambda: journal.held_alike(ORDER, ["lumenfall"]))
    assert [step for step in steps if "orders_words" in step]


def test_a_budget_is_added_up_from_its_index_alone(journal: Journal) -> None:
    steps = plan_of(journal, lambda: ASKED["a new one"](journal))
    for index in ("orders_created", "orders_project"):
        assert [step for step in steps if f"COVERING INDEX {index}" in step]
