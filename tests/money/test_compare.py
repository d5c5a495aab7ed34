"""A result is compared with what was ordered, and what differs is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import clips
import pytest
from command_line import FOX, Command
from running import Desk

from seedance.order import SIZES, Order
from seedance.runner.compare import differences

GOOD = {"width": 1280, "height": 720, "duration": 5.04, "has_audio": True}


def found(measured: dict[str, Any], **asked: Any) -> dict[str, tuple[Any, Any]]:
    order = {**Order(ratio="16:9").describe(), **asked}
    return {
        each.field: (each.asked, each.given) for each in differences(order, {**GOOD, **measured})
    }


@pytest.mark.parametrize(
    ("measured", "asked", "said"),
    [
        ({}, {}, {}),
        (
            {},
            {"ratio": "9:21", "resolution": "1080p"},
            {
                "ratio": ("9:21", "16:9 (1280x720)"),
                "resolution": ("1080p", "720p (1280x720)"),
            },
        ),
        ({"width": 960}, {}, {"ratio": ("16:9", "4:3 (960x720)")}),
        ({}, {"ratio": "adaptive", "duration": -1}, {}),
        ({"duration": 10.0}, {}, {"duration": (5, 10.0)}),
        ({"has_audio": False}, {}, {"generate_audio": (True, False)}),
        ({}, {"generate_audio": False}, {"generate_audio": (False, True)}),
        ({"duration": 30.0}, {"video": {"kind": "video"}, "ratio": "1:1"}, {}),
        ({"width": 1248, "height": 704}, {}, {}),
        ({}, {"ratio": None}, {}),
    ],
)
def test_what_differs_is_named(
    measured: dict[str, Any], asked: dict[str, Any], said: dict[str, Any]
) -> None:
    assert found(measured, **asked) == said


@pytest.mark.parametrize(
    ("resolution", "ratio"), [(name, ratio) for name, table in SIZES.items() for ratio in table]
)
def test_each_documented_size_is_what_was_asked(resolution: str, ratio: str) -> None:
    width, height = SIZES[resolution][ratio]
    assert not found({"width": width, "height": height}, resolution=resolution, ratio=ratio)


@pytest.mark.slow
def test_it_is_said_in_the_terminal_and_in_the_result(
    command: Command, desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in desk.fake.environment().items():
        monkeypatch.setenv(name, value)
    clip = clips.write(tmp_path / "wide.mp4", width=1920, height=1080, frames=24)
    monkeypatch.setattr(type(desk.fake), "clip", clip.read_bytes())
    asked = ("--ratio", "9:16")
    for _ in range(2):
        ran = command(*FOX, *asked, "--json")
        assert ran.code == 0, ran.err
        changes = {each["field"]: each["given"] for each in ran.json["changes"]}
        assert changes["ratio"] == "16:9 (1920x1080)"
        assert changes["resolution"] == "1080p (1920x1080)"
        assert changes["duration"] == 1.0
        assert changes["generate_audio"] is False
        assert "ratio: 9:16 became 16:9 (1920x1080)" in ran.err
    monkeypatch.setenv("SEEDANCE_HOME", str(tmp_path / "elsewhere"))
    assert command("collect", "lumenfall:vid_0001", "--json").json["changes"] == []
