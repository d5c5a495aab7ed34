"""Opens the journal's database and brings its tables up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from ..errors import BadOrder

NEWEST_REVISION = "0003"


def open_engine(url: sa.URL) -> sa.Engine:
    """An engine for `url`, its tables made or brought up to date.

    Raises BadOrder if a newer version of the pack wrote it, SQLAlchemyError or OSError where it
    cannot be opened.
    """
    if url.get_backend_name() == "sqlite" and url.database:
        file = Path(url.database)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (url.database == ":memory:" or "uri" in url.query or file.exists()):
            file.touch(mode=0o600)  # SQLite gives the files beside it the same mode
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        _bring_up_to_date(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own transaction handling is switched off so that BEGIN IMMEDIATE below, and
    # migrations, really are transactions.
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _bring_up_to_date(engine: sa.Engine) -> None:
    """Run the migrations that are missing; alembic is only loaded if there are any."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('seedance-schema'))"))
        if sa.inspect(connection).has_table("alembic_version"):
            found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
            if found == NEWEST_REVISION:
                return
            if found is not None and found > NEWEST_REVISION:
                raise BadOrder(
                    "The journal was written by a newer version of this pack.",
                    hint="Update the pack, or point SEEDANCE_JOURNAL_URL elsewhere.",
                )
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
