"""ComfyUI's nodes.py; ours is a package of that name under the pack."""

NODE_CLASS_MAPPINGS = {}
