"""Which order uses which object in the user's own bucket.

Owns the answer to "may this object be deleted?", also after a crash, and for orders and processes
side by side that share one. Must not know what a bucket is or how an object gets there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import sqlalchemy as sa

from .schema import hosted, orders, uploads
from .states import LIVE, State
from .uploads import SPARE_SECONDS

BUCKET = "s3"  # what stands for it among the providers of uploads


class BucketObjects:
    """Part of the journal. Methods block; they raise BadOrder where it cannot be written."""

    def __init__(
        self,
        writing: Callable[[str], AbstractContextManager[sa.Connection]],
        clock: Callable[[], float],
    ) -> None:
        self._writing, self._clock = writing, clock

    def note(self, row_id: int, account: str, name: str) -> None:
        """A row uses an object from now on. Written before it is put there, so that no crash leaves
        one that nobody knows of."""
        with self._writing("seedance-uploads") as connection:
            _note(connection, row_id, account, name)

    def find(self, account: str, digest: str, row_id: int | None) -> str | None:
        """The name of an object of these bytes that was put lately; `row_id` uses it from now on.

        None for `row_id` notes no use, for objects that are never deleted.
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
        """The objects that no order needs any more: none that is under way, nor one that is unclear
        and may be running, which it may for the `readable` seconds that an address works. They are
        not found any more; delete them, then `forget`."""
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
        """An object was deleted."""
        with self._writing("seedance-uploads") as connection:
            connection.execute(
                sa.delete(hosted).where(hosted.c.account == account, hosted.c.name == name)
            )


def _note(connection: sa.Connection, row_id: int, account: str, name: str) -> None:
    use = {"order_id": row_id, "account": account, "name": name}
    here = (hosted.c[column] == value for column, value in use.items())
    connection.execute(sa.delete(hosted).where(*here))
    connection.execute(sa.insert(hosted).values(**use))
