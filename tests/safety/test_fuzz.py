"""What strangers and broken machines send: answers, clips and pictures that nobody would write.

Whatever comes, only our own errors may leave, and nothing may hang. A fixed share runs always;
SEEDANCE_FUZZ=10000 runs so many answers for each provider, and clips and pictures.
"""

from __future__ import annotations

import copy
import gzip
import itertools
import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import av
import clips
import numpy as np
import pytest
import wire_player
from loopback import Connection, Raw
from paths import HELPERS
from PIL import Image
from spoiled_files import check_error

from seedance import download, wire
from seedance.addresses import origin
from seedance.errors import SeedanceError
from seedance.providers import get
from seedance.runner.client import retry_after
from seedance.runner.outcomes import failure
from seedance.transport import Credentials, Transport

pytestmark = [pytest.mark.safety, pytest.mark.slow]

ROUNDS = int(os.environ.get("SEEDANCE_FUZZ", "0"))
ANSWERS = ROUNDS or 300
FILES = ROUNDS or 130

# --------------------------------------------------------------------------------------- answers

# What stands where something else should.
ODD = (
    *(None, True, False, 0, -1, 1, 0.5, 1e308, math.inf, -math.inf, math.nan, 10**30, 10**400),
    *("", " ", "x", "0", "-1", "9" * 400, "9" * 5000, "²", "٣", "1e999", "NaN", "x" * 5000),
    *("%s%n", "{0.__class__}", "_" * 9, "1" * 30, "0x10", "1_000", "+5", "5.", "-0", "∞"),
    *("\ud800", "a\udfffz", "\x00", "\x1b[2J", "a\r\nX-Header: 1", "💥", "../../etc/passwd"),
    *("http://127.0.0.1/", "file:///etc/passwd", "https://files.example/a.mp4", "https://[::1"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-13-45T99:99:99Z"),
    *("completed", "succeeded", "failed", "COMPLETE", "expired", "cancelled"),
    *([], {}, [[]], [None], {"": None}, {"url": {"url": []}}, ["a", 1, {}], {"id": {}, "code": []}),
)
STATUSES = (200, 200, 201, 202, 204, 302, 400, 401, 402, 403, 404, 409, 422, 429, 500, 503, 599)
TYPES = (
    "application/json",
    "text/html",
    "",
    "video/mp4",
    "application/json; charset=utf-16",
    "\xff",
)
WAITS = ("1", "-1", "nan", "inf", "1e999", "soon", "Mon, 01 Jan 0001 00:00:00 -0000", "99999999999")


class Answers:
    """Generated answers, the same ones for the same seed."""

    def __init__(self, seed: object, models: list[Any]) -> None:
        self._random = random.Random(str(seed))
        self._models = models

    def reply(self, recorded: dict[str, Any] | None) -> wire.Reply:
        """The recorded answer, so that the talk goes on, or one that is odd."""
        chance = self._random
        if recorded is not None and chance.random() < 0.4:
            body = json.dumps(recorded.get("json")).encode()
            return wire.Reply(recorded["status"], {"content-type": TYPES[0]}, body)
        model = recorded.get("json") if recorded else chance.choice(self._models)
        headers = {"content-type": chance.choice(TYPES), "retry-after": chance.choice(WAITS)}
        return wire.Reply(chance.choice(STATUSES), headers, self._body(model))

    def _body(self, model: Any) -> bytes:
        value = copy.deepcopy(model)
        for _ in range(self._random.randint(1, 4)):
            value = self._spoiled(value)
        body = json.dumps(value).encode()
        return self._random.choices(
            (
                body,
                self._flipped(body),
                body[: self._random.randint(0, len(body))],
                # Of two keys of one name, the later one counts.
                body[:-1] + b',"id":[],"status":{},"data":0}' if body.endswith(b"}") else body,
                b'{"a":' * 100_000,
                b"[" * 200 + body + b"]" * 200,
                b"9" * 10_000,
                b"\xef\xbb\xbf" + body,
                json.dumps(value).encode("utf-16"),
                gzip.compress(body),
                b"<!DOCTYPE html><html>502</html>",
                json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"),
            ),
            weights=(60, 10, 5, 8, 1, 2, 1, 2, 2, 1, 2, 6),
        )[0]

    def _flipped(self, body: bytes) -> bytes:
        spoiled = bytearray(body)
        for _ in range(self._random.randint(1, 8)):
            spoiled[self._random.randrange(len(spoiled))] = self._random.randrange(256)
        return bytes(spoiled)

    def _spoiled(self, value: Any) -> Any:
        """`value` with one thing in it, anywhere, taken away, replaced or wrapped."""
        chance = self._random
        if not isinstance(value, (dict, list)) or not value or chance.random() < 0.05:
            odd = copy.deepcopy(chance.choice(ODD))
            return chance.choice((odd, [value], {"data": value}, {"error": value}))
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = chance.choice(keys)
        if chance.random() < 0.1:
            del value[key]
        else:
            value[key] = self._spoiled(value[key])
        return value


def texts(value: Any) -> Iterator[str]:
    """Every text in a result."""
    if isinstance(value, str):
        yield value
    elif is_dataclass(value):
        for item in fields(value):
            yield from texts(getattr(value, item.name))
    elif isinstance(value, float):
        assert math.isfinite(value)


def check_outcome(outcome: Any) -> None:
    """What may leave a flow can be written to a file and a database, and be shown."""
    for text in texts(outcome):
        text.encode()
    for money in filter(None, (getattr(outcome, name, None) for name in ("cost", "left"))):
        assert len(money.currency) <= 10
    assert len(getattr(outcome, "account", "")) <= 100
    if isinstance(outcome, wire.Ticket):
        assert wire.Ticket.parse(str(outcome)).opaque == outcome.opaque
    if isinstance(outcome, wire.Failed):
        check_error(failure(outcome))


def converse(flow: wire.Flow[Any], talk: list[dict[str, Any]], answers: Answers) -> int:
    """Hold one conversation to its end; returns how many answers that took."""
    recorded = iter([step.get("reply") for step in talk if "call" in step])
    reply: Any = None
    for count in itertools.count():
        try:
            step = flow.send(reply)
        except StopIteration as end:
            check_outcome(end.value)
            return count
        except SeedanceError as error:
            check_error(error)
            return count
        if count == 40:  # e.g. a list of tasks without an end
            flow.close()
            return count
        reply = (
            wire.Reply(0) if isinstance(step, wire.Pause) else answers.reply(next(recorded, None))
        )
        retry_after(reply)
    raise AssertionError


@pytest.mark.timeout(3600 if ROUNDS else 600)
@pytest.mark.parametrize(
    "path", sorted(wire_player.FOLDER.glob("*.json")), ids=lambda path: path.stem
)
def test_generated_answers_give_only_our_errors(path: Path) -> None:
    provider_id, known = wire_player.load(path)
    models = [
        step["reply"]["json"]
        for exchange in known
        for step in exchange["talk"]
        if "json" in step.get("reply", {})
    ]
    answered = 0
    for number in itertools.count():
        if answered >= ANSWERS:
            break
        exchange = known[number % len(known)]
        answers = Answers(f"{provider_id} {number}", models)
        try:
            answered += converse(
                wire_player.start(get(provider_id), exchange), exchange["talk"], answers
            )
        except Exception as error:
            raise AssertionError(f"round {number}, {exchange['name']!r}: {error!r}") from error


# ------------------------------------------------------------------ what stands before an answer

NUMBERS = (b"\xb2", b"9" * 5000, b"-1", b"0", b"5", b"1e5", b"", b" 5", b"0x5", b"5, 6", b"9" * 25)
WORDS = (
    *(b"\xff\xfe", b"", b"x" * 300, b"\x00", b"gzip", b"identity", b"text/html", b'W/"x"', b'"x"'),
    *(b"bytes 0-4/\xb2", b"bytes 0-4/" + b"9" * 5000, b"bytes " + b"9" * 5000 + b"-4/5"),
    *(b"bytes 0-4/*", b"bytes 0-4/5", b"bytes */5", b"http://[::1", b"//", b"file:///etc/passwd"),
    *(b"http://127.0.0.1:1/", b"https://\xff/", b"?", b"javascript:1", b"chunked"),
)
HEADERS = (
    *(b"Content-Length", b"Content-Range", b"ETag", b"Last-Modified", b"Content-Encoding"),
    *(b"Content-Type", b"Location", b"Transfer-Encoding", b"Retry-After"),
)


def odd_head(connection: Connection, chance: random.Random) -> None:
    """Answer a request with generated headers and a few bytes."""
    connection.read_request()
    head = b"HTTP/1.1 %d Odd\r\n" % chance.choice((*STATUSES, 206, 206, 206, 416, 199, 999))
    for name in HEADERS:
        if chance.random() < 0.5:
            head += b"%s: %s\r\n" % (name, chance.choice((*NUMBERS, *WORDS)))
    connection.socket.sendall(head + b"Connection: close\r\n\r\nhello"[: chance.randint(21, 26)])


@pytest.mark.timeout(3600 if ROUNDS else 600)
def test_generated_headers_give_only_our_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TRIES_WITHOUT_PROGRESS", 2)
    chance = random.Random(1)
    with Raw(lambda connection: odd_head(connection, chance)) as server:
        own = origin(server.url)
        sender = Transport(Credentials("Bearer", "a-key-of-the-provider", frozenset({own})))
        for number in range(ANSWERS // 4):
            doings: tuple[Callable[[], object], ...] = (
                lambda: download.fetch(sender, server.url, tmp_path / "part", own_origin=own),
                lambda: retry_after(sender.perform(wire.Call("GET", server.url))),
            )
            for doing in doings:
                try:
                    doing()
                except SeedanceError as error:
                    check_error(error)
                except Exception as error:
                    raise AssertionError(f"round {number}: {error!r}") from error


# ----------------------------------------------------------------------------- clips and pictures


def sources(folder: Path) -> list[Path]:
    """Small files of every kind that people have, the header of the clips at either end."""
    made = [
        clips.write(folder / "a.mp4", width=64, height=48, frames=6, audio=True),
        clips.write(folder / "b.mov", width=64, height=48, frames=6, container="mov"),
        clips.write(folder / "c.mkv", width=64, height=48, frames=6, container="matroska"),
        clips.write(folder / "d.avi", width=64, height=48, frames=6, container="avi"),
        clips.write(folder / "e.ts", width=64, height=48, frames=6, container="mpegts"),
    ]
    pixels = Image.fromarray(clips.pattern(64, 48))
    grey = Image.fromarray((np.arange(64 * 48).reshape(48, 64) * 20).astype(np.uint16))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a picture"
    for name, picture, options in (
        ("f.png", pixels, {"exif": exif}),
        ("g.png", grey, {}),
        ("h.png", pixels.convert("P"), {"transparency": 3}),
        ("i.jpg", pixels, {"exif": exif, "progressive": True}),
        ("j.webp", pixels, {"exif": exif}),
        ("k.gif", pixels, {}),
        ("l.bmp", pixels, {}),
        ("m.tiff", pixels.convert("CMYK"), {"compression": "tiff_lzw"}),
    ):
        picture.save(folder / name, **options)
        made.append(folder / name)
    frames = [Image.fromarray(clips.pattern(64, 48, phase)) for phase in range(3)]
    for name in ("n.gif", "o.webp"):  # that move
        frames[0].save(folder / name, save_all=True, append_images=frames[1:])
        made.append(folder / name)
    return made + [sound(folder / name, codec) for name, codec in SOUNDS.items()]


SOUNDS = {
    "p.wav": "pcm_s16le",
    "q.mp3": "libmp3lame",
    "r.flac": "flac",
    "s.ogg": "libopus",
    "t.m4a": "aac",
}


def sound(file: Path, codec: str) -> Path:
    """A fifth of a second of noise."""
    with av.open(str(file), "w") as container:
        stream: Any = container.add_stream(codec, rate=48000)
        stream.layout = "stereo"
        resampler = av.AudioResampler(
            stream.codec_context.format, "stereo", 48000, stream.codec_context.frame_size or 1024
        )
        noise = np.random.default_rng(1).integers(-9000, 9000, (1, 2 * 8820)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="stereo")
        frame.sample_rate = 48000
        for part in (*resampler.resample(frame), *resampler.resample(None), None):
            container.mux(stream.encode(part))
    return file


READER = HELPERS / "spoiled_files.py"
SECONDS = 300 + ROUNDS  # 5 s on two idle cores


@pytest.mark.timeout(SECONDS + 20)
def test_spoiled_clips_and_pictures_give_only_our_errors_and_end(tmp_path: Path) -> None:
    files = sources(tmp_path)
    share = -(-FILES // len(files))
    # In a process of its own, because what hangs or crashes in FFmpeg ends no other way.
    command = [sys.executable, str(READER), str(share), str(SECONDS), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True)
    last = done.stdout.splitlines()[-1:]
    assert last == ["whole"], f"ended ({done.returncode}) at {last}: {done.stderr[-3000:]}"
