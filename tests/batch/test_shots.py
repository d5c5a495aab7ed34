"""Shot lists: what each form says, and that all mistakes are told at once."""

from __future__ import annotations

import csv
import io
import json
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance import shots
from seedance.errors import BadOrder
from seedance.order import Medium
from seedance.shots import BadShots, Shot

ROWS = [
    {"name": "010", "prompt": 'A fox says "hello", twice', "duration": "8"},
    {"name": "020", "prompt": "It stops;\nand looks back", "duration": "8", "after": "010"},
]


def written(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def table(rows: list[dict[str, str]] = ROWS, **form: Any) -> str:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, ["name", "prompt", "duration", "after"], **form)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def read(folder: Path, name: str, data: str | bytes, **defaults: Any) -> list[Shot]:
    return shots.read_file(written(folder, name, data), defaults=defaults or None)


def mistakes(folder: Path, name: str, data: str | bytes) -> list[tuple[int, str, str]]:
    """Line, column and words of each mistake."""
    with pytest.raises(BadShots) as caught:
        read(folder, name, data)
    assert caught.value.spent == "no" and caught.value.exit_code == 2
    return [
        (each.line, each.column, f"{each.message} {each.hint}") for each in caught.value.problems
    ]


def check_rows(found: list[Shot]) -> None:
    assert [shot.name for shot in found] == ["010", "020"]
    assert [shot.values["prompt"] for shot in found] == [row["prompt"] for row in ROWS]
    assert [shot.order().duration for shot in found] == [8, 8]
    assert [shot.after for shot in found] == [None, "010"]


# --------------------------------------------------------------------------------------------- CSV


@pytest.mark.parametrize(
    "data",
    [
        table(),
        table(delimiter=";"),
        table(delimiter="\t"),
        table(quoting=csv.QUOTE_ALL, lineterminator="\n"),
        "sep=;\r\n" + table(delimiter=";"),
        "\r\n;;;\r\n" + table(delimiter=";") + ";;;\r\n\r\n",
        table(delimiter=";").replace("name;prompt;duration;after", "Name;Prompt;Duration;After;;"),
        table().replace("name,prompt,duration", "--name,--prompt,--duration"),
    ],
    ids=["plain", "semicolon", "tab", "quotes", "sep", "empty lines", "empty columns", "flags"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_as_spreadsheets_write_them(tmp_path: Path, data: str, encoding: str) -> None:
    check_rows(read(tmp_path, "shots.csv", data.encode(encoding)))


def test_a_table_of_prompts_alone_may_hold_commas(tmp_path: Path) -> None:
    found = read(tmp_path, "shots.csv", "prompt\nA fox, red\n\nA boat; blue\n")
    assert [shot.values["prompt"] for shot in found] == ["A fox, red", "A boat; blue"]
    assert [shot.name for shot in found] == ["001", "002"]


def test_values_as_spreadsheets_write_them(tmp_path: Path) -> None:
    text = "prompt;duration;seed;no_audio;watermark;takes\nA;8,0;42.0;WAHR;no;2,0\nB;12 s;;x;0;\n"
    first, second = read(tmp_path, "a.csv", text)
    order = first.order()
    assert (order.duration, order.seed, order.generate_audio, order.watermark) == (
        8,
        42,
        False,
        False,
    )
    assert (first.takes, second.takes, second.order().duration) == (2, 1, 12)


def test_what_is_for_people_is_left_alone(tmp_path: Path) -> None:
    (shot,) = read(tmp_path, "a.csv", "prompt,# status,#Artist\nA fox,approved,Mia\n")
    assert dict(shot.values) == {"prompt": "A fox"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("prompt,promt\nA,B\n", 2, "no option 'promt'. Did you mean prompt?"),
        ("prompt,prompt\nA,B\n", 1, "Two columns"),
        ("a,b\nA,B\n", 1, "none of them is prompt"),
        ('prompt,seed\nA,1\n"B" it,2\n', 3, "quotation mark"),
        ("prompt,seed\nA,1\nB, and more,2\n", 3, "3 cells"),
        ("prompt,seed\nA,1\nB\0,2\n", 3, "NUL"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str, line: int, words: str) -> None:
    (mistake,) = mistakes(tmp_path, "a.csv", text)
    assert mistake[0] == line and words in mistake[2]


def test_letters_that_cannot_be_told_are_not_guessed(tmp_path: Path) -> None:
    data = "prompt;seed\nA;1\nEin Fuchs in Köln;2\n".encode("cp1252")
    (mistake,) = mistakes(tmp_path, "a.csv", data)
    assert mistake[0] == 3 and "CSV UTF-8" in mistake[2]


LETTERS = st.characters(exclude_categories=["C"], exclude_characters="\x85")
PROMPTS = st.lists(st.text(LETTERS, min_size=1).filter(str.strip), min_size=1)


@given(PROMPTS, st.sampled_from([",", ";", "\t"]))
def test_any_prompt_survives_a_table(prompts: list[str], delimiter: str) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("prompt", "seed"), *((prompt, 1) for prompt in prompts)])
    found = shots.read_text(file.getvalue())
    assert [shot.values["prompt"] for shot in found] == prompts


# ------------------------------------------------------------------------------ JSON, JSONL, text


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", json.dumps(ROWS)),
        ("a.json", json.dumps({"shots": ROWS, "defaults": {"resolution": "480p"}}, indent=2)),
        ("a.jsonl", "\n\n".join(map(json.dumps, ROWS))),
        ("a", json.dumps({"defaults": {}, "shots": ROWS})),
        ("a", "\n".join(map(json.dumps, ROWS))),
        ("a", table()),
    ],
)
def test_json_and_lines_of_json(tmp_path: Path, name: str, data: str) -> None:
    check_rows(read(tmp_path, name, data))


def test_defaults_are_of_shots_that_say_nothing(tmp_path: Path) -> None:
    text = json.dumps(
        {
            "shots": ["A", {"prompt": "B", "resolution": "1080p", "model": None}],
            "defaults": {"resolution": "720p", "takes": 2, "seed": 5, "model": "seedance-2.5"},
        }
    )
    first, second = read(tmp_path, "a.json", text, resolution="480p", provider="preview")
    orders = [first.order(), second.order()]
    assert [order.resolution for order in orders] == ["720p", "1080p"]
    assert [order.model for order in orders] == ["seedance-2.5"] * 2
    assert [order.provider for order in orders] == ["preview"] * 2
    assert (first.takes, second.takes, orders[1].seed) == (2, 2, 5)
    (line,) = read(tmp_path, "a.jsonl", '{"defaults": {"seed": 3}}\n{"prompt": "A"}\n')
    assert line.order().seed == 3


def test_plain_text_is_a_shot_a_paragraph(tmp_path: Path) -> None:
    text = (
        "\ufeff# wide\r\n8s: A fox runs\r\n  through snow.\r\n\r\n\r\n12 s : It stops.\r\n"
        "\r\n# close up\r\n\r\nIt looks back: 8s: no length.\r\n"
    )
    found = read(tmp_path, "a.txt", text)
    assert [shot.name for shot in found] == ["wide", "002", "close up"]
    assert [shot.order().duration for shot in found] == [8, 12, 5]
    assert [shot.values["prompt"] for shot in found] == [
        "A fox runs through snow.",
        "It stops.",
        "It looks back: 8s: no length.",
    ]


def test_to_wrap_a_paragraph_otherwise_makes_no_other_order(tmp_path: Path) -> None:
    one, other = (
        read(tmp_path, "a.txt", text)[0].order().prompt for text in ("A fox\nruns", "A fox runs\n")
    )
    assert one == other


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("a.json", '{"shots": [\n{"prompt": "A"},\n{"prompt": B}]}', 3, "letter 12"),
        ("a.json", '[{"prompt": "A"}', 1, "the end"),
        ("a.json", '[{"prompt": "A"}] x', 1, "after its end"),
        ("a.json", '{"shot": []}', 1, "'shot'"),
        ("a.json", '{"shots": [{"prompt": "A"}],\n "defaults": 3}', 2, "'defaults'"),
        ("a.json", "[3]", 1, "must be an object"),
        ("a.json", "[" * 100_000, 1, "not JSON"),
        ("a.jsonl", '{"prompt": "A"}\n{"prompt": "B"\n{"prompt": "C"}\n', 2, "Each line"),
        ("a.txt", "# one\n\n# two\nA fox\n", 1, "no shot below"),
        ("a.txt", "A fox\n\n# last\n", 3, "no shot below"),
    ],
)
def test_what_is_not_of_its_form(
    tmp_path: Path, name: str, text: str, line: int, words: str
) -> None:
    found = mistakes(tmp_path, name, text)
    assert found[0][0] == line and words in f"{found[0][1]} {found[0][2]}"


# ----------------------------------------------------------------------------------- all mistakes


def test_all_mistakes_are_told_at_once_with_line_column_and_what_was_meant(tmp_path: Path) -> None:
    written(tmp_path, "portrait.png", b"x")
    text = (
        "name,prompt,duration,resolution,provider,image,after,seed\n"
        "a,A fox,long,720,preview,,,\n"
        'b,"A\nboat",8,,previev,potrait.png,,\n'
        "a,A car,8,,,,bb,-3\n"
        "d,A car,8,,,portrait.png,b,\n"
    )
    found = mistakes(tmp_path, "a.csv", text)
    assert [each[:2] for each in found] == [
        (2, "column duration (C)"),
        (2, "column resolution (D)"),
        (3, "column provider (E)"),
        (3, "column image (F)"),
        (5, "column after (G)"),
        (5, "column name (A)"),
        (6, "column image (F)"),
    ]
    assert "whole number" in found[0][2] and "Did you mean 720p?" in found[1][2]
    assert "Did you mean preview?" in found[2][2] and "Did you mean portrait.png?" in found[3][2]
    with pytest.raises(BadShots) as caught:
        shots.read_file(tmp_path / "a.csv")
    assert "7 mistakes; nothing was sent" in caught.value.message
    assert caught.value.message.count("\n") == 7
    assert caught.value.as_dict()["kind"] == "BadOrder"
    assert len(caught.value.as_dict()["problems"]) == 7
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.as_dict() == caught.value.as_dict() and str(copy) == str(caught.value)


def test_a_mistake_in_json_has_the_line_of_its_name(tmp_path: Path) -> None:
    text = '[\n  {"prompt": "A"},\n  {\n    "prompt": "B",\n    "ratio": "16x9"\n  }\n]'
    ((line, column, words),) = mistakes(tmp_path, "a.json", text)
    assert (line, column) == (5, "ratio") and "Did you mean 16:9?" in words
    with pytest.raises(BadOrder, match="Shot 2, line 5, ratio: There is no ratio '16x9'"):
        shots.read_file(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.json", '["A", 3]', "Shot 2, line 1: A shot must be an object"),
        (
            "a.json",
            '{"shots": ["A",\n{"prompt" "B"}]}',
            "Shot 2, line 2, letter 11: It is not JSON",
        ),
        ("a.json", '["A", {"prompt": B}]', "Shot 2, line 1, letter 18: It is not JSON"),
        ("a.jsonl", '"A"\n3', "Line 2: A shot must be an object"),
        (
            "a.csv",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            "Line 1: The file is no text. A list of shots is CSV",
        ),
    ],
)
def test_a_mistake_of_form_says_which_shot(
    tmp_path: Path, name: str, data: str | bytes, message: str
) -> None:
    with pytest.raises(BadShots) as caught:
        read(tmp_path, name, data)
    assert message in caught.value.message


def test_thousands_of_mistakes_take_no_time_to_explain(tmp_path: Path) -> None:
    text = "prompt,after,image\n" + "A fox,nobody,nothing.png\n" * 3000
    found = mistakes(tmp_path, "a.csv", text)
    assert len(found) == 6000
    with pytest.raises(BadShots) as caught:
        shots.read_file(tmp_path / "a.csv")
    assert "5980 more" in caught.value.message and len(caught.value.message) <= 4200


@pytest.mark.parametrize(
    ("record", "column", "words"),
    [
        ({"prompt": "A", "takes": 9}, "takes", "9 takes"),
        ({"prompt": "A", "takes": True}, "takes", "whole number"),
        ({"prompt": "A", "duration": 0}, "duration", "0 s"),
        ({"prompt": "A", "duration": 7.5}, "duration", "whole number"),
        ({"prompt": "A", "duration": float("nan")}, "duration", "whole number"),
        ({"prompt": "A", "extra": {"fal": 3}}, "extra", "JSON object"),
        ({"prompt": "A", "extra": {"fal": {"x": 10**6}}, "oops": 1}, "oops", "no option"),
        ({"prompt": 3}, "prompt", "must be a text"),
        ({"prompt": "A", "references": [3]}, "references", "list of files"),
        ({"prompt": "A", "references": "a.xyz"}, "references", "cannot be told"),
        ({"prompt": "A", "video": ["a.mp4"]}, "video", "a file or an address"),
        ({"prompt": "A", "name": "x" * 81}, "name", "81 letters"),
        ({"prompt": "A", "name": "x\ny"}, "name", "line break"),
        ({"prompt": "A", "last_image": "https://x.example/a.png"}, "", "last frame without"),
        ({"prompt": "A", "operation": "edit"}, "", "needs a clip"),
        ({"prompt": "A\ud800"}, "prompt", "half a character"),
        ({"prompt": "A" * 20_001}, "prompt", "letters"),
        ({"prompt": "A", "image": "x\0.png"}, "image", "file"),
    ],
)
def test_a_value_that_cannot_be(record: dict[str, Any], column: str, words: str) -> None:
    with pytest.raises(BadShots) as caught:
        shots.read_records([record])
    (problem,) = caught.value.problems
    assert (problem.column, problem.place) == (column, "shot 1")
    assert words in f"{problem.message} {problem.hint}"


def test_an_empty_list_or_none_at_all(tmp_path: Path) -> None:
    for name, text in (("a.csv", "prompt,seed\n"), ("a.json", "[]"), ("a.txt", " \n"), ("b", "")):
        with pytest.raises(BadOrder, match="has no shots"):
            read(tmp_path, name, text)
    written(tmp_path, "shots.csv", table())
    with pytest.raises(BadOrder, match=r"shotz\.csv cannot be read") as caught:
        shots.read_file(tmp_path / "shotz.csv")
    assert "Did you mean shots.csv?" in caught.value.hint
    with pytest.raises(BadOrder, match="is a folder"):
        shots.read_file(tmp_path)


# ------------------------------------------------------------------------------ media, after, names


def test_relative_files_are_beside_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "film"
    folder.mkdir()
    for name in ("her.png", "street.jpg", "walk.mp4"):
        written(folder, name, b"x")
    monkeypatch.chdir(tmp_path)
    text = "prompt,references\nA,her.png; image:street.jpg;https://x.example/a.wav\n"
    written(folder, "a.csv", text + "B,her.png\n")
    first, second = shots.read_file(Path("film/a.csv"))
    media = first.order().references
    assert [medium.kind for medium in media] == ["image", "image", "audio"]
    assert [medium.path for medium in media[:2]] == [folder / "her.png", folder / "street.jpg"]
    assert second.order().references[0] is media[0]  # read once, however many shots use it


def test_a_shot_that_follows_takes_the_ratio_of_the_one_before() -> None:
    first, second, third, fourth = shots.read_records(
        [
            {"prompt": "A", "name": "a"},
            {"prompt": "B", "name": "b", "after": "a"},
            {"prompt": "C", "name": "c", "after": "b", "ratio": "1:1"},
            {"prompt": "D", "after": "c", "last_image": "https://x.example/a.png"},
        ]
    )
    assert [shot.ratio for shot in (first, second, third, fourth)] == ["16:9", "16:9", "1:1", "1:1"]
    assert second.order().mode == "image" and second.order().media[0].unknown
    assert fourth.order().mode == "frames"
    png = Medium.from_address("image", "https://x.example/last.png")
    assert second.order(png).first_frame is png


def test_a_chain_links_what_says_nothing_about_its_beginning() -> None:
    text = json.dumps(["A", "B", {"prompt": "C", "references": "https://x.example/a.png"}, "D"])
    chained = shots.read_text(text, chain=True)
    assert [shot.after for shot in chained] == [None, "001", None, "003"]
    assert [shot.after for shot in shots.read_text(text)] == [None] * 4


def test_a_text_of_a_stranger_names_no_file(tmp_path: Path) -> None:
    written(tmp_path, "secret.png", b"x")
    for value in (str(tmp_path / "secret.png"), "file:///etc/passwd", "image:secret.png"):
        for option in ("image", "references", "video"):
            with pytest.raises(BadShots, match=r"names no files|https"):
                shots.read_text(json.dumps([{"prompt": "A", option: value}]))
    (shot,) = shots.read_text('[{"prompt": "A", "image": "asset://abc"}]')
    assert shot.order().media[0].address == "asset://abc"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("sh010", "sh010"),
        ("seq 1/sh:010?", "seq 1_sh_010_"),
        ("../../etc", "_.._.._etc"),
        ("con", "_con"),
        ("-rf", "_-rf"),
        ("... ", "_"),
        ("狐", "狐"),
    ],
)
def test_a_name_becomes_that_of_a_file(name: str, stem: str) -> None:
    assert shots.file_stem(name) == stem
    assert Path("x", shots.file_stem(name)).parent == Path("x")


def test_a_long_list_takes_little_memory(tmp_path: Path) -> None:
    prompt = "A red fox runs through fresh snow, the camera follows low, cold light"
    rows = [f"sh{number:05};{number} {prompt};8;her.png" for number in range(2000)]
    written(tmp_path, "her.png", b"x")
    path = written(tmp_path, "a.csv", "name;prompt;duration;references\n" + "\n".join(rows))
    tracemalloc.start()
    try:
        found = shots.read_file(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 2000
    assert most < 4 * 2**20
