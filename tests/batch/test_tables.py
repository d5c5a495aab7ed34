"""Tables that people have: in files that are called text, from Google Sheets, with what a
spreadsheet makes of a ratio, from a chat."""

from __future__ import annotations

from pathlib import Path

import pytest

from seedance import shots
from seedance.shots import BadShots, Shot

TABLE = "name;prompt;duration\nsh010;A fox runs;8\nsh020;A fox, prompt, sits;5\n"


def read(folder: Path, name: str, data: str | bytes) -> list[Shot]:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return shots.read_file(path)


def said(found: list[Shot]) -> list[tuple[str, object, object]]:
    return [(shot.name, shot.values["prompt"], shot.values.get("duration")) for shot in found]


@pytest.mark.parametrize("name", ["shots.txt", "shots.md", "shots"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_table_in_a_text_file_is_a_table(
    tmp_path: Path, name: str, encoding: str, delimiter: str
) -> None:
    """As Excel saves "Unicode Text": else the whole of it would be one prompt, and paid."""
    data = TABLE.replace(";", delimiter).replace("\n", "\r\n").encode(encoding)
    assert said(read(tmp_path, name, data)) == [
        ("sh010", "A fox runs", 8),
        ("sh020", "A fox, prompt, sits", 5),
    ]


def test_a_table_in_a_text_file_without_a_prompt_is_no_prompt(tmp_path: Path) -> None:
    with pytest.raises(BadShots, match="must name the columns") as caught:
        read(tmp_path, "shots.txt", "Shot\tPrompt text\tLength\n1\tA fox\t5\n")
    assert "'Prompt text' (column B)" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["Be always kind, prompt, and brave", "A fox; prompt and quick", "A fox\truns", "a|b"]
)
def test_a_sentence_is_no_table(tmp_path: Path, text: str) -> None:
    (shot,) = read(tmp_path, "shots.txt", text)
    assert shot.values["prompt"] == text


def test_a_table_of_a_chat(tmp_path: Path) -> None:
    text = "| name | prompt | duration |\n|:---|---|--:|\n| sh010 | A fox runs | 8 |\n"
    for name in ("shots.md", "shots.txt", "shots.csv"):
        assert said(read(tmp_path, name, text)) == [("sh010", "A fox runs", 8)]
    (shot,) = shots.read_text(text)
    assert shot.name == "sh010"


def test_google_sheets_writes_quotes_as_they_are(tmp_path: Path) -> None:
    """Its TSV has neither quoting nor cells of several lines."""
    text = 'name\tprompt\tduration\na\t"Stop!" she says\t5\nb\tHe says "go"\t5\nc\t"Why\t5\n'
    assert [each[1] for each in said(read(tmp_path, "shots.tsv", text))] == [
        *('"Stop!" she says', 'He says "go"', '"Why')
    ]


def test_a_broken_quote_of_a_table_with_quotes_is_told(tmp_path: Path) -> None:
    """Its lines are not taken apart: what stands in one cell would become other shots."""
    text = 'name\tprompt\na\t"A fox\nruns, ""now"""\nb\t"Stop!" she says\n'
    with pytest.raises(BadShots, match="quotation mark"):
        read(tmp_path, "shots.tsv", text)


@pytest.mark.parametrize(
    ("written", "ratio"),
    [("16:09", "16:9"), ("09:16", "9:16"), ("16:09:00", "16:9"), ("01:01", "1:1"), ("4:03", "4:3")],
)
def test_a_ratio_that_a_spreadsheet_took_for_a_time(
    tmp_path: Path, written: str, ratio: str
) -> None:
    (shot,) = read(tmp_path, "shots.csv", f"prompt,ratio\nA fox,{written}\n")
    assert shot.values["ratio"] == ratio


@pytest.mark.parametrize("written", ["16:19", "16:09:01", "12:00"])
def test_a_time_that_is_no_ratio(tmp_path: Path, written: str) -> None:
    with pytest.raises(BadShots, match="There is no ratio"):
        read(tmp_path, "shots.csv", f"prompt,ratio\nA fox,{written}\n")


def test_a_prompt_column_by_nearly_its_name_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadShots) as caught:
        read(tmp_path, "shots.csv", "name;promt;duration\na;A fox;5\n")
    assert "'promt' (column B)" in str(caught.value) and "prompt" in str(caught.value)


@pytest.mark.parametrize(
    ("yes", "no"), [("WAAR", "ONWAAR"), ("VERDADEIRO", "FALSO"), ("ИСТИНА", "ЛОЖЬ"), ("SANT", "")]
)
def test_true_and_false_of_more_languages(tmp_path: Path, yes: str, no: str) -> None:
    text = f"prompt;no_audio\nA fox;{yes}\nA bear;{no}\n"
    one, two = read(tmp_path, "shots.csv", text)
    assert one.order().generate_audio is False and two.order().generate_audio is True
