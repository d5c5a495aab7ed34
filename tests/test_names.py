"""The names that last are those of names.json, and nothing writes over one that is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lasting_names
import pytest

CHANGED = "names that last have changed; if only by additions: python scripts/generate.py"


def pinned(*parts: str) -> dict[str, Any]:
    names = lasting_names.pinned()
    return {part: names[part] for part in parts}


def test_names_of_the_core_last() -> None:
    names = lasting_names.core()
    assert names == pinned(*names), CHANGED


def test_names_of_nodes_and_routes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core
    names = lasting_names.rim(tmp_path, monkeypatch)
    # Their order is that of sockets and widgets, which workflows hold by position.
    assert json.dumps(names) == json.dumps(pinned(*names)), CHANGED


OLD = {"nodes": {"A": {"inputs": {"x": 1, "y": 2}}}, "routes": ["GET /a", "GET /c"]}


@pytest.mark.parametrize(
    ("new", "gone"),
    [
        (OLD, []),
        ({**OLD, "models": ["m"]}, []),
        ({**OLD, "routes": ["GET /a", "GET /b", "GET /c"]}, []),
        ({"nodes": {"A": {"inputs": {"x": 1, "y": 2, "z": 3}}}, "routes": OLD["routes"]}, []),
        ({"nodes": OLD["nodes"]}, ["names"]),
        ({**OLD, "routes": ["GET /c", "GET /a"]}, ["routes"]),
        ({**OLD, "nodes": {"A": {"inputs": {"y": 2, "x": 1}}}}, ["nodes.A.inputs"]),
        ({**OLD, "nodes": {"A": {"inputs": {"x": 1, "y": 3}}}}, ["nodes.A.inputs.y"]),
    ],
    ids=["same", "more", "between", "last", "removed", "reordered", "sockets", "changed"],
)
def test_a_name_that_is_gone_is_found(new: Any, gone: list[str]) -> None:
    assert list(lasting_names.missing(OLD, new)) == gone
