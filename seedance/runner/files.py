"""The files of a video in the output folder: names, last frame, sidecar, the atomic rename."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .. import forks, media
from ..errors import BadOrder
from ..files import replacing, sha256_of, write_atomically
from ..said import say
from ..texts import logger_of
from ..units import size_in_words

if TYPE_CHECKING:
    import numpy as np

logger = logger_of(__name__)

SMALLEST_FREE = 100 * 10**6
MEASURED = ("width", "height", "fps", "frames", "duration", "has_audio", "seed")
# What lies beside a video `NAME.mp4`, after `NAME`.
LAST_FRAME = ".last.png"
SIDECAR = ".seedance.json"
LARGEST_SIDECAR = 1 << 20  # bytes

KEPT = (*MEASURED, "bytes", "sha256")  # of a sidecar, in the journal
PICTURE = "last_frame_sha256"  # of the PNG, in both, once it is made
DRAFT_UNTIL = "draft_until"  # in both, where the provider told until when a draft can be finished
SOME_KEPT = (PICTURE, DRAFT_UNTIL)
NO_GRAPH: Mapping[str, str] = MappingProxyType({})
_turns = tuple(forks.Lock() for _ in range(256))
_LONG_NAME = 180  # bytes
_MOST_OF_A_NUMBER = 4  # letters of `-2`, which a name gets where another file has it


@dataclass(frozen=True)
class Files:
    """The files of one video, all beside each other. `by` names who makes them, so that two
    processes never write into one file."""

    video: Path
    by: str = ""

    @property
    def part(self) -> Path:
        """The download under way."""
        return self._under_way(self.video)

    @property
    def last_frame(self) -> Path:
        """The last frame as PNG."""
        return self.video.with_name(self.video.stem + LAST_FRAME)

    @property
    def last_frame_part(self) -> Path:
        """The provider's own last frame under way."""
        return self._under_way(self.last_frame)

    @property
    def sidecar(self) -> Path:
        """What the video was made from, as JSON."""
        return self.video.with_name(self.video.stem + SIDECAR)

    def _under_way(self, file: Path) -> Path:
        name = file.name
        if len(os.fsencode(name)) > _LONG_NAME:  # what is put around it must find room too
            name = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
        return file.with_name(f".{name}.{self.by}.part")

    @property
    def all(self) -> tuple[Path, Path, Path]:
        """Last frame, sidecar and video: in this order they are put in place."""
        return self.last_frame, self.sidecar, self.video


def remove_parts(files: Files, row_id: int) -> None:
    """Remove what processes that were killed left of the downloads of a row. To be called with the
    lease on it: whoever else had it has lost it."""
    for video in (files.video, files.last_frame):
        for part in video.parent.glob(f".{glob.escape(video.name)}.*-{row_id}.part"):
            with contextlib.suppress(OSError):
                part.unlink()


def new_target(output: Path, provider: str, fingerprint: str, ending: str = "mp4") -> Path:
    """A path in the output folder that no video has yet. The name is made of the date, the
    provider's id and the fingerprint, and of nothing that a workflow or a provider said."""
    stem = f"{time.strftime('%Y-%m-%d')}_{provider}_{fingerprint[:10]}"
    for number in range(1, 1000):
        path = output / f"{stem}{f'-{number}' if number > 1 else ''}.{ending}"
        if not path.exists() and not Files(path).sidecar.exists():
            return path
    raise BadOrder(
        "There are too many versions of {file} in {output}.",
        file=f"{stem}.{ending}",
        output=output,
    )


def numbered(target: Path, number: int) -> Path:
    """FILE for number 0, FILE-2 and so on (before the suffix) for 1 and on: of takes, and of files
    whose name another has."""
    return target if number == 0 else target.with_name(f"{target.stem}-{number + 1}{target.suffix}")


def check_target(video: Path | None, ending: str = "mp4") -> None:
    """Raise BadOrder unless a video can be saved as `video`: for a folder or a device, which the
    finished video would replace; for a name that does not end as what is written (`ending`); for a
    folder that does not exist or cannot be written."""
    if video is None:
        return
    hint = say(
        "Give the name of a file to save as, such as {name}.",
        name=f"{video.stem or 'video'}.{ending}",
    )
    _check_utf8(video)
    try:
        length = len(os.fsencode(video.name))
        beside = len(os.fsencode(Files(video).sidecar.name)) - length + _MOST_OF_A_NUMBER
        most = _name_max(video.parent) - beside
        if length > most:
            raise BadOrder(
                "The name of {file} is too long.",
                hint="Give a shorter name. At most {most} bytes leave room for the names of what "
                "lies beside the video.",
                file=video,
                most=most,
            )
        if video.exists() and not video.is_file():
            what = say("a folder") if video.is_dir() else say("a device")
            raise BadOrder("{file} is {what}.", hint=hint, file=video, what=what)
        if video.suffix.lower() != f".{ending}":
            raise BadOrder(
                "{file} is not the name of an MP4, which is written."
                if ending == "mp4"
                else "{file} is not the name of a MOV, which is written.",
                hint=hint,
                file=repr(video.name),
            )
        if not video.parent.is_dir():
            raise BadOrder(
                "There is no folder {folder}.", hint="Make it first.", folder=video.parent
            )
    except OSError as error:  # a folder that cannot be entered, a name that is too long
        raise BadOrder(
            "{file} cannot be used: {reason}.",
            hint=say("Give a shorter name.") if error.errno == errno.ENAMETOOLONG else hint,
            file=video,
            reason=error.strerror,
        ) from error
    check_writable(video.parent)


def _check_utf8(path: Path) -> None:
    """Raise BadOrder for a path whose bytes are not UTF-8: the journal and sidecars could not name
    it, so that a paid video would be saved where nothing finds it."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise BadOrder(
            "The name {path} is not UTF-8, so that no video can be saved there.",
            hint="Rename the file or folder, or choose another folder (SEEDANCE_OUTPUT, or -o on "
            "the command line).",
            path=repr(str(path)),
        ) from error


def _name_max(folder: Path) -> int:
    """How many bytes the name of a file in a folder may have."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # Windows, or there is no such folder
        return 255


def check_writable(folder: Path) -> None:
    """Raise BadOrder unless a video can be written to `folder`. To be called before anything is
    spent."""
    hint = say("Choose another folder (SEEDANCE_OUTPUT, or -o on the command line).")
    _check_utf8(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise BadOrder(
            "The output folder {folder} cannot be written: {reason}.",
            hint=hint,
            folder=folder,
            reason=error.strerror,
        ) from error
    if free < SMALLEST_FREE:
        raise BadOrder(
            "The disk of the output folder {folder} has only {free} free.",
            hint="Free at least {least}. {advice}",
            folder=folder,
            free=size_in_words(free),
            least=size_in_words(SMALLEST_FREE),
            advice=hint,
        )


def last_frame_turn(files: Files) -> AbstractContextManager[None]:
    """One thread at a time makes the last frame of a video, or puts another video in its place."""
    return _turns[hash(files.video.absolute()) % len(_turns)]


def finish(
    files: Files,
    record: dict[str, Any],
    last_frame: Path | None,
    graph: Mapping[str, str] = NO_GRAPH,
    *,
    later: bool = False,
) -> dict[str, Any]:
    """Make a checked `.part` the video: last frame, sidecar, rename. Returns what was measured.

    `graph` is put into the video and its last frame, as far as they let it in unchanged.
    `last_frame` is the provider's own last frame, if it gave one; it is taken where it is a PNG of
    the video's size. Else that of the clip is decoded, unless it is made `later`. The sidecar is
    written before the rename and holds the video's size and SHA-256, so that `already_finished` can
    tell after a crash whether the rename happened. Raises BadOrder for a file that is no video.
    """
    with last_frame_turn(files):
        return _finish(files, record, last_frame, graph, later)


def _finish(
    files: Files,
    record: dict[str, Any],
    last_frame: Path | None,
    graph: Mapping[str, str],
    later: bool,
) -> dict[str, Any]:
    info = media.probe(files.part)
    media.check_complete(files.part)
    name, ending = files.video.name, files.video.suffix.lower()
    with _as_it_came(f"The colours of {name} stay untagged"):
        media.tag_colour(files.part, info)  # so that players show the colours that we decode
    if ending == ".mp4":  # a master stays as it was delivered
        with _as_it_came(f"The graph is not in {name}"):
            media.add_graph(files.part, graph)
    # Other formats may be lossy; the frame that is decoded from the clip is not.
    if last_frame is not None and media.is_whole_png(last_frame, info.width, info.height):
        os.replace(last_frame, files.last_frame)
        _add_graph(files.last_frame, graph)
        picture = sha256_of(files.last_frame)
    elif later and info.decodes:
        files.last_frame.unlink(missing_ok=True)  # of a video that this one replaces
        picture = None
    else:
        picture = _write_picture(files, media.last_frame(files.part), graph)
    measured = {
        "width": info.width,
        "height": info.height,
        "fps": float(info.fps),
        "frames": info.frames,
        "duration": round(info.duration, 3),
        "has_audio": info.has_audio,
        "seed": record["seed"],
    }
    sidecar = {
        **{name: value for name, value in record.items() if name != PICTURE},
        **measured,
        "bytes": files.part.stat().st_size,
        "sha256": sha256_of(files.part),
        **({PICTURE: picture} if picture else {}),
    }
    try:
        write_atomically(files.sidecar, json.dumps(sidecar, indent=1, ensure_ascii=False))
        with files.part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(files.part, files.video)
    except OSError:  # a full disk: no sidecar stays without its video
        files.sidecar.unlink(missing_ok=True)
        raise
    return _kept(sidecar)


def write_last_frame(files: Files, pixels: np.ndarray, graph: Mapping[str, str]) -> None:
    """Write the last frame of a saved video, with the graph, whole or not at all; the sidecar gets
    its SHA-256. Raises OSError."""
    _write_picture(files, pixels, graph, in_sidecar=True)


def _write_picture(
    files: Files, pixels: np.ndarray, graph: Mapping[str, str], *, in_sidecar: bool = False
) -> str:
    with replacing(files.last_frame) as part:
        save_picture(part, pixels, graph)
        digest = sha256_of(part)
        record = read_sidecar(files)
        if in_sidecar and "task" in record and record.get(PICTURE) != digest:
            text = json.dumps({**record, PICTURE: digest}, indent=1, ensure_ascii=False)
            write_atomically(files.sidecar, text)
    return digest


def save_picture(path: Path, pixels: np.ndarray, graph: Mapping[str, str]) -> None:
    """Write a last frame, with the graph, to `path`. Raises OSError."""
    media.save_png(path, pixels)
    _add_graph(path, graph)


def is_picture(path: Path, *records: Mapping[str, Any]) -> bool | None:
    """Whether a file is the last frame that one of these records (of a sidecar, of a row) was
    made with; None where none tells. Raises OSError."""
    known = {record[PICTURE] for record in records if isinstance(record.get(PICTURE), str)}
    return sha256_of(path) in known if known else None


def _add_graph(picture: Path, graph: Mapping[str, str]) -> None:
    with _as_it_came(f"The graph is not in {picture.name}"):
        media.add_graph(picture, graph)


@contextlib.contextmanager
def _as_it_came(otherwise: str) -> Iterator[None]:
    """For what may not succeed. The video is paid for, so that after any error, also that of a
    PyAV which lacks a function, it is saved as it is."""
    try:
        yield
    except Exception as error:
        logger.warning("%s: %r", otherwise, error)


def already_finished(files: Files, task: str) -> dict[str, Any] | None:
    """What `finish` measured, if it was completed for this ticket before a crash; else None."""
    sidecar = read_sidecar(files)
    try:
        if sidecar["task"] != task or not is_as_recorded(files.video, sidecar):
            return None
        return _kept(sidecar)
    except KeyError:
        return None


def _kept(sidecar: Mapping[str, Any]) -> dict[str, Any]:
    some = {name: sidecar[name] for name in SOME_KEPT if name in sidecar}
    return {**{name: sidecar[name] for name in KEPT}, **some}


def is_as_recorded(path: Path, record: Mapping[str, Any]) -> bool:
    """Whether a file has the size and the digest that were recorded of it (`bytes`, `sha256`)."""
    try:
        size, sha256 = record["bytes"], record["sha256"]
        return bool(path.stat().st_size == size and sha256_of(path) == sha256)
    except (OSError, KeyError):
        return False


def read_sidecar(files: Files) -> dict[str, Any]:
    """The sidecar; empty where there is none that can be read."""
    try:
        if files.sidecar.stat().st_size > LARGEST_SIDECAR:
            return {}
        found = json.loads(files.sidecar.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
