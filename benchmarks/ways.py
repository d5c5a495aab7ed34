"""How the graphs of `beside_core.py` look in each way: ours, ComfyUI's own nodes, and other packs.

Each way orders a clip, saves it, gets its frames, and gives its last frame to the next shot by the
nodes that it has for that; where it has none, by ComfyUI's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
MODEL = "dreamina-seedance-2-0-260128"
Graph = dict[str, Any]
Link = list[Any]


@dataclass(frozen=True)
class Size:
    """What is ordered."""

    resolution: str
    seconds: int

    @property
    def frames(self) -> int:
        return 24 * self.seconds + 1

    @property
    def bytes(self) -> int:
        """Of its frames as an IMAGE."""
        width, height = SIZES[self.resolution]
        return self.frames * width * height * 3 * 4

    def __str__(self) -> str:
        return f"{self.resolution}, {self.seconds} s"


def node(kind: str, **inputs: Any) -> Graph:
    return {"class_type": kind, "inputs": inputs}


class Way:
    """ComfyUI's nodes for a VIDEO that the node which orders gives as its first output.

    `provider`: at whose fake it orders. `frames_take` and `chain_takes`: the most memory that it
    was seen to take for frames, and for shots that begin with the last frame of the one before, of
    the size of a clip's frames."""

    name: str
    provider: str
    frames_take, chain_takes = 2.1, 3.2
    video = 0  # the output that is the VIDEO
    needs: ClassVar[str]  # a node that is there if its pack was loaded

    def order(self, size: Size, key: str, number: int, first: Link | None = None) -> Graph:
        """A node `key` that orders a clip, from a first frame if there is one. No other clip has
        its number: some keep what they paid for, and would find it again."""
        raise NotImplementedError

    def saved(self, key: str) -> Graph:
        options = {"filename_prefix": "film", "format": "auto", "codec": "auto"}
        return {f"save {key}": node("SaveVideo", video=[key, self.video], **options)}

    def frames(self, key: str) -> tuple[Graph, Link]:
        """The nodes for a clip's frames, and where these are."""
        parts = f"parts {key}"
        return {parts: node("GetVideoComponents", video=[key, self.video])}, [parts, 0]

    def last(self, key: str) -> tuple[Graph, Link]:
        """The nodes for what `order` takes as `first`, and where this is."""
        graph, frames = self.frames(key)
        pick = node("ImageFromBatch", image=frames, batch_index=-1, length=1)
        return {**graph, f"last {key}": pick}, [f"last {key}", 0]


class Ours(Way):
    name, video, needs = "ours", 1, "SeedanceT2V"
    frames_take, chain_takes = 1.2, 0.3

    def __init__(self, provider: str) -> None:
        self.provider = provider

    def order(self, size: Size, key: str, number: int, first: Link | None = None) -> Graph:
        inputs: Graph = {"provider": self.provider, "prompt": f"a fox, {number}", "ratio": "16:9"}
        inputs |= {"resolution": size.resolution, "duration": size.seconds}
        kind = "SeedanceI2V" if first else "SeedanceT2V"
        return {key: node(kind, **inputs, **({"image": first} if first else {}))}

    def frames(self, key: str) -> tuple[Graph, Link]:
        return {}, [key, 0]

    def last(self, key: str) -> tuple[Graph, Link]:
        return {}, [key, 4]


class Core(Way):
    """ComfyUI's own ByteDance nodes. Until 0.18 at least, its frames were copied once more."""

    name, provider, needs = "ComfyUI's", "byteplus", "ByteDance2TextToVideoNode"

    def __init__(self, version: tuple[int, ...]) -> None:
        if version < (0, 33):
            self.frames_take, self.chain_takes = 3.2, 4.2

    def order(self, size: Size, key: str, number: int, first: Link | None = None) -> Graph:
        model: Graph = {"prompt": f"a fox, {number}", "resolution": size.resolution}
        model |= {"ratio": "16:9", "duration": size.seconds, "generate_audio": True}
        inputs: Graph = {"model": "Seedance 2.0", "seed": number, "watermark": False}
        inputs |= {f"model.{name}": value for name, value in model.items()}
        kind = "ByteDance2FirstLastFrameNode" if first else "ByteDance2TextToVideoNode"
        return {key: node(kind, **inputs, **({"first_frame": first} if first else {}))}


class FalPack(Way):
    """gokayfem/ComfyUI-fal-API. Its node for any endpoint: those named after models do the same,
    but are made from a file that is too large for some copies."""

    name, provider, needs = "ComfyUI-fal-API", "fal", "FalAnyEndpoint_fal"
    video, frames_take, chain_takes = 1, 2.7, 0.3

    def order(self, size: Size, key: str, number: int, first: Link | None = None) -> Graph:
        values = {"prompt": f"a fox, {number}", "aspect_ratio": "16:9"}
        values |= {"resolution": size.resolution, "duration": str(size.seconds)}
        endpoint = f"bytedance/seedance-2.0/{'image' if first else 'text'}-to-video"
        inputs = {"endpoint_id": endpoint, "arguments_json": json.dumps(values)}
        return {key: node(self.needs, **inputs, **({"image": first} if first else {}))}

    def frames(self, key: str) -> tuple[Graph, Link]:
        return self._extracted(key, "every_nth")

    def last(self, key: str) -> tuple[Graph, Link]:
        return self._extracted(key, "last")

    def _extracted(self, key: str, mode: str) -> tuple[Graph, Link]:
        inputs = {"video": [key, self.video], "mode": mode, "n": 1, "max_frames": 1024}
        return {f"parts {key}": node("FalExtractFrames_fal", **inputs)}, [f"parts {key}", 0]


class BytePlusPack(Way):
    """nnnnkatsu/seedance2-comfyui-byteplus. Its nodes give a URL, and its node that saves reads the
    frames; a shot goes on from the id of the one before."""

    name, provider, needs = "seedance2-comfyui-byteplus", "byteplus", "Seedance2TextToVideo"
    chain_takes = 0.3

    def order(self, size: Size, key: str, number: int, first: Link | None = None) -> Graph:
        inputs: Graph = {"prompt": f"a fox, {number}", "resolution": size.resolution}
        inputs |= {"seed": number, "duration": size.seconds, "batch_count": 1}
        if first:
            return {key: node("Seedance2Extend", request_id=first, **inputs)}
        return {key: node(self.needs, aspect_ratio="16:9", **inputs)}

    def saved(self, key: str) -> Graph:
        return {f"save {key}": self._saver(key, load_frames=False)}

    def frames(self, key: str) -> tuple[Graph, Link]:
        saver = self._saver(key, load_frames=True, frame_load_cap=0)
        return {f"parts {key}": saver}, [f"parts {key}", 0]

    def last(self, key: str) -> tuple[Graph, Link]:
        return {}, [key, 2]

    def _saver(self, key: str, **inputs: Any) -> Graph:
        names = {"save_subfolder": "", "filename_prefix": "film"}
        return node("Seedance2VideoSaver", video_url=[key, 0], **names, **inputs)


# The option that says where a pack is, and its way.
PACKS: dict[str, type[Way]] = {"fal_pack": FalPack, "byteplus_pack": BytePlusPack}


def settings(packs: dict[str, Path], addresses: dict[str, str]) -> dict[str, str]:
    """The variables with which the packs find the fakes, `addresses` by provider."""
    found: dict[str, str] = {}
    if "byteplus_pack" in packs:
        found["BYTEPLUS_ARK_BASE_URL"] = f"{addresses['byteplus']}/api/v3"
        found["SEEDANCE2_ENDPOINT"] = MODEL
    if "fal_pack" in packs:  # the first: it asks fal for new models once it has started
        found |= {"FAL_DISABLE_STARTUP_CHECK": "1", "BENCHMARK_FAL": addresses["fal"]}
    return found
