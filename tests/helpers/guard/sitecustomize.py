"""Refuses sockets off loopback, in the test process and in every Python that it starts.

Python imports a module of this name at start if it is on the path; conftest.py puts it there for
child processes. What was refused is also written to the file that `SEEDANCE_GUARD_LOG` names,
because the code under test may well survive the refusal.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from typing import Any

EVENTS = ("socket.connect", "socket.sendto", "socket.bind", "socket.getaddrinfo")


class OffLoopback(RuntimeError):
    """A test, or what it started, wanted to leave this machine."""


def is_local(host: object) -> bool:
    """Whether `host` is this machine: a loopback address, its name, or none at all."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host is None or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def check(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook. Raises OffLoopback."""
    if event not in EVENTS:
        return
    address = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
    if isinstance(address, tuple):
        address = address[0]
    elif event != "socket.getaddrinfo":
        return  # a Unix socket, which is a path
    if is_local(address):
        return
    if log := os.environ.get("SEEDANCE_GUARD_LOG"):
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{event} {address}\n")
    raise OffLoopback(f"{event} {address} is off loopback")


sys.addaudithook(check)
