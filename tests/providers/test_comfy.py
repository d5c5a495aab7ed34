"""Comfy Router, by a runner: Comfy credits, one key in one header, and nobody else gets it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fakes
import pytest
from fakes import Answer, Request
from fakes.comfy import FakeComfy, error
from loopback import Server
from running import Desk, picture

from seedance.errors import BadOrder, Moderated, OutOfCredit, Refused, StillRunning, TaskFailed
from seedance.fit import fit
from seedance.money import Money
from seedance.providers import get
from seedance.runner import quotes
from seedance.settings import Settings
from seedance.wire import Config


@pytest.fixture
def fake() -> Iterator[FakeComfy]:
    with FakeComfy(polls_until_done=1) as server:
        yield server


@pytest.fixture
def desk(fake: FakeComfy, tmp_path: Path) -> Desk:
    return Desk(fake, tmp_path)


def is_create(request: Request) -> bool:
    return request.method == "POST" and request.path.endswith("/requests")


def test_a_picture_becomes_a_video_and_its_cost_is_told(desk: Desk, fake: FakeComfy) -> None:
    result = desk.video(first_frame=picture(), model="seedance-2.5", ratio="adaptive")
    assert (result.state, fake.creates) == ("saved", 1)
    assert result.cost == Money(1.081, "USD")  # 228.1 credits, 211 a dollar
    (create,) = filter(is_create, fake.requests)
    assert create.query == {"fallback_provider": "false"}
    assert "model" not in create.json
    assert create.path == "/v2/models/byteplus/dreamina-seedance-2-5-260628/requests"


@pytest.mark.safety
def test_the_key_stands_in_its_own_header_and_goes_to_no_storage(
    desk: Desk, fake: FakeComfy
) -> None:
    desk.video(first_frame=picture())
    for request in fake.requests:
        assert "authorization" not in request.headers
        bare = request.path.startswith(("/stored/", "/results/"))
        assert request.headers.get("x-api-key") == (None if bare else fake.key), request.path
    assert fake.stored[fake.sent("PUT")[0].path] == fake.sent("PUT")[0].body


@pytest.mark.safety
def test_the_key_does_not_follow_a_redirect_or_a_result_elsewhere(
    fake: FakeComfy, tmp_path: Path
) -> None:
    def there(request: Request) -> Answer:
        return fakes.ranged(request, fake.clip, "video/mp4")

    with Server(there) as elsewhere:
        away = Answer(302, headers={"location": f"{elsewhere.url}/take"})
        fake.fault(lambda request: request.path.endswith("/status"), away)
        fake.fault(lambda request: request.path.endswith(".mp4"), away)
        assert Desk(fake, tmp_path).video().state == "saved"
        seen = [request.headers for request in elsewhere.requests]
        assert not any("x-api-key" in headers or "authorization" in headers for headers in seen)


def test_an_order_is_never_redirected(desk: Desk, fake: FakeComfy) -> None:
    with Server(lambda request: Answer(200)) as elsewhere:
        fake.fault(is_create, Answer(307, headers={"location": f"{elsewhere.url}/take"}))
        with pytest.raises(Refused, match="redirects the order"):
            desk.video()
        assert elsewhere.requests == []


def test_credits_are_looked_at_first_and_that_is_said(desk: Desk, fake: FakeComfy) -> None:
    fake.credits = 0.0
    with pytest.raises(OutOfCredit) as caught:
        desk.video()
    assert "other faults of the order may show after that" in caught.value.hint
    assert caught.value.spent == "no"


@pytest.mark.parametrize(
    ("kind", "status", "raised"),
    [
        ("unauthorized", 401, Refused),
        ("forbidden", 403, Refused),
        ("not_enabled", 403, Refused),
        ("model_not_found", 404, Refused),
        ("invalid_input", 400, Refused),
        ("content_policy_violation", 400, Moderated),
        ("insufficient_credits", 402, OutOfCredit),
        ("insufficient_credits", 429, OutOfCredit),
    ],
)
def test_a_clear_no_is_not_sent_again(
    desk: Desk, fake: FakeComfy, kind: str, status: int, raised: type[Exception]
) -> None:
    fake.fault(is_create, error(status, kind, "No."), times=9)
    with pytest.raises(raised):
        desk.video()
    assert sum(map(is_create, fake.requests)) == 1
    assert desk.row().state == "refused"


@pytest.mark.parametrize("kind", ["rate_limited", "concurrency_limit_exceeded"])
def test_a_full_house_is_waited_for(desk: Desk, fake: FakeComfy, kind: str) -> None:
    busy = error(429, kind, "Wait.")
    fake.fault(is_create, replace(busy, headers={**busy.headers, "Retry-After": "0"}), times=2)
    assert desk.video().state == "saved"
    assert fake.creates == 1


@pytest.mark.parametrize(
    ("said", "billed"), [("yes", "yes"), ("no", "no"), ("unknown", "unknown"), ("", "unknown")]
)
def test_whether_a_refusal_by_a_policy_is_charged_is_what_the_catalog_says(
    desk: Desk, fake: FakeComfy, said: str, billed: str
) -> None:
    fake.charges_on_policy_rejection = said
    body = {"detail": "Refused.", "refusal_subject": "output_video"}
    fake.fail_with = ("content_policy_violation", 400, body)
    with pytest.raises(TaskFailed) as caught:
        desk.video()
    assert (caught.value.spent, caught.value.stage) == (billed, "output")


@pytest.mark.parametrize("kind", ["provider_error", "provider_timeout", "internal_error", "new"])
def test_a_failed_request_is_not_said_to_be_free(desk: Desk, fake: FakeComfy, kind: str) -> None:
    fake.fail_with = fake.failure("The model gave up.", kind)
    with pytest.raises(TaskFailed, match="The model gave up") as caught:
        desk.video()
    assert caught.value.spent == "unknown"


def test_a_request_that_was_never_begun_is_free(desk: Desk, fake: FakeComfy) -> None:
    fake.fail_with = ("queue_timeout", 504, {"detail": "Too long.", "error_type": "queue_timeout"})
    with pytest.raises(TaskFailed) as caught:
        desk.video()
    assert caught.value.spent == "no"


def test_a_ticket_is_enough_to_collect_it_elsewhere(fake: FakeComfy, tmp_path: Path) -> None:
    fake.polls_until_done = 10**6
    with pytest.raises(StillRunning) as caught:
        Desk(fake, tmp_path / "here", SEEDANCE_TIMEOUT="0").video()
    fake.polls_until_done = 0
    there = Desk(fake, tmp_path / "there").runner()
    assert there.collect(caught.value.task or "").wait().state == "saved"


def test_what_the_router_does_not_have_is_refused_before_anything_is_sent(desk: Desk) -> None:
    for order in (
        desk.order(model="seedance-2.5", resolution="480p", draft=True),
        desk.order(web_search=True),
        desk.order(model="seedance-2.5-flash"),
    ):
        with pytest.raises(BadOrder):
            desk.runner().start(order)
    assert desk.fake.requests == []
    provider = get("comfy")
    assert not provider.can("finish") and not provider.can("find")


def test_the_price_is_1_43_times_the_list_price_and_says_so(desk: Desk) -> None:
    for model in get("comfy").limits.models:
        order = desk.order(model=model, resolution="720p")
        here, there = (
            provider(Config(provider.default_base_url or "")).estimate(fit(order, provider).order)
            for provider in (get("comfy"), get("byteplus"))
        )
        assert here and there
        assert here.amount == pytest.approx(1.43 * there.amount, rel=1e-3)
    (quote,) = [each for each in desk.runner().check(desk.order()) if each.provider == "comfy"]
    assert "Comfy's price is 1.43 times the list price of BytePlus." in quote.notes


def test_auto_takes_the_cheapest_of_the_keys_that_there_are(tmp_path: Path) -> None:
    keys = {"COMFY_API_KEY": "comfyui-1", "BYTEPLUS_API_KEY": "ark-1", "OPENROUTER_API_KEY": "or-1"}
    order = Desk(FakeComfy(), tmp_path).order()
    order = replace(order, provider="auto")

    def taken(*names: str) -> str:
        variables = {name: keys[name] for name in names}
        settings = Settings(tmp_path / "home", tmp_path / "out", variables)
        return quotes.prepare(order, settings).provider.id

    assert taken("COMFY_API_KEY") == "comfy"
    assert taken("COMFY_API_KEY", "BYTEPLUS_API_KEY") == "byteplus"
    assert taken("COMFY_API_KEY", "OPENROUTER_API_KEY") == "openrouter"
    assert taken(*keys) in ("byteplus", "openrouter")


def test_comfyui_own_login_is_not_used(tmp_path: Path) -> None:
    variables = {"AUTH_TOKEN_COMFY_ORG": "a-login", "API_KEY_COMFY_ORG": "a-key"}
    settings = Settings(tmp_path / "home", tmp_path / "out", variables)
    assert settings.key_source("comfy") is None
