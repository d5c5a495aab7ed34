"""Who may import whom. Read from the source, so that lazy imports count as well.

Imports under `if TYPE_CHECKING` are left out: they draw no code in.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from paths import ROOT

from seedance import media, providers

CORE = ROOT / "seedance"

# The house: each floor may import what lies below it, and nothing beside or above it.
FLOORS: tuple[set[str], ...] = (
    {"forks", "said", "texts"},
    {"embedded", "errors", "files", "money", "units"},
    {"addresses", "key_file", "order", "servers"},
    {"options", "wire"},
    {"catalogs", "prompt_names", "providers"},
    {"capabilities", "fit", "journal", "media", "settings", "transport"},
    {"download", "hosting", "preview", "shots"},
    {"farm", "runner"},
    {"__init__", "api", "cli", "nodes"},
)
# Narrower than its floor: what a unit may import of ours.
ONLY: dict[str, set[str]] = {
    "forks": set(),
    "texts": set(),
    "said": set(),
    "errors": {"said", "texts"},
    "money": {"said"},
    "files": set(),
    "units": set(),
    "embedded": set(),
    "key_file": {"errors", "files", "forks", "said"},
    "servers": {"errors", "files"},
    "options": {"errors", "order", "said", "texts"},
    "wire": {"errors", "money", "order", "said", "texts"},
    "catalogs": {"addresses", "files", "wire"},
    "providers": {"errors", "money", "order", "said", "texts", "wire"},
    "prompt_names": {"errors", "order", "said", "wire"},
    "journal": {"errors", "forks", "money", "said", "texts"},
    "transport": {"addresses", "errors", "said", "texts", "wire"},
    "media": {"embedded", "errors", "files", "forks", "order", "said", "units", "wire"},
    "fit": {"errors", "order", "prompt_names", "providers", "said", "texts", "wire"},
    "capabilities": {"order", "wire"},
    "shots": {"errors", "fit", "options", "order", "providers", "said", "texts"},
    "farm": {"errors", "hosting", "media", "order", "settings"},
    "__init__": set(),
    "nodes": {"capabilities", "errors", "journal", "media", "order", "providers", "runner"}
    | {"said", "servers", "settings", "shots", "texts", "units"},
}
HOST = {"comfy", "comfy_api", "comfy_execution", "folder_paths", "nodes", "server", "torch"}
# Third parties that only one unit may speak to, so that each can be replaced in one place.
OWNED = {
    "requests": {"transport", "preview"},
    "urllib3": {"transport"},
    "sqlalchemy": {"journal"},
    "alembic": {"journal"},
    "boto3": {"hosting"},
    "botocore": {"hosting"},
    "filelock": {"key_file"},
    "psutil": {"journal", "media"},
    "procrastinate": {"farm"},
    "psycopg": {"farm"},
}
HEAVY = {"alembic", "av", "filelock", "numpy", "PIL", "psutil", "requests", "sqlalchemy", "tqdm"}
HEAVY |= {"asyncio", "procrastinate"}

CORE_FILES = sorted(CORE.rglob("*.py"))
RIM_FILES = sorted((ROOT / "nodes").rglob("*.py"))
PROVIDER_FILES = [path for path in CORE_FILES if path.parent == CORE / "providers"]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def unit_of(path: Path) -> str:
    """The unit that a file belongs to: the file or folder directly in seedance/, or nodes. What
    `python -m seedance` starts is of the command line."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    unit = parts[1] if parts[0] == "seedance" else parts[0]
    return "cli" if unit == "__main__" else unit


def floor_of(unit: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if unit in floor)


def imports(path: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    """Every import statement of a file, those in functions too."""
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo += node.orelse
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        else:
            todo += ast.iter_child_nodes(node)


def absolute(path: Path) -> set[str]:
    """The top-level names of absolute imports."""
    found = set()
    for node in imports(path):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def relative(path: Path) -> set[tuple[str, ...]]:
    """The targets of relative imports, as paths from the repository's root: modules, and the names
    that are imported from them."""
    found = set()
    for node in imports(path):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.relative_to(ROOT).parts[: -node.level]
            base = (*folder, *(node.module.split(".") if node.module else ()))
            found |= {(*base, alias.name) for alias in node.names}
    return found


def unit_at(target: tuple[str, ...]) -> str:
    """The unit that a target lies in."""
    if target[0] != "seedance":
        return target[0]
    folder = CORE / target[1]
    return target[1] if folder.is_dir() or folder.with_suffix(".py").is_file() else "__init__"


@pytest.mark.parametrize("path", [*CORE_FILES, *RIM_FILES], ids=name_of)
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    me = unit_of(path)
    for target in relative(path):
        unit = unit_at(target)
        if unit == me or target == ("seedance", "__version__"):
            continue
        assert floor_of(unit) < floor_of(me), f"{me} must not import {'.'.join(target)}"
        if me in ONLY:
            assert unit in ONLY[me], f"{me} must not import {'.'.join(target)}"


@pytest.mark.parametrize("path", PROVIDER_FILES, ids=name_of)
def test_a_provider_never_imports_another(path: Path) -> None:
    if path.name == "__init__.py":
        return
    for target in relative(path):
        if target[:2] == ("seedance", "providers"):
            assert target[2].startswith("_"), f"{path.name} must not import {target[2]}"
            shared = {"_relay": "no relay", "_ark": "no Ark"}.get(target[2])
            if path.name == "replicate.py":
                assert shared is None, f"Replicate is {shared}"


@pytest.mark.parametrize("path", [*CORE_FILES, *RIM_FILES], ids=name_of)
def test_nothing_above_the_providers_names_one_of_them(path: Path) -> None:
    if floor_of(unit_of(path)) <= floor_of("providers") or unit_of(path) == "preview":
        return
    ids = set(providers.ids())
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert node.value not in ids, f"line {node.lineno} names {node.value}"


@pytest.mark.parametrize("path", CORE_FILES, ids=name_of)
def test_core_files_know_neither_host_nor_their_own_name(path: Path) -> None:
    assert not absolute(path) & (HOST | {"seedance"})
    assert all(target[0] == "seedance" for target in relative(path))


@pytest.mark.parametrize("path", CORE_FILES, ids=name_of)
def test_third_parties_are_spoken_to_in_one_place(path: Path) -> None:
    for name in absolute(path) & OWNED.keys():
        assert unit_of(path) in OWNED[name], f"{name} belongs to {OWNED[name]}"


@pytest.mark.parametrize("path", RIM_FILES, ids=name_of)
def test_the_rim_imports_the_core_by_its_place_in_the_pack(path: Path) -> None:
    assert "seedance" not in absolute(path), "the pack is loaded under another name"


def test_every_file_has_its_floor() -> None:
    units = {unit_of(path) for path in [*CORE_FILES, *RIM_FILES]}
    assert units == set().union(*FLOORS)


def test_the_root_imports_nothing_when_it_is_loaded() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    loaded = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [ast.unparse(node) for node in loaded] in ([], ["from __future__ import annotations"])


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys, seedance.cli\n"
        "try: seedance.cli.main(['generate', '--help'])\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "--prompt" in child.stdout
    assert not HEAVY & set(child.stderr.split())


def test_importing_media_loads_nothing_heavy_before_a_name_is_used() -> None:
    script = (
        "import sys; from seedance import media; before = set(sys.modules); media.probe\n"
        "print(*before); print(*sys.modules, file=sys.stderr)"
    )
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "seedance.media" in child.stdout.split()
    assert not HEAVY & set(child.stdout.split())
    assert {"av", "PIL", "seedance.media.info"} <= set(child.stderr.split())


def test_media_has_no_other_names() -> None:
    with pytest.raises(AttributeError):
        media.nonsense  # noqa: B018
    assert not hasattr(media, "__wrapped__")
