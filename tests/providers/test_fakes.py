"""The fakes are as strict as the documents, fail as told, and accept what the providers send."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakes
import pytest
from fakes import Answer, Fake, Request
from fakes._replay import Replay, replay
from fakes.leonardo import FakeLeonardo
from fakes.lumenfall import FakeLumenfall

from seedance import money, wire
from seedance.addresses import origin
from seedance.errors import BadOrder, Refused
from seedance.order import Medium, Order
from seedance.providers import get, ids
from seedance.transport import Credentials, Transport

FOLDER = Path(fakes.__file__).parent
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
PROMPT = {"model": "seedance-2.0", "prompt": "a cat"}
GENERATION = {"model": "seedance-2.0", "public": False, "parameters": {"prompt": "a cat"}}


@pytest.fixture
def lumenfall() -> Iterator[FakeLumenfall]:
    with FakeLumenfall(b"0123456789") as fake:
        yield fake


@pytest.fixture
def leonardo() -> Iterator[FakeLeonardo]:
    with FakeLeonardo(b"0123456789") as fake:
        yield fake


def ask(fake: Fake, method: str, path: str, body: Any = None, **headers: str) -> tuple[Any, bytes]:
    """One request with the fake's key: the response and its content."""
    sent = {"Authorization": f"Bearer {fake.key}", "Content-Type": "application/json", **headers}
    return raw(fake, method, path, None if body is None else json.dumps(body).encode(), sent)


def raw(
    fake: Fake, method: str, path: str, data: bytes | None, headers: dict[str, str]
) -> tuple[Any, bytes]:
    """One request as it is: the response and its content."""
    host = fake.url.removeprefix("http://")
    with contextlib.closing(http.client.HTTPConnection(host, timeout=10)) as connection:
        connection.request(method, path, data, headers)
        with connection.getresponse() as response:
            return response, response.read()


def status(fake: Fake, method: str, path: str, body: Any = None, **headers: str) -> int:
    """The status of one request."""
    return ask(fake, method, path, body, **headers)[0].status


def drive(fake: Fake, flow: wire.Flow[Any]) -> Any:
    """Hold a flow's conversation with the fake over real HTTP; pauses take no time."""
    transport = Transport(Credentials("Bearer", fake.key, frozenset({origin(fake.url)})))
    reply = None
    try:
        while True:
            step = flow.send(reply)  # type: ignore[arg-type]
            reply = transport.perform(step) if isinstance(step, wire.Call) else None
    except StopIteration as stop:
        return stop.value
    finally:
        transport.close()


def provider_of(fake: Fake) -> wire.Provider:
    """The real provider, configured for the fake."""
    return get(fake.provider)(wire.Config(fake.base_url))


# ------------------------------------------------------------------------------------- the base


def test_every_fake_belongs_to_a_provider() -> None:
    assert fakes.all()["lumenfall"] is FakeLumenfall
    assert {get(name).id for name in fakes.all()} == set(fakes.all())


def test_the_environment_points_at_the_fake(lumenfall: FakeLumenfall) -> None:
    assert lumenfall.environment() == {
        "LUMENFALL_API_KEY": lumenfall.key,
        "SEEDANCE_LUMENFALL_BASE_URL": f"{lumenfall.url}/v1",
    }


def test_the_result_file_is_served_whole_and_in_parts(lumenfall: FakeLumenfall) -> None:
    whole, content = ask(lumenfall, "GET", "/results/clip.mp4")
    assert (whole.status, content) == (200, b"0123456789")
    part, content = ask(lumenfall, "GET", "/results/clip.mp4", Range="bytes=4-")
    assert (part.status, content) == (206, b"456789")
    assert part.headers["content-range"] == "bytes 4-9/10"
    assert status(lumenfall, "GET", "/results/clip.mp4", Range="bytes=10-") == 416


def test_a_fake_makes_its_own_clip_if_none_is_given() -> None:
    assert FakeLumenfall().clip[4:8] == b"ftyp"


def test_a_reset_before_handling_is_no_create(lumenfall: FakeLumenfall) -> None:
    lumenfall.fault(lambda request: request.method == "POST", "reset")
    with pytest.raises(ConnectionError):
        ask(lumenfall, "POST", "/v1/videos", PROMPT)
    assert (lumenfall.creates, len(lumenfall.requests)) == (0, 1)
    assert status(lumenfall, "POST", "/v1/videos", PROMPT) == 202


def test_a_reset_after_handling_is_a_create(lumenfall: FakeLumenfall) -> None:
    lumenfall.fault(lambda request: request.method == "POST", "reset-after")
    with pytest.raises(ConnectionError):
        ask(lumenfall, "POST", "/v1/videos", PROMPT)
    assert lumenfall.creates == 1


def test_a_truncated_answer_breaks_off(lumenfall: FakeLumenfall) -> None:
    lumenfall.fault(lambda request: request.path.endswith(".mp4"), "truncate")
    with pytest.raises(http.client.IncompleteRead) as broken:
        ask(lumenfall, "GET", "/results/clip.mp4")
    assert broken.value.partial == b"01234"


@pytest.mark.parametrize(
    ("what", "expected"),
    [("status:503", 503), ("html", 502), ("html:200", 200), ("429:7", 429), (Answer(418), 418)],
)
def test_a_refusal_comes_as_often_as_told(
    lumenfall: FakeLumenfall, what: Any, expected: int
) -> None:
    lumenfall.fault(lambda request: True, what, times=2)
    seen = [status(lumenfall, "POST", "/v1/videos", PROMPT) for _ in range(3)]
    assert seen == [expected, expected, 202]


def test_a_429_says_how_long_to_wait(lumenfall: FakeLumenfall) -> None:
    lumenfall.fault(lambda request: True, "429:7")
    assert ask(lumenfall, "GET", "/v1/balance")[0].headers["retry-after"] == "7"


def test_a_form_is_read_part_by_part() -> None:
    body = (
        b'--B\r\nContent-Disposition: form-data; name="key"\r\n\r\na/b\r\n'
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="x.png"\r\n'
        b"Content-Type: image/png\r\n\r\n\x00\r\n\x01\r\n--B--\r\n"
    )
    headers = {"content-type": "multipart/form-data; boundary=B"}
    form = Request("POST", "/", {}, headers, body).form
    assert form == [("key", None, b"a/b"), ("file", "x.png", b"\x00\r\n\x01")]


# ------------------------------------------------------------------------------------ lumenfall


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": ""},
        {"duration": "5"},
        {"duration": 16},
        {"seed": 1.5},
        {"seed": True},
        {"aspect_ratio": "adaptive"},
        {"resolution": "720p"},
        {"size": "big"},
        {"generate_audio": 1},
        {"keep_audio": "true"},
        {"input_reference": ["https://media.example/a.png"]},
        {"input_reference": [{"image_url": "http://media.example/a.png"}]},
        {"input_reference": [{"image_url": "https://media.example/a.png"}] * 10},
        {"video_url": "data:video/mp4;base64,AAAA"},
        {"video_url": "https://a.example/v.mp4", "input_video": "https://a.example/v.mp4"},
        {"audio_urls": ["https://a.example/a.mp3"] * 4},
        {"n": 0},
    ],
    ids=str,
)
def test_lumenfall_refuses(lumenfall: FakeLumenfall, change: dict[str, Any]) -> None:
    assert status(lumenfall, "POST", "/v1/videos", {**PROMPT, **change}) == 400
    assert lumenfall.creates == 0


def test_lumenfall_passes_unknown_fields_through(lumenfall: FakeLumenfall) -> None:
    assert status(lumenfall, "POST", "/v1/videos", {**PROMPT, "style": "noir"}) == 202
    assert lumenfall.tasks["vid_0001"].body["style"] == "noir"


def test_lumenfall_wants_the_key_and_the_documented_path(lumenfall: FakeLumenfall) -> None:
    assert status(lumenfall, "POST", "/v1/videos", PROMPT, Authorization="Bearer wrong") == 401
    assert status(lumenfall, "POST", "/v1/videos/generations", PROMPT) == 404
    assert status(lumenfall, "POST", "/v1/videos", {**PROMPT, "model": "seedance2.0"}) == 404


def test_lumenfall_takes_what_the_provider_sends(lumenfall: FakeLumenfall) -> None:
    provider = provider_of(lumenfall)
    order = Order(prompt="a cat", ratio="21:9", duration=15, seed=2**32 - 1)
    media = wire.Delivered(
        images=("data:image/png;base64,iVBORw0KGgo=",),
        audios=("https://media.example/a.mp3",),
        video="https://media.example/v.mp4",
    )
    ticket = drive(lumenfall, provider.submit(order, media))
    states = [type(drive(lumenfall, provider.check(ticket))) for _ in range(3)]
    assert states == [wire.Running, wire.Running, wire.Done]
    assert drive(lumenfall, provider.check(ticket)).video_url == lumenfall.result_url
    assert drive(lumenfall, provider.probe_key()).left == money.Money(12.5, "USD")


def test_lumenfall_cancels_what_runs_and_nothing_else(lumenfall: FakeLumenfall) -> None:
    provider = provider_of(lumenfall)
    first, second = (
        drive(lumenfall, provider.submit(Order(prompt="a cat", seed=n), wire.Delivered()))
        for n in range(2)
    )
    assert drive(lumenfall, provider.cancel(first)) == wire.TaskCancelled()
    assert drive(lumenfall, provider.check(first)) == wire.TaskCancelled()
    for _ in range(3):
        drive(lumenfall, provider.check(second))
    assert isinstance(drive(lumenfall, provider.cancel(second)), wire.CannotCancel)


def test_lumenfall_fails_as_told(lumenfall: FakeLumenfall) -> None:
    lumenfall.polls_until_done = 0
    lumenfall.fail_with = {"code": "UPSTREAM_ERROR", "message": "gave up"}
    provider = provider_of(lumenfall)
    ticket = drive(lumenfall, provider.submit(Order(prompt="a cat"), wire.Delivered()))
    assert drive(lumenfall, provider.check(ticket)) == wire.Failed("gave up", "UPSTREAM_ERROR")


# ------------------------------------------------------------------------------------- leonardo


def generation(**parameters: Any) -> dict[str, Any]:
    """A create with these parameters."""
    return {**GENERATION, "parameters": {"prompt": "a cat", **parameters}}


def frame(medium_id: str = "00000000-0000-4000-8000-000000000001") -> list[dict[str, Any]]:
    """A guidance of one generated picture."""
    return [{"image": {"id": medium_id, "type": "GENERATED"}}]


@pytest.mark.parametrize(
    "body",
    [
        {**GENERATION, "seed": 1},
        {**GENERATION, "public": "false"},
        {**GENERATION, "model": "seedance-2.5"},
        {"model": "seedance-2.0", "public": False},
        generation(prompt="x" * 1501),
        generation(duration=3),
        generation(duration=5.0),
        generation(seed=2**32),
        generation(quantity=2),
        generation(motion_has_audio=1),
        generation(prompt_enhance=False),
        generation(resolution="720p"),
        generation(width=1280, height=720, mode="RESOLUTION_480"),
        generation(width=0, height=0),
        generation(guidances={"start_frame": ["https://media.example/a.png"]}),
        generation(guidances={"start_frame": frame("other-id")}),
        generation(guidances={"start_frame": frame() * 2}),
        generation(guidances={"image_reference": []}),
        generation(guidances={"end_frame": frame()}),
        generation(guidances={"start_frame": frame(), "image_reference": frame()}),
        generation(guidances={"video_reference_base": frame()}),
        generation(guidances={"audio_reference": frame()}),
    ],
    ids=lambda body: str(body.get("parameters", body))[:60],
)
def test_leonardo_refuses(leonardo: FakeLeonardo, body: dict[str, Any]) -> None:
    assert status(leonardo, "POST", "/api/rest/v2/generations", body) == 400
    assert leonardo.creates == 0


def test_leonardo_follows_the_start_frame_with_zero_sizes(leonardo: FakeLeonardo) -> None:
    body = generation(width=0, height=0, guidances={"start_frame": frame()})
    assert status(leonardo, "POST", "/api/rest/v2/generations", body) == 200


def test_leonardo_wants_the_key_and_the_whole_path(leonardo: FakeLeonardo) -> None:
    path = "/api/rest/v2/generations"
    assert status(leonardo, "POST", path, GENERATION, Authorization="Bearer wrong") == 401
    page, _ = ask(leonardo, "POST", "/api/v2/generations", GENERATION)
    assert (page.status, page.headers["content-type"]) == (403, "text/html")


def form(*parts: tuple[str, str, bytes]) -> bytes:
    """A multipart body of (name, what follows the name, content) with boundary B."""
    return b"".join(
        b'--B\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
        % (name.encode(), more.encode(), content)
        for name, more, content in parts
    ) + (b"--B--\r\n")


def test_the_storage_wants_the_fields_first_and_no_key(leonardo: FakeLeonardo) -> None:
    _, answer = ask(leonardo, "POST", "/api/rest/v1/init-image", {"extension": "png"})
    granted = json.loads(answer)["uploadInitImage"]
    fields = [(name, "", value.encode()) for name, value in json.loads(granted["fields"]).items()]
    file = ("file", '; filename="a.png"', PNG)

    def post(*parts: tuple[str, str, bytes], **headers: str) -> int:
        content_type = {"Content-Type": "multipart/form-data; boundary=B"}
        sent = {**content_type, **headers}
        return raw(leonardo, "POST", "/storage/", form(*parts), sent)[0].status

    assert post(*fields, file, Authorization=f"Bearer {leonardo.key}") == 400
    assert post(file, *fields) == 400
    assert post(*fields[1:], file) == 403
    assert post(*fields, ("file", '; filename="a.png"', b"GIF89a")) == 400
    assert post(*fields, file) == 204
    assert leonardo.uploads[granted["id"]].data == PNG


def blob(kind: Any, mime: str, name: str, data: bytes) -> wire.Blob:
    """A small file to send up."""
    return wire.Blob(kind, mime, name, len(data), "digest", data=data)


def test_leonardo_takes_what_the_provider_sends(leonardo: FakeLeonardo) -> None:
    provider = provider_of(leonardo)
    picture = drive(leonardo, provider.upload(blob("image", "image/png", "a.png", PNG)))
    clip_data = b"\0\0\0\x14ftypisom"
    clip = drive(leonardo, provider.upload(blob("video", "video/mp4", "a.mp4", clip_data)))
    media = wire.Delivered(images=(picture.reference,), videos=(clip.reference,))
    order = Order(prompt="a cat", ratio="9:21", resolution="480p", seed=2**32 - 1)
    ticket = drive(leonardo, provider.submit(order, media))
    assert ticket.cost == money.Money(0.75, "USD")
    states = [type(drive(leonardo, provider.check(ticket))) for _ in range(3)]
    assert states == [wire.Running, wire.Running, wire.Done]
    assert drive(leonardo, provider.check(ticket)).video_url == leonardo.result_url
    assert drive(leonardo, provider.probe_key()).account == "koala"


def test_leonardo_takes_frames_from_the_provider(leonardo: FakeLeonardo) -> None:
    provider = provider_of(leonardo)
    picture = drive(leonardo, provider.upload(blob("image", "image/png", "a.png", PNG))).reference
    picture_medium = Medium.from_address("image", picture)
    order = Order(prompt="a cat", first_frame=picture_medium, last_frame=picture_medium)
    media = wire.Delivered(first_frame=picture, last_frame=picture)
    drive(leonardo, provider.submit(order, media))
    assert leonardo.creates == 1


def test_leonardo_completes_before_the_video_is_there(leonardo: FakeLeonardo) -> None:
    leonardo.polls_until_done, leonardo.late_url = 0, 1
    provider = provider_of(leonardo)
    order = Order(prompt="a cat", ratio="16:9")
    ticket = drive(leonardo, provider.submit(order, wire.Delivered()))
    assert drive(leonardo, provider.check(ticket)).video_url is None
    assert drive(leonardo, provider.check(ticket)).video_url == leonardo.result_url


def test_a_video_that_leonardo_withholds_may_still_come(leonardo: FakeLeonardo) -> None:
    leonardo.polls_until_done, leonardo.nsfw = 0, True
    provider = provider_of(leonardo)
    ticket = drive(leonardo, provider.submit(Order(prompt="a cat", ratio="16:9"), wire.Delivered()))
    status = drive(leonardo, provider.check(ticket))
    assert (status.video_url, status.without_address.stage) == (None, "output")


@pytest.mark.parametrize(
    ("setting", "stage"),
    [({"fail_with": ["NSFW"]}, "prompt"), ({"fail_with": []}, "service")],
    ids=["moderated", "failed"],
)
def test_leonardo_fails_as_told(
    leonardo: FakeLeonardo, setting: dict[str, Any], stage: str
) -> None:
    vars(leonardo).update(setting, polls_until_done=0)
    provider = provider_of(leonardo)
    order = Order(prompt="a cat", ratio="16:9")
    ticket = drive(leonardo, provider.submit(order, wire.Delivered()))
    status = drive(leonardo, provider.check(ticket))
    if isinstance(status, wire.Done):  # a video that is withheld never gets an address
        assert status.video_url is None
        status = status.without_address
    assert status.stage == stage


def test_leonardo_refuses_a_clip_as_told(leonardo: FakeLeonardo) -> None:
    leonardo.clip_status = "FAILED"
    clip = blob("video", "video/mp4", "a.mp4", b"\0\0\0\x14ftypisom")
    with pytest.raises(BadOrder, match="too long"):
        drive(leonardo, provider_of(leonardo).upload(clip))


def test_leonardo_refuses_what_was_never_uploaded(leonardo: FakeLeonardo) -> None:
    media = wire.Delivered(first_frame="leonardo:UPLOADED:nobody")
    with pytest.raises(Refused, match="nobody"):
        drive(leonardo, provider_of(leonardo).submit(Order(prompt="a cat"), media))


# --------------------------------------------------------------------------- replayed exchanges

CREATE = "/v1/videos/generations"
ASKED = {
    "model": "seedance-2.0-text-to-video",
    "prompt": "a dog",
    "duration": 8,
    "quality": "480p",
    "aspect_ratio": "4:3",
    "generate_audio": False,
}
PICTURES = ["https://media.example/x.png"]


@pytest.fixture
def replayed() -> Iterator[Replay]:
    with replay("evolink")(b"0123456789") as fake:
        yield fake


def test_who_has_no_fake_of_its_own_is_replayed() -> None:
    known = fakes.all()
    assert known.keys() == set(ids()) - {"preview"}
    for name, kind in known.items():
        assert issubclass(kind, Replay) is not (FOLDER / f"{name}.py").exists(), name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"camera": "still"}, "camera was never recorded"),
        ({"prompt": " "}, "prompt was never recorded"),
        ({"duration": "8"}, "duration was never recorded"),
        ({"generate_audio": 1}, "generate_audio was never recorded"),
        ({"generate_audio": None}, "generate_audio was never recorded"),
        ({"quality": "2k"}, "quality was never recorded"),
        ({"model": "seedance-9"}, "model was never recorded"),
        ({"model_params": {"depth": True}}, "model_params.depth was never recorded"),
        ({"image_urls": []}, "image_urls was never recorded"),
        ({"image_urls": PICTURES[0]}, "image_urls was never recorded"),
        ({"image_urls": ["data:image/png;base64,AAAA"]}, "image_urls[] was never recorded"),
    ],
    ids=str,
)
def test_a_replay_refuses_what_was_never_recorded(
    replayed: Replay, change: dict[str, Any], said: str
) -> None:
    response, answer = ask(replayed, "POST", CREATE, {**ASKED, **change})
    assert (response.status, replayed.creates) == (400, 0)
    assert said in json.loads(answer)["error"]["message"]


def test_a_replay_refuses_a_create_without_a_field_that_all_have(replayed: Replay) -> None:
    body = {name: value for name, value in ASKED.items() if name != "duration"}
    response, answer = ask(replayed, "POST", CREATE, body)
    assert response.status == 400
    assert "every recorded create has ['duration']" in json.loads(answer)["error"]["message"]


def test_a_replay_refuses_media_that_were_never_recorded_together() -> None:
    body = {
        "model": "seedance2.0-720p",
        "prompt": "a dog",
        "duration": 5,
        "image": "https://media.example/a.png",
        "videos": ["https://media.example/a.mp4"],
        "extra_body": dict.fromkeys(("generate_audio", "watermark", "return_last_frame"), False),
    }
    body["extra_body"]["seed"] = 7  # type: ignore[index]
    with replay("uniall")(b"clip") as fake:
        response, answer = ask(fake, "POST", "/v1/video/generations", body)
        assert response.status == 400
        assert "['image', 'videos[]'] together" in json.loads(answer)["error"]["message"]
        del body["videos"]
        assert status(fake, "POST", "/v1/video/generations", body) == 200


def test_a_replay_answers_as_recorded_with_ids_and_addresses_of_its_own(replayed: Replay) -> None:
    first, second = (json.loads(ask(replayed, "POST", CREATE, ASKED)[1]) for _ in range(2))
    assert first["id"] != second["id"] and first["object"] == "video.generation.task"
    seen = [json.loads(ask(replayed, "GET", f"/v1/tasks/{first['id']}")[1]) for _ in range(3)]
    assert [task["status"] for task in seen] == ["pending", "processing", "completed"]
    assert [task["id"] for task in seen] == [first["id"]] * 3
    assert seen[-1]["results"] == [replayed.result_url]


def test_a_replay_knows_only_its_key_its_tasks_and_its_routes(replayed: Replay) -> None:
    response, answer = ask(replayed, "POST", CREATE, ASKED, Authorization="Bearer wrong")
    assert (response.status, json.loads(answer)["error"]["code"]) == (401, "unauthorized")
    response, answer = ask(replayed, "GET", "/v1/tasks/nobody")
    assert (response.status, json.loads(answer)["error"]["code"]) == (400, "invalid_task_id")
    assert status(replayed, "POST", "/v1/videos", ASKED) == 404
    assert status(replayed, "GET", f"{CREATE}?page=1") == 404
    assert replayed.creates == 0


def test_a_replay_fails_as_told_and_may_be_late_with_the_address(replayed: Replay) -> None:
    replayed.polls_until_done, replayed.address_is_late = 0, True
    provider = provider_of(replayed)
    ticket = drive(replayed, provider.submit(Order(prompt="a cat"), wire.Delivered()))
    urls = [drive(replayed, provider.check(ticket)).video_url for _ in range(2)]
    assert urls == [None, replayed.result_url]
    replayed.fail_with = replayed.failure("gave up", "TIRED")
    assert drive(replayed, provider.check(ticket)) == wire.Failed("gave up", "TIRED")


def test_a_replay_takes_an_upload_as_recorded() -> None:
    with replay("aihubmax")(b"clip") as fake:
        provider = get("aihubmax")(wire.Config(fake.base_url))
        picture = blob("image", "image/png", "a.png", PNG)
        first, second = (drive(fake, provider.upload(picture)).reference for _ in range(2))
        assert first != second and first.endswith("/a.png")
        sent = {"Content-Type": "multipart/form-data; boundary=B"}
        body = form(("file_name", "", b"a.png"), ("file", '; filename="a.png"', PNG))
        sent["Authorization"] = f"Bearer {fake.key}"
        path = "/v1/files/upload/stream"
        assert raw(fake, "POST", path, body, sent)[0].status == 403  # the recorded User-Agent
        sent["User-Agent"] = fake.requests[0].headers["user-agent"]
        assert raw(fake, "POST", path, body, sent)[0].status == 200
        assert raw(fake, "POST", path, form(("file", "", PNG)), sent)[0].status == 400
