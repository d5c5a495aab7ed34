"""Who holds a row: an id of this process, and whether the process behind another id is gone."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
from functools import cache


@cache
def _place() -> str:
    """This machine since its start, and this container: where process numbers mean something."""
    parts = [socket.gethostname()[:60]]
    if sys.platform == "linux":
        with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id") as file:
            parts.append(file.read().strip()[:8])
        with contextlib.suppress(OSError):
            parts.append(os.readlink("/proc/self/ns/pid").strip("pid:[]"))
    return "|".join(parts)


def new_holder() -> str:
    """An id for this process: the place, the process number, and something random."""
    return f"{_place()}#{os.getpid()}#{secrets.token_hex(4)}"


def has_ended(holder: str | None) -> bool:
    """Whether the process of `holder` surely no longer runs.

    Only known for processes of this machine; others are waited for until their lease runs out.
    """
    if not holder:
        return True
    place, _, rest = holder.partition("#")
    pid = rest.partition("#")[0]
    if os.name != "posix" or place != _place() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
