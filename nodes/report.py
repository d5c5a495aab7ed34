"""What a running node tells the page: data, which the page puts into the words of its language
(web/seedance/node/run.mjs). While takes are under way:

    {"takes": [{code, values, text, fraction, seconds_left}]}

at the end:

    {"results": [{provider, row, seed, width, height, duration, cost, reused} or {seed, error}],
     "changes": [{field, asked, given, why}], "notes": [text], "left": bool}

An asset that is being added is one such take, with `link`, the page that a person has to open, or
null.

Sentences of ours have with them what they are made of, so that the page can word them: an error and
a change also have `code` and `values`, and a note is `{text, code, values}`.

`left` is true if nobody waits here any more and the takes go on. A text of a provider, in an error
for instance, is text: the page never takes it for HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Union

from ..seedance.errors import SeedanceError
from ..seedance.said import Said, say

if TYPE_CHECKING:
    from ..seedance.runner import AssetView, Job, Progress, Result
    from ..seedance.runner.batches.here import UnderWay
    from ..seedance.runner.batches.progress import Standing

    Outcome = Union[Result, SeedanceError]

News = dict[str, Any]


def under_way(jobs: Sequence[Job]) -> News:
    """How far each take is."""
    return {"takes": [job.progress.as_dict() for job in jobs]}


def starting() -> News:
    """The media of an order are read. (Not as a `Progress`: the runner may be loading still.)"""
    step = {"code": "preparing", "values": {}, "text": "preparing"}
    return {"takes": [{**step, "fraction": None, "seconds_left": None}]}


def reading_frames(ended: News, fraction: float) -> News:
    """What `ended` says, and how much of the frames has been decoded since."""
    note = say("Reading the frames of the video: {percent} %.", percent=_percent(fraction))
    return {**ended, "notes": [*ended["notes"], note.as_dict()]}


def fraction(jobs: Sequence[Job]) -> float | None:
    """How far the takes are together, 0..1; None where it is known of none."""
    known = [each for job in jobs if (each := job.progress.fraction) is not None]
    return sum(known) / len(jobs) if known else None


def ended(jobs: Sequence[Job], outcomes: Sequence[Outcome]) -> News:
    """What became of each take, and what was sent other than asked."""
    results = [
        {"seed": job.order.seed, "error": outcome.as_dict()}
        if isinstance(outcome, SeedanceError)
        else _made(outcome)
        for job, outcome in zip(jobs, outcomes)
    ]
    changes = {str(change): change.as_dict() for job in jobs for change in job.changes}
    notes = (note for job in jobs for note in job.notes)
    return _end(results, list(changes.values()), notes)


def shots_under_way(under_way: Sequence[UnderWay], ended: int, shots: int) -> News:
    """How far each shot of a storyboard is that is under way, and how many have ended."""
    rows = [{**one.progress.as_dict(), "name": one.take.name} for one in under_way]
    return {"takes": rows, "shots": {"ended": ended, "all": shots}}


def joining(ended: int, fraction: float) -> News:
    """How much of a storyboard's film is written."""
    note = say("Joining the shots: {percent} %.", percent=_percent(fraction))
    return {**shots_under_way([], ended, ended), "notes": [note.as_dict()]}


def _percent(fraction: float) -> int:
    return min(max(round(100 * fraction), 0), 100)


def shots_ended(standings: Sequence[Standing], encoded: str) -> News:
    """What became of each take of a storyboard; `encoded` says why the film's pictures were not
    copied."""
    results = []
    for each in standings:
        name, outcome = {"name": each.take.name}, each.outcome
        if isinstance(outcome, SeedanceError):
            results.append({**name, "seed": None, "error": outcome.as_dict()})
        elif outcome is not None:
            results.append({**name, **_made(outcome)})
    found = (change for each in standings for change in getattr(each.outcome, "changes", ()))
    changes = {str(change): change.as_dict() for change in found}
    return _end(results, list(changes.values()), [encoded] if encoded else [])


def not_started(error: SeedanceError) -> News:
    """Why no take could be started."""
    return _end([{"seed": None, "error": error.as_dict()}])


def cancelled(notes: Iterable[str]) -> News:
    """A person cancelled; the notes say what becomes of the takes."""
    return _end([], notes=notes)


def asset_under_way(progress: Progress, link: str | None) -> News:
    """How far an asset is, and the page that a person has to open."""
    return {"takes": [progress.as_dict()], "link": link}


def asset_ready(view: AssetView) -> News:
    """An asset can be used, by its name and by its handle."""
    return {**_end([]), "asset": {"name": view.name, "handle": view.handle}}


def left() -> News:
    """Nobody waits here any more; the takes go on."""
    return _end([], left=True)


def _end(
    results: list[dict[str, Any]],
    changes: list[dict[str, Any]] | None = None,
    notes: Iterable[str] = (),
    *,
    left: bool = False,
) -> News:
    unlike = list(dict.fromkeys(notes))
    return {
        "results": results,
        "changes": changes or [],
        "notes": [note.as_dict() if isinstance(note, Said) else note for note in unlike],
        "left": left,
    }


def _made(result: Result) -> dict[str, Any]:
    return {
        "provider": result.provider,
        "row": result.row,
        "seed": result.seed,
        "width": result.width,
        "height": result.height,
        "duration": result.duration,
        "cost": result.cost.as_dict() if result.cost else None,
        "reused": result.reused,
    }
