"""Runs of a node that ComfyUI must not take from its cache when the node is queued again: some
takes failed and others not, or what was made is gone since, or was forgotten by a person. ComfyUI
caches the outputs of such a run like any other's; queueing the node again must run it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from comfy_execution.utils import get_executing_context

if TYPE_CHECKING:
    from ..seedance.runner import Result

Place = tuple[str, str]  # a prompt's id and a node's


class PartialFailures:
    """Counts these runs by the inputs of the node. The count is part of the cache's key
    (`fingerprint_inputs`)."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._inputs: dict[Place, str] = {}
        self._made: dict[str, list[tuple[Path, int | None]]] = {}
        self._forgotten: set[int] = set()  # numbers of rows

    def count_for(self, inputs: Mapping[str, object]) -> int:
        """How often it happened with these inputs (linked ones are None). To be called by
        `fingerprint_inputs`: it is the only place that sees the inputs as the cache does."""
        place = _present()
        key = repr(sorted(inputs.items(), key=lambda item: item[0]))
        self._inputs = {other: of for other, of in self._inputs.items() if other[0] == place[0]}
        self._inputs[place] = key
        if any(self._is_gone(file, row) for file, row in self._made.get(key, ())):
            del self._made[key]
            self._counts[key] += 1
        return self._counts[key]

    def add(self, prompt_id: str, node_id: str) -> None:
        """Note that it happened in the present run of a node."""
        if key := self._inputs.get((prompt_id, node_id)):
            self._counts[key] += 1

    def note(
        self, prompt_id: str, node_id: str, made: Iterable[Result], film: Path | None = None
    ) -> None:
        """Note what the present run of a node has made, and the film of it."""
        if key := self._inputs.get((prompt_id, node_id)):
            there: list[tuple[Path, int | None]] = [(each.file, each.row) for each in made]
            if film is not None:
                there.append((film, None))
            self._made[key] = [(file, row) for file, row in there if file.exists()]
            self._forgotten.difference_update(row for _, row in self._made[key] if row is not None)

    def forget(self, row: int) -> None:
        """Note that a person forgot a row, so that its order may be sent again."""
        self._forgotten.add(row)

    def _is_gone(self, file: Path, row: int | None) -> bool:
        return row in self._forgotten or not file.exists()


def _present() -> Place:
    context = get_executing_context()
    return (context.prompt_id, context.node_id) if context else ("", "")


partial_failures = PartialFailures()
