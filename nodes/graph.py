"""The graph that is being run, as ComfyUI's own Save nodes write it into their files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..seedance.runner import Graph


def graph_of(node: type) -> Graph | None:
    """The prompt and the workflow of a running node's class, as texts; None where ComfyUI runs with
    --disable-metadata, or does not tell."""
    hidden = getattr(node, "hidden", None)
    workflow = getattr(hidden, "extra_pnginfo", None)
    values: dict[str, Any] = {
        "prompt": getattr(hidden, "prompt", None),
        "workflow": workflow.get("workflow") if isinstance(workflow, dict) else None,
    }
    if _switched_off():
        return None
    try:
        graph = {name: json.dumps(value) for name, value in values.items() if value}
    except (TypeError, ValueError, RecursionError):  # another pack has put something else there
        return None
    return graph or None


def _switched_off() -> bool:
    try:
        from comfy.cli_args import args
    except ImportError:  # a script that has no command line of ComfyUI's
        return False
    return bool(args.disable_metadata)
