"""Clips and sounds on their way to a provider: by its own upload, by the user's bucket, by address;
and everything about them that is refused before a cent is spent. All through the command line."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clips
import fakes
import pytest
from bucket import Bucket
from paths import MEDIA
from running import move, order_for, until

from seedance import cli, media
from seedance.errors import Refused
from seedance.order import Medium
from seedance.runner import Runner
from seedance.settings import Settings

pytestmark = pytest.mark.slow

BUNNY = MEDIA / "bigbuckbunny.mp4"
needs_bunny = pytest.mark.skipif(not BUNNY.exists(), reason=f"{BUNNY.name} is not there")


@dataclass
class Ran:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


Command = Callable[..., Ran]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run one command line in this process, each time with a runner of its own."""
    monkeypatch.setenv("SEEDANCE_POLL_INTERVAL", "0.05")

    def run(*words: object) -> Ran:
        monkeypatch.setattr("seedance.runner.runner._shared", {})
        capsys.readouterr()
        code = cli.main([str(word) for word in words])
        return Ran(code, *capsys.readouterr())

    return run


Serve = Callable[..., Any]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start a fake provider that the environment points to."""
    started: list[fakes.Fake] = []

    def start(provider: str, **options: Any) -> fakes.Fake:
        fake = fakes.all()[provider](polls_until_done=1, **options).__enter__()
        started.append(fake)
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        return fake

    yield start
    for fake in started:
        fake.__exit__()


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """The user's own bucket, set up."""
    with Bucket(tmp_path) as there:
        for name, value in there.environment.items():
            monkeypatch.setenv(name, value)
        yield there


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Three seconds with sound."""
    return clips.write(tmp_path / "clip.mp4", frames=72, audio=True)


def picture(folder: Path, number: int) -> Path:
    path = folder / f"picture-{number}.png"
    path.write_bytes(clips.picture_bytes(400 + number, 300))
    return path


def sound(folder: Path, seconds: float = 3.0) -> Path:
    path = folder / f"sound-{seconds:g}.wav"
    with wave.open(str(path), "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8000)
        writer.writeframes(bytes(2 * round(seconds * 8000)))
    return path


def reads(fake: fakes.Fake, bucket: Bucket) -> dict[str, bytes]:
    """What the provider finds at the addresses of an order when it arrives, by address."""
    found: dict[str, bytes] = {}
    handle = fake.handle

    def reading(request: fakes.Request) -> fakes.Answer:
        for address in addresses(request.json):
            found[address] = bucket.read(address)
        return handle(request)

    fake.handle = reading  # type: ignore[method-assign]
    return found


def addresses(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [found for item in value.values() for found in addresses(item)]
    if isinstance(value, list):
        return [found for item in value for found in addresses(item)]
    return [value] if isinstance(value, str) and value.startswith("https://127.0.0.1") else []


def body(fake: fakes.Fake) -> Any:
    """The one order that the provider accepted."""
    (task,) = fake.tasks.values()
    return task.body


def generate(provider: str, *words: object) -> tuple[object, ...]:
    return ("generate", "--provider", provider, "--prompt", "snow falls", "--json", *words)


# ----------------------------------------------------------------------------------- there and back


@needs_bunny
def test_lumenfall_edits_a_clip_from_the_bucket_and_keeps_its_sound(
    command: Command, serve: Serve, bucket: Bucket
) -> None:
    fake = serve("lumenfall")
    found = reads(fake, bucket)
    ran = command(*generate("lumenfall", "--video", BUNNY, "--keep-audio"))
    assert ran.code == 0, ran.err
    assert body(fake)["keep_audio"] is True
    assert found[body(fake)["video_url"]] == BUNNY.read_bytes()
    assert ran.json["changes"] == []
    assert bucket.names == []


@needs_bunny
@pytest.mark.parametrize("operation", ["edit", "extend"])
def test_uniall_works_on_a_clip_from_the_bucket(
    operation: str, command: Command, serve: Serve, bucket: Bucket
) -> None:
    fake = serve("uniall")
    found = reads(fake, bucket)
    assert command(*generate("uniall", "--video", BUNNY, "--operation", operation)).code == 0
    assert body(fake)["extra_body"]["operation"] == f"{operation}_video"
    assert [found[address] for address in body(fake)["videos"]] == [BUNNY.read_bytes()]
    assert bucket.names == []


@needs_bunny
def test_leonardo_gets_a_reference_clip_by_its_own_upload(
    command: Command, serve: Serve, bucket: Bucket
) -> None:
    fake = serve("leonardo")
    ran = command(*generate("leonardo", "--reference", BUNNY, "--ratio", "16:9"))
    assert ran.code == 0, ran.err
    (upload,) = fake.uploads.values()
    assert upload.data == BUNNY.read_bytes()
    (named,) = body(fake)["parameters"]["guidances"]["video_reference_base"]
    assert named == {"video": {"id": upload.id, "type": "UPLOADED"}}
    assert bucket.requests == []  # the provider's own upload comes first


def references(folder: Path) -> tuple[list[Path], list[object]]:
    """Two clips, two pictures and a sound, and the flags that name them."""
    files = [
        clips.write(folder / "one.mp4", frames=72, audio=True),
        clips.write(folder / "two.mp4", frames=96, width=320, height=240),
        picture(folder, 1),
        picture(folder, 2),
        sound(folder),
    ]
    return files, [word for file in files for word in ("--reference", file)]


def test_aihubmax_gets_clips_pictures_and_a_sound_as_they_are(
    command: Command, serve: Serve, tmp_path: Path
) -> None:
    fake = serve("aihubmax")
    files, words = references(tmp_path)
    ran = command(*generate("aihubmax", *words))
    assert ran.code == 0, ran.err
    sent = {
        data for request in fake.sent("POST", "/stream") for _, name, data in request.form if name
    }
    assert sent == {file.read_bytes() for file in files}
    counts = [len(body(fake)[name]) for name in ("video_urls", "image_urls", "audio_urls")]
    assert counts == [2, 2, 1]


def test_uniall_gets_clips_pictures_and_a_sound_from_the_bucket(
    command: Command, serve: Serve, bucket: Bucket, tmp_path: Path
) -> None:
    fake = serve("uniall")
    found = reads(fake, bucket)
    files, words = references(tmp_path)
    ran = command(*generate("uniall", *words))
    assert ran.code == 0, ran.err
    sent = body(fake)
    there = [found[address] for name in ("videos", "images", "audios") for address in sent[name]]
    assert there == [file.read_bytes() for file in files]
    assert sent["extra_body"]["operation"] == "reference_to_video"
    assert bucket.names == []


def test_without_a_bucket_uniall_gets_pictures_inside_the_order(
    command: Command, serve: Serve, tmp_path: Path
) -> None:
    fake = serve("uniall")
    assert command(*generate("uniall", "--reference", picture(tmp_path, 1))).code == 0
    assert body(fake)["images"][0].startswith("data:image/png;base64,")


def test_an_address_is_passed_on_as_it_was_given(
    command: Command, serve: Serve, bucket: Bucket
) -> None:
    fake = serve("uniall")
    address = "https://files.example/clip.mp4?signature=1"
    assert command(*generate("uniall", "--reference", address)).code == 0
    assert body(fake)["videos"] == [address]
    assert bucket.requests == []


def test_a_check_shows_the_path_of_each_medium(
    command: Command, serve: Serve, bucket: Bucket, clip: Path, tmp_path: Path
) -> None:
    for provider in ("uniall", "aihubmax", "lumenfall"):
        serve(provider)
    words = ["--reference", picture(tmp_path, 1), "--reference", sound(tmp_path)]
    ran = command("check", "--prompt", "snow", "--reference", clip, *words, "--json")
    ways = {quote["provider"]: quote["media"] for quote in ran.json}
    assert ways["aihubmax"] == [
        "clip 1: by the provider's own upload",
        "picture 1: by the provider's own upload",
        "sound 1: by the provider's own upload",
    ]
    assert ways["uniall"] == [
        "clip 1: by your bucket",
        "picture 1: by your bucket",
        "sound 1: by your bucket",
    ]
    ran = command("check", "--provider", "lumenfall", "--prompt", "snow", *words, "--json")
    ways = {quote["provider"]: quote["media"] for quote in ran.json}
    assert ways["lumenfall"] == ["picture 1: inline, inside the request", "sound 1: by your bucket"]
    assert bucket.requests == []


# ------------------------------------------------------------------------- what stays in the bucket


def test_takes_side_by_side_share_an_object(
    command: Command, serve: Serve, bucket: Bucket, clip: Path
) -> None:
    fake = serve("uniall")
    ran = command(*generate("uniall", "--video", clip, "--takes", "3"))
    assert ran.code == 0, ran.err
    names = {task.body["videos"][0].partition("?")[0] for task in fake.tasks.values()}
    assert (fake.creates, len(names), bucket.puts()) == (3, 1, 1)
    assert bucket.names == []


def test_an_object_stays_until_the_last_order_that_uses_it_has_ended(
    serve: Serve, bucket: Bucket, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = serve("uniall")
    monkeypatch.setenv("SEEDANCE_POLL_INTERVAL", "0.05")
    ours = Runner(Settings.load())
    fake.polls_until_done = 10**6
    slow, quick = (
        ours.start(order_for("uniall", seed, video=Medium.from_path("video", clip)))[0]
        for seed in (1, 2)
    )
    until(lambda: fake.creates == 2)
    first, second = fake.tasks.values()
    by_seed = {task.body["extra_body"]["seed"]: task for task in (first, second)}
    by_seed[2].polls = 10**6
    quick.wait()
    assert len(bucket.names) == 1
    by_seed[1].polls = 10**6
    slow.wait()
    assert bucket.names == []


def test_what_was_deleted_is_put_again_for_the_next_order(
    command: Command, serve: Serve, bucket: Bucket, clip: Path
) -> None:
    fake = serve("uniall")
    found = reads(fake, bucket)
    for seed in ("1", "2"):
        assert command(*generate("uniall", "--video", clip, "--seed", seed)).code == 0
    assert list(found.values()) == [clip.read_bytes()] * 2
    assert (bucket.puts(), bucket.names) == (2, [])


def test_media_may_be_kept_in_the_bucket_and_used_again(
    command: Command, serve: Serve, bucket: Bucket, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDANCE_S3_KEEP", "1")
    serve("uniall")
    for seed in ("1", "2"):
        assert command(*generate("uniall", "--video", clip, "--seed", seed)).code == 0
    assert (bucket.puts(), len(bucket.names)) == (1, 1)


def test_after_a_crash_the_next_order_tidies_up(
    command: Command, serve: Serve, bucket: Bucket, clip: Path
) -> None:
    """The process that put the object there was killed; its order was given up by hand."""
    fake = serve("uniall")
    fake.polls_until_done = 10**6
    crashed = Runner(Settings.load())
    job = crashed.start(order_for("uniall", 1, video=Medium.from_path("video", clip)))[0]
    until(lambda: job.task)
    move(crashed.journal, job.row, "cancelled")
    fake.polls_until_done = 0
    assert len(bucket.names) == 1
    assert command(*generate("uniall", "--video", clip, "--seed", "2")).code == 0
    assert bucket.names == []


def test_what_cannot_be_deleted_does_not_spoil_the_video(
    command: Command, serve: Serve, bucket: Bucket, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    serve("uniall")
    bucket.fault("DELETE", "AccessDenied")
    assert command(*generate("uniall", "--video", clip)).code == 0
    assert "stay in the bucket" in caplog.text
    assert command(*generate("uniall", "--video", clip, "--seed", "2")).code == 0
    assert bucket.names == []


def test_a_refused_order_leaves_nothing_in_the_bucket(
    command: Command, serve: Serve, bucket: Bucket, clip: Path
) -> None:
    fake = serve("uniall")
    fake.fault(lambda request: request.method == "POST", "status:400")
    assert command(*generate("uniall", "--video", clip)).code == 4
    assert (bucket.puts(), bucket.names) == (1, [])


# ---------------------------------------------------------------------- uploads that break half way


def test_a_bucket_upload_that_breaks_is_begun_again(
    command: Command, serve: Serve, bucket: Bucket, clip: Path
) -> None:
    fake = serve("uniall")
    found = reads(fake, bucket)
    bucket.fault("PUT", "break")
    assert command(*generate("uniall", "--video", clip)).code == 0
    assert list(found.values()) == [clip.read_bytes()]
    assert bucket.puts() == 2


def test_a_bucket_upload_that_keeps_breaking_leaves_no_half_object(
    command: Command, serve: Serve, bucket: Bucket, tmp_path: Path
) -> None:
    fake = serve("uniall")
    bucket.fault("PUT", "break", times=100)
    ran = command(*generate("uniall", "--video", padded(tmp_path, 9 * 2**20)))
    refused(ran, "Unreachable", "could not be reached")
    assert (fake.creates, bucket.names, bucket.half_objects) == (0, [], [])


def test_what_arrives_in_the_bucket_when_the_order_is_over_is_deleted_too(
    serve: Serve, bucket: Bucket, clip: Path, tmp_path: Path
) -> None:
    serve("uniall")
    bucket.fault("PUT", "wait", ending=".mp4")
    bucket.fault("PUT", "AccessDenied", ending=".png")
    given = (Medium.from_path("video", clip), Medium.from_path("image", picture(tmp_path, 1)))
    job = Runner(Settings.load()).start(order_for("uniall", references=given))[0]
    with pytest.raises(Refused, match="AccessDenied"):
        job.wait()
    bucket.gate.set()

    def deleted() -> int:
        return sum(sent == "DELETE" and path.endswith(".mp4") for sent, path in bucket.requests)

    until(lambda: deleted() == 2)  # with the order, which was too early, and after it arrived
    until(lambda: not bucket.names)


@pytest.mark.parametrize("fault", ["reset", "status:503"])
def test_a_provider_s_upload_that_breaks_is_begun_again(
    fault: str, command: Command, serve: Serve, clip: Path
) -> None:
    fake = serve("leonardo")
    fake.fault(lambda request: request.path.startswith("/storage/"), fault)
    words = ("--reference", clip, "--ratio", "16:9")
    assert command(*generate("leonardo", *words)).code == 0
    assert [upload.data for upload in fake.uploads.values()] == [clip.read_bytes()]


def test_a_provider_s_upload_that_keeps_breaking_costs_nothing(
    command: Command, serve: Serve, clip: Path
) -> None:
    fake = serve("aihubmax")
    fake.fault(lambda request: request.path.endswith("/stream"), "reset", times=100)
    ran = command(*generate("aihubmax", "--reference", clip))
    refused(ran, "Unreachable", "broke before its answer was complete")
    assert fake.creates == 0


# -------------------------------------------------------------------------------- what does not fit


def refused(ran: Ran, kind: str, *parts: str) -> None:
    """It ended with an error of this kind that says these things, and nothing was spent."""
    error = ran.json["error"]
    assert (error["kind"], error["spent"]) == (kind, "no")
    assert ran.code == {"BadOrder": 2, "Refused": 4, "Unreachable": 8}[kind]
    said = f"{error['message']} {error['hint']}"
    for part in parts:
        assert part in said


def padded(folder: Path, size: int) -> Path:
    """A good clip of `size` bytes: a box that players skip makes it as large as that."""
    path = clips.write(folder / "padded.mp4", frames=72)
    with path.open("r+b") as file:
        written = file.seek(0, os.SEEK_END)
        file.write(struct.pack(">I4s", size - written, b"free"))
        file.truncate(size)
    return path


def cut_short(folder: Path) -> Path:
    """A clip whose header says more than there is."""
    path = folder / "cut.mp4"
    media.write_clip(path, (clips.pattern(160, 96, number) for number in range(72)), 24)
    os.truncate(path, path.stat().st_size * 2 // 3)
    return path


def garbage(folder: Path) -> Path:
    path = folder / "broken.mp4"
    path.write_bytes(b"\0\0\0\x20ftypisom" + bytes(range(256)) * 8)
    return path


def large(folder: Path) -> Path:
    path, grey = folder / "4k.mp4", (128, 128, 128)
    return clips.write(path, width=3840, height=2160, fps=60, frames=12, planes=grey)


def only_sound(folder: Path) -> Path:
    path = folder / "clip.mp4"
    path.write_bytes(sound(folder).read_bytes())
    return path


BAD: dict[str, tuple[str, Callable[[Path], list[object]], tuple[str, ...]]] = {
    "a clip of 16 s": (
        "aihubmax",
        lambda folder: [clips.write(folder / "long.mp4", frames=16 * 24)],
        ("Clip 1 (16.0 s)", "2 to 15 s", "in all"),
    ),
    "two clips of 8 s": (
        "aihubmax",
        lambda folder: [
            clips.write(folder / f"{number}.mp4", frames=8 * 24, quality=12 + number)
            for number in (1, 2)
        ],
        ("Clip 1 (8.0 s) and clip 2 (8.0 s)", "16.0 s long together", "2 to 15 s"),
    ),
    "a clip without pictures": (
        "aihubmax",
        lambda folder: [only_sound(folder)],
        ("Clip 1: clip.mp4", "no picture track"),
    ),
    "half a second of sound": (
        "evolink",
        lambda folder: [picture(folder, 1), sound(folder, 0.5)],
        ("Sound 1", "0.5 s", "too short", "2 to 15 s"),
    ),
    "a broken clip": (
        "aihubmax",
        lambda folder: [garbage(folder)],
        ("Clip 1: broken.mp4 is not a readable video",),
    ),
    "a clip that was cut off": (
        "aihubmax",
        lambda folder: [cut_short(folder)],
        ("Clip 1: cut.mp4", "it ends after"),
    ),
    "4k at 60 frames a second": (
        "fal",
        lambda folder: [large(folder)],
        ("Clip 1", "3840x2160", "60 fps", "at most", "pixels", "nearest"),
    ),
    "100 MB": (
        "aihubmax",
        lambda folder: [padded(folder, 100_000_000)],
        ("Clip 1", "100.0 MB", "at most 52.4 MB", "nearest"),
    ),
    "a sound alone": (
        "aihubmax",
        lambda folder: [sound(folder)],
        ("a sound only together with a picture or a clip",),
    ),
    "a private address": (
        "aihubmax",
        lambda folder: ["https://192.168.1.20/clip.mp4"],
        ("Clip 1: 'https://192.168.1.20/clip.mp4' is not a public address.",),
    ),
    "an address without encryption": (
        "aihubmax",
        lambda folder: ["http://files.example/clip.mp4"],
        ("Clip 1: 'http://files.example/clip.mp4' is not an https address.",),
    ),
    "a file for a provider that reads only addresses": (
        "uniall",
        lambda folder: [clips.write(folder / "clip.mp4", frames=72)],
        (
            "UniAll takes clips only by a public address, and clip 1 is a file",
            "SEEDANCE_S3_BUCKET, SEEDANCE_S3_ENDPOINT",
        ),
    ),
}


@pytest.mark.parametrize(("provider", "make", "says"), BAD.values(), ids=BAD)
def test_what_does_not_fit_is_said_before_anything_is_spent(
    provider: str,
    make: Callable[[Path], list[object]],
    says: tuple[str, ...],
    command: Command,
    serve: Serve,
    tmp_path: Path,
) -> None:
    fake = serve(provider)
    words = [word for item in make(tmp_path) for word in ("--reference", item)]
    refused(command(*generate(provider, *words)), "BadOrder", *says)
    assert fake.requests == []


@pytest.mark.parametrize("words", [(), ("--on-unsupported", "nearest")], ids=["error", "nearest"])
def test_a_clip_too_short_to_edit_may_still_be_extended(
    words: tuple[str, ...], command: Command, serve: Serve, bucket: Bucket, tmp_path: Path
) -> None:
    fake = serve("byteplus")
    clip = clips.write(tmp_path / "short.mp4", frames=72, width=864, height=496)
    order = generate("byteplus", "--model", "seedance-2.5", "--video", clip, *words)
    ran = command(*order, "--duration", "-1")
    refused(ran, "BadOrder", "The clip", "too short: 4 to 30 s are taken")
    assert fake.requests == []
    assert command(*order, "--operation", "extend").code == 0


def test_an_address_that_must_be_fetched_and_is_gone_is_named(
    command: Command, serve: Serve
) -> None:
    fake = serve("leonardo")
    fake.fault(lambda request: request.path == "/gone.mp4", "status:404")
    words = ("--reference", f"{fake.url}/gone.mp4", "--ratio", "16:9")
    refused(
        command(*generate("leonardo", *words)),
        "BadOrder",
        "Clip 1 could not be fetched from its address",
        "HTTP 404",
    )
    assert [request.path for request in fake.requests] == ["/gone.mp4"]


def test_an_address_is_fetched_for_who_reads_none(command: Command, serve: Serve) -> None:
    """From the own gateway's origin; anything else must be public."""
    fake = serve("leonardo", clip=clips.clip_bytes(3))
    words = ("--reference", fake.result_url, "--ratio", "16:9")
    assert command(*generate("leonardo", *words)).code == 0
    assert [upload.data for upload in fake.uploads.values()] == [fake.clip]


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("NoSuchBucket", "Check SEEDANCE_S3_BUCKET"),
        ("AccessDenied", "may put and delete objects"),
        ("InvalidAccessKeyId", "Check SEEDANCE_S3_ACCESS_KEY_ID"),
        ("SomethingNew", "SEEDANCE_S3_"),
    ],
)
def test_a_bucket_that_refuses_says_why(
    code: str, hint: str, command: Command, serve: Serve, bucket: Bucket, clip: Path
) -> None:
    fake = serve("uniall")
    bucket.fault("PUT", code)
    ran = command(*generate("uniall", "--video", clip))
    refused(ran, "Refused", f"The bucket mine refused ({code}); nothing was spent.", hint)
    assert fake.requests == []


def test_a_bucket_that_the_provider_cannot_reach_is_no_way(
    command: Command, clip: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUMENFALL_API_KEY", "sk-test")
    ran = command(*generate("lumenfall", "--video", clip))
    refused(ran, "BadOrder", "Lumenfall cannot read from your bucket", "SEEDANCE_S3_ENDPOINT")
    assert bucket.requests == []


# ------------------------------------------------------------------------ brought within the limits


def uploaded(fake: fakes.Fake, folder: Path) -> list[Path]:
    """The files that went up to AIHubMax or EvoLink."""
    files = []
    for request in fake.requests:
        for _, name, data in request.form:
            if name:
                files.append(folder / f"up-{len(files)}-{name}")
                files[-1].write_bytes(data)
    return files


def test_a_clip_that_is_too_long_is_shortened_if_that_was_asked(
    command: Command, serve: Serve, tmp_path: Path
) -> None:
    fake = serve("aihubmax")
    long = clips.write(tmp_path / "long.mp4", frames=16 * 24, audio=True)
    words = ("--reference", long, "--on-unsupported", "nearest")
    ran = command(*generate("aihubmax", *words))
    assert ran.code == 0, ran.err
    (file,) = uploaded(fake, tmp_path)
    info = media.probe(file)
    assert 14.8 <= info.duration <= 15
    assert (info.video_codec, info.audio_codec, info.mime) == ("h264", "aac", "video/mp4")
    (change,) = ran.json["changes"]
    assert (change["field"], change["asked"]) == ("clip 1", "as given")
    assert change["given"].startswith("160x96, 1")
    assert change["why"] == "2 to 15 s in all are taken"
    sidecar = json.loads(Path(ran.json["file"]).with_suffix(".seedance.json").read_text())
    assert sidecar["changes"] == [change]
    assert "Changed clip 1: as given became 160x96" in ran.err


def test_clips_that_are_too_long_together_are_shortened_alike(
    command: Command, serve: Serve, tmp_path: Path
) -> None:
    fake = serve("aihubmax")
    words: list[object] = ["--on-unsupported", "nearest"]
    for seconds in (12, 6):
        path = clips.write(tmp_path / f"{seconds}.mp4", frames=seconds * 24)
        words += ["--reference", path]
    assert command(*generate("aihubmax", *words)).code == 0
    lengths = sorted(media.probe(file).duration for file in uploaded(fake, tmp_path))
    assert lengths == pytest.approx([5, 10], abs=0.1)


def test_a_large_clip_is_made_smaller_and_a_foreign_sound_becomes_mp3_or_wav(
    command: Command, serve: Serve, tmp_path: Path
) -> None:
    fake = serve("evolink")
    odd = clips.write(tmp_path / "odd.mp4", width=1280, height=800, fps=12, frames=25)
    m4a = tmp_path / "sound.m4a"
    m4a.write_bytes(clips.write(tmp_path / "s.mp4", frames=72, audio=True).read_bytes())
    words = ("--reference", odd, "--reference", m4a, "--on-unsupported", "nearest")
    ran = command(*generate("evolink", *words))
    assert ran.code == 0, ran.err
    files = {file.suffix: file for file in uploaded(fake, tmp_path)}
    info = media.probe(files[".mp4"])
    assert info.width * info.height <= 927_408
    assert float(info.fps) == 24
    heard = media.probe_sound(next(file for end, file in files.items() if end != ".mp4"))
    assert heard.mime in ("audio/mpeg", "audio/wav")
    assert [change["field"] for change in ran.json["changes"]] == ["clip 1", "sound 1"]


def test_the_same_order_again_says_the_same_changes(
    command: Command, serve: Serve, tmp_path: Path
) -> None:
    fake = serve("aihubmax")
    long = clips.write(tmp_path / "long.mp4", frames=16 * 24)
    words = generate("aihubmax", "--reference", long, "--on-unsupported", "nearest")
    first, second = command(*words), command(*words)
    assert fake.creates == 1
    assert first.json["changes"] == second.json["changes"] != []


# ----------------------------------------------------------------------------------- once, and flat


def test_the_same_bytes_go_up_once(
    command: Command, serve: Serve, clip: Path, tmp_path: Path
) -> None:
    fake = serve("aihubmax")
    twin = tmp_path / "twin.mp4"
    twin.write_bytes(clip.read_bytes())
    for seed in ("1", "2"):
        words = ("--reference", clip, "--reference", twin, "--seed", seed)
        assert command(*generate("aihubmax", *words)).code == 0
    assert len(fake.sent("POST", "/stream")) == 1
    assert all(len(set(task.body["video_urls"])) == 1 for task in fake.tasks.values())


# Not getrusage: what it says of a new process begins with the memory of the one that started it.
STATUS = Path("/proc/self/status")
PEAK = f"""
import re, sys
from seedance.cli import main
code = main(sys.argv[1:])
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("{STATUS}").read())
print(int(peak[1]) // 1024, file=sys.stderr)
sys.exit(code)
"""


def peak_megabytes(*words: object) -> int:
    """The most memory that a command took, in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-c", PEAK, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ran.returncode == 0, ran.stderr
    return int(ran.stderr.split()[-1])


@pytest.mark.skipif(not STATUS.exists(), reason=f"needs {STATUS}")
@pytest.mark.parametrize("provider", ["aihubmax", "uniall"])
def test_memory_stays_flat_while_a_large_clip_goes_up(
    provider: str, serve: Serve, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the provider's own upload, and by the bucket, in parts."""
    monkeypatch.setenv("SEEDANCE_POLL_INTERVAL", "0.05")
    fake = serve(provider)
    small, large = (
        peak_megabytes(*generate(provider, "--reference", padded(tmp_path, size)))
        for size in (9_000_000, 50_000_000)
    )
    assert fake.creates == 2
    print(f"peak with 9 MB: {small} MB, with 50 MB: {large} MB")
    assert large - small < 20
