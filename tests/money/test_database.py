"""The journal's connections: none stays open when the journal is closed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil
import pytest

from seedance.journal import Journal


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
