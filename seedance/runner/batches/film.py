"""All shots of a list joined to one film, made anew only where a shot has changed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import media
from ...errors import BadOrder
from ...files import sha256_of, write_atomically
from ...journal import STATE_WORDS
from .. import Result, Runner, check_target
from ..files import Files, is_as_recorded, read_sidecar
from .names import is_named
from .plan import ShotTake
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
    exists, which is not there yet or is a film that was made from shots, as it was made. Reads the
    whole film."""
    ending = target.suffix.lower().lstrip(".")
    check_target(target, ending if ending in ("mp4", "mov") else "mp4")
    sidecar = Files(target).sidecar
    known = read_sidecar(Files(target))
    there = next((path for path in (target, sidecar) if os.path.lexists(path)), None)
    if there is not None and "film" not in known:
        raise BadOrder(
            f"{there} is there already, and is no film that was made from shots"
            f"{'' if there == target else ', nor of one'}.",
            hint="Choose another name for the film.",
        )
    if os.path.lexists(target) and not is_as_recorded(target, known):
        raise BadOrder(
            f"{target} was changed since that film was made, and is left as it is.",
            hint="Choose another name for the film, or move the file that is there.",
        )


def check_apart(target: Path, out: Path | None, takes: Sequence[ShotTake], runner: Runner) -> None:
    """Raise BadOrder where a film cannot be `target` because a video is to be saved there: a take
    of the list in the folder `out`, or an order under way."""
    folder = target.parent.resolve()
    if out is not None and out.resolve() == folder:
        for take in takes:
            if is_named(take, target.stem):
                raise BadOrder(
                    f"The film cannot be {target}: the shot {take.name} is saved by this name.",
                    hint="Choose another name for the film.",
                )
    row = runner.journal.going_to(target)
    if row is not None:
        raise BadOrder(
            f"The film cannot be {target}: row {row.id} is {STATE_WORDS[row.state]}, and is to be "
            "saved there.",
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
        if known.get("film") == parts and target.exists():
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
            target.unlink(missing_ok=True)  # a film that no sidecar describes is not replaced later
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
