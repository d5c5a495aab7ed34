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
    variables = {"SEEDANCE_POLL_INTERVAL": "0.2"}
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
