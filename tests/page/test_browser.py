"""The nodes and the example workflows on ComfyUI's own page, in a real browser.

Runs on each ComfyUI of COMFY_HOSTS where node, playwright-core (in a folder of NODE_PATH) and
Chromium (CHROMIUM, /usr/bin/chromium by default) are there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from comfyui import ComfyUI, Host
from paths import ROOT

SCRIPTS = Path(__file__).parent / "browser"
EXAMPLES = ROOT / "example_workflows"


def missing() -> str:
    """Why there is no browser to test with; empty if there is one."""
    if not shutil.which("node"):
        return "node is not installed"
    folders = filter(None, os.environ.get("NODE_PATH", "").split(os.pathsep))
    if not any((Path(folder) / "playwright-core").is_dir() for folder in folders):
        return "no folder of NODE_PATH holds playwright-core"
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    return "" if Path(chromium).exists() else f"there is no {chromium}"


in_browser = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="module")
def server(
    comfy_host: Host, guard_log: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ComfyUI]:
    base = ComfyUI(tmp_path_factory.mktemp("browser") / "base", host=comfy_host)
    with base.running():
        yield base


def play(script: str, server: ComfyUI) -> Any:
    """What a script in browser/ prints."""
    done = subprocess.run(
        ["node", str(SCRIPTS / script), server.url], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@in_browser
@pytest.mark.timeout(1200)  # eleven graphs; seconds
def test_every_example_runs_on_the_page_as_it_is(server: ComfyUI) -> None:
    ends = play("examples.cjs", server)
    assert set(ends) == {path.stem for path in EXAMPLES.glob("*.json")} - {"index"}
    for name, end in ends.items():
        assert end["same"], f"the page would save {name} with other values or links"
        assert end["unknown"] == [], name
    refused = ends.pop("sd_keyframes_to_video")
    assert refused["event"] == "refused"
    assert [node["class_type"] for node in refused["data"].values()] == ["CheckpointLoaderSimple"]
    for name, end in ends.items():
        assert end["event"] == "execution_success", (name, end)


@in_browser
def test_a_blueprint_is_found_and_makes_the_next_shots(server: ComfyUI) -> None:
    end = play("blueprints.cjs", server)
    assert end["event"] == "execution_success", end
    assert end["blueprint"] == {
        "inputs": ["last_frame", "frames", "audio"],
        "outputs": ["fps", "last_frame", "frames", "audio"],
        "widgets": ["prompt", "provider", "model", "resolution", "duration", "seed"],
    }
    (film,) = server.outputs("video/blueprint_*.mp4")
    with av.open(str(film)) as container:
        assert container.streams.video[0].frames == 97 + 2 * 96  # three shots that meet twice
        assert len(container.streams.audio) == 1


@in_browser
def test_a_person_reads_what_was_made_and_what_went_wrong(server: ComfyUI) -> None:
    shown = play("words.cjs", server)
    assert shown["words"].startswith("preview · seed 0 · 1280×720")
    assert shown["seed"] == "fixed"
    assert "LUMENFALL_API_KEY" in shown["error"]
