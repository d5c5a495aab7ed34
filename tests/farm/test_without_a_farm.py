"""What is said where there is no farm. Nothing here needs its extra."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command_line import Command

POSTGRESQL = "postgresql+psycopg://127.0.0.1:1/x"


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    path = tmp_path / "shots.txt"
    path.write_text("A fox")
    return path


@pytest.mark.parametrize("url", ["", "sqlite:///journal.db"])
@pytest.mark.parametrize("words", [("batch", "{shots}", "--farm"), ("worker",)])
def test_a_farm_needs_a_journal_in_postgresql(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    shots: Path,
    words: tuple[str, ...],
    url: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEEDANCE_JOURNAL_URL", url)
    ran = command(*(word.format(shots=shots) for word in words), "--json")
    error = ran.json["error"]
    assert (ran.code, error["kind"], error["spent"]) == (2, "BadOrder", "no")
    assert "PostgreSQL" in error["message"] and "SEEDANCE_JOURNAL_URL" in error["hint"]


@pytest.mark.parametrize("words", [("batch", "{shots}", "--farm"), ("worker",)])
def test_a_farm_names_its_extra(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    shots: Path,
    words: tuple[str, ...],
) -> None:
    monkeypatch.setitem(sys.modules, "procrastinate", None)
    monkeypatch.setenv("SEEDANCE_JOURNAL_URL", POSTGRESQL)
    error = command(*(word.format(shots=shots) for word in words), "--json").json["error"]
    assert "comfyui-seedance[farm]" in error["hint"] and error["spent"] == "no"


@pytest.mark.parametrize("option", [("--out", "x"), ("--join", "x.mp4"), ("--jobs", "3")])
def test_what_is_done_with_the_videos_is_not_for_the_farm(
    command: Command, shots: Path, option: tuple[str, str]
) -> None:
    error = command("batch", shots, "--farm", *option, "--json").json["error"]
    assert option[0] in error["message"] and "without --farm" in error["hint"]


def test_a_priority_is_for_the_farm(command: Command, shots: Path) -> None:
    for value in ("101", "-101", "x", "1.5"):
        assert command("batch", shots, "--farm", "--priority", value).code == 2
    error = command("batch", shots, "--priority", "1", "--json").json["error"]
    assert "--farm" in error["message"]
