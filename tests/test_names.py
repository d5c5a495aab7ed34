"""The names that last, against names.json: what saved workflows, scripts, key files and journals
hold. A name is added, never renamed, removed or reordered.

After something was added, `python tests/test_names.py` writes the file anew; its difference must
consist of additions.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from seedance import errors, providers
from seedance.cli.arguments import parser
from seedance.order import MODELS

FILE = Path(__file__).parent / "names.json"
ROOT = FILE.parent.parent
CHANGED = "names that last have changed; if only by additions: python tests/test_names.py"


def pinned(*parts: str) -> dict[str, Any]:
    names = json.loads(FILE.read_text(encoding="utf-8"))
    return {part: names[part] for part in parts}


def test_names_of_the_core_last() -> None:
    names = core()
    assert names == pinned(*names), CHANGED


def test_names_of_nodes_and_routes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core
    names = rim(tmp_path, monkeypatch)
    # Their order is that of sockets and widgets, which workflows hold by position.
    assert json.dumps(names) == json.dumps(pinned(*names)), CHANGED


# ------------------------------------------------------------------------------- what they are now


def core() -> dict[str, Any]:
    return {
        "providers": {
            name: {"key": provider.key_variable, "base_url": provider.default_base_url}
            for name, provider in providers.registry().items()
        },
        "models": list(MODELS),
        "errors": {name: kind.exit_code for name, kind in errors.KINDS.items()},
        "environment": _variables(),
        "commands": {" ".join(words): options for words, options in _commands((), parser())},
    }


def rim(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    from pack_loader import loaded_pack

    with loaded_pack(folder, monkeypatch) as pack:
        schemas = [node.GET_SCHEMA() for node in pack.nodes.values()]
        return {
            "nodes": {schema.node_id: _node(schema) for schema in schemas},
            "routes": sorted(f"{method} {path}" for method, path, _ in pack.routes._routes),
        }


def _node(schema: Any) -> dict[str, Any]:
    return {
        "display_name": schema.display_name,
        "category": schema.category,
        "inputs": {item.id: {"type": item.io_type, **_options(item)} for item in schema.inputs},
        "outputs": {
            item.id: {
                "type": item.io_type,
                "display_name": item.display_name,
                "list": item.is_output_list,
            }
            for item in schema.outputs
        },
    }


def _options(item: Any) -> dict[str, Any]:
    options = {name: value for name, value in item.options.items() if name != "tooltip"}
    if "options" in options and item.id == "provider":
        options["options"] = "auto, then the providers"  # which have their own place here
    if template := options.pop("template", None):
        options |= {
            "of": template.input.io_type,
            "names": [template.names[0], template.names[-1], len(template.names)],
            "min": template.min,
        }
    return {
        name: value.value if isinstance(value, Enum) else value
        for name, value in sorted(options.items())
    }


def _variables() -> list[str]:
    """Those that the README explains; test_readme.py holds that it explains all."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.split("\n## Environment variables\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    return sorted(name for cell in cells for name in re.findall(r"`(\w[\w<>]+)`", cell))


def _commands(
    words: tuple[str, ...], command: argparse.ArgumentParser
) -> Iterable[tuple[tuple[str, ...], list[str]]]:
    """Each command with its options and arguments, and those below it."""
    names = []
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from _commands((*words, name), inner)
        else:
            names.append(" ".join(action.option_strings) or f"<{action.dest}>")
    yield words or ("seedance",), sorted(names)


def _text(value: Any, indent: str = "") -> str:
    """JSON with a line for each name, whatever there is to say about it."""
    short = json.dumps(value)
    if not isinstance(value, dict) or (len(indent + short) < 100 and indent):
        return short
    inner = indent + "  "
    lines = [f"{inner}{json.dumps(name)}: {_text(part, inner)}" for name, part in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


if __name__ == "__main__":
    sys.path.insert(0, str(FILE.parent / "helpers"))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        names = core() | rim(Path(folder), patch)
    FILE.write_text(_text(names) + "\n", encoding="utf-8")
