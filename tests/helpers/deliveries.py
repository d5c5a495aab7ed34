"""What deliveries to a provider are tested with: media, orders, and what the provider finds."""

from __future__ import annotations

import os
import struct
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import clips
import fakes
from bucket import Bucket
from command_line import Ran

Serve = Callable[..., Any]  # starts a fake provider: serve(provider, **options)


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
