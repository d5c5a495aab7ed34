"""What the saved files of a real ComfyUI carry: the graph, as its own Save nodes write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import pytest
from comfyui import ComfyUI, Host
from PIL import Image
from running import until

WORKFLOW = {"id": "a-workflow", "nodes": [{"id": 1, "type": "SeedanceT2V"}], "links": []}


def prompt(seed: int) -> dict[str, Any]:
    order = {"prompt": "a hill", "provider": "preview", "resolution": "480p", "duration": 4}
    return {
        "1": {"class_type": "SeedanceT2V", "inputs": {**order, "seed": seed}},
        "2": {
            "class_type": "SaveVideo",
            "inputs": {"video": ["1", 1], "filename_prefix": "core", "format": "auto"}
            | {"codec": "auto"},
        },
    }


def run(server: ComfyUI, seed: int) -> None:
    body = {"prompt": prompt(seed), "extra_data": {"extra_pnginfo": {"workflow": WORKFLOW}}}
    status, answer = server.send("POST", "/prompt", body)
    assert status == 200, answer
    assert server.history(answer["prompt_id"])["status"]["status_str"] == "success"


def texts_of(file: Path) -> dict[str, Any]:
    if file.suffix == ".png":
        with Image.open(file) as picture:
            picture.load()
            there = dict(picture.info)
    else:
        with av.open(str(file)) as container:
            there = dict(container.metadata)
    return {name: json.loads(there[name]) for name in ("prompt", "workflow") if name in there}


@pytest.mark.parametrize("flags", [(), ("--disable-metadata",)], ids=["", "disabled"])
def test_our_files_carry_what_those_of_comfyui_carry(
    comfy_host: Host, guard_log: Any, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    server = ComfyUI(tmp_path / "base", *flags, host=comfy_host)
    with server.running():
        run(server, 5)
        run(server, 6)
        until(lambda: len(server.outputs("seedance/*.png")) == 2)  # made when nothing else is
    (theirs, *_) = server.outputs("core_*.mp4")
    expected = texts_of(theirs)
    assert set(expected) == (set() if flags else {"prompt", "workflow"})
    ours = sorted(server.outputs("seedance/*.mp4") + server.outputs("seedance/*.png"))
    assert len(ours) == 4
    seeds = set()
    for file in ours:
        texts = texts_of(file)
        assert set(texts) == set(expected)
        if texts:
            assert texts["workflow"] == expected["workflow"] == WORKFLOW
            assert texts["prompt"]["2"] == expected["prompt"]["2"]
            seeds.add(texts["prompt"]["1"]["inputs"]["seed"])
    assert seeds == (set() if flags else {5, 6})
