"""The nodes in a real ComfyUI on the CPU, over its HTTP API.

Runs on each ComfyUI of COMFY_HOSTS.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from comfyui import ComfyUI, Host, Page, until
from paths import MEDIA

PREVIEW = {"provider": "preview", "resolution": "480p", "duration": 4}


@pytest.fixture(scope="module")
def base(comfy_host: Host, guard_log: Any, tmp_path_factory: pytest.TempPathFactory) -> ComfyUI:
    return ComfyUI(tmp_path_factory.mktemp("comfyui") / "base", host=comfy_host)


@pytest.fixture(scope="module")
def server(base: ComfyUI) -> Iterator[ComfyUI]:
    with base.running():
        yield base


def text(seed: int, **inputs: Any) -> dict[str, Any]:
    values = {**PREVIEW, "prompt": "a hill", "seed": seed, **inputs}
    return {"class_type": "SeedanceT2V", "inputs": values}


def show(*link: Any) -> dict[str, Any]:
    """An output node that runs what it is linked to and keeps nothing."""
    return {"class_type": "PreviewAny", "inputs": {"source": list(link)}}


def status_of(entry: dict[str, Any]) -> str:
    return str(entry["status"]["messages"][-1][0])


# ----------------------------------------------------------------------------------- it is there


def test_all_nodes_are_loaded(server: ComfyUI) -> None:
    there = {name for name in server.get("/object_info") if name.startswith("Seedance")}
    assert there == {
        *("SeedanceT2V", "SeedanceI2V", "SeedanceFrames", "SeedanceReference", "SeedanceV2V"),
        *("SeedanceTask", "SeedanceFinal", "SeedanceAsset", "SeedanceStoryboard"),
    }


def test_the_pack_is_imported_without_trouble(server: ComfyUI) -> None:
    print(f"import time as ComfyUI prints it: {server.import_seconds} s")
    assert "IMPORT FAILED" not in server.log
    assert "Traceback" not in server.log


def test_the_seed_starts_as_fixed(server: ComfyUI) -> None:
    node = server.get("/object_info/SeedanceT2V")["SeedanceT2V"]
    assert node["input"]["optional"]["seed"][1]["control_after_generate"] == "fixed"


# -------------------------------------------------------------------------------- the main job


@pytest.mark.skipif(not MEDIA.is_dir(), reason="the shared media are not here")
def test_a_picture_becomes_frames_and_a_video_with_sound(server: ComfyUI) -> None:
    import av

    shutil.copy(MEDIA / "coffee.png", server.base / "input")
    node = {
        "class_type": "SeedanceI2V",
        "inputs": {**PREVIEW, "image": ["1", 0], "prompt": "steam rises", "seed": 11},
    }
    with Page(server) as page:
        prompt_id = server.queue(
            {
                "1": {"class_type": "LoadImage", "inputs": {"image": "coffee.png"}},
                "2": node,
                "3": {
                    "class_type": "SaveImage",
                    "inputs": {"images": ["2", 0], "filename_prefix": "coffee/frame"},
                },
                "4": {
                    "class_type": "SaveVideo",
                    "inputs": {
                        "video": ["2", 1],
                        "filename_prefix": "coffee/clip",
                        "format": "auto",
                        "codec": "auto",
                    },
                },
            },
            page.client_id,
        )
        entry = server.history(prompt_id)
    assert status_of(entry) == "execution_success"
    frames, (clip,) = server.outputs("coffee/frame*.png"), server.outputs("coffee/clip*.mp4")
    with av.open(str(clip)) as container:
        video, sound = container.streams.video[0], container.streams.audio
        assert (video.width, video.height) == (752, 560)
        assert len(frames) == video.frames
        assert len(sound) == 1
    (row,) = server.rows()
    assert row.file and row.file.parent == server.base / "output" / "seedance"
    shown = [data["output"]["images"] for data in page.of_type("executed") if data["node"] == "2"]
    assert shown == [[{"filename": row.file.name, "subfolder": "seedance", "type": "output"}]]
    news = page.of_type("seedance.node")
    assert {each["node"] for each in news} == {"2"}
    assert "rendering_part" in {take["code"] for each in news for take in each.get("takes", [])}
    (made,) = news[-1]["results"]
    assert (made["provider"], made["seed"]) == ("preview", 11)
    assert (made["width"], made["height"], made["cost"]["amount"]) == (752, 560, 0)


def test_frames_are_not_decoded_where_nothing_uses_them(server: ComfyUI) -> None:
    entry = server.run({"1": text(12), "2": show("1", 5)})
    assert status_of(entry) == "execution_success"
    assert entry["prompt"][2]["1"]["inputs"]["decode_frames"] is False


def test_a_node_inside_a_subgraph_decodes_what_is_used(server: ComfyUI) -> None:
    entry = server.run(
        {
            "5:1": text(12),
            "2": {"class_type": "GetImageSize", "inputs": {"image": ["5:1", 0]}},
            "3": show("2", 0),
        }
    )
    assert status_of(entry) == "execution_success"
    assert entry["outputs"]["3"]["text"] == ["864"]


def test_a_ticket_is_collected(server: ComfyUI) -> None:
    server.run({"1": text(12), "2": show("1", 5)})
    rows = server.rows()
    collect = {"class_type": "SeedanceTask", "inputs": {"task": rows[-1].task}}
    entry = server.run({"1": collect, "2": show("1", 5)})
    assert entry["outputs"]["2"]["text"] == [rows[-1].task]
    assert len(server.rows()) == len(rows)


def test_references_on_sockets_that_grow_are_counted(server: ComfyUI) -> None:
    grey = {
        "class_type": "EmptyImage",
        "inputs": {"width": 320, "height": 240, "batch_size": 2, "color": 0},
    }
    node = {
        "class_type": "SeedanceReference",
        "inputs": {
            **PREVIEW,
            "prompt": "@Image3 beside @Image1",
            "seed": 13,
            "images.image_1": ["1", 0],
            "images.image_4": ["2", 0],
        },
    }
    load = {"class_type": "LoadImage", "inputs": {"image": "example.png"}}
    entry = server.run({"1": grey, "2": load, "3": node, "4": show("3", 5)})
    assert status_of(entry) == "execution_success"
    assert len(server.rows()[-1].order["references"]) == 3


# -------------------------------------------------------------------------------- side by side


def test_four_nodes_run_side_by_side(server: ComfyUI) -> None:
    nodes = {str(seed): text(seed) for seed in range(21, 25)}
    entry = server.run({**nodes, **{f"out{seed}": show(seed, 5) for seed in nodes}})
    assert status_of(entry) == "execution_success"
    rows = server.rows()[-4:]
    assert max(row.submitted for row in rows) < min(row.finished for row in rows)  # type: ignore[type-var]


def test_takes_are_items_of_one_list(server: ComfyUI) -> None:
    entry = server.run({"1": text(31, takes=2), "2": show("1", 5)})
    assert entry["outputs"]["2"]["text"] == [row.task for row in server.rows()[-2:]]


def test_cancel_interrupts_four_waiting_nodes(server: ComfyUI) -> None:
    long = {"resolution": "1080p", "duration": 15}
    nodes = {str(seed): text(seed, **long) for seed in range(41, 45)}
    before = len(server.rows())
    prompt_id = server.queue({**nodes, **{f"out{seed}": show(seed, 5) for seed in nodes}})
    until(lambda: [row.state for row in server.rows()[before:]] == ["running"] * 4)
    server.send("POST", "/interrupt", {"prompt_id": prompt_id})
    assert status_of(server.history(prompt_id)) == "execution_interrupted"
    until(lambda: not any(row.live for row in server.rows()[before:]))
    assert [row.state for row in server.rows()[before:]] == ["cancelled"] * 4


# ----------------------------------------------------------------------------------- what is said


def failure(entry: dict[str, Any]) -> dict[str, Any]:
    name, data = entry["status"]["messages"][-1]
    assert name == "execution_error"
    return dict(data)


def test_the_error_dialog_shows_our_sentence(server: ComfyUI) -> None:
    data = failure(
        server.run({"1": text(0, provider="lumenfall", resolution="720p"), "2": show("1", 5)})
    )
    assert data["exception_message"].startswith("There is no key for Lumenfall.")
    assert "LUMENFALL_API_KEY" in data["exception_message"]
    assert "/" not in data["exception_type"], "a module's path is no name of an error"


def test_an_old_workflows_provider_gets_our_sentence(server: ComfyUI) -> None:
    body = {"prompt": {"1": text(0, provider="klang"), "2": show("1", 5)}}
    status, answer = server.send("POST", "/prompt", body)
    assert status == 400
    (error,) = answer["node_errors"]["1"]["errors"]
    assert "There is no provider 'klang' in this version." in error["details"]


def test_a_value_out_of_range_is_still_refused_by_comfyui(server: ComfyUI) -> None:
    body = {"prompt": {"1": text(0, takes=9), "2": show("1", 5)}}
    status, answer = server.send("POST", "/prompt", body)
    assert status == 400
    assert answer["node_errors"]["1"]["errors"][0]["type"] == "value_bigger_than_max"


# -------------------------------------------------------------------------------------- restart


def test_after_a_restart_the_same_graph_makes_nothing_new(base: ComfyUI, server: ComfyUI) -> None:
    graph = {"1": text(51), "2": show("1", 5)}
    first = server.run(graph)
    rows = server.rows()
    url = base.url
    try:
        with base.running():
            again = base.run(graph)
    finally:
        base.url = url
    assert again["outputs"]["2"] == first["outputs"]["2"]
    assert [(row.id, row.submitted) for row in base.rows()] == [
        (row.id, row.submitted) for row in rows
    ]
