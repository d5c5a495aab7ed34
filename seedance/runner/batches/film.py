"""All shots of a list joined to one film, made anew only where a shot has changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import media
from ...errors import BadOrder
from ...files import sha256_of, write_atomically
from .. import Result, check_target
from ..files import Files, is_as_recorded, read_sidecar
from .progress import spent_on


@dataclass(frozen=True)
class Film:
    """A film: its file, how long it is in seconds, and why its pictures had to be encoded anew
    (empty where they were copied). `reused` says that it was there already."""

    file: Path
    seconds: float
    encoded: str = ""
    reused: bool = False


def check_film(target: Path) -> None:
    """Raise BadOrder unless a film can be written as `target`: an MP4 or MOV in a folder that
    exists, which is not there yet or is a film that was made from shots."""
    ending = target.suffix.lower().lstrip(".")
    check_target(target, ending if ending in ("mp4", "mov") else "mp4")
    if target.exists() and "film" not in read_sidecar(Files(target)):
        raise BadOrder(
            f"{target} is there already, and is no film that was made from shots.",
            hint="Choose another name for the film.",
        )


def make_film(
    shots: Sequence[tuple[str, Result]],
    target: Path,
    on_part: Callable[[float], None] = lambda fraction: None,
) -> Film:
    """Join the videos of shots, each with its name, to `target`. Nothing is done where the film of
    just these files is there. Raises BadOrder, which says what was spent on the shots, for a file
    that cannot be read, or if the film cannot be written."""
    try:
        check_film(target)
        parts = [
            {
                "shot": name,
                "task": each.task,
                "file": each.file.name,
                "sha256": sha256_of(each.file),
            }
            for name, each in shots
        ]
        known = read_sidecar(Files(target))
        if known.get("film") == parts and is_as_recorded(target, known):
            return Film(target, known["duration"], known.get("encoded", ""), reused=True)
        joined = media.join_clips([each.file for _, each in shots], target, on_part)
        record: dict[str, Any] = {
            "film": parts,
            "duration": round(float(joined.seconds), 6),
            "encoded": joined.encoded,
            "bytes": target.stat().st_size,
            "sha256": sha256_of(target),
        }
        text = json.dumps(record, indent=1, ensure_ascii=False)
        try:
            write_atomically(Files(target).sidecar, text)
        except OSError:
            if not known:  # a film that nothing says of where it is from would not be replaced
                target.unlink(missing_ok=True)
            raise
    except BadOrder as error:
        error.spent = spent_on(each for _, each in shots)
        raise
    except OSError as error:
        raise BadOrder(
            f"The film {target} cannot be written: {error.strerror}.",
            hint="The videos stay where they are, and are not paid again.",
            spent=spent_on(each for _, each in shots),
        ) from error
    return Film(target, record["duration"], joined.encoded)
