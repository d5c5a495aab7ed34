"""VIDEO and AUDIO of a real ComfyUI on their way to strict fakes.

Runs on each ComfyUI of COMFY_HOSTS.

ComfyUI's own interpreter needs boto3 for what goes by the bucket.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clips
import fakes
import numpy as np
import pytest
from bucket import KEY_ID, NAME, SECRET, Bucket
from comfyui import ComfyUI, Host
from paths import MEDIA
from PIL import Image

from seedance import media
from seedance.settings import Settings

BUNNY = MEDIA / "bigbuckbunny.mp4"
pytestmark = pytest.mark.skipif(not BUNNY.exists(), reason=f"{BUNNY.name} is not there")

PROVIDERS = ("lumenfall", "uniall", "leonardo", "aihubmax")


@pytest.fixture(scope="module")
def bucket(
    comfy_host: Host, guard_log: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bucket]:
    if subprocess.run([comfy_host.python, "-c", "import boto3"], capture_output=True).returncode:
        pytest.skip("ComfyUI's interpreter has no boto3")
    with Bucket(tmp_path_factory.mktemp("bucket")) as there:
        yield there


@pytest.fixture(scope="module")
def providers(comfy_host: Host) -> Iterator[dict[str, fakes.Fake]]:
    """The fakes by id."""
    running = {name: fakes.all()[name](polls_until_done=0) for name in PROVIDERS}
    for fake in running.values():
        fake.__enter__()
    yield running
    for fake in running.values():
        fake.__exit__()


@pytest.fixture(scope="module")
def server(
    comfy_host: Host,
    bucket: Bucket,
    providers: dict[str, fakes.Fake],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ComfyUI]:
    """ComfyUI with keys for all fakes, and the bucket set up, as a person does it on the page."""
    server = ComfyUI(tmp_path_factory.mktemp("comfyui") / "base", host=comfy_host)
    for name in ("coffee.png", "chelsea.png", BUNNY.name):
        shutil.copy(MEDIA / name, server.base / "input")
    settings = Settings(server.base / "user" / "__seedance", server.base / "output", {})
    for name, fake in providers.items():
        settings.set_base_url(name, fake.base_url)
        settings.set_key(name, fake.key)
    settings.set_section(
        "s3",
        {
            "bucket": NAME,
            "endpoint": bucket.url,
            "region": "us-east-1",
            "access_key_id": KEY_ID,
            "secret_access_key": SECRET,
        },
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CA_BUNDLE", str(bucket.certificate))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with server.running(SEEDANCE_POLL_INTERVAL="0.2"):
            yield server


def load(name: str = BUNNY.name) -> dict[str, Any]:
    return {"class_type": "LoadVideo", "inputs": {"file": name}}


def node(kind: str, provider: str, **inputs: Any) -> dict[str, Any]:
    values = {"provider": provider, "prompt": "snow falls", "duration": 5, **inputs}
    return {"class_type": f"Seedance{kind}", "inputs": values}


def save(link: list[Any]) -> dict[str, Any]:
    where = {"filename_prefix": "made/clip", "format": "auto", "codec": "auto"}
    return {"class_type": "SaveVideo", "inputs": {"video": link, **where}}


def run(server: ComfyUI, **nodes: dict[str, Any]) -> None:
    """Run a graph whose generating node is called `make`, and save its video."""
    before = len(server.outputs("made/*.mp4"))
    entry = server.run({**nodes, "save": save(["make", 1])})
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
    assert len(server.outputs("made/*.mp4")) == before + 1


def reading(fake: fakes.Fake, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What the provider finds at the addresses of an order when it arrives."""
    found: dict[str, bytes] = {}
    handle = fake.handle

    def reads(request: fakes.Request) -> fakes.Answer:
        if isinstance(request.json, dict):
            for value in request.json.values():
                for address in value if isinstance(value, list) else [value]:
                    if str(address).startswith(bucket.url):
                        found[address] = bucket.read(address)
        return handle(request)

    monkeypatch.setattr(fake, "handle", reads)
    return found


def last_body(fake: fakes.Fake) -> Any:
    return list(fake.tasks.values())[-1].body


def test_lumenfall_edits_the_clip_that_was_loaded(
    server: ComfyUI,
    providers: dict[str, fakes.Fake],
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = providers["lumenfall"]
    found = reading(fake, bucket, monkeypatch)
    run(server, load=load(), make=node("V2V", "lumenfall", video=["load", 0], keep_audio=True))
    assert last_body(fake)["keep_audio"] is True
    assert found[last_body(fake)["video_url"]] == BUNNY.read_bytes()
    assert bucket.names == []


def test_uniall_extends_the_clip_that_was_loaded(
    server: ComfyUI,
    providers: dict[str, fakes.Fake],
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = providers["uniall"]
    found = reading(fake, bucket, monkeypatch)
    run(server, load=load(), make=node("V2V", "uniall", video=["load", 0], operation="extend"))
    assert last_body(fake)["extra_body"]["operation"] == "extend_video"
    assert [found[address] for address in last_body(fake)["videos"]] == [BUNNY.read_bytes()]
    assert bucket.names == []


def test_a_trimmed_clip_is_cut_before_it_goes_up(
    server: ComfyUI,
    providers: dict[str, fakes.Fake],
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    found = reading(providers["uniall"], bucket, monkeypatch)
    slices = {"video": ["load", 0], "start_time": 1.0, "duration": 2.0}
    run(
        server,
        load=load(),
        cut={"class_type": "Video Slice", "inputs": {**slices, "strict_duration": False}},
        make=node("V2V", "uniall", video=["cut", 0]),
    )
    (data,) = found.values()
    (tmp_path / "cut.mp4").write_bytes(data)
    info = media.probe(tmp_path / "cut.mp4")
    assert info.duration == pytest.approx(2.0, abs=0.05)
    assert (info.width, info.height, info.has_audio) == (1280, 720, True)


def test_a_phones_clip_is_cut_as_it_is_seen(
    server: ComfyUI,
    providers: dict[str, fakes.Fake],
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    found = reading(providers["uniall"], bucket, monkeypatch)
    phone = server.base / "input" / "phone.mp4"
    clips.turned(phone, (0, 1, -1, 0), width=640, height=480, frames=96)
    slices = {"video": ["load", 0], "start_time": 1.0, "duration": 2.5, "strict_duration": False}
    run(
        server,
        load=load(phone.name),
        cut={"class_type": "Video Slice", "inputs": slices},
        make=node("V2V", "uniall", video=["cut", 0], seed=6),
    )
    (data,) = found.values()
    (tmp_path / "cut.mp4").write_bytes(data)
    info = media.probe(tmp_path / "cut.mp4")
    assert (info.width, info.height, info.frames) == (480, 640, 60)
    seen = np.rot90(clips.pattern(640, 480, 83), -1).astype(int)
    assert np.abs(media.last_frame(tmp_path / "cut.mp4") - seen).mean() < 4


def test_pictures_of_an_odd_size_become_a_clip(
    server: ComfyUI,
    providers: dict[str, fakes.Fake],
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Create Video, whose own file ComfyUI itself could not write."""
    found = reading(providers["uniall"], bucket, monkeypatch)
    Image.fromarray(clips.pattern(451, 333)).save(server.base / "input" / "odd.png")
    run(
        server,
        one={"class_type": "LoadImage", "inputs": {"image": "odd.png"}},
        many={"class_type": "RepeatImageBatch", "inputs": {"image": ["one", 0], "amount": 72}},
        film={"class_type": "CreateVideo", "inputs": {"images": ["many", 0], "fps": 24.0}},
        make=node("V2V", "uniall", video=["film", 0], seed=7),
    )
    (data,) = found.values()
    (tmp_path / "film.mp4").write_bytes(data)
    info = media.probe(tmp_path / "film.mp4")
    assert (info.width, info.height, info.frames, info.fps) == (450, 332, 72, 24)


def test_a_clip_that_a_slice_leaves_whole_goes_up_untouched(
    server: ComfyUI,
    providers: dict[str, fakes.Fake],
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = reading(providers["uniall"], bucket, monkeypatch)
    slices = {"video": ["load", 0], "start_time": 0.0, "duration": 0.0, "strict_duration": False}
    run(
        server,
        load=load(),
        cut={"class_type": "Video Slice", "inputs": slices},
        make=node("V2V", "uniall", video=["cut", 0], seed=5),
    )
    assert list(found.values()) == [BUNNY.read_bytes()]


def test_leonardo_gets_the_clip_that_was_loaded(
    server: ComfyUI, providers: dict[str, fakes.Fake]
) -> None:
    fake: Any = providers["leonardo"]
    clip = {"videos.video_1": ["load", 0]}
    run(server, load=load(), make=node("Reference", "leonardo", ratio="16:9", **clip))
    assert [upload.data for upload in fake.uploads.values()] == [BUNNY.read_bytes()]


@pytest.mark.parametrize("provider", ["uniall", "aihubmax"])
def test_clips_pictures_and_a_sound_are_references(
    provider: str,
    server: ComfyUI,
    providers: dict[str, fakes.Fake],
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = providers[provider]
    found = reading(fake, bucket, monkeypatch)
    run(
        server,
        load=load(),
        parts={"class_type": "GetVideoComponents", "inputs": {"video": ["load", 0]}},
        one={"class_type": "LoadImage", "inputs": {"image": "coffee.png"}},
        two={"class_type": "LoadImage", "inputs": {"image": "chelsea.png"}},
        make=node(
            "Reference",
            provider,
            **{
                "videos.video_1": ["load", 0],
                "videos.video_2": ["load", 0],
                "images.image_1": ["one", 0],
                "images.image_2": ["two", 0],
                "audios.audio_1": ["parts", 1],
            },
        ),
    )
    names = (
        ("videos", "images", "audios")
        if provider == "uniall"
        else ("video_urls", "image_urls", "audio_urls")
    )
    sent = [last_body(fake)[name] for name in names]
    assert [len(addresses) for addresses in sent] == [2, 2, 1]
    if provider == "uniall":
        assert [found[address] for address in sent[0]] == [BUNNY.read_bytes()] * 2
        assert found[sent[2][0]][:4] == b"RIFF"
    assert bucket.names == []
