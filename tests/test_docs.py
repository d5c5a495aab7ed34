"""docs/: the drawings are those of the code, and every file and name in them is there."""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

from seedance.journal.states import ENDED, HELD, LIVE, MOVES, State

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
ANY = "any lower floor"
GROUPS = {"live": LIVE, "held": HELD, "ended": ENDED}
WALKS = ("The way of a picture", "The way of a ticket", "The way of a resolution")


def section(heading: str) -> str:
    return ARCHITECTURE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def block(heading: str, language: str) -> str:
    return section(heading).split(f"```{language}\n", 1)[1].split("\n```", 1)[0]


def table(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    rows = [line for line in section(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def names(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell))


# --------------------------------------------------------------------------------------- the house


@pytest.fixture(scope="module")
def rules() -> dict[str, Any]:
    """What the test of imports holds: FLOORS, the lowest first, and ONLY."""
    return runpy.run_path(str(ROOT / "tests" / "test_imports.py"))


def test_the_drawing_has_the_floors_that_the_imports_keep_to(rules: dict[str, Any]) -> None:
    drawn = re.findall(r"^ +(\d+) \| (.+) \|$", block("The house", "text"), re.MULTILINE)
    assert [int(number) for number, _ in drawn] == list(range(len(drawn), 0, -1))
    assert [set(units.split()) for _, units in reversed(drawn)] == list(rules["FLOORS"])


def test_the_table_of_units_has_the_floors_and_the_allowed_imports(rules: dict[str, Any]) -> None:
    floors = {unit: n for n, floor in enumerate(rules["FLOORS"], start=1) for unit in floor}
    rows = table("The house")
    assert {names(unit).pop(): int(floor) for floor, unit, _, _ in rows} == floors
    for floor, cell, _, allowed in rows:
        unit = names(cell).pop()
        if unit in rules["ONLY"]:
            assert names(allowed) == rules["ONLY"][unit], unit
            assert names(allowed) or allowed == "nothing", unit
        else:
            assert allowed == ("nothing" if floor == "1" else ANY), unit


# -------------------------------------------------------------------------------------- the states


def test_the_drawing_has_the_moves_that_the_journal_allows() -> None:
    drawn = re.findall(r"^ +(\w+) --> (\w+): \S", block("The states of an order", "mermaid"), re.M)
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == {(before, after) for before in State for after in MOVES[before]}


def test_the_table_has_every_state_with_its_groups_and_moves() -> None:
    table_rows = table("The states of an order")
    rows = {names(state).pop(): (groups, after) for state, _, groups, after in table_rows}
    assert rows.keys() == set(State)
    for state, (groups, after) in rows.items():
        assert names(after) == MOVES[State(state)], state
        own = [group for group, members in GROUPS.items() if state in members]
        assert groups == ", ".join(own), state


# ------------------------------------------------------------------------------ files and functions


@pytest.mark.parametrize("heading", WALKS)
def test_a_walk_has_ten_lines_each_with_its_file_and_function(heading: str) -> None:
    lines = re.findall(r"^\d+\. .*", section(heading), re.MULTILINE)
    starts = [re.match(r"(\d+)\. `[\w/]+\.\w+` `[\w.]+`: ", line) for line in lines]
    assert [start and int(start[1]) for start in starts] == list(range(1, 11))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_in_the_documents_is_there_and_has_what_is_named_beside_it(
    document: Path,
) -> None:
    text = document.read_text(encoding="utf-8")
    pairs = re.findall(r"`([\w/]+\.(?:py|m?js))`(?: `([\w.]+)`)?", text)
    # Those are about services, and for who calls the pack.
    assert len(pairs) > 20 or document.name in (
        "batch.md",
        "farms.md",
        "gateways.md",
        "providers.md",
        "python.md",
    )
    for file, name in pairs:
        assert (ROOT / file).is_file(), file
        assert not name or name in defined(ROOT / file), f"{file} has no {name}"
    for link in re.findall(r"\]\(([\w.]+)\)", text):
        assert (document.parent / link).is_file(), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_class_and_method_in_the_documents_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z]\w*[a-z]\w*(?:\.\w+)?)`", text))
    modules = [*ROOT.glob("seedance/**/*.py"), *ROOT.glob("nodes/*.py")]
    assert named <= set().union(*map(defined, modules))


@cache
def defined(path: Path) -> frozenset[str]:
    """The functions, classes and names of a module, those of a class as `Class.name`."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return frozenset(re.findall(r"^export (?:async )?function (\w+)", text, re.MULTILINE))
    return frozenset(_defined(ast.parse(text)))


def _defined(tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{inner}" for inner in _defined(node))
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


PACKAGES = [
    ROOT / "nodes",
    *(path.parent for path in sorted((ROOT / "seedance").glob("*/__init__.py"))),
]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_that_lists_its_modules_lists_them_all(package: Path) -> None:
    head = ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8"))) or ""
    modules = {path.stem for path in package.glob("*.py") if not path.stem.startswith("_")}
    named = {module for module in modules if re.search(rf"\b{module}\b", head)}
    # The providers are listed by the registry, and batches by its parts.
    assert named == modules or package.name in ("providers", "batches")
