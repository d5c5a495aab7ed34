"""What the Comfy Registry is told and given: metadata, pictures, and published files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import artwork
import numpy as np
import pytest
from paths import ROOT
from PIL import Image

PICTURES = list(artwork.PICTURES)


@pytest.fixture(scope="module")
def project() -> Any:
    tomllib = pytest.importorskip("tomllib")  # from Python 3.11 on
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_registry_is_told_all_it_asks_for(project: Any) -> None:
    comfy = project["tool"]["comfy"]
    assert set(comfy) == {"PublisherId", "DisplayName", "Icon", "Banner", "requires-comfyui"}
    assert all(comfy.values())
    assert re.fullmatch(r">=\d+\.\d+\.\d+", comfy["requires-comfyui"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["project"]["version"])
    assert "Operating System :: OS Independent" in project["project"]["classifiers"]


def test_every_address_is_in_one_repository(project: Any) -> None:
    """So that none keeps the placeholder when the others lose it."""
    comfy, urls = project["tool"]["comfy"], project["project"]["urls"]
    found = re.fullmatch(r"https://github\.com/([^/]+)/([^/]+)", urls["Repository"])
    assert found
    owner, name = found.groups()
    assert ("placeholder" in owner) == ("placeholder" in comfy["PublisherId"])
    assert name == project["project"]["name"]
    assert all(address.startswith(urls["Repository"]) for address in urls.values())
    raw = f"https://raw.githubusercontent.com/{owner}/{name}/main/"
    assert [comfy["Icon"], comfy["Banner"]] == [
        raw + file.relative_to(ROOT).as_posix() for file in PICTURES
    ]


def test_pictures_have_the_shapes_that_the_registry_takes() -> None:
    icon, banner = (_kept(file).shape for file in PICTURES)
    assert icon == (400, 400, 3)  # square, no more than 400
    assert banner[1] * 9 == banner[0] * 21


@pytest.mark.parametrize("file", PICTURES, ids=lambda file: file.stem)
def test_pictures_are_what_the_script_draws(file: Path) -> None:
    kept, drawn = _kept(file), np.asarray(artwork.PICTURES[file](), int)
    assert kept.shape == drawn.shape
    # Releases of Pillow round the edges of a shape differently.
    assert abs(kept - drawn).mean() < 0.5, "run: python scripts/artwork.py"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="what git tracks is published")
def test_only_what_a_running_comfyui_reads_is_published() -> None:
    lines = (ROOT / ".comfyignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if not line.startswith("#")]
    assert all(line.startswith("/") for line in patterns), "docs/ would mean web/docs as well"
    left_out = {line.strip("/") for line in patterns}
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert {path.split("/")[0] for path in tracked.split("\0") if path} - left_out == {
        *("__init__.py", "nodes", "seedance", "web", "locales", "example_workflows", "subgraphs"),
        *("pyproject.toml", "requirements.txt"),
        *("README.md", "CHANGELOG.md", "LICENSE", "SECURITY.md"),
    }


def _kept(file: Path) -> Any:
    with Image.open(file) as picture:
        return np.asarray(picture, int)
