"""Labels, tooltips, help pages, the page's own words: complete, and alike in each language."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import help_pages
import pytest
from paths import ROOT

from seedance.order import Medium
from seedance.runner import delivery
from seedance.runner.progress import ENGLISH, Progress

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


# -------------------------------------------------------- what the server says as data, in words


def test_every_code_of_progress_has_its_words_and_no_others_do() -> None:
    assert words("en", "main")["seedance"]["progress"] == dict(ENGLISH)
    assert words("zh", "main")["seedance"]["progress"].keys() == ENGLISH.keys()


def test_every_medium_and_delivery_has_its_words_and_no_others_do() -> None:
    page = words("en", "main")["seedance"]
    assert page["delivery"] == delivery.DELIVERY_WORDS
    assert page["medium"].keys() == {
        *("first_frame", "last_frame", "video"),
        *("image_reference", "video_reference", "audio_reference"),
    }
    for part, text in page["medium"].items():
        medium = Medium.from_address("image", "https://x.example/a.png")
        label = delivery.Item(medium, part, 3, "address").label
        assert text.replace("{number}", "3") == label


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_the_page_words_progress_as_the_terminal_does(tmp_path: Path) -> None:
    sent = [sample(code, left) for code in ENGLISH for left in (None, 0.0, 12.4)]
    assert on_the_page(tmp_path, "en", sent) == [str(progress) for progress in sent]
    chinese = on_the_page(tmp_path, "zh-CN", sent)
    for progress, text in zip(sent, chinese):
        assert not re.search(r"[a-z{}]{3}", text), text
        assert sorted(re.findall(r"\d+", text)) == sorted(re.findall(r"\d+", str(progress)))


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_a_code_that_the_page_does_not_know_is_shown_in_english(tmp_path: Path) -> None:
    sent = {**sample("queued", None).as_dict(), "code": "dreaming", "text": "dreaming of <b>it</b>"}
    assert on_the_page(tmp_path, "zh", [sent]) == ["dreaming of <b>it</b>"]


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_a_value_of_progress_is_a_number_on_the_page(tmp_path: Path) -> None:
    sent = {**sample("queued_behind", None).as_dict(), "values": {"ahead": "<img src=x>"}}
    assert on_the_page(tmp_path, "en", [sent]) == ["queued, NaN ahead"]


def sample(code: str, seconds_left: float | None) -> Progress:
    """A progress of this code; each of its values is another number."""
    names = re.findall(r"\{(\w+)\}", ENGLISH[code])
    values = {name: 41 + number for number, name in enumerate(names)}
    return Progress(code, values, 0.5, seconds_left)


def on_the_page(
    folder: Path, language: str, sent: Sequence[Progress | dict[str, Any]]
) -> list[str]:
    """What web/seedance/words.mjs makes of progress on a page in `language`."""
    play = """
        import { progressWords, ready } from "./seedance/words.mjs";
        await ready();
        console.log(JSON.stringify(JSON.parse(process.argv[2]).map(progressWords)));"""
    page = f"""
        const words = {json.dumps({each: words(each, "main") for each in LANGUAGES})};
        export const locale = () => {json.dumps(language)};
        export const request = async () => ({{ json: async () => words }});"""
    real = (ROOT / "web" / "seedance" / "words.mjs").read_text(encoding="utf-8")
    (folder / "seedance").mkdir(exist_ok=True)
    for name, text in {"play.mjs": play, "page.mjs": page, "seedance/words.mjs": real}.items():
        (folder / name).write_text(text, encoding="utf-8")
    rows = [each.as_dict() if isinstance(each, Progress) else each for each in sent]
    done = subprocess.run(
        ["node", str(folder / "play.mjs"), json.dumps(rows)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


# ------------------------------------------------------------------------------------ help pages


def test_help_pages_and_english_labels_are_up_to_date() -> None:
    pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core
    for file, text in help_pages.files():
        assert file.read_text(encoding="utf-8") == text, "run: python scripts/generate.py"


def test_help_pages_show_pictures_that_are_there() -> None:
    docs = ROOT / "web" / "docs"
    for page in docs.rglob("*.md"):
        (picture,) = re.findall(r"!\[.+\]\((\S+)\)", page.read_text(encoding="utf-8"))
        assert (docs / picture).stat().st_size < 200_000
