"""From a started order to a node's outputs: waits for its takes side by side, and for a person's
Cancel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, Union

from comfy_api.latest import io

from ..seedance.errors import SeedanceError
from . import execution, host, inputs, outputs, report, threads
from .partial_failures import partial_failures

if TYPE_CHECKING:
    from ..seedance.media import Promise
    from ..seedance.runner import Job, Result, Runner

    Outcome = Union[Result, SeedanceError]

Value = TypeVar("Value")

PATIENCE = 2.0  # seconds after which the page is told that something goes on


async def deliver(
    begin: Callable[[Runner], Sequence[Job]], decoded: Mapping[str, object]
) -> io.NodeOutput:
    """Start takes with `begin` (in a thread), wait for all, and give the node's outputs.

    A take that failed is an ExecutionBlocker with its sentence at its place in every output; if all
    failed, raises. Raises `execution.Interrupted` at once when a person cancels; then, and only
    then, the takes are cancelled too. `decoded` has the values of the inputs of `outputs.Decoded`.
    """
    node = execution.Node()

    def start() -> Sequence[Job]:
        outputs.Decoded.of(decoded)  # before anything is sent
        return begin(host.runner())

    starting = threads.in_node_thread(start)
    try:
        await node.until_done(starting, meanwhile=_patiently(lambda: node.tell(report.starting())))
        jobs = _jobs(starting, node)
        outcomes = await _finished(jobs, node)
        news = report.ended(jobs, outcomes)
        node.tell(news)
        values = await _values(outcomes, node, outputs.Decoded.of(decoded), news)
    except execution.Interrupted:
        _cancel(starting, node)
        raise
    except asyncio.CancelledError:
        execution.when_ended(
            node.prompt_id,
            interrupted=partial(_cancel, starting, node),
            failed=lambda: node.tell(report.left()),
        )
        raise
    finally:
        starting.add_done_callback(_release)
    made = [outcome for outcome in outcomes if not isinstance(outcome, SeedanceError)]
    partial_failures.note(node.prompt_id, node.id, made)
    if any(isinstance(value, outputs.Failure) for take in values for value in take):
        partial_failures.add(node.prompt_id, node.id)
    return io.NodeOutput(*map(list, zip(*values)), ui=outputs.preview(outcomes, news))


def decoded_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a node's values that `deliver` takes."""
    return {name: values[name] for name in inputs.DECODING if name in values}


def _jobs(starting: Future[Sequence[Job]], node: execution.Node) -> Sequence[Job]:
    try:
        return result_of(starting)
    except SeedanceError as error:
        node.tell(report.not_started(error))
        raise


async def _finished(jobs: Sequence[Job], node: execution.Node) -> list[Outcome]:
    """What became of each job, when all have ended. The jobs go on if a wait is cut short."""

    async def show() -> None:
        node.tell(report.under_way(jobs))
        await node.draw_bar(report.fraction(jobs))

    waits = [asyncio.create_task(_outcome(job)) for job in jobs]
    try:
        await node.until_done(*waits, meanwhile=show)
        return [wait.result() for wait in waits]
    finally:
        for wait in waits:
            wait.cancel()


async def _outcome(job: Job) -> Outcome:
    try:
        return await job.wait_async()
    except SeedanceError as error:
        return error


async def _values(
    outcomes: Sequence[Outcome],
    node: execution.Node,
    decoded: outputs.Decoded,
    news: report.News,
) -> list[outputs.Values]:
    """The outputs; the page is told how far they are beside `news`, which it was told before."""
    memory: list[Promise] = []
    reading = threads.in_processor_thread(lambda: outputs.values(outcomes, decoded, memory.append))

    told = False

    def show() -> None:
        nonlocal told
        told = True
        node.tell(report.reading_frames(news, memory[0].fraction if memory else 0.0))

    try:
        await node.until_done(reading, meanwhile=_patiently(show))
        if told:
            node.tell(news)
        return result_of(reading)
    finally:
        reading.cancel()  # if it has not begun


def _patiently(tell: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    """To be called while something goes on: tells of it once that has taken `PATIENCE` seconds."""
    due = time.monotonic() + PATIENCE

    async def look() -> None:
        if time.monotonic() >= due:
            tell()

    return look


def result_of(done: Future[Value]) -> Value:
    """The result. Raises our errors as classes of a module `seedance`: ComfyUI's dialog shows an
    error's module, which would otherwise be the path of the pack's folder."""
    try:
        return done.result()
    except SeedanceError as error:
        shown = type(error.kind, (type(error),), {"__module__": "seedance"})
        raise shown(
            error.message, hint=error.hint, task=error.task, spent=error.spent, row=error.row
        ) from error


def _cancel(starting: Future[Sequence[Job]], node: execution.Node) -> None:
    """A person's Cancel. Takes that are still being started are cancelled as soon as they are."""

    def cancel_jobs(started: Future[Sequence[Job]]) -> None:
        jobs = _started(started)
        for job in jobs:
            job.cancel()
        notes = list(dict.fromkeys(job.cancel_note for job in jobs if job.cancel_note))
        for note in notes:
            host.log.info("Seedance: %s", note)
        node.tell(report.cancelled(notes))
        _tell_when_ended(jobs, node)

    starting.cancel()
    starting.add_done_callback(cancel_jobs)


def _tell_when_ended(jobs: Sequence[Job], node: execution.Node) -> None:
    """What became of cancelled takes, once all have ended: only then is it known whether their
    providers cancelled them, and what was billed."""
    outcomes: dict[Job, Outcome] = {}

    def note(job: Job, outcome: Outcome) -> None:
        outcomes[job] = outcome
        if len(outcomes) == len(jobs) and node.is_latest:
            node.tell(report.ended(jobs, [outcomes[each] for each in jobs]))

    for job in jobs:
        job.when_ended(partial(note, job))


def _release(starting: Future[Sequence[Job]]) -> None:
    """Stop counting as somebody who waits. A later Cancel elsewhere then cancels the takes."""
    for job in _started(starting):
        job.release()


def _started(starting: Future[Sequence[Job]]) -> Sequence[Job]:
    failed = starting.cancelled() or starting.exception() is not None
    return () if failed else starting.result()
