"""Labels, tooltips, help pages, the page's own words: complete, and alike in each language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import help_pages
import pytest
from rim import Pack, loaded_pack

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


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pack]:
    with (
        pytest.MonkeyPatch.context() as patch,
        loaded_pack(tmp_path_factory.mktemp("p"), patch) as p,
    ):
        yield p


@pytest.mark.parametrize("name", FILES)
def test_every_language_has_the_same_words(name: str) -> None:
    english, chinese = (dict(leaves(words(language, name))) for language in LANGUAGES)
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", chinese[key])), key


def test_english_labels_say_what_the_nodes_say(pack: Pack) -> None:
    """Where a page has no translations, it shows the nodes' own words."""
    defs = help_pages._plain(words("en", "nodeDefs"))
    assert defs.keys() == pack.nodes.keys()
    for node_id, node in pack.nodes.items():
        schema, said = node.GET_SCHEMA(), defs[node_id]
        assert said["display_name"] == schema.display_name
        assert said["description"] == schema.description
        assert said["inputs"] == {
            item.id: {"name": item.id, "tooltip": item.options["tooltip"]} for item in schema.inputs
        }
        assert [(item["name"], item["tooltip"]) for item in said["outputs"].values()] == [
            (item.display_name, item.tooltip) for item in schema.outputs
        ]


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


def test_help_pages_are_up_to_date() -> None:
    for file, text in help_pages.pages():
        assert file.read_text(encoding="utf-8") == text, "run: python scripts/help_pages.py"


def test_help_pages_show_pictures_that_are_there() -> None:
    docs = ROOT / "web" / "docs"
    for page in docs.rglob("*.md"):
        (picture,) = re.findall(r"!\[.+\]\((\S+)\)", page.read_text(encoding="utf-8"))
        assert (docs / picture).stat().st_size < 200_000
