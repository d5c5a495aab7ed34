"""The rim: the pack's only Python that knows ComfyUI or torch.

This file owns what ComfyUI is told about: the node classes, the routes and what starts with the
server. Importing it must stay quick, so nothing here or below imports the runner, PyAV, Pillow or
NumPy before a node runs.
"""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from . import host, routes
from .collect import SeedanceTask
from .generate import SeedanceFrames, SeedanceI2V, SeedanceReference, SeedanceT2V, SeedanceV2V

NODES: list[type[io.ComfyNode]] = [
    SeedanceT2V,
    SeedanceI2V,
    SeedanceFrames,
    SeedanceReference,
    SeedanceV2V,
    SeedanceTask,
]


class SeedanceExtension(ComfyExtension):
    """What ComfyUI loads."""

    async def on_load(self) -> None:
        host.attach({node.GET_SCHEMA().node_id: node for node in NODES})
        routes.register()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return list(NODES)
