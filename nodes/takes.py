"""From a started order to a node's outputs: waits for its takes side by side.

Owns what a node does about Cancel, about a take that fails, and what it says on the page. Must not
know how an order is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union

import folder_paths
from comfy_api.latest import io, ui
from comfy_execution.graph_utils import ExecutionBlocker

from ..seedance.errors import SeedanceError
from . import host, tensors

if TYPE_CHECKING:
    from ..seedance.runner import Job, Result, Runner

    Outcome = Union[Result, SeedanceError]

Value = TypeVar("Value")


NOT_DECODED = "The frames were not decoded, because decode_frames was off."


def decode_frames() -> io.Input:
    """The input by which the graph says whether `frames` is used."""
    return io.Boolean.Input(
        "decode_frames",
        default=True,
        optional=True,
        advanced=True,
        tooltip="Set when the graph is queued: on where something is connected to frames.",
    )


def outputs() -> list[io.Output]:
    """The outputs of every node that gives videos: each a list with one item a take."""
    return [
        io.Image.Output(
            "frames",
            display_name="frames",
            is_output_list=True,
            tooltip="The frames of the video. They are decoded only where something uses them.",
        ),
        io.Video.Output(
            "video",
            display_name="video",
            is_output_list=True,
            tooltip="The video as it was saved, with its sound.",
        ),
        io.Audio.Output(
            "audio",
            display_name="audio",
            is_output_list=True,
            tooltip="The sound; nothing where the video is silent.",
        ),
        io.Float.Output(
            "fps", display_name="fps", is_output_list=True, tooltip="Frames per second."
        ),
        io.Image.Output(
            "last_frame",
            display_name="last_frame",
            is_output_list=True,
            tooltip="The last frame: connect it to the first frame of the next shot. It is always "
            "the same to the bit, so that a chain is not paid for again.",
        ),
        io.String.Output(
            "task",
            display_name="task",
            is_output_list=True,
            tooltip="The ticket of the paid task. With Seedance Collect Task or the command line "
            "it gives the video again.",
        ),
    ]


async def deliver(
    begin: Callable[[Runner], Sequence[Job]], *, decode_frames: bool
) -> io.NodeOutput:
    """Start takes with `begin` (in a thread), wait for all, and give the node's outputs.

    A take that failed is an ExecutionBlocker with its sentence at its place in every output; if all
    failed, raises. Raises `host.Interrupted` at once when a person cancels; then, and only then,
    the takes are cancelled too.
    """
    node = host.Node()
    starting = host.in_thread(lambda: begin(host.runner()))
    try:
        await node.until_done(starting)
        jobs = _result(starting)
        outcomes = await _finished(jobs, node)
        node.say("\n".join(_lines(jobs, outcomes)))
        reading = host.computing(lambda: _values(outcomes, decode_frames))
        try:
            await node.until_done(reading)
        finally:
            reading.cancel()  # where it has not even begun
    except host.Interrupted:
        _cancel(starting, node)
        raise
    except asyncio.CancelledError:
        host.if_interrupted(node.prompt_id, partial(_cancel, starting, node))
        raise
    finally:
        starting.add_done_callback(_release)
    values = _result(reading)
    if any(isinstance(value, _Failure) for take in values for value in take):
        host.partial_failures.add(node)
    return io.NodeOutput(*map(list, zip(*values)), ui=_shown(outcomes))


async def _finished(jobs: Sequence[Job], node: host.Node) -> list[Outcome]:
    """What became of each job, when all have ended. They go on if this is left before."""
    waits = [asyncio.create_task(_outcome(job)) for job in jobs]
    try:
        await node.until_done(*waits, meanwhile=lambda: _show(node, jobs))
        return [wait.result() for wait in waits]
    finally:
        for wait in waits:
            wait.cancel()


async def _outcome(job: Job) -> Outcome:
    try:
        return await job.wait_async()
    except SeedanceError as error:
        return error


def _result(done: Future[Value]) -> Value:
    """The result, or the error as ComfyUI should show it: its dialog gives the module of an
    exception's class, which for ours is the folder that the pack lies in."""
    try:
        return done.result()
    except SeedanceError as error:
        shown = type(error.kind, (type(error),), {"__module__": "seedance"})
        raise shown(
            error.message, hint=error.hint, task=error.task, spent=error.spent, row=error.row
        ) from error


def _cancel(starting: Future[Sequence[Job]], node: host.Node) -> None:
    """A person's Cancel. Takes that are still being started are cancelled as soon as they are."""

    def cancel_jobs(started: Future[Sequence[Job]]) -> None:
        for job in _started(started):
            job.cancel()
        notes = dict.fromkeys(job.cancel_note for job in _started(started) if job.cancel_note)
        for note in notes:
            host.log.info("Seedance: %s", note)
        node.say("\n".join(notes))

    starting.cancel()
    starting.add_done_callback(cancel_jobs)


def _release(starting: Future[Sequence[Job]]) -> None:
    """Nobody waits here any more: a later Cancel, elsewhere, need not respect us."""
    for job in _started(starting):
        job.release()


def _started(starting: Future[Sequence[Job]]) -> Sequence[Job]:
    failed = starting.cancelled() or starting.exception() is not None
    return () if failed else starting.result()


# ------------------------------------------------------------------------------ what a node says


async def _show(node: host.Node, jobs: Sequence[Job]) -> None:
    states = [job.progress for job in jobs]
    names = [f"{number}: " for number in range(1, len(jobs) + 1)] if len(jobs) > 1 else [""]
    known = [state.fraction for state in states if state.fraction is not None]
    await node.show(
        "\n".join(name + state.text for name, state in zip(names, states)),
        sum(known) / len(states) if known else None,
    )


def _lines(jobs: Sequence[Job], outcomes: Sequence[Outcome]) -> list[str]:
    """A line for each take, then what was sent other than asked."""
    lines = [
        f"seed {job.order.seed}: {outcome}"
        if isinstance(outcome, SeedanceError)
        else _line(outcome)
        for job, outcome in zip(jobs, outcomes)
    ]
    remarks = [str(change) for job in jobs for change in job.changes]
    remarks += [note for job in jobs for note in job.notes]
    return lines + list(dict.fromkeys(remarks))


def _line(result: Result) -> str:
    if result.reused:
        price = "made before, not paid again"
    elif result.cost is None:
        price = "cost unknown"
    else:
        price = str(result.cost)
    return (
        f"{result.provider} · seed {result.seed} · {result.width}×{result.height} · "
        f"{result.duration:.3g} s · {price}"
    )


def _shown(outcomes: Sequence[Outcome]) -> ui.PreviewVideo | None:
    """The saved videos for the page, where they are in ComfyUI's output folder."""
    base = Path(folder_paths.get_output_directory()).absolute()
    files = [
        ui.SavedResult(file.name, file.parent.relative_to(base).as_posix(), io.FolderType.output)
        for outcome in outcomes
        if not isinstance(outcome, SeedanceError)
        for file in [outcome.file.absolute()]
        if file.is_relative_to(base)
    ]
    return ui.PreviewVideo(files) if files else None


# ----------------------------------------------------------------------------- what a node gives


class _Failure(ExecutionBlocker):  # type: ignore[misc]
    """Blocks what hangs on a value that should be there and is not; queueing again may mend it."""


def _values(outcomes: Sequence[Outcome], decode_frames: bool) -> list[tuple[Any, ...]]:
    """A tuple of the outputs for each take. Raises if none is there."""
    errors = [outcome for outcome in outcomes if isinstance(outcome, SeedanceError)]
    if len(errors) == len(outcomes):
        raise _all_failed(errors)
    files = [outcome.file for outcome in outcomes if not isinstance(outcome, SeedanceError)]
    frames = iter(_frames(files) if decode_frames else [ExecutionBlocker(NOT_DECODED)] * len(files))
    return [
        (_Failure(str(outcome)),) * len(outputs())
        if isinstance(outcome, SeedanceError)
        else _take_values(outcome, next(frames))
        for outcome in outcomes
    ]


def _all_failed(errors: Sequence[SeedanceError]) -> SeedanceError:
    """One error for all takes: the first, with what the others say where that differs."""
    first = errors[0]
    sentences = list(dict.fromkeys(str(error) for error in errors))
    if len(sentences) == 1:
        return first
    return type(first)(f"All {len(errors)} takes failed. " + " ".join(sentences), spent=first.spent)


def _take_values(result: Result, frames: Any) -> tuple[Any, ...]:
    return (
        frames,
        tensors.video(result.file),
        _decoded(tensors.audio, result.file) if result.has_audio else None,
        result.fps,
        tensors.last_frame(result.last_frame),
        result.task,
    )


def _frames(files: Sequence[Path]) -> list[Any]:
    """The frames of each file; blockers where memory does not suffice for all of them, since the
    videos are there all the same."""
    try:
        with tensors.memory_for(files) as memory:
            return [_decoded(tensors.frames, file, memory) for file in files]
    except SeedanceError as error:
        return [_Failure(str(error))] * len(files)


def _decoded(decode: Callable[..., Any], *given: Any) -> Any:
    """What is in a file, or a blocker where memory does not suffice: the video is there all the
    same."""
    try:
        return decode(*given)
    except SeedanceError as error:
        return _Failure(str(error))
