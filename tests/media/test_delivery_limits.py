"""Media that do not fit a provider: refused before a cent is spent, or brought within its limits.
All through the command line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import clips
import fakes
import pytest
from bucket import Bucket
from command_line import Command
from deliveries import Serve, generate, padded, picture, refused, sound

from seedance import media

pytestmark = pytest.mark.slow


# -------------------------------------------------------------------------------- what does not fit


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
