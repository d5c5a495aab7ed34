"""The recipes of docs/farms.md, run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import fakes
import pytest
from paths import ROOT

PAGE = (ROOT / "docs" / "farms.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SHELL = re.findall(r"```sh\n(#!/bin/sh.*?)```", PAGE, re.DOTALL)
FOX = ("--provider", "lumenfall", "--prompt", "a fox")


@pytest.fixture
def lumenfall(monkeypatch: pytest.MonkeyPatch) -> Any:
    with fakes.all()["lumenfall"](polls_until_done=0) as fake:
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SEEDANCE_POLL_INTERVAL", "0.05")
        yield fake


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that the recipes import."""
    module = ModuleType("farm_order")
    exec(compile(PYTHON[0], "farms.md", "exec"), vars(module))
    monkeypatch.setitem(sys.modules, "farm_order", module)
    return module


def ending(monkeypatch: pytest.MonkeyPatch, code: int, out: str = "") -> None:
    ran = SimpleNamespace(returncode=code, stdout=out)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ran)


def test_every_exit_code_says_what_comes_next(
    recipe: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending(monkeypatch, 0, '{"file": "a.mp4"}')
    assert recipe.order() == {"file": "a.mp4"}
    for code in (7, 8, 9, 10, -9, -15):
        for out in ('{"error": {"message": "Later."}}', '{"task": "lumenf', ""):
            ending(monkeypatch, code, out)
            with pytest.raises(recipe.Later):
                recipe.order()
    for code in (1, 2, 3, 4, 5, 6, 130):
        ending(monkeypatch, code)
        with pytest.raises(recipe.Over):
            recipe.order()


def test_an_order_may_be_delivered_twice(recipe: ModuleType, lumenfall: fakes.Fake) -> None:
    first, again = recipe.order(*FOX), recipe.order(*FOX)
    assert first["file"] == again["file"] and Path(first["file"]).is_file()
    assert lumenfall.creates == 1


@pytest.mark.parametrize(
    ("code", "ends"),
    [(0, 0), (7, 75), (8, 75), (9, 75), (10, 75), (143, 75), (4, 1), (5, 1), (6, 1)],
)
def test_the_script_for_deadline_ends_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, ends: int
) -> None:
    script, seedance = tmp_path / "seedance_task.sh", tmp_path / "seedance"
    script.write_text(SHELL[0])
    seedance.write_text(f'#!/bin/sh\nprintf "%s " "$@"\nexit {code}\n')
    seedance.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    ran = subprocess.run(
        ["/bin/sh", str(script), "--prompt", "a fox"], capture_output=True, text=True
    )
    assert ran.returncode == ends
    assert ran.stdout.split() == ["generate", "--prompt", "a", "fox", "--yes", "--json"]


def test_the_recipes_compile() -> None:
    assert len(PYTHON) == 4
    for block in PYTHON:
        compile(block, "farms.md", "exec")


def test_celery_tries_again_what_may_come_again(
    recipe: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("celery", reason="celery is not installed")
    names: dict[str, Any] = {"__name__": "recipe"}
    exec(compile(PYTHON[1], "farms.md", "exec"), names)
    names["app"].conf.update(task_always_eager=True, broker_url="memory://")
    left = [7, 0]

    def run(*_: Any, **__: Any) -> Any:
        return SimpleNamespace(returncode=left.pop(0), stdout="{}")

    monkeypatch.setattr(subprocess, "run", run)
    assert names["seedance_order"].apply(args=FOX, retries=0).get() == {}
    assert left == []
    ending(monkeypatch, 5)
    with pytest.raises(recipe.Over):
        names["seedance_order"].apply(args=FOX).get()


@pytest.mark.parametrize(("number", "package"), [(2, "temporalio"), (3, "prefect")])
def test_temporal_and_prefect_take_their_recipes(
    recipe: ModuleType, number: int, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed")
    module = ModuleType("farm_recipe")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(PYTHON[number], "farms.md", "exec"), vars(module))
    ending(monkeypatch, 0, "{}")
    activity = vars(module)["seedance_order"]
    assert getattr(activity, "fn", activity)([*FOX]) == {}
