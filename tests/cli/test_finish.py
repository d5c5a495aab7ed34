"""`seedance generate --draft`, then `seedance finish TICKET`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Command


@pytest.mark.usefixtures("quick_previews")
def test_a_draft_is_finished_and_is_paid_once(command: Command, tmp_path: Path) -> None:
    words = ("--provider", "preview", "--prompt", "a kite", "--duration", "4", "--draft", "--json")
    draft = json.loads(command("generate", *words).out)
    assert (draft["width"], draft["height"]) == (864, 496)
    assert json.loads(command("show", draft["task"], "--json").out)["finish_until"].endswith("Z")
    assert "finish_until:   20" in command("show", draft["task"]).out
    file = tmp_path / "final.mp4"
    final = json.loads(command("finish", draft["task"], "-o", file, "--json").out)
    assert (final["width"], final["height"], final["file"]) == (1920, 1080, str(file))
    again = json.loads(command("finish", draft["task"], "-o", file, "--json").out)
    assert (again["task"], again["file"]) == (final["task"], str(file))


def test_what_cannot_be_finished_is_said(command: Command) -> None:
    ran = command("finish", "leonardo:abc")
    assert ran.code == 2
    assert "finishes no drafts" in ran.err
    assert command("finish", "preview:" + "a" * 24, "--resolution", "720p").code == 2
