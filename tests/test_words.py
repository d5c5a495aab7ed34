"""Labels, tooltips, help pages, the page's own words: complete, and alike in each language."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import help_pages
import pytest
from paths import ROOT

LANGUAGES = ("en", "zh")
FILES = ("main", "nodeDefs", "settings", "commands")
MODULES = sorted((ROOT / "web").rglob("*.*js"))


def words(language: str, name: str) -> Any:
    return json.loads((ROOT / "locales" / language / f"{name}.json").read_text(encoding="utf-8"))


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}/{name}")
    else:
        yield path, value


@pytest.mark.parametrize("name", FILES)
def test_every_language_has_the_same_words(name: str) -> None:
    english, chinese = (dict(leaves(words(language, name))) for language in LANGUAGES)
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", chinese[key])), key


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["nodeDefs", "settings", "commands"])
def test_letters_that_vue_i18n_reads_as_commands_are_quoted(language: str, name: str) -> None:
    for key, text in leaves(words(language, name)):
        assert not re.search(r"[@{}|]", re.sub(r"\{'.'\}", "", text)), key


def test_every_word_that_the_page_asks_for_is_there() -> None:
    there = {key[1:].replace("/", ".") for key, _ in leaves(words("en", "main")["seedance"])}
    asked = {
        key
        for module in MODULES
        for key in re.findall(r"""\bt\(\s*"([\w.]+)\"""", module.read_text(encoding="utf-8"))
    }
    assert len(asked) > 50
    assert asked <= there


def spoken(source: str) -> Iterator[str]:
    """The texts in a module that say how far an order is, with `#` for what is filled in."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        said = [word.value for word in call.keywords if word.arg == "note"]
        said += call.args[:1] if name in ("say", "report", "Progress") else []
        for expression in said:
            yield from texts(expression)


def texts(expression: ast.AST) -> Iterator[str]:
    if isinstance(expression, ast.JoinedStr):
        parts = (getattr(part, "value", None) for part in expression.values)
        said = "".join(part if isinstance(part, str) else "#" for part in parts)
        yield re.sub(r"\d+", "#", said)
    elif isinstance(expression, ast.Constant):
        if isinstance(expression.value, str):
            yield expression.value
    else:
        for inner in ast.iter_child_nodes(expression):
            yield from texts(inner)


def test_the_page_knows_how_the_server_says_how_far_an_order_is() -> None:
    modules = [*ROOT.glob("seedance/runner/*.py"), *ROOT.glob("seedance/providers/*.py")]
    said = {text for module in modules for text in spoken(module.read_text(encoding="utf-8"))}
    assert {"queued", "waiting for a slot (# in use)", ", about # s left"} <= said
    known = words("zh", "main")["seedance"]["server"].keys()
    parts = {part for text in said for part in re.split(r": | · |, |\n", text)}
    assert {part for part in parts if re.search("[a-z]", part)} <= known


def test_help_pages_and_english_labels_are_up_to_date() -> None:
    pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core
    for file, text in help_pages.files():
        assert file.read_text(encoding="utf-8") == text, "run: python scripts/generate.py"


def test_help_pages_show_pictures_that_are_there() -> None:
    docs = ROOT / "web" / "docs"
    for page in docs.rglob("*.md"):
        (picture,) = re.findall(r"!\[.+\]\((\S+)\)", page.read_text(encoding="utf-8"))
        assert (docs / picture).stat().st_size < 200_000
