"""The guard that keeps the tests on this machine does refuse."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def own_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of this test's own, so that what it provokes on purpose does not fail it."""
    log = tmp_path / "provoked"
    monkeypatch.setenv("SEEDANCE_GUARD_LOG", str(log))
    return log


def test_a_connection_off_loopback_is_refused_and_noted(own_log: Path) -> None:
    with socket.socket() as client, pytest.raises(RuntimeError, match="off loopback"):
        client.connect(("192.0.2.1", 9))  # an address reserved for documentation
    assert own_log.read_text() == "socket.connect 192.0.2.1\n"


def test_a_name_is_not_looked_up(own_log: Path) -> None:
    with pytest.raises(RuntimeError, match="off loopback"):
        socket.getaddrinfo("api.example.com", 443)
    assert own_log.read_text() == "socket.getaddrinfo api.example.com\n"


def test_a_child_process_is_guarded_too(own_log: Path) -> None:
    script = "import socket; socket.socket().connect(('192.0.2.1', 9))"
    child = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True)
    assert child.returncode == 1
    assert own_log.read_text() == "socket.connect 192.0.2.1\n"


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
