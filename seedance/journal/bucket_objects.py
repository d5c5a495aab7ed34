"""Which order uses which object in the user's own bucket.

It answers whether an object may be deleted: also after a crash, and where several orders or
processes use the same object.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import sqlalchemy as sa

from .schema import hosted, orders, uploads
from .states import LIVE, State
from .uploads import SPARE_SECONDS

BUCKET = "s3"  # the bucket's name in the column `provider` of the table of uploads


class BucketObjects:
    """Part of the journal. Methods block; they raise BadOrder where it cannot be written."""

    def __init__(
        self,
        writing: Callable[[str], AbstractContextManager[sa.Connection]],
        clock: Callable[[], float],
    ) -> None:
        self._writing, self._clock = writing, clock

    def note(self, row_id: int, account: str, name: str) -> None:
        """Record that a row uses an object. To be called before the object is put into the bucket,
        so that a crash cannot leave one there that the journal does not know."""
        with self._writing("seedance-uploads") as connection:
            _note(connection, row_id, account, name)

    def find(self, account: str, digest: str, row_id: int | None) -> str | None:
        """The name of an object with these bytes whose entry among the uploads has not expired.

        Records that `row_id` uses it (None: for objects that are never deleted, nothing is
        recorded). None if there is no such object.
        """
        with self._writing("seedance-uploads") as connection:
            name: str | None = connection.execute(
                sa.select(uploads.c.reference).where(
                    uploads.c.provider == BUCKET,
                    uploads.c.account == account,
                    uploads.c.digest == digest,
                    uploads.c.expires_at > self._clock() + SPARE_SECONDS,
                )
            ).scalar_one_or_none()
            if name is not None and row_id is not None:
                _note(connection, row_id, account, name)
        return name

    def unused(self, account: str, readable: float) -> list[str]:
        """The objects that no order needs any more. Delete them, then call `forget` for each.

        An order needs its objects while it is live. An unclear order may be running, and needs them
        for the `readable` seconds that a signed address works. `find` no longer gives the objects
        that are returned.
        """
        lately = orders.c.updated > self._clock() - readable
        needs = sa.or_(orders.c.state.in_(LIVE), sa.and_(orders.c.state == State.UNCLEAR, lately))
        needed = (
            sa.select(hosted.c.name)
            .join(orders, orders.c.id == hosted.c.order_id)
            .where(hosted.c.account == account, needs)
        )
        with self._writing("seedance-uploads") as connection:
            found = connection.execute(
                sa.select(hosted.c.name)
                .where(hosted.c.account == account, hosted.c.name.not_in(needed))
                .distinct()
            )
            names = list(found.scalars())
            connection.execute(
                sa.delete(uploads).where(
                    uploads.c.provider == BUCKET,
                    uploads.c.account == account,
                    uploads.c.reference.in_(names),
                )
            )
        return names

    def forget(self, account: str, name: str) -> None:
        """Record that an object was deleted."""
        with self._writing("seedance-uploads") as connection:
            connection.execute(
                sa.delete(hosted).where(hosted.c.account == account, hosted.c.name == name)
            )


def _note(connection: sa.Connection, row_id: int, account: str, name: str) -> None:
    use = {"order_id": row_id, "account": account, "name": name}
    here = (hosted.c[column] == value for column, value in use.items())
    connection.execute(sa.delete(hosted).where(*here))
    connection.execute(sa.insert(hosted).values(**use))
