"""A gateway of the user's own, from an order to the video, in each dialect: what is sent, what is
understood, and what a lost answer at any step costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import Answer, Request
from fakes.gateway import BY_DIALECT, GENERATIONS, VIDEOS, FakeArkClone, FakeFalGateway, FakeGateway
from loopback import Server
from running import Desk, is_create, is_poll, is_result, left_running

from seedance.errors import BadOrder, Refused, SeedanceError, StillRunning, TaskFailed, Unclear
from seedance.order import Medium
from seedance.runner import clearing, poll

CLIP = Medium.from_address("video", "https://media.example/a.mp4")
PICTURE = Medium.from_address("image", "https://media.example/a.png")


@pytest.fixture(params=BY_DIALECT)
def desk(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """A desk at a gateway of each dialect."""
    monkeypatch.setattr(clearing, "FIND_SECONDS", 0.05)
    with BY_DIALECT[request.param](polls_until_done=1) as fake:
        yield Desk(fake, tmp_path)


@pytest.fixture
def new_api(tmp_path: Path) -> Iterator[Desk]:
    with FakeGateway(polls_until_done=1) as fake:
        yield Desk(fake, tmp_path)


def ended(desk: Desk, **fields: Any) -> Any:
    """What came of an order: the result, or the error."""
    try:
        return desk.video(**fields)
    except SeedanceError as error:
        return error


# ---------------------------------------------------------------------------------- what is sent


def test_an_order_becomes_a_video(desk: Desk) -> None:
    result = desk.video(first_frame=PICTURE)
    assert result.state == "saved" and result.task.startswith("gateway:")
    assert Path(result.file).read_bytes() == desk.fake.clip
    assert (desk.fake.creates, desk.sent_creates) == (1, 1)
    assert desk.video(first_frame=PICTURE).reused


def test_pictures_go_inline_where_ark_is_behind_it(desk: Desk, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    from PIL import Image

    Image.new("RGB", (800, 600), "red").save(picture)
    outcome = ended(desk, first_frame=Medium.from_path("image", picture))
    if isinstance(desk.fake, FakeFalGateway):  # a queue has no storage
        assert isinstance(outcome, BadOrder) and "only by a public address" in outcome.message
        assert desk.fake.requests == []
        return
    assert outcome.state == "saved"
    assert '"data:image/png;base64,' in desk.fake.sent("POST")[0].body.decode()


def test_the_same_dialect_is_spoken_under_a_base_url_that_ends_with_v1(new_api: Desk) -> None:
    fake = new_api.fake
    runner = new_api.runner(SEEDANCE_GATEWAY_BASE_URL=f"{fake.base_url}/v1/")
    assert new_api.video(runner).state == "saved"


NEWEST = "seedance-2.5"
# What a stock new-api drops on the way, or has no field for.
NOT_CARRIED: dict[str, tuple[dict[str, Any], str]] = {
    "draft": ({"model": NEWEST, "draft": True, "resolution": "480p"}, "no drafts"),
    "edit": ({"model": NEWEST, "video": CLIP, "duration": -1}, "cannot do video editing"),
    "extend": (
        {"model": NEWEST, "video": CLIP, "operation": "extend"},
        "cannot do video extension",
    ),
    "mov": ({"model": NEWEST, "output_format": "mov"}, "output_format"),
    "final": (
        {"model": NEWEST, "draft_of": "gateway:task_1", "resolution": "1080p"},
        "finishes no drafts",
    ),
}


@pytest.mark.parametrize("what", NOT_CARRIED)
def test_what_new_api_cannot_carry_is_refused_before_anything_is_sent(
    new_api: Desk, what: str
) -> None:
    fields, said = NOT_CARRIED[what]
    with pytest.raises(BadOrder, match=said):
        new_api.video(**{"ratio": "adaptive", **fields})
    assert new_api.fake.requests == []


@pytest.mark.parametrize("what", ["edit", "extend", "draft", "mov"])
def test_a_clone_of_ark_carries_what_ark_takes(what: str, tmp_path: Path) -> None:
    fields, _ = NOT_CARRIED[what]
    with FakeArkClone(polls_until_done=0) as fake:
        desk = Desk(fake, tmp_path)
        assert desk.video(**{"ratio": "adaptive", **fields}).state == "saved"
        if what == "draft":
            final = {"draft_of": desk.row().task, "resolution": "1080p", "model": NEWEST}
            assert desk.video(prompt="", **final).state == "saved"
            assert fake.creates == 2


def test_a_path_that_names_a_mode_serves_that_mode_alone(tmp_path: Path) -> None:
    with FakeFalGateway(polls_until_done=0) as fake:
        desk = Desk(fake, tmp_path)
        only = {
            "SEEDANCE_GATEWAY_MODELS": '{"seedance-2.0": "bytedance/seedance-2.0/text-to-video"}'
        }
        assert desk.video(desk.runner(**only)).state == "saved"
        with pytest.raises(BadOrder, match="cannot do first frame"):
            desk.video(desk.runner(**only), first_frame=PICTURE)
        assert fake.creates == 1


def test_addresses_of_the_queue_behind_a_gateway_are_asked_for_at_the_gateway(
    tmp_path: Path,
) -> None:
    with FakeFalGateway(polls_until_done=1) as fake:
        fake.upstream_addresses = True
        assert Desk(fake, tmp_path).video().state == "saved"
        assert all(each.path.startswith(("/fal/", "/results/")) for each in fake.requests)


# ------------------------------------------------------------------------------- what is understood


@pytest.mark.parametrize(
    ("create_at", "poll_at"), [(VIDEOS, GENERATIONS), (GENERATIONS, VIDEOS)], ids=str
)
def test_either_create_route_and_either_poll_route_will_do(
    new_api: Desk, create_at: str, poll_at: str
) -> None:
    new_api.fake.create_at, new_api.fake.poll_at = (create_at,), (poll_at,)  # type: ignore[attr-defined]
    assert new_api.video().state == "saved"
    assert new_api.fake.creates == 1
    assert poll_at in [each.path.rpartition("/")[0] for each in new_api.fake.sent("GET")]


# The others are in tests/providers/wire/gateway.json.
PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "video_url": lambda url: {"video_url": url},
    "data.content.video_url": lambda url: {"data": {"content": {"video_url": url}}},
    "resultJson": lambda url: {"resultJson": f'{{"resultUrls": ["{url}"]}}'},
}


@pytest.mark.parametrize(
    ("place", "poll_at"), [*zip(PLACES, (VIDEOS, GENERATIONS, VIDEOS))], ids=str
)
def test_the_video_is_fetched_from_wherever_it_is(new_api: Desk, place: str, poll_at: str) -> None:
    fake: Any = new_api.fake
    fake.result, fake.poll_at = PLACES[place], (poll_at,)
    result = new_api.video()
    assert Path(result.file).read_bytes() == fake.clip
    assert not [each for each in fake.requests if each.path.endswith("/content")]


def is_content(request: Request) -> bool:
    return request.path.endswith("/content")


def nowhere(_url: str) -> dict[str, Any]:
    return {}


def test_without_an_address_the_video_is_fetched_from_content_with_the_key(new_api: Desk) -> None:
    fake: Any = new_api.fake
    fake.result = nowhere
    result = new_api.video()
    assert Path(result.file).read_bytes() == fake.clip
    asked = [each.headers.get("authorization") for each in fake.requests if is_content(each)]
    assert asked == [None, f"Bearer {fake.key}"]


def test_the_name_that_a_gateway_has_for_itself_is_not_followed(new_api: Desk) -> None:
    fake: Any = new_api.fake
    fake.result = lambda _url: {
        "metadata": {"url": f"http://localhost:3000{VIDEOS}/{[*fake.tasks][-1]}/content"}
    }
    assert new_api.video().state == "saved"
    assert [each for each in fake.requests if is_content(each)]


def test_a_clone_of_ark_may_wrap_its_answers(tmp_path: Path) -> None:
    with FakeArkClone(polls_until_done=1) as fake:
        fake.wrapped = True
        assert Desk(fake, tmp_path).video().state == "saved"


def test_a_failed_task_says_why_and_that_nobody_knows_whether_it_is_billed(desk: Desk) -> None:
    desk.fake.fail_with = desk.fake.failure("The model gave up.", "InternalServiceError")
    error = ended(desk)
    assert isinstance(error, TaskFailed) and "The model gave up" in error.message
    assert error.spent == "unknown"


def test_a_task_that_the_gateway_does_not_know_is_no_proof_of_an_end(
    new_api: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "UNKNOWN_SECONDS", 0.0)
    ticket = left_running(new_api)
    tasks = dict(new_api.fake.tasks)
    new_api.fake.tasks.clear()
    with pytest.raises(StillRunning, match="no proof that it has ended"):
        new_api.runner().collect(ticket).wait()
    new_api.fake.tasks |= tasks
    assert new_api.runner().collect(ticket).wait().state == "saved"


# ------------------------------------------------------------------------- a task that never ends


def test_a_task_that_never_ends_is_left_by_our_own_deadline_and_stays_collectable(
    new_api: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake: Any = new_api.fake
    fake.endless = True
    later = poll.Polling.elapsed

    def days_later(self: Any) -> float:
        return 51 * 3600 + later.fget(self)  # type: ignore[attr-defined,no-any-return]

    with monkeypatch.context() as patch:
        patch.setattr(poll.Polling, "elapsed", property(days_later))
        error = ended(new_api)
    assert isinstance(error, StillRunning) and error.spent == "yes"
    assert "has not come to an end for a long time" in error.message
    assert '"in progress" for ever of a task that expired' in error.hint
    assert f"seedance collect {error.task}" in error.hint
    assert new_api.row().state == "running"
    fake.endless = False
    assert new_api.runner().collect(error.task or "").wait().state == "saved"
    assert fake.creates == 1


def test_who_stops_waiting_is_told_of_tasks_that_never_end(new_api: Desk) -> None:
    new_api.fake.polls_until_done = 10**6
    with pytest.raises(StillRunning) as caught:
        new_api.video(new_api.runner(SEEDANCE_TIMEOUT="0"))
    assert "for ever of a task that expired or was cancelled behind them" in caught.value.hint


# ---------------------------------------------------------------------------------- lost answers


def at_each(desks: str, *faults: str) -> list[Any]:
    """Each fault at the first desk, the first two of them at the others: what is beyond is the
    same code."""
    first, *others = desks.split()
    pairs = [(first, fault) for fault in faults]
    pairs += [(other, fault) for other in others for fault in faults[:2]]
    return [pytest.param(*pair, id="-".join(pair)) for pair in pairs]


def in_order_of(faults: tuple[str, ...]) -> pytest.MarkDecorator:
    """Parametrizes `desk` (by its dialect) and `fault`."""
    return pytest.mark.parametrize(
        ("desk", "fault"), at_each(" ".join(BY_DIALECT), *faults), indirect=["desk"]
    )


ARRIVED = ("reset-after", "truncate", "hang:600")


@pytest.mark.slow
@in_order_of(("reset-after", "reset", "truncate", "html:502", "status:500", "hang:600"))
def test_a_create_whose_answer_is_lost_is_never_sent_again(
    desk: Desk, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seedance.transport.session.SPEND_SECONDS", 0.5)
    desk.fake.fault(is_create, fault)
    outcome = ended(desk)
    arrived = fault in ARRIVED
    assert (desk.fake.creates, desk.sent_creates) == (int(arrived), 1)
    if arrived and isinstance(desk.fake, FakeArkClone):  # it has Ark's list
        assert outcome.state == "saved"
        return
    assert isinstance(outcome, Unclear) and outcome.spent == "unknown"
    assert isinstance(ended(desk), Unclear)
    assert desk.sent_creates == 1


def test_a_clone_without_a_list_leaves_the_order_unclear(tmp_path: Path) -> None:
    with FakeArkClone() as fake:
        fake.has_list = False
        fake.fault(is_create, "reset-after")
        desk = Desk(fake, tmp_path)
        assert isinstance(ended(desk), Unclear)
        assert isinstance(ended(desk), Unclear)
        assert (fake.creates, desk.sent_creates) == (1, 1)


@pytest.mark.slow
@in_order_of(("reset-after", "html:200", "truncate", "status:500", "429:0", "status:404"))
def test_a_poll_whose_answer_is_lost_is_made_again(desk: Desk, fault: str) -> None:
    desk.fake.fault(is_poll, fault, times=2)
    assert desk.video().state == "saved"
    assert (desk.fake.creates, desk.sent_creates) == (1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["reset-after", "truncate", "status:500", "html:200"])
@pytest.mark.parametrize("at_content", [False, True])
def test_a_download_that_breaks_goes_on(
    new_api: Desk, at_content: bool, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seedance.download.Stop.wait", lambda *_: False)
    fake: Any = new_api.fake
    if at_content:
        fake.result = nowhere
    fake.fault(is_content if at_content else is_result, fault, times=2)
    assert new_api.video().state == "saved"
    assert fake.creates == 1


# --------------------------------------------------------------------------------- whose key it is


@pytest.mark.safety
def test_the_key_goes_to_no_other_host(desk: Desk) -> None:
    def away(request: Request) -> Answer:
        return Answer(307, headers={"location": f"{other.url}{request.path}"})

    def to_other(request: Request, real: Any = desk.fake.handle) -> Answer:
        answer: Answer = real(request)
        if request.method == "GET" and answer.json:
            text = str(answer.content.decode()).replace(desk.fake.result_url, f"{other.url}/a.mp4")
            return Answer(answer.status, body=text.encode())
        return answer

    with Server(lambda _request: Answer(200, body=b"\0" * 64)) as other:
        desk.fake.fault(is_create, Answer(307, headers={"location": f"{other.url}/v1/videos"}))
        assert isinstance(ended(desk, seed=1), Refused)  # an order is never sent on
        for which in (is_poll, is_result):
            desk.fake.fault(which, Answer(302, headers={"location": f"{other.url}/x"}), times=3)
            ended(desk, seed=2 + (which is is_result))
        desk.fake.handle = to_other  # type: ignore[method-assign]
        ended(desk, seed=4)
        desk.fake.handle = away  # type: ignore[method-assign]
        ended(desk, seed=5)
        assert all("authorization" not in each.headers for each in other.requests)
        assert all(desk.fake.key not in str(each.headers) for each in other.requests)


@pytest.mark.safety
def test_content_that_leads_elsewhere_does_not_take_the_key_along(new_api: Desk) -> None:
    fake: Any = new_api.fake
    fake.result = nowhere
    with Server(lambda _request: Answer(401)) as other:
        away = Answer(302, headers={"location": f"{other.url}/clip.mp4"})
        fake.fault(lambda each: is_content(each) and "authorization" in each.headers, away, 9)
        error = ended(new_api)
        assert isinstance(error, StillRunning) and "could not be saved" in error.message
        assert other.requests == []  # no public https address
    fake._faults.clear()
    assert new_api.runner().collect(error.task or "").wait().state == "saved"


def test_another_dialect_shows_the_key_in_its_own_way_in_the_same_process(tmp_path: Path) -> None:
    """A person changes the dialect in the settings while ComfyUI runs."""
    with FakeFalGateway(polls_until_done=0) as fake:
        desk = Desk(fake, tmp_path)
        runner = desk.runner(SEEDANCE_GATEWAY_DIALECT="openai")
        assert isinstance(ended(desk, runner=runner, seed=1), Refused)
        runner.settings._environment["SEEDANCE_GATEWAY_DIALECT"] = "fal"
        assert desk.video(runner, seed=2).state == "saved"
