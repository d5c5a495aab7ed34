"""Runs in which some takes failed and others not. ComfyUI caches the outputs of such a run like any
other's; queueing the node again must run it again, and so send what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from comfy_execution.utils import get_executing_context

Place = tuple[str, str]  # a prompt's id and a node's


class PartialFailures:
    """Counts these runs by the inputs of the node. The count is part of the cache's key
    (`fingerprint_inputs`)."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._inputs: dict[Place, str] = {}

    def count_for(self, inputs: Mapping[str, object]) -> int:
        """How often it happened with these inputs (linked ones are None). To be called by
        `fingerprint_inputs`: it is the only place that sees the inputs as the cache does."""
        place = _present()
        key = repr(sorted(inputs.items(), key=lambda item: item[0]))
        self._inputs = {other: of for other, of in self._inputs.items() if other[0] == place[0]}
        self._inputs[place] = key
        return self._counts[key]

    def add(self, prompt_id: str, node_id: str) -> None:
        """Note that it happened in the present run of a node."""
        if key := self._inputs.get((prompt_id, node_id)):
            self._counts[key] += 1


def _present() -> Place:
    context = get_executing_context()
    return (context.prompt_id, context.node_id) if context else ("", "")


partial_failures = PartialFailures()
