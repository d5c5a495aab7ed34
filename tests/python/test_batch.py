"""`seedance.batch`: shots as a program has them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import fakes
import numpy as np
import pytest

import seedance
from seedance import media
from seedance.api import ShotResult

HERE: dict[str, Any] = {"provider": "lumenfall", "ratio": "16:9"}


def test_shots_are_mappings_or_prompts(lumenfall: fakes.Fake, tmp_path: Path) -> None:
    pixels = np.full((800, 1400, 3), 90, np.uint8)
    done = seedance.batch(
        [
            {"name": "a", "prompt": "A fox", "image": pixels},
            {"prompt": "It stops", "after": "a", "takes": 2},
            "A boat",
            {"prompt": "@Image1", "references": [pixels, media.encode_png(pixels)]},
        ],
        out=tmp_path / "out",
        join=tmp_path / "film.mp4",
        report=tmp_path / "report.csv",
        **HERE,
    )
    assert [(each.shot, each.take) for each in done] == [
        ("a", 1),
        ("002", 1),
        ("002", 2),
        ("003", 1),
        ("004", 1),
    ]
    assert len(done) == 5 and done.errors == []
    assert [video.file.name for video in done.videos] == [
        *("a.mp4", "002.mp4", "002-2.mp4", "003.mp4", "004.mp4")
    ]
    assert done.film == tmp_path / "film.mp4" and media.probe(done.film).frames == 48
    with (tmp_path / "report.csv").open(newline="") as file:
        assert [row["state"] for row in csv.DictReader(file)] == ["saved"] * 5
    assert lumenfall.creates == 5


def test_a_report_is_refused_before_anything_is_sent_and_says_later_what_was_spent(
    lumenfall: fakes.Fake, tmp_path: Path
) -> None:
    path = tmp_path / "report.csv"
    path.write_text("name,prompt\na,A\n")
    for shots in (path, ["A"]):
        with pytest.raises(seedance.BadOrder, match="report") as refused:
            seedance.batch(shots, report=path, **HERE)
        assert refused.value.spent == "no"
    assert lumenfall.requests == []
    path.unlink()
    with pytest.raises(seedance.BadOrder, match="is a folder") as late:
        seedance.batch(["A"], report=path, on_result=lambda _: path.mkdir(), **HERE)
    assert late.value.spent == "yes"


def test_the_same_list_again_is_free(lumenfall: fakes.Fake) -> None:
    first = seedance.batch(["A", "B"], **HERE)
    again = seedance.batch(["A", "B"], **HERE)
    assert [video.task for video in again.videos] == [video.task for video in first.videos]
    assert all(video.reused for video in again.videos)
    assert lumenfall.creates == 2


def test_a_path_or_a_text_of_several_lines_is_a_list(lumenfall: fakes.Fake, tmp_path: Path) -> None:
    path = tmp_path / "shots.csv"
    path.write_text("name,prompt\nx,A fox\n")
    assert [each.shot for each in seedance.batch(path, **HERE)] == ["x"]
    assert [each.shot for each in seedance.batch(str(path), **HERE)] == ["x"]
    assert [each.shot for each in seedance.batch("# x\nA fox\n\nA boat", **HERE)] == ["x", "002"]
    assert lumenfall.creates == 2


def test_mistakes_are_told_at_once_and_nothing_is_sent(lumenfall: fakes.Fake) -> None:
    shots: list[Any] = [
        {"prompt": "A", "image": np.zeros((5, 5, 4), np.uint8)},
        {"prompt": "B", "length": 4},
        3,
    ]
    with pytest.raises(seedance.BadOrder) as caught:
        seedance.batch(shots, **HERE)
    assert "3 mistakes" in caught.value.message and "Shot 1, image" in caught.value.message
    with pytest.raises(seedance.BadOrder, match="no shots"):
        seedance.batch([], **HERE)
    assert lumenfall.requests == []


def test_the_limits_hold_for_the_whole_list(
    lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(seedance.OverBudget, match="max_usd is 2"):
        seedance.batch(["A", "B"], max_usd=2, **HERE)
    monkeypatch.setenv("SEEDANCE_MAX_USD", "2")
    with pytest.raises(seedance.OverBudget, match="SEEDANCE_MAX_USD"):
        seedance.batch(["A", "B"], **HERE)
    assert lumenfall.requests == []
    assert len(seedance.batch(["A", "B"], max_usd=4, **HERE).videos) == 2


def test_a_failed_shot_leaves_the_others(lumenfall: fakes.Fake) -> None:
    lumenfall.fault(lambda request: b"fox" in request.body, "status:400")
    told: list[ShotResult] = []
    names: list[str] = []
    done = seedance.batch(
        ["A fox", "A boat"],
        on_result=told.append,
        on_progress=lambda name, progress: names.append(name),
        **HERE,
    )
    (error,) = done.errors
    assert isinstance(error, seedance.Refused)
    assert [each.video is not None for each in done] == [False, True]
    assert sorted(each.shot for each in told) == ["001", "002"]
    assert "002" in names


class Frame:
    """As a table of pandas: iterating it gives the names of its columns."""

    def to_dict(self, orient: str) -> list[dict[str, Any]]:
        return [{"prompt": "A fox"}]

    def __iter__(self) -> Any:
        return iter(["prompt", "duration"])


def test_what_would_be_iterated_as_other_prompts_is_refused(
    lumenfall: fakes.Fake, tmp_path: Path
) -> None:
    path = tmp_path / "shots.csv"
    path.write_text("name,prompt\na,A fox\n")
    with path.open() as file, pytest.raises(seedance.BadOrder, match="its name"):
        seedance.batch(file, **HERE)
    with pytest.raises(seedance.BadOrder, match=r'to_dict\("records"\)'):
        seedance.batch(Frame(), **HERE)  # type: ignore[arg-type]
    assert lumenfall.requests == []


@pytest.mark.parametrize("name", ["name", "after", "duration", "image", "references", "project"])
def test_an_empty_cell_of_pandas_is_told(lumenfall: fakes.Fake, name: str) -> None:
    with pytest.raises(seedance.BadOrder, match=r"NaN.*None: table"):
        seedance.batch([{"prompt": "A fox", name: np.float64("nan")}], **HERE)
    assert lumenfall.requests == []


def test_an_option_that_there_is_not_is_told_whatever_its_value(lumenfall: fakes.Fake) -> None:
    with pytest.raises(seedance.BadOrder, match="There is no option 'img'"):
        seedance.batch([{"prompt": "A fox", "img": np.zeros((64, 64, 3))}], **HERE)
    assert lumenfall.requests == []
