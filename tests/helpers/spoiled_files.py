"""`python spoiled_files.py ROUNDS SECONDS FILE...`: reads spoiled copies of the files.

For each file, ROUNDS copies are spoiled, each in its own way, and read; what is read is printed
before. At the end it prints `whole`. After SECONDS it ends with the stack of what hangs.
"""

from __future__ import annotations

import faulthandler
import random
import sys
import warnings
from pathlib import Path
from typing import Any

from seedance import wire
from seedance.errors import SeedanceError


def main(rounds: int, seconds: int, sources: list[Path]) -> None:
    faulthandler.dump_traceback_later(seconds, exit=True)
    warnings.simplefilter("ignore")
    for source in sources:
        data, work = source.read_bytes(), source.with_suffix(".work")
        work.mkdir()
        for number in range(rounds):
            print(source.name, number, flush=True)
            file = work / f"spoiled{source.suffix}"
            file.write_bytes(spoiled_file(data, f"{source.name} {number}"))
            read_everything(file, work)
    print("whole")


def spoiled_file(data: bytes, seed: object) -> bytes:
    """A file that was cut, or in which bits or bytes changed; headers more often than the rest."""
    chance = random.Random(str(seed))
    spoiled = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 10, 50))):
        end = len(spoiled) if chance.random() < 0.5 else min(len(spoiled), 1500)
        place = chance.randrange(end)
        spoiled[place] = chance.choice((spoiled[place] ^ (1 << chance.randrange(8)), 0, 255))
    if chance.random() < 0.3:
        del spoiled[chance.randrange(len(spoiled)) :]
    if chance.random() < 0.1:
        start = chance.randrange(len(spoiled) + 1)
        del spoiled[start : start + chance.randrange(64)]
    return bytes(spoiled)


def read_everything(file: Path, work: Path) -> None:
    """All that the pack does with a file from elsewhere. Only our own errors may come of it."""
    from seedance import media
    from seedance.order import Medium

    limits = wire.MediaLimits((), sides=(16, 256), seconds=(0.1, 15.0))
    if file.suffix in (".mp4", ".mov", ".mkv", ".avi", ".ts"):
        doings: tuple[Any, ...] = (
            lambda: media.probe(file),
            lambda: media.decode_frames(file),
            lambda: media.last_frame(file),
            lambda: media.decode_audio(file),
            lambda: media.clip_blob(
                Medium.from_path("video", file), limits, nearest=True, work_dir=work / "fitted"
            ),
            lambda: media.sound_blob(
                Medium.from_path("audio", file), limits, nearest=True, work_dir=work / "fitted"
            ),
            lambda: media.tag_colour(file),
        )
    elif file.suffix in (".wav", ".mp3", ".flac", ".ogg", ".m4a"):
        medium = Medium.from_path("audio", file)
        doings = (
            lambda: media.probe_sound(file),
            lambda: media.decode_audio(file),
            *(
                lambda mime=mime: media.sound_blob(
                    medium,
                    wire.MediaLimits((mime,), seconds=(0.01, 0.1)),
                    nearest=True,
                    work_dir=work / "fitted",
                )
                for mime in ("audio/mpeg", "audio/wav")
            ),
        )
    else:
        doings = (
            lambda: media.read_picture(file),
            lambda: media.picture_blob(Medium.from_path("image", file), limits, size=(64, 64)),
            lambda: media.picture_blob(Medium.from_data("image", file.read_bytes()), limits),
        )
    for doing in doings:
        try:
            doing()
        except SeedanceError as error:
            check_error(error)


def check_error(error: SeedanceError) -> None:
    assert len(str(error).encode()) < 6000


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
