"""What the nodes make of their inputs: an order, or a refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pack_loader import Pack, host, scripted

pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core


# ------------------------------------------------------------------------- what an order becomes


def image(*shape: int, value: float = 0.5) -> Any:
    return torch.full(shape, value)


def order_of(pack: Pack, monkeypatch: pytest.MonkeyPatch, node_id: str, **inputs: Any) -> Any:
    """The order that a node gives to the runner."""
    failed = pack.core("errors").TaskFailed("enough was seen")
    runner = scripted(pack, monkeypatch, lambda order: failed)
    with pytest.raises(type(failed)):
        pack.run(node_id, **inputs)
    return runner.jobs[0].order


def refusal(pack: Pack, monkeypatch: pytest.MonkeyPatch, node_id: str, **inputs: Any) -> str:
    """What a node says about inputs that make no order."""
    runner = scripted(pack, monkeypatch)
    with pytest.raises(pack.core("errors").BadOrder) as caught:
        pack.run(node_id, **inputs)
    assert not runner.jobs
    return str(caught.value)


def test_a_prompt_alone_is_the_order_with_the_defaults(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = order_of(pack, monkeypatch, "SeedanceT2V", prompt="a hill")
    expected = pack.core("order").Order(prompt="a hill", ratio="16:9")
    assert order.describe() == expected.describe()


def test_every_widget_reaches_the_order(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        **dict(prompt="a hill", provider="preview", model="seedance-2.0-fast", resolution="480p"),
        **dict(ratio="1:1", duration=7, generate_audio=False, seed=9, watermark=True),
        **dict(camera_fixed=True, on_unsupported="nearest"),
    }
    order = order_of(
        pack, monkeypatch, "SeedanceT2V", **values, extra='{"leonardo": {"public": true}}'
    )
    record = order.describe()
    assert {name: record[name] for name in values} == values
    assert record["extra"] == {"leonardo": {"public": True}}


def test_takes_are_orders_with_the_seeds_that_follow(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = scripted(pack, monkeypatch, lambda order: pack.core("errors").TaskFailed("no"))
    with pytest.raises(pack.core("errors").TaskFailed):
        pack.run("SeedanceT2V", prompt="a hill", seed=2**32 - 1, takes=3)
    assert [job.order.seed for job in runner.jobs] == [2**32 - 1, 0, 1]


def test_a_picture_is_rounded_to_its_own_8_bits(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).expand(1, 16, 16, 3)
    order = order_of(pack, monkeypatch, "SeedanceI2V", prompt="", image=levels.float() / 255)
    assert order.first_frame.pixels.tolist() == levels[0].tolist()


def test_a_grey_picture_becomes_rgb(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    order = order_of(
        pack, monkeypatch, "SeedanceI2V", prompt="", image=image(1, 4, 6, 1, value=1.0)
    )
    assert order.first_frame.pixels.shape == (4, 6, 3)
    assert order.first_frame.pixels.min() == 255


def test_what_is_transparent_is_laid_on_white(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    order = order_of(
        pack, monkeypatch, "SeedanceI2V", prompt="", image=image(1, 4, 6, 4, value=0.0)
    )
    assert order.first_frame.pixels.shape == (4, 6, 3)
    assert order.first_frame.pixels.min() == 255


def test_a_batch_where_one_picture_is_meant_is_refused(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = refusal(pack, monkeypatch, "SeedanceI2V", prompt="", image=image(3, 4, 6, 3))
    assert "image holds 3 pictures" in said
    assert "Get Image from Batch" in said


def test_what_is_no_picture_is_refused(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "(1, 4, 6, 2)" in refusal(
        pack, monkeypatch, "SeedanceI2V", prompt="", image=image(1, 4, 6, 2)
    )


def test_a_picture_or_its_address_not_both(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"image": image(1, 4, 6, 3), "image_url": "https://example.com/a.png"}
    assert "Both image and image_url" in refusal(
        pack, monkeypatch, "SeedanceI2V", prompt="", **both
    )


@pytest.mark.parametrize(
    ("node_id", "missing"),
    [
        ("SeedanceI2V", "image_url"),
        ("SeedanceFrames", "first_frame_url"),
        ("SeedanceReference", "urls"),
        ("SeedanceV2V", "video_url"),
    ],
)
def test_a_node_without_its_medium_says_what_to_connect(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, node_id: str, missing: str
) -> None:
    assert missing in refusal(pack, monkeypatch, node_id, prompt="a hill")


def test_both_frames_are_sent(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    order = order_of(
        pack,
        monkeypatch,
        "SeedanceFrames",
        prompt="",
        first_frame=image(1, 4, 6, 3, value=0.0),
        last_frame_url="https://example.com/b.png",
    )
    assert order.mode == "frames"
    assert order.first_frame.pixels.max() == 0
    assert order.last_frame.address == "https://example.com/b.png"


def test_references_are_counted_by_picture_and_number_of_the_socket(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = order_of(
        pack,
        monkeypatch,
        "SeedanceReference",
        prompt="@Image3 meets @Image4",
        images={
            "image_10": image(1, 4, 6, 3, value=1.0),
            "image_2": image(2, 4, 6, 3, value=0.0),
            "image_3": None,
        },
        audios={"audio_1": {"waveform": torch.zeros(1, 2, 480), "sample_rate": 48000}},
        urls="asset://x\nimage: https://example.com/a".replace("asset", "audio: asset"),
    )
    assert [medium.kind for medium in order.references] == ["image"] * 3 + ["audio"] * 2 + ["image"]
    assert [int(medium.pixels.max()) for medium in order.references[:3]] == [0, 0, 255]
    assert order.of_kind("audio")[1].address == "asset://x"
    assert order.of_kind("image")[3].address == "https://example.com/a"


def test_a_sound_goes_out_as_a_wav_file(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = {"waveform": torch.zeros(1, 2, 480), "sample_rate": 48000}
    order = order_of(pack, monkeypatch, "SeedanceReference", prompt="", audios={"audio_1": sound})
    data = order.references[0].data
    assert data[:4] == b"RIFF"
    assert len(data) == 44 + 480 * 2 * 2


def test_a_video_to_work_on_keeps_its_file(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clip = a_clip(pack, tmp_path)
    order = order_of(
        pack,
        monkeypatch,
        "SeedanceV2V",
        prompt="@Image1",
        video=host("comfy_api.latest").VideoFromFile(str(clip)),
        images={"image_1": image(1, 4, 6, 3)},
        operation="extend",
        keep_audio=True,
    )
    assert (order.mode, order.keep_audio) == ("extend", True)
    assert order.video.path == clip
    assert len(order.of_kind("image")) == 1


def a_clip(pack: Pack, folder: Path) -> Path:
    """Half a second of grey."""
    import numpy as np

    clip = folder / "clip.mp4"
    frames = (np.full((64, 96, 3), 128, np.uint8) for _ in range(12))
    pack.core("media").write_clip(clip, frames, fps=24)
    return clip


@pytest.mark.parametrize(
    ("line", "kind", "address"),
    [
        ("https://example.com/a.PNG?x=1", "image", "https://example.com/a.PNG?x=1"),
        ("https://example.com/a.mp4", "video", "https://example.com/a.mp4"),
        ("  audio:https://example.com/a ", "audio", "https://example.com/a"),
        ("Image: leonardo:GENERATED:abc-1", "image", "leonardo:GENERATED:abc-1"),
    ],
)
def test_a_line_of_urls_tells_its_kind(pack: Pack, line: str, kind: str, address: str) -> None:
    (medium,) = pack.generate.parse_urls(f"\n{line}\n\n")
    assert (medium.kind, medium.address) == (kind, address)


def test_a_line_of_urls_that_does_not_tell_is_named(pack: Pack) -> None:
    with pytest.raises(pack.core("errors").BadOrder, match="Line 2 of urls"):
        pack.generate.parse_urls("https://example.com/a.png\nhttps://example.com/b")


@pytest.mark.parametrize("line", ["image: /etc/passwd", "file:///etc/passwd.png"])
def test_urls_never_read_a_local_file(pack: Pack, line: str) -> None:
    with pytest.raises(pack.core("errors").BadOrder):
        pack.generate.parse_urls(line)


@pytest.mark.parametrize("text", ["public", "[1]", '{"leonardo": true}', "{" * 5000])
def test_extra_that_is_no_object_by_provider_is_refused(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    assert "extra is not" in refusal(pack, monkeypatch, "SeedanceT2V", prompt="a", extra=text)


def test_a_ticket_is_collected(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = scripted(pack, monkeypatch)
    tickets = []

    def collect(ticket: str) -> None:
        tickets.append(ticket)
        raise pack.core("errors").BadOrder("seen")

    runner.collect = collect  # type: ignore[attr-defined]
    with pytest.raises(pack.core("errors").BadOrder, match="seen"):
        pack.run("SeedanceTask", task=" lumenfall:v1 ")
    assert tickets == ["lumenfall:v1"]


def test_a_draft_is_finished_by_its_ticket(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = scripted(pack, monkeypatch)
    asked = []

    def finish(ticket: str, *, resolution: str, spending: object) -> None:
        asked.append((ticket, resolution))
        raise pack.core("errors").BadOrder("seen")

    runner.finish = finish  # type: ignore[attr-defined]
    with pytest.raises(pack.core("errors").BadOrder, match="seen"):
        pack.run("SeedanceFinal", draft=" byteplus:cgt-1 ")
    with pytest.raises(pack.core("errors").BadOrder, match="seen"):
        pack.run("SeedanceFinal", draft="byteplus:cgt-1", resolution="4k")
    assert asked == [("byteplus:cgt-1", "1080p"), ("byteplus:cgt-1", "4k")]
