"""An unclear order is cleared by what its provider documents, and by nothing else: the same create
with the same idempotency key, or the task in the provider's list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakes
import pytest
from fakes import Answer, Fake, Request
from journals import sql
from running import Desk, picture, until

from seedance import providers
from seedance.errors import Refused, Unclear
from seedance.order import Medium
from seedance.runner import Runner, clearing, prices
from seedance.runner.target import ANYWHERE

KEYED = ("comfy", "evolink")
LISTED = ("fal", "lumenfall", "replicate")
WITHOUT = ("aihubmax", "leonardo", "openrouter", "sinancode")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clearing, "FIND_SECONDS", 0.0)
    monkeypatch.setattr(clearing, "LONGEST_WAIT", 0.0)
    monkeypatch.setattr(prices, "ASKED_SECONDS", 30.0)


@pytest.fixture(params=KEYED)
def keyed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """A desk at a provider with idempotency keys."""
    with fakes.all()[request.param](polls_until_done=0) as fake:
        yield Desk(fake, tmp_path)


@pytest.fixture(params=LISTED)
def listed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """A desk at a provider whose list of tasks tells whose a task is."""
    with fakes.all()[request.param](polls_until_done=0) as fake:
        yield Desk(fake, tmp_path)


@pytest.fixture
def comfy(tmp_path: Path) -> Iterator[Desk]:
    with fakes.all()["comfy"](polls_until_done=0) as fake:
        yield Desk(fake, tmp_path)


def is_create(request: Request) -> bool:
    """Whether a request is the paid one."""
    ends = ("/predictions", "/videos", "/generations", "/requests", "-to-video", "/complete")
    ends += ("/tasks", "/seedance-2.0")
    return request.method == "POST" and request.path.endswith(ends)


def is_list(request: Request) -> bool:
    """Whether a request looks into a list of tasks."""
    ends = ("/predictions", "/requests", "/by-endpoint", "/tasks")
    return request.method == "GET" and request.path.endswith(ends)


def creates(fake: Fake) -> list[Request]:
    return [request for request in fake.requests if is_create(request)]


def unclear(desk: Desk, runner: Runner | None = None, **order: Any) -> Unclear:
    with pytest.raises(Unclear) as caught:
        desk.video(runner, **order)
    assert caught.value.spent == "unknown"
    assert f"seedance forget {desk.row().id}" in caught.value.hint
    return caught.value


def stranded(desk: Desk, what: str = "reset-after", **order: Any) -> None:
    """An order whose answer is lost, and whose process can then reach the provider no more."""
    desk.fake.fault(is_create, what)
    desk.fake.fault(is_create, "status:401", times=1)
    desk.fake.fault(is_list, "status:403", times=1)
    unclear(desk, **order)


def age(desk: Desk, seconds: float) -> None:
    """Let so much time pass for the journal."""
    columns = ("submitted", "updated", "looked")
    sets = ", ".join(f"{column} = {column} - :s" for column in columns)
    sql(str(desk.runner().journal.url), f"UPDATE orders SET {sets}", s=seconds)


# ----------------------------------------------------------------------- sent again, with its key


@pytest.mark.parametrize("fault", ["reset", "reset-after", "truncate", "status:502", "html:504"])
def test_the_same_create_is_sent_again_with_the_same_key_and_is_one_task(
    keyed: Desk, fault: str
) -> None:
    keyed.fake.fault(is_create, fault)
    result = keyed.video(first_frame=picture())
    first, second = creates(keyed.fake)
    assert (result.state, keyed.fake.creates) == ("saved", 1)
    assert first.body == second.body
    assert (first.path, first.query) == (second.path, second.query)
    key = first.headers["idempotency-key"]
    assert key == second.headers["idempotency-key"] == keyed.row().mark
    assert len(key) == 36


def test_the_key_and_the_create_are_in_the_journal_before_they_are_sent(keyed: Desk) -> None:
    seen: list[tuple[Any, Any]] = []

    def noted(request: Request) -> bool:
        if is_create(request):
            row = keyed.row()
            seen.append((request, row))
        return False

    keyed.fake.fault(noted, "reset")
    keyed.video()
    ((request, row),) = seen
    kept = json.loads(row.create)
    assert (row.state, kept["json"]) == ("submitting", request.json)
    assert request.headers["idempotency-key"] == row.mark == kept["headers"]["Idempotency-Key"]
    assert keyed.row().create is None  # once its outcome is known, nothing is kept of it


def test_each_order_has_a_key_of_its_own(keyed: Desk) -> None:
    for seed in range(3):
        keyed.video(seed=seed, prompt=f"a fox, {seed}")
    assert len({request.headers["idempotency-key"] for request in creates(keyed.fake)}) == 3


def test_a_network_that_is_away_for_long_is_waited_for(keyed: Desk) -> None:
    keyed.fake.fault(is_create, "reset-after")
    keyed.fake.fault(is_create, "reset", times=7)
    assert keyed.video().state == "saved"
    assert (keyed.fake.creates, len(creates(keyed.fake))) == (1, 9)


def test_answers_that_tell_nothing_end_the_attempts(keyed: Desk) -> None:
    keyed.fake.fault(is_create, "status:500", times=100)
    error = unclear(keyed)
    assert "HTTP 500" in error.hint
    assert len(creates(keyed.fake)) == 1 + clearing.MOST_ANSWERS
    assert keyed.fake.creates == 0


def test_the_next_click_sends_it_again_with_the_same_key(keyed: Desk) -> None:
    stranded(keyed)
    assert keyed.row().state == "unclear"
    assert keyed.video().state == "saved"
    assert keyed.fake.creates == 1
    assert len({request.body for request in creates(keyed.fake)}) == 1
    assert len(keyed.rows()) == 1


@pytest.mark.parametrize(("provider", "seconds"), [("comfy", 24 * 3600), ("evolink", 600)])
def test_after_the_time_of_a_key_it_is_not_sent_again(
    provider: str, seconds: float, tmp_path: Path
) -> None:
    with fakes.all()[provider](polls_until_done=0) as fake:
        desk = Desk(fake, tmp_path)
        stranded(desk)
        sent = len(creates(fake))
        age(desk, seconds)
        assert "That is over" in unclear(desk).hint
        assert len(creates(fake)) == sent


def test_with_a_clock_that_went_back_it_is_not_sent_again(comfy: Desk) -> None:
    stranded(comfy)
    sent = len(creates(comfy.fake))
    age(comfy, -7200)
    unclear(comfy)
    assert len(creates(comfy.fake)) == sent


def test_another_key_or_address_does_not_send_it_again(keyed: Desk) -> None:
    stranded(keyed)
    sent = len(creates(keyed.fake))
    mine, keyed.fake.key = keyed.fake.key, "another-key-0123456789abcdef"
    assert "another key" in unclear(keyed).hint
    keyed.fake.key = mine
    with fakes.all()[keyed.fake.provider]() as elsewhere:
        assert "another address" in unclear(keyed, keyed.runner(**elsewhere.environment())).hint
        assert creates(elsewhere) == []
    assert len(creates(keyed.fake)) == sent


def test_a_refusal_of_the_second_create_that_may_not_be_about_it_leaves_it_unclear(
    keyed: Desk,
) -> None:
    keyed.fake.fault(is_create, "reset-after")
    keyed.fake.fault(is_create, "status:402")
    error = unclear(keyed)
    assert "It was sent again with the same idempotency key" in error.hint
    assert keyed.video().state == "saved"
    assert keyed.fake.creates == 1


def test_a_refusal_of_this_very_create_ends_it(keyed: Desk) -> None:
    keyed.fake.fault(is_create, "reset")
    keyed.fake.fault(is_create, "status:422")
    with pytest.raises(Refused) as caught:
        keyed.video()
    assert caught.value.spent == "no"
    assert (keyed.row().state, keyed.fake.creates) == ("refused", 0)


def test_a_key_that_is_open_is_asked_for_again(comfy: Desk) -> None:
    body = {"detail": "Still running.", "error_type": "concurrency_limit_exceeded"}
    headers = {"Retry-After": "0", "X-Comfy-Error-Type": "concurrency_limit_exceeded"}
    comfy.fake.fault(is_create, "reset-after")
    comfy.fake.fault(is_create, Answer(409, json=body, headers=headers), times=2)
    assert comfy.video().state == "saved"
    assert (comfy.fake.creates, len(creates(comfy.fake))) == (1, 4)


@pytest.mark.parametrize(
    ("provider", "answer"),
    [
        (
            "comfy",
            Answer(
                409,
                json={"detail": "The key is consumed.", "error_type": "invalid_input"},
                headers={"X-Comfy-Error-Type": "invalid_input"},
            ),
        ),
        (
            "evolink",
            Answer(
                400,
                json={"error": {"code": "idempotency_conflict", "message": "The key is consumed."}},
            ),
        ),
    ],
)
def test_a_key_that_is_spent_is_of_no_use(provider: str, answer: Answer, tmp_path: Path) -> None:
    with fakes.all()[provider](polls_until_done=0) as fake:
        desk = Desk(fake, tmp_path)
        fake.fault(is_create, "reset-after")
        fake.fault(is_create, answer)
        assert "The key is consumed" in unclear(desk).hint
        assert len(creates(fake)) == 2


def test_evolinks_open_outcome_is_asked_for_with_the_same_key(tmp_path: Path) -> None:
    with fakes.all()["evolink"](polls_until_done=0) as fake:
        error = {"error": {"code": "paid_outcome_unknown", "message": "Ask again."}}
        fake.fault(is_create, Answer(400, json=error), times=2)
        assert Desk(fake, tmp_path).video().state == "saved"
        assert len({request.headers["idempotency-key"] for request in creates(fake)}) == 1


def test_a_forgotten_order_is_not_sent_again(keyed: Desk) -> None:
    stranded(keyed)
    sent = len(creates(keyed.fake))
    runner = keyed.runner()
    runner.forget(1)
    age(keyed, 200)
    runner.recover()
    assert len(creates(keyed.fake)) == sent
    assert keyed.row().create is None


# -------------------------------------------------------------------------------- found in a list


def test_a_task_whose_answer_was_lost_is_found(listed: Desk) -> None:
    listed.fake.fault(is_create, "reset-after")
    result = listed.video(first_frame=picture())
    assert result.state == "saved"
    assert (listed.fake.creates, len(creates(listed.fake))) == (1, 1)


def test_each_finds_its_own_among_many(listed: Desk) -> None:
    for seed in range(5):
        listed.video(seed=seed, prompt=f"a fox, {seed}")
    listed.fake.fault(is_create, "reset-after")
    result = listed.video(seed=7, prompt="a fox, 7")
    for seed in range(10, 15):
        listed.video(seed=seed, prompt=f"a fox, {seed}")
    assert "a fox, 7" in json.dumps(_body_of(listed, result.task or ""))


def _body_of(desk: Desk, ticket: str) -> Any:
    return next(task.body for task in desk.fake.tasks.values() if task.id in ticket)


def test_what_did_not_arrive_stays_unclear_and_is_never_sent_again(listed: Desk) -> None:
    listed.fake.fault(is_create, "reset")
    error = unclear(listed)
    assert "which proves nothing" in error.hint
    for seconds in (0, 60, 1800, 40 * 86400):
        age(listed, seconds)
        unclear(listed)
    assert len(creates(listed.fake)) == 1


def test_two_looks_minutes_apart_are_told(listed: Desk) -> None:
    listed.fake.fault(is_create, "reset")
    assert "which proves nothing" in unclear(listed).hint
    assert "which proves nothing" in unclear(listed).hint  # at once: the same look
    age(listed, clearing.LOOK_SECONDS)
    hint = unclear(listed).hint
    assert "in 2 looks, minutes apart: it was probably not created" in hint
    assert "It is not sent again by itself" in hint
    assert "probably not created" in (listed.row().error or {})["hint"]


def test_a_list_that_is_late_is_looked_through_again(listed: Desk) -> None:
    listed.fake.fault(is_create, "reset-after")
    late: dict[str, Any] = {}

    def hides(request: Request) -> bool:
        if is_list(request) and not late:
            late.update(listed.fake.tasks)
            listed.fake.tasks.clear()
        return False

    listed.fake.fault(hides, "reset")
    unclear(listed)
    listed.fake.tasks.update(late)
    assert listed.video().state == "saved"
    assert len(creates(listed.fake)) == 1


def test_two_that_it_may_be_are_shown_and_none_is_adopted(listed: Desk) -> None:
    listed.fake.fault(is_create, "reset-after")
    listed.fake.fault(is_list, "status:403")
    unclear(listed)
    (task,) = listed.fake.tasks.values()
    _twin(listed.fake, task)
    error = unclear(listed)
    assert "2 tasks that this order may have made" in error.message
    assert all(each.id in error.message for each in listed.fake.tasks.values())
    assert listed.row().error == {**(listed.row().error or {}), "message": error.message}
    assert (listed.row().state, listed.row().task) == ("unclear", None)


def _twin(fake: Any, task: Any) -> None:
    twin = fake.accept(task.body, task.id[:-4] + "{n:04d}")
    for name in ("apps", "endpoints"):  # of fal's fake
        if hasattr(fake, name):
            getattr(fake, name)[twin.id] = getattr(fake, name)[task.id]


def test_the_marker_is_random_and_of_nobody(listed: Desk) -> None:
    if listed.fake.provider == "replicate":
        return  # it has no field for one
    field = {"fal": "end_user_id", "lumenfall": "user"}[listed.fake.provider]
    for seed in range(2):
        listed.video(seed=seed, prompt=f"a fox, {seed}")
    first, second = (request.json[field] for request in creates(listed.fake))
    assert first != second
    assert len(first) == len(second) == 36


def test_a_network_that_is_away_while_it_is_looked_for_is_waited_for(listed: Desk) -> None:
    listed.fake.fault(is_create, "reset-after")
    listed.fake.fault(is_list, "reset", times=6)
    assert listed.video().state == "saved"


def test_replicates_inputs_are_there_for_an_hour(tmp_path: Path) -> None:
    with fakes.all()["replicate"](polls_until_done=0) as fake:
        desk = Desk(fake, tmp_path)
        fake.fault(is_create, "reset-after")
        fake.fault(is_list, "status:403")
        unclear(desk)
        age(desk, 3601)
        lists = sum(map(is_list, fake.requests))
        assert "cannot be recognised there any more" in unclear(desk).hint
        assert sum(map(is_list, fake.requests)) == lists


def test_the_final_video_of_a_draft_is_found_at_fal(tmp_path: Path) -> None:
    with fakes.all()["fal"](polls_until_done=0) as fake:
        desk = Desk(fake, tmp_path)
        draft = desk.video(model="seedance-2.5", resolution="480p", draft=True)
        fake.fault(is_create, "reset-after")
        final = desk.runner().finish(draft.task or "").wait()
        assert (final.state, fake.creates, len(creates(fake))) == ("saved", 2, 2)


def test_fals_history_without_what_was_sent_adopts_nothing(tmp_path: Path) -> None:
    with fakes.all()["fal"](polls_until_done=0) as fake:
        desk = Desk(fake, tmp_path)
        fake.keeps_payloads = False
        fake.fault(is_create, "reset-after")
        assert "without what was sent" in unclear(desk).message
        assert desk.row().task is None


# --------------------------------------------------------------------------------- by themselves


@pytest.mark.parametrize("provider", [*KEYED, *LISTED, "byteplus"])
def test_a_heartbeat_clears_what_was_left_unclear(provider: str, tmp_path: Path) -> None:
    with fakes.all()[provider](polls_until_done=0) as fake:
        desk = Desk(fake, tmp_path)
        stranded(desk)
        runner = desk.runner()
        runner.recover()
        assert desk.row().state == "unclear"  # it has just been looked for
        age(desk, clearing.LOOK_SECONDS)
        runner.recover()
        until(lambda: desk.row().state == "saved")
        assert fake.creates == 1


def test_a_heartbeat_looks_twice_and_then_leaves_it_to_a_person(listed: Desk) -> None:
    listed.fake.fault(is_create, "reset")
    unclear(listed)
    for _ in range(3):
        age(listed, clearing.LOOK_SECONDS)
        runner = listed.runner()
        runner.recover()
        until(lambda runner=runner: not runner._worker.busy)  # type: ignore[misc]
    assert listed.row().looks == 2
    assert "probably not created" in (listed.row().error or {})["hint"]
    assert len(creates(listed.fake)) == 1


@pytest.mark.parametrize("provider", [*KEYED, *LISTED])
def test_collecting_the_row_clears_it(provider: str, tmp_path: Path) -> None:
    with fakes.all()[provider](polls_until_done=0) as fake:
        desk = Desk(fake, tmp_path)
        stranded(desk)
        runner = desk.runner()
        assert runner._collect(runner.find_row("1"), ANYWHERE).wait().state == "saved"
        assert fake.creates == 1


# ---------------------------------------------------------------------------- where nothing helps


@pytest.mark.parametrize("provider", WITHOUT)
def test_without_a_means_it_stays_unclear_and_says_where_to_look(
    provider: str, tmp_path: Path
) -> None:
    with fakes.all()[provider](polls_until_done=0) as fake:
        desk = Desk(fake, tmp_path)
        fake.fault(is_create, "reset-after")
        error = unclear(desk)
        assert "Look at" in error.hint or "look " in error.hint
        requests = len(fake.requests)
        unclear(desk)
        desk.runner().recover()
        assert len(fake.requests) == requests
        assert fake.creates == 1


def test_every_provider_says_where_to_look() -> None:
    for provider in providers.registry().values():
        means = provider.can("find") or provider.can("idempotency")
        assert means or provider.where_to_look or provider.id in ("preview", "leonardo", "gateway")


def test_a_user_of_the_persons_own_is_sent_and_nothing_is_looked_for(tmp_path: Path) -> None:
    with fakes.all()["lumenfall"](polls_until_done=0) as fake:
        desk = Desk(fake, tmp_path)
        fake.fault(is_create, "reset-after")
        error = unclear(desk, extra={"lumenfall": {"user": "ada"}})
        assert "sets user itself" in error.hint
        assert creates(fake)[0].json["user"] == "ada"


def test_a_picture_goes_up_once_though_the_create_goes_twice(keyed: Desk, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    from PIL import Image

    Image.effect_noise((800, 600), 60).convert("RGB").save(file)
    stranded(keyed, first_frame=Medium.from_path("image", file))
    posts = len(keyed.fake.requests)
    file.unlink()  # nothing but the journal is needed any more
    runner = keyed.runner()
    age(keyed, clearing.LOOK_SECONDS)
    runner.recover()
    until(lambda: keyed.row().state == "saved")
    assert keyed.fake.creates == 1
    again = [request for request in keyed.fake.requests[posts:] if request.method == "POST"]
    assert all(map(is_create, again))
