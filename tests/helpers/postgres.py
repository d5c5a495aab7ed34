"""A throw-away PostgreSQL server on loopback, from Debian's binaries, for the journal's tests."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

DEBIAN = Path("/usr/lib/postgresql")
USER = "seedance"


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The URL of a server, without a database's name. Skips the test, with the reason, where
    there is none to start."""
    with restartable() as (url, _):
        yield url


@contextlib.contextmanager
def restartable() -> Iterator[tuple[str, Callable[[], None]]]:
    """As `server`, and what restarts it: whoever is connected is no longer."""
    pytest.importorskip("psycopg", reason="psycopg (the extra `postgres`) is not installed")
    binaries = sorted(DEBIAN.glob("*/bin/postgres"))
    if not binaries:
        pytest.skip(f"there is no PostgreSQL server in {DEBIAN}")
    identity = _unprivileged()
    # Not below pytest's folder, which the server's own user may not enter.
    data = tempfile.mkdtemp(prefix="seedance-postgres-")
    try:
        if identity:
            os.chown(data, identity["user"], identity["group"])
        bin_folder = binaries[-1].parent
        _run([bin_folder / "initdb", "-D", data, "-A", "trust", "-U", USER, "-N"], identity)
        port = _free_port()
        command = [bin_folder / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port)]
        command += ["-k", "", "-F"]  # no Unix socket, no fsync
        silent = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        running: list[subprocess.Popen[bytes]] = []

        def start() -> None:
            running.append(subprocess.Popen([*map(str, command)], **silent, **identity))
            _wait_until_it_listens(port, running[0])

        def stop() -> None:
            process = running.pop()
            process.send_signal(signal.SIGINT)  # a fast shutdown
            process.wait(100)

        def restart() -> None:
            stop()
            start()

        start()
        try:
            yield f"postgresql+psycopg://{USER}@127.0.0.1:{port}", restart
        finally:
            stop()
    finally:
        shutil.rmtree(data, ignore_errors=True)


@dataclass(frozen=True)
class Server:
    """A server that can be made to say nothing."""

    url: str

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Nothing is answered meanwhile, but for what the system itself answers."""
        processes = self._processes()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):  # a worker of the server has ended
                process.suspend()
        try:
            yield
        finally:
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    def _processes(self) -> list[psutil.Process]:
        """The server, and all that it has started."""
        import sqlalchemy as sa

        engine = sa.create_engine(f"{self.url}/postgres")
        with engine.connect() as connection:
            backend = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
            parent = psutil.Process(backend).parent()
        engine.dispose()
        assert parent is not None
        return [parent, *parent.children()]


def create_database(url: str, name: str) -> str:
    """A new, empty database of the server; returns its URL."""
    import sqlalchemy as sa

    engine = sa.create_engine(f"{url}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{url}/{name}"


def empty(url: str) -> str:
    """Make a database as it is when it is new, which is quicker than another one: whoever is
    connected is no longer. Returns its URL."""
    import psycopg

    mine = "datname = current_database() AND pid <> pg_backend_pid()"
    name = url.rpartition("/")[2]
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}")
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        connection.execute(f"ALTER DATABASE {name} RESET ALL")
    return url


def _unprivileged() -> dict[str, Any]:
    """Who runs the server, which refuses to run as root: arguments for subprocess."""
    if os.geteuid() != 0:
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user `postgres`")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _run(command: list[Any], identity: dict[str, Any]) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd="/", **identity)
    assert done.returncode == 0, done.stderr


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    deadline = time.monotonic() + 100
    while True:
        try:
            psycopg.connect(f"host=127.0.0.1 port={port} user={USER} dbname=postgres").close()
            return
        except psycopg.OperationalError:
            assert process.poll() is None, "the PostgreSQL server ended at once"
            assert time.monotonic() < deadline, "the PostgreSQL server does not listen"
            time.sleep(0.1)
