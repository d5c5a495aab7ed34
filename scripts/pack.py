"""The pack as ComfyUI loads it, over the stand-in for ComfyUI that the tests have."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent.parent / "tests" / "helpers"


def loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AbstractContextManager[Any]:
    """The pack, loaded afresh; `folder` is its home meanwhile."""
    sys.path.insert(0, str(TESTS))
    from pack_loader import loaded_pack

    return loaded_pack(folder, monkeypatch)
