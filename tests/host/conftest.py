"""The pack over ComfyUI's stand-in, and a clip for takes that are only played through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pack_loader import Pack, loaded_pack

if TYPE_CHECKING:
    from pack_site import Site


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pack]:
    with loaded_pack(tmp_path, monkeypatch) as pack:
        yield pack


@pytest.fixture
def site(pack: Pack) -> Iterator[Site]:
    """The pack's routes, served on loopback."""
    from pack_site import Site  # it needs aiohttp

    site = Site(pack)
    try:
        yield site
    finally:
        site.close()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of grey, with its last frame beside it."""
    import numpy as np

    from seedance import media

    clip = tmp_path_factory.mktemp("clip") / "clip.mp4"
    media.write_clip(clip, (np.full((64, 96, 3), 128, np.uint8) for _ in range(12)), fps=24)
    media.save_png(clip.with_name(f"{clip.stem}.last.png"), np.full((64, 96, 3), 200, np.uint8))
    return clip
