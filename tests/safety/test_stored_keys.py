"""The key file: its mode, what is read from it and when, and writes that fail."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import traceback
from pathlib import Path
from typing import Any

import fakes
import filelock
import pytest
from key_records import GATEWAY, stored, write
from running import Desk, order_for

from seedance import key_file
from seedance.errors import BadOrder, NeedsKey
from seedance.settings import Settings

pytestmark = pytest.mark.safety

KEY = "sk-the-key-that-nobody-may-see"
OTHER = "sk-another-key-that-nobody-may-see"
posix = pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")

# ------------------------------------------------------------------------------- the key file


@posix
def test_the_key_file_is_ours_alone_even_under_a_generous_umask() -> None:
    before = os.umask(0)
    try:
        Settings.load().set_key("lumenfall", KEY)
    finally:
        os.umask(before)
    file = Settings.load().key_file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_a_key_file_that_others_can_read_is_refused(mode: int) -> None:
    write({"lumenfall": {"key": KEY, "origin": "https://api.lumenfall.ai:443"}}, mode)
    with pytest.raises(BadOrder, match="Others can read"):
        Settings.load().key("lumenfall")


@posix
def test_the_command_in_that_refusal_mends_it() -> None:
    file = write({"lumenfall": {"key": KEY, "origin": "https://api.lumenfall.ai:443"}}, 0o644)
    with pytest.raises(BadOrder) as caught:
        Settings.load().key("lumenfall")
    command = shlex.split(caught.value.hint.removeprefix("Run: ").split(". ")[0])
    assert command == ["chmod", "600", str(file)]
    subprocess.run(command, check=True)
    assert Settings.load().key("lumenfall") == KEY


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded = Settings.load()
    loaded.set_key("lumenfall", KEY)

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(BadOrder, match=r"cannot be written: No space left"):
        loaded.set_key("lumenfall", OTHER)
    assert loaded.key("lumenfall") == KEY
    # Nothing but the lock, which stays for the next writer.
    left = {path.name for path in loaded.home.iterdir()}
    assert left - {"keys.json.lock"} == {"keys.json"}


@pytest.mark.parametrize("text", ["{", f'{{"lumenfall": {{"key": "{KEY}"', "\xff"])
def test_a_broken_key_file_is_named_and_not_quoted(text: str) -> None:
    file = write({})
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadOrder, match="cannot be read") as caught:
        Settings.load().key("lumenfall")
    assert str(file) in caught.value.message
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A list that grows with each parsing of the key file."""
    seen: list[Any] = []
    load = json.load

    def counted(*arguments: Any, **options: Any) -> Any:
        seen.append(arguments)
        return load(*arguments, **options)

    monkeypatch.setattr(key_file.json, "load", counted)
    return seen


@pytest.mark.parametrize("provider", ["lumenfall", "auto"])
def test_the_key_file_is_parsed_at_most_once_for_an_order(
    provider: str, parsed: list[Any], tmp_path: Path
) -> None:
    with fakes.all()["lumenfall"]() as fake:
        desk = Desk(fake, tmp_path)
        variables = {**fake.environment(), "SEEDANCE_POLL_INTERVAL": "0.05"}
        loaded = Settings(tmp_path / "home", tmp_path, variables)
        loaded.set_section("budget", {"day": "50"})
        parsed.clear()
        runner = desk.runner()
        for seed, most in ((1, 1), (2, 0)):
            runner.start(order_for(provider, seed))[0].wait()
            assert len(parsed) <= most
            parsed.clear()
        assert fake.creates == 2


def test_the_key_file_is_parsed_again_after_each_change(parsed: list[Any]) -> None:
    loaded, other = Settings.load(), Settings.load()
    assert loaded.key_source("lumenfall") is None
    for key in (KEY, OTHER):
        other.set_key("lumenfall", key)
        parsed.clear()
        assert loaded.key("lumenfall") == loaded.key("lumenfall") == key
        assert len(parsed) == 1
    other.remove_key("lumenfall")
    assert loaded.key_source("lumenfall") is None
    loaded.key_file.unlink()
    assert loaded.key_source("lumenfall") is None


def test_a_change_by_hand_is_seen() -> None:
    Settings.load().set_key("lumenfall", KEY)
    loaded = Settings.load()
    assert loaded.key("lumenfall") == KEY
    records = stored()
    records["lumenfall"]["key"] = KEY[::-1]  # as long as before, and written in place
    write(records)
    os.utime(loaded.key_file, ns=(0, loaded.key_file.stat().st_mtime_ns + 1))
    assert loaded.key("lumenfall") == KEY[::-1]


@posix
def test_a_key_file_that_others_can_read_by_now_is_refused() -> None:
    loaded = Settings.load()
    loaded.set_key("lumenfall", KEY)
    assert loaded.key("lumenfall") == KEY
    loaded.key_file.chmod(0o644)
    with pytest.raises(BadOrder, match="Others can read"):
        loaded.key("lumenfall")
    loaded.key_file.chmod(0o600)
    assert loaded.key("lumenfall") == KEY


def test_a_change_that_fails_midway_is_not_seen() -> None:
    loaded = Settings.load()
    loaded.set_key("lumenfall", KEY)
    with pytest.raises(BadOrder):
        loaded.change({"lumenfall": GATEWAY, "nobody": None})
    assert loaded.key("lumenfall") == KEY
    assert loaded.config("lumenfall").base_url == "https://api.lumenfall.ai/v1"


def test_a_writer_waits_for_another_and_then_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file, "LOCK_SECONDS", 0.1)
    loaded = Settings.load()
    loaded.set_key("lumenfall", KEY)
    lock = f"{loaded.key_file}.lock"
    with filelock.FileLock(lock), pytest.raises(BadOrder, match="another program has locked it"):
        loaded.set_key("lumenfall", OTHER)
    assert loaded.key("lumenfall") == KEY
    loaded.set_key("lumenfall", OTHER)
    assert loaded.key("lumenfall") == OTHER


@pytest.mark.parametrize("error", [OSError(37, "No locks available"), NotImplementedError()])
def test_a_key_is_stored_where_the_file_system_has_no_locks(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", none)
    Settings.load().set_key("lumenfall", KEY)
    assert Settings.load().key("lumenfall") == KEY


@pytest.mark.parametrize("records", [[], {"lumenfall": "x"}, {"lumenfall": {"key": None}}])
def test_a_key_file_of_another_shape_holds_no_key(records: Any) -> None:
    write(records)
    with pytest.raises(NeedsKey):
        Settings.load().key("lumenfall")
