"""Which process holds a row: an id for this one, and whether the process behind an id has ended.

An id is `MACHINE#PID#SECRET`, or on Linux `MACHINE#PID#STARTED-SECRET`. MACHINE stands for
everything among which a process number is unique: the machine since it was started, and the
container. STARTED is in seconds since the machine was started: process numbers are used again, and
it tells two processes with the same number apart.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import sys
import uuid
from functools import cache

import psutil

_HOLDER = re.compile(r"(?P<pid>\d{1,9})#(?:(?P<started>\d{1,12})-)?\w+", re.ASCII)
_ROUNDING = 3  # seconds by which two readings of one process's start may differ


@cache
def _machine() -> str:
    parts = [socket.gethostname()[:60]]
    if sys.platform == "linux":
        with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id") as file:
            parts.append(file.read().strip()[:8])
        with contextlib.suppress(OSError):
            parts.append(os.readlink("/proc/self/ns/pid").strip("pid:[]"))
    else:
        # Two machines may have the same name. A random number, which this is where there is no
        # network card, is another in each process: then nothing is known of any other.
        parts.append(f"{uuid.getnode():012x}")
    return "|".join(parts)


def new_holder() -> str:
    """An id for this process, another one at each call."""
    started = _started(os.getpid())
    secret = secrets.token_hex(4)
    return f"{_machine()}#{os.getpid()}#{secret if started is None else f'{started}-{secret}'}"


def has_ended(holder: str | None) -> bool:
    """Whether the process of `holder` surely no longer runs.

    That is known for processes of this machine and container alone; of others it is False.
    """
    if not holder:
        return True
    machine = f"{_machine()}#"
    parts = _HOLDER.fullmatch(holder.removeprefix(machine)) if holder.startswith(machine) else None
    if parts is None:
        return False
    pid = int(parts["pid"])
    if not _exists(pid):
        return True
    started = _started(pid) if parts["started"] else None
    return started is not None and abs(started - int(parts["started"])) > _ROUNDING


def _exists(pid: int) -> bool:
    """Whether a process, or a thread, has this number."""
    if os.name != "posix":  # there os.kill would end it
        return psutil.pid_exists(pid)
    # Not psutil: it does not see processes of other users where /proc hides them.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _started(pid: int) -> int | None:
    """When a process was started, in seconds since the machine was; None where that is unknown.

    Only Linux keeps this so that setting the clock does not change it.
    """
    if sys.platform != "linux":
        return None
    with contextlib.suppress(psutil.Error, OSError, RuntimeError):
        booted = psutil.boot_time()  # first: psutil counts from the last value that was read
        return round(psutil.Process(pid).create_time() - booted)
    return None
