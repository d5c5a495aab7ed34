"""`seedance asset`, and the signing keys that it needs."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import clips
import fakes
import pytest
from command_line import Command
from running import until

from seedance.providers import get
from seedance.runner import library
from seedance.settings import Settings

WEB = "https://media.example/hero.png"
HANDLE = "asset://asset-20261204090000-00001"
VARIABLES = get("byteplus").asset_key_variables


@pytest.fixture
def ark(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A BytePlus with a library, that the environment points to."""
    monkeypatch.setattr(library, "CHECK_SECONDS", 0.01)
    with fakes.all()["byteplus"](polls_until_done=0) as fake:
        values = {**fake.environment(), **fake.library.environment(VARIABLES)}
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        yield fake


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "hero.png"
    file.write_bytes(clips.picture_bytes(400, 400))
    return file


def test_add_list_show_and_remove_in_a_library(command: Command, ark: Any) -> None:
    adding = ("asset", "add", WEB, "--name", "Hero", "--provider", "byteplus")
    ran = command(*adding)
    assert (ran.code, ran.out) == (0, f"{HANDLE}\n")
    assert "Hero: the library looks at it" in ran.err
    assert "In a prompt it is @Asset:Hero." in ran.err
    view = {
        "name": "Hero",
        "provider": "byteplus",
        "kind": "image",
        "person": False,
        "state": "active",
        "problem": "",
        "handle": HANDLE,
        "file": None,
    }
    assert command(*adding, "--json").json == view
    assert command("asset", "list", "--json").json == [view]
    assert command("asset", "list", "--provider", "any", "--json").json == []
    listed = command("asset", "list").out
    assert [line.split() for line in listed.splitlines()][1][:3] == ["Hero", "byteplus", "image"]
    assert command("asset", "show", "hero", "--json").json == [view]
    assert HANDLE in command("asset", "show", "Hero").out
    assert len(ark.library.made("CreateAsset")) == 1
    assert command("asset", "remove", "Hero", "--json").json == [view]
    assert ark.library.assets == {}
    assert "no assets yet" in command("asset", "list").err
    assert command("asset", "show", "Hero").code == 2
    assert command("asset", "remove", "Hero").code == 2


def test_on_this_machine_and_in_a_prompt(command: Command, picture: Path, tmp_path: Path) -> None:
    ran = command("asset", "add", picture, "--name", "Hero")
    file = Path(ran.out.strip())
    assert (ran.code, file) == (0, tmp_path / "home" / "assets" / "Hero" / "01-hero.png")
    made = command(
        *("generate", "--provider", "preview", "--prompt", "@Asset:Hero walks", "--json"),
        *("--resolution", "480p", "--duration", "4", "-o", tmp_path / "a.mp4"),
    )
    assert made.code == 0, made.err
    assert made.json["state"] == "saved"
    order = json.loads((tmp_path / "a.seedance.json").read_text())["order"]
    assert [each["asset"] for each in order["references"]] == ["Hero"]
    shown = command("check", "--provider", "fal", "--prompt", "@Asset:Hero walks", "--json").json
    (fal,) = (each for each in shown if each["provider"] == "fal")
    assert fal["payload"]["prompt"] == "@Image1 walks"
    missing = command("generate", "--provider", "preview", "--prompt", "@Asset:Her walks")
    assert missing.code == 2
    assert "names the asset 'Her', which is missing here" in missing.err
    assert "Did you mean Hero?" in missing.err


def test_several_files_at_once(command: Command, picture: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jpg"
    other.write_bytes(clips.picture_bytes(300, 400, "JPEG"))
    ran = command("asset", "add", picture, other, "--name", "小明", "--json")
    assert [Path(each["file"]).name for each in ran.json] == ["01-hero.png", "02-other.jpg"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add", "nothing.png", "--name", "Hero"), "There is no file nothing.png"),
        (("add", WEB, "--name", "two words"), "cannot be the name"),
        (("add", WEB, "--name", "Hero"), "made of a file, not of an address"),
        (("add", WEB, "--name", "Hero", "--provider", "fal"), "fal has no asset library"),
        (("add", WEB, "--name", "Hero", "--provider", "nobody"), "no provider 'nobody'"),
        (("add", "https://media.example/x", "--name", "Hero"), "cannot be told from its ending"),
        (("add", WEB), "--name"),
        (("remove", "Hero"), "There is no asset 'Hero'"),
    ],
)
def test_what_is_wrong_is_said(command: Command, words: tuple[str, ...], says: str) -> None:
    ran = command("asset", *words)
    assert (ran.code, says in ran.err) == (2, True), ran.err


def test_without_a_signing_key(command: Command) -> None:
    ran = command("asset", "add", WEB, "--name", "Hero", "--provider", "byteplus")
    assert ran.code == 3
    assert "BYTEPLUS_ACCESS_KEY_ID and BYTEPLUS_SECRET_ACCESS_KEY" in ran.err


def test_a_library_that_does_not_answer_leaves_what_the_journal_knows(
    command: Command, ark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("asset", "add", WEB, "--name", "Hero", "--provider", "byteplus")
    monkeypatch.setenv(VARIABLES[1], "wrong")
    ran = command("asset", "list")
    assert ran.code == 0
    assert "refused the signing key" in ran.err and "What the journal knows is shown." in ran.err
    assert HANDLE in ran.out


# ------------------------------------------------------------------------------------ a person


def test_a_person_confirms_on_the_providers_page(
    command: Command, ark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def confirm() -> None:
        until(lambda: ark.library.made("GetVisualValidateResult"))
        ark.library.confirm()

    person = threading.Thread(target=confirm)
    person.start()
    anna = ("asset", "add", WEB, "--name", "Anna", "--provider", "byteplus")
    ran = command(*anna, "--kind", "person")
    person.join(60)
    assert (ran.code, ran.out) == (0, f"{HANDLE}\n")
    assert "https://liveness.example/authorization?pl=1&uid=1" in ran.err
    assert "that is your duty" in ran.err
    assert "byted-0001" not in ran.err + ran.out
    (group,) = ark.library.groups.values()
    assert (group["GroupType"], group["Name"]) == ("LivenessFace", "Anna")
    # A new look of the same person needs no second confirmation.
    other = ("asset", "add", "https://media.example/2.png", "--name", "Anna", "--kind", "person")
    again = command(*other, "--provider", "byteplus")
    assert again.code == 0 and "https://liveness" not in again.err
    assert len(ark.library.sessions) == 1
    wrong = command(*anna)
    assert wrong.code == 2 and "is a real person at BytePlus" in wrong.err


# ---------------------------------------------------------------------------------- the keys


def test_signing_keys_are_typed_tested_and_removed(
    command: Command, ark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name)
    ran = command("key", "list")
    assert "byteplus --assets" in ran.out and "set BYTEPLUS_ACCESS_KEY_ID and" in ran.out
    monkeypatch.setattr(sys, "stdin", StringIO(f"{ark.library.key_id}\n{ark.library.secret}\n"))
    ran = command("key", "set", "byteplus", "--assets")
    assert ran.code == 0
    assert ark.library.secret not in ran.out + ran.err
    assert Settings.load().signing_key("byteplus").secret == ark.library.secret
    assert "signing key works" in command("key", "test", "byteplus", "--assets").out
    records = {each["provider"]: each for each in command("key", "list", "--json").json}
    assert records["byteplus"]["assets"] == "file"
    assert records["volcengine"]["assets"] is None
    found = command("doctor", "--json").json
    assert {"topic": "signing key of byteplus", "found": "file", "ok": True} in found
    ark.library.secret = "another"
    assert command("key", "test", "byteplus", "--assets").code == 4
    assert "removed" in command("key", "remove", "byteplus", "--assets").err
    assert command("key", "test", "byteplus", "--assets").code == 3
    assert command("key", "set", "fal", "--assets").code == 2
