"""What those who wait are told when the runner closes: only what is known of their money."""

from __future__ import annotations

from pathlib import Path

import fakes
import pytest
from running import Desk, is_create, until

from seedance.errors import Cancelled, Unclear
from seedance.runner import clearing

pytestmark = pytest.mark.slow


def test_an_order_that_is_unclear_is_not_said_to_be_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "FIND_SECONDS", 600.0)  # it waits here until the runner closes
    with fakes.all()["byteplus"](polls_until_done=1) as fake:
        desk = Desk(fake, tmp_path)
        fake.fault(is_create, "reset")
        runner = desk.runner()
        job = desk.start(runner)
        until(lambda: desk.row().state == "unclear")
        runner.close()
        with pytest.raises(Unclear, match="may have received the order") as caught:
            job.wait()
        assert (caught.value.spent, caught.value.row) == ("unknown", 1)


def test_an_order_that_another_process_sends_is_not_said_to_be_free(tmp_path: Path) -> None:
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        desk = Desk(fake, tmp_path)
        fake.fault(is_create, "hang")
        first = desk.start()
        until(lambda: desk.row().state == "submitting")
        runner = desk.runner()
        second = desk.start(runner)
        runner.close()
        with pytest.raises(Cancelled, match="Another process goes on with the order") as caught:
            second.wait()
        assert caught.value.spent == "unknown"
        fake.let_go()
        assert first.wait().state == "saved"
        assert fake.creates == 1
