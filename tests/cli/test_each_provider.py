"""Each provider, by the command line: its key is tested, and a video is made and saved."""

from __future__ import annotations

from pathlib import Path

import fakes
import pytest
from command_line import Command

from seedance import providers


@pytest.mark.parametrize("provider", sorted(fakes.all()))
def test_its_key_is_tested_and_a_video_is_saved(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, provider: str
) -> None:
    with fakes.all()[provider](polls_until_done=1) as fake:
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        if providers.get(provider).can("probe_key"):
            assert command("key", "test", provider).code == 0
        words = ("--provider", provider, "--prompt", "a fox", "--ratio", "16:9", "--json")
        ran = command("generate", *words, "-o", tmp_path / "fox.mp4")
        assert (ran.code, fake.creates) == (0, 1), ran.err
        assert ran.json["task"].startswith(f"{provider}:")
    assert (tmp_path / "fox.mp4").read_bytes() == fake.clip
