"""Every provider, through a node in a real ComfyUI, against its strict fake.

Runs on each ComfyUI of COMFY_HOSTS.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import fakes
import pytest
from comfyui import ComfyUI, Host


@pytest.fixture(scope="module")
def providers(comfy_host: Host) -> Iterator[dict[str, fakes.Fake]]:
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(fake()) for name, fake in fakes.all().items()}


@pytest.fixture(scope="module")
def server(
    comfy_host: Host,
    guard_log: Any,
    tmp_path_factory: pytest.TempPathFactory,
    providers: dict[str, fakes.Fake],
) -> Iterator[ComfyUI]:
    base = ComfyUI(tmp_path_factory.mktemp("providers") / "base", host=comfy_host)
    variables = {"SEEDANCE_POLL_INTERVAL": "0.2", "SEEDANCE_MAX_USD": "0"}
    for fake in providers.values():
        variables |= fake.environment()
    with base.running(**variables):
        yield base


@pytest.mark.parametrize("name", sorted(fakes.all()))
def test_a_picture_becomes_a_video(
    server: ComfyUI, providers: dict[str, fakes.Fake], name: str
) -> None:
    picture = {"width": 640, "height": 480, "batch_size": 1, "color": 0x336699}
    order = {"image": ["1", 0], "prompt": "a hill", "provider": name, "ratio": "16:9"}
    graph = {
        "1": {"class_type": "EmptyImage", "inputs": picture},
        "2": {"class_type": "SeedanceI2V", "inputs": order},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 5]}},
    }
    entry = server.run(graph)
    row = server.rows()[-1]
    assert entry["outputs"]["3"]["text"] == [row.task]
    assert (row.provider, row.state, providers[name].creates) == (name, "saved", 1)


CLIP = "https://media.example/a.mp4"
NEWEST = "seedance-2.5"
ROUTES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "fal, mini": ("fal", "SeedanceT2V", {"model": "seedance-2.0-mini"}),
    "fal, 4k": ("fal", "SeedanceT2V", {"resolution": "4k"}),
    "fal, 2.5": ("fal", "SeedanceT2V", {"model": NEWEST, "resolution": "1080p", "duration": 30}),
    "fal, flash": ("fal", "SeedanceReference", {"model": "seedance-2.5-flash", "urls": CLIP}),
    "fal, edit": ("fal", "SeedanceV2V", {"model": NEWEST, "duration": -1}),
    "fal, extend": ("fal", "SeedanceV2V", {"model": NEWEST, "operation": "extend"}),
    "replicate, 2.5": ("replicate", "SeedanceT2V", {"model": NEWEST, "resolution": "1080p"}),
    "replicate, edit": ("replicate", "SeedanceV2V", {"model": NEWEST, "duration": -1}),
    "replicate, 2.0 edit": ("replicate", "SeedanceV2V", {}),
    "evolink, 4k": ("evolink", "SeedanceT2V", {"resolution": "4k"}),
    "evolink, edit": ("evolink", "SeedanceV2V", {"model": NEWEST, "duration": -1}),
    "evolink, extend": ("evolink", "SeedanceV2V", {"model": NEWEST, "operation": "extend"}),
    "evolink, search": (
        "evolink",
        "SeedanceT2V",
        {"model": NEWEST, "web_search": True, "output_format": "mov"},
    ),
    "byteplus, edit": ("byteplus", "SeedanceV2V", {"duration": -1}),
    "volcengine, extend": ("volcengine", "SeedanceV2V", {"operation": "extend"}),
    "byteplus, search": ("byteplus", "SeedanceT2V", {"web_search": True}),
    "byteplus, master": ("byteplus", "SeedanceT2V", {"model": NEWEST, "output_format": "mov"}),
    "comfy, 4k": ("comfy", "SeedanceT2V", {"resolution": "4k"}),
    "comfy, 2.5": ("comfy", "SeedanceT2V", {"model": NEWEST, "duration": 30}),
    "comfy, reference": ("comfy", "SeedanceReference", {"model": NEWEST, "urls": CLIP}),
    "comfy, edit": ("comfy", "SeedanceV2V", {"model": NEWEST, "duration": -1}),
    "comfy, extend": ("comfy", "SeedanceV2V", {"model": NEWEST, "operation": "extend"}),
    "openrouter, 4k": ("openrouter", "SeedanceT2V", {"resolution": "4k", "ratio": "16:9"}),
    "openrouter, flash": (
        "openrouter",
        "SeedanceT2V",
        {"model": "seedance-2.5-flash", "ratio": "16:9"},
    ),
    "openrouter, reference": ("openrouter", "SeedanceReference", {"urls": CLIP, "ratio": "16:9"}),
}


def queued(
    server: ComfyUI, kind: str, inputs: dict[str, Any], more: dict[str, Any] | None = None
) -> Any:
    """The graph of one node, and the text of its ticket."""
    graph = {
        "1": {"class_type": kind, "inputs": inputs},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 5]}},
        **(more or {}),
    }
    return server.run(graph)


@pytest.mark.parametrize("route", ROUTES)
def test_every_new_route_makes_a_video(
    server: ComfyUI, providers: dict[str, fakes.Fake], route: str
) -> None:
    name, kind, inputs = ROUTES[route]
    before = providers[name].creates
    clip = {"video_url": CLIP} if kind == "SeedanceV2V" else {}
    queued(server, kind, {"prompt": f"a hill, {route}", "provider": name, **clip, **inputs})
    row = server.rows()[-1]
    assert (row.provider, row.state, providers[name].creates) == (name, "saved", before + 1)


@pytest.mark.parametrize("name", ["byteplus", "volcengine", "fal", "evolink"])
def test_a_draft_becomes_a_final_in_one_graph(
    server: ComfyUI, providers: dict[str, fakes.Fake], name: str
) -> None:
    before = providers[name].creates
    draft = {"prompt": "a hill, first a draft", "provider": name, "model": NEWEST, "draft": True}
    final = {
        "3": {"class_type": "SeedanceFinal", "inputs": {"draft": ["1", 5]}},
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["3", 5]}},
    }
    entry = queued(server, "SeedanceT2V", draft, final)
    first, last = server.rows()[-2:]
    assert (first.state, last.state) == ("saved", "saved")
    assert last.order["draft_of"] == first.task
    assert entry["outputs"]["4"]["text"] == [last.task]
    assert providers[name].creates == before + 2
