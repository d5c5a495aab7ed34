"""Key files as they lie on the disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seedance.settings import Settings

GATEWAY = "https://gateway.example/v1"


def write(records: dict[str, Any], mode: int = 0o600) -> Path:
    """A key file as it may have been written by an earlier version, or by hand."""
    file = Settings.load().key_file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(records))
    file.chmod(mode)
    return file


def stored() -> dict[str, Any]:
    records: dict[str, Any] = json.loads(Settings.load().key_file.read_text())
    return records
