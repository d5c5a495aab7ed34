"""What the core says to people: templates with values, which the page has in each language."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sentences
from hypothesis import given
from hypothesis import strategies as st
from paths import ROOT
from situations import QUOTED, english_in, situations

from seedance.errors import BadOrder, OverBudget, from_dict
from seedance.fit import Change, check_words, fit
from seedance.money import Money
from seedance.order import Order
from seedance.providers import get
from seedance.runner.spending import Spending, Sum
from seedance.said import Said, both, clauses, code_of, listed, places, said_of, say

LANGUAGES = ("en", "zh")


def words(language: str) -> dict[str, Any]:
    file = ROOT / "locales" / language / "main.json"
    return dict(json.loads(file.read_text(encoding="utf-8")))


# ---------------------------------------------------------------------------------- the whole table


def test_every_sentence_is_a_template_whose_values_are_given() -> None:
    assert [str(each) for each in sentences.sentences() if each.wrong] == []


def test_every_sentence_has_a_text_with_the_same_places_in_each_language() -> None:
    english = sentences.english()
    assert len(english) > 500
    assert words("en")["seedance"]["said"] == english, "run: python scripts/generate.py"
    chinese = words("zh")["seedance"]["said"]
    assert chinese.keys() == english.keys()
    for code, template in english.items():
        assert places(chinese[code]) == places(template), template
        assert re.search("[\u4e00-\u9fff，。：；（]", chinese[code]) or not re.search(
            "[A-Za-z]{3}", re.sub(r"\{\w+\}", "", template)
        ), template
        assert not english_in(re.sub(r"\{\w+\}", "x", chinese[code])), template


def test_a_sentence_has_the_code_of_its_template() -> None:
    for code, template in sentences.english().items():
        assert code == code_of(template) == code_of(template.capitalize())
        assert re.fullmatch(r"[a-z0-9_]{1,120}", code)


# -------------------------------------------------------------------------------------- a sentence


def test_an_error_carries_what_its_sentences_are_made_of() -> None:
    with pytest.raises(BadOrder) as caught:
        check_words(Order(prompt="a cat", duration=90))
    error = caught.value
    assert error.message == "A duration of 90 s is not possible."
    assert error.as_dict() == {
        "kind": "BadOrder",
        "message": "A duration of 90 s is not possible.",
        "hint": "Use 4 to 30 seconds, or -1 to let the model decide.",
        "task": None,
        "spent": "no",
        "code": "a_duration_of_duration_s_is_not_possible",
        "values": {"duration": "90"},
        "hint_code": "use_4_to_30_seconds_or_1_to_let_the_model_decide",
        "hint_values": {},
    }
    assert from_dict(json.loads(json.dumps(error.as_dict()))).as_dict() == error.as_dict()


def test_what_is_quoted_in_a_sentence_is_cut_and_cleaned_as_the_sentence_is() -> None:
    said = "no\x1b[31m https://media.example/a.mp4?X-Amz-Signature=abc " + "x" * 9000
    error = BadOrder(
        "{provider} says: {said}", provider="fal", said=say("because: {why}", why=said)
    )
    for text in (error.message, json.dumps(error.as_dict())):
        assert "abc" not in text and "\x1b" not in text and "\\u001b" not in text
    assert len(json.dumps(error.as_dict())) < 20_000


def test_a_sentence_is_a_text_and_keeps_what_it_is_made_of() -> None:
    said = say("{a} and {b}", a="fal", b=say("clip {number}", number=2), c="unused")
    assert said == "fal and clip 2" and isinstance(said, str)
    assert said.values == {"a": "fal", "b": "clip 2"}
    assert said.capital() == "Fal and clip 2" and said.capital().code == said.code
    assert say("It ends.").rstrip(".").code == "it_ends"
    assert say("{a} {{b}} {b}", a="{b}", b=1) == "{b} {1} 1", "a value is no template"
    assert say("{a}", a=[1, "x", True, 2.50]) == "1, x, True, 2.5"
    assert both("", "x") == "x" and both("", "") == "" and both("a.", "b.") == "a. b."
    assert clauses(["a", "b", "c"]) == "a; b; c" and listed(["a", "b"]) == "a and b"
    assert Said("plain").as_dict() == {"text": "plain", "code": "", "values": {}}
    assert say("{x}", x=float("nan")).as_dict()["values"] == {"x": "nan"}, "JSON has no NaN"


def test_a_change_keeps_its_words_in_the_journal() -> None:
    order = Order(prompt="a cat", watermark=True, duration=30, on_unsupported="nearest")
    changes = fit(order, get("fal")).changes
    assert {change.field for change in changes} == {"watermark", "duration"}
    for change in changes:
        record = json.loads(json.dumps(change.as_dict()))
        assert Change(**record).as_dict() == record and Change(**record) == change
        assert record["values"]["why"]["values"]["provider"] == "fal"
        assert json.dumps(record["field"]) == json.dumps(change.field)
    old = {"field": "ratio", "asked": "9:21", "given": "9:16", "why": "in words"}
    assert str(Change(**old)) == "ratio: 9:21 became 9:16 (in words)"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=9,
)


@given(JSON, JSON, JSON)
def test_what_a_stranger_wrote_into_a_journal_is_read_as_a_text(
    text: object, code: object, values: object
) -> None:
    said = said_of(text, code, values)
    assert json.loads(json.dumps(said.as_dict(), allow_nan=False))["text"] == str(text)
    error = from_dict({"kind": "Unclear", "message": text, "code": code, "values": values})
    json.dumps(error.as_dict(), allow_nan=False)


def test_sentences_within_sentences_without_end_are_read_to_a_depth() -> None:
    record: dict[str, Any] = {"text": "x", "code": "c", "values": {}}
    for _ in range(500):
        record = {"text": "x", "code": "c", "values": {"said": record}}
    assert len(json.dumps(said_of("x", "c", record["values"]).as_dict())) < 2000


# ---------------------------------------------------------------------------------- on the page


def on_the_page(folder: Path, language: str, what: str, sent: list[Any]) -> list[str]:
    """What a function of web/seedance/words.mjs makes of JSON on a page in `language`."""
    (folder / "seedance").mkdir(exist_ok=True)
    files = {
        "play.mjs": f"""
            import {{ {what}, ready }} from "./seedance/words.mjs";
            await ready();
            console.log(JSON.stringify(JSON.parse(process.argv[2]).map((one) => {what}(one))));""",
        "page.mjs": f"""
            const words = {json.dumps({each: words(each) for each in LANGUAGES})};
            export const locale = () => {json.dumps(language)};
            export const request = async () => ({{ json: async () => words }});""",
        "seedance/words.mjs": (ROOT / "web/seedance/words.mjs").read_text(encoding="utf-8"),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["node", str(folder / "play.mjs"), json.dumps(sent)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_the_page_says_in_its_language_what_went_wrong(tmp_path: Path) -> None:
    made = dict(situations(tmp_path))
    sent = [error.as_dict() for error in made.values()]
    assert on_the_page(tmp_path, "en", "troubleWords", sent) == [
        f"{error.message} {error.hint}".strip() for error in made.values()
    ]
    chinese = dict(zip(made, on_the_page(tmp_path, "zh-CN", "troubleWords", sent)))
    for name, text in chinese.items():
        assert re.search("[\u4e00-\u9fff]", text), name
        assert not english_in(text, *QUOTED), (name, text)
    assert chinese["bad duration"] == "时长不能是 90 秒。请用 4 到 30 秒，或用 -1 由模型决定。"
    assert "No such words." in chinese["moderated"], "a provider's own words stay as they are"


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_what_the_page_does_not_know_stays_in_english_and_is_text(tmp_path: Path) -> None:
    sent = [
        {"text": "dreaming of <b>it</b>", "code": "dreaming", "values": {}},
        "a text",
        {"text": "of an older version"},
        {"text": "x", "code": "__proto__", "values": {}},
        {"text": "a duration", "code": "a_duration_of_duration_s_is_not_possible", "values": {}},
    ]
    assert on_the_page(tmp_path, "zh", "sayWords", sent) == [
        "dreaming of <b>it</b>",
        "a text",
        "of an older version",
        "x",
        "时长不能是 {duration} 秒。",
    ]


def test_a_price_is_said_in_words_of_its_own() -> None:
    price = Money(2.27, "CNY", estimated=True).in_words()
    assert price.code == "price_estimated_about_usd_at_the_rate_of_date"
    with pytest.raises(OverBudget) as caught:
        Spending(1.0).check(Sum(2.0, 1))
    assert caught.value.as_dict()["values"] == {"usd": "2.00", "limit": "1.00"}


def test_routes_answer_with_what_a_sentence_is_made_of() -> None:
    parts: Mapping[str, Any] = BadOrder("{name} must be a list.", name="x").sentences()
    assert parts == {
        "code": "name_must_be_a_list",
        "values": {"name": "x"},
        "hint_code": "",
        "hint_values": {},
    }
