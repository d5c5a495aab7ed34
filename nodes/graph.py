"""The graph that is being run, as ComfyUI's own Save nodes write it into their files."""

from __future__ import annotations

import json
from typing import Any


def graph_of(node: type) -> dict[str, Any]:
    """The argument `graph` for an order that a running node makes, by its class: the prompt and the
    workflow as texts. None at all where ComfyUI runs with --disable-metadata, or does not tell."""
    hidden = getattr(node, "hidden", None)
    workflow = getattr(hidden, "extra_pnginfo", None)
    values: dict[str, Any] = {
        "prompt": getattr(hidden, "prompt", None),
        "workflow": workflow.get("workflow") if isinstance(workflow, dict) else None,
    }
    if _switched_off():
        return {}
    try:
        graph = {name: json.dumps(value) for name, value in values.items() if value}
    except (TypeError, ValueError, RecursionError):  # another pack has put something else there
        return {}
    return {"graph": graph} if graph else {}


def _switched_off() -> bool:
    try:
        from comfy.cli_args import args
    except ImportError:  # a script that has no command line of ComfyUI's
        return False
    return bool(args.disable_metadata)
