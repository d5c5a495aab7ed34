"""Draft, pick, final: what is sent, paid and said, at each provider that has drafts.

A draft becomes the final video of the same prompt, media, seed and length; nothing goes up again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import fakes
import pytest
from running import Desk, picture, until

from seedance.errors import BadOrder, Refused
from seedance.fit import fit
from seedance.order import Medium, Order
from seedance.providers import get
from seedance.runner import Runner, quotes
from seedance.runner.finish import draft_until, prepare_final
from seedance.settings import Settings
from seedance.wire import Config

NEWEST = "seedance-2.5"
HAVE_DRAFTS = ["byteplus", "volcengine", "fal", "evolink"]
PREMIUM = "dreamina-seedance-2-5-premium-260915"
CLIP = Medium.from_address("video", "https://media.example/a.mp4")


@pytest.fixture(params=HAVE_DRAFTS)
def desk(request: Any, tmp_path: Path) -> Iterator[Desk]:
    with fakes.all()[request.param](polls_until_done=1) as fake:
        yield Desk(fake, tmp_path)


@pytest.fixture
def ark(tmp_path: Path) -> Iterator[Desk]:
    with fakes.all()["byteplus"](polls_until_done=1) as fake:
        yield Desk(fake, tmp_path)


# ---------------------------------------------------------------------------------- draft to final


def test_a_draft_becomes_a_final_that_is_paid_once(desk: Desk) -> None:
    runner = desk.runner()
    draft = desk.video(runner, model=NEWEST, draft=True, duration=8, seed=7)
    assert (desk.row().order["draft"], desk.row().order["resolution"]) == (True, "480p")
    sent = desk.fake.sent("POST")[-1].json
    assert sent["draft"] is True
    assert "480p" in (sent.get("resolution"), sent.get("quality"))
    final = runner.finish(draft.task).wait()
    assert final.task != draft.task and final.file.exists() and final.file != draft.file
    body = desk.fake.sent("POST")[-1].json
    assert not body.keys() & {"prompt", "seed", "duration", "draft", "aspect_ratio", "ratio"}
    assert len(desk.fake.sent("POST")) == 2
    row = desk.row()
    assert (row.prompt, row.order["draft_of"], row.order["resolution"]) == (
        "a fox",
        draft.task,
        "1080p",
    )
    again = runner.finish(draft.task).wait()
    assert again.reused and again.file == final.file
    assert len(desk.fake.sent("POST")) == 2


def test_the_final_of_a_draft_with_media_uploads_nothing(ark: Desk) -> None:
    runner = ark.runner()
    frames = {"first_frame": picture(), "last_frame": picture()}
    draft = ark.video(runner, model=NEWEST, draft=True, ratio="adaptive", **frames)
    runner.finish(draft.task).wait()
    final = ark.fake.sent("POST")[-1].json
    task = draft.task.partition(":")[2]
    assert final.pop("execution_expires_after")
    assert final == {
        "model": "dreamina-seedance-2-5-260628",
        "content": [{"type": "draft_task", "draft_task": {"id": task}}],
        "resolution": "1080p",
        "watermark": False,
    }


def test_4k_needs_the_premium_model(ark: Desk) -> None:
    runner = ark.runner()
    draft = ark.video(runner, model=NEWEST, draft=True)
    with pytest.raises(BadOrder, match="finishes a draft in 1080p") as caught:
        runner.finish(draft.task, resolution="4k")
    assert caught.value.spent == "no"
    # Whoever finishes a draft has no on_unsupported to set.
    assert caught.value.hint == "Use resolution 1080p."
    premium = ark.runner(SEEDANCE_BYTEPLUS_PREMIUM_MODEL=PREMIUM)
    premium.finish(draft.task, resolution="4k").wait()
    assert ark.fake.sent("POST")[-1].json["model"] == PREMIUM
    premium.finish(draft.task).wait()  # another resolution is another video
    assert ark.fake.sent("POST")[-1].json["resolution"] == "1080p"


def test_a_draft_of_another_machine_can_be_finished_by_its_ticket(
    ark: Desk, tmp_path: Path
) -> None:
    draft = ark.video(model=NEWEST, draft=True)
    elsewhere = Desk(ark.fake, tmp_path / "elsewhere")
    assert elsewhere.runner().finish(draft.task).wait().file.exists()


def test_a_draft_that_was_collected_here_by_its_ticket_can_be_finished(
    ark: Desk, tmp_path: Path
) -> None:
    draft = ark.video(model=NEWEST, draft=True)
    runner = Desk(ark.fake, tmp_path / "elsewhere").runner()
    runner.collect(draft.task).wait()
    job = runner.finish(draft.task)
    assert any("does not know the draft" in note for note in job.notes)
    assert job.wait().file.exists()


def test_a_draft_whose_row_was_forgotten_can_be_finished(desk: Desk) -> None:
    """Forgetting it says nothing to its provider, which has the draft as before."""
    runner = desk.runner()
    draft = desk.video(runner, model=NEWEST, draft=True, duration=8)
    row = desk.row()
    runner.forget(row.id)
    assert desk.row().state == "cancelled"
    final = runner.finish(draft.task).wait()
    assert desk.row().order["draft_of"] == draft.task
    assert desk.row().order["duration"] == 8
    assert runner.finish(draft.task).wait().file == final.file
    assert desk.fake.creates == 2


def test_until_when_a_draft_can_be_finished_is_what_its_provider_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = 1_900_000_000
    words = get("evolink").words
    monkeypatch.setattr(
        get("evolink"),
        "words",
        {**words, "completed": lambda task: words["completed"]({**task, "draft_expires_at": told})},
    )
    with fakes.all()["evolink"](polls_until_done=1) as fake:
        desk = Desk(fake, tmp_path)
        runner = desk.runner()
        draft = desk.video(runner, model=NEWEST, draft=True)
        assert draft_until(desk.row()) == datetime.fromtimestamp(told, timezone.utc)
        job = runner.finish(draft.task)
        assert "The draft can be finished until 2030-03-17 17:46 UTC." in job.notes
        job.wait()
        assert draft_until(desk.row()) is None


def test_a_draft_whose_time_is_over_is_still_asked_for(
    ark: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = ark.runner()
    draft = ark.video(runner, model=NEWEST, draft=True)
    monkeypatch.setattr("time.time", lambda: 2e9)
    (note,) = prepare_final(draft.task, ark.row(), "1080p", ark.settings()).notes
    assert "could be finished until" in note and "may refuse it" in note


def test_a_refused_final_says_how_long_drafts_can_be_finished(ark: Desk, tmp_path: Path) -> None:
    draft = ark.video(model=NEWEST, draft=True)
    ark.fake.tasks.clear()
    with pytest.raises(Refused) as caught:
        ark.runner().finish(draft.task).wait()
    assert "for 7 days, by the account that made it" in caught.value.hint
    assert caught.value.spent == "no"


def test_what_is_no_draft_or_has_not_ended_is_not_finished(ark: Desk) -> None:
    runner = ark.runner()
    whole = ark.video(runner, model=NEWEST)
    with pytest.raises(BadOrder, match="is no draft"):
        runner.finish(whole.task)
    with pytest.raises(BadOrder, match="is not a ticket"):
        runner.finish("nonsense")
    with pytest.raises(BadOrder, match="finishes no drafts"):
        runner.finish("leonardo:abc")
    ark.fake.polls_until_done = 10**6
    job = ark.start(runner, model=NEWEST, draft=True, seed=9)
    until(lambda: job.task)
    with pytest.raises(BadOrder, match="only one that has succeeded"):
        runner.finish(job.task)
    assert ark.fake.creates == 2


@pytest.mark.usefixtures("quick_previews")
def test_the_preview_does_all_of_it_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDANCE_HOME", str(tmp_path / "home"))
    runner = Runner(Settings.load(output=tmp_path / "out"))
    order = Order(prompt="a kite", provider="preview", ratio="16:9", duration=4, draft=True)
    draft = runner.start(order)[0].wait()
    assert (draft.width, draft.height) == (864, 496)
    final = runner.finish(draft.task).wait()
    assert (final.width, final.height) == (1920, 1080)
    assert final.cost is not None and final.cost.amount == 0
    assert runner.finish(draft.task).wait().reused


# ----------------------------------------------------------------------------- before it is ordered


def prepared(provider: str, **fields: Any) -> quotes.Prepared:
    order = Order(prompt="a cat", ratio="16:9", model=NEWEST, draft=True, **fields)
    return quotes.prepare_at(order, provider, Settings.load())


def test_both_prices_and_the_time_are_told_before() -> None:
    ready = prepared("byteplus")
    assert ready.price and ready.price.amount == pytest.approx(5 * 9607.5 * 10.7e-6, abs=1e-4)
    (note,) = [note for note in ready.notes if "draft" in note]
    assert "within 7 days" in note
    assert f"1080p: {5 * 48_600 * 11.7e-6:.4f}"[:11] in note


def test_the_final_is_priced_with_the_draft_s_clips(ark: Desk) -> None:
    runner = ark.runner()
    draft = ark.video(runner, model=NEWEST, draft=True, references=(CLIP,), prompt="@Video1")
    runner.finish(draft.task).wait()
    assert ark.row().order["draft_of"] == draft.task
    order = Order(
        provider="byteplus", model=NEWEST, resolution="1080p", references=(CLIP,), ratio="adaptive"
    )
    kind = get("byteplus")
    row = runner.journal.by_ticket(draft.task)
    priced = prepare_final(draft.task, row, "1080p", ark.settings()).price
    assert priced == kind(Config("https://x.example")).estimate(order)


@pytest.mark.parametrize(
    ("provider", "fields"),
    [("replicate", {}), ("fal", {"first_frame": picture()}), ("leonardo", {})],
)
def test_who_has_no_drafts_is_named_and_480p_is_the_nearest(
    provider: str, fields: dict[str, Any]
) -> None:
    model = "seedance-2.0" if provider == "leonardo" else NEWEST
    order = Order(prompt="a cat", ratio="adaptive", model=model, draft=True, **fields)
    if provider != "fal":
        order = Order(prompt="a cat", ratio="16:9", model=model, draft=True)
    with pytest.raises(BadOrder, match="documents no drafts"):
        fit(order, get(provider))
    fitted = fit(replace(order, on_unsupported="nearest"), get(provider))
    assert (fitted.order.draft, fitted.order.resolution) == (False, "480p")
    assert [change.field for change in fitted.changes] == ["draft", "resolution"]


def test_where_there_are_no_drafts_the_final_is_another_video_with_the_same_seed(
    tmp_path: Path,
) -> None:
    with fakes.all()["replicate"](polls_until_done=1) as fake:
        desk = Desk(fake, tmp_path)
        runner = desk.runner()
        draft = desk.video(runner, draft=True, on_unsupported="nearest", seed=11, model=NEWEST)
        job = runner.finish(draft.task)
        assert any("another video" in note for note in job.notes)
        job.wait()
        low, high = (request.json["input"] for request in fake.sent("POST"))
        assert (low["resolution"], high["resolution"]) == ("480p", "1080p")
        assert low["seed"] == high["seed"] == 11
        with_media = desk.video(
            runner, draft=True, on_unsupported="nearest", first_frame=picture(), ratio="adaptive"
        )
        with pytest.raises(BadOrder, match="keeps no media") as caught:
            runner.finish(with_media.task)
        assert "draft switched off" in caught.value.hint


def test_where_there_are_no_drafts_the_final_has_the_nearest_resolution(tmp_path: Path) -> None:
    with fakes.all()["replicate"](polls_until_done=1) as fake:
        desk = Desk(fake, tmp_path)
        runner = desk.runner()
        draft = desk.video(runner, draft=True, on_unsupported="nearest", seed=11)
        final = runner.finish(draft.task).wait()
        low, high = (request.json["input"] for request in fake.sent("POST"))
        assert (low["resolution"], high["resolution"]) == ("480p", "720p")
        assert low["seed"] == high["seed"] == 11
        assert ("resolution", "1080p", "720p") in [
            (change.field, change.asked, change.given) for change in final.changes
        ]


def test_a_final_is_not_made_in_a_resolution_that_the_provider_lacks(tmp_path: Path) -> None:
    """Its draft has 720p already; the nearest to 1080p would be the draft itself."""
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        desk = Desk(fake, tmp_path)
        draft = desk.video(draft=True, on_unsupported="nearest")
        assert [change.field for change in draft.changes] == ["draft"]
        with pytest.raises(BadOrder, match="1080p") as caught:
            desk.runner().finish(draft.task)
        assert "720p" in str(caught.value)
        assert fake.creates == 1
