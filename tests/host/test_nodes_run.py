"""Nodes that run: what comes out in the end, and takes that fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pack_loader import Pack, host, result, scripted, told
from paths import MEDIA

pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core


# -------------------------------------------------------------------------------------- outcomes


def test_a_finished_take_gives_every_output(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    output = pack.run("SeedanceT2V", prompt="grey", seed=7)
    (frames,), (video,), audio, fps, (last_frame,), task = output.args
    assert (frames.shape, frames.dtype) == ((12, 64, 96, 3), torch.float32)
    assert video.get_stream_source() == str(clip)
    assert (audio, fps, task) == ([None], [24.0], ["preview:7"])
    assert (last_frame * 255).round().unique().tolist() == [200], "read from the PNG, not the clip"


def test_frames_that_nothing_uses_are_not_decoded(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    output = pack.run("SeedanceT2V", prompt="grey", decode_frames=False)
    assert "decode_frames" in output.args[0][0].message
    assert output.args[1][0].get_stream_source() == str(clip)


def test_a_part_of_the_frames(pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path) -> None:
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    (whole,) = pack.run("SeedanceT2V", prompt="grey").args[0]
    part = {"frames_first": 1, "frames_count": 3, "frames_step": 4}
    (frames,) = pack.run("SeedanceT2V", prompt="grey", **part).args[0]
    assert np.array_equal(frames.numpy(), whole.numpy()[[1, 5, 9]])


def test_memory_is_asked_for_the_part_alone(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    memory = pack.core("media.memory")
    monkeypatch.setattr(memory, "free_memory", lambda: 2 * 96 * 64 * 3 * 4)
    (frames,) = pack.run("SeedanceT2V", prompt="grey", frames_step=6).args[0]
    assert len(frames) == 2
    (blocked,) = pack.run("SeedanceT2V", prompt="grey").args[0]
    assert "memory" in blocked.message and "frames_step 6 fits now" in blocked.message


def test_a_part_that_the_video_does_not_have_blocks_the_frames_alone(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    output = pack.run("SeedanceT2V", prompt="grey", frames_first=12)
    assert "no frame 12" in output.args[0][0].message and "It has 12" in output.args[0][0].message
    assert output.args[5] == ["preview:0"]


@pytest.mark.parametrize(
    ("name", "value"), [("frames_step", 0), ("frames_first", -1), ("frames_count", -1)]
)
def test_a_part_that_makes_no_sense_is_refused_before_anything_is_sent(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path, name: str, value: int
) -> None:
    runner = scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    with pytest.raises(Exception, match=f"{name} cannot be {value}"):
        pack.run("SeedanceT2V", prompt="grey", **{name: value})
    assert runner.jobs == []


def test_a_last_frame_that_nothing_uses_is_not_read(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    output = pack.run("SeedanceT2V", prompt="grey", decode_last_frame=False)
    assert "decode_last_frame" in output.args[4][0].message
    assert output.args[0][0].shape == (12, 64, 96, 3)


def test_a_sound_that_nothing_uses_is_not_read(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    values = {"has_audio": True}
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order, **values))
    output = pack.run("SeedanceT2V", prompt="grey", decode_audio=False)
    assert "decode_audio" in output.args[2][0].message
    assert output.args[0][0].shape == (12, 64, 96, 3)


def test_a_last_frame_that_is_not_there_yet_is_that_of_the_clip(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone.mp4"
    alone.write_bytes(clip.read_bytes())
    scripted(pack, monkeypatch, lambda order: result(pack, alone, order))
    (last_frame,) = pack.run("SeedanceT2V", prompt="grey").args[4]
    decoded = pack.core("media").last_frame(clip)
    assert np.array_equal((last_frame[0].numpy() * 255).round().astype("uint8"), decoded)


def test_a_last_frame_that_cannot_be_decoded_blocks_what_uses_it_alone(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:200])
    values = {"file": broken, "last_frame": tmp_path / "none.png"}
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order, **values))
    output = pack.run("SeedanceT2V", prompt="grey", decode_frames=False)
    assert "not a readable video" in output.args[4][0].message
    assert output.args[1][0].get_stream_source() == str(broken)


def test_the_saved_video_is_shown_on_the_node(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path
) -> None:
    shown = tmp_path / "output" / "seedance" / "clip.mp4"
    shown.parent.mkdir(parents=True)
    shown.write_bytes(clip.read_bytes())
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order, file=shown))
    output = pack.run("SeedanceT2V", prompt="grey")
    assert output.ui.values == [{"filename": "clip.mp4", "subfolder": "seedance", "type": "output"}]


def test_a_video_saved_elsewhere_is_not_shown(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    assert pack.run("SeedanceT2V", prompt="grey").ui is None


def test_the_page_is_told_what_was_made_and_what_it_cost(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    money = pack.core("money").Money(1.5, "USD")
    change = pack.core("fit").Change("ratio", "9:21", "9:16", "preview has no 9:21")
    runner = scripted(pack, monkeypatch, lambda order: result(pack, clip, order, cost=money))
    begin = runner.start

    def start(order: Any, *, takes: int = 1, spending: Any = None) -> Any:
        jobs = begin(order, takes=takes)
        for job in jobs:
            job.changes, job.notes = (change,), ("a crop",)
        return jobs

    monkeypatch.setattr(runner, "start", start)
    pack.run("SeedanceT2V", prompt="grey", seed=7, takes=2)
    made = {
        "provider": "preview",
        "row": 1,
        "width": 96,
        "height": 64,
        "duration": 0.5,
        "reused": False,
        "cost": {"amount": 1.5, "currency": "USD", "estimated": False},
    }
    assert told(pack)[-1] == {
        "node": "1",
        "item": 0,
        "prompt_id": "p",
        "workflow": None,
        "results": [{**made, "seed": 7}, {**made, "seed": 8}],
        "changes": [change.as_dict()],
        "notes": ["a crop"],
        "left": False,
    }


def test_the_page_is_told_why_nothing_could_be_started(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(pack, monkeypatch)
    with pytest.raises(pack.core("errors").BadOrder):
        pack.run("SeedanceI2V", prompt="grey")
    (failed,) = told(pack)[-1]["results"]
    assert failed["seed"] is None
    assert failed["error"]["kind"] == "BadOrder"
    assert failed["error"]["message"] == "There is no picture to start from."


def test_words_go_to_the_page_that_queued_the_prompt(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    pack.run("SeedanceT2V", prompt="grey", at="1:2")
    assert {(data["node"], client) for _, data, client in pack.server.sent} == {("1:2", "page")}


def test_words_name_the_workflow_and_the_item_that_they_are_about(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    """Two workflows on a page may have a node 1, and a node may run for each item of a list."""
    pnginfo = {"extra_pnginfo": {"workflow": {"id": "5c1e"}}}
    pack.server.prompt_queue.running = [(0, "other", {}, {}, []), (1, "p", {}, pnginfo, [])]
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    pack.run("SeedanceT2V", prompt="grey", item=3)
    assert {(data["workflow"], data["item"]) for data in told(pack)} == {("5c1e", 3)}


@pytest.mark.parametrize(
    "odd", [None, {}, {"extra_pnginfo": []}, {"extra_pnginfo": {"workflow": 5}}]
)
def test_a_prompt_without_a_workflow_is_no_trouble(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path, odd: Any
) -> None:
    pack.server.prompt_queue.running = [(1, "p", {}, odd, [])]
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    pack.run("SeedanceT2V", prompt="grey")
    assert told(pack)[-1]["workflow"] is None


def test_without_a_page_nothing_is_sent(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    pack.server.client_id = None
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    pack.run("SeedanceT2V", prompt="grey")
    assert pack.server.sent == []


# ----------------------------------------------------------------------------- takes that fail


def failing(pack: Pack, clip: Path, *seeds: int) -> Callable[[Any], Any]:
    """The takes with these seeds fail."""
    error = pack.core("errors").TaskFailed("The video was refused.", hint="Change the prompt.")
    return lambda order: error if order.seed in seeds else result(pack, clip, order)


def test_a_failed_take_blocks_its_place_and_leaves_the_others(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    scripted(pack, monkeypatch, failing(pack, clip, 1))
    output = pack.run("SeedanceT2V", prompt="grey", takes=3)
    blocker = host("comfy_execution.graph_utils").ExecutionBlocker
    for values in output.args:
        assert [isinstance(value, blocker) for value in values] == [False, True, False]
        assert values[1].message == "The video was refused. Change the prompt."
    seeds = [
        (each["seed"], each.get("error", {}).get("kind")) for each in told(pack)[-1]["results"]
    ]
    assert seeds == [(0, None), (1, "TaskFailed"), (2, None)]


def test_if_every_take_fails_the_node_raises_what_they_say(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    scripted(pack, monkeypatch, failing(pack, clip, 0, 1))
    with pytest.raises(pack.core("errors").TaskFailed) as caught:
        pack.run("SeedanceT2V", prompt="grey", takes=2)
    assert str(caught.value) == "The video was refused. Change the prompt."


def test_queueing_again_after_a_partial_failure_runs_the_node_again(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    inputs = {"prompt": "grey", "takes": 2}
    scripted(pack, monkeypatch, failing(pack, clip, 1))
    before = pack.fingerprint("SeedanceT2V", **inputs)
    pack.run("SeedanceT2V", **inputs)
    assert pack.fingerprint("SeedanceT2V", **inputs) != before


def test_a_whole_success_and_other_inputs_keep_the_cache(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    scripted(pack, monkeypatch, failing(pack, clip, 1))
    before = pack.fingerprint("SeedanceT2V", prompt="grey")
    pack.run("SeedanceT2V", prompt="grey")
    pack.fingerprint("SeedanceT2V", at="2", prompt="grey", takes=2)
    pack.run("SeedanceT2V", at="2", prompt="grey", takes=2)
    assert pack.fingerprint("SeedanceT2V", prompt="grey") == before


@pytest.mark.parametrize("how", ["removed", "forgotten"])
def test_what_is_gone_since_is_made_again(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path, how: str
) -> None:
    mine = tmp_path / "mine.mp4"
    mine.write_bytes(clip.read_bytes())
    last = clip.with_name(f"{clip.stem}.last.png")
    scripted(pack, monkeypatch, lambda order: result(pack, mine, order, last_frame=last))
    before = pack.fingerprint("SeedanceT2V", prompt="grey")
    pack.run("SeedanceT2V", prompt="grey")
    assert pack.fingerprint("SeedanceT2V", prompt="grey") == before
    if how == "removed":
        mine.rename(tmp_path / "elsewhere.mp4")
    else:
        pack.partial_failures.partial_failures.forget(1)
    after = pack.fingerprint("SeedanceT2V", prompt="grey")
    assert after != before
    assert pack.fingerprint("SeedanceT2V", prompt="grey") == after, "once"


def test_frames_that_do_not_fit_into_memory_leave_the_video(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    memory = pack.core("media.memory")
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    before = pack.fingerprint("SeedanceT2V", prompt="grey")
    output = pack.run("SeedanceT2V", prompt="grey")
    assert "memory" in output.args[0][0].message
    assert output.args[1][0].get_stream_source() == str(clip)
    assert pack.fingerprint("SeedanceT2V", prompt="grey") != before


def test_the_frames_of_all_takes_are_counted_before_the_first_is_decoded(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    one = 12 * 64 * 96 * 3 * 4
    monkeypatch.setattr(pack.core("media.memory"), "free_memory", lambda: 3 * one - 1)
    frames, videos, *_, last_frames, tasks = pack.run("SeedanceT2V", prompt="grey", takes=3).args
    assert len({blocker.message for blocker in frames}) == 1
    (why,) = {blocker.message for blocker in frames}
    assert "The frames of 3 videos need 2.7 MB of memory, and 2.7 MB are free." in why
    assert "video output" in why
    assert [video.get_stream_source() for video in videos] == [str(clip)] * 3
    assert [len(last_frame) for last_frame in last_frames] == [1] * 3
    assert len(tasks) == 3
    monkeypatch.setattr(pack.core("media.memory"), "free_memory", lambda: 3 * one)
    frames = pack.run("SeedanceT2V", prompt="grey", takes=3).args[0]
    assert [len(each) for each in frames] == [12] * 3


def test_takes_that_failed_need_no_memory(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    scripted(pack, monkeypatch, failing(pack, clip, 1))
    one = 12 * 64 * 96 * 3 * 4
    monkeypatch.setattr(pack.core("media.memory"), "free_memory", lambda: 2 * one)
    frames = pack.run("SeedanceT2V", prompt="grey", takes=3).args[0]
    assert [len(each) for each in (frames[0], frames[2])] == [12, 12]


def test_a_file_that_was_lost_spoils_only_its_own_frames(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path
) -> None:
    gone = tmp_path / "gone.mp4"
    scripted(
        pack,
        monkeypatch,
        lambda order: result(pack, clip, order, file=clip if order.seed else gone),
    )
    frames = pack.run("SeedanceT2V", prompt="grey", takes=2).args[0]
    assert "gone.mp4" in frames[0].message
    assert len(frames[1]) == 12


# ------------------------------------------------------------------------ with the real preview


def test_the_preview_gives_a_whole_video_and_gives_it_again_free(pack: Pack) -> None:
    inputs = {
        **dict(prompt="a hill", provider="preview", resolution="480p", duration=4),
        **dict(image=torch.rand(1, 60, 80, 3)),
    }
    pack.quick_previews()
    first = pack.run("SeedanceI2V", **inputs)
    (frames,), (video,), (audio,), (fps,), (last_frame,), (task,) = first.args
    runner = pack.host.runner()
    (row,) = runner.tasks()
    assert (str(video.get_stream_source()), task) == (str(row.file), row.task)
    assert row.file.is_relative_to(pack.host.settings().output)
    assert frames.shape == (len(frames), 560, 752, 3)
    assert audio["waveform"].shape[:2] == (1, 2)
    assert audio["waveform"].shape[2] / audio["sample_rate"] == pytest.approx(
        len(frames) / fps, 0.1
    )
    assert (last_frame[0] - frames[-1]).abs().mean() < 0.02

    again = pack.run("SeedanceI2V", **inputs)
    assert again.args[5] == [task]
    assert torch.equal(again.args[4][0], last_frame)
    assert [row.id for row in runner.tasks()] == [row.id]
    (made,) = told(pack)[-1]["results"]
    assert (made["reused"], made["seed"], made["width"], made["height"]) == (True, 0, 752, 560)


def test_a_last_frame_chained_into_the_next_shot_is_the_same_order_each_time(pack: Pack) -> None:
    settings = {"provider": "preview", "resolution": "480p", "duration": 4, "decode_frames": False}
    pack.quick_previews()
    tickets = []
    for _ in range(2):
        first = pack.run("SeedanceT2V", prompt="one", **settings)
        second = pack.run("SeedanceI2V", prompt="two", image=first.args[4][0], **settings)
        tickets.append(first.args[5] + second.args[5])
    assert tickets[0] == tickets[1]
    assert len(pack.host.runner().tasks()) == 2


@pytest.mark.slow
@pytest.mark.skipif(not MEDIA.is_dir(), reason="the shared media are not here")
def test_a_chain_of_ten_shots_keeps_its_colours(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each begins on the last frame of the one before. With a fixed camera the preview ends on the
    picture that it began with, its label aside; here it draws five frames, without loss."""
    pack.quick_previews()
    media = pack.core("media")
    write_clip = media.write_clip
    monkeypatch.setattr(
        media, "write_clip", lambda *args, **options: write_clip(*args, **{**options, "crf": 0})
    )
    pixels = media.fit_cover(media.read_picture(MEDIA / "coffee.png"), 1280, 720)
    first = image = torch.from_numpy(pixels / np.float32(255))[None]
    settings = {"provider": "preview", "resolution": "720p", "ratio": "16:9", "duration": 4}
    settings |= {"camera_fixed": True, "decode_frames": False, "generate_audio": False}
    for _ in range(10):
        image = pack.run("SeedanceI2V", image=image, **settings).args[4][0]
    drift = 255 * (image - first)[0, : 720 * 8 // 10]
    assert len(pack.host.runner().tasks()) == 10
    assert drift.abs().mean() < 1
    assert drift.mean(dim=(0, 1)).abs().max() < 0.25


def test_bad_input_is_one_sentence_and_leaves_no_row(pack: Pack) -> None:
    with pytest.raises(pack.core("errors").BadOrder, match="The prompt is empty"):
        pack.run("SeedanceT2V", prompt=" ", provider="lumenfall")
    assert pack.host.runner().tasks() == []


def test_without_a_key_the_node_says_where_to_put_one(pack: Pack) -> None:
    with pytest.raises(pack.core("errors").NeedsKey, match="LUMENFALL_API_KEY"):
        pack.run("SeedanceT2V", prompt="a hill", provider="lumenfall")
