"""From a finished task to the saved video: its address, the download, the files in place.

The video is paid. Where it cannot be fetched or saved now, the row stays `succeeded`, and the video
can be collected later, unless the provider says that it is gone.
"""

from __future__ import annotations

import contextlib
import errno
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from .. import download, hosting
from ..addresses import origin
from ..errors import BadOrder, OddReply, Refused, SeedanceError, TaskFailed
from ..journal import LeaseLost, Row, State
from ..said import Said, say
from ..texts import logger_of
from ..transport import Lost, NotSent
from ..wire import Done, Expired, Failed, TaskCancelled
from . import files, graphs, last_frames, places, results
from .active import ActiveOrder
from .client import Stopped
from .files import Files
from .outcomes import costs_nothing
from .poll import UNDOCUMENTED_INTERVAL, Asking, NotFound
from .worker import computing

logger = logger_of(__name__)

LARGEST_PICTURE = 100 * 10**6
MB = 10**6
ADDRESSES = 3  # that are tried, one after the other
QUESTIONS = 5  # times that the provider is asked for a fresh address


def collect(active: ActiveOrder, done: Done | None) -> None:
    """Bring a row from `succeeded` to `saved`. `done` is the provider's answer that the task is
    done, if this process has just received it. Raises StillRunning if the video cannot be saved
    now, TaskFailed or Refused if it is gone."""
    active.refuse_cancel("it is finished, and its video is being saved")
    output = active.settings.output
    if results.locate(active.settings, active.row) is not None:
        active.advance(State.SAVED)
        return
    paths = _paths(active, active.journal.holder.rpartition("#")[2])
    kept = files.already_finished(paths, active.row.task or "")
    if kept is None:
        try:
            kept = _fetch_and_finish(active, paths, done)
        except BaseException:
            places.give_up(paths, active.row)
            raise
    result = {**kept, **places.record_of(paths, output)}
    results.keep(active.settings, replace(active.row, result=result), paths)
    if active.worker.pictures_later and not paths.last_frame.exists():
        last_frames.later(paths, partial(graphs.of, active.settings, active.row))
    active.advance(State.SAVED, file=paths.video, result=result)
    files.remove_parts(paths, active.row.id)
    active.say("saved", 1.0, 0.0)


def bring_here(active: ActiveOrder) -> None:
    """Fetch the video of a saved row that is not on this machine, or no longer. Raises LeaseLost if
    another process does so."""
    row = active.row
    if results.locate(active.settings, row) is not None:
        return
    active.row = active.journal.reopen(row.id, State.SUCCEEDED, row.uid)
    if active.row.holder != active.journal.holder:
        raise LeaseLost(f"row {row.id}")
    collect(active, None)


def _paths(active: ActiveOrder, process: str) -> Files:
    """Where the video of a row goes: never in place of what is not its own, and only where it can
    be written. Raises StillRunning if that is nowhere."""
    problem: BadOrder | None = None
    for target, overwrite in _targets(active):
        number, video = 0, target
        try:
            files.check_writable(target.parent)
            while not overwrite and not places.claim(video, active.row):
                number += 1
                video = files.numbered(target, number)
            return Files(video, f"{process}-{active.row.id}")
        except BadOrder as error:
            problem = problem or error
        except OSError as error:
            problem = problem or BadOrder(
                "{video} cannot be used: {reason}.", video=video, reason=error.strerror
            )
    assert problem is not None
    raise active.later(
        say(
            "The video is finished, but cannot be saved: {said}"
            if costs_nothing(active.row)
            else "The video is finished and paid, but cannot be saved: {said}",
            said=problem.message,
        ),
        problem.hint,
    )


def _targets(active: ActiveOrder) -> Iterator[tuple[Path, bool]]:
    """Where a video may go, and whether it may replace what is there. A folder that is gone, or of
    another machine, is not made again."""
    output, row = active.settings.output, active.row
    if active.goal is not None:
        yield active.goal, active.overwrite
    target = Path(row.target or "")
    if target.is_absolute() and _is_folder(target.parent):
        yield target, False
    yield output / (target.name or f"{row.fingerprint[:10]}.mp4"), False


def _is_folder(place: Path) -> bool:
    try:
        return place.is_dir()
    except OSError:
        return False


def _fetch_and_finish(active: ActiveOrder, paths: Files, done: Done | None) -> dict[str, Any]:
    """Download the video, check it and put it in place; returns what was measured on it."""
    problem: Exception | None = None
    for attempt in range(ADDRESSES):
        if attempt or done is None:
            done = _fresh_address(active)
        try:
            files.check_writable(paths.video.parent)
            last_frame = _download_all(active, done, paths)
            active.say("saving", 1.0)
            record, graph = sidecar_record(active.row, done), graphs.of(active.settings, active.row)
            # In the bucket, all files are put at once.
            later = active.worker.pictures_later and not hosting.keeps_results(active.settings)
            with computing():
                return files.finish(paths, record, last_frame, graph, later=later)
        except (download.AddressExpired, NotSent, Lost, OddReply) as error:
            active.check_stop()
            problem = error
        except (BadOrder, OSError) as error:
            active.check_lease()
            problem = _of_what_was_sent(error, active, paths)
            if isinstance(error, OSError) or not paths.part.exists():
                break  # the disk is the problem: another address does not help
        finally:
            for part in (paths.part, paths.last_frame_part):
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
    words = problem.strerror if isinstance(problem, OSError) else None
    message = words or getattr(problem, "message", None) or str(problem)
    too_long = getattr(problem, "errno", None) == errno.ENAMETOOLONG
    raise active.later(
        say(
            "The video is finished, but could not be saved: {said}"
            if costs_nothing(active.row)
            else "The video is finished and paid, but could not be saved: {said}",
            said=message,
        ),
        getattr(problem, "hint", "")
        or (say("Give a shorter name (-o on the command line).") if too_long else "")
        or say("It is to be saved in {folder}.", folder=paths.video.parent),
    ) from None


def _of_what_was_sent(error: Exception, active: ActiveOrder, paths: Files) -> Exception:
    """The error in the words of who waits for a video: they know nothing of a `.part`."""
    if not isinstance(error, BadOrder) or paths.part.name not in error.message:
        return error
    who = active.client.provider.name
    sent = say("what {who} sent", who=who)

    def named(text: str) -> str:
        return sent if text == paths.part.name else text.replace(paths.part.name, sent)

    return BadOrder(
        Said.of(error.message).each(named),
        hint="If the same is sent later too, ask {who} about the task.",
        who=who,
    )


def _fresh_address(active: ActiveOrder) -> Done:
    """Ask for the address of a finished task again."""
    asking = Asking(active)
    problem: str = say("the provider gives no address for it")
    for _ in range(QUESTIONS):
        try:
            status = asking.ask(patient=False)
        except Stopped:
            active.cancelled()  # raises if the runner closes
        except NotFound as error:
            if active.row.file is not None and active.same_sender:
                raise _lost(active, error.message) from None
            problem = error.message
        except SeedanceError as error:
            problem = error.message
        else:
            if isinstance(status, Done) and status.video_url:
                return status
            if not active.same_sender:
                problem = say("another key than the one that ordered it is told of no video")
            elif isinstance(status, (Failed, Expired, TaskCancelled)):
                raise _lost(active, getattr(status, "message", say("it was cancelled")))
        active.pause(active.settings.poll_interval or UNDOCUMENTED_INTERVAL)
    raise active.later(
        say("{ticket} is finished, but {said}.", ticket=active.ticket(), said=problem)
    )


def _download_all(active: ActiveOrder, done: Done, paths: Files) -> Path | None:
    """Fetch the video, and beside it the provider's own last frame; returns that, None if it cannot
    be had. `files.finish` checks it, and takes the last frame of the clip where it is not
    usable."""
    if not done.last_frame_url:
        _download_video(active, done, paths.part)
        return None
    with ThreadPoolExecutor(1, thread_name_prefix="seedance-last-frame") as beside:
        picture = beside.submit(_provider_last_frame, active, done.last_frame_url, paths)
        _download_video(active, done, paths.part)
        return picture.result()


def _download_video(active: ActiveOrder, done: Done, part: Path) -> None:
    """Fetch the video from its address, or else from the one at the provider's own origin."""
    try:
        _download(active, done.video_url or "", part)
    except (download.AddressExpired, NotSent, Lost, OddReply):
        if done.own_url is None or done.own_url == done.video_url:
            raise
        active.check_stop()
        _download(active, done.own_url, part)


def _download(active: ActiveOrder, url: str, part: Path) -> None:
    def show(done: int, total: int | None) -> None:
        if total:
            part, whole = _in_megabytes(done), _in_megabytes(total)
            active.say("downloading_part", done / total, megabytes=part, total=whole)
        else:
            active.say("downloading", megabytes=_in_megabytes(done))

    _fetch(active, url, part, on_progress=show)


def _fetch(active: ActiveOrder, url: str, part: Path, **options: Any) -> None:
    download.fetch(
        active.client.transport,
        url,
        part,
        own_origin=origin(active.client.provider.config.base_url),
        stop=active.stop,
        **options,
    )


def _in_megabytes(size: int) -> float:
    """As it is shown: tenths below ten, and not 0 for a file that is not empty."""
    return size // MB if size >= 10 * MB else math.ceil(size * 10 / MB) / 10


def _provider_last_frame(active: ActiveOrder, url: str, paths: Files) -> Path | None:
    try:
        _fetch(active, url, paths.last_frame_part, largest=LARGEST_PICTURE)
    except (SeedanceError, OSError) as error:
        active.check_stop()
        logger.info("The provider's last frame could not be fetched: %s", error)
        return None
    return paths.last_frame_part


def _lost(active: ActiveOrder, why: str) -> SeedanceError:
    """Record that the provider no longer has the video; returns the error to raise."""
    row = active.row
    if row.file is None:
        gone = TaskFailed(
            "The task is finished, but its video cannot be fetched any more: {why}.",
            hint="To make the video again, free, queue the order again."
            if costs_nothing(row)
            else "To make the video again (and pay again), queue the order again.",
            spent="no" if costs_nothing(row) else "yes",
            why=why.rstrip("."),
        )
        return active.end(State.EXPIRED, gone)
    # Back to `saved`, not to an end: after an end, the next click would pay for the video again.
    active.advance(State.SAVED)
    return Refused(
        "The saved video {file} is not here, and cannot be fetched again: {why}.",
        hint="{places} Put it back into the output folder {output}, or a folder "
        "below it, and it is found. To make it again, free, queue the order again."
        if costs_nothing(row)
        else "{places} Put it back into the output folder {output}, or a folder "
        "below it, and it is found. To make it again (and pay again), first "
        "run: seedance forget {number}.",
        task=row.task,
        row=row.id,
        file=row.file,
        why=why.rstrip("."),
        places=places.words(row),
        output=active.settings.output,
        number=row.id,
    )


def sidecar_record(row: Row, done: Done) -> dict[str, Any]:
    """What the sidecar says about the origin of a video, with what the provider said at its end."""
    record = places.sidecar_of(row)
    seed = done.seed if done.seed is not None else row.seed
    cost = done.cost or row.cost
    told = {} if done.draft_until is None else {files.DRAFT_UNTIL: done.draft_until}
    return {**record, "seed": seed, "cost": cost.as_dict() if cost else None, **told}
