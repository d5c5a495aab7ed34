"""The panel of assets on ComfyUI's own page, in a real browser, against a library on loopback.

Runs as test_page.py does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakes
import numpy as np
import pytest
from browser import in_browser, play
from comfyui import ComfyUI, Host
from PIL import Image

from seedance.order import Medium
from seedance.providers import get
from seedance.runner import Runner, library
from seedance.settings import Settings


@pytest.fixture(scope="module")
def ark(comfy_host: Host) -> Iterator[Any]:
    with fakes.all()["byteplus"]() as fake:
        yield fake


@pytest.fixture(scope="module")
def server(
    comfy_host: Host, guard_log: Any, ark: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ComfyUI]:
    """ComfyUI where a character is in a library, and another on this machine."""
    base = ComfyUI(tmp_path_factory.mktemp("assets") / "base", host=comfy_host)
    signing = ark.library.environment(get("byteplus").asset_key_variables)
    variables = {**ark.environment(), **signing}
    add(Settings(base.base / "user" / "__seedance", base.base / "output", variables), base.base)
    with base.running(**variables):
        yield base


def add(settings: Settings, folder: Path) -> None:
    file = folder / "dog.png"
    Image.fromarray(np.full((300, 400, 3), 200, np.uint8)).save(file)
    runner = Runner(settings)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(library, "CHECK_SECONDS", 0.01)
            runner.assets.add(Medium.from_path("image", file), "Dog", "any")
            theirs = Medium.from_address("image", "https://media.example/1.png")
            runner.assets.add(theirs, "Hero", "byteplus")
    finally:
        runner.close()


@in_browser
@pytest.mark.parametrize("rendering", ["classic", "vue"])
def test_assets_are_seen_named_and_removed_by_clicking(
    server: ComfyUI, ark: Any, rendering: str
) -> None:
    if rendering == "vue":  # the first visit has removed it
        signing = ark.library.environment(get("byteplus").asset_key_variables)
        home = server.base / "user" / "__seedance"
        add(Settings(home, server.base / "output", {**ark.environment(), **signing}), server.base)
    found = play(server, "assets.mjs", *([rendering] if rendering == "vue" else []))
    dog, hero = (words.splitlines() for words in found["rows"])
    assert dog == ["Dog", "this server, for any provider", "Here · pictures: 1"]
    assert hero == ["Hero", "BytePlus ModelArk", "Ready · pictures: 1"]
    assert found["picture"] > 100
    assert (found["first"], found["both"]) == ("@Asset:Dog", "@Asset:Dog @Asset:Hero")
    assert (found["nodes"], found["left"], ark.library.assets) == (1, 1, {})
    assert found["offered"] == ["@Asset:Dog"]
    assert found["typed"] == "@Asset:Dog @Asset:Hero @Asset:Dog "
    assert "waiting for the person to confirm" in found["waiting"]
    assert found["link"] == [
        "https://liveness.example/authorization?pl=1",
        "noopener noreferrer",
        "_blank",
    ]
    assert found["wrong"] == 0
    assert found["ready"].strip() == "@Asset:Anna can be used: asset://a"
    assert found["status"] == "From the environment"
    assert (found["hidden"], found["shown"]) == ("password", False)
