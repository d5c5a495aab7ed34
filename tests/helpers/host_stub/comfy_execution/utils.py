import contextvars
from typing import NamedTuple


class ExecutionContext(NamedTuple):
    prompt_id: str
    node_id: str
    list_index: int | None


current = contextvars.ContextVar("current", default=None)


def get_executing_context():
    return current.get()
