"""Workflows from strangers: what their `extra`, prompts and file names cannot do.

Routes are in host/test_routes*.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import clips
import fakes
import pytest
from fakes import Answer, Request
from loopback import Server, nothing_here
from PIL import Image
from running import Desk
from transports import KEY, transport_for

from seedance import media
from seedance.addresses import origin
from seedance.errors import BadOrder, SeedanceError
from seedance.fit import check_words
from seedance.order import DEEPEST_EXTRA, LARGEST_EXTRA, Medium, Order
from seedance.providers import get
from seedance.runner import Runner
from seedance.settings import Settings
from seedance.wire import Call, Delivered, FilePart, MediaLimits, add_extra

pytestmark = [pytest.mark.safety, pytest.mark.slow]

PROVIDERS = sorted(fakes.all())


# ------------------------------------------------------------------------------------------ extra


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": [value]}
    return value


def bad_extras() -> dict[str, Any]:
    return {
        "NaN": {"lumenfall": {"strength": float("nan")}},
        "Infinity": {"lumenfall": {"list": [1, {"x": float("inf")}]}},
        "half a character": {"lumenfall": {"style": "\ud83d"}},
        "half a character as a name": {"lumenfall": {"\udc00": 1}},
        "too deep": {"lumenfall": deep(DEEPEST_EXTRA)},
        "absurdly deep": {"lumenfall": deep(100_000)},
        "too large": {"lumenfall": {"text": "x" * LARGEST_EXTRA}},
        "too many": {"lumenfall": {"list": list(range(LARGEST_EXTRA))}},
        "of another provider": {"fal": {"strength": float("nan")}},
        "no object": {"lumenfall": [1]},
        "an object of Python's": {"lumenfall": {"x": object()}},
    }


@pytest.mark.parametrize("name", bad_extras())
def test_an_extra_that_no_json_carries_is_refused_before_anything_is_written(
    name: str, tmp_path: Path
) -> None:
    runner = Runner(Settings(tmp_path / "home", tmp_path / "output", {"LUMENFALL_API_KEY": KEY}))
    order = Order(prompt="a fox", provider="lumenfall", extra=bad_extras()[name])
    with pytest.raises(BadOrder, match="extra"):
        runner.start(order)
    with pytest.raises(BadOrder, match="extra"):
        runner.check(order)
    assert list(tmp_path.iterdir()) == []


def test_a_reasonable_extra_is_sent() -> None:
    check_words(Order(prompt="a fox", extra={"lumenfall": {"size": "1:1", "deep": deep(5)}}))


@pytest.mark.parametrize(
    "name",
    [
        "model",
        "Model",
        "n",
        "quantity",
        "num_videos",
        "batch-size",
        "api_key",
        "apiKey",
        "API-KEY",
        "Authorization",
        "webhook",
        "webhookUrl",
        "webhook_url",
        "fal_webhook",
        "callbackUrl",
        "callback-url",
        "webhook_events_filter",
        "notify_hook",
        "notifyUrl",
        "notification_url",
        "Webhoo\u212a",  # ends with a Kelvin sign
        "num_frames",
    ],
)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: value,
        lambda value: {"options": value},
        lambda value: {"tools": [value]},
        lambda value: {"tools": [[{"deep": [value]}]]},
    ],
    ids=["here", "in an object", "in a list", "deep in lists"],
)
def test_extra_cannot_change_what_is_paid_for_or_who_is_told(
    name: str, wrap: Callable[[Any], Any]
) -> None:
    with pytest.raises(BadOrder, match="may not set"):
        add_extra({"options": {}}, wrap({name: "https://evil.example"}))


@pytest.mark.parametrize("name", ["Duration", "DURATION", "dur_ation", "aspectRatio", "\u017feed"])
@pytest.mark.parametrize("inside", [False, True])
def test_extra_cannot_replace_a_field_by_another_spelling(name: str, inside: bool) -> None:
    """Some servers, those written in Go among them, read names whatever their case; the last one
    counts."""
    fields = {"duration": 5, "aspect_ratio": "16:9", "seed": 1}
    extra = {name: 15}
    with pytest.raises(BadOrder, match="may not replace"):
        add_extra({"in": fields} if inside else fields, {"in": extra} if inside else extra)


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("lumenfall", "seconds"),
        ("uniall", "content"),
        ("uniall", "Seconds"),
        ("uniall", "metadata"),
        ("byteplus", "frames"),
        ("volcengine", "frames"),
        ("aihubmax", "quality"),
        ("evolink", "resolution"),
    ],
)
def test_extra_cannot_replace_a_field_by_the_providers_other_name_for_it(
    provider: str, name: str, tmp_path: Path
) -> None:
    with fakes.all()[provider]() as fake:
        desk = Desk(fake, tmp_path)
        with pytest.raises(BadOrder, match="may not replace"):
            desk.runner().start(desk.order(extra={provider: {name: 15}}))
        assert fake.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/a.png",
        "https://10.0.0.1/a.png",
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "https://metadata.google.internal/",
        "ftp://files.example/a",
        " http://[::1]/",
    ],
)
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: {"url": x}], ids="abc")
def test_extra_hands_no_private_address_to_a_provider(
    address: str, wrap: Callable[[str], Any], tmp_path: Path
) -> None:
    with fakes.all()["lumenfall"]() as fake:
        desk = Desk(fake, tmp_path)
        with pytest.raises(BadOrder, match="extra"):
            desk.runner().start(desk.order(extra={"lumenfall": {"mask": wrap(address)}}))
        assert fake.requests == []


@pytest.mark.parametrize(
    "name", ["base_url", "url", "host", "Host", "headers", "endpoint", "proxy"]
)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_workflow_cannot_choose_where_an_order_goes(
    provider: str, name: str, tmp_path: Path
) -> None:
    with Server(nothing_here) as elsewhere, fakes.all()[provider]() as fake:
        desk = Desk(fake, tmp_path)
        words = elsewhere.url.removeprefix("http://")  # what is no address is let through
        call = first_call(provider, desk, {name: words})
        assert origin(call.url) == origin(fake.url)
        assert not {"Host", "host"} & set(call.headers)
        assert elsewhere.requests == []


def first_call(provider: str, desk: Desk, extra: dict[str, Any]) -> Call:
    order = desk.order(extra={provider: extra})
    flow = get(provider)(desk.settings().config(provider)).submit(order, Delivered())
    call = next(flow)
    assert isinstance(call, Call)
    return call


def test_a_workflow_cannot_make_us_show_the_key_at_an_address_of_its_own_choice(
    tmp_path: Path,
) -> None:
    """Leonardo takes no addresses, so a picture at one is fetched here first; one of its own API is
    such an address too."""
    with fakes.all()["leonardo"]() as fake:
        handle = fake.handle

        def asks_for_the_key(request: Request) -> Answer:
            return Answer(401) if request.path == "/account.png" else handle(request)

        fake.handle = asks_for_the_key  # type: ignore[method-assign]
        desk = Desk(fake, tmp_path)
        medium = Medium.from_address("image", f"{fake.url}/account.png")
        with pytest.raises(BadOrder, match="could not be fetched"):
            desk.video(first_frame=medium)
        asked = [each for each in fake.requests if each.path == "/account.png"]
        assert len(asked) == 1
        assert "authorization" not in asked[0].headers
        assert fake.creates == 0


@pytest.mark.parametrize("where", ["prompt", "extra", "address"])
def test_a_key_that_was_pasted_by_mistake_is_not_sent_or_kept(where: str, tmp_path: Path) -> None:
    with fakes.all()["lumenfall"]() as fake:
        desk = Desk(fake, tmp_path)
        key = fake.key
        other = {"FAL_KEY": "another-key-0123456789abcdef"}
        for secret in (key, other["FAL_KEY"]):
            runner = desk.runner(**other)
            order = {
                "prompt": lambda secret: desk.order(prompt=f"a fox {secret}"),
                "extra": lambda secret: desk.order(extra={"lumenfall": {"style": secret}}),
                "address": lambda secret: desk.order(
                    first_frame=Medium.from_address("image", f"https://a.example/{secret}.png")
                ),
            }[where](secret)
            for doing in (runner.start, runner.check):
                with pytest.raises(BadOrder, match="holds the key of") as caught:
                    doing(order)
                assert secret not in str(caught.value)
        assert fake.requests == []
        for file in tmp_path.rglob("*"):
            assert not file.is_file() or key.encode() not in file.read_bytes(), file


# --------------------------------------------------------- prompts, names and headers on their way

NASTY = (
    'a fox\r\nX-Injected: 1\r\n\r\n{"n": 9} {0.__class__} {order} %s %(key)s ${jndi:ldap://x} '
    "$(id) `id` ../../../../etc/passwd \x00\x1b[2J <script>alert(1)</script> ; rm -rf ~ --seed=3"
)


@pytest.fixture(scope="module")
def nasty_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[Request]]]:
    """A nasty prompt and extra at every provider; what was sent, and the folder."""
    folder = tmp_path_factory.mktemp("nasty")
    sent = {}
    for provider, kind in fakes.all().items():
        with kind() as fake:
            desk = Desk(fake, folder / provider)
            desk.runner().start(replace(desk.order(), prompt=NASTY))[0].wait()
            sent[provider] = list(fake.requests)
    return folder, sent


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_prompt_is_sent_as_it_is_and_adds_no_header(
    provider: str, nasty_run: tuple[Path, dict[str, list[Request]]]
) -> None:
    requests_ = nasty_run[1][provider]
    create = next(each for each in requests_ if b"X-Injected" in each.body)
    assert NASTY in texts_of(create.json)
    assert not any("x-injected" in each.headers for each in requests_)


def texts_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts_of(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item)]
    return [value] if isinstance(value, str) else []


def test_files_have_names_of_our_own(nasty_run: tuple[Path, Any]) -> None:
    for provider in PROVIDERS:
        output = nasty_run[0] / provider / "output"
        names = [path.name for path in output.rglob("*")]
        assert len(names) == 3  # the video, its last frame, the sidecar
        stem = rf"\d{{4}}-\d\d-\d\d_{provider}_[0-9a-f]{{10}}"
        for name in names:
            assert re.fullmatch(rf"{stem}(\.mp4|\.last\.png|\.seedance\.json)", name)


@pytest.mark.parametrize(
    "task_id", ["../../../../tmp/x", "..\\..\\x", "/etc/cron.d/x", "C:\\x", "a\x00b"]
)
def test_an_id_from_a_provider_is_no_part_of_a_path(
    task_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seedance.runner.poll.UNKNOWN_SECONDS", 0.0)
    with fakes.all()["lumenfall"]() as fake:
        fake.fault(lambda each: each.method == "POST", Answer(200, json={"id": task_id}))
        desk = Desk(fake, tmp_path)
        with pytest.raises(SeedanceError):
            desk.video()
    inside = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert inside <= {"home", "output"}
    assert not [path for path in (tmp_path / "output").rglob("*") if path.is_file()]


def test_half_a_character_in_a_prompt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOrder, match="half a character"):
        Runner(Settings(tmp_path / "home", tmp_path / "output", {})).start(
            Order(prompt="a fox \ud83d", provider="preview")
        )


def test_half_a_character_from_a_provider_does_not_lose_the_video(tmp_path: Path) -> None:
    def answer(request: Request) -> Answer:
        if request.path.endswith(".mp4"):
            return fakes.ranged(request, fakes.tiny_clip(), "video/mp4")
        if request.method == "POST":
            return Answer(
                200, json={"id": "vid_1", "metadata": {"cost": 1, "cost_currency": "\ud800"}}
            )
        done = {
            "id": "vid_1",
            "status": "completed",
            "output": {"url": f"http://{request.headers['host']}/a.mp4"},
        }
        return Answer(200, json={**done, "metadata": {"cost": 1, "cost_currency": "\ud800" * 40}})

    with Server(answer) as server:
        result = Desk(server, tmp_path).video()
        assert result.file.is_file()
        json.loads(result.sidecar.read_text("utf-8"))


@pytest.mark.parametrize(
    "name", ['a"; filename="b', "a\r\nX-Header: 1", "../../a.png", "a\x00.png"]
)
def test_a_file_name_of_the_user_is_not_sent(name: str, tmp_path: Path) -> None:
    pixels = Image.fromarray(clips.pattern(400, 400))
    file = tmp_path / "user"
    pixels.save(file, "PNG")
    blob, _ = media.picture_blob(Medium("image", path=file), MediaLimits(("image/png",)))
    blob = replace(blob, name=name)  # and if it were, it could not break out of its header

    def echo(request: Request) -> Answer:
        return Answer(json={"parts": [[part, str(given)] for part, given, _ in request.form]})

    with Server(echo) as server:
        reply = transport_for(server.url).perform(
            Call("POST", server.url, file=FilePart("file", blob))
        )
        assert [part for part, _ in reply.object()["parts"]] == ["file"]
    assert (
        "user"
        not in media.picture_blob(Medium("image", path=file), MediaLimits(("image/png",)))[0].name
    )
