"""The other commands: check, providers, tasks, key, doctor."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import fakes
import pytest
from command_line import FOX, Command
from hypothesis import given
from hypothesis import strategies as st

import seedance
from seedance import providers
from seedance.texts import cell as cell_of

pytestmark = pytest.mark.slow


def test_check_sends_nothing_and_shows_each_provider(
    command: Command, lumenfall: fakes.Fake
) -> None:
    quotes = {quote["provider"]: quote for quote in command("check", *FOX[3:], "--json").json}
    assert set(quotes) == set(providers.ids())
    assert quotes["lumenfall"]["payload"]["prompt"] == "a fox"
    assert lumenfall.requests == []


def test_check_of_a_provider_that_cannot_says_so(command: Command, lumenfall: fakes.Fake) -> None:
    ran = command("check", *FOX[1:], "--duration", "30")
    assert ran.code == 2
    assert "lumenfall: no. Lumenfall does not support duration 30" in ran.out


@pytest.mark.parametrize("name", ["Lumenfall", "lumenfal"])
def test_check_of_a_provider_that_does_not_exist_names_the_nearest(
    command: Command, name: str
) -> None:
    ran = command("check", "--prompt", "a fox", "--provider", name)
    assert ran.code == 2
    assert "Did you mean lumenfall?" in ran.err
    with pytest.raises(seedance.BadOrder, match="no provider"):
        seedance.check("a fox", provider=name)


def test_providers_lists_all_with_the_source_of_their_key(
    command: Command, lumenfall: fakes.Fake
) -> None:
    records = {record["id"]: record for record in command("providers", "--json").json}
    assert set(records) == set(providers.ids())
    assert records["lumenfall"]["key"] == "environment"
    assert records["leonardo"]["key"] is None
    assert records["leonardo"]["models"]["seedance-2.0"]["images"] == 4
    assert "LEONARDO_API_KEY" in command("providers").out


def test_tasks_json_is_newest_first(command: Command, lumenfall: fakes.Fake) -> None:
    command(*FOX)
    command(*FOX, "--seed", "1")
    rows = command("tasks", "--json").json
    assert [(row["seed"], row["state"]) for row in rows] == [(1, "saved"), (0, "saved")]
    assert set(rows[0]) == {
        *("row", "task", "provider", "model", "state", "created", "updated"),
        *("prompt", "seed", "file", "cost", "error"),
    }
    assert rows[0]["created"].endswith("Z")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("\n=1+1", "\n'=1+1"),
        ("  =1+1", "  '=1+1"),
        ("\r\n\t =1+1", " \n\t '=1+1"),
        ("\u00a0=1", "\u00a0'=1"),
        ("\ufeff=1", "\ufeff'=1"),
        ("a;\u200b\u00ad=1", "a;\u200b\u00ad'=1"),
        ("\ufe661", "'\ufe661"),
        ("a;=1+1", "a;'=1+1"),
        ("a\t=1+1", "a\t'=1+1"),
        ("a\n-1", "a\n'-1"),
        ('a; "=1+1', "a; \"'=1+1"),
        ('";"@x', '";"\'@x'),
        ("\uff1d1", "'\uff1d1"),
        ("a,+1|@b", "a,'+1|'@b"),
        ("\x1b[2Ja\u202eb", " [2Ja b"),
        ("a fox = an animal - or not", "a fox = an animal - or not"),
    ],
)
def test_a_cell_begins_no_formula_at_any_separator(text: str, cell: str) -> None:
    assert cell_of(text) == cell


@pytest.mark.safety
@given(st.text(alphabet="=+-@;,\t\n\r \"'|a1", max_size=30))
def test_no_cell_holds_a_formula_in_a_spreadsheet_that_splits_elsewhere(text: str) -> None:
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow(["1", cell_of(text), "2"])
    for separator in (",", ";", "\t"):
        for quote in ('"', None):
            style: dict[str, Any] = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
            for cells in csv.reader(io.StringIO(row.getvalue()), delimiter=separator, **style):
                for found in cells:
                    assert not found.lstrip(' \t\r\n"').startswith(tuple("=+-@")), found


def test_tasks_csv_cannot_hold_a_formula(command: Command, lumenfall: fakes.Fake) -> None:
    command(*FOX[:-1], "=HYPERLINK(1)")
    (row,) = csv.DictReader(io.StringIO(command("tasks", "--csv").out))
    assert (row["prompt"], row["amount"], row["currency"]) == ("'=HYPERLINK(1)", "1.51", "USD")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "ascii:strict"])
def test_a_pipe_that_is_not_utf_8_takes_every_name(
    lumenfall: fakes.Fake, tmp_path: Path, encoding: str
) -> None:
    def piped(*words: str) -> tuple[int, bytes, str]:
        child = subprocess.run(
            [sys.executable, "-m", "seedance", *words],
            env={
                **os.environ,
                "SEEDANCE_POLL_INTERVAL": "0.05",
                "PYTHONIOENCODING": encoding,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        return child.returncode, child.stdout, child.stderr.decode("ascii")

    fox = (*FOX[:-1], "狐 runs…")
    target = tmp_path / "狐.mp4"
    code, out, err = piped(*fox, "-o", str(target))
    assert (code, out.split()) == (0, [str(target).encode("ascii", "backslashreplace")])
    assert "not known" not in err
    assert target.exists()
    code, out, _ = piped(*fox, "-o", str(target), "--json")
    assert (code, json.loads(out)["file"]) == (0, str(target))
    code, out, _ = piped("tasks", "--csv")
    (row,) = csv.DictReader(io.StringIO(out.decode("utf-8")))
    assert (code, row["prompt"], row["file"]) == (0, "狐 runs…", str(target))
    assert piped("tasks")[0] == 0
    code, out, _ = piped("check", "--prompt", "狐 runs…", "--provider", "lumenfall")
    assert (code, b"\\u72d0" in out) == (0, True)


def test_costs_are_summed_by_day_and_provider(command: Command, lumenfall: fakes.Fake) -> None:
    command(*FOX, "--takes", "2")
    (total,) = command("tasks", "--costs", "--json").json
    assert total.pop("day") == date.today().isoformat()
    assert total == {
        "provider": "lumenfall",
        "currency": "USD",
        "tasks": 2,
        "amount": 3.02,
        "estimated": False,
    }
    assert "3.02" in command("tasks", "--costs").out


def test_a_key_goes_from_standard_input_to_the_key_file(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("sk-secret-0123\n"))
    stored = command("key", "set", "lumenfall")
    key_file = tmp_path / "home" / "keys.json"
    assert json.loads(key_file.read_text())["lumenfall"]["key"] == "sk-secret-0123"
    shown = stored.out + stored.err + command("providers", "--json").out + command("doctor").out
    assert "sk-secret" not in shown
    assert "key of lumenfall: file" in shown

    assert command("key", "remove", "lumenfall").code == 0
    assert command(*FOX).code == 3


def test_key_test_asks_the_provider(
    command: Command, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "12.50 USD left" in command("key", "test", "lumenfall").out
    monkeypatch.setenv("LUMENFALL_API_KEY", "sk-wrong")
    ran = command("key", "test", "lumenfall")
    assert ran.code == 4
    assert "sk-wrong" not in ran.out + ran.err


def test_doctor_finds_a_folder_that_cannot_be_written(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert command("doctor").code == 0
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEEDANCE_OUTPUT", str(tmp_path / "file" / "folder"))
    ran = command("doctor")
    assert ran.code == 1
    assert "BAD output:" in ran.out


def test_keys_and_findings_are_told_as_json(
    command: Command, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = {each["provider"]: each for each in command("key", "list", "--json").json}
    assert set(keys) == set(providers.ids())
    assert keys["lumenfall"]["key"] == "environment"
    assert keys["leonardo"] == {
        "provider": "leonardo",
        "key": None,
        "key_variable": "LEONARDO_API_KEY",
    }
    shown = command("key", "list").out
    assert "environment" in shown
    assert "set LEONARDO_API_KEY" in shown

    tested = command("key", "test", "lumenfall", "--json").json
    assert tested["provider"] == "lumenfall"
    assert tested["left"]["amount"] == 12.5
    assert tested["left"]["currency"] == "USD"

    ran = command("doctor", "--json")
    assert ran.code == 0
    assert {"topic": "key of lumenfall", "found": "environment", "ok": True} in ran.json
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEEDANCE_OUTPUT", str(tmp_path / "file" / "folder"))
    ran = command("doctor", "--json")
    assert ran.code == 1
    assert [each["topic"] for each in ran.json if not each["ok"]] == ["output"]


def test_doctor_finds_a_key_file_that_cannot_be_used(command: Command, tmp_path: Path) -> None:
    key_file = tmp_path / "home" / "keys.json"
    key_file.parent.mkdir(exist_ok=True)
    key_file.write_text("{broken")
    key_file.chmod(0o600)
    ran = command("doctor")
    assert ran.code == 1
    assert f"BAD key file: The key file {key_file}" in ran.out
    assert "BAD key of fal: not known, since the key file cannot be read" in ran.out


def test_doctor_compares_nothing_with_a_journal_that_cannot_be_read(
    command: Command, tmp_path: Path
) -> None:
    journal = tmp_path / "home" / "journal.db"
    journal.parent.mkdir(exist_ok=True)
    journal.write_text("junk")
    ran = command("doctor")
    assert "BAD tickets: not compared with the journal, which cannot be read" in ran.out


@pytest.mark.parametrize("elsewhere", [False, True])
def test_comfyui_gives_the_folders_of_an_installation(
    command: Command,
    lumenfall: fakes.Fake,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    elsewhere: bool,
) -> None:
    for name in ("SEEDANCE_HOME", "SEEDANCE_OUTPUT"):
        if not elsewhere:
            monkeypatch.delenv(name)
    comfyui = tmp_path / "ComfyUI"
    comfyui.mkdir()
    (comfyui / "folder_paths.py").touch()
    ran = command("--comfyui", str(comfyui), *FOX, "--json")
    assert Path(ran.json["file"]).parent == comfyui / "output" / "seedance"
    assert (comfyui / "user" / "__seedance" / "journal.db").is_file()


def test_a_journal_of_no_known_kind_shows_how_an_address_looks(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDANCE_JOURNAL_URL", "postgres://me:secret@127.0.0.1:1/films")
    ran = command("tasks")
    assert ran.code == 2
    assert "postgresql+psycopg://" in ran.err
    assert "secret" not in ran.err
