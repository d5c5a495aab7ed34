"""A signing key is seen by nobody, and its id by its asset library alone.

As in test_leaks.py: a secret that can be recognised, everything that can happen with a library,
with every logger at DEBUG; then all that anybody could see is searched for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fakes
import pytest
from fakes import Answer, Request
from key_search import KEY, World
from loopback import Server, nothing_here
from running import Desk

from seedance.errors import SeedanceError
from seedance.order import Medium
from seedance.providers import get
from seedance.runner import Runner, library
from seedance.settings import Settings

pytestmark = [pytest.mark.safety, pytest.mark.slow]

KEY_ID = "AKLT-LEAK-7f3a-canary-9c5e5d1-abcdef"


@dataclass
class Scene:
    """One library, another host beside it, and what is looked at while they talk."""

    world: World
    fake: Any
    other: Server
    runner: Runner
    patch: pytest.MonkeyPatch
    number: int = 0

    def add(self, **more: Any) -> None:
        """Add an asset, to whatever end."""
        self.number += 1
        medium = Medium.from_address("image", f"https://media.example/{self.number}.png")
        try:
            name, provider = f"Hero{self.number}", self.fake.provider
            view = self.runner.assets.add(medium, name, provider, **more)
            self.world.add("asset", f"{view!r} {json.dumps(view.as_dict())}")
        except Exception as error:
            self.world.add_error(error)

    def spoil(self, what: Answer, times: int = 1) -> None:
        self.fake.fault(lambda request: "Action" in request.query, what, times)


def quoted(scene: Scene, status: int) -> Answer:
    """An answer of the library that quotes all of the signing key."""
    words = f"{scene.fake.library.secret} of {scene.fake.library.key_id} is wrong"
    meta = {"ResponseMetadata": {"Error": {"Code": "Wrong", "Message": words}}}
    return Answer(status, json=meta, headers={"x-key": words})


def success(scene: Scene) -> None:
    before = len(scene.fake.library.assets)
    scene.add()
    assert len(scene.fake.library.assets) == before + 1


def a_person_who_confirms(scene: Scene) -> None:
    def show(link: str, seconds: float) -> None:
        scene.world.add("link", link)
        scene.fake.library.confirm()

    scene.add(person=True, show_link=show)


def refused_with_the_key_quoted(scene: Scene) -> None:
    for status in (400, 401, 403, 500):
        scene.spoil(quoted(scene, status))
        scene.add()


def a_web_page_that_quotes_the_key(scene: Scene) -> None:
    page = f"<html>{scene.fake.library.secret} {scene.fake.library.key_id}</html>".encode()
    scene.spoil(Answer(200, body=page, headers={"content-type": "text/html"}))
    scene.add()


def failed_with_the_key_in_its_reason(scene: Scene) -> None:
    words = f"{scene.fake.library.secret} {scene.fake.library.key_id}"
    scene.patch.setattr(scene.fake.library, "fail_with", {"Code": "Bad", "Message": words})
    scene.add()


def redirected_to_another_host(scene: Scene) -> None:
    scene.spoil(Answer(307, headers={"location": f"{scene.other.url}/?Action=ListAssets"}), 9)
    scene.add()
    scene.fake._faults.clear()


def a_crash_in_a_flow(scene: Scene) -> None:
    from seedance.providers._ark_assets import ArkAssets

    real = ArkAssets.add

    def crashing(self: Any, *args: Any, **kwargs: Any) -> Any:
        yield next(real(self, *args, **kwargs))
        raise RuntimeError(f"crash of {vars(self)!r}")

    scene.patch.setattr(ArkAssets, "add", crashing)
    scene.add()


def refreshed_and_removed(scene: Scene) -> None:
    for problem in scene.runner.assets.refresh():
        scene.world.add_error(problem)
    for view in scene.runner.assets.all():
        scene.world.add("asset", repr(view))
        scene.runner.assets.remove(view.handle or view.name, view.provider)


HAPPENINGS: tuple[Callable[[Scene], None], ...] = (
    success,
    a_person_who_confirms,
    refused_with_the_key_quoted,
    a_web_page_that_quotes_the_key,
    failed_with_the_key_in_its_reason,
    redirected_to_another_host,
    a_crash_in_a_flow,
    refreshed_and_removed,
)


@pytest.mark.parametrize("half", ["secret", "key_id"])
@pytest.mark.parametrize("provider", ["byteplus", "volcengine"])
def test_whatever_happens_no_part_of_a_signing_key_is_seen(
    provider: str,
    half: str,
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(library, "CHECK_SECONDS", 0.01)
    world.key = KEY if half == "secret" else KEY_ID
    with fakes.all()[provider]() as fake, Server(nothing_here) as other:
        fake.library.secret, fake.library.key_id = KEY, KEY_ID  # type: ignore[attr-defined]
        desk = Desk(fake, tmp_path)
        if provider == "byteplus":  # in the environment; the other one is stored
            variables = (KEY_ID, KEY)
            desk = Desk(fake, tmp_path, **dict(zip(get(provider).asset_key_variables, variables)))
            settings = desk.settings()
        else:
            settings = desk.settings()
            settings.set_signing_key(provider, KEY_ID, KEY)
        for happening in HAPPENINGS:
            world.now = happening.__name__
            with monkeypatch.context() as patch:
                number = 100 * len(world.seen)
                happening(Scene(world, fake, other, Runner(settings), patch, number))
            fake._faults.clear()
        world.now = "in the end"
        signed = [request for request in fake.requests if "Action" in request.query]
        assert any(KEY_ID in request.headers.get("authorization", "") for request in signed)
        world.add_requests("the library", signed, "authorization" if half == "key_id" else "")
        others = [request for request in fake.requests if "Action" not in request.query]
        world.add_requests("the video API", others)
        world.add_requests("another host", other.requests)
        assert other.requests == []
    said = capfd.readouterr()
    world.add("standard output", said.out)
    world.add("standard error", said.err)


def test_a_video_is_ordered_without_the_signing_key(world: World, tmp_path: Path) -> None:
    """The order has an asset of the library, and its requests are signed by nothing."""
    from running import order_for

    with fakes.all()["byteplus"](polls_until_done=0) as fake:
        fake.library.secret, fake.library.key_id = KEY, KEY_ID  # type: ignore[attr-defined]
        variables = dict(zip(get("byteplus").asset_key_variables, (KEY_ID, KEY)))
        settings: Settings = Desk(fake, tmp_path, **variables).settings()
        runner = Runner(settings)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(library, "CHECK_SECONDS", 0.01)
            medium = Medium.from_address("image", "https://media.example/1.png")
            runner.assets.add(medium, "Hero", "byteplus")
        done = runner.start(order_for("byteplus", prompt="@Asset:Hero walks"))[0].wait()
        assert done.sidecar is not None
        ordering: list[Request] = [r for r in fake.requests if "Action" not in r.query]
        assert ordering and not any(KEY_ID in str(request.headers) for request in ordering)
        world.add_requests("the video API", ordering)


def test_the_errors_of_settings_do_not_show_it(world: World, tmp_path: Path) -> None:
    with fakes.all()["byteplus"]() as fake:
        variables = dict(zip(get("byteplus").asset_key_variables, (KEY_ID, f"{KEY} x")))
        settings = Desk(fake, tmp_path, **variables).settings()
        world.add("settings", repr(vars(settings)))
        for work in (
            lambda: settings.signing_key("byteplus"),
            lambda: settings.set_signing_key("byteplus", KEY_ID, f"{KEY}\n{KEY}"),
            lambda: settings.set_signing_key("fal", KEY_ID, KEY),
        ):
            with pytest.raises(SeedanceError) as caught:
                work()
            world.add_error(caught.value)
        Runner(settings).tasks(1)
