"""The examples of docs/python.md run, in the order in which they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import fakes
import pytest
from paths import ROOT

import seedance
from seedance import shots
from seedance.preview import render as rendering

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Previews without the time to draw them."""

    def draw(scene: Any, target: Path, report: Any) -> None:
        target.write_bytes(fakes.tiny_clip())

    monkeypatch.setattr(rendering, "render", draw)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("drawn")
def test_every_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(EXAMPLES) >= 9
    names: dict[str, Any] = {}
    for number, example in enumerate(EXAMPLES, start=1):
        exec(compile(example, f"example {number} of docs/python.md", "exec"), names)
    said = capsys.readouterr().out
    assert "99" in said and "saved" in said


def test_every_function_is_explained() -> None:
    for name in seedance.__all__:
        if name != "errors":
            assert re.search(rf"\b{name}\b", PAGE), name


def test_every_argument_is_named() -> None:
    import inspect

    for name in inspect.signature(seedance.generate).parameters:
        assert f"`{name}`" in PAGE or name == "prompt", name


def test_the_readme_has_five_lines_of_python() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len(block.strip().splitlines()) <= 5
    assert "(docs/python.md)" in readme
    compile(block, "README.md", "exec")


@pytest.mark.usefixtures("drawn")
def test_the_example_of_the_page_on_batches_runs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(block, "batch.md", "exec"), {})
    assert (tmp_path / "film.mp4").is_file()


@pytest.mark.parametrize(
    ("language", "ending"), [("csv", "csv"), ("json", "json"), ("text", "txt")]
)
def test_the_lists_of_the_page_on_batches_can_be_read(
    tmp_path: Path, language: str, ending: str
) -> None:
    page = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    (tmp_path / "stills").mkdir()
    (tmp_path / "stills" / "fox.png").write_bytes(b"x")
    path = tmp_path / f"shots.{language.replace('text', 'txt')}"
    path.write_text(block, encoding="utf-8")
    assert [shot.name for shot in shots.read_file(path)] == ["sh010", "sh020"]


@pytest.mark.usefixtures("drawn")
def test_the_lines_of_the_readme_run() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    exec(compile(block, "README.md", "exec"), {})
