"""What libraries have of ours, in the journal on SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from journals import Clock, alembic

from seedance.journal import MAKING, AssetKey, AssetRow, Journal

KEY = AssetKey("byteplus", "account", "Hero", "d" * 64)
OTHERS = [
    AssetKey("volcengine", "account", "Hero", "d" * 64),
    AssetKey("byteplus", "another", "Hero", "d" * 64),
    AssetKey("byteplus", "account", "Villain", "d" * 64),
    AssetKey("byteplus", "account", "Hero", "e" * 64),
]


def reserve(journal: Journal, key: AssetKey = KEY, stale: float = 60.0) -> tuple[AssetRow, bool]:
    return journal.assets.reserve(key, kind="image", person=False, group="group-1", stale=stale)


def test_the_same_bytes_name_and_account_are_one_asset(journal: Journal, clock: Clock) -> None:
    row, mine = reserve(journal)
    assert mine
    assert row == AssetRow(
        KEY, "image", False, "group-1", MAKING, None, "", created=clock.now, updated=clock.now
    )
    assert reserve(journal) == (row, False)
    assert [reserve(journal, key)[1] for key in OTHERS] == [True] * 4
    made = journal.assets.note(KEY, "processing", asset="asset-1")
    assert made is not None and (made.state, made.asset) == ("processing", "asset-1")
    made = journal.assets.note(KEY, "active")
    assert made is not None and (made.state, made.asset) == ("active", "asset-1")
    assert reserve(journal) == (made, False)
    assert journal.assets.find(OTHERS[0]) != made


def test_of_many_at_once_one_makes_it(journal: Journal) -> None:
    journal.newest()
    with ThreadPoolExecutor(8) as threads:
        mine = list(threads.map(lambda _: reserve(journal)[1], range(8)))
    assert sorted(mine) == [False] * 7 + [True]


def test_who_says_nothing_for_long_is_replaced(journal: Journal, clock: Clock) -> None:
    reserve(journal)
    clock.now += 59
    assert not reserve(journal)[1]
    clock.now += 1
    assert reserve(journal)[1]
    assert not reserve(journal)[1]


def test_one_that_failed_is_made_again(journal: Journal) -> None:
    reserve(journal)
    journal.assets.note(KEY, "failed", asset="asset-1", problem="no face")
    row = journal.assets.find(KEY)
    assert row is not None and (row.state, row.problem) == ("failed", "no face")
    row, mine = reserve(journal)
    assert (mine, row.state, row.asset, row.problem) == (True, MAKING, None, "")


def test_they_are_listed_by_name_and_age(journal: Journal, clock: Clock) -> None:
    for key in (OTHERS[2], OTHERS[3], KEY, *OTHERS[:2]):
        reserve(journal, key)
        clock.now += 1
    listed = [row.key for row in journal.assets.all("byteplus", "account")]
    assert listed == [OTHERS[3], KEY, OTHERS[2]]
    assert len(journal.assets.all()) == 5
    assert [row.key for row in journal.assets.all("volcengine")] == [OTHERS[0]]


def test_one_that_is_forgotten_leaves_its_group(journal: Journal) -> None:
    journal.assets.keep_group("byteplus", "account", "Hero", "group-1", person=True)
    reserve(journal)
    journal.assets.forget(KEY)
    assert journal.assets.find(KEY) is None
    assert journal.assets.note(KEY, "active") is None
    group = journal.assets.group("byteplus", "account", "Hero")
    assert group is not None and (group.group, group.person) == ("group-1", True)


def test_a_group_can_be_replaced(journal: Journal) -> None:
    assert journal.assets.group("byteplus", "account", "Hero") is None
    journal.assets.keep_group("byteplus", "account", "Hero", "group-1", person=False)
    journal.assets.keep_group("byteplus", "account", "Hero", "group-2", person=False)
    group = journal.assets.group("byteplus", "account", "Hero")
    assert group is not None and group.group == "group-2"
    assert journal.assets.group("byteplus", "another", "Hero") is None


def test_a_name_of_any_script_fits(journal: Journal) -> None:
    name = "小" * 64
    key = AssetKey("byteplus", "account", name, "d" * 64)
    journal.assets.keep_group("byteplus", "account", name, "g" * 300, person=False)
    assert reserve(journal, key)[0].key.name == name


@pytest.mark.parametrize("before", ["0004", "0005"])
def test_a_journal_without_them_gets_the_tables(url: str, before: str) -> None:
    alembic(url, before)
    journal = Journal(url)
    assert journal.assets.all() == []
    names = sa.inspect(journal._opened()).get_table_names()
    assert {"assets", "asset_groups"} <= set(names)
