"""The node that makes all shots of a list, and the film of them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..seedance.errors import BadOrder, SeedanceError
from . import execution, host, inputs, outputs, report, shot_list, takes, tensors, threads
from .graph import graph_of
from .partial_failures import partial_failures

if TYPE_CHECKING:
    import torch

    from ..seedance.runner import Result, Runner
    from ..seedance.runner.batches import Film, Shooting
    from ..seedance.runner.batches.here import UnderWay
    from ..seedance.runner.batches.progress import Standing

NOT_JOINED = "The film was not made, because shots are missing."
MOST_FILMS = 100  # of the same videos, where those that are there were changed
_LEFT_OUT = ("takes", *inputs.DECODING)  # a shot says itself how many takes it has


class SeedanceStoryboard(io.ComfyNode):
    """All shots of a list, chained or not, and the film."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        shared = [each for each in inputs.shared() if each.id not in _LEFT_OUT]
        return io.Schema(
            node_id="SeedanceStoryboard",
            display_name="Seedance Storyboard",
            category="Seedance",
            description="Makes all shots of a list, side by side or each on the last frame of the "
            "one before, and joins them to a film. Shots that are there already are free: only "
            "what is new or changed is made.",
            inputs=[
                io.Image.Input(
                    "image", optional=True, tooltip="The first frame of the first shot."
                ),
                io.String.Input(
                    "shots",
                    multiline=True,
                    default="",
                    tooltip="One shot a paragraph, with a blank line between. 8s: at its start "
                    "sets its length, a first line # NAME its name. CSV, JSON and JSONL are taken "
                    "too.",
                ),
                io.Boolean.Input(
                    "chain",
                    default=True,
                    optional=True,
                    tooltip="Each shot starts on the last frame of the one before, unless it has "
                    "pictures of its own.",
                ),
                *shared,
                inputs.decode("last_frame"),
                inputs.decode("audio"),
            ],
            outputs=[
                io.Video.Output(
                    "film", display_name="film", tooltip="All shots, one after the other."
                ),
                io.Audio.Output(
                    "audio",
                    display_name="audio",
                    tooltip="The sound of the film; nothing where it is silent.",
                ),
                io.Float.Output("fps", display_name="fps", tooltip="Frames per second."),
                io.Video.Output(
                    "video",
                    display_name="video",
                    is_output_list=True,
                    tooltip="The video of each shot.",
                ),
                io.Image.Output(
                    "last_frame",
                    display_name="last_frame",
                    is_output_list=True,
                    tooltip="The last frame of each shot.",
                ),
                io.String.Output(
                    "task",
                    display_name="task",
                    is_output_list=True,
                    tooltip="The ticket of each shot.",
                ),
            ],
            **inputs.found_by("storyboard", "shot list", "film", "multiple shots", "batch"),
        )

    @classmethod
    def validate_inputs(cls, provider: str | None = "auto") -> bool | str:
        """True, or why the provider cannot be used."""
        return inputs.usable(provider)

    @classmethod
    def fingerprint_inputs(cls, **values: Any) -> int:
        """Another one after a run in which shots failed, and once a video of it is gone or was
        forgotten."""
        return partial_failures.count_for(values)

    @classmethod
    async def execute(
        cls, shots: object, image: torch.Tensor | None = None, **values: Any
    ) -> io.NodeOutput:
        node = execution.Node()
        decoded = {name: values.pop(name) for name in takes.decoded_of(values)}
        making = _Making(node, {**values, "shots": shots}, image, graph_of(cls))

        def make() -> tuple[Shooting, Film | None]:
            outputs.Decoded.of(decoded)  # before anything is sent
            return making.run(host.runner())

        working = threads.in_waiting_thread(make)
        try:
            await node.until_done(working, meanwhile=making.show)
            try:
                shooting, film = takes.result_of(working)
            except SeedanceError as error:
                node.tell(report.not_started(error))
                raise
            reading = threads.in_processor_thread(
                lambda: _values(shooting, film, outputs.Decoded.of(decoded))
            )
            try:
                await node.until_done(reading)
                found = takes.result_of(reading)
            finally:
                reading.cancel()  # if it has not begun
        except execution.Interrupted:
            making.cancel()
            raise
        except asyncio.CancelledError:
            execution.when_ended(node.prompt_id, interrupted=making.cancel, failed=making.leave)
            raise
        made = [result for result in map(_result_of, shooting.standings) if result]
        partial_failures.note(node.prompt_id, node.id, made, film.file if film else None)
        if any(isinstance(value, outputs.Failure) for value in (*found[:3], *found[3])):
            partial_failures.add(node.prompt_id, node.id)
        news = report.shots_ended(shooting.standings, film.encoded if film else "")
        node.tell(news)
        files = [film.file] if film else []
        files += [result.file for result in map(_result_of, _firsts(shooting)) if result]
        return io.NodeOutput(*found, ui=outputs.preview_files(files, news))


class _Stopped(Exception):
    """A person cancelled, or another node failed."""


class _Making:
    """The shots of one run of a node, which a thread of its own makes."""

    def __init__(
        self,
        node: execution.Node,
        values: dict[str, Any],
        image: torch.Tensor | None,
        graph: dict[str, Any],
    ) -> None:
        self._node, self._values, self._image, self._graph = node, values, image, graph
        self._stopping = False
        self._cancelled = False
        self._under_way: list[UnderWay] = []
        self._all = self._ended = 0
        self._joined: float | None = None

    def run(self, runner: Runner) -> tuple[Shooting, Film | None]:
        """Make all shots, then the film. Raises BadOrder and OverBudget before anything is sent."""
        from ..seedance.runner import batches
        from . import queue_sum

        first = None if self._image is None else tensors.picture(self._image, "image")
        plan = batches.make_plan(shot_list.read(self._values, first), runner)
        plan.check_key()
        spending = queue_sum.spending_of(self._node.prompt_id, runner)
        spending.check(plan.estimate.total)
        self._check()
        shooting = batches.Shooting(plan)
        self._all = len(shooting.standings)
        batches.carry(
            shooting,
            runner,
            spending=spending,
            graph=self._graph.get("graph"),
            on_began=self._begin,
            on_ended=self._end,
            on_look=self._look,
            on_left=self._left,
        )
        results = shooting.film()
        if results is None:
            return shooting, None
        names = [shot.name for shot in plan.shots]
        target = _film_file(runner.settings.output, results)
        return shooting, batches.make_film(list(zip(names, results)), target, self._join)

    def _look(self, under_way: list[UnderWay]) -> None:
        self._under_way = under_way
        self._check()

    def _begin(self, one: UnderWay) -> None:
        self._under_way = [*self._under_way, one]
        self._check()

    def _end(self, standing: Standing) -> None:
        self._ended += 1
        self._check()

    def _join(self, fraction: float) -> None:
        self._joined = fraction
        self._check()

    def _check(self) -> None:
        if self._stopping:
            raise _Stopped

    def _left(self, under_way: list[UnderWay]) -> None:
        """Those that are under way when the node stops."""
        if not self._cancelled:
            return
        for one in under_way:
            one.job.cancel()
        notes = [one.job.cancel_note for one in under_way if one.job.cancel_note]
        self._node.tell(report.cancelled(notes))

    async def show(self) -> None:
        """Tell the page how far each shot is."""
        under_way = self._under_way
        if not self._all or self._stopping:
            return
        if self._joined is not None:
            self._node.tell(report.joining(self._all, self._joined))
            return
        self._node.tell(report.shots_under_way(under_way, self._ended, self._all))
        done = self._ended + sum(one.progress.fraction or 0.0 for one in under_way)
        await self._node.draw_bar(min(done / self._all, 1.0))

    def cancel(self) -> None:
        """A person cancels: nothing more is begun, and what is under way is cancelled where that
        costs nothing."""
        self._cancelled = self._stopping = True

    def leave(self) -> None:
        """Another node failed: nothing more is begun, and what is under way goes on."""
        self._stopping = True
        self._node.tell(report.left())


def _film_file(output: Path, results: Sequence[Result]) -> Path:
    """A name for the film of just these videos, which no other file has."""
    from ..seedance.runner import batches
    from ..seedance.runner.files import numbered
    from ..seedance.runner.places import free_name

    tickets = "\n".join(each.task for each in results)
    ending = "mov" if all(each.file.suffix == ".mov" for each in results) else "mp4"
    name = f"storyboard_{hashlib.sha256(tickets.encode()).hexdigest()[:10]}.{ending}"
    first = output / name
    for number in range(MOST_FILMS):
        target = numbered(first, number)
        with suppress(BadOrder):  # another's, or one that was changed
            batches.check_film(target)
            return target
    return free_name(first)


def _firsts(shooting: Shooting) -> list[Standing]:
    """The first take of each shot."""
    return [each for each in shooting.standings if each.take.number == 0]


def _result_of(standing: Standing) -> Result | None:
    outcome = standing.outcome
    return None if outcome is None or isinstance(outcome, SeedanceError) else outcome


def _values(shooting: Shooting, film: Film | None, decoded: outputs.Decoded) -> tuple[Any, ...]:
    """The node's outputs. A shot that failed blocks what hangs on it. Raises the shots' error if
    all failed."""
    firsts = _firsts(shooting)
    errors = [each.outcome for each in firsts if isinstance(each.outcome, SeedanceError)]
    if len(errors) == len(firsts):
        raise outputs.all_failed(errors)
    per_shot = [_of_shot(each, decoded) for each in firsts]
    lists = tuple(map(list, zip(*per_shot)))
    if film is None:
        blocked = outputs.Failure(f"{NOT_JOINED} {errors[0] if errors else ''}".rstrip())
        return (blocked, blocked, blocked, *lists)
    fps, has_audio = tensors.rate_and_sound(film.file)
    sound = outputs.audio(film.file, has_audio, decoded)
    return (tensors.video(film.file), sound, fps, *lists)


def _of_shot(standing: Standing, decoded: outputs.Decoded) -> tuple[Any, ...]:
    outcome = standing.outcome
    if outcome is None or isinstance(outcome, SeedanceError):
        return (outputs.Failure(f"{standing.take.name}: {outcome}"),) * 3
    return (
        tensors.video(outcome.file),
        outputs.last_frame(outcome, decoded),
        outcome.task,
    )
