"""Opens the journal's database and brings its tables up to date."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError, OperationalError

from ..errors import BadOrder

NEWEST_REVISION = "0009"

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 15
LOCK_SECONDS = 10
# Shorter than what others wait: a process that sleeps in a transaction, on a laptop that was shut,
# loses it before they give up.
IDLE_IN_TRANSACTION_SECONDS = 5
SILENT_SECONDS = 20.0  # after which a connection whose server says nothing is cut
# SQLite: how long a transaction waits for others, and how long one attempt waits. During an attempt
# Python does not see a Ctrl-C.
BUSY_SECONDS = 30.0
BUSY_ATTEMPT_MS = 1000

FILE = "file"  # in the `info` of a connection to SQLite: the file that it was made to
GIVE_UP = "give_up"  # an option of a connection: when to give up the wait for others that write

File: TypeAlias = tuple[int, int]  # device and number, which a file keeps under any name

# The driver's connection that this thread works with, or is just being given.
_mine = threading.local()


class Limit(Protocol):
    """Calls `cut` if a block takes longer than `seconds`."""

    def __call__(self, seconds: float, cut: Callable[[], None]) -> AbstractContextManager[None]: ...


def no_limit(seconds: float, cut: Callable[[], None]) -> AbstractContextManager[None]:
    """A block may take any time."""
    return contextlib.nullcontext()


def open_engine(url: sa.URL, limit: Limit = no_limit, patience: float = float("inf")) -> sa.Engine:
    """An engine for `url`, its tables made or brought up to date. No wait for the database is
    longer than `patience` seconds.

    Raises BadOrder if a newer version of the pack wrote it, SQLAlchemyError or OSError where it
    cannot be opened.
    """
    file = database_file(url)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not file.exists():
            file.touch(mode=0o600)  # SQLite gives the files beside it the same mode
    engine = sa.create_engine(url, **_options(url, patience))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda made, record: _prepare_sqlite(made, record, url))
        event.listen(engine, "begin", lambda made: _begin_sqlite(made, patience))
    else:
        event.listen(engine, "connect", _note, insert=True)  # before SQLAlchemy's first questions
        event.listen(engine, "checkout", _pinging(engine))
    try:
        with cut_when_silent(engine, limit, patience):
            _bring_up_to_date(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def database_file(url: sa.URL) -> Path | None:
    """The file of an SQLite database; None for one in memory and for other databases."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return None if "uri" in url.query else Path(str(url.database))


def name_of(url: sa.URL) -> str:
    """The address of a database as a person reads it: a file by its own name, whatever letters that
    has, and without a password."""
    file = database_file(url)
    return url.render_as_string(hide_password=True) if file is None else f"sqlite:///{file}"


def unwritable(url: sa.URL) -> list[Path]:
    """The files of an SQLite database, and its folder, that are there and cannot be written. SQLite
    gives the files beside it the rights that it had itself when they were made."""
    file = database_file(url)
    if file is None:
        return []
    beside = [file.with_name(f"{file.name}{ending}") for ending in ("", "-wal", "-shm")]
    there = [place for place in (file.parent, *beside) if os.path.exists(place)]
    effective = os.access in os.supports_effective_ids
    return [each for each in there if not os.access(each, os.W_OK, effective_ids=effective)]


def file_of(url: sa.URL) -> File | None:
    """Which file an SQLite database is in now; None where there is none."""
    file = database_file(url)
    try:
        found = file.stat() if file is not None else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found else None


def _options(url: sa.URL, patience: float) -> dict[str, Any]:
    def most(seconds: float) -> int:
        return max(int(min(seconds, patience)), 1)

    if url.get_backend_name() != "postgresql":
        return {}
    options: dict[str, Any] = {
        # Whatever the server's default is: under REPEATABLE READ, orders that are reserved at once
        # would each count the budget without the others.
        "isolation_level": "READ COMMITTED",
        "pool_timeout": most(LOCK_SECONDS),
    }
    if url.get_driver_name() in ("psycopg", "psycopg2"):
        limits = {
            "statement_timeout": most(STATEMENT_SECONDS),
            "lock_timeout": most(LOCK_SECONDS),
            "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_SECONDS,
        }
        options["connect_args"] = {
            "connect_timeout": most(CONNECT_SECONDS),
            "keepalives_idle": CONNECT_SECONDS,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 1000 * most(STATEMENT_SECONDS),
            "options": " ".join(f"-c {name}={1000 * value}" for name, value in limits.items()),
        }
    return options


@contextlib.contextmanager
def cut_when_silent(
    engine: sa.Engine, limit: Limit, patience: float = float("inf")
) -> Iterator[None]:
    """A block in which this thread's connection is cut where its server says nothing for too long:
    PostgreSQL's own limits hold only while it answers, and the system of a server that is stopped
    goes on confirming what arrives."""
    if engine.dialect.name == "sqlite":
        yield
        return
    given = _mine.given = list[Any]()

    def cut() -> None:
        for connection in list(given):
            with contextlib.suppress(Exception):  # it may be closed already
                line = socket.socket(fileno=os.dup(connection.fileno()))
                with line:
                    line.shutdown(socket.SHUT_RDWR)

    try:
        with limit(min(SILENT_SECONDS, patience), cut):
            yield
    finally:
        _mine.given = []


def _note(connection: Any, _record: Any) -> None:
    _mine.given.append(connection)


def _pinging(engine: sa.Engine) -> Callable[[Any, Any, Any], None]:
    """A pooled connection may be dead: ask before it is used. SQLAlchemy's own `pool_pre_ping` asks
    before anybody could cut the connection."""

    def ping(connection: Any, _record: Any, _proxy: Any) -> None:
        if connection in _mine.given:
            return  # it has just been made
        _note(connection, None)
        try:
            engine.dialect.do_ping(connection)
        except Exception as error:
            raise DisconnectionError from error

    return ping


def _prepare_sqlite(connection: Any, record: Any, url: sa.URL) -> None:
    record.info[FILE] = file_of(url)
    # The driver's own transaction handling is switched off so that BEGIN IMMEDIATE below, and
    # migrations, really are transactions.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_ATTEMPT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    # Each commit goes on into journal.db at once: whoever copies that file alone, or ends the
    # process, has all that was paid.
    connection.execute("PRAGMA wal_autocheckpoint = 1")


def longest_wait(patience: float) -> float:
    """Seconds to wait at most for others that write to SQLite."""
    return min(BUSY_SECONDS, patience)


def _begin_sqlite(connection: sa.Connection, patience: float) -> None:
    options = connection.get_execution_options()
    if options.get("isolation_level") == "AUTOCOMMIT":
        return
    give_up = options.get(GIVE_UP, time.monotonic() + longest_wait(patience))
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return
        except OperationalError as error:
            if "locked" not in str(error.orig) or time.monotonic() > give_up:
                raise


def _bring_up_to_date(engine: sa.Engine) -> None:
    """Run the migrations that are missing. A journal that is up to date is only read; alembic is
    not even loaded for it."""
    with engine.connect() as connection:
        if _is_up_to_date(connection.execution_options(isolation_level="AUTOCOMMIT")):
            return
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('seedance-schema'))"))
        if _is_up_to_date(connection):  # another process was quicker
            return
        from alembic import command
        from alembic.config import Config

        config = Config()
        # alembic reads it with configparser, which gives the percent sign a meaning.
        folder = str(Path(__file__).with_name("migrations")).replace("%", "%%")
        config.set_main_option("script_location", folder)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _is_up_to_date(connection: sa.Connection) -> bool:
    """Whether no migration is missing. Raises BadOrder for a journal of a newer version."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return False
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if found is not None and found > NEWEST_REVISION:
        raise BadOrder(
            "The journal was written by a newer version of this pack.",
            hint="Update the pack, or point SEEDANCE_JOURNAL_URL elsewhere.",
        )
    return bool(found == NEWEST_REVISION)
