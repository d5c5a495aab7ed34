"""What is shipped can be read, and does nothing that a scanner of custom nodes would stop at.

ComfyUI-Manager and the registry look for these by name; here the syntax tree is read, so that no
spelling hides them.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

pytestmark = pytest.mark.safety

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


# ------------------------------------------------------------------- all that is published, and how

READABLE = {".py", ".js", ".mjs", ".css", ".md", ".json", ".txt", ".toml", ".typed", ""}
# What their first and last bytes are.
PICTURES = {
    ".jpg": (b"\xff\xd8", b"\xff\xd9"),
    ".png": (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"),
    ".webp": (b"RIFF", b""),
}
NOT_PUBLISHED = set((ROOT / ".comfyignore").read_text(encoding="utf-8").splitlines())
# Folders that are no part of the project, in a working copy.
PRIVATE = re.compile(r"\.|__pycache__|node_modules|build|dist|.*\.egg-info|venv")


def published(folder: Path = ROOT) -> Iterator[Path]:
    """Every file that the registry would publish."""
    for path in sorted(folder.iterdir()):
        name = f"/{path.relative_to(ROOT)}/"
        if PRIVATE.match(path.name) or (path.is_dir() and name in NOT_PUBLISHED):
            continue
        if path.is_dir():
            yield from published(path)
        else:
            yield path


def test_no_python_or_script_is_published_unseen() -> None:
    code = {path for path in published() if path.suffix in (".py", ".js", ".mjs", ".css")}
    assert code == {*PYTHON, *SCRIPTS}


def test_nothing_is_published_that_nobody_can_read() -> None:
    """No libraries, archives, models or compiled code; pictures are what they are called."""
    files = [path for path in published() if path.parent != ROOT]  # there, outputs may lie about
    assert len(files) > 100
    assert {path.suffix for path in files} <= READABLE | PICTURES.keys()
    for path in files:
        data = path.read_bytes()
        if path.suffix in PICTURES:
            first, last = PICTURES[path.suffix]
            assert data.startswith(first) and data.endswith(last), path
            if path.suffix == ".webp":  # it tells its length, so that nothing hides behind it
                assert data[8:12] == b"WEBP" and len(data) == 8 + int.from_bytes(
                    data[4:8], "little"
                )
            assert b"PK\x03\x04" not in data and b"<script" not in data, path
        else:
            assert not set(data.decode("utf-8")) & set(map(chr, [*range(9), 127, 0x202E])), path


BLOB = re.compile(r"[A-Za-z0-9+/_=-]{120,}|(\\x[0-9a-fA-F]{2}){20,}|(\\u[0-9a-fA-F]{4}){20,}")


@pytest.mark.parametrize("path", [*PYTHON, *SCRIPTS], ids=name_of)
def test_nothing_is_packed_into_a_text(path: Path) -> None:
    assert [each[0] for each in BLOB.finditer(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("blob", ["QUJD" * 40, "\\x41" * 30, "deadbeef" * 20])
def test_the_search_for_packed_texts_sees(blob: str) -> None:
    assert BLOB.search(f'x = "{blob}"')


def test_nothing_is_installed_or_fetched_to_be_run() -> None:
    """No script that a manager would run after it has fetched the pack, and no installing."""
    assert not [path for path in published() if path.name in ("install.py", "prestartup_script.py")]
    for path in (*PYTHON, *SCRIPTS):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"pip3? install (?!\"comfyui-seedance\[)", text), path


def test_a_manager_finds_the_nodes_by_reading() -> None:
    """ComfyUI-Manager reads the source for classes of nodes and the ids in their schemas."""
    found = set()
    for path in PYTHON:
        for node in nodes(path):
            if isinstance(node, ast.ClassDef) and any(
                isinstance(base, ast.Attribute) and base.attr == "ComfyNode" for base in node.bases
            ):
                found.add(node.name)
    assert found == {
        *("SeedanceT2V", "SeedanceI2V", "SeedanceFrames", "SeedanceReference", "SeedanceV2V"),
        "SeedanceTask",
        "SeedanceFinal",
        "SeedanceAsset",
        "SeedanceStoryboard",
    }


# --------------------------------------------------------------------------------- dependencies


def project() -> dict[str, Any]:
    """The tables of pyproject.toml."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 reads TOML")
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")))


def test_dependencies_have_lower_bounds_alone_and_come_from_the_index() -> None:
    """So that installing the pack changes nothing that ComfyUI has brought."""
    tables = project()["project"]
    wanted = [*tables["dependencies"]]
    for extra in ("s3", "postgres"):
        wanted += tables["optional-dependencies"][extra]
    for line in wanted:
        assert re.fullmatch(r"[A-Za-z0-9]+(\[[a-z]+\])?>=[0-9]+(\.[0-9]+)*", line), line


def test_what_is_imported_is_what_is_required() -> None:
    """Nothing of a stranger's is loaded because it happens to be there."""
    names = {"pillow": "PIL", "SQLAlchemy": "sqlalchemy"}
    known = [re.split("[>\\[]", line)[0] for line in project()["project"]["dependencies"]]
    # urllib3 is what requests is made of; the others are the extras'.
    allowed = {names.get(name, name) for name in known} | {"urllib3", "boto3", "botocore"}
    allowed |= {"procrastinate", "psycopg"}
    for path in sorted((ROOT / "seedance").rglob("*.py")):
        for node in nodes(path):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            for module in modules:
                top = module.split(".")[0]
                assert top in allowed | set(sys.stdlib_module_names) | {"seedance"}, (path, module)


# ------------------------------------------------------------------------------------ SECURITY.md

SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PROMISED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", SECURITY)))


@pytest.mark.parametrize(("file", "name"), PROMISED)
def test_every_promise_names_a_test_that_its_command_runs(file: str, name: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    above, found, _ = text.partition(f"\ndef {name}(")
    assert found, "there is no such test"
    of_the_file = re.search(r"^pytestmark = (.*?)\n\n", above, re.MULTILINE | re.DOTALL)
    marks = (of_the_file[1] if of_the_file else "") + above.rpartition("\n\n\n")[2]
    assert "pytest.mark.safety" in marks, "it is not marked"
    assert "pytest -m safety" in SECURITY


def test_every_promise_has_its_test() -> None:
    sections = re.split(r"^### ", SECURITY, flags=re.MULTILINE)[1:]
    assert len(sections) == 9
    for section in sections:
        promises = re.split(r"^- ", section, flags=re.MULTILINE)[1:]
        assert promises
        for promise in promises:
            assert re.search(r"`tests/[\w/]+\.py::\w+`|`\.ci/run`", promise), promise
    assert len(PROMISED) > 80


def test_the_readme_says_whose_keys_tasks_and_budget_are() -> None:
    words = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert "Keys, tasks and the budget belong to the ComfyUI server" in words


# -------------------------------------------------------------------------------- GitHub's runners

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_there_are_workflows() -> None:
    assert len(WORKFLOWS) == 2


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_a_workflow_runs_pinned_actions_with_the_least_rights(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    used = re.findall(r"^ *-? *uses: (.+)$", text, re.MULTILINE)
    assert used
    for action in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # \S+", action), action
    assert re.findall(r"^permissions:\n((?:  .+\n)+)", text, re.MULTILINE) == ["  contents: read\n"]
    assert "write" not in re.findall(r"permissions:.*", text)
    # The token of a checkout would be at hand for whatever runs after it.
    assert text.count("persist-credentials: false") == text.count("actions/checkout@")
    assert "pull_request_target" not in text
    # What others write (titles, names of branches) goes into no command line.
    for line in text.splitlines():
        if "${{" in line and "github.event" in line:
            assert re.fullmatch(r" +[A-Z_]+: \$\{\{ [\w.]+ \}\}", line), line


def test_what_the_pack_needs_is_looked_up_in_the_list_of_known_weaknesses() -> None:
    text = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    assert "pip-audit --local" in text and "cron:" in text
