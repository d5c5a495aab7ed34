"""What `import seedance` gives: orders from Python.

Each function blocks the thread that calls it, also where an event loop runs (a notebook);
`generate_async` does not. All may be called from any thread, and in forked and spawned processes.
"""

from __future__ import annotations

import asyncio
import numbers
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from . import media, options
from .errors import BadOrder, SeedanceError
from .fit import Change
from .money import Money
from .order import Kind, Medium, Order
from .providers import AUTO
from .providers import get as get_provider
from .runner import (
    Job,
    Prepared,
    Progress,
    Quote,
    Result,
    Runner,
    Spending,
    batches,
    check_most,
    last_frames,
)
from .runner.batches.here import UnderWay
from .runner.batches.progress import Standing
from .runner.files import Files
from .runner.lending import Lent, lend, lent_runner
from .shots import BadShots, Shot, read_file, read_records, read_text
from .texts import logger_of, quoted

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

logger = logger_of(__name__)

Picture: TypeAlias = "Union[str, os.PathLike[str], bytes, Image.Image, np.ndarray, Video]"
"""A picture: a path, an https address or a provider's handle, the bytes of a file, a Pillow image,
an array of shape (height, width, 3), uint8 in 0..255 or float in 0..1. A `Video` stands for its
last frame."""

Clip: TypeAlias = "Union[str, os.PathLike[str], bytes, Video]"
"""A clip: a path, an https address or a provider's handle, the bytes of a file, a `Video`."""

OnProgress: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True)
class Video:
    """A finished video.

    `file`, `last_frame` (PNG) and `sidecar` (JSON: what it was made from) are paths. `task` is its
    ticket, by which `collect` fetches it again. `cost` is None where it is not known. `fps` is in
    frames a second, `duration` in seconds. `changes` is what was made other than asked, `notes` are
    sentences about the order. `reused` says that this call paid nothing: it was there already, or
    was joined or fetched.
    """

    file: Path
    last_frame: Path
    sidecar: Path
    task: str
    provider: str
    model: str
    seed: int
    cost: Money | None
    width: int
    height: int
    fps: float
    duration: float
    has_audio: bool
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    reused: bool = False
    frame_count: int = 0

    def frames(self, start: int = 0, count: int | None = None, step: int = 1) -> np.ndarray:
        """The frames, float32 of shape (frames, height, width, 3), RGB in 0..1: every `step`-th
        from `start` on, `count` of them at most.

        Raises BadOrder if the file cannot be read, or if they do not fit into memory.
        """
        return media.decode_frames(self.file, start=start, count=count, step=step)


def video_of(result: Result, notes: Iterable[str] = ()) -> Video:
    """The Video of a finished take."""
    last_frames.provide(Files(result.file))  # a script in ComfyUI waits for it
    return Video(
        file=result.file,
        last_frame=result.last_frame,
        sidecar=result.sidecar,
        task=result.task,
        provider=result.provider,
        model=result.model,
        seed=result.seed,
        cost=result.cost,
        width=result.width,
        height=result.height,
        fps=result.fps,
        duration=result.duration,
        has_audio=result.has_audio,
        changes=result.changes,
        notes=tuple(notes),
        reused=result.reused,
        frame_count=result.frames,
    )


def generate(
    prompt: str = "",
    *,
    provider: str = "auto",
    image: Picture | None = None,
    last_image: Picture | None = None,
    references: Iterable[Picture | Clip] = (),
    video: Clip | None = None,
    operation: str | None = None,
    keep_audio: bool = False,
    model: str = "seedance-2.0",
    resolution: str = "720p",
    ratio: str | None = None,
    duration: int = 5,
    seed: int = 0,
    no_audio: bool = False,
    watermark: bool = False,
    camera_fixed: bool = False,
    on_unsupported: str = "error",
    extra: Mapping[str, Mapping[str, Any]] | None = None,
    draft: bool = False,
    web_search: bool = False,
    output_format: str = "mp4",
    project: str = "",
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    max_usd: float | None = None,
    on_progress: OnProgress | None = None,
) -> Video:
    """Make a video and wait for it. The same order again gives the same video, free.

    `image` and `last_image` are its first and last frame, `references` what the prompt calls
    `@Image1`, `@Video1`, `@Audio1` (`image:`, `video:` or `audio:` stands before a text whose
    ending does not tell), `video` a clip to `operation` ("edit" or "extend"). `ratio` is that of
    the media, or 16:9 without any. `duration` is in seconds, -1 lets the model decide.
    `on_unsupported="nearest"` takes the nearest that the provider can do; see `Video.changes`.

    `output` is the file to save as; without it the video goes into SEEDANCE_OUTPUT. `overwrite`
    lets it replace a file of another order. `project` is a label for whoever adds up what was
    spent. `max_usd` refuses what costs more by its estimate (0:
    all that is not free); without it SEEDANCE_MAX_USD does. `on_progress` is called in this thread;
    if it raises an Exception, that is logged, and it is not called again: the order goes on.

    Raises a SeedanceError: BadOrder, NeedsKey and Unreachable if nothing was sent, Refused if
    nothing is billed, TaskFailed, Unclear (it may be paid), StillRunning (it is paid and goes on:
    `collect` it by the error's `task`, or call this again). Stopping this call, by Ctrl-C for
    instance, does not stop an order that is sent: the same call joins it.
    """
    given = dict(locals())
    tell = _told("on_progress", on_progress)
    with lent_runner() as runner:
        return _wait(_begin(runner, given), tell)


async def generate_async(
    prompt: str = "",
    *,
    provider: str = "auto",
    image: Picture | None = None,
    last_image: Picture | None = None,
    references: Iterable[Picture | Clip] = (),
    video: Clip | None = None,
    operation: str | None = None,
    keep_audio: bool = False,
    model: str = "seedance-2.0",
    resolution: str = "720p",
    ratio: str | None = None,
    duration: int = 5,
    seed: int = 0,
    no_audio: bool = False,
    watermark: bool = False,
    camera_fixed: bool = False,
    on_unsupported: str = "error",
    extra: Mapping[str, Mapping[str, Any]] | None = None,
    draft: bool = False,
    web_search: bool = False,
    output_format: str = "mp4",
    project: str = "",
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    max_usd: float | None = None,
    on_progress: OnProgress | None = None,
) -> Video:
    """As `generate`, for an event loop, in which `on_progress` is called too.

    Cancelling it stops the waiting, not the order: the same call joins it.
    """
    given = dict(locals())
    tell = _told("on_progress", on_progress)
    lent = await asyncio.to_thread(lend)
    try:
        beginning = asyncio.ensure_future(asyncio.to_thread(_begin_with, lent.again(), given))
        try:
            job = await asyncio.shield(beginning)
        except asyncio.CancelledError:
            beginning.add_done_callback(_let_go)
            raise
        try:
            return video_of(await job.wait_async(tell), job.notes)
        finally:
            job.release()
    finally:
        lent.give_back()


def collect(
    task: str | int,
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> Video:
    """Fetch the video of a task that was paid for, by its ticket (also one of another machine), or
    by its row in the journal. Costs nothing.

    Raises BadOrder for what is no ticket, NeedsKey without the provider's key, and what `generate`
    raises.
    """
    tell = _told("on_progress", on_progress)
    replacing = options.switch("overwrite", overwrite)
    with lent_runner() as runner:
        ticket = runner.ticket_of(task)
        job = runner.collect(ticket, target=_target(output), overwrite=replacing)
        return _wait(job, tell)


def finish(
    draft: str | int | Video,
    *,
    resolution: str = "1080p",
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    max_usd: float | None = None,
    on_progress: OnProgress | None = None,
) -> Video:
    """Make a draft into its final video in `resolution` ("1080p" or "4k"), by its ticket, its row,
    or its Video. It is paid for, once.

    Raises BadOrder for a task that is no finished draft, and what `generate` raises.
    """
    tell = _told("on_progress", on_progress)
    wanted = options.read("resolution", resolution) or "1080p"
    replacing = options.switch("overwrite", overwrite)
    with lent_runner() as runner:
        job = runner.finish(
            runner.ticket_of(draft.task if isinstance(draft, Video) else draft),
            resolution=wanted,
            target=_target(output),
            overwrite=replacing,
            confirm=_most(max_usd),
            spending=_spending(max_usd),
        )
        return _wait(job, tell)


def check(
    prompt: str = "",
    *,
    provider: str = "auto",
    image: Picture | None = None,
    last_image: Picture | None = None,
    references: Iterable[Picture | Clip] = (),
    video: Clip | None = None,
    operation: str | None = None,
    keep_audio: bool = False,
    model: str = "seedance-2.0",
    resolution: str = "720p",
    ratio: str | None = None,
    duration: int = 5,
    seed: int = 0,
    no_audio: bool = False,
    watermark: bool = False,
    camera_fixed: bool = False,
    on_unsupported: str = "error",
    extra: Mapping[str, Mapping[str, Any]] | None = None,
    draft: bool = False,
    web_search: bool = False,
    output_format: str = "mp4",
    project: str = "",
) -> list[Quote]:
    """What each provider would make of an order: `provider`, `price`, `changes`, `payload`, `key`
    (where one is set), and `problem`, why it would not. The cheapest comes first, those that cannot
    come last; only that of `provider` where one is named. Sends nothing.

    Raises BadOrder for what is wrong at any provider, and for a `provider` that does not exist.
    """
    order = _order(dict(locals()))
    provider = order.provider
    if provider != AUTO:
        get_provider(provider)
    with lent_runner() as runner:
        quotes = [quote for quote in runner.check(order) if provider in (AUTO, quote.provider)]
    return sorted(quotes, key=lambda quote: quote.rank)


@dataclass(frozen=True)
class ShotResult:
    """What became of one take of a shot: its `video`, or the `error` that it ended with. `take`
    counts from 1."""

    shot: str
    take: int
    video: Video | None = None
    error: SeedanceError | None = None


@dataclass(frozen=True)
class Batch:
    """What became of all shots of a list, in its order: a result for each take, and the `film`, if
    one was asked for and no shot is missing."""

    results: tuple[ShotResult, ...]
    film: Path | None = None

    def __iter__(self) -> Iterator[ShotResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    @property
    def videos(self) -> list[Video]:
        """The videos of all takes that were saved."""
        return [each.video for each in self.results if each.video is not None]

    @property
    def errors(self) -> list[SeedanceError]:
        """The errors of all takes that failed."""
        return [each.error for each in self.results if each.error is not None]


def batch(
    shots: str | os.PathLike[str] | Iterable[Mapping[str, Any] | str],
    *,
    out: str | os.PathLike[str] | None = None,
    join: str | os.PathLike[str] | None = None,
    report: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    max_usd: float | None = None,
    on_progress: Callable[[str, Progress], None] | None = None,
    on_result: Callable[[ShotResult], None] | None = None,
    **defaults: Any,
) -> Batch:
    """Make all shots of a list, as many at once as the providers have slots (`jobs` at most).
    Again, it makes only what is missing or changed.

    `shots` is the path of a list (CSV, JSON, JSONL or plain text), a text of several lines, or
    mappings from option to value, of which a text is the prompt; `name`, `after` and `takes` are
    options too. `defaults` are options for shots that say nothing about them. `out` is the folder
    to save them in, by their names; `join` the file of a film of all shots; `report` a table of
    what became of each take (`.csv` or `.json`). `max_usd` refuses the whole list if what is to be
    made costs more by its estimate; without it SEEDANCE_MAX_USD does. The callbacks are called in
    this thread, `on_progress` with the name of the take; an Exception that they raise is logged,
    and the shots go on.

    A shot that fails leaves the others: see `Batch.errors`. Raises BadOrder, with all mistakes of
    the list, NeedsKey and OverBudget before anything is sent.
    """
    check_max_usd(max_usd)
    tell = _told("on_progress", on_progress)
    tell_result = _told("on_result", on_result, once=False)
    if jobs is not None and (jobs := options.whole("jobs", jobs)) < 1:
        raise BadOrder(f"jobs must be 1 or more, not {jobs}.")
    film, table = _target(join, "join"), _target(report, "report")
    folder = _target(out, "out")
    if film is not None:
        batches.check_film(film)
    if table is not None:
        batches.check_report(table, film, _list_file(shots))
    try:
        found = _shots(shots, defaults)
    except BadShots as error:
        with lent_runner() as runner:
            raise batches.all_mistakes(error, runner) from None
    with lent_runner() as runner:
        plan = batches.make_plan(found, runner)
        if film is not None:
            batches.check_apart(film, folder, plan.takes, runner)
        plan.check_key()
        plan.check_most(max_usd)
        spending = Spending(runner.settings.max_usd if max_usd is None else max_usd)
        spending.check(plan.estimate.total)
        shooting = batches.Shooting(plan)
        try:
            batches.carry(
                shooting,
                runner,
                spending=spending,
                out=folder,
                jobs=jobs,
                confirm=_most(max_usd),
                on_ended=lambda one: tell_result(_shot_result(one)) if tell_result else None,
                on_look=_looking(tell),
            )
        finally:
            if table is not None:
                if not shooting.is_over:
                    runner.settle()  # the answers on their way hold tickets
                batches.write_report(table, shooting)
        results = shooting.film()
        made = None
        if film is not None and results is not None:
            names = [shot.name for shot in found]
            made = batches.make_film(list(zip(names, results)), film).file
    return Batch(tuple(map(_shot_result, shooting.standings)), made)


def _list_file(given: Any) -> Path | None:
    """The file of a list of shots that is given by its name; None for any other list."""
    if isinstance(given, os.PathLike) or (isinstance(given, str) and "\n" not in given):
        return Path(given).expanduser()
    return None


def _shots(given: Any, defaults: Mapping[str, Any]) -> list[Shot]:
    if isinstance(given, str) and "\n" in given:
        return read_text(given, folder=Path.cwd(), defaults=defaults)
    if (file := _list_file(given)) is not None:
        return read_file(file, defaults=defaults)
    _check_list(given)
    return read_records(given, defaults=defaults, convert=value_of)


def _check_list(given: Any) -> None:
    """Raise BadOrder for what is no list of shots, though Python may iterate it."""
    hint = ""
    if hasattr(given, "read"):
        hint = "Give the file by its name, or its text."
    elif not isinstance(given, Mapping) and hasattr(given, "to_dict"):  # a table of pandas
        hint = 'Give its rows: table.to_dict("records").'
    elif isinstance(given, (bytes, Mapping)) or not isinstance(given, Iterable):
        hint = 'Write a list like [{"prompt": "A red fox", "duration": 8}].'
    if hint:
        raise BadOrder(
            "shots must be the name of a file, a text of several lines or a list, not "
            f"{quoted(given)}.",
            hint=hint,
        )


def _shot_result(standing: Standing) -> ShotResult:
    take, outcome = standing.take, standing.outcome
    video = video_of(outcome, standing.notes) if isinstance(outcome, Result) else None
    error = outcome if isinstance(outcome, SeedanceError) else None
    return ShotResult(take.shot.name, take.number + 1, video, error)


def _looking(
    on_progress: Callable[[str, Progress], None] | None,
) -> Callable[[list[UnderWay]], None]:
    told: dict[int, Progress] = {}

    def look(under_way: list[UnderWay]) -> None:
        for one in under_way:
            progress, number = one.progress, one.standing.number
            if on_progress is not None and told.get(number) != progress:
                told[number] = progress
                on_progress(one.take.name, progress)

    return look


# ------------------------------------------------------------------------------------ what is given


def _begin(runner: Runner, given: Mapping[str, Any]) -> Job:
    (job,) = runner.start(
        _order(given),
        target=_target(given["output"]),
        overwrite=options.switch("overwrite", given["overwrite"]),
        confirm=_most(given["max_usd"]),
        spending=_spending(given["max_usd"]),
    )
    return job


def _wait(job: Job, on_progress: OnProgress | None) -> Video:
    try:
        return video_of(job.wait(on_progress), job.notes)
    finally:
        job.release()


def _begin_with(lent: Lent, given: Mapping[str, Any]) -> Job:
    """As `_begin`, which nobody may wait for any more: the runner stays open until it has begun."""
    try:
        return _begin(lent.runner, given)
    finally:
        lent.give_back()


def _let_go(beginning: asyncio.Future[Job]) -> None:
    if not beginning.cancelled() and beginning.exception() is None:
        beginning.result().release()


def _order(given: Mapping[str, Any]) -> Order:
    return options.order_of({name: value_of(name, given[name]) for name in options.NAMES})


def value_of(name: str, value: Any) -> Any:
    """An option's value as Python code has it, as `options.order_of` takes it. Raises BadOrder."""
    if name in ("image", "last_image"):
        return _medium("image", value)
    if name == "video":
        return _medium("video", value)
    if name == "references":
        return _references(value)
    return options.read(name, value)


def _medium(kind: Kind, value: Any) -> Medium | None:
    if value is None or isinstance(value, Medium):
        return value
    if isinstance(value, Video):
        file = value.file if kind == "video" else last_frames.file_or_bytes(Files(value.file))
        if isinstance(file, bytes):
            return Medium.from_data(kind, file)
        return Medium.from_path(kind, file)
    if isinstance(value, str):
        return options.read(kind, value)  # type: ignore[no-any-return]
    if isinstance(value, os.PathLike):
        return options.medium(kind, str(Path(value)))
    if isinstance(value, bytes):
        return Medium.from_data(kind, value)
    if kind == "image" and (pixels := media.pixels_of(value)) is not None:
        return Medium.from_pixels(pixels)
    raise BadOrder(
        f"{quoted(type(value).__name__)} is no {'picture' if kind == 'image' else 'clip'}.",
        hint="Give a path, an address or bytes"
        + (", a Pillow image or a NumPy array." if kind == "image" else "."),
    )


def _references(value: Any) -> tuple[Medium, ...]:
    if isinstance(value, str):
        return options.read("references", value) or ()
    single = isinstance(value, (Medium, Video, os.PathLike, bytes)) or hasattr(value, "shape")
    items = [value] if single or not isinstance(value, Iterable) else value
    return tuple(medium for each in items for medium in _reference(each) if medium is not None)


def _reference(value: Any) -> Iterable[Medium | None]:
    if isinstance(value, (str, os.PathLike)):
        yield options.reference(os.fspath(value))
    elif isinstance(value, Video):
        yield _medium("video", value)
    else:
        yield _medium("image", value)


def _target(output: Any, name: str = "output") -> Path | None:
    if output is None:
        return None
    try:
        return Path(os.fsdecode(output)).expanduser().absolute()
    except (TypeError, ValueError, RuntimeError) as error:  # of another type, ~ of nobody
        raise BadOrder(f"{name} must be the name of a file, not {quoted(output)}.") from error


def _told(name: str, callback: Any, *, once: bool = True) -> Callable[..., None] | None:
    """A callback that cannot end the call which waits for what is paid: an Exception that it raises
    is logged, and with `once` it is not called again. Raises BadOrder for what is no function."""
    if callback is None:
        return None
    if not callable(callback):
        raise BadOrder(
            f"{name} must be a function, not {quoted(callback)}.",
            hint="Give its name, without brackets behind it.",
        )
    failed = False

    def tell(*values: Any) -> None:
        nonlocal failed
        if failed and once:
            return
        try:
            callback(*values)
        except Exception:
            failed = True
            logger.exception("%s failed; the order goes on.", name)

    return tell


def check_max_usd(max_usd: Any) -> None:
    """Raise BadOrder for what is no number of dollars."""
    number = isinstance(max_usd, numbers.Real) and not isinstance(max_usd, bool)
    if max_usd is not None and not (number and 0 <= max_usd < 1e9):
        raise BadOrder(
            f"max_usd must be a number of dollars, not {quoted(max_usd)}.",
            hint="Write it like 0.5.",
        )


def _most(max_usd: float | None) -> Callable[[Prepared, int], None]:
    check_max_usd(max_usd)
    return lambda prepared, takes: check_most(prepared.price, takes, max_usd)


def _spending(max_usd: float | None) -> Spending | None:
    """With `max_usd`, which `_most` holds, SEEDANCE_MAX_USD does not count."""
    return None if max_usd is None else Spending(0.0)
