"""What errors say to a person, and what of them the journal and JSON keep."""

from __future__ import annotations

import json

import pytest

from seedance import errors
from seedance.addresses import ForbiddenAddress
from seedance.errors import KINDS, SeedanceError, from_dict
from seedance.runner import client
from seedance.transport import NotSent

# Scripts rely on these.
EXIT_CODES = {
    "BadOrder": 2,
    "NeedsKey": 3,
    "Refused": 4,
    "Moderated": 4,
    "OutOfCredit": 4,
    "OverBudget": 4,
    "Unclear": 5,
    "TaskFailed": 6,
    "StillRunning": 7,
    "Unreachable": 8,
    "OddReply": 9,
    "Cancelled": 130,
}
SPENT = {"no": ("BadOrder", "NeedsKey", "Refused", "Unreachable"), "yes": ("StillRunning",)}
SPENT["unknown"] = ("Unclear", "TaskFailed", "OddReply", "Cancelled")


def test_kinds_and_exit_codes_are_those_that_scripts_rely_on() -> None:
    assert {name: kind.exit_code for name, kind in KINDS.items()} == EXIT_CODES


@pytest.mark.parametrize(
    ("name", "spent"), [(name, spent) for spent, names in SPENT.items() for name in names]
)
def test_each_kind_says_what_it_means_for_money(name: str, spent: str) -> None:
    assert KINDS[name]("x").spent == spent


def test_what_was_spent_can_be_told_otherwise() -> None:
    assert errors.TaskFailed("x", spent="no").spent == "no"


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.BadOrder, ValueError),
        (errors.StillRunning, TimeoutError),
        (errors.Unreachable, ConnectionError),
    ],
)
def test_a_caller_may_catch_the_builtin_error(
    kind: type[SeedanceError], builtin: type[Exception]
) -> None:
    assert issubclass(kind, builtin)


def test_refusals_are_caught_together() -> None:
    for name in ("Moderated", "OutOfCredit", "OverBudget"):
        assert issubclass(KINDS[name], errors.Refused)


def test_the_tree_in_the_docstring_has_every_kind() -> None:
    assert all(f"+-- {name} " in (errors.__doc__ or "") for name in KINDS)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (NotSent, "Unreachable"),
        (ForbiddenAddress, "OddReply"),
        (client.UnknownTask, "SeedanceError"),
        (errors.Moderated, "Moderated"),
    ],
)
def test_a_kind_of_our_own_goes_by_the_name_of_its_family(
    kind: type[SeedanceError], name: str
) -> None:
    assert kind("x").kind == name


def test_the_text_is_message_hint_and_task_as_sentences() -> None:
    error = errors.StillRunning("It still runs", hint="Collect it later", task="fal:1")
    assert str(error) == "It still runs. Collect it later. Task: fal:1."


def test_the_text_gets_no_second_full_stop() -> None:
    assert str(errors.BadOrder("No.", hint="Why?")) == "No. Why?"


def test_an_error_survives_the_journal() -> None:
    error = errors.Moderated("no", hint="another prompt", task="fal:1", spent="unknown")
    again = from_dict(json.loads(json.dumps(error.as_dict())))
    assert type(again) is errors.Moderated
    assert again.as_dict() == error.as_dict()
    assert str(again) == str(error)


@pytest.mark.parametrize("record", [{}, {"kind": "Later", "message": "", "spent": "maybe"}])
def test_a_record_of_another_version_is_still_an_error(record: dict[str, str | None]) -> None:
    error = from_dict(record)
    assert type(error) is SeedanceError
    assert error.message == "unknown error"
