"""Real people: the provider's own page, what comes of it, and what is kept of it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from fakes import Answer
from running import Desk

from seedance.errors import BadOrder, Cancelled, Refused
from seedance.order import Medium
from seedance.runner import AssetView, Runner, library
from seedance.runner.progress import Progress
from seedance.transport import Stop

PICTURE = Medium.from_address("image", "https://media.example/1.png")
OTHER = Medium.from_address("image", "https://media.example/2.png")
TOKEN = "byted-0001"


def add(runner: Runner, medium: Medium = PICTURE, name: str = "Anna", **more: Any) -> AssetView:
    return runner.assets.add(medium, name, "byteplus", person=True, **more)


def test_the_page_is_shown_and_its_result_waited_for(desk: Desk, ark: Any) -> None:
    shown: list[tuple[str, float]] = []
    said: list[Progress] = []

    def tell(progress: Progress) -> None:
        said.append(progress)
        if [one.code for one in said].count("asset_person") == 3 and not ark.library.groups:
            ark.library.confirm()

    view = add(desk.runner(), tell=tell, show_link=lambda *page: shown.append(page))
    assert (view.person, view.state) == (True, "active")
    assert shown == [("https://liveness.example/authorization?pl=1&uid=1", 1800.0)]
    assert "waiting for the person to confirm, for 30 min at most" in map(str, said)
    (group,) = ark.library.groups.values()
    assert ark.library.made("CreateAsset")[0]["GroupId"] == group["Id"]
    assert group["Name"] == "Anna"


def test_one_confirmation_serves_a_name_on_every_machine(
    desk: Desk, ark: Any, tmp_path: Path
) -> None:
    def confirm(*_: object) -> None:
        ark.library.confirm()

    add(desk.runner(), show_link=confirm)
    add(desk.runner(), OTHER)  # asks nobody
    elsewhere = Desk(ark, tmp_path / "elsewhere", **desk._environment)
    add(elsewhere.runner(), OTHER)
    assert len(ark.library.sessions) == 1
    with pytest.raises(BadOrder, match="Ben has not confirmed"):
        add(desk.runner(), name="Ben")


def test_nothing_is_asked_of_a_person_before_the_picture_can_be_sent(desk: Desk, ark: Any) -> None:
    with pytest.raises(BadOrder):
        add(desk.runner(), Medium.from_address("image", "http://media.example/1.png"))
    assert ark.requests == []


def test_a_page_that_has_expired_says_so(desk: Desk, ark: Any) -> None:
    error = {"Code": "BytedTokenExpired", "Message": "The token has expired."}
    over = Answer(400, json={"ResponseMetadata": {"Error": error}})
    ark.fault(lambda request: request.query.get("Action") == "GetVisualValidateResult", over)
    with pytest.raises(Refused, match=r"Anna was not confirmed.*The token has expired") as caught:
        add(desk.runner(), show_link=lambda *_: None)
    assert "Start again" in caught.value.hint
    assert ark.library.made("CreateAsset") == []


def test_a_person_who_never_comes_is_not_waited_for_for_ever(
    desk: Desk, ark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seedance.providers._ark_assets.ArkAssets.seconds", 0.1)
    with pytest.raises(Refused, match="Anna was not confirmed"):
        add(desk.runner(), show_link=lambda *_: None)


def test_the_wait_can_be_stopped(desk: Desk, ark: Any) -> None:
    stop = Stop()
    with pytest.raises(Cancelled):
        add(desk.runner(), show_link=lambda *_: stop.set(), stop=stop)


def test_a_passing_fault_does_not_end_the_wait(desk: Desk, ark: Any) -> None:
    ark.fault(
        lambda request: request.query.get("Action") == "GetVisualValidateResult", "status:404"
    )
    assert add(desk.runner(), show_link=lambda *_: ark.library.confirm()).state == "active"


def test_a_page_that_is_no_public_address_is_not_shown(
    desk: Desk, ark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def session(body: dict[str, Any]) -> dict[str, Any]:
        return {"BytedToken": TOKEN, "H5Link": "https://10.0.0.1/a"}

    monkeypatch.setattr(ark.library, "_CreateVisualValidateSession", session)
    shown: list[object] = []
    with pytest.raises(Refused, match="not a public address"):
        add(desk.runner(), show_link=lambda *page: shown.append(page))
    assert shown == []


def test_persons_and_others_do_not_mix(desk: Desk, ark: Any) -> None:
    add(desk.runner(), show_link=lambda *_: ark.library.confirm())
    with pytest.raises(BadOrder, match="is a real person at BytePlus") as caught:
        desk.runner().assets.add(OTHER, "Anna", "byteplus")
    assert "another name" in caught.value.hint
    desk.runner().assets.add(OTHER, "Hero", "byteplus")
    with pytest.raises(BadOrder, match="no real person"):
        add(desk.runner(), name="Hero", show_link=lambda *_: None)


def test_two_at_once_ask_a_person_once(desk: Desk, ark: Any) -> None:
    runner = desk.runner()
    views: list[AssetView] = []

    def one(medium: Medium) -> None:
        views.append(add(runner, medium, show_link=lambda *_: ark.library.confirm()))

    threads = [threading.Thread(target=one, args=(medium,)) for medium in (PICTURE, OTHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(views) == 2 and len(ark.library.sessions) == 1


@pytest.mark.safety
def test_the_token_and_the_page_are_kept_nowhere(
    desk: Desk, ark: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    add(desk.runner(), show_link=lambda *_: ark.library.confirm())
    desk.runner().journal.close()
    assert library.logger.name and TOKEN not in caplog.text
    assert "liveness.example" not in caplog.text
    for path in tmp_path.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert TOKEN.encode() not in data and b"liveness.example" not in data, path
