"""What Leonardo's limits say, and its wait for a clip, beyond the recorded exchanges."""

from __future__ import annotations

import pytest

from seedance.errors import BadOrder
from seedance.fit import fit
from seedance.order import SIZES, Medium, Order
from seedance.providers.leonardo import CLIP_ROUNDS, Leonardo
from seedance.wire import Blob, Call, Config, Pause, Reply, Uploaded

PICTURE = Medium.from_address("image", "leonardo:GENERATED:a")
CLIP = Medium.from_address("video", "leonardo:UPLOADED:b")
SOUND = Medium.from_address("audio", "https://media.example/a.mp3")


def test_the_ratio_may_follow_a_start_frame() -> None:
    assert not fit(Order(prompt="a cat", first_frame=PICTURE), Leonardo).changes
    assert not fit(Order(prompt="a cat", first_frame=PICTURE, last_frame=PICTURE), Leonardo).changes


@pytest.mark.parametrize("references", [(), (PICTURE,)], ids=["text", "references"])
def test_the_ratio_must_be_said_where_there_is_no_start_frame(
    references: tuple[Medium, ...],
) -> None:
    with pytest.raises(BadOrder, match="ratio 16:9"):
        fit(Order(prompt="a cat", references=references), Leonardo)


@pytest.mark.parametrize("resolution", ["480p", "720p"])
@pytest.mark.parametrize("ratio", ["16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "9:21"])
def test_every_ratio_has_a_size(resolution: str, ratio: str) -> None:
    order = Order(prompt="a cat", resolution=resolution, ratio=ratio)
    assert not fit(order, Leonardo).changes
    assert ratio in SIZES[resolution]


@pytest.mark.parametrize(
    "references",
    [(PICTURE,) * 5, (CLIP,) * 4, (PICTURE, SOUND)],
    ids=["pictures", "clips", "sounds"],
)
def test_references_have_limits(references: tuple[Medium, ...]) -> None:
    with pytest.raises(BadOrder, match=r"takes (at most|no reference sounds)"):
        fit(Order(prompt="a cat", ratio="16:9", references=references), Leonardo)


def test_a_prompt_has_1500_characters_at_most() -> None:
    assert not fit(Order(prompt="x" * 1500, ratio="16:9"), Leonardo).changes
    with pytest.raises(BadOrder, match="1501 characters"):
        fit(Order(prompt="x" * 1501, ratio="16:9"), Leonardo)


def test_a_clip_whose_state_says_nothing_is_used_after_a_bounded_wait() -> None:
    provider = Leonardo(Config("https://cloud.leonardo.ai/api/rest"))
    blob = Blob("video", "video/mp4", "a.mp4", 4, "digest", data=b"clip")
    granted = b'{"uploadMedia": {"uploadId": "c", "url": "https://s.example/", "fields": "{}"}}'
    flow = provider.upload(blob)
    next(flow)
    flow.send(Reply(200, body=granted))
    step, steps = flow.send(Reply(204)), []
    with pytest.raises(StopIteration) as stop:
        while True:
            steps.append(type(step))
            step = flow.send(Reply(200, body=b'{"uploaded_media_by_pk": {"status": "IN_REVIEW"}}'))
    assert steps == [Pause, Call] * CLIP_ROUNDS
    assert stop.value.value == Uploaded("leonardo:UPLOADED:c")
