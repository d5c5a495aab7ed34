"""OpenRouter, by a runner: what its list says of models and prices, and who gets the key."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fakes
import pytest
from fakes import Answer, Request
from fakes.openrouter import FakeOpenRouter
from loopback import Server
from running import Desk, picture

from seedance.errors import BadOrder, TaskFailed
from seedance.money import Money
from seedance.order import Medium
from seedance.runner import prices

LIST = "/api/v1/videos/models"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "ASKED_SECONDS", 30.0)


@pytest.fixture
def fake() -> Iterator[FakeOpenRouter]:
    with FakeOpenRouter(polls_until_done=1) as server:
        yield server


@pytest.fixture
def desk(fake: FakeOpenRouter, tmp_path: Path) -> Desk:
    return Desk(fake, tmp_path)


def item(fake: FakeOpenRouter, model: str) -> dict[str, Any]:
    """What the list says of a model."""
    return next(each for each in fake.listed if each["id"] == f"bytedance/{model}")


def lists(fake: FakeOpenRouter) -> int:
    return len(fake.sent("GET", LIST))


def quote(desk: Desk, **order: Any) -> Any:
    found = desk.runner().check(desk.order(**order))
    return next(each for each in found if each.provider == "openrouter")


# ------------------------------------------------------------------------------------- an order


def test_frames_and_references_become_a_video(desk: Desk, fake: FakeOpenRouter) -> None:
    frame = desk.video(first_frame=picture(), last_frame=picture(), prompt="it turns")
    clip = Medium.from_address("video", "https://media.example/a.mp4")
    references = desk.video(references=(picture(), clip), prompt="@Image1 as in @Video1")
    assert (frame.state, references.state) == ("saved", "saved")
    assert frame.cost == references.cost == Money(0.756, "USD")
    first, second = (task.body for task in fake.tasks.values())
    assert [each["frame_type"] for each in first["frame_images"]] == ["first_frame", "last_frame"]
    assert [each["type"] for each in second["input_references"]] == ["image_url", "video_url"]


def test_what_it_has_no_words_for_is_refused_before_anything_is_sent(
    desk: Desk, fake: FakeOpenRouter
) -> None:
    clip = Medium.from_address("video", "https://media.example/a.mp4")
    orders = {
        "adaptive": desk.order(ratio="adaptive"),
        "video editing": desk.order(video=clip),
        "video extension": desk.order(video=clip, operation="extend"),
        "duration": desk.order(duration=-1),
    }
    for word, order in orders.items():
        with pytest.raises(BadOrder, match=word):
            desk.runner().start(order)
    assert fake.creates == 0


def test_a_failed_video_says_why(desk: Desk, fake: FakeOpenRouter) -> None:
    fake.fail_with = "The provider refused it."
    with pytest.raises(TaskFailed, match="The provider refused it"):
        desk.video()


# -------------------------------------------------------------------------------- who gets the key


@pytest.mark.safety
def test_the_vendors_address_is_fetched_without_the_key(desk: Desk, fake: FakeOpenRouter) -> None:
    assert desk.video().file.read_bytes() == fake.clip
    (fetched,) = fake.sent("GET", "/vendor/clip.mp4")
    assert "authorization" not in fetched.headers
    assert fake.sent("GET", "/content") == []


@pytest.mark.parametrize("address", [True, False], ids=["a dead address", "no address"])
def test_where_that_does_not_work_the_route_of_its_own_is_fetched_with_it(
    desk: Desk, fake: FakeOpenRouter, address: bool
) -> None:
    fake.vendor_address, fake.vendor_works = address, False
    assert desk.video().file.read_bytes() == fake.clip
    asked = [request.headers.get("authorization") for request in fake.sent("GET", "/content")]
    assert asked == [None, f"Bearer {fake.key}"]  # not before it is asked for


@pytest.mark.safety
@pytest.mark.parametrize("place", ["/vendor/clip.mp4", "/content"])
def test_the_key_does_not_follow_a_redirect(desk: Desk, fake: FakeOpenRouter, place: str) -> None:
    fake.vendor_address = place != "/content"

    def there(request: Request) -> Answer:
        return fakes.ranged(request, fake.clip, "video/mp4")

    with Server(there) as elsewhere:
        away = Answer(302, headers={"location": f"{elsewhere.url}/take.mp4"})

        def with_key(request: Request) -> bool:
            keyed = place != "/content" or "authorization" in request.headers
            return request.path.endswith(place) and keyed

        fake.fault(with_key, away)
        desk.video()
        assert [request.headers.get("authorization") for request in elsewhere.requests] in (
            [None],
            [],
        )


@pytest.mark.safety
def test_a_vendors_address_at_another_port_gets_no_key(desk: Desk, fake: FakeOpenRouter) -> None:
    with Server(lambda request: Answer(401)) as elsewhere:
        answer = {"id": "x", "status": "completed", "unsigned_urls": [f"{elsewhere.url}/a.mp4"]}
        polled = f"{fake.url}/api/v1/videos/"

        def is_done(request: Request) -> bool:
            done = fake.tasks and next(iter(fake.tasks.values())).polls > 1
            return bool(done) and f"{fake.url}{request.path}".startswith(polled + "gen")

        fake.fault(lambda r: is_done(r) and not r.path.endswith("/content"), Answer(json=answer))
        assert desk.video().file.read_bytes() == fake.clip
        assert not any("authorization" in request.headers for request in elsewhere.requests)


# -------------------------------------------------------------------------------------- the list


@pytest.mark.safety
def test_the_list_is_read_once_a_day_without_the_key(desk: Desk, fake: FakeOpenRouter) -> None:
    desk.video()
    desk.video(seed=1)
    quote(desk)
    assert lists(fake) == 1
    assert "authorization" not in fake.sent("GET", LIST)[0].headers
    file = desk.settings().home / "catalogs" / "openrouter.json"
    record = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**record, "at": time.time() - 25 * 3600}), "utf-8")
    quote(desk)
    assert lists(fake) == 2


def test_a_price_of_the_list_counts(desk: Desk, fake: FakeOpenRouter) -> None:
    item(fake, "seedance-2.0")["pricing_skus"]["video_tokens"] = "0.000014"
    found = quote(desk)
    assert found.price.amount == pytest.approx(2 * 0.756)
    assert found.price.as_of.endswith(", live")
    assert quote(desk, model="seedance-2.0-mini").price.amount == pytest.approx(0.378)


@pytest.mark.parametrize("price", ["0", "-1", "nothing", "1e9", "0.7"])
def test_a_price_that_makes_no_sense_is_not_believed(
    desk: Desk, fake: FakeOpenRouter, price: str
) -> None:
    item(fake, "seedance-2.0")["pricing_skus"]["video_tokens"] = price
    assert quote(desk).price.amount == 0.756


def test_what_the_list_does_not_offer_is_refused(desk: Desk, fake: FakeOpenRouter) -> None:
    own = item(fake, "seedance-2.0")
    own |= {
        "supported_resolutions": ["480p"],
        "supported_aspect_ratios": ["16:9"],
        "supported_durations": [5, 6, 7, 8],
        "supported_frame_images": ["first_frame"],
        "generate_audio": False,
    }
    for order, word in (
        ({"resolution": "720p"}, "resolution"),
        ({"resolution": "480p", "ratio": "1:1"}, "ratio"),
        ({"resolution": "480p", "duration": 9}, "duration"),
        ({"resolution": "480p", "generate_audio": True}, "generate_audio"),
        ({"first_frame": picture(), "last_frame": picture()}, "first and last frame"),
    ):
        with pytest.raises(BadOrder, match=word):
            desk.runner().start(desk.order(**order))
    assert desk.video(resolution="480p", generate_audio=False).state == "saved"


def test_what_the_list_offers_more_is_taken(desk: Desk, fake: FakeOpenRouter) -> None:
    item(fake, "seedance-2.5")["supported_resolutions"] = ["480p", "720p", "1080p"]
    assert desk.video(model="seedance-2.5", resolution="1080p").state == "saved"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, json={"error": {"code": 500, "message": "No."}}),
        Answer(200, body=b"<html>"),
        Answer(200, json={"data": "none"}),
        Answer(200, json={"data": [{"id": "bytedance/seedance-2.0", "pricing_skus": "free"}]}),
        Answer(200, json={"data": [{"id": "bytedance/seedance-2.0", "supported_durations": [-1]}]}),
    ],
    ids=["500", "html", "no list", "no prices", "odd lengths"],
)
def test_a_list_that_is_of_no_use_changes_nothing(
    desk: Desk, fake: FakeOpenRouter, answer: Answer
) -> None:
    fake.fault(lambda request: request.path == LIST, answer, times=9)
    runner = desk.runner()
    for _ in range(3):
        (found,) = [one for one in runner.check(desk.order()) if one.provider == "openrouter"]
        assert found.price.amount == 0.756
    assert lists(fake) == 1


def test_without_a_key_nobody_is_asked(fake: FakeOpenRouter, tmp_path: Path) -> None:
    with fakes.all()["lumenfall"](polls_until_done=0) as other:
        variables = {"SEEDANCE_OPENROUTER_BASE_URL": fake.base_url}
        desk = Desk(other, tmp_path, **variables)
        quote_order = replace(desk.order(), provider="auto")
        desk.runner().check(quote_order)
        desk.video()
    assert fake.requests == []


def test_an_order_elsewhere_does_not_ask_for_the_list(fake: FakeOpenRouter, tmp_path: Path) -> None:
    with fakes.all()["lumenfall"](polls_until_done=0) as other:
        Desk(other, tmp_path, **fake.environment()).video()
    assert fake.requests == []


def test_a_list_of_another_address_does_not_count(
    desk: Desk, fake: FakeOpenRouter, tmp_path: Path
) -> None:
    item(fake, "seedance-2.0")["pricing_skus"]["video_tokens"] = "0.000014"
    quote(desk)
    with FakeOpenRouter() as another:
        assert quote(Desk(another, tmp_path)).price.amount == 0.756


def test_a_key_test_reads_the_list_anew(desk: Desk, fake: FakeOpenRouter) -> None:
    quote(desk)
    assert desk.runner().probe_key("openrouter").left == Money(12.5, "USD")
    assert lists(fake) == 2
