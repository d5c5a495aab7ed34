"""A real ComfyUI whose folders are apart from each other, below a folder with a percent sign: what
its nodes deliver, and what `seedance --comfyui DIR` finds. Runs on each ComfyUI of COMFY_HOSTS.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from comfyui import ComfyUI, Host
from paths import ROOT

SQUARE = {"width": 512, "height": 512}


@pytest.fixture(scope="module")
def comfy(
    comfy_host: Host, guard_log: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ComfyUI]:
    folder = tmp_path_factory.mktemp("places") / "100% of it"
    for name in ("user", "videos", "videos 2"):
        (folder / name).mkdir(parents=True)
    made = ComfyUI(folder / "base", host=comfy_host)
    flags(made, "videos 2")
    with made.running():
        assert ended(made.run(text(seed=77)))[0] == "execution_success"
    flags(made, "videos")
    with made.running():
        yield made


def flags(comfy: ComfyUI, output: str) -> None:
    folder = comfy.base.parent
    comfy.flags = ("--user-directory", str(folder / "user"), "--output-directory")
    comfy.flags += (str(folder / output),)


def text(**inputs: Any) -> dict[str, Any]:
    values = {"provider": "preview", "resolution": "480p", "duration": 4, "prompt": "a hill"}
    return {
        "1": {"class_type": "SeedanceT2V", "inputs": {**values, **inputs}},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 5]}},
        "3": {"class_type": "PrimitiveInt", "inputs": {"value": 2**32 + 5}},
        "4": {
            "class_type": "EmptyImage",
            "inputs": {"width": 512, "height": 512, "batch_size": 1, "color": 0},
        },
    }


def ended(entry: dict[str, Any]) -> tuple[str, str]:
    kind, data = entry["status"]["messages"][-1]
    return kind, str(data.get("exception_message", ""))


def command(comfy: ComfyUI, *words: str) -> Any:
    environment = {**os.environ, "HOME": str(comfy.base / "person"), "PYTHONPATH": str(ROOT)}
    environment.pop("SEEDANCE_HOME", None)
    ran = subprocess.run(
        [sys.executable, "-m", "seedance", *words, "--json"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_the_command_line_finds_the_server_by_any_of_its_folders(comfy: ComfyUI) -> None:
    assert ended(comfy.run(text()))[0] == "execution_success"
    folder = comfy.base.parent
    for named in (comfy.host.folder, comfy.base, folder / "user"):
        rows = command(comfy, "--comfyui", str(named), "tasks")
        (row,) = [each for each in rows if each["seed"] == 0]
        assert Path(row["file"]).parent == folder / "videos" / "seedance"


def test_the_journal_is_in_its_one_file_while_the_server_runs(
    comfy: ComfyUI, tmp_path: Path
) -> None:
    comfy.run(text())
    home = comfy.base.parent / "user" / "__seedance"
    shutil.copy(home / "journal.db", tmp_path)
    environment = {**os.environ, "SEEDANCE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-m", "seedance", "tasks", "--json"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert [row["state"] for row in json.loads(ran.stdout)][-1] == "saved"


def test_a_linked_seed_of_64_bits_is_taken_modulo_2_32(comfy: ComfyUI) -> None:
    for seed in (["3", 0], 5):
        assert ended(comfy.run(text(seed=seed)))[0] == "execution_success"
    rows = command(comfy, "--comfyui", str(comfy.base), "tasks")
    assert [row["seed"] for row in rows].count(5) == 1


@pytest.mark.parametrize("name", ["images.image1", "images"])
def test_a_growing_socket_of_a_wrong_name_is_refused(comfy: ComfyUI, name: str) -> None:
    prompt = text()
    prompt["1"]["class_type"] = "SeedanceReference"
    linked: Any = ["4", 0] if "." in name else {"image_1": ["4", 0]}
    prompt["1"]["inputs"] |= {name: linked, "prompt": "@Image1", "images.image_1": ["4", 0]}
    kind, message = ended(comfy.run(prompt))
    assert kind == "execution_error"
    assert "image_1" in message


def test_a_changed_output_folder_shows_the_video(comfy: ComfyUI) -> None:
    """It was made when the server had another."""
    (shown,) = comfy.run(text(seed=77))["outputs"]["1"]["images"]
    assert (comfy.base.parent / "videos" / shown["subfolder"] / shown["filename"]).is_file()
    assert len(list((comfy.base.parent / "videos 2").rglob("*.mp4"))) == 1
