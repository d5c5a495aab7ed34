"""What is shipped can be read, and does nothing that a scanner of custom nodes would stop at.

ComfyUI-Manager and the registry look for these by name; here the syntax tree is read, so that no
spelling hides them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PYTHON = [
    ROOT / "__init__.py",
    *sorted((ROOT / "seedance").rglob("*.py")),
    *sorted((ROOT / "nodes").rglob("*.py")),
]
SCRIPTS = sorted(
    path for path in (ROOT / "web").rglob("*") if path.suffix in (".js", ".mjs", ".css")
)

# Modules that run programs or code, unpack objects, or open archives.
MODULES = {
    *("subprocess", "pickle", "cPickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"),
    *("pip", "ensurepip", "setuptools", "distutils", "venv", "site", "runpy", "code", "codeop"),
    *("zipfile", "tarfile", "zipimport", "ctypes", "cffi", "pty", "telnetlib", "imp", "yaml"),
    *("multiprocessing", "xml"),
}
BUILTINS = {"eval", "exec", "compile", "__import__", "breakpoint", "input"}
ATTRIBUTES = {
    *("system", "popen", "startfile", "posix_spawn", "create_subprocess_exec"),
    *("create_subprocess_shell", "load_extension", "allow_pickle", "torch_load"),
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def runs_code(node: ast.AST) -> bool:
    """Whether a node of the tree stands for running a program or code that is not in the file."""
    if isinstance(node, ast.Import):
        return any(alias.name.split(".")[0] in MODULES for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return not node.level and (node.module or "").split(".")[0] in MODULES
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in BUILTINS
    if isinstance(node, ast.Attribute):
        spawns = isinstance(node.value, ast.Name) and node.value.id == "os"
        return node.attr in ATTRIBUTES or (
            spawns and node.attr.startswith(("exec", "spawn", "fork"))
        )
    return False


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_no_file_runs_programs_or_strings(path: Path) -> None:
    assert [ast.unparse(node) for node in nodes(path) if runs_code(node)] == []


@pytest.mark.parametrize(
    "line",
    [
        "eval(x)",
        "exec(x)",
        "import subprocess",
        "from subprocess import run",
        "import pickle as p",
        "os.system(x)",
        "os.execv(x, y)",
        "os.popen(x)",
        "import pip._internal",
        "asyncio.create_subprocess_exec(x)",
        "__import__(x)",
    ],
)
def test_the_scan_sees(line: str) -> None:
    assert any(map(runs_code, ast.walk(ast.parse(line))))


def evaluates_format(node: ast.AST) -> bool:
    """Whether a text that is not in the source is used as a format."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    if node.func.attr in ("format", "format_map"):
        return not isinstance(node.func.value, (ast.Constant, ast.JoinedStr))
    logs = node.func.attr in ("debug", "info", "warning", "error", "exception", "critical")
    return logs and bool(node.args) and not isinstance(node.args[0], ast.Constant)


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_no_text_from_elsewhere_is_used_as_a_format(path: Path) -> None:
    found = [ast.unparse(node) for node in nodes(path) if evaluates_format(node)]
    # Sentences of our own, one to a family of error codes.
    assert found in ([], ["hint.format(**names)"])


@pytest.mark.parametrize("line", ["prompt.format(1)", "logger.info(prompt)", "x.y.format_map(z)"])
def test_the_search_for_formats_sees(line: str) -> None:
    assert any(map(evaluates_format, ast.walk(ast.parse(line))))


def test_there_are_scripts_to_look_at() -> None:
    assert {path.suffix for path in SCRIPTS} >= {".js", ".mjs"}


@pytest.mark.parametrize("path", [*PYTHON, *SCRIPTS], ids=name_of)
def test_nothing_is_minified(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines), default=0) <= 200
    assert len(lines) < 1200


# Ways for a text to become code or markup in the page.
IN_THE_PAGE = re.compile(
    r"\beval\s*\(|new\s+Function\b|\.(inner|outer)HTML\b|insertAdjacentHTML|document\.write"
    r"|setTimeout\s*\(\s*[\"'`]|javascript:|import\s*\(?\s*[\"']https?:|@import\s+url\(\s*['\"]?http"
)


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_no_text_becomes_code_or_markup_in_the_page(path: Path) -> None:
    assert IN_THE_PAGE.search(path.read_text(encoding="utf-8")) is None


@pytest.mark.parametrize(
    "line",
    [
        "element.innerHTML = text",
        "eval(text)",
        "new Function(text)",
        'setTimeout("run()", 1)',
        'import { a } from "./a.mjs"; import("https://cdn.example/b.js")',
    ],
)
def test_the_search_in_the_page_sees(line: str) -> None:
    assert IN_THE_PAGE.search(line)


def test_every_promise_names_a_test_that_is_there() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    promised = re.findall(r"`(tests/\w+\.py)::(\w+)`", text)
    assert len(promised) > 40
    for file, name in promised:
        assert f"\ndef {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"
