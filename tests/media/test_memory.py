"""Whether decoded frames fit into memory."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import clips
import pytest

from seedance import media
from seedance.errors import BadOrder
from seedance.media import memory


def test_bytes_of_frames_are_those_of_the_array(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=12)
    info = media.probe(path)
    assert media.frames_bytes(info) == media.decode_frames(path).nbytes
    assert media.frames_bytes(info, 5) == media.decode_frames(path, count=5).nbytes


def refusal(path: Path, **part: int) -> BadOrder:
    """The error that decoding a part of a clip ends with."""
    with pytest.raises(BadOrder) as raised:
        media.decode_frames(path, **part)
    return raised.value


def test_too_little_memory_is_said_with_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=12)
    monkeypatch.setattr(memory, "free_memory", lambda: 1_000_000)
    refused = refusal(path)
    assert "12 frames of 160x96 need 2.2 MB of memory, and 1.0 MB are free" in str(refused)
    assert "step=3 fits now" in refused.hint and "safe on disk" in refused.hint
    assert len(media.decode_frames(path, step=3)) == 4
    with pytest.raises(BadOrder), media.ensure_memory(media.frames_bytes(media.probe(path), 6)):
        pass
    assert "safe on disk" in refusal(path, count=12).hint


def test_where_not_even_a_frame_fits_no_step_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=12)
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    assert "step" not in refusal(path).hint


def test_decodes_under_way_count_until_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    with media.ensure_memory(600):
        with media.ensure_memory(400):
            pass
        with pytest.raises(BadOrder, match="beside"), media.ensure_memory(401):
            pass
    with media.ensure_memory(1000):
        pass


def test_what_a_decode_has_filled_is_not_counted_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.write(tmp_path / "a.mp4", frames=12)
    frame = media.frames_bytes(media.probe(path), 1)
    monkeypatch.setattr(memory, "free_memory", lambda: 100 * frame)
    with media.ensure_memory(40 * frame) as promise:
        media.decode_frames(path, memory=promise)  # from now on the system says so
        with media.ensure_memory(72 * frame):
            pass
        with pytest.raises(BadOrder, match=r"beside 5\.2 MB"), media.ensure_memory(73 * frame):
            pass
    with media.ensure_memory(100 * frame):
        pass


def test_a_decode_that_failed_gives_its_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    with pytest.raises(RuntimeError), media.ensure_memory(1000):
        raise RuntimeError
    with media.ensure_memory(1000):
        pass


def test_unknown_memory_allows_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    with media.ensure_memory(10**18):
        pass


def test_a_little_memory_stays_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_available", lambda: memory.SPARE + 600)
    monkeypatch.setattr(memory, "_group_rest", lambda: memory.SPARE + 500)
    assert memory.free_memory() == 500
    monkeypatch.setattr(memory, "_group_rest", lambda: 3)
    assert memory.free_memory() == 0


def test_psutil_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(available=memory.SPARE + 700)
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: found)
    monkeypatch.setattr(memory, "_group_rest", lambda: None)
    assert memory.free_memory() == 700


@pytest.mark.parametrize("error", [OSError("no /proc"), RuntimeError("no such line")])
def test_where_psutil_cannot_tell_memory_is_unknown(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot() -> None:
        raise error

    monkeypatch.setattr(memory.psutil, "virtual_memory", cannot)
    monkeypatch.setattr(memory, "_group_rest", lambda: None)
    assert memory.free_memory() is None


def group(folder: Path, limit: str, used: int, cached: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 3000\ninactive_file {cached}\n")


def test_the_limit_of_a_container_counts(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("0::/../../a/path/of/the/machine\n")
    group(tmp_path, "5000", 4000, 700)
    assert memory._group_rest(tmp_path, own) == 1700
    assert memory._group_rest(tmp_path, tmp_path / "none") == 1700
    group(tmp_path, "max", 4000, 700)
    assert memory._group_rest(tmp_path, own) is None


def test_the_limit_of_a_service_and_of_those_above_it_counts(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("0::/system.slice/comfyui.service\n")
    group(tmp_path / "system.slice" / "comfyui.service", "9000", 4000, 1000)
    assert memory._group_rest(tmp_path, own) == 6000
    group(tmp_path / "system.slice", "8000", 7000, 0)
    assert memory._group_rest(tmp_path, own) == 1000


@pytest.mark.parametrize("inside", ["", "docker/4711"])
def test_the_limit_of_an_older_kind_of_container_counts(tmp_path: Path, inside: str) -> None:
    own = tmp_path / "own"
    own.write_text("5:cpu,cpuacct:/docker/4711\n4:memory:/docker/4711\n0::/\n")
    folder = tmp_path / "memory" / inside
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text("5000\n")
    (folder / "memory.usage_in_bytes").write_text("4000\n")
    (folder / "memory.stat").write_text("inactive_file 1\ntotal_inactive_file 700\n")
    assert memory._group_rest(tmp_path, own) == 1700
