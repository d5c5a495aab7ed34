"""The journal as the page shows it: rows, what was spent by day, pictures and videos.

Files are found by the rows of the journal alone, so no path comes in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import folder_paths

from ..seedance import providers
from ..seedance.errors import BadOrder
from ..seedance.order import kind_by_ending, mode_of
from ..seedance.texts import LONGEST_SENTENCE, cut, moment
from . import host, threads

if TYPE_CHECKING:
    from ..seedance.journal import Row

MOST_ROWS = 1000
THUMBNAIL = (320, 320)  # pixels at most; a row shows half of that on a dense screen


def rows(query: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The newest rows, at most `limit`; with `since`, of these only what changed since then
    (Unix seconds) or is under way."""
    limit = min(_whole(query, "limit", 200), MOST_ROWS)
    since = _whole(query, "since", 0)
    return [_shown(row) for row in host.runner().tasks(limit, since)]


def _shown(row: Row) -> dict[str, Any]:
    order = row.order
    progress = host.runner().progress(row.id) if row.live else None
    return {
        **row.as_dict(),
        "prompt": cut(row.prompt, LONGEST_SENTENCE),
        "live": row.live,
        "progress": progress.as_dict() if progress else None,
        "mode": mode_of(order),
        "resolution": order.get("resolution"),
        "ratio": order.get("ratio"),
        "duration": row.result.get("duration") or order.get("duration"),
        "expires": _expires(row),
        "draft": bool(order.get("draft")),
        "finish_until": _finish_until(row),
        "takes_of": _takes_of(row),
        "picture": row.state == "saved" and _has_picture(row.file),
        "there": row.file is not None and row.file.is_file(),
        "output": _in_output(row.file),
        "can_cancel": row.live and _can_cancel(row),
    }


def _takes_of(row: Row) -> str:
    """The same text for all takes of one order, which differ by their seeds alone."""
    if row.only_ticket:
        return row.uid
    order = json.dumps({**row.order, "seed": None}, sort_keys=True)
    return hashlib.sha256(order.encode()).hexdigest()[:16]


def _in_output(file: Path | None) -> dict[str, str] | None:
    """A video and its last frame as ComfyUI's Load nodes name what is in its output folder; None
    where they are elsewhere."""
    base = Path(folder_paths.get_output_directory()).absolute()
    if file is None or not file.is_file() or not file.absolute().is_relative_to(base):
        return None
    paths = {"video": file, "image": _picture(file)}
    return {
        kind: f"{path.absolute().relative_to(base).as_posix()} [output]"
        for kind, path in paths.items()
    }


def _expires(row: Row) -> str | None:
    """Until when the provider keeps the file, where it says so."""
    provider = providers.registry().get(row.provider)
    life = provider.limits.result_life if provider else None
    if row.finished is None or life is None:
        return None
    until = datetime.fromtimestamp(row.finished + life, timezone.utc)
    return moment(until)


def _finish_until(row: Row) -> str | None:
    """Until when a draft can be finished, where its provider says so."""
    from ..seedance.runner.finish import draft_until  # not at load: it brings NumPy and SQLAlchemy

    until = draft_until(row)
    return moment(until) if until else None


def _can_cancel(row: Row) -> bool:
    provider = providers.registry().get(row.provider)
    started = row.state in ("running", "succeeded")
    if not started or provider is None:
        return not started
    return provider.cancel_is_free or provider.cancel_is_request


def order(row_id: int) -> dict[str, Any]:
    """A row with the order as it was fitted, to be loaded into a node again."""
    row = host.runner().journal.get(row_id)
    return {**_shown(row), "prompt": row.prompt, "order": row.order}


def totals(query: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was spent in the last `days` days (this machine's), by day, provider and currency."""
    days = min(_whole(query, "days", 30), 366)
    return [
        {
            "day": total.day.isoformat(),
            "provider": total.provider,
            "currency": total.amount.currency,
            "amount": total.amount.amount,
            "usd": total.amount.priced()["usd"],
            "videos": total.orders,
            "estimated": total.amount.estimated,
        }
        for total in host.runner().journal.spent(days)
    ]


def _whole(query: Mapping[str, Any], name: str, default: int) -> int:
    value = str(query.get(name, default))
    if not value.isdecimal() or len(value) > 12:
        raise BadOrder(
            "{name} must be a whole number, not {value}.", name=name, value=repr(value[:40])
        )
    return int(value)


# -------------------------------------------------------------------------------------------- files


def video(row_id: int) -> Path:
    """The saved video of a row. Raises BadOrder if there is none.

    Only a file that is named like a video is served. A journal may be shared, and whoever else
    writes into it could name any file of this machine.
    """
    _check_name(row_id)
    file = host.runner().video(row_id)
    if file is None or kind_by_ending(file.name) != "video":
        raise BadOrder(
            "Row {number} has no video file any more.", hint="Collect it again.", number=row_id
        )
    return file


def _check_name(row_id: int) -> None:
    file = host.runner().journal.get(row_id).file
    if file is not None and kind_by_ending(file.name) != "video":
        raise BadOrder(
            "The file of row {number} is not named like a video, so it is not shown.", number=row_id
        )


def thumbnail(row_id: int) -> bytes:
    """The last frame of a row, small, as JPEG. Raises BadOrder if there is none."""
    _check_name(row_id)
    file = host.runner().glance(row_id)
    if file is None or not _has_picture(file):
        raise BadOrder("Row {number} has no picture.", number=row_id)
    picture = _picture(file)
    if not picture.is_file():
        _make_picture(file)
    return small(picture, picture.stat().st_mtime_ns)


def _has_picture(file: Path | None) -> bool:
    """Whether the last frame of a video is there, or can be made from it."""
    return file is not None and (_picture(file).is_file() or file.is_file())


def _make_picture(file: Path) -> None:
    from ..seedance.runner import last_frames
    from ..seedance.runner.files import Files

    try:
        with threads.processor():
            last_frames.make(Files(file))
    except OSError as error:
        raise BadOrder(
            "The last frame of {file} cannot be saved: {reason}.",
            file=file.name,
            reason=error.strerror,
        ) from error


def _picture(file: Path) -> Path:
    from ..seedance.runner.files import Files

    return Files(file).last_frame


@lru_cache(maxsize=512)
def small(picture: Path, _changed: int) -> bytes:
    """A picture file, small, as JPEG; made once for each change of it."""
    return small_of(picture)


def small_of(picture: Path) -> bytes:
    """A picture file, small, as JPEG. Raises BadOrder where it cannot be read."""
    import io

    from ..seedance.media.pictures import open_picture

    made = io.BytesIO()
    with open_picture(picture) as image:
        image.thumbnail(THUMBNAIL)
        image.convert("RGB").save(made, "JPEG", quality=82)
    return made.getvalue()
