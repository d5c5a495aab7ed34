"""What arrives on the links of widgets is what it means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fakes
import numpy as np
import pytest
import torch
from pack_loader import Pack, loaded_pack

pytestmark = pytest.mark.slow


@pytest.fixture
def evolink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[fakes.Fake]:
    with fakes.all()["evolink"](polls_until_done=0) as fake:
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SEEDANCE_POLL_INTERVAL", "0.05")
        yield fake


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pack]:
    with loaded_pack(tmp_path, monkeypatch) as pack:
        yield pack


def text(pack: Pack, **values: Any) -> Any:
    given = {"provider": "evolink", "prompt": "a fox", "duration": 5, **values}
    return pack.run("SeedanceT2V", **given)


def test_values_that_mean_the_same_are_one_order(pack: Pack, evolink: fakes.Fake) -> None:
    text(pack, seed=7, generate_audio=False, takes=1)
    for values in (
        {"seed": 7.0},
        {"seed": "7"},
        {"seed": " 7 ", "duration": 5.0},
        {"duration": "5", "takes": 1.0, "decode_frames": "false"},
        {"generate_audio": "false", "watermark": 0, "camera_fixed": None, "model": None},
        {"ratio": None, "resolution": None, "extra": None, "takes": None, "decode_frames": None},
        {"prompt": "  a fox \n"},
        {"seed": np.int64(7), "duration": np.float32(5), "generate_audio": np.bool_(False)},
        {"seed": torch.tensor(7), "takes": np.array(1)},
    ):
        text(pack, **{"seed": 7, "generate_audio": False, **values})
    assert evolink.creates == 1
    body = next(iter(evolink.tasks.values())).body
    assert (body["duration"], body["generate_audio"], body["prompt"]) == (5, False, "a fox")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("seed", value) for value in (True, 7.5, "seven", [7], {}, float("nan"), float("inf"))),
        *(("duration", value) for value in (7.5, "long", [5], False)),
        *(("generate_audio", value) for value in ("maybe", 2, 0.5, [], {})),
        *(("prompt", value) for value in ([], {}, True)),
        *(("resolution", value) for value in ([], True)),
        ("takes", "two"),
        ("decode_frames", "perhaps"),
        ("extra", {"evolink": {}}),
    ],
)
def test_what_means_nothing_is_named_and_not_sent(
    pack: Pack, evolink: fakes.Fake, name: str, value: Any
) -> None:
    with pytest.raises(ValueError, match=f"{name} must be") as caught:
        text(pack, **{name: value})
    assert caught.value.kind == "BadOrder"  # type: ignore[attr-defined]
    assert evolink.requests == []


def test_a_seed_of_64_bits_is_taken_modulo_2_32_and_that_is_said(
    pack: Pack, evolink: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(pack.execution.Node, "tell", lambda self, news: told.append(news))
    text(pack, seed=2**32 + 5)
    text(pack, seed=5)
    text(pack, seed=float(2**32 + 5))
    assert evolink.creates == 1
    ended = [news for news in told if news.get("results")]
    assert "4294967301" in str(ended[0]["notes"])
    assert "modulo" not in str(ended[1]["notes"])


@pytest.mark.parametrize("name", ["image1", "image", "picture_1"])
def test_a_growing_socket_of_a_wrong_name_is_not_left_out(
    pack: Pack, evolink: fakes.Fake, name: str
) -> None:
    image = torch.from_numpy(np.zeros((1, 320, 320, 3), np.float32))
    with pytest.raises(ValueError, match="image_1"):
        pack.run("SeedanceReference", provider="evolink", prompt="@Image1", images={name: image})
    for node_id in ("SeedanceReference", "SeedanceT2V"):
        with pytest.raises(ValueError, match="image_1"):
            pack.run(node_id, provider="evolink", prompt="x", **{f"images.{name}": image})
    for inputs in (
        {f"images.{name}": ["9", 0]},
        {"images": {"image_1": ["9", 0]}},
        {"images": ["9", 0]},
        {"images": [["9", 0], ["8", 0]]},
    ):
        prompt = {"1": {"class_type": "SeedanceV2V", "inputs": inputs}}
        hidden = SimpleNamespace(prompt=prompt, unique_id="1")
        node = pack.nodes["SeedanceV2V"]
        node.hidden = hidden
        with pytest.raises(ValueError, match="image_1"):
            pack.run(
                "SeedanceV2V", provider="evolink", prompt="x", video_url="https://x.example/a.mp4"
            )
    assert evolink.creates == 0


@pytest.mark.parametrize("value", ["a.png", 7, {"waveform": None}, ["a"]])
@pytest.mark.parametrize(
    ("node_id", "inputs"),
    [
        ("SeedanceI2V", ("image",)),
        ("SeedanceV2V", ("video",)),
        ("SeedanceReference", ("images", "image_1")),
        ("SeedanceReference", ("videos", "video_1")),
        ("SeedanceReference", ("audios", "audio_1")),
    ],
)
def test_what_is_no_medium_is_named_and_not_sent(
    pack: Pack, evolink: fakes.Fake, node_id: str, inputs: tuple[str, ...], value: Any
) -> None:
    if inputs[0] == "audios" and isinstance(value, dict):
        value = {"sample_rate": 1}
    given: Any = value if len(inputs) == 1 else {inputs[1]: value}
    with pytest.raises(ValueError, match=f"{inputs[-1]} must be [A-Z]+, not") as caught:
        pack.run(node_id, provider="evolink", prompt="x", **{inputs[0]: given})
    assert caught.value.kind == "BadOrder"  # type: ignore[attr-defined]
    assert evolink.requests == []
