"""Entry point of the node pack for ComfyUI; as a library, see `seedance/`.

Imports nothing at load: pytest imports this file under another name, where relative imports fail,
and ComfyUI loads every pack before its page comes up.
"""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    """The pack as ComfyUI knows it. What goes wrong here is logged with its traceback, of which
    ComfyUI itself shows only the last line."""
    try:
        from .nodes import SeedanceExtension
    except Exception:
        import logging

        logging.getLogger("seedance").exception("The Seedance nodes could not be loaded.")
        raise
    return SeedanceExtension()
