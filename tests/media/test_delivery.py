"""Clips and sounds on their way to a provider: by its own upload, by the user's bucket, by address.
All through the command line.
"""

from __future__ import annotations

from pathlib import Path

import clips
import pytest
from bucket import Bucket
from command_line import Command
from deliveries import Serve, body, generate, padded, picture, reads, refused, sound
from paths import MEDIA
from running import move, order_for, until

from seedance.errors import Refused
from seedance.order import Medium
from seedance.runner import Runner
from seedance.settings import Settings

pytestmark = pytest.mark.slow

BUNNY = MEDIA / "bigbuckbunny.mp4"
needs_bunny = pytest.mark.skipif(not BUNNY.exists(), reason=f"{BUNNY.name} is not there")


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
    until(lambda: crashed.journal.get(job.row).state == "running")
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
