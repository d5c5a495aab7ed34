"""The journal's one file, and the journal again from the sidecars."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command_line import FOX, Command
from running import Desk

from seedance.errors import BadOrder, OverBudget
from seedance.runner import Runner
from seedance.runner.batches import make_film
from seedance.runner.files import Files
from seedance.settings import Settings

pytestmark = pytest.mark.slow


def test_journal_db_alone_holds_everything_while_the_program_runs(
    desk: Desk, tmp_path: Path
) -> None:
    """As ComfyUI is ended by a signal: nothing is closed."""
    runner = desk.runner()
    result = desk.video(runner)
    home = runner.settings.home
    shutil.copytree(home, tmp_path / "copy", ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    copied = Runner(Settings(tmp_path / "copy", desk.output, desk.fake.environment()))
    (row,) = copied.tasks()
    assert (row.task, row.state) == (result.task, "saved")
    assert copied.start(desk.order())[0].wait().reused


@pytest.mark.parametrize("how", ["damaged", "no database", "missing"])
def test_a_lost_journal_pays_nothing_twice_and_is_rebuilt(
    command: Command, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    for name, value in desk.fake.environment().items():
        monkeypatch.setenv(name, value)
    file = Path(command(*FOX, "--json").json["file"])
    before = command("tasks", "--json").json
    journal = tmp_path / "home" / "journal.db"
    data = journal.read_bytes()
    if how == "missing":
        journal.unlink()
    else:
        torn = b"no" * 3000 if how == "no database" else data[:100] + b"\xff" * 30000
        journal.write_bytes(torn)
    ran = command(*FOX, "--json")
    assert (ran.code, ran.json["error"]["spent"]) == (2, "no")
    assert "seedance doctor --rebuild" in ran.json["error"]["hint"]
    assert desk.fake.creates == 1

    rebuilt = command("doctor", "--rebuild")
    assert "1 saved video(s)" in rebuilt.err
    assert rebuilt.code == 0
    again = command(*FOX, "--json")
    assert (again.code, again.json["file"], desk.fake.creates) == (0, str(file), 1)
    (row,) = command("tasks", "--json").json
    changing = {"row", "updated"}
    assert {k: v for k, v in row.items() if k not in changing} == {
        k: v for k, v in before[0].items() if k not in changing
    }
    assert "0 saved video(s)" in command("doctor", "--rebuild").err
    kept = list(journal.parent.glob("journal.db.damaged-*"))
    assert [each.read_bytes() for each in kept] == ([] if how == "missing" else [torn])


def test_what_was_spent_long_ago_is_not_of_today(desk: Desk, tmp_path: Path) -> None:
    result = desk.video()
    record = json.loads(result.sidecar.read_text("utf-8"))
    record["created"] = "2020-01-01T00:00:00Z"
    result.sidecar.write_text(json.dumps(record), "utf-8")
    (desk.runner().settings.home / "journal.db").unlink()
    runner = desk.runner(SEEDANCE_BUDGET_DAY="1.60")
    assert runner.rebuild() == (1, None)
    assert [total.day.year for total in runner.journal.spent(10**4)] == [2020]
    assert desk.video(runner, seed=1).cost
    with pytest.raises(OverBudget):
        desk.start(runner, seed=2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"task": "nonsense"},
        {"task": 7},
        {"order": None},
        {"sha256": "/etc/passwd"},
        {"width": "wide"},
        {"created": "yesterday"},
        {"cost": {"amount": "all"}},
        {"changes": 7},
    ],
)
def test_a_sidecar_that_makes_no_sense_is_left_out(desk: Desk, wrong: dict[str, object]) -> None:
    result = desk.video()
    record = json.loads(result.sidecar.read_text("utf-8")) | wrong
    result.sidecar.write_text(json.dumps(record), "utf-8")
    (desk.runner().settings.home / "journal.db").unlink()
    assert desk.runner().rebuild() == (0, None)


def test_a_film_is_no_order(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    runner = desk.runner()
    video = desk.video(runner).file
    film = video.with_name("film.mp4")
    make_film([("one", desk.video(runner))], film)
    assert '"film"' in Files(film).sidecar.read_text("utf-8")
    runner.close()
    runner.journal.set_aside()
    (runner.settings.home / "journal.db").unlink()
    assert desk.runner().rebuild()[0] == 1
    assert caplog.records == []


def test_another_order_is_not_held_up_by_a_new_journal(desk: Desk) -> None:
    desk.video()
    (desk.runner().settings.home / "journal.db").unlink()
    with pytest.raises(BadOrder, match="may have been lost"):
        desk.start(desk.runner())
    assert desk.video(desk.runner(), seed=1).state == "saved"
