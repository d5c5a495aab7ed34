"""Orders under way whose journal is lost: they come back from the files of their tickets."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import FOX, Command
from running import Desk, left_running, until

from seedance.errors import BadOrder
from seedance.journal import Journal, Row, State
from seedance.runner import tickets

pytestmark = pytest.mark.slow


def journal(desk: Desk) -> Path:
    return desk.settings().home / "journal.db"


def kept(desk: Desk) -> int:
    """How many tickets of orders under way lie in files of their own."""
    return len(list(tickets.running(desk.settings().home).glob("*.json")))


def test_a_ticket_has_a_file_until_its_order_has_ended(desk: Desk) -> None:
    task = left_running(desk)
    assert (kept(desk), tickets.waiting(desk.settings().home)) == (1, [])
    runner = desk.runner()
    assert runner.collect(task).wait().state == "saved"
    assert kept(desk) == 0


def test_the_file_of_a_forgotten_order_goes_too(desk: Desk) -> None:
    task = left_running(desk)
    desk.runner().forget(task)
    assert kept(desk) == 0


def test_a_ticket_from_elsewhere_is_kept_too(desk: Desk) -> None:
    task = left_running(desk)
    shutil.rmtree(desk.settings().home)
    desk.fake.polls_until_done = 10**6
    runner = desk.runner()
    runner.collect(task)
    until(lambda: kept(desk) == 1)
    runner.close()
    journal(desk).unlink()
    runner = desk.runner()
    assert runner.rebuild() == (0, None)
    assert [(row.task, row.state) for row in runner.tasks()] == [(task, "running")]


@pytest.mark.parametrize("how", ["order", "collect", "recover"])
def test_an_order_under_way_comes_back_by_itself(desk: Desk, how: str) -> None:
    saved = desk.video(seed=1)
    task = left_running(desk)
    before = desk.rows()
    journal(desk).unlink()
    runner = desk.runner()
    if how == "recover":
        assert runner.recover() == 1
    job = runner.collect(task) if how == "collect" else runner.start(desk.order())[0]
    assert job.wait().task == task
    row = next(row for row in runner.tasks() if row.task == task)
    (was,) = [row for row in before if row.task == task]
    assert (row.fingerprint, row.created, row.prompt) == (was.fingerprint, was.created, "a fox")
    # What the lost journal had saved came back with it, and is not paid again.
    assert desk.video(runner, seed=1).file == saved.file
    assert desk.fake.creates == 2
    assert kept(desk) == 0


def test_a_journal_that_went_back_to_an_earlier_copy_gets_it_again(
    desk: Desk, tmp_path: Path
) -> None:
    desk.video(seed=1)
    shutil.copy(journal(desk), tmp_path / "copy")
    task = left_running(desk)
    shutil.copy(tmp_path / "copy", journal(desk))
    assert desk.video(desk.runner()).task == task
    assert desk.fake.creates == 2


@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_rebuild_brings_saved_videos_and_orders_under_way(
    desk: Desk, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    for name, value in desk.fake.environment().items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    command(*FOX, "--seed", "1")
    desk.fake.polls_until_done = 10**6
    with monkeypatch.context() as patched:
        patched.setenv("SEEDANCE_TIMEOUT", "0")
        assert command(*FOX).code == 7
    (home / "journal.db").unlink()
    if how == "damaged":
        (home / "journal.db").write_bytes(b"no" * 3000)
    ran = command("doctor", "--rebuild")
    assert "1 saved video(s)" in ran.err
    assert "lumenfall:vid_0002" in ran.err
    assert "seedance collect --all" in ran.err
    states = {row["task"]: row["state"] for row in command("tasks", "--json").json}
    assert states == {"lumenfall:vid_0001": "saved", "lumenfall:vid_0002": "running"}
    desk.fake.polls_until_done = 0
    assert command("collect", "--all").code == 0
    assert command(*FOX, "--json").json["task"] == "lumenfall:vid_0002"
    assert desk.fake.creates == 2


def test_an_order_whose_ticket_the_journal_lacks_is_collected_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = True
    advance = Journal.advance

    def refused(self: Journal, row_id: int, state: str, **values: Any) -> Row:
        if away and state == State.RUNNING:
            raise BadOrder("The journal cannot be written.")
        return advance(self, row_id, state, **values)

    monkeypatch.setattr(Journal, "advance", refused)
    monkeypatch.setattr("seedance.runner.active.WRITE_PAUSE", 0.01)
    desk.fake.polls_until_done = 10**6
    runner = desk.runner()
    first = runner.start(desk.order())[0]
    until(lambda: first.task)
    second = runner.collect(str(first.task))
    assert second.row == first.row
    away = False
    desk.fake.polls_until_done = 0
    assert second.wait().file == first.wait().file
    assert [row.state for row in runner.tasks()] == ["saved"]
    assert desk.fake.creates == 1
