"""The one runner of a process, which nodes, routes and the command line share."""

from __future__ import annotations

from .. import forks
from ..settings import Settings
from .runner import Runner

_shared: dict[str, Runner] = {}
_shared_lock = forks.Lock()
forks.in_child(_shared.clear)  # its threads are the parent's


def shared(settings: Settings | None = None) -> Runner:
    """The runner of this process, made at the first call; later calls may leave `settings` out."""
    with _shared_lock:
        if "runner" not in _shared:
            _shared["runner"] = Runner(settings or Settings.load())
        return _shared["runner"]


def spent_nothing() -> bool:
    """Whether no paid call was begun by the runner of this process."""
    runner = _shared.get("runner")
    return runner is None or not runner.may_have_spent


def close_shared(timeout: float) -> None:
    """Close the runner of this process, if there is one, within so many seconds."""
    with _shared_lock:
        runner = _shared.pop("runner", None)
    if runner is not None:
        runner.close(timeout)
