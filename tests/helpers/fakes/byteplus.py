"""A fake BytePlus ModelArk."""

from __future__ import annotations

from ._ark import FakeArk


class FakeBytePlus(FakeArk):
    """BytePlus: `dreamina-...` models."""

    provider = "byteplus"
    prefix = "dreamina"
    region = "ap-southeast-1"
