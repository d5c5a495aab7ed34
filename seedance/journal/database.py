"""The journal's database: connections and transactions, and whether it is still the one that this
process knew."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..errors import BadOrder
from ..said import both, say
from .engine import (
    FILE,
    GIVE_UP,
    File,
    Limit,
    cut_when_silent,
    database_file,
    file_of,
    longest_wait,
    name_of,
    open_engine,
    unwritable,
)
from .in_place import overwritten
from .resting import Resting
from .schema import identity, orders

REBUILD = say(
    "What was saved can be taken in again from the files beside the videos: "
    "seedance doctor --rebuild."
)


class JournalReplaced(BadOrder):
    """The journal is not the one that this process knew: it was replaced, or went back to an
    earlier copy. What it no longer knows may be paid already, so nothing is sent."""


class JournalUnavailable(BadOrder):
    """The journal cannot be read or written now. Nothing was sent for want of it."""


def _replaced() -> JournalReplaced:
    return JournalReplaced(
        "The journal was replaced, or went back to an earlier copy, while this program was "
        "running. What it no longer knows may be paid already, so nothing is sent.",
        hint="Put the right file back, or look at the provider's own list of tasks; then "
        "start the program again.",
    )


@dataclass
class _Known:
    """What a process knows of a journal: which it is, how often it was written so far, and the
    highest of the rows that this process has leased. Empty where nothing is known yet.

    The row is needed too: a journal that went back is written again, and its number of writes
    comes up to what it was.
    """

    uid: str = ""
    revision: int = 0
    row_id: int = 0
    row_uid: str = ""

    def then(self, news: _Known) -> _Known:
        """What is known after a transaction that wrote `news`."""
        known = replace(self, uid=self.uid or news.uid)
        if news.uid == known.uid:
            known.revision = max(self.revision, news.revision)
        if news.row_id > self.row_id:
            known.row_id, known.row_uid = news.row_id, news.row_uid
        return known


class Database(Resting):
    """The database behind an SQLAlchemy URL, or in the SQLite file of a path; opened (and brought
    up to date) at the first use. Safe to use from several threads.

    `limit` ends a statement whose server does not answer; none is waited for longer than `patience`
    seconds.
    """

    def __init__(self, url: str | Path, limit: Limit, patience: float = float("inf")) -> None:
        super().__init__()
        try:
            if isinstance(url, Path):
                self.url = sa.URL.create("sqlite", database=str(url))
            else:
                self.url = sa.make_url(url)
                self.url.get_dialect()  # raises for postgres://, which is no name of a database
        except (SQLAlchemyError, ValueError):  # their messages may quote the password
            raise BadOrder(
                "SEEDANCE_JOURNAL_URL is not the address of a database.",
                hint="It looks like postgresql+psycopg://user:password@host/database.",
            ) from None
        self._limit, self._patience = limit, patience
        self._engine: sa.Engine | None = None
        self._opening = threading.Lock()
        self._known: _Known | None = None
        self._knowing = threading.Lock()
        self._news = threading.local()  # what the transaction of this thread is about to write
        self._first_file: File | None = None
        self._file: File | None = None  # that of the engine

    def _opened(self) -> sa.Engine:
        """The engine. A new one where another file has taken the place of the journal's: SQLite
        would go on with the old file, which nobody else can see any more."""
        with self._opening:
            if self._engine is not None and file_of(self.url) != self._file:
                self._engine.dispose()
                self._engine = None
            if self._engine is None:
                if self._first_file is None:
                    self._check_names()
                engine = open_engine(self.url, self._limit, self._patience)
                self._engine, self._file = engine, file_of(self.url)
                self._first_file = self._first_file or self._file
                # A journal that is dropped without `close` must not leave connections behind.
                weakref.finalize(self, engine.dispose).atexit = False
            return self._engine

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._explained(reading=True), self._connected() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextlib.contextmanager
    def _writing(self, lock: str | None = None) -> Iterator[sa.Connection]:
        """A transaction that writes; two of the same `lock` run one after the other. (SQLite runs
        all of them one after the other, so that only PostgreSQL needs the lock.)

        Raises JournalReplaced where the file that was written is not the journal's any more.
        """
        with (
            self._explained(reading=False),
            self._turn_to_write() as give_up,
            self._connected() as connection,
        ):
            news = self._news.known = _Known()
            connection.execution_options(**{GIVE_UP: give_up})
            with connection.begin():
                if lock is not None and connection.dialect.name == "postgresql":
                    connection.execute(
                        sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": lock}
                    )
                yield connection
            if connection.info.get(FILE) != file_of(self.url):
                raise _replaced()
            # Not before: what was rolled back was never in the journal.
            with self._knowing:
                self._known = news if self._known is None else self._known.then(news)

    @contextlib.contextmanager
    def _turn_to_write(self) -> Iterator[float]:
        """A block in which no other thread of this process writes to SQLite, which would let those
        who wait sleep on for up to a tenth of a second while nobody writes. Gives the time at which
        to give up the wait for other processes."""
        seconds = longest_wait(self._patience)
        give_up = time.monotonic() + seconds
        if self.url.get_backend_name() != "sqlite":
            yield give_up
            return
        if not self.writing.acquire(timeout=seconds):
            raise TimeoutError("database is locked")
        try:
            yield give_up
        finally:
            self.writing.release()

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        with self.turns:
            engine = self._opened()
            pool = engine.pool  # `dispose` gives the engine another one
            try:
                with (
                    cut_when_silent(engine, self._limit, self._patience),
                    engine.connect() as connection,
                ):
                    yield connection
            finally:
                if engine is not self._engine:  # closed meanwhile: the connection came back late
                    pool.dispose()

    @contextlib.contextmanager
    def _explained(self, *, reading: bool) -> Iterator[None]:
        try:
            yield
        except ImportError as error:
            raise BadOrder(
                "The journal's database needs the package {package}, which is not installed.",
                hint='Install the extra: pip install "comfyui-seedance[postgres]". In ComfyUI '
                "install that package. Or correct SEEDANCE_JOURNAL_URL.",
                package=error.name,
            ) from error
        except (SQLAlchemyError, OSError) as error:
            where = name_of(self.url)
            cause = str(getattr(error, "orig", None) or error).splitlines()[0][:200]
            file = database_file(self.url)
            remedy = say(
                "Check the disk and the folder's rights (of SEEDANCE_HOME), or set "
                "SEEDANCE_JOURNAL_URL."
                if file is not None
                else "Check that the database's server runs and answers, or set "
                "SEEDANCE_JOURNAL_URL."
            )
            if "locked" in cause or "lock timeout" in cause:
                remedy = say(
                    "Another program keeps it, perhaps one that was stopped in the middle of a "
                    "write: let that one go on, or end it. Then try again."
                )
            elif is_damage(cause):
                remedy = both(say("The file is damaged."), REBUILD)
            elif file is not None and os.path.isfile(file.parent):
                cause = say("{folder} is a file, not a folder", folder=file.parent)
                remedy = say("Set SEEDANCE_HOME to a folder.")
            elif places := unwritable(self.url):
                remedy = say(
                    "Give whoever runs this the right to write {places}, or set SEEDANCE_HOME to "
                    "another folder.",
                    places=[str(place) for place in places],
                )
            raise JournalUnavailable(
                "The journal {where} cannot be read: {cause}."
                if reading
                else "The journal {where} cannot be written: {cause}.",
                hint="Without it nothing is sent, so that nothing can be paid twice. {remedy}",
                where=where,
                cause=cause,
                remedy=remedy,
            ) from error

    def close(self) -> None:
        """Close all connections. SQLite then writes everything into the one file."""
        with self._opening:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    # ------------------------------------------------------------------ the same journal

    def _check_names(self) -> None:
        """Raise JournalReplaced for a file that has a second name."""
        file = database_file(self.url)
        if file is not None and file.exists() and file.stat().st_nlink > 1:
            raise JournalReplaced(
                "The journal {file} has a second name (a hard link). SQLite would keep "
                "what is written under each name apart, so nothing is sent.",
                hint="Remove the other name, or copy the file.",
                file=file,
            )

    def _check_same(self, connection: sa.Connection) -> None:
        """Raise JournalReplaced unless this is the journal that this process knew, with all that it
        saw in it. To be called before anything is spent."""
        self._check_names()
        # Read before the journal is: meanwhile another thread may get to know a later state.
        known = self._known
        uid, revision = connection.execute(sa.select(identity.c.uid, identity.c.revision)).one()
        same = self._file == self._first_file
        if known is not None and known.uid:
            same = same and uid == known.uid and revision >= known.revision
        if known is not None and known.row_id:
            row_uid = sa.select(orders.c.uid).where(orders.c.id == known.row_id)
            same = same and connection.execute(row_uid).scalar() == known.row_uid
        file = database_file(self.url)
        if same and file is not None and overwritten(file, (uid, revision)):
            self._file = None  # what its connections have in memory must not be mixed with it
            same = False
        if not same:
            raise _replaced()
        self._news.known.uid = uid
        self._news.known.revision = max(revision, self._news.known.revision)

    def _count(self, connection: sa.Connection) -> None:
        """Count a write of the journal, for `_check_same`. To be the last statement of a
        transaction that changes what is paid."""
        news = self._news.known
        news.uid, news.revision = connection.execute(
            sa.update(identity)
            .values(revision=identity.c.revision + 1)
            .returning(identity.c.uid, identity.c.revision)
        ).one()


def is_damage(cause: str) -> bool:
    """Whether SQLite says that the file is no database, or a damaged one."""
    return "malformed" in cause or "not a database" in cause
