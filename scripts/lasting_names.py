"""The names that last: what saved workflows, scripts, key files and journals hold.

They are pinned in tests/names.json. A name is added, never renamed, removed or reordered:
`generate.py` writes the file only where all of its names stay.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pack
import pytest

from seedance import errors, providers
from seedance.cli.arguments import parser
from seedance.order import MODELS

ROOT = Path(__file__).parent.parent
FILE = ROOT / "tests" / "names.json"


def pinned() -> Any:
    """The names that the file holds."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def files() -> Iterator[tuple[Path, str]]:
    """The file and its text. Raises SystemExit where a name is missing."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        names = core() | rim(Path(folder), patch)
    if gone := sorted(missing(pinned(), names)):
        raise SystemExit(
            f"{FILE.relative_to(ROOT)} holds names that are gone or stand elsewhere now: "
            f"{', '.join(gone)}. What is saved somewhere may hold them: keep them."
        )
    yield FILE, _text(names) + "\n"


def missing(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """The places of `old` that `new` does not have, or has in another order or with another
    value."""
    if isinstance(old, dict) and isinstance(new, dict):
        if not _keeps(list(old), list(new)):
            yield path or "names"
        for name in old.keys() & new.keys():
            yield from missing(old[name], new[name], f"{path}.{name}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list):
        if not _keeps(old, new):
            yield path
    elif old != new:
        yield path


def _keeps(old: list[Any], new: list[Any]) -> bool:
    """Whether every item of `old` is in `new`, in the same order."""
    rest = iter(new)
    return all(item in rest for item in old)


# ------------------------------------------------------------------------------- what they are now


def core() -> dict[str, Any]:
    """The names of the core: providers, models, errors, variables, commands."""
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
    """The names that ComfyUI sees: nodes and routes. `folder` is the pack's home meanwhile."""
    with pack.loaded(folder, monkeypatch) as loaded:
        schemas = [node.GET_SCHEMA() for node in loaded.nodes.values()]
        return {
            "nodes": {schema.node_id: _node(schema) for schema in schemas},
            "routes": sorted(f"{method} {path}" for method, path, _ in loaded.routes._routes),
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
