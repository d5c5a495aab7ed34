"""ComfyUI's nodes.py; ours is a package of that name under the pack."""

from __future__ import annotations

NODE_CLASS_MAPPINGS: dict[str, type] = {}
