"""Which uploads can be used again: the same bytes go up once per provider and key."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import sqlalchemy as sa

from .schema import uploads

SPARE_SECONDS = 3600.0  # an upload that expires sooner may be gone when the provider reads it


class Uploads:
    """Part of the journal. Methods block; they raise BadOrder where it cannot be used."""

    def __init__(
        self,
        reading: Callable[[], AbstractContextManager[sa.Connection]],
        writing: Callable[[str], AbstractContextManager[sa.Connection]],
        clock: Callable[[], float],
    ) -> None:
        self._reading, self._writing, self._clock = reading, writing, clock

    def find(self, provider: str, account: str, digest: str) -> str | None:
        """The reference of an upload that can still be used, with an hour to spare."""
        with self._reading() as connection:
            found: str | None = connection.execute(
                sa.select(uploads.c.reference).where(
                    uploads.c.provider == provider,
                    uploads.c.account == account,
                    uploads.c.digest == digest,
                    uploads.c.expires_at > self._clock() + SPARE_SECONDS,
                )
            ).scalar_one_or_none()
        return found

    def keep(
        self, provider: str, account: str, digest: str, reference: str, expires_at: float
    ) -> None:
        """Remember an upload until it expires (Unix seconds)."""
        key = {"provider": provider, "account": account, "digest": digest}
        with self._writing("seedance-uploads") as connection:
            connection.execute(sa.delete(uploads).where(uploads.c.expires_at < self._clock()))
            connection.execute(
                sa.delete(uploads).where(*(uploads.c[name] == value for name, value in key.items()))
            )
            connection.execute(
                sa.insert(uploads).values(reference=reference, expires_at=expires_at, **key)
            )
