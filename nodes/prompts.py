"""A hook on the prompts that come in: sets which outputs of our nodes are decoded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def set_decoded(request: dict[str, Any], ours: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Let our nodes decode only those outputs that are linked. `ours` has their classes, each with
    its inputs that say so and the numbers of the outputs.

    Changes the request and returns it; a prompt that makes no sense is left to ComfyUI. Prompts
    arrive flattened, so that the ids of nodes in subgraphs (`1:2`) need no care.
    """
    prompt = request.get("prompt")
    nodes = prompt if isinstance(prompt, dict) else {}
    linked = {
        (str(value[0]), value[1])
        for node in nodes.values()
        for value in inputs_of(node).values()
        if is_link(value)
    }
    for node_id, node in nodes.items():
        kind = node.get("class_type") if isinstance(node, dict) else None
        if not isinstance(kind, str) or kind not in ours:
            continue
        inputs = node.setdefault("inputs", {})
        if not isinstance(inputs, dict):
            continue
        for name, output in ours[kind].items():
            if not is_link(inputs.get(name)):
                inputs[name] = (str(node_id), output) in linked
    return request


def inputs_of(node: object) -> dict[str, Any]:
    """The inputs of a node of a prompt; none where they are no object."""
    inputs = node.get("inputs") if isinstance(node, dict) else None
    return inputs if isinstance(inputs, dict) else {}


def is_link(value: object) -> bool:
    """Whether an input's value is `[id of a node, number of its output]`. Other packs' widgets have
    lists of two as well, of anything."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], (str, int))
        and isinstance(value[1], (int, float))  # JSON of some languages has 0.0
    )
