"""What the tab is told of a draft: that it is one, and until when it can be finished."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import fakes
import pytest
from pack_loader import loaded_pack
from running import Desk


def test_a_draft_says_until_when_it_can_be_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fakes.all()["byteplus"](polls_until_done=1) as fake:
        desk = Desk(fake, tmp_path)
        desk.video(model="seedance-2.5", draft=True)
        desk.video(model="seedance-2.5")
        newest, draft = desk.rows()
    with loaded_pack(tmp_path / "pack", monkeypatch) as pack:
        history = pack.history
        assert history._finish_until(newest) is None
        until = datetime.fromisoformat(history._finish_until(draft).replace("Z", "+00:00"))
    assert timedelta(days=6.99) < until - draft.created < timedelta(days=7.01)
