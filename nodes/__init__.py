"""The rim: the pack's only Python that knows ComfyUI or torch.

    generate, collect,
    final, asset,
    storyboard          the nodes
    inputs, outputs     what several nodes have of both
    values              what arrives on the links of widgets
    tensors             ComfyUI's values to media, and back
    graph               the graph that is being run, for the files that it makes
    takes               waiting for a node's takes, and Cancel
    execution, report   the node that runs, and what it tells the page
    latest_news         what nodes told it last, for a page that was loaded anew
    partial_failures    running a node again of which some takes failed, or what it made is gone
    shot_list           the shots on a storyboard, as the node or the page has them
    queue_sum           what a graph costs before it runs
    asset_list          assets as the page shows them
    prompts             the hook on incoming prompts
    examples            the pictures of the example workflows
    host                the runner in this ComfyUI, and the start of the server
    threads             which thread does what
    routes, handler     the page's routes: what they do, and how HTTP reaches them
    from_page, history  an order from the page, and the journal for it
    media_again         the media of an order that is loaded into a node

Importing it is quick: the runner, PyAV, Pillow and NumPy are imported when a node first runs.
"""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from . import host, routes
from .asset import SeedanceAsset
from .collect import SeedanceTask
from .final import SeedanceFinal
from .generate import SeedanceFrames, SeedanceI2V, SeedanceReference, SeedanceT2V, SeedanceV2V
from .storyboard import SeedanceStoryboard

NODES: list[type[io.ComfyNode]] = [
    SeedanceT2V,
    SeedanceI2V,
    SeedanceFrames,
    SeedanceReference,
    SeedanceV2V,
    SeedanceTask,
    SeedanceFinal,
    SeedanceAsset,
    SeedanceStoryboard,
]


class SeedanceExtension(ComfyExtension):
    """What ComfyUI loads."""

    async def on_load(self) -> None:
        host.attach({node.GET_SCHEMA().node_id: node for node in NODES})
        routes.register()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return list(NODES)
