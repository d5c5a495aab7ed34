"""The key file and other files of ours: for their owner alone, whoever writes beside us.

The key file's basics are in test_stored_keys.py, keys that might be seen in test_leaks.py.
"""

from __future__ import annotations

import ast
import json
import os
import shlex
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import fakes
import pytest
from transports import KEY

from seedance import download
from seedance.errors import BadOrder
from seedance.journal import Journal
from seedance.providers import get
from seedance.settings import PACK, Settings

pytestmark = [pytest.mark.safety, pytest.mark.slow]

posix = pytest.mark.skipif(os.name != "posix", reason="file modes and links are those of POSIX")


def test_keys_that_are_stored_at_once_do_not_undo_each_other(tmp_path: Path) -> None:
    names = [name for name in sorted(fakes.all()) if get(name).default_base_url]

    def store(name: str) -> None:
        for number in range(5):
            Settings(tmp_path / "home", tmp_path, {}).set_key(name, f"key-of-{name}-{number}")

    threads = [threading.Thread(target=store, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    loaded = Settings(tmp_path / "home", tmp_path, {})
    assert [loaded.key(name) for name in names] == [f"key-of-{name}-4" for name in names]


def test_keys_that_two_processes_store_at_once_do_not_undo_each_other(tmp_path: Path) -> None:
    names = [name for name in sorted(fakes.all()) if get(name).default_base_url][:4]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "seedance", "key", "set", name],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "SEEDANCE_HOME": str(tmp_path / "home")},
        )
        for name in names
    ]
    for name, process in zip(names, started):
        process.communicate(f"key-of-{name}\n".encode())
        assert process.returncode == 0
    loaded = Settings(tmp_path / "home", tmp_path, {})
    assert [loaded.key(name) for name in names] == [f"key-of-{name}" for name in names]


@posix
def test_the_key_file_is_never_readable_by_others_not_even_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[int] = set()
    replace_file = os.replace

    def look(source: Any, target: Any) -> None:
        seen.update(path.stat().st_mode & 0o777 for path in (tmp_path / "home").iterdir())
        replace_file(source, target)

    monkeypatch.setattr(os, "replace", look)
    before = os.umask(0)
    try:
        settings = Settings(tmp_path / "home", tmp_path, {})
        settings.set_key("lumenfall", KEY)
        settings.set_key("fal", KEY)
    finally:
        os.umask(before)
    assert seen == {0o600}
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0


@posix
def test_a_link_to_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared.json"
    shared.write_text(
        json.dumps({"lumenfall": {"key": KEY, "origin": "https://api.lumenfall.ai:443"}})
    )
    shared.chmod(0o644)
    home = tmp_path / "home"
    home.mkdir()
    (home / "keys.json").symlink_to(shared)
    with pytest.raises(BadOrder, match="chmod 600"):
        Settings(home, tmp_path, {}).key("lumenfall")


@posix
def test_a_key_is_not_written_through_a_link(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text("{}")
    elsewhere.chmod(0o600)
    (home / "keys.json").symlink_to(elsewhere)
    Settings(home, tmp_path, {}).set_key("lumenfall", KEY)
    assert elsewhere.read_text() == "{}"
    assert Settings(home, tmp_path, {}).key("lumenfall") == KEY


def test_a_key_file_that_is_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "home" / "keys.json").mkdir(parents=True)
    settings = Settings(tmp_path / "home", tmp_path, {})
    with pytest.raises(BadOrder, match="cannot be read"):
        settings.key("lumenfall")
    with pytest.raises(BadOrder):
        settings.set_key("lumenfall", KEY)


@pytest.mark.parametrize("folder", ["", "web", "seedance", "a/b/../.."])
def test_a_key_is_never_written_into_the_packs_folder(folder: str) -> None:
    before = set(PACK.iterdir())
    with pytest.raises(BadOrder, match="pack's own folder"):
        Settings(PACK / folder, PACK, {}).set_key("lumenfall", KEY)
    assert set(PACK.iterdir()) == before


@posix
def test_the_journal_is_for_its_owner_alone_wherever_it_is(tmp_path: Path) -> None:
    """It holds prompts, and addresses of uploads, which whoever has them can read."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    before = os.umask(0)
    try:
        journal = Journal(f"sqlite:///{home / 'journal.db'}")
        journal.newest()
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in home.iterdir()}
    journal.close()
    assert modes and set(modes.values()) == {0o600}, modes


@posix
def test_a_link_into_the_packs_folder_is_seen_through(tmp_path: Path) -> None:
    (tmp_path / "home").symlink_to(PACK / "web")
    with pytest.raises(BadOrder, match="pack's own folder"):
        Settings(tmp_path / "home", tmp_path, {}).set_key("lumenfall", KEY)


def test_the_environments_bucket_key_is_for_the_environments_bucket(tmp_path: Path) -> None:
    Settings(tmp_path, tmp_path, {}).set_section(
        "s3", {"endpoint": "https://evil.example", "bucket": "theirs"}
    )
    variables = {"SEEDANCE_S3_BUCKET": "mine", "SEEDANCE_S3_SECRET_ACCESS_KEY": KEY}
    values = Settings(tmp_path, tmp_path, variables).section("s3", "SEEDANCE_S3")
    assert values == {"bucket": "mine", "secret_access_key": KEY}


@pytest.mark.parametrize("url", ["https://evil.example\\@api.lumenfall.ai", "https://a b.example"])
def test_a_base_url_that_two_parsers_read_differently_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadOrder):
        Settings(tmp_path, tmp_path, {}).set_base_url("lumenfall", url)


@pytest.mark.parametrize(
    "url", ["postgresql:/me:s3cret@host/db", "postgresql://me:s3cret@host:abc/db", "s3cret"]
)
def test_a_broken_journal_address_is_not_quoted(url: str) -> None:
    with pytest.raises(BadOrder) as caught:
        Journal(url)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


# ---------------------------------------------------------------------- whose it is, and its folder


def said_by_doctor(settings: Settings) -> tuple[str, str, bool]:
    from seedance.cli.setup import _key_file

    return _key_file(settings)


@posix
def test_a_key_file_of_another_owner_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(tmp_path / "home", tmp_path, {})
    settings.set_key("lumenfall", KEY)
    monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
    with pytest.raises(BadOrder, match="belongs to another user"):
        settings.key("lumenfall")
    with pytest.raises(BadOrder), settings._keys.editing():
        raise AssertionError("it is not to be written")
    assert settings.key_source("lumenfall") is None
    _, words, good = said_by_doctor(settings)
    assert not good and "belongs to another user" in words


@posix
def test_a_pipe_in_place_of_the_key_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "home", tmp_path, {})
    (tmp_path / "home").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "home" / "keys.json", 0o600)
    with pytest.raises(BadOrder, match="no ordinary file"):
        settings.key("lumenfall")


@posix
@pytest.mark.parametrize("mode", [0o777, 0o703, 0o707, 0o733])
def test_a_key_file_in_a_folder_that_others_can_write_is_not_used(
    mode: int, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    settings = Settings(home, tmp_path, {})
    settings.set_key("lumenfall", KEY)
    home.chmod(mode)
    for doing in (
        lambda: settings.key("lumenfall"),
        lambda: settings.set_key("fal", KEY),
        lambda: settings.remove_key("lumenfall"),
    ):
        with pytest.raises(BadOrder, match="Others can write in") as caught:
            doing()
    _, words, good = said_by_doctor(settings)
    assert not good and "Others can write in" in words
    command = shlex.split(caught.value.hint.removeprefix("Run: ").split(". ")[0])
    assert command == ["chmod", "go-w", str(home)]
    subprocess.run(command, check=True)
    assert settings.key("lumenfall") == KEY


@posix
def test_the_folder_of_a_linked_key_file_counts_too(tmp_path: Path) -> None:
    elsewhere, home = tmp_path / "elsewhere", tmp_path / "home"
    Settings(elsewhere, tmp_path, {}).set_key("lumenfall", KEY)
    home.mkdir(mode=0o700)
    (home / "keys.json").symlink_to(elsewhere / "keys.json")
    assert Settings(home, tmp_path, {}).key("lumenfall") == KEY
    elsewhere.chmod(0o777)
    with pytest.raises(BadOrder, match="Others can write in"):
        Settings(home, tmp_path, {}).key("lumenfall")


@posix
@pytest.mark.parametrize("mode", [0o700, 0o755, 0o1777])
def test_a_folder_in_which_nobody_else_can_replace_a_file_is_fine(
    mode: int, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    settings = Settings(home, tmp_path, {})
    settings.set_key("lumenfall", KEY)
    home.chmod(mode)
    assert settings.key("lumenfall") == KEY


@posix
def test_a_group_counts_unless_nobody_else_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    settings = Settings(home, tmp_path, {})
    settings.set_key("lumenfall", KEY)
    home.chmod(0o770)
    monkeypatch.setattr("seedance.key_file._is_mine_alone", lambda group: True)
    assert settings.key("lumenfall") == KEY
    monkeypatch.setattr("seedance.key_file._is_mine_alone", lambda group: False)
    with pytest.raises(BadOrder, match="Others can write in"):
        settings.key("lumenfall")


# ------------------------------------------------------------------------- part and temporary files


@posix
def test_a_download_follows_no_link_that_was_put_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        download._opened(linked(tmp_path), new=True)
    with pytest.raises(OSError):
        download._opened(linked(tmp_path), new=False)
    assert (tmp_path / "mine").read_bytes() == b"mine"


def linked(folder: Path) -> Path:
    (folder / "mine").write_bytes(b"mine")
    part = folder / "video.part"
    part.unlink(missing_ok=True)
    part.symlink_to(folder / "mine")
    return part


def test_a_download_adds_to_its_own_part_only(tmp_path: Path) -> None:
    part = tmp_path / "video.part"
    with download._opened(part, new=True) as file:
        file.write(b"ab")
    with download._opened(part, new=False) as file:
        file.write(b"cd")
    assert part.read_bytes() == b"abcd"
    with pytest.raises(FileExistsError):
        download._opened(part, new=True)


def test_our_files_are_opened_exclusively_or_in_folders_of_our_own() -> None:
    """What is written elsewhere goes through `files.replacing`, whose names cannot be guessed."""
    for file in sorted((PACK / "seedance").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            words = ast.unparse(node)
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in ("write_text", "mktemp", "copyfileobj"):
                raise AssertionError(f"{file.name}: {words}")
            modes = [each.value for each in node.args if isinstance(each, ast.Constant)]
            if name == "open" and "av.open" not in words and "wave.open" not in words:
                assert not {"w", "wb", "a", "ab", "w+b"} & set(map(str, modes)), words
