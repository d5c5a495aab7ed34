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

ROOT = Path(__file__).parent.parent
CORE = ROOT / "seedance"

DOORS = {"errors", "order", "providers", "settings", "journal", "media", "runner"}
ALLOWED = {
    "errors": set(),
    "order": {"errors"},
    "wire": {"order", "errors"},
    "providers": {"wire", "order", "errors"},
    "preview": {"wire", "order", "errors", "media"},
    "settings": {"providers", "wire", "order", "errors"},
    "fit": {"providers", "wire", "order", "errors"},
    "media": {"wire", "order", "errors"},
    "journal": {"wire", "order", "errors"},
    "transport": {"settings", "wire", "errors"},
    "download": {"transport", "media", "settings", "wire", "errors"},
    "hosting": {"transport", "settings", "wire", "errors"},
    "follower": {"errors"},
    "runner": DOORS - {"runner"} | {"follower", "fit", "transport", "download", "hosting", "wire"},
    "cli": DOORS,
    "__main__": {"cli"},
    "__init__": set(),
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
}
HEAVY = {"alembic", "av", "numpy", "PIL", "requests", "sqlalchemy", "tqdm", "asyncio"}

CORE_FILES = sorted(CORE.rglob("*.py"))
RIM_FILES = sorted((ROOT / "nodes").rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def unit_of(path: Path) -> str:
    """The unit of the core that a file belongs to: the file or folder directly in seedance/."""
    parts = path.relative_to(CORE).with_suffix("").parts
    return "preview" if parts[:2] == ("providers", "preview") else parts[0]


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
    """The targets of relative imports, as paths from the repository's root."""
    found = set()
    for node in imports(path):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.relative_to(ROOT).parts[: -node.level]
            base = (*folder, *(node.module.split(".") if node.module else ()))
            # "from .. import providers" names a module, "from .order import Order" does not;
            # longer targets are cut to what the rules speak of.
            found |= {(*base, alias.name)[: max(2, len(base))] for alias in node.names}
    return found


@pytest.mark.parametrize("path", CORE_FILES, ids=name_of)
def test_core_files_import_only_what_they_may(path: Path) -> None:
    me = unit_of(path)
    for target in relative(path):
        assert target[0] == "seedance", f"{target} is outside the core"
        unit = "preview" if target[1:3] == ("providers", "preview") else target[1]
        mine = unit == me or (me == "preview" and unit == "providers")
        if unit in ALLOWED and not mine:
            assert unit in ALLOWED[me], f"{me} must not know {unit}"
        elif not mine:
            assert unit.startswith("__"), f"{unit} is not a unit of the core"


@pytest.mark.parametrize("path", CORE_FILES, ids=name_of)
def test_core_files_know_neither_host_nor_their_own_name(path: Path) -> None:
    assert not absolute(path) & (HOST | {"seedance"})


@pytest.mark.parametrize("path", CORE_FILES, ids=name_of)
def test_third_parties_are_spoken_to_in_one_place(path: Path) -> None:
    for name in absolute(path) & OWNED.keys():
        assert unit_of(path) in OWNED[name], f"{name} belongs to {OWNED[name]}"


@pytest.mark.parametrize("path", RIM_FILES, ids=name_of)
def test_the_rim_uses_the_doors_of_the_core(path: Path) -> None:
    assert "seedance" not in absolute(path), "the pack is loaded under another name"
    for target in relative(path):
        if target[0] == "seedance":
            assert target[1] in DOORS, f"the rim must not know {target[1]}"


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
