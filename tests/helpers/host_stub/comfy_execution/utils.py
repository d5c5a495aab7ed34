from __future__ import annotations

import contextvars
from typing import NamedTuple


class ExecutionContext(NamedTuple):
    prompt_id: str
    node_id: str
    list_index: int | None


current: contextvars.ContextVar[ExecutionContext | None] = contextvars.ContextVar(
    "current", default=None
)


def get_executing_context() -> ExecutionContext | None:
    return current.get()
