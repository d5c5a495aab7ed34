"""ComfyUI's own page in a real browser: whether there is one here, and the scripts that visit it.

Needs node, playwright-core (in a folder of NODE_PATH, or PLAYWRIGHT_CORE itself) and Chromium
(CHROMIUM, /usr/bin/chromium by default).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from comfyui import ComfyUI
from paths import ROOT

SCRIPTS = ROOT / "tests" / "page" / "browser"


def node_path() -> str:
    """Where node looks for playwright-core."""
    given = os.environ.get("PLAYWRIGHT_CORE")
    return str(Path(given).parent) if given else os.environ.get("NODE_PATH", "")


def installed(package: str) -> bool:
    """Whether node finds a package."""
    folders = filter(None, node_path().split(os.pathsep))
    return any((Path(folder) / package).is_dir() for folder in folders)


def missing() -> str:
    """Why there is no browser to test with; empty if there is one."""
    if not shutil.which("node"):
        return "node is not installed"
    if not installed("playwright-core"):
        return "neither PLAYWRIGHT_CORE nor a folder of NODE_PATH holds playwright-core"
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    return "" if Path(chromium).exists() else f"there is no {chromium}"


in_browser = pytest.mark.skipif(bool(missing()), reason=missing())


def play(server: ComfyUI, script: str, *options: str) -> Any:
    """What a script in tests/page/browser prints."""
    done = subprocess.run(
        ["node", str(SCRIPTS / script), server.url, *options],
        env={**os.environ, "NODE_PATH": node_path()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
