"""Pictures, clips and sounds from anywhere: bombs, lies about their size, disguised programs."""

from __future__ import annotations

import errno
import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import clips
import fakes
import numpy as np
import pytest
from fakes import Answer, Request
from loopback import Server, nothing_here
from PIL import EpsImagePlugin, Image
from running import Desk

from seedance import media
from seedance.errors import BadOrder, StillRunning
from seedance.media import clips as media_clips
from seedance.order import Medium
from seedance.runner import files
from seedance.wire import MediaLimits

pytestmark = [pytest.mark.safety, pytest.mark.slow]

posix = pytest.mark.skipif(os.name != "posix", reason="file modes and links are those of POSIX")


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of one colour: a few kilobytes, however large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + (width + 7) // 8)) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    body = rows + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def test_a_decompression_bomb_is_no_picture() -> None:
    bomb = png_bomb(20_000, 20_000)
    assert len(bomb) < 100_000
    for read in (
        lambda: media.read_picture(bomb),
        lambda: media.picture_blob(Medium.from_data("image", bomb), MediaLimits(("image/png",))),
    ):
        with pytest.raises(BadOrder, match="too large"):
            read()


def picture_file(kind: str, size: tuple[int, int], colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


OTHERS = {
    "a bomb": png_bomb(20_000, 20_000),
    "a JPEG": picture_file("JPEG", (64, 48)),
    "another size": picture_file("PNG", (48, 64)),
    "no picture": b"<html>",
    "nothing": b"",
    "half a PNG": picture_file("PNG", (64, 48))[:60],
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_last_frame_that_is_no_png_of_the_video_s_size_is_left_aside(
    other: bytes, tmp_path: Path
) -> None:
    with fakes.all()["byteplus"]() as fake:
        handle = fake.handle

        def with_other(request: Request) -> Answer:
            if request.path == "/other.png":
                return Answer(200, body=other, headers={"content-type": "image/png"})
            answer = handle(request)
            if isinstance(answer.json, dict) and "content" in answer.json:
                answer.json["content"]["last_frame_url"] = f"{fake.url}/other.png"
            return answer

        fake.handle = with_other  # type: ignore[method-assign]
        result = Desk(fake, tmp_path).video()
        assert any(each.path == "/other.png" for each in fake.requests)
        assert result.last_frame.read_bytes().startswith(b"\x89PNG")
        ours = media.last_frame(result.file)
        assert np.array_equal(media.read_picture(result.last_frame), ours)
        left = sorted(path.suffixes[-1] for path in result.file.parent.iterdir())
        assert left == [".json", ".mp4", ".png"]


def test_the_provider_s_own_last_frame_leaves_nothing_where_the_video_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(files: files.Files, *_: Any, **__: Any) -> dict[str, Any]:
        assert files.last_frame_part.exists()
        raise OSError(errno.ENOSPC, "No space left on device")

    with fakes.all()["byteplus"]() as fake:
        desk = Desk(fake, tmp_path)
        monkeypatch.setattr(files, "finish", full)
        with pytest.raises(StillRunning, match="No space left"):
            desk.video()
        assert list(desk.output.iterdir()) == []


EPS = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\n"
    b"newpath 0 0 moveto 50 50 lineto stroke\nshowpage\n"
)


@pytest.mark.parametrize("name", ["a.eps", "a.png"])
def test_a_picture_is_no_program(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *args, **_: ran.append(args))
    file = tmp_path / name
    file.write_bytes(EPS)
    with pytest.raises(BadOrder):
        media.read_picture(file)
    assert ran == []


def playlist(target: Path) -> bytes:
    return (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{target}\n#EXT-X-ENDLIST\n".encode()
    )


@pytest.mark.parametrize("form", ["playlist", "list of files", "session"])
def test_a_clip_cannot_make_ffmpeg_open_something_else(form: str, tmp_path: Path) -> None:
    secret = clips.write(tmp_path / "secret.mp4", width=64, height=48)
    with Server(nothing_here) as server:
        text = {
            "playlist": playlist(secret) + f"{server.url}/a.ts\n".encode(),
            "list of files": f"ffconcat version 1.0\nfile '{secret}'\n".encode(),
            "session": b"v=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
        }[form]
        for ending in ("mp4", "m3u8", "ffconcat", "sdp", "txt"):
            file = tmp_path / f"clip.{ending}"
            file.write_bytes(text)
            with pytest.raises(BadOrder):
                media.probe(file)
        assert server.requests == []


def test_a_zip_is_no_clip_and_is_not_opened(tmp_path: Path) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(BadOrder):
        media.probe(file)


def rewritten(folder: Path, edit: Callable[[bytearray], None], **options: Any) -> Path:
    """A small clip with something else in its header."""
    source = clips.write(folder / "source.mp4", **{"width": 64, "height": 48, **options})
    data = bytearray(source.read_bytes())
    edit(data)
    file = folder / "clip.mp4"
    file.write_bytes(data)
    return file


def many_samples(data: bytearray) -> None:
    """100 million samples of one byte, which FFmpeg would lay out one by one."""
    number = struct.pack(">I", 40_000_000)
    place = data.find(b"stsz")
    data[place + 8 : place + 16] = struct.pack(">I", 1) + number
    place = data.find(b"stsc")
    data[place + 16 : place + 20] = number


def many_frames(data: bytearray) -> None:
    place = data.find(b"stts")
    data[place + 12 : place + 16] = struct.pack(">I", 2_000_000_000)


def long_time(data: bytearray) -> None:
    for name, offset in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
        place = data.find(name)
        data[place + offset : place + offset + 4] = struct.pack(">I", 2**32 - 2)
    place = data.find(b"stts")
    data[place + 16 : place + 20] = struct.pack(">I", 2**31 - 1)


def wide_frames(data: bytearray) -> None:
    for name, offset in ((b"avc1", 28),):
        place = data.find(name, data.find(b"stsd"))
        data[place + offset : place + offset + 4] = struct.pack(">HH", 65000, 65000)


CHILD = """
import resource, sys
from pathlib import Path
sys.path[:0] = sys.argv[1].split("|")
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))  # seconds of a processor; it takes about one
from seedance import media
from seedance.errors import BadOrder
from seedance.order import Medium
from seedance.wire import MediaLimits
file = Path(sys.argv[2])
limits = MediaLimits(("video/mp4",), sides=(300, 6000))
for doing in (
    lambda: media.probe(file),
    lambda: media.last_frame(file),
    lambda: media.decode_frames(file),
    lambda: media.clip_blob(
        Medium.from_path("video", file), limits, nearest=True, work_dir=file.parent / "fitted"
    ),
):
    try:
        doing()
    except BadOrder as error:
        print(error.message)
print("done")
"""


@pytest.mark.parametrize("lie", [many_samples, many_frames, long_time, wide_frames])
def test_a_clip_that_lies_about_itself_costs_neither_memory_nor_time(
    lie: Callable[[bytearray], None], tmp_path: Path
) -> None:
    file = rewritten(tmp_path, lie)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, "|".join(sys.path), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("done\n"), done.stderr[-2000:]


def test_frames_beyond_any_screen_are_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = clips.write(tmp_path / "clip.mp4", width=320, height=240)
    monkeypatch.setattr("seedance.media.info.MAX_PIXELS", 320 * 240 - 1)
    for read in (media.probe, media.last_frame, media.decode_frames):
        with pytest.raises(BadOrder, match="too large"):
            read(file)


def test_a_clip_cannot_grow_to_such_frames_midway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough at first that its header is read as that of a small clip.
    small = clips.write(tmp_path / "small.ts", width=64, height=48, frames=240, container="mpegts")
    large = clips.write(tmp_path / "large.ts", width=640, height=480, container="mpegts")
    file = tmp_path / "clip.ts"
    file.write_bytes(small.read_bytes() + large.read_bytes())
    assert sum(1 for _ in media.iter_frames(file)) == 252
    monkeypatch.setattr("seedance.media.info.MAX_PIXELS", 64 * 48 * 4)
    assert sum(1 for _ in media.iter_frames(file)) <= 240


def test_a_clip_that_claims_to_last_for_hours_is_not_converted(tmp_path: Path) -> None:
    file = rewritten(tmp_path, long_time)
    with pytest.raises(BadOrder):
        media.clip_blob(
            Medium.from_path("video", file),
            MediaLimits(("video/mp4",), sides=(300, 6000)),
            nearest=True,
            work_dir=tmp_path,
        )


def test_more_frames_than_memory_are_refused_though_the_header_hid_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = clips.write(tmp_path / "clip.mp4", width=64, height=48, frames=40)
    honest = media.probe(file)
    monkeypatch.setattr("seedance.media.frames.probe", lambda path: replace(honest, frames=2))
    monkeypatch.setattr("seedance.media.memory.free_memory", lambda: media.frames_bytes(honest, 4))
    with pytest.raises(BadOrder, match="memory"):
        media.decode_frames(file)


def silence(file: Path, seconds: int) -> Path:
    """A FLAC file of silence: a few hundred bytes for each second, whatever they unpack to."""
    rate = 48000
    with av.open(str(file), "w", format="flac") as container:
        stream: Any = container.add_stream("flac", rate=rate)
        stream.layout = "stereo"
        for number in range(seconds):
            samples = np.zeros((1, 2 * rate), np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = rate, number * rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file


def test_more_sound_than_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = silence(tmp_path / "bomb.flac", 300)
    unpacked = 300 * 48000 * 2 * 4
    assert file.stat().st_size < unpacked / 1000
    monkeypatch.setattr("seedance.media.memory.free_memory", lambda: unpacked)
    with pytest.raises(BadOrder, match="memory"):
        media.decode_audio(file)
    monkeypatch.setattr("seedance.media.memory.free_memory", lambda: 4 * unpacked)
    decoded = media.decode_audio(file)
    assert decoded is not None and decoded[0].shape == (2, 300 * 48000)


def test_memory_that_does_not_suffice_after_all_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: Any, **__: Any) -> Any:
        raise MemoryError

    file = silence(tmp_path / "short.flac", 1)
    monkeypatch.setattr("seedance.media.memory.free_memory", lambda: None)
    monkeypatch.setattr("seedance.media.sounds.np.concatenate", no_memory)
    with pytest.raises(BadOrder, match="memory"):
        media.decode_audio(file)


def test_a_sound_that_unpacks_to_hours_is_not_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seedance.media.clips.MAX_SECONDS", 10)
    medium = Medium.from_path("audio", silence(tmp_path / "bomb.flac", 12))
    with pytest.raises(BadOrder, match="too long"):
        media.sound_blob(medium, MediaLimits(("audio/wav",)), nearest=True, work_dir=tmp_path)
    assert not list(tmp_path.glob("*.wav"))
    cut = MediaLimits(("audio/wav",), seconds=(1, 5))
    blob, _ = media.sound_blob(medium, cut, nearest=True, work_dir=tmp_path)
    assert blob.seconds == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize("codec", ["wav", "mp3"])
def test_a_sound_in_which_nothing_can_be_decoded_is_refused(codec: str, tmp_path: Path) -> None:
    file = tmp_path / "header.wav"
    file.write_bytes(media.encode_wav(np.zeros((2, 0)), 48000))
    with pytest.raises(BadOrder, match="nothing can be decoded"):
        media.convert_sound(file, tmp_path / f"target.{codec}", codec, 1.0)


def test_a_picture_that_does_not_fit_into_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture = png_bomb(4000, 4000)
    monkeypatch.setattr("seedance.media.memory.free_memory", lambda: 4000 * 4000 * 3)
    for read in (
        lambda: media.read_picture(picture),
        lambda: media.picture_blob(Medium.from_data("image", picture), MediaLimits(("image/png",))),
    ):
        with pytest.raises(BadOrder, match="memory"):
            read()


def test_a_clip_of_more_pictures_than_anybody_films_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures in which nothing changes take a few bytes each, and time each."""
    file = clips.write(tmp_path / "clip.mp4", width=64, height=48, frames=30)
    monkeypatch.setattr("seedance.media.frames.MOST_PIXELS", 64 * 48 * 3)
    for read in (media.last_frame, media.decode_frames, lambda path: list(media.iter_frames(path))):
        with pytest.raises(BadOrder, match="too long"):
            read(file)


def test_a_clip_that_is_cut_is_not_decoded_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = clips.write(tmp_path / "clip.mp4", width=320, height=240, frames=240, audio=True)
    decoded = []
    add = media_clips._Pictures.add
    monkeypatch.setattr(
        media_clips._Pictures, "add", lambda *args: decoded.append(args) or add(*args)
    )
    limits = MediaLimits(("video/mp4",), seconds=(1, 2))
    blob, _ = media.clip_blob(
        Medium.from_path("video", file), limits, nearest=True, work_dir=tmp_path
    )
    assert blob.seconds == pytest.approx(2, abs=0.1)
    assert len(decoded) < 120
