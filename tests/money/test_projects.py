"""Projects: a label of orders, by which costs are added up and limited."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fakes
import pytest
from command_line import Command, in_this_process
from running import Desk

from seedance.errors import BadOrder, OverBudget
from seedance.order import fingerprint


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return in_this_process(monkeypatch, capsys)


@pytest.fixture
def lumenfall(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> fakes.Fake:
    for name, value in desk.fake.environment().items():
        monkeypatch.setenv(name, value)
    return desk.fake


def generate(command: Command, prompt: str, *words: str) -> Any:
    return command("generate", "--provider", "lumenfall", "--prompt", prompt, *words)


def costs(command: Command, by: str) -> dict[str, Any]:
    """The totals by their first column; each but that and the currency."""
    records = command("tasks", "--costs", "--by", by, "--json").json
    return {record[by]: record for record in records}


def test_a_project_is_in_journal_and_sidecar_and_not_in_what_is_sent(desk: Desk) -> None:
    video = desk.video(project=" Trailer ")
    row = desk.row()
    assert row.project == "Trailer"
    assert json.loads(video.sidecar.read_text())["order"]["project"] == "Trailer"
    assert b"Trailer" not in b"".join(request.body for request in desk.fake.requests)


def test_the_same_order_in_another_project_is_the_same(desk: Desk) -> None:
    assert fingerprint(desk.order(project="a")) == fingerprint(desk.order())
    first = desk.video(project="a")
    assert desk.video(project="b").task == first.task
    assert desk.fake.creates == 1 and desk.row().project == "a"


@pytest.mark.parametrize("name", ["x" * 61, "two\nlines", "\x1b[31m"])
def test_a_name_that_cannot_be(desk: Desk, name: str) -> None:
    with pytest.raises(BadOrder, match="name of a project"):
        desk.start(project=name)
    assert desk.fake.requests == []


def test_a_project_has_a_budget_of_its_own(desk: Desk) -> None:
    runner = desk.runner(SEEDANCE_BUDGET_PROJECTS='{"trailer": 2}')  # one costs 1.515 USD
    desk.video(runner, project="trailer")
    with pytest.raises(OverBudget, match="project trailer"):
        desk.start(runner, 1, project="trailer")
    desk.video(runner, 1, project="film")
    desk.video(runner, 2)
    assert desk.fake.creates == 3


@pytest.mark.parametrize("value", ["[1]", "{", '{"trailer": "much"}', '{"trailer": -1}'])
def test_a_budget_that_cannot_be_read_sends_nothing(desk: Desk, value: str) -> None:
    for project in ("trailer", "film", ""):  # a budget that limits nothing is seen at once
        with pytest.raises(BadOrder, match=r"^(SEEDANCE_BUDGET_PROJECTS|The budget of trailer) "):
            desk.start(desk.runner(SEEDANCE_BUDGET_PROJECTS=value), project=project)
    assert desk.fake.requests == []


def test_costs_by_project_provider_and_model(
    command: Command, lumenfall: fakes.Fake, tmp_path: Path
) -> None:
    generate(command, "a", "--project", "trailer")
    generate(command, "b", "--project", "trailer")
    generate(command, "c")
    generate(command, "a", "--project", "trailer")
    generate(command, "a", "--project", "film")  # the same order: free, and trailer's
    found = costs(command, "project")
    assert found.keys() == {"", "trailer"}
    trailer = found["trailer"]
    assert (trailer["tasks"], trailer["currency"], trailer["reused"]) == (2, "USD", 2)
    assert trailer["saved"] == pytest.approx(trailer["amount"])  # twice one of two
    assert costs(command, "provider")["lumenfall"]["tasks"] == 3
    assert costs(command, "model")["seedance-2.0"]["tasks"] == 3
    (day,) = costs(command, "day").values()
    assert (day["tasks"], day["reused"]) == (3, 2)


def test_costs_as_a_table_and_as_csv(command: Command, lumenfall: fakes.Fake) -> None:
    assert "Nothing was spent yet" in command("tasks", "--costs", "--by", "project").err
    generate(command, "a", "--project", "=trailer")
    generate(command, "b")
    table = command("tasks", "--costs", "--by", "project").out
    assert "=trailer" in table and "(no project)" in table
    csv = command("tasks", "--costs", "--by", "project", "--csv").out.splitlines()
    assert csv[0] == "project,currency,tasks,amount,estimated,reused,saved"
    assert any(line.startswith("'=trailer,USD,1,") for line in csv)
    assert command("tasks", "--by", "project").code == 2


def test_free_orders_and_refused_ones_are_left_out(
    command: Command, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lumenfall.fault(lambda request: request.method == "POST", "status:400")
    assert generate(command, "a", "--project", "x").code == 4
    assert costs(command, "project") == {}


def test_a_batch_has_a_project(command: Command, lumenfall: fakes.Fake, tmp_path: Path) -> None:
    shots = tmp_path / "shots.csv"
    shots.write_text("prompt,project\nA fox,own\nA boat,\n")
    words = ("--provider", "lumenfall", "--project", "film", "--yes", "--json")
    told = command("batch", shots, *words).json
    assert [each["project"] for each in told["shots"]] == ["own", "film"]
    assert costs(command, "project").keys() == {"own", "film"}
