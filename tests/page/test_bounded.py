"""Opening a stranger's workflow keeps the page no longer than a workflow of a person."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from paths import ROOT

pytestmark = [
    pytest.mark.safety,
    pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js"),
]


def test_what_the_page_looks_at_is_bounded_whatever_the_workflow_holds(tmp_path: Path) -> None:
    """Each part took more steps than a test has time for."""
    web = tmp_path / "extensions" / "seedance"
    shutil.copytree(ROOT / "web", web)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "app.js").write_text(
        'export const app = {extensionManager: {setting: {get: () => "en"}}};\n'
    )
    (tmp_path / "package.json").write_text('{"type": "module"}')
    script = ROOT / "tests" / "page" / "browser" / "bounded.mjs"
    done = subprocess.run(
        ["node", str(script), web.as_uri()], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["placed"] <= 10_000
    assert found["few"] == [5, None]
    assert found["offered"] == 99
