"""What is said next fits what was typed: variables, folders and options that are there."""

from __future__ import annotations

import pytest
from command_line import Command

from seedance.settings import Settings

PREVIEW = (
    *("generate", "--provider", "preview", "--resolution", "480p", "--duration", "4"),
    *("--ratio", "1:1", "--prompt", "x"),
)


def test_doctor_names_each_variable_that_is_wrong(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {
        "SEEDANCE_TIMEOUT": "soon",
        "SEEDANCE_POLL_INTERVAL": "often",
        "SEEDANCE_MAX_USD": "much",
        "SEEDANCE_BUDGET_DAY": "lots",
        "SEEDANCE_UNKNOWN_PRICE": "xx",
        "SEEDANCE_BUDGET_PROJECTS": '{"trailer": "all"}',
        "SEEDANCE_LUMENFALL_BASE_URL": "nowhere",
        "SEEDANCE_FAL_MODELS": "{",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    ran = command("doctor", "--json")
    assert ran.code == 1
    bad = {each["topic"]: each["found"] for each in ran.json if not each["ok"]}
    assert set(bad) == set(wrong)
    assert "like SEEDANCE_BUDGET_DAY=20" in bad["SEEDANCE_BUDGET_DAY"]
    assert "like SEEDANCE_UNKNOWN_PRICE=20" in bad["SEEDANCE_UNKNOWN_PRICE"]
    assert '{"trailer": 200}' in bad["SEEDANCE_BUDGET_PROJECTS"]


def test_rebuild_names_the_folder_that_it_searched(command: Command) -> None:
    said = command("doctor", "--rebuild").err
    assert f"below {Settings.load().output}." in said
    assert "SEEDANCE_OUTPUT=FOLDER seedance doctor --rebuild" in said


def test_without_costs_there_is_no_table_of_them(command: Command) -> None:
    assert command(*PREVIEW).code == 0
    for words in (("tasks", "--costs"), ("tasks", "--costs", "--by", "day")):
        ran = command(*words)
        assert (ran.out, "Nothing was spent yet." in ran.err) == ("", True)


def test_auto_says_why_the_only_key_is_not_used(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    Settings.load().set_key("lumenfall", "sk-0123456789")
    monkeypatch.setenv("SEEDANCE_LUMENFALL_BASE_URL", "https://other.example")
    ran = command("generate", "--prompt", "x", "--resolution", "720p")
    assert ran.code == 3
    assert "The stored key of Lumenfall belongs to" in ran.err
    assert "There is no key for any provider" not in ran.err
