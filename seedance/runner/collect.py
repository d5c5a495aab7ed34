"""From a finished task to the saved video: its address, the download, the files in place.

Owns what is tried again when the result cannot be had. Whatever goes wrong here, the video is paid
and stays collectable.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import download
from ..addresses import origin
from ..errors import BadOrder, OddReply, Refused, SeedanceError, TaskFailed
from ..journal import Row, State
from ..transport import Lost, NotSent
from ..wire import Done, Expired, Failed, TaskCancelled
from . import files
from .active import Hold
from .poll import Follow
from .worker import UNDOCUMENTED_INTERVAL

logger = logging.getLogger(__name__)

LARGEST_PICTURE = 100 * 10**6
MB = 10**6


@dataclass
class Fetch:
    """The way of one row from `succeeded` to `saved`. `follow` asks for addresses."""

    follow: Follow

    @property
    def hold(self) -> Hold:
        """The row."""
        return self.follow.hold

    async def run(self) -> None:
        """Save the video. Raises StillRunning where that cannot be done now."""
        self.hold.carry.refuse_cancel("it is finished, and its video is being saved")
        paths = files.Files(Path(self.hold.row.target or ""))
        task = self.hold.row.task or ""
        measured = await self.hold.blocking(files.already_finished, paths, task)
        if measured is None:
            measured = await self._fetch_and_finish(paths)
        await self.hold.advance(State.SAVED, file=paths.video, result=measured)
        self.hold.say("saved", 1.0, 0.0)

    async def _fetch_and_finish(self, paths: files.Files) -> dict[str, Any]:
        """Download, check and put in place. Whatever goes wrong here, the video can be collected
        later: the row stays `succeeded`."""
        problem: Exception | None = None
        for attempt in range(3):
            if attempt or self.follow.done is None:
                self.follow.done = await self._fresh_address()
            done = self.follow.done
            try:
                await self.hold.blocking(files.check_writable, paths.video.parent)
                await self._download(done.video_url or "", paths.part)
                last_frame = await self._provider_last_frame(done, paths)
                record = sidecar_record(self.hold.row, done)
                measured: dict[str, Any] = await self.hold.computing(
                    files.finish, paths, record, last_frame
                )
                return measured
            except (download.AddressExpired, NotSent, Lost, OddReply) as error:
                problem = error
            except (BadOrder, OSError) as error:
                problem = error
                if isinstance(error, OSError) or not paths.part.exists():
                    break  # the disk refuses: another address does not help
            finally:
                for part in (paths.part, paths.last_frame_part):
                    with contextlib.suppress(OSError):
                        part.unlink(missing_ok=True)
        words = problem.strerror if isinstance(problem, OSError) else None
        message = words or getattr(problem, "message", None) or str(problem)
        raise self.hold.later(
            f"The video is finished and paid, but could not be saved: {message}",
            getattr(problem, "hint", "") or f"It belongs to {paths.video.parent}.",
        ) from None

    async def _fresh_address(self) -> Done:
        """Ask for the address of a finished task again."""
        ticket = self.hold.ticket()
        problem = "the provider gives no address for it"
        for _ in range(5):
            try:
                status = await self.follow.ask(ticket, patient=False)
            except SeedanceError as error:
                problem = error.message
            else:
                if isinstance(status, Done) and status.video_url:
                    return status
                if isinstance(status, (Failed, Expired, TaskCancelled)):
                    raise await self._lost(getattr(status, "message", "it was cancelled"))
            await self.hold.carry.pause(self.hold.settings.poll_interval or UNDOCUMENTED_INTERVAL)
        raise self.hold.later(f"{ticket} is finished, but {problem}.")

    async def _download(self, url: str, part: Path, largest: int = download.LARGEST_FILE) -> None:
        def show(done: int, total: int | None) -> None:
            if total:
                self.hold.say(f"downloading {done // MB} of {total // MB} MB", done / total)
            else:
                self.hold.say(f"downloading {done // MB} MB")

        await self.hold.blocking(
            download.fetch,
            self.hold.talk.transport,
            url,
            part,
            own_origin=origin(self.hold.talk.provider.config.base_url),
            on_progress=show,
            largest=largest,
        )

    async def _provider_last_frame(self, done: Done, paths: files.Files) -> Path | None:
        """The provider's own last frame; `finish` judges it, and our own from the clip serves as
        well."""
        if not done.last_frame_url:
            return None
        try:
            await self._download(done.last_frame_url, paths.last_frame_part, LARGEST_PICTURE)
        except (SeedanceError, OSError) as error:
            logger.info("The provider's last frame could not be fetched: %s", error)
            return None
        return paths.last_frame_part

    async def _lost(self, why: str) -> SeedanceError:
        """The end of a row whose video nobody has any more; returns the error to raise."""
        row = self.hold.row
        if row.file is None:
            return await self.hold.end(
                State.EXPIRED,
                TaskFailed(
                    f"The task is finished, but its video cannot be had any more: {why}.",
                    hint="Queue the order again to send it anew (and pay again).",
                    spent="yes",
                ),
            )
        # It was saved once. That stays so, or else the next click would pay for it again.
        await self.hold.advance(State.SAVED)
        return Refused(
            f"The saved video {row.file} is gone and cannot be fetched again: {why}.",
            hint=f"To make it anew (and pay again): seedance forget {row.id}.",
            task=row.task,
            row=row.id,
        )


def sidecar_record(row: Row, done: Done) -> dict[str, Any]:
    """What the sidecar says about where a video came from; no key, no signed address."""
    seed = done.seed if done.seed is not None else row.seed
    cost = done.cost or row.cost
    return {
        "task": row.task,
        "provider": row.provider,
        "model": row.model,
        "seed": seed,
        "cost": cost.as_dict() if cost else None,
        "order": row.order,
        "changes": row.changes,
        "created": row.as_dict()["created"],
        "submitted": row.submitted,
        "finished": row.finished,
    }
