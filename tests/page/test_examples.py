"""The example workflows: what they hold, and what they make in a real ComfyUI over its HTTP API.

The latter runs on each ComfyUI of COMFY_HOSTS. What ComfyUI's page makes of them is in
test_browser.py.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from comfyui import ComfyUI, Host
from paths import ROOT
from PIL import Image

FOLDER = ROOT / "example_workflows"


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def workflows(folder: Path) -> dict[str, Any]:
    files = (path for path in sorted(folder.glob("*.json")) if path.name != "index.json")
    return {path.stem: read(path) for path in files}


EXAMPLES = workflows(FOLDER)
# Of nodes that only newer versions of ComfyUI have.
NEWER = workflows(FOLDER / "newer")
WIDGETS = {"BOOLEAN", "COMBO", "FLOAT", "INT", "STRING"}
NEEDS_MODEL = "sd_keyframes_to_video"
SHOT = 97  # frames of a clip of 4 s; one of 5 s has 121
FRAMES = {
    "collect_task": SHOT,
    "draft_to_final": SHOT,
    "extend_and_join": 2 * SHOT,
    "first_and_last_frame": 121,
    "five_shots_in_one_film": 5 * SHOT - 4,
    "image_to_video": 121,
    "image_to_video_app": 121,
    "keyframes_to_video": 121,
    "nine_shot_film_from_one_picture": 9 * SHOT,
    "one_character_three_shots": 3 * SHOT,
    "references": 121,
    "text_to_video": 121,
    "two_providers_side_by_side": SHOT,
    "two_shots_in_one_clip": 2 * SHOT - 1,
    "upscale_and_save": SHOT,
    "video_to_video": SHOT,
}


def nodes_of(name: str, kind: str = "") -> list[dict[str, Any]]:
    return [node for node in EXAMPLES[name]["nodes"] if node["type"].startswith(kind)]


# --------------------------------------------------------------------------------- what they hold


def test_every_example_is_made() -> None:
    assert set(EXAMPLES) == {*FRAMES, NEEDS_MODEL}
    assert set(NEWER) == {"smooth_motion"}


@pytest.mark.parametrize("folder", ["", "newer"])
def test_every_example_has_a_title_and_thumbnails_of_what_comes_out(folder: str) -> None:
    (category,) = read(FOLDER / folder / "index.json")
    entries = {entry["name"]: entry for entry in category["templates"]}
    assert set(entries) == set(NEWER if folder else EXAMPLES)
    for name, entry in entries.items():
        assert entry["title"] != name and entry["description"].endswith(".")
        assert entry["tags"] and (entry["mediaType"], entry["mediaSubtype"]) == ("image", "webp")
        moving, still = (FOLDER / folder / f"{name}.{kind}" for kind in ("webp", "jpg"))
        assert moving.stat().st_size < 150_000 and still.stat().st_size < 30_000
        with Image.open(moving) as picture, Image.open(still) as other:
            assert (picture.n_frames, picture.size) == (24, other.size)  # type: ignore[attr-defined]


def test_each_title_is_the_same_in_the_words_of_the_page() -> None:
    words = {
        language: read(ROOT / "locales" / language / "main.json")["seedance"]["templates"]
        for language in ("en", "zh")
    }
    entries = [*read(FOLDER / "index.json"), *read(FOLDER / "newer" / "index.json")]
    there = {each["name"]: each for category in entries for each in category["templates"]}
    for name, entry in there.items():
        assert words["en"][name] == {key: entry[key] for key in ("title", "description")}
        assert words["zh"][name]["title"] != entry["title"]


@pytest.mark.parametrize("name", [*EXAMPLES, *NEWER])
def test_an_example_holds_a_value_for_each_widget_of_our_nodes(name: str) -> None:
    """Or else the page would save another workflow than it has opened. (What inputs the nodes have
    is held to tests/names.json elsewhere.)"""
    published = read(ROOT / "tests" / "names.json")["nodes"]
    for node in {**EXAMPLES, **NEWER}[name]["nodes"]:
        if node["type"] not in published:
            continue
        inputs = published[node["type"]]["inputs"]
        widgets = [each for each, about in inputs.items() if about["type"] in WIDGETS]
        seeds = widgets.count("seed")  # each with what comes after a run
        assert len(node["widgets_values"]) == len(widgets) + seeds, (node["type"], widgets)


def test_the_newer_ones_name_the_nodes_that_they_need() -> None:
    (category,) = read(FOLDER / "newer" / "index.json")
    for entry in category["templates"]:
        kinds = {node["type"] for node in NEWER[entry["name"]]["nodes"]}
        assert set(entry["requires"]) <= kinds


def test_pictures_come_with_the_examples_and_can_be_drawn_again() -> None:
    there = {path.name for path in (FOLDER / "pictures").glob("*.png")}
    drawn = runpy.run_path(str(ROOT / "scripts" / "example_pictures.py"))["DRAWN"]
    loaded = {
        node["widgets_values"][0] for name in EXAMPLES for node in nodes_of(name, "LoadImage")
    }
    assert loaded == there == set(drawn)
    assert "CC0" in (FOLDER / "pictures" / "LICENSE.txt").read_text(encoding="utf-8")


def test_the_app_shows_five_inputs_and_the_video() -> None:
    nodes = {node["id"]: node["type"] for node in nodes_of("image_to_video_app")}
    extra = EXAMPLES["image_to_video_app"]["extra"]
    assert extra["linearMode"] is True
    inputs = [(nodes[node], widget) for node, widget in extra["linearData"]["inputs"]]
    assert inputs == [
        ("SeedanceI2V", "prompt"),
        ("LoadImage", "image"),
        ("SeedanceI2V", "provider"),
        ("SeedanceI2V", "resolution"),
        ("SeedanceI2V", "duration"),
    ]
    assert [nodes[node] for node in extra["linearData"]["outputs"]] == ["SaveVideo"]
    assert not any(
        "linearData" in EXAMPLES[name]["extra"] for name in EXAMPLES if "app" not in name
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_prompt_has_a_sensible_height_before_the_first_run(name: str) -> None:
    """As high as their inputs, in the classic rendering, with room for a prompt."""
    for node in nodes_of(name, "Seedance"):
        if node["type"] not in ("SeedanceTask", "SeedanceFinal", "SeedanceAsset"):
            assert 500 < node["size"][1] < 800


def test_every_node_has_an_example() -> None:
    shown = {node["type"] for name in EXAMPLES for node in nodes_of(name, "Seedance")}
    pages = {path.name for path in (ROOT / "web" / "docs").iterdir()}
    assert shown == pages


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_free_and_says_how_to_switch(name: str) -> None:
    # A ticket says which provider, and what becomes an asset of this machine needs none.
    free = ("SeedanceTask", "SeedanceFinal", "SeedanceAsset")
    paying = [node for node in nodes_of(name, "Seedance") if node["type"] not in free]
    assert paying
    assert all("preview" in node["widgets_values"] for node in paying)
    (note,) = nodes_of(name, "MarkdownNote")
    assert "Settings > Seedance" in note["widgets_values"][0]


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_node_lies_on_another(name: str) -> None:
    title = 30
    boxes = [
        (x, y - title, x + width, y + height)
        for node in nodes_of(name)
        for (x, y), (width, height) in [(node["pos"], node["size"])]
    ]
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            apart = (
                one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            )
            assert apart, (one, other)


def test_the_keyframes_with_and_without_a_model_make_the_same_order() -> None:
    def made(name: str) -> list[Any]:
        nodes = [*nodes_of(name, "SeedanceFrames"), *nodes_of(name, "SaveVideo")]
        return [
            (node["type"], [slot["name"] for slot in node["inputs"]], node["widgets_values"])
            for node in nodes
        ]

    assert made(NEEDS_MODEL) == made("keyframes_to_video")


def test_the_note_names_the_model_that_is_set() -> None:
    (loader,) = nodes_of(NEEDS_MODEL, "CheckpointLoaderSimple")
    (note,) = nodes_of(NEEDS_MODEL, "MarkdownNote")
    (model,) = loader["properties"]["models"]
    assert loader["widgets_values"] == [model["name"]]
    assert f"`{model['name']}`" in note["widgets_values"][0]
    assert model["directory"] == "checkpoints"
    assert model["url"].startswith("https://huggingface.co/Comfy-Org/stable-diffusion-v1-5")


# --------------------------------------------------------------------------------- what they make


@pytest.fixture(scope="module")
def server(
    comfy_host: Host, guard_log: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ComfyUI]:
    base = ComfyUI(tmp_path_factory.mktemp("examples") / "base", host=comfy_host)
    (base.base / "input" / "example.png").unlink()
    with base.running():
        yield base


def prompt_of(workflow: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A saved workflow as an API prompt, as far as the examples need it."""
    links = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    prompt = {}
    for node in workflow["nodes"]:
        if node["type"] == "MarkdownNote":
            continue
        values = iter(node.get("widgets_values") or ())
        inputs = dict(_widgets(definitions[node["type"]]["input"], values))
        inputs |= {
            slot["name"]: links[slot["link"]] for slot in node["inputs"] if slot["link"] is not None
        }
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return prompt


def _widgets(
    definition: Mapping[str, Any], values: Iterator[Any], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """The widgets of a node's inputs by name; `values` are those that the workflow holds, in order.

    Inputs named in `definition` may be sockets, which have no value. A widget that this ComfyUI has
    added since the workflow was saved is left out, and has its default.
    """
    for group in ("required", "optional"):
        for name, (kind, *options) in definition.get(group, {}).items():
            dynamic = kind == "COMFY_DYNAMICCOMBO_V3"
            plain = isinstance(kind, list) or kind in ("COMBO", "INT", "FLOAT", "STRING", "BOOLEAN")
            if not dynamic and not plain:
                continue
            try:
                value = next(values)
            except StopIteration:
                continue
            yield prefix + name, value
            if dynamic:
                (inner,) = (item for item in options[0]["options"] if item["key"] == value)
                yield from _widgets(inner["inputs"], values, f"{prefix}{name}.")
            elif options and options[0].get("control_after_generate"):
                next(values)


@pytest.mark.parametrize("name", FRAMES)
def test_an_example_makes_a_clip_with_sound(server: ComfyUI, name: str) -> None:
    file = clip_of(server, name)
    frames = sum(1 for _ in pictures(file))
    assert frames == FRAMES[name]
    # AAC comes in blocks of 1024 samples.
    assert seconds_of_sound(file) == pytest.approx(frames / 24, abs=1.5 * 1024 / 48000)


def test_a_film_keeps_its_colours_over_its_joints(server: ComfyUI) -> None:
    """Two plain parts of the picture, sky and grass, on both sides of each joint. One level of 255
    is what the rounding of a codec costs; to read HD colours by the wrong matrix costs ten."""
    import numpy as np

    frames = list(pictures(clip_of(server, "five_shots_in_one_film")))

    def colour(at: int, part: tuple[slice, slice]) -> Any:
        return np.asarray(frames[at][part], float).mean((0, 1))

    parts = (slice(150, 200), slice(40, 90)), (slice(480, 496), slice(80, 140))
    for joint in range(SHOT, len(frames), SHOT - 1):
        for part in parts:
            assert abs(colour(joint, part) - colour(joint - 1, part)).max() <= 1
            assert abs(colour(joint, part) - colour(0, part)).max() <= 1
        moved = np.asarray(frames[joint], float) - frames[joint - 1]
        assert abs(moved).mean() < 1
    source = np.asarray(Image.open(FOLDER / "pictures" / "seedance_windmill_day.png"), float)
    sky = source[218:291, 59:134].mean((0, 1))  # the same part, in 1280 x 720
    assert abs(colour(0, parts[0]) - sky).max() <= 4  # ComfyUI encodes the film once more


def test_without_its_model_only_the_model_is_missing(server: ComfyUI) -> None:
    prompt = prompt_of(EXAMPLES[NEEDS_MODEL], server.get("/object_info"))
    status, answer = server.send("POST", "/prompt", {"prompt": prompt})
    assert status == 400
    (refused,) = answer["node_errors"].values()
    assert refused["class_type"] == "CheckpointLoaderSimple"
    (error,) = refused["errors"]
    assert error["extra_info"]["input_name"] == "ckpt_name"


def clip_of(server: ComfyUI, name: str) -> Path:
    """The clip that an example saves. It is made once."""
    workflow = EXAMPLES[name]
    (prefix,) = (node["widgets_values"][0] for node in nodes_of(name, "SaveVideo"))
    if not server.outputs(f"{prefix}_*.mp4"):
        entry = server.run(prompt_of(workflow, server.get("/object_info")))
        assert entry["status"]["status_str"] == "success", entry["status"]
    (file,) = server.outputs(f"{prefix}_*.mp4")
    return Path(file)


def pictures(file: Path) -> Iterator[Any]:
    """The frames of a clip, uint8 (height, width, 3), one after the other."""
    import av

    with av.open(str(file)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def seconds_of_sound(file: Path) -> float:
    """How long the sound of a clip is."""
    import av

    with av.open(str(file)) as container:
        (stream,) = container.streams.audio
        samples = sum(frame.samples for frame in container.decode(stream))
        return float(samples / stream.rate)
