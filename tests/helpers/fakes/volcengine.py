"""A fake Volcano Engine Ark."""

from __future__ import annotations

from ._ark import FakeArk


class FakeVolcEngine(FakeArk):
    """Volcano Engine: `doubao-...` models."""

    provider = "volcengine"
    prefix = "doubao"
    region = "cn-beijing"
