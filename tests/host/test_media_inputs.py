"""Pictures, clips and sounds of ComfyUI, on their way into an order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import clips
import pytest
import torch
from pack_loader import Pack, host, loaded_pack


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pack]:
    with loaded_pack(tmp_path, monkeypatch) as pack:
        yield pack


@pytest.fixture
def held(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What took a processor."""
    taken: list[str] = []

    @contextmanager
    def processor() -> Iterator[None]:
        taken.append("taken")
        yield
        taken.append("given back")

    monkeypatch.setattr(pack.threads, "processor", processor)
    return taken


@pytest.mark.parametrize(
    ("start", "seconds", "whole"),
    [(0.25, 0, 0.25), (0, 0.25, 0.25), (-0.25, 0, 0.25), (0.1, 0.25, 0.25), (0.25, 9, 0.25)],
)
@pytest.mark.parametrize("named", [True, False], ids=["new ComfyUI", "ComfyUI 0.18"])
def test_a_trimmed_video_is_sent_trimmed_as_it_is_seen(
    pack: Pack,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    held: list[str],
    start: float,
    seconds: float,
    whole: float,
    named: bool,
) -> None:
    video_class = host("comfy_api.latest").VideoFromFile
    if not named:
        monkeypatch.delattr(video_class, "get_active_trim_window")
    path = clips.turned(tmp_path / "a.mp4", (0, 1, -1, 0))  # half a second, 160x96 upright
    video = video_class(str(path), start_time=start, duration=seconds)
    medium = pack.tensors.clip(video, "video")
    assert held == ["taken", "given back"], "encoding takes a processor"
    (tmp_path / "b.mp4").write_bytes(medium.data)
    info = pack.core("media").probe(tmp_path / "b.mp4")
    assert (info.width, info.height, info.duration) == (96, 160, pytest.approx(whole))


@pytest.mark.parametrize(("start", "seconds"), [(0, 0.5), (0, 7), (-3, 0), (-0.5, 0.5)])
def test_a_part_that_is_the_whole_goes_up_untouched(
    pack: Pack, tmp_path: Path, start: float, seconds: float
) -> None:
    path = clips.write(tmp_path / "a.mp4")
    video_class = host("comfy_api.latest").VideoFromFile
    video = video_class(str(path), start_time=start, duration=seconds)
    assert pack.tensors.clip(video, "video").path == path
    video = video_class(BytesIO(path.read_bytes()), start_time=start, duration=seconds)
    assert pack.tensors.clip(video, "video").data == path.read_bytes()


def test_a_part_that_the_video_does_not_have_is_refused(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = clips.write(tmp_path / "a.mp4")
    video = host("comfy_api.latest").VideoFromFile(str(path), start_time=3)
    with pytest.raises(pack.core("errors").BadOrder, match=r"begins at 3\.0 s, and it is 0\.5 s"):
        pack.tensors.clip(video, "video")


def made_of(images: Any, audio: dict[str, Any] | None = None, fps: float = 24) -> Any:
    """A VIDEO of Create Video."""
    latest = host("comfy_api.latest")
    components = latest.Types.VideoComponents(images=images, audio=audio, frame_rate=Fraction(fps))
    return latest.VideoFromComponents(components)


@pytest.mark.parametrize(
    ("shape", "size"), [((12, 95, 161, 3), (160, 94)), ((12, 96, 160, 1), (160, 96))]
)
@pytest.mark.parametrize("samples", [None, 0, 24_000])
def test_pictures_that_are_no_file_yet_become_a_clip(
    pack: Pack, tmp_path: Path, held: list[str], shape: Any, size: Any, samples: int | None
) -> None:
    audio = None
    if samples is not None:
        audio = {"waveform": torch.full((1, 2, samples), 0.25), "sample_rate": 48000}
    medium = pack.tensors.clip(made_of(torch.full(shape, 0.8), audio), "video")
    assert held == ["taken", "given back"]
    (tmp_path / "a.mp4").write_bytes(medium.data)
    info = pack.core("media").probe(tmp_path / "a.mp4")
    assert (info.width, info.height, info.frames, info.fps) == (*size, 12, 24)
    assert (info.matrix, info.has_audio) == (1, bool(samples))
    level = pack.core("media").last_frame(tmp_path / "a.mp4").astype(int)
    assert abs(level - 204).max() <= 2


@pytest.mark.parametrize("shape", [(0, 96, 160, 3), (5, 1, 160, 3), (5, 0, 0, 3)])
def test_a_video_of_no_pictures_is_refused(pack: Pack, shape: tuple[int, ...]) -> None:
    with pytest.raises(pack.core("errors").BadOrder, match="video_1 holds no pictures"):
        pack.tensors.clip(made_of(torch.zeros(*shape)), "video_1")


@pytest.mark.parametrize("shape", [(1, 2, 0), (0, 2, 480), (2, 0)])
def test_an_empty_sound_is_refused(pack: Pack, shape: tuple[int, ...]) -> None:
    audio = {"waveform": torch.zeros(*shape), "sample_rate": 48000}
    with pytest.raises(pack.core("errors").BadOrder, match="audio_1 holds no sound: it is empty"):
        pack.tensors.sound(audio, "audio_1")


def test_an_empty_picture_is_refused(pack: Pack) -> None:
    with pytest.raises(pack.core("errors").BadOrder, match="image holds no picture"):
        pack.tensors.picture(torch.zeros(0, 4, 6, 3), "image")
