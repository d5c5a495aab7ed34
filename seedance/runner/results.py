"""Finished videos in the user's own bucket, for all machines that share the journal.

With SEEDANCE_S3_RESULTS=1, a video, its last frame and its sidecar are kept there when it is saved,
and every machine takes them from there, also when the provider has forgotten the task.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .. import hosting, media
from ..errors import SeedanceError
from ..files import replacing, sha256_of
from ..journal import Journal, Row
from ..settings import Settings
from ..texts import logger_of
from ..wire import Ticket
from . import files, last_frames, places, rebuild
from .files import LAST_FRAME, PICTURE, SIDECAR, Files

if TYPE_CHECKING:
    import numpy as np

logger = logger_of(__name__)


def keep(settings: Settings, row: Row, saved: Files) -> None:
    """Put the files of a video into the bucket. If that cannot be done, it is logged: the video is
    saved here."""
    if not hosting.keeps_results(settings):
        return
    last_frames.provide(saved)  # also of one that was saved before it was made
    try:
        for path, name in zip(saved.all, _names(settings, row)):
            hosting.put_file(settings, path, name)
    except (SeedanceError, OSError) as error:
        logger.warning("%s is not in the bucket: %s", saved.video, error)


def locate(settings: Settings, row: Row) -> Files | None:
    """The files of a row's video: on this machine, else from the bucket; None if in neither."""
    found = places.find(row, settings.output)
    if found is not None or "sha256" not in row.result or not hosting.keeps_results(settings):
        return found
    try:
        return _fetched(settings, row)
    except (SeedanceError, OSError) as error:
        logger.warning("%s cannot be taken from the bucket: %s", row.task, error)
        return None


def _fetched(settings: Settings, row: Row) -> Files:
    assert row.file is not None
    files.check_writable(settings.output)
    target = Files(places.free_name(settings.output / row.file.name))
    *beside, video = zip(target.all, _names(settings, row))
    with replacing(video[0]) as part:
        hosting.get_file(settings, video[1], part)
        if sha256_of(part) != row.result["sha256"]:
            raise OSError("what is there is not what was saved")
        for path, name in beside:
            with replacing(path) as other:
                hosting.get_file(settings, name, other)
    return target


def last_frame(settings: Settings, row: Row) -> np.ndarray | None:
    """The last frame of a row's video from the bucket, uint8 (height, width, 3), RGB; None if it
    is not there as it was saved. Does not fetch the video."""
    if "sha256" not in row.result or PICTURE not in row.result:
        return None
    if not hosting.keeps_results(settings):
        return None
    name, *_ = _names(settings, row)
    try:
        with tempfile.TemporaryDirectory(prefix="seedance-") as folder:
            picture = Path(folder, "last.png")
            hosting.get_file(settings, name, picture)
            if files.is_picture(picture, row.result):
                return media.read_picture(picture)
            raise OSError("what is there is not what was saved")
    except (SeedanceError, OSError) as error:
        logger.warning("The last frame of %s is not taken from the bucket: %s", row.task, error)
        return None


def take_in(settings: Settings, journal: Journal) -> int:
    """Take into the journal the videos of the bucket that it does not know, by their sidecars;
    returns how many those are. Raises what `hosting.put` raises, and BadOrder where the journal
    cannot be written."""
    count = 0
    for name in hosting.result_names(settings, SIDECAR):
        text = hosting.read_object(settings, name, files.LARGEST_SIDECAR + 1)
        try:
            record = json.loads(text)
            ticket = Ticket.parse(record["task"])
        except (SeedanceError, ValueError, RecursionError, KeyError, TypeError) as error:
            logger.warning("%s cannot be used: %r", name, error)
            continue
        identity = hashlib.sha256(str(ticket).encode()).hexdigest()
        video = files.new_target(settings.output, ticket.provider, identity)
        count += rebuild.take_in(journal, video, record, {"place": None})
    return count


def _names(settings: Settings, row: Row) -> list[str]:
    """The names of the objects, in the order of `Files.all`."""
    identity = hashlib.sha256(f"{row.task} {row.result['sha256']}".encode()).hexdigest()
    stem = hosting.result_name(settings, identity)
    return [stem + ending for ending in (LAST_FRAME, SIDECAR, ".mp4")]
