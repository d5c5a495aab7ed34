"""`import seedance`: orders from Python, what is sent and what comes back."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fakes
import numpy as np
import pytest
from PIL import Image

import seedance
from seedance import errors, media
from seedance.runner import lending


def make(prompt: str = "a fox", **options: Any) -> seedance.Video:
    return seedance.generate(prompt, provider="lumenfall", **options)


def bodies(fake: fakes.Fake) -> list[Any]:
    """What was sent in each accepted create."""
    return [task.body for task in fake.tasks.values()]


def first_frame(fake: fakes.Fake) -> np.ndarray:
    """The picture of the last create, as it arrived."""
    import base64
    import io

    text = json.dumps(bodies(fake)[-1])
    data = text.split("base64,", 1)[1].split('"', 1)[0]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


# --------------------------------------------------------------------------------------- a video


def test_a_video_has_its_files_and_what_was_measured(lumenfall: fakes.Fake) -> None:
    video = make(seed=7)
    assert video.file.read_bytes()[4:8] == b"ftyp"
    assert (video.width, video.height, video.fps, video.has_audio) == (64, 48, 24.0, False)
    assert (video.duration, video.frame_count, video.seed) == (0.5, 12, 7)
    assert video.task.startswith("lumenfall:") and video.cost is not None
    assert json.loads(video.sidecar.read_text())["task"] == video.task
    frames = video.frames()
    assert frames.shape == (12, 48, 64, 3) and frames.dtype == np.float32
    last = media.read_picture(video.last_frame)
    assert np.array_equal(media.to_8bit(frames[-1]), last)


def test_the_same_call_again_is_free(lumenfall: fakes.Fake) -> None:
    first = make()
    again = make()
    assert (again.file, again.task, again.reused) == (first.file, first.task, True)
    assert not first.reused
    assert lumenfall.creates == 1


def test_options_are_those_of_the_command_line(lumenfall: fakes.Fake, tmp_path: Path) -> None:
    target = tmp_path / "fox.mp4"
    video = make(duration=8, ratio="9:16", no_audio=True, output=target)
    (body,) = bodies(lumenfall)
    assert video.file == target
    assert (body["duration"], body["generate_audio"]) == (8, False)


def test_progress_is_told_in_the_calling_thread(lumenfall: fakes.Fake) -> None:
    import threading

    seen: list[tuple[str, bool]] = []
    here = threading.current_thread()
    make(on_progress=lambda each: seen.append((each.code, threading.current_thread() is here)))
    assert {"submitting", "saved"} <= {code for code, _ in seen} | {"saved"}
    assert all(same for _, same in seen) and seen


def test_what_is_only_fetched_or_joined_is_reused(
    lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lumenfall.polls_until_done = 10**6
    with monkeypatch.context() as patched:
        patched.setenv("SEEDANCE_TIMEOUT", "0")
        with pytest.raises(seedance.StillRunning) as caught:
            make()
    lumenfall.polls_until_done = 0
    assert make().reused  # it was paid by the first call
    with monkeypatch.context() as patched:
        patched.setenv("SEEDANCE_TIMEOUT", "0")
        lumenfall.polls_until_done = 10**6
        with pytest.raises(seedance.StillRunning) as caught:
            make("another")
    lumenfall.polls_until_done = 0
    assert seedance.collect(caught.value.task or "").reused
    assert lumenfall.creates == 2


def test_of_two_threads_with_one_order_one_has_paid(lumenfall: fakes.Fake) -> None:
    with ThreadPoolExecutor() as pool:
        videos = list(pool.map(lambda _: make(), range(3)))
    assert sorted(video.reused for video in videos) == [False, True, True]
    assert lumenfall.creates == 1


def test_a_changed_file_is_fetched_again_with_a_word_and_is_reused(lumenfall: fakes.Fake) -> None:
    first = make()
    first.file.write_bytes(first.file.read_bytes() + b"!")
    again = make()
    assert again.reused and again.file != first.file and again.task == first.task
    assert any("was changed after it was saved" in note for note in again.notes)
    assert lumenfall.creates == 1


def test_a_free_video_whose_files_are_all_gone_is_made_again(tmp_path: Path) -> None:
    order: dict[str, Any] = {"provider": "preview", "resolution": "480p", "duration": 4}
    first = seedance.generate("a fox", **order)
    first.file.unlink()
    lending.close()
    shutil.rmtree(tmp_path / "home" / "preview")
    again = seedance.generate("a fox", **order)
    assert again.file.exists() and again.task != first.task and not again.reused
    with pytest.raises(seedance.SeedanceError) as caught:
        seedance.collect("preview:nope")
    assert (caught.value.spent, "pay" in str(caught.value)) == ("no", False)


# -------------------------------------------------------------------------------------- pictures


def pixels() -> np.ndarray:
    """The size that Lumenfall takes as it is; no two rows or columns are alike."""
    down, across = np.indices((768, 1365), np.uint16)
    return np.stack((down % 256, across % 256, down // 256 * 16 + across // 256), -1).astype("u1")


@pytest.mark.parametrize("form", ["path", "text", "bytes", "PIL", "uint8", "float32", "float64"])
def test_a_picture_arrives_to_the_bit(lumenfall: fakes.Fake, tmp_path: Path, form: str) -> None:
    picture = pixels()
    file = tmp_path / "first.png"
    file.write_bytes(media.encode_png(picture))
    given: Any = {
        "path": file,
        "text": str(file),
        "bytes": file.read_bytes(),
        "PIL": Image.fromarray(picture),
        "uint8": picture,
        "float32": picture.astype(np.float32) / np.float32(255),
        "float64": picture / 255,
    }[form]
    make(image=given, ratio="16:9")
    assert np.array_equal(first_frame(lumenfall), picture)


def test_a_video_stands_for_its_last_frame(lumenfall: fakes.Fake) -> None:
    first = make()
    second = make("and on", image=first)
    assert make("and on", image=first.last_frame).task == second.task
    assert lumenfall.creates == 2


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros((2, 10, 10, 3), np.uint8), "shape"),
        (np.zeros((10, 10, 4), np.uint8), "shape"),
        (np.zeros((10, 10, 3), np.int64), "uint8 or float"),
        (np.full((10, 10, 3), 200.0), "0..1"),
        (np.full((10, 10, 3), -9.0), "0..1"),
        (np.linspace(-1, 1, 300).reshape(10, 10, 3), r"\(x \+ 1\) / 2"),
        (np.linspace(-0.4, 1, 300, dtype=np.float16).reshape(10, 10, 3), r"\(x \+ 1\) / 2"),
        (np.full((10, 10, 3), np.nan), "NaN"),
        (np.where(np.indices((10, 10, 3))[0] == 5, np.nan, 0.5), "NaN"),
        (np.full((10, 10, 3), np.inf, np.float32), "NaN"),
        (5, "no picture"),
        ("nowhere.png", "no file"),
    ],
)
def test_what_is_no_picture_is_refused(lumenfall: fakes.Fake, value: Any, words: str) -> None:
    with pytest.raises(seedance.BadOrder, match=words) as caught:
        make(image=value)
    assert caught.value.spent == "no"
    assert lumenfall.requests == []


def test_references_may_be_of_any_kind(lumenfall: fakes.Fake, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(media.encode_png(pixels()))
    make("@Image1 @Image2 @Image3", references=[file, Image.fromarray(pixels()), pixels() // 2])
    assert json.dumps(bodies(lumenfall)[0]).count("base64,") == 3
    make("@Image1", references=str(file))  # one alone, not its letters
    assert json.dumps(bodies(lumenfall)[1]).count("base64,") == 1


# ---------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"duration": "long"}, "whole number"),
        ({"duration": 99}, "duration"),
        ({"resolution": "8k"}, "no resolution"),
        ({"no_audio": "perhaps"}, "true or false"),
        ({"extra": [1]}, "JSON object"),
        ({"max_usd": -1}, "number of dollars"),
        ({"max_usd": "0.5"}, "number of dollars"),
        ({"max_usd": True}, "number of dollars"),
        ({"max_usd": float("nan")}, "number of dollars"),
        ({"output": 5}, "name of a file"),
        ({"output": "~nobody-of-that-name/a.mp4"}, "name of a file"),
        ({"overwrite": "perhaps"}, "true or false"),
        ({"on_progress": 5}, "must be a function"),
        ({"project": 5}, "must be a text"),
        ({"operation": "edit"}, "needs a clip"),
    ],
)
def test_a_wrong_value_sends_nothing(
    lumenfall: fakes.Fake, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(seedance.BadOrder, match=words):
        make(**options)
    assert lumenfall.requests == []


def test_errors_say_what_they_say_elsewhere(lumenfall: fakes.Fake) -> None:
    lumenfall.fault(lambda request: request.method == "POST", "status:400")
    with pytest.raises(seedance.Refused) as caught:
        make()
    assert (caught.value.spent, caught.value.exit_code) == ("no", 4)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.as_dict() == caught.value.as_dict()
    assert isinstance(caught.value, errors.SeedanceError)


@pytest.mark.parametrize("kind", errors.KINDS)
def test_every_error_is_a_name_of_the_package(kind: str) -> None:
    assert getattr(seedance, kind) is errors.KINDS[kind]
    assert kind in seedance.__all__
    error = errors.KINDS[kind]("It.", hint="Do.", task="preview:1", row=3)
    assert pickle.loads(pickle.dumps(error)).__dict__ == error.__dict__


def test_max_usd_goes_before_the_limit_of_the_environment(
    lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(seedance.OverBudget):
        make(max_usd=0)
    monkeypatch.setenv("SEEDANCE_MAX_USD", "0.01")
    with pytest.raises(seedance.OverBudget):
        make()
    assert lumenfall.requests == []
    assert make(max_usd=50).task


def test_what_goes_on_is_joined_by_the_same_call(
    lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lumenfall.polls_until_done = 10**6
    monkeypatch.setenv("SEEDANCE_TIMEOUT", "0")
    with pytest.raises(seedance.StillRunning) as caught:
        make()
    lumenfall.polls_until_done = 0
    monkeypatch.delenv("SEEDANCE_TIMEOUT")
    assert make().task == caught.value.task
    assert seedance.collect(caught.value.task or "").task == caught.value.task
    assert lumenfall.creates == 1


def test_a_progress_callback_that_fails_leaves_the_order(
    lumenfall: fakes.Fake, caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    def fail(progress: object) -> None:
        calls.append(progress)
        raise ZeroDivisionError

    video = make(on_progress=fail)
    assert video.task and len(calls) == 1
    assert "on_progress failed; the order goes on." in caplog.text
    with pytest.raises(KeyboardInterrupt):  # a person's Ctrl-C still ends the call
        make("another", on_progress=lambda _: (_ for _ in ()).throw(KeyboardInterrupt()))
    assert make("another").task
    assert lumenfall.creates == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda: seedance.collect("lumenfall:1", on_progress=5),  # type: ignore[arg-type]
        lambda: seedance.collect("lumenfall:1", output=5),  # type: ignore[arg-type]
        lambda: seedance.finish("lumenfall:1", on_progress=5),  # type: ignore[arg-type]
        lambda: seedance.finish("lumenfall:1", max_usd="1"),  # type: ignore[arg-type]
        lambda: seedance.finish("lumenfall:1", resolution=5),  # type: ignore[arg-type]
        lambda: seedance.check("a fox", provider=5),  # type: ignore[arg-type]
        lambda: seedance.batch(5),  # type: ignore[arg-type]
        lambda: seedance.batch(["a fox"], jobs=0),
        lambda: seedance.batch(["a fox"], jobs="x"),  # type: ignore[arg-type]
        lambda: seedance.batch(["a fox"], out=5),  # type: ignore[arg-type]
        lambda: seedance.batch(["a fox"], report=5),  # type: ignore[arg-type]
        lambda: seedance.batch(["a fox"], max_usd="1"),  # type: ignore[arg-type]
        lambda: seedance.batch(["a fox"], on_result=5),  # type: ignore[arg-type]
        lambda: seedance.batch(["a fox"], on_progress=5),  # type: ignore[arg-type]
    ],
)
def test_values_of_a_wrong_type_are_bad_orders(
    lumenfall: fakes.Fake, call: Callable[[], object]
) -> None:
    with pytest.raises(seedance.BadOrder):
        call()
    assert lumenfall.requests == []


# ----------------------------------------------------------------- collect, finish, check, settings


def test_a_row_is_collected_by_its_number(lumenfall: fakes.Fake, tmp_path: Path) -> None:
    video = make()
    copy = seedance.collect(1, output=tmp_path / "copy.mp4")
    assert copy.file == tmp_path / "copy.mp4"
    assert copy.file.read_bytes() == video.file.read_bytes()
    with pytest.raises(seedance.BadOrder, match="no row 9"):
        seedance.collect(9)


def test_a_draft_is_finished_by_its_video(monkeypatch: pytest.MonkeyPatch) -> None:
    with fakes.all()["byteplus"](polls_until_done=0) as fake:
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        options: dict[str, Any] = {"provider": "byteplus", "model": "seedance-2.5"}
        draft = seedance.generate("a fox", draft=True, **options)
        final = seedance.finish(draft)
        assert seedance.finish(draft.task).task == final.task != draft.task
        assert fake.creates == 2


def test_check_sends_nothing_and_sorts_by_price(lumenfall: fakes.Fake) -> None:
    quotes = seedance.check("a fox", duration=12)
    able = [quote for quote in quotes if quote.problem is None]
    assert quotes[: len(able)] == able and able[0].provider == "preview"
    prices = [quote.price.amount for quote in able if quote.price and quote.price.currency == "USD"]
    assert prices == sorted(prices)
    (one,) = seedance.check("a fox", provider="lumenfall")
    assert one.payload["prompt"] == "a fox"
    assert lumenfall.requests == []


def test_each_call_goes_by_the_environment_that_holds_then(
    lumenfall: fakes.Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = lumenfall.key
    monkeypatch.delenv("LUMENFALL_API_KEY")
    with pytest.raises(seedance.NeedsKey):
        make()
    monkeypatch.setenv("LUMENFALL_API_KEY", key)
    assert make().file.parent == tmp_path / "output"
    monkeypatch.setenv("SEEDANCE_OUTPUT", str(tmp_path / "elsewhere"))
    assert make().file.parent == tmp_path / "elsewhere"
    assert lumenfall.creates == 1
