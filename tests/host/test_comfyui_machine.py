"""A real ComfyUI on a machine that is set up wrong: what a node says, and that nothing is spent.
Each case is another environment, and so another start. Runs on each ComfyUI of COMFY_HOSTS.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from comfyui import ComfyUI, Host
from fakes.lumenfall import FakeLumenfall

pytestmark = pytest.mark.slow


def graph(seed: int) -> dict[str, Any]:
    values = {"provider": "lumenfall", "prompt": "a hill", "seed": seed}
    return {
        "1": {"class_type": "SeedanceT2V", "inputs": values},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 5]}},
    }


def failure(comfy: ComfyUI, seed: int) -> str:
    kind, data = comfy.run(graph(seed))["status"]["messages"][-1]
    assert kind == "execution_error"
    return str(data["exception_message"])


def test_a_proxy_that_cannot_be_used_is_named_and_nothing_is_unclear(
    comfy_host: Host, guard_log: Any, tmp_path: Path
) -> None:
    comfy = ComfyUI(tmp_path / "base", host=comfy_host)
    proxy = "socks://имя:pass@127.0.0.1:1"
    with comfy.running(LUMENFALL_API_KEY="sk-test-0123456789", ALL_PROXY=proxy):
        for seed in (1, 2):
            said = failure(comfy, seed)
            assert "ALL_PROXY" in said
            assert "Nothing was sent" in said
            assert "pass" not in said
        assert [row.state for row in comfy.rows()] == ["refused", "refused"]


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (
            {"SEEDANCE_JOURNAL_URL": "postgresql+psycopg://127.0.0.1:1/x"},
            ["psycopg", "comfyui-seedance[postgres]"],
        ),
        ({"SEEDANCE_OUTPUT": "{file}/below"}, ["SEEDANCE_OUTPUT", "Not a directory"]),
    ],
)
def test_folders_and_databases_that_are_not_there_are_named_before_anything_is_sent(
    comfy_host: Host, guard_log: Any, tmp_path: Path, variables: dict[str, str], says: list[str]
) -> None:
    comfy = ComfyUI(tmp_path / "base", host=comfy_host)
    (tmp_path / "file").touch()
    named = {name: value.format(file=tmp_path / "file") for name, value in variables.items()}
    with FakeLumenfall() as fake, comfy.running(**fake.environment(), **named):
        said = failure(comfy, 1)
        for part in says:
            assert part in said
        assert fake.requests == []
