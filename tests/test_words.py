"""Labels, tooltips, help pages, the page's own words: complete, and alike in each language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import help_pages
import pytest

ROOT = Path(__file__).parent.parent
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


def test_help_pages_and_english_labels_are_up_to_date() -> None:
    pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core
    for file, text in help_pages.files():
        assert file.read_text(encoding="utf-8") == text, "run: python scripts/help_pages.py"


def test_help_pages_show_pictures_that_are_there() -> None:
    docs = ROOT / "web" / "docs"
    for page in docs.rglob("*.md"):
        (picture,) = re.findall(r"!\[.+\]\((\S+)\)", page.read_text(encoding="utf-8"))
        assert (docs / picture).stat().st_size < 200_000
