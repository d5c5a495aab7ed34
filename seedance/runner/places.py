"""Where the video of a row is on this machine: looked for in several places, and checked.

A row names its file relative to the output folder, with size and SHA-256, so that it is found when
folders move, on another machine, or sorted into a subfolder. What another order has now, or what
was changed, is never taken for the row's video.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from .. import media
from ..errors import BadOrder, SeedanceError
from ..files import replacing, write_atomically
from ..journal import Row
from ..order import kind_by_ending
from ..said import Said, say
from ..texts import logger_of
from .files import (
    KEPT,
    PICTURE,
    SOME_KEPT,
    Files,
    is_as_recorded,
    is_picture,
    numbered,
    read_sidecar,
)

logger = logger_of(__name__)

MOST_FILES = 50_000  # that are looked at below the output folder
IN_COMFYUI = "seedance"  # the output folder's name in ComfyUI's own
_SAME = ("width", "height", "frames")  # of an old row, which has no digest


def record_of(files: Files, output: Path) -> dict[str, Any]:
    """What a row keeps of the place of its files: relative to the output folder, and on which
    machine they were saved."""
    try:
        place = files.video.relative_to(output).as_posix()
    except ValueError:
        place = None
    return {"place": place, "machine": socket.gethostname()[:100]}


def find(row: Row, output: Path) -> Files | None:
    """The files of a row's video on this machine; None if it is not here. Reads the whole video,
    to compare its SHA-256."""
    if row.file is None:
        return None
    for video in _candidates(row, output):
        if belongs(video, row):
            return _with_sidecar(Files(video), row)
    return None


class Glance:
    """As `find`, for lists of rows: by the files' sizes and the tickets beside them. Looks below
    the output folder once, and only if a file is not where its row says."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._sizes: dict[int, list[Path]] | None = None

    def at(self, row: Row) -> Path | None:
        """Where the video of a row seems to be; None if it is not on this machine."""
        if row.file is None:
            return None
        size = row.result.get("bytes")
        for video in _named(row, self._output):
            there = _size(video)
            if there is not None and size in (None, there) and not _is_anothers(video, row):
                return video
        if self._sizes is None:
            self._sizes = {}
            for video in _searched(self._output):
                self._sizes.setdefault(_size(video) or 0, []).append(video)
        alike = self._sizes.get(size or -1, ())
        return next((video for video in alike if not _is_anothers(video, row)), None)

    def picture(self, row: Row) -> Path | None:
        """The last frame as it was saved beside the video of a row, which may be gone; None if it
        is not where the video was saved. Reads it."""
        for video in _named(row, self._output):
            paths, record = Files(video), read_sidecar(Files(video))
            if not _is_anothers(video, row, record):
                with contextlib.suppress(OSError):
                    if is_picture(paths.last_frame, record, row.result):
                        return paths.last_frame
        return None


def _size(file: Path) -> int | None:
    """The size of a file; None if there is none."""
    try:
        return file.stat().st_size if file.is_file() else None
    except OSError:
        return None


def _is_anothers(video: Path, row: Row, record: dict[str, Any] | None = None) -> bool:
    """Whether the sidecar of a video, its `record`, says that it is another task's."""
    record = read_sidecar(Files(video)) if record is None else record
    return "task" in record and record["task"] != row.task


def saved_as(row: Row) -> Path | None:
    """Where the video of a row was saved; None if another task's lies there now."""
    return None if row.file is None or _is_anothers(row.file, row) else row.file


def without_picture(row: Row, output: Path) -> Files | None:
    """The files of a video that lies where it was saved, and whose last frame was never made; None
    for others. Reads the sidecar only."""
    for video in _named(row, output):
        files = Files(video)
        record = read_sidecar(files)
        if record.get("task") == row.task and video.is_file():
            made = PICTURE in record or os.path.lexists(files.last_frame)
            return None if made else files
    return None


def belongs(video: Path, row: Row) -> bool:
    """Whether the file at `video` is that of the row, as it was saved."""
    record = read_sidecar(Files(video))
    if _is_anothers(video, row, record):
        return False
    known = row.result if "sha256" in row.result else record
    return is_as_recorded(video, known) if "sha256" in known else _looks_alike(video, row)


def is_free(video: Path, row: Row | None) -> bool:
    """Whether a row's video may be saved as `video` without replacing anything that is not its
    own. Where it is there already, nothing beside it is replaced."""
    return in_the_way(video, row) is None


def in_the_way(video: Path, row: Row | None) -> Path | None:
    """The file that saving a row's video as `video` would replace, and that is not the row's as it
    was saved; None if there is none."""
    paths = Files(video)
    there = [path for path in reversed(paths.all) if os.path.lexists(path)]
    if not there or (row is not None and video == there[0] and belongs(video, row)):
        return None
    if row is None or video == there[0]:
        return there[0]
    record = read_sidecar(paths)
    if paths.sidecar == there[0] and (row.task is None or record.get("task") != row.task):
        return paths.sidecar
    # With nothing but the claim, all that is there was made after it.
    if paths.last_frame == there[-1] and record != {"task": row.task}:
        with contextlib.suppress(OSError):
            if is_picture(paths.last_frame, record, row.result):
                return None
        return paths.last_frame
    return None


def claim(video: Path, row: Row) -> bool:
    """Take the name `video` for a row, so that no order of another process saves there too; says
    whether the row has it now. Its sidecar is made first, and only one process can make that.
    Raises OSError."""
    if not is_free(video, row):
        return False
    paths = Files(video)
    try:
        with paths.sidecar.open("x", encoding="utf-8") as file:
            json.dump({"task": row.task}, file)
    except FileExistsError:
        return read_sidecar(paths).get("task") == row.task
    except OSError:  # a full disk: what was begun claims nothing
        paths.sidecar.unlink(missing_ok=True)
        raise
    return True


def give_up(paths: Files, row: Row) -> None:
    """Give back a name that was claimed and at which no video is."""
    if read_sidecar(paths) == {"task": row.task} and not os.path.lexists(paths.video):
        with contextlib.suppress(OSError):
            paths.sidecar.unlink()


def check_free(target: Path | None, row: Row | None, overwrite: bool) -> None:
    """Raise BadOrder if saving as `target` would replace what is not this order's."""
    if target is None or overwrite or (there := in_the_way(target, row)) is None:
        return
    if row is not None and _was_saved_as(target, row):
        if there != target:
            return  # what lies beside it was changed since: the video gets the next name
        if row.file is not None:
            raise BadOrder(
                "{there} was changed since this order was saved there, and is left alone.",
                hint="Choose another name, or replace it with --overwrite.",
                there=there,
            )
    lost = row is None and "task" in read_sidecar(Files(target))
    raise BadOrder(
        "{there} is there already, and the journal does not say that this order made it.",
        hint="Choose another name, or replace it with --overwrite. If this very order made it, and "
        "the journal was lost, first run: seedance doctor --rebuild."
        if lost
        else "Choose another name, or replace it with --overwrite.",
        there=there,
    )


def _was_saved_as(target: Path, row: Row) -> bool:
    """Whether this order was saved as `target`, or was to be, whatever is there now."""
    record = read_sidecar(Files(target))
    if "task" in record:
        return row.task is not None and record["task"] == row.task
    return target in (row.file, Path(row.target or ""))


def _looks_alike(video: Path, row: Row) -> bool:
    """For a row of an older version whose sidecar is gone."""
    try:
        info = media.probe(video)
    except SeedanceError:
        return False
    return all(getattr(info, name) == row.result.get(name) for name in _SAME)


def words(row: Row) -> Said:
    """Where the video of a row was saved, for errors; empty if it never was."""
    if row.file is None:
        return Said("")
    machine = row.result.get("machine")
    if machine and machine != socket.gethostname():
        return say(
            "It was saved as {file} on the machine {machine}.", file=row.file, machine=machine
        )
    return say("It was saved as {file}.", file=row.file)


def why_again(row: Row, target: Path | None = None) -> Said:
    """Why the video of a saved row, which is not on this machine as it was saved, is fetched, and
    why it is not saved as `target` or by its former name."""
    if row.file is not None and _size(row.file) is not None:
        return say(
            "{file} was changed after it was saved, so that the video is fetched again, free, and "
            "saved under another name.",
            file=row.file,
        )
    for place in (target, row.file):
        if place is not None and (other := in_the_way(place, row)) is not None:
            return say(
                "{file} is not where it was saved, so that the video is fetched again, free. "
                "{other} is not as it was saved; it stays, and the video gets another name.",
                file=row.file,
                other=other,
            )
    return say(
        "{file} is not where it was saved, so that the video is fetched again, free.", file=row.file
    )


def copy_beside(found: Files, target: Path, row: Row) -> Files:
    """The saved video of a row, copied to `target` unless it is there already; by the next name
    with a number, or where it is in that folder, if what is there is not the row's. Raises
    OSError."""
    if found.video.resolve() == target.resolve():
        return found
    number, chosen = 0, target
    while True:
        if os.path.lexists(chosen) and belongs(chosen, row):  # what lies beside it stays
            return _with_sidecar(Files(chosen), row)
        if claim(chosen, row):
            return copy_to(found, chosen)
        if found.video.parent == target.parent:
            return found
        number += 1
        chosen = numbered(target, number)


def bring_below(output: Path, found: Files) -> Files:
    """The files, copied into the output folder if they are elsewhere: ComfyUI shows no others.
    As they are where that cannot be done."""
    if found.video.is_relative_to(output):
        return found
    try:
        output.mkdir(parents=True, exist_ok=True)
        return copy_to(found, free_name(output / found.video.name))
    except OSError as error:
        logger.warning("%s cannot be copied into %s: %s", found.video, output, error)
        return found


def free_name(video: Path) -> Path:
    """`video`, or the next name with a number that no file has."""
    number, chosen = 0, video
    while any(os.path.lexists(path) for path in Files(chosen).all):
        number += 1
        chosen = numbered(video, number)
    return chosen


def copy_to(saved: Files, target: Path) -> Files:
    """Copy a saved video, its last frame and its sidecar to `target`; returns the copies. What is
    there of another video goes. Raises OSError."""
    copies = Files(target)
    if saved.video.resolve() == target.resolve():
        return saved
    for source, destination in zip(saved.all, copies.all):
        if source.exists():
            with replacing(destination) as part:
                shutil.copyfile(source, part)
        else:
            destination.unlink(missing_ok=True)
    return copies


# ------------------------------------------------------------------------------------ looking


def _candidates(row: Row, output: Path) -> Iterator[Path]:
    seen = set()
    for video in chain(_named(row, output), _sorted_in(row, output)):
        if video not in seen and _size(video) is not None:
            seen.add(video)
            yield video


def _named(row: Row, output: Path) -> Iterator[Path]:
    """Where the row says, first in this machine's own output folder. The journal may be shared, so
    that the place may be anybody's word: it must not lead out of the folder."""
    place = row.result.get("place")
    if isinstance(place, str) and not {"..", "/"} & set(PurePosixPath(place).parts):
        yield output / place
    if row.file is not None:
        yield row.file


def _sorted_in(row: Row, output: Path) -> Iterator[Path]:
    """Files below the output folder that may be the video: of its size, or with its name where no
    size is known."""
    size, name = row.result.get("bytes"), row.file.name if row.file else ""
    for video in _searched(output):
        if video.name == name if size is None else _size(video) == size:
            yield video


def _searched(output: Path) -> Iterator[Path]:
    """The files among which a video that was sorted elsewhere is looked for. In ComfyUI the output
    folder is one of ours in ComfyUI's own, where people sort what they have."""
    yield from videos_below(output)
    if output.name == IN_COMFYUI:
        yield from videos_below(output.parent)


def videos_below(folder: Path) -> Iterator[Path]:
    """The files below a folder that are named like videos, of at most `MOST_FILES` files."""
    left = MOST_FILES
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and kind_by_ending(name) == "video":
                yield Path(place, name)
        left -= len(names) + len(folders)
        if left < 0:
            return


def _with_sidecar(found: Files, row: Row) -> Files:
    """The files, with a sidecar made anew where it was left behind."""
    try:
        if not found.sidecar.exists():
            write_atomically(found.sidecar, json.dumps(sidecar_of(row), indent=1))
    except OSError as error:
        logger.warning("The sidecar of %s could not be made anew: %s", found.video, error)
    return found


def sidecar_of(row: Row) -> dict[str, Any]:
    """What the sidecar says about the origin of a video. It has no key and no signed address.

    The journal can be rebuilt from it: `fingerprint` and `asked` find the order again.
    """
    kept = {name: row.result[name] for name in (*KEPT, *SOME_KEPT) if name in row.result}
    return {
        "task": row.task,
        "provider": row.provider,
        "model": row.model,
        "seed": row.seed,
        "cost": row.cost.as_dict() if row.cost else None,
        "order": row.order,
        "changes": row.changes,
        "fingerprint": row.fingerprint,
        "asked": row.asked,
        "origin": row.origin,
        "created": row.as_dict()["created"],
        "submitted": row.submitted,
        "finished": row.finished,
        **kept,
    }
