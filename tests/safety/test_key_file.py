"""The key file and other files of ours: for their owner alone, whoever writes beside us.

The key file's basics are in test_settings.py, keys that might be seen in test_leaks.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import fakes
import pytest
from transports import KEY

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
