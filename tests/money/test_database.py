"""The journal's connections: none stays open when the journal is closed, and who waits to write
holds nobody up who reads."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from seedance.errors import BadOrder
from seedance.journal import Journal, engine, resting


def is_open(file: Path) -> bool:
    """Whether this process has a file open."""
    return any(Path(each.path) == file for each in psutil.Process().open_files())


def test_a_connection_in_use_when_the_journal_is_closed_is_closed_after_it(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    journal = Journal(file)
    with journal._reading():
        journal.close()
        assert is_open(file)
    assert not is_open(file)


@pytest.mark.skipif(os.name == "nt", reason="Windows replaces no file that is open")
def test_a_connection_in_use_when_the_file_is_replaced_is_closed_after_it(tmp_path: Path) -> None:
    file, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    journal = Journal(file)
    journal.newest(1)
    journal.close()
    shutil.copyfile(file, copy)
    with journal._reading():
        os.replace(copy, file)
        journal.newest(1)
    deleted = [each.path for each in psutil.Process().open_files() if "journal.db" in each.path]
    assert set(deleted) <= {str(file), f"{file}-wal", f"{file}-shm"}
    journal.close()


def test_who_waits_to_write_lets_others_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 300.0)
    monkeypatch.setattr(engine, "BUSY_ATTEMPT_MS", 50)
    many = resting.AT_ONCE + 4
    journal = Journal(tmp_path / "journal.db")
    journal.newest(1)
    with (
        ThreadPoolExecutor(many) as pool,
        closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        writers = [pool.submit(journal.count_reuse, 1, "uid") for _ in range(many)]
        while not journal.writing.locked():
            time.sleep(0.01)
        assert journal.newest(1) == []
        assert not any(writer.done() for writer in writers)
        other.execute("ROLLBACK")
        assert [writer.result() for writer in writers] == [None] * many
        monkeypatch.setattr(engine, "BUSY_SECONDS", 0.2)
        other.execute("BEGIN IMMEDIATE")
        late = [pool.submit(journal.count_reuse, 1, "uid") for _ in range(3)]
        for each in late:
            with pytest.raises(BadOrder, match="locked"):
                each.result()
    journal.close()
