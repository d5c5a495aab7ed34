"""Assets in a real ComfyUI and on its command line, against a library and providers on loopback.

Runs on each ComfyUI of COMFY_HOSTS. ComfyUI's own interpreter needs boto3.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakes
import pytest
from bucket import Bucket
from comfyui import ComfyUI, Host, Page, until
from paths import ROOT

from seedance.providers import get

PAGE = "https://liveness.example/authorization?pl=1&uid=1"


@pytest.fixture(scope="module")
def bucket(
    comfy_host: Host, guard_log: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bucket]:
    if subprocess.run([comfy_host.python, "-c", "import boto3"], capture_output=True).returncode:
        pytest.skip("ComfyUI's interpreter has no boto3")
    with Bucket(tmp_path_factory.mktemp("bucket")) as there:
        yield there


@pytest.fixture(scope="module")
def ark(comfy_host: Host) -> Iterator[Any]:
    with fakes.all()["byteplus"](polls_until_done=0) as fake:
        yield fake


@pytest.fixture(scope="module")
def fal(comfy_host: Host) -> Iterator[fakes.Fake]:
    with fakes.all()["fal"](polls_until_done=0) as fake:
        yield fake


@pytest.fixture(scope="module")
def variables(ark: Any, fal: fakes.Fake, bucket: Bucket) -> dict[str, str]:
    """The environment of the server and of the command line."""
    signing = ark.library.environment(get("byteplus").asset_key_variables)
    known = {**ark.environment(), **fal.environment(), **signing, **bucket.environment}
    return {**known, "SEEDANCE_POLL_INTERVAL": "0.2"}


@pytest.fixture(scope="module")
def server(
    comfy_host: Host, variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ComfyUI]:
    server = ComfyUI(tmp_path_factory.mktemp("assets") / "base", host=comfy_host)
    with server.running(**variables):
        yield server


def graph(color: int, **inputs: Any) -> dict[str, Any]:
    """A picture that becomes an asset, and what comes out as text."""
    picture = {"width": 640, "height": 480, "batch_size": 1, "color": color}
    return {
        "1": {"class_type": "EmptyImage", "inputs": picture},
        "2": {"class_type": "SeedanceAsset", "inputs": {"image": ["1", 0], **inputs}},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 0]}},
    }


def shot(server: ComfyUI, prompt: str, provider: str, kind: str = "SeedanceReference") -> None:
    """Make a video of a prompt alone."""
    inputs = {"prompt": prompt, "provider": provider, "ratio": "16:9", "duration": 5}
    ordering = {
        "1": {"class_type": kind, "inputs": inputs},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 5]}},
    }
    entry = server.run(ordering)
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"]


def seedance(server: ComfyUI, variables: dict[str, str], *arguments: str) -> Any:
    """What `seedance ... --json` prints, in the folders of the server."""
    environment = {**os.environ, **variables, "PYTHONPATH": str(ROOT)}
    environment["SEEDANCE_HOME"] = str(server.base / "user" / "__seedance")
    done = subprocess.run(
        [server.host.python, "-m", "seedance", *arguments, "--json"],
        env=environment,
        cwd=server.base,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def pictures(order: dict[str, Any]) -> list[str]:
    return [part["image_url"]["url"] for part in order["content"] if "image_url" in part]


def test_a_picture_becomes_an_asset_that_prompts_name(
    server: ComfyUI, ark: Any, variables: dict[str, str], bucket: Bucket
) -> None:
    entry = server.run(graph(0x336699, name="Hero", provider="byteplus"))
    (handle,) = entry["outputs"]["3"]["text"]
    (said,) = entry["outputs"]["2"]["seedance"]
    assert said["asset"] == {"name": "Hero", "handle": handle}
    assert bucket.names == []
    shot(server, "@Asset:Hero walks", "byteplus")
    shot(server, "@Asset:hero runs", "byteplus", "SeedanceT2V")
    made = [task.body for task in ark.tasks.values()]
    assert [pictures(body) for body in made] == [[handle], [handle]]
    listed = seedance(server, variables, "asset", "list")
    assert [(view["name"], view["handle"]) for view in listed] == [("Hero", handle)]


def test_one_character_goes_through_shots_at_two_providers(
    server: ComfyUI, ark: Any, fal: fakes.Fake, variables: dict[str, str]
) -> None:
    """Added on the command line, named on the page."""
    file = str(server.base / "input" / "example.png")
    add = ("asset", "add", file, "--name", "Dog", "--provider", "any")
    added = seedance(server, variables, *add)
    assert Path(added["file"]).parent.parent.name == "assets"
    before = len(ark.tasks), len(fal.tasks)
    shot(server, "@Asset:Dog wakes up", "byteplus")
    shot(server, "@Asset:Dog runs", "fal")
    shot(server, "@Asset:Dog sleeps", "fal")
    assert (len(ark.tasks), len(fal.tasks)) == (before[0] + 1, before[1] + 2)
    assert "@Asset" not in json.dumps([task.body for task in fal.tasks.values()])
    rows = server.rows()[-3:]
    assert [row.order["prompt"] for row in rows] == [
        *("@Asset:Dog wakes up", "@Asset:Dog runs", "@Asset:Dog sleeps"),
    ]


def test_a_person_confirms_while_the_node_waits(server: ComfyUI, ark: Any) -> None:
    with Page(server) as page:
        asking = graph(0x993366, name="Anna", provider="byteplus", kind="person")
        prompt_id = server.queue(asking, page.client_id)
        until(lambda: any(news.get("link") == PAGE for news in page.of_type("seedance.node")))
        ark.library.confirm()
        entry = server.history(prompt_id)
        (handle,) = entry["outputs"]["3"]["text"]
        made = {"name": "Anna", "handle": handle}
        until(lambda: any(news.get("asset") == made for news in page.of_type("seedance.node")))
    assert handle.startswith("asset://")


def test_a_name_that_is_missing_is_said_before_anything_is_sent(server: ComfyUI, ark: Any) -> None:
    before = len(ark.requests)
    inputs = {"prompt": "@Asset:Nobody walks", "provider": "byteplus"}
    entry = server.run(
        {
            "1": {"class_type": "SeedanceReference", "inputs": inputs},
            "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 5]}},
        }
    )
    assert entry["status"]["status_str"] == "error"
    assert "Nobody" in json.dumps(entry["status"]["messages"])
    assert len(ark.requests) == before


def test_the_page_has_the_list_and_the_pictures(server: ComfyUI) -> None:
    listed = server.get("/seedance/assets")
    assert {(view["name"], view["provider"]) for view in listed} >= {
        ("Hero", "byteplus"),
        ("Dog", "any"),
    }
    (dog,) = [view for view in listed if view["name"] == "Dog"]
    assert dog["picture"] and "/" not in dog["file"]


@pytest.mark.safety
def test_no_part_of_the_signing_key_is_anywhere(server: ComfyUI, ark: Any) -> None:
    """Last in this file: after all that was done."""
    home = server.base / "user" / "__seedance"
    texts = [server.log, json.dumps(server.get("/history")), json.dumps(server.get("/object_info"))]
    texts += [json.dumps(server.get(f"/seedance/{path}")) for path in ("providers", "settings")]
    texts += [file.read_bytes().decode("latin-1") for file in home.rglob("*") if file.is_file()]
    texts += [file.read_text() for file in server.outputs("**/*.json")]
    for half in (ark.library.key_id, ark.library.secret):
        assert not [text for text in texts if half in text]
