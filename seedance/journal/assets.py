"""Which assets a provider's library has of ours: the same bytes under the same name in the same
account are one asset, and the group of a name is found again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from .schema import asset_groups, assets

MAKING = "making"  # the state of one of which it is not known whether the library has it


@dataclass(frozen=True)
class AssetKey:
    """What tells an asset from others: `digest` is the SHA-256 of what a person gave, `account` a
    short hash of the signing key's id."""

    provider: str
    account: str
    name: str
    digest: str

    @property
    def columns(self) -> dict[str, str]:
        """Its values by column."""
        return dict(vars(self))


@dataclass(frozen=True)
class AssetRow:
    """One asset of a library. `state` is `making`, `processing`, `active` or `failed`; `asset` is
    the library's id, None while it is being made. Times are Unix seconds."""

    key: AssetKey
    kind: str
    person: bool
    group: str
    state: str
    asset: str | None
    problem: str
    created: float
    updated: float


@dataclass(frozen=True)
class GroupRow:
    """The group that a name has in a library; of a real person where `person` is set."""

    group: str
    person: bool


class Assets:
    """Part of the journal. Methods block; they raise BadOrder where it cannot be used."""

    def __init__(
        self,
        reading: Callable[[], AbstractContextManager[sa.Connection]],
        writing: Callable[[str], AbstractContextManager[sa.Connection]],
        clock: Callable[[], float],
    ) -> None:
        self._reading, self._writing, self._clock = reading, writing, clock

    # ----------------------------------------------------------------------------------- groups

    def group(self, provider: str, account: str, name: str) -> GroupRow | None:
        """The group of a name; None where none is known."""
        its = _is(asset_groups, provider=provider, account=account, name=name)
        with self._reading() as connection:
            found = connection.execute(sa.select(asset_groups).where(its)).first()
        return GroupRow(found.group_id, found.person) if found is not None else None

    def keep_group(
        self, provider: str, account: str, name: str, group: str, *, person: bool
    ) -> None:
        """Remember the group of a name, in place of another."""
        key = {"provider": provider, "account": account, "name": name}
        with self._writing("seedance-assets") as connection:
            connection.execute(sa.delete(asset_groups).where(_is(asset_groups, **key)))
            values = {"group_id": group, "person": person, "created": self._clock()}
            connection.execute(sa.insert(asset_groups).values(**key, **values))

    # ----------------------------------------------------------------------------------- assets

    def find(self, key: AssetKey) -> AssetRow | None:
        """An asset that is known."""
        found = self._list(_is(assets, **key.columns))
        return found[0] if found else None

    def all(self, provider: str | None = None, account: str | None = None) -> list[AssetRow]:
        """All assets, of a provider and an account where these are given, by name, the oldest of
        each first."""
        given = {"provider": provider, "account": account}
        return self._list(_is(assets, **{name: value for name, value in given.items() if value}))

    def reserve(
        self, key: AssetKey, *, kind: str, person: bool, group: str, stale: float
    ) -> tuple[AssetRow, bool]:
        """The row of an asset, and whether the caller is to make it: because it is new, because it
        has failed, or because whoever was making it has said nothing for `stale` seconds."""
        now = self._clock()
        values: dict[str, Any] = {"kind": kind, "person": person, "group_id": group}
        values |= {"state": MAKING, "asset_id": None, "problem": "", "updated": now}
        left = sa.and_(assets.c.state == MAKING, assets.c.updated <= now - stale)
        takes = sa.update(assets).where(
            _is(assets, **key.columns), sa.or_(assets.c.state == "failed", left)
        )
        with self._writing("seedance-assets") as connection:
            mine = connection.execute(takes.values(**values)).rowcount > 0
            if not mine:
                there = sa.select(sa.true()).where(_is(assets, **key.columns))
                if connection.execute(there).first() is None:
                    new = sa.insert(assets).values(**key.columns, **values, created=now)
                    connection.execute(new)
                    mine = True
        row = self.find(key)
        assert row is not None
        return row, mine

    def leave(self, key: AssetKey) -> None:
        """Nobody makes an asset any more, and whether the library has it is not known: whoever
        reserves it next is to look first."""
        making = sa.and_(_is(assets, **key.columns), assets.c.state == MAKING)
        with self._writing("seedance-assets") as connection:
            connection.execute(sa.update(assets).where(making).values(updated=0.0))

    def adopt(
        self,
        key: AssetKey,
        *,
        kind: str,
        person: bool,
        group: str,
        state: str,
        asset: str,
        problem: str,
    ) -> None:
        """Write down an asset that another journal has made."""
        now = self._clock()
        values: dict[str, Any] = {"kind": kind, "person": person, "group_id": group}
        values |= {"state": state, "asset_id": asset, "problem": problem, "updated": now}
        with self._writing("seedance-assets") as connection:
            connection.execute(sa.delete(assets).where(_is(assets, **key.columns)))
            new = sa.insert(assets).values(**key.columns, **values, created=now)
            connection.execute(new)

    def note(
        self, key: AssetKey, state: str, *, asset: str | None = None, problem: str = ""
    ) -> AssetRow | None:
        """Write how an asset stands, with its id where that is known by now. None where it was
        removed meanwhile."""
        values: dict[str, Any] = {"state": state, "problem": problem, "updated": self._clock()}
        if asset is not None:
            values["asset_id"] = asset
        with self._writing("seedance-assets") as connection:
            changed = sa.update(assets).where(_is(assets, **key.columns)).values(**values)
            connection.execute(changed)
        return self.find(key)

    def forget(self, key: AssetKey) -> None:
        """Forget an asset; its group is kept, for a person need not confirm twice."""
        with self._writing("seedance-assets") as connection:
            connection.execute(sa.delete(assets).where(_is(assets, **key.columns)))

    def _list(self, condition: sa.ColumnElement[bool]) -> list[AssetRow]:
        query = sa.select(assets).where(condition)
        query = query.order_by(assets.c.provider, assets.c.name, assets.c.created, assets.c.digest)
        with self._reading() as connection:
            return [_row(found) for found in connection.execute(query)]


def _is(table: sa.Table, **values: str) -> sa.ColumnElement[bool]:
    return sa.and_(sa.true(), *(table.c[name] == value for name, value in values.items()))


def _row(found: Any) -> AssetRow:
    return AssetRow(
        AssetKey(found.provider, found.account, found.name, found.digest),
        kind=found.kind,
        person=found.person,
        group=found.group_id,
        state=found.state,
        asset=found.asset_id,
        problem=found.problem,
        created=found.created,
        updated=found.updated,
    )
