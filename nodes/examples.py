"""The pictures that the example workflows begin on. They are put into ComfyUI's input folder when
one of the workflows is opened or queued, so that each runs as it is. No other file is replaced."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import folder_paths

from ..seedance.texts import logger_of

if TYPE_CHECKING:
    from aiohttp import web

log = logger_of("seedance")

PACK = Path(__file__).parent.parent
WORKFLOWS = PACK / "example_workflows"


@cache
def pictures() -> Mapping[str, Path]:
    """The pictures by name."""
    return {path.name: path for path in (WORKFLOWS / "pictures").glob("*.png")}


def for_prompt(request: dict[str, Any]) -> dict[str, Any]:
    """A hook on incoming prompts: puts the pictures there that they load. Returns the request."""
    prompt = request.get("prompt")
    nodes = prompt.values() if isinstance(prompt, dict) else ()
    inputs = (node.get("inputs") for node in nodes if isinstance(node, dict))
    values = (value for each in inputs if isinstance(each, dict) for value in each.values())
    _bring(value for value in values if isinstance(value, str))
    return request


async def for_answer(request: web.Request, response: web.StreamResponse) -> None:
    """A hook on answers: puts the pictures there that a workflow loads, which the page has just
    opened as a template."""
    _, template, name = unquote(request.path).partition(f"/workflow_templates/{PACK.name}/")
    file = WORKFLOWS / name
    ours = template and name.endswith(".json") and ".." not in Path(name).parts
    if ours and file.name != "index.json" and file.is_file():
        text = file.read_text(encoding="utf-8")
        _bring(each for each in pictures() if f'"{each}"' in text)


def _bring(names: Iterable[str]) -> None:
    for source in filter(None, map(pictures().get, names)):
        folder = Path(folder_paths.get_input_directory())
        try:
            if not (folder / source.name).exists():
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, folder / source.name)
        except OSError as error:
            log.warning("Seedance: %s cannot be put into %s: %s", source.name, folder, error)
