"""Nodes that run: waiting side by side, and Cancel."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from pack_loader import Pack, ScriptedRunner, host, result, scripted, told, under_way

pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core


@pytest.fixture
def interrupt(pack: Pack) -> Iterator[Callable[[], None]]:
    """A person's Cancel."""
    management = host("comfy.model_management")
    yield management.interrupt_current_processing
    management.interrupt_current_processing(False)


# --------------------------------------------------------------------------------------- waiting


@pytest.mark.parametrize("count", [1, 3])
def test_who_waits_goes_on_as_soon_as_all_are_done(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(pack.execution, "TICK", float(10**6))
    seen: list[int] = []

    async def wait() -> None:
        futures = [Future[None]() for _ in range(count)]

        async def meanwhile() -> None:
            """Each time that one is done, a thread ends the next."""
            seen.append(sum(future.done() for future in futures))
            next_one = futures[seen[-1]]
            threading.Thread(target=next_one.set_result, args=(None,)).start()

        pack.execution_context("1", "p")
        await pack.execution.Node().until_done(*futures, meanwhile=meanwhile)

    asyncio.run(wait())
    assert seen == list(range(count))


def test_progress_is_told_as_data_and_shown_as_a_bar(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    runner = scripted(pack, monkeypatch)
    progress = pack.core("runner").Progress

    async def watch() -> None:
        node = asyncio.create_task(pack.execute("SeedanceT2V", prompt="grey", takes=2))
        await until(lambda: under_way(pack) == [["queued", "queued"]])
        runner.jobs[0].progress = progress("rendering_part", {"percent": 50}, 0.5, 12.0)
        runner.jobs[1].progress = progress("fetching_result", fraction=1.0)
        await until(lambda: len(told(pack)) == 2)
        for job in runner.jobs:
            job.ended.set_result(result(pack, clip, job.order))
        await node

    asyncio.run(watch())
    assert told(pack)[1]["takes"] == [
        {
            "code": "rendering_part",
            "values": {"percent": 50},
            "fraction": 0.5,
            "seconds_left": 12.0,
            "text": "rendering 50 %, about 12 s left",
        },
        {
            "code": "fetching_result",
            "values": {},
            "fraction": 1.0,
            "seconds_left": None,
            "text": "fetching the result",
        },
    ]
    assert host("comfy_api.latest").progress == [("1", 0.0, 1.0), ("1", 0.75, 1.0)]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come; the test's time-out is the limit."""
    while not condition():
        await asyncio.sleep(0.01)


def test_two_nodes_wait_side_by_side(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    runner = scripted(pack, monkeypatch)

    async def both() -> None:
        nodes = [
            asyncio.create_task(pack.execute("SeedanceT2V", at=str(seed), prompt="grey", seed=seed))
            for seed in (1, 2)
        ]
        await until(lambda: len(runner.jobs) == 2)
        for job in reversed(runner.jobs):
            job.ended.set_result(result(pack, clip, job.order))
        await asyncio.gather(*nodes)

    asyncio.run(both())


# ---------------------------------------------------------------------------------------- Cancel


def test_cancel_ends_the_wait_and_cancels_every_take(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, interrupt: Callable[[], None]
) -> None:
    runner = scripted(pack, monkeypatch)

    async def cancelled() -> None:
        node = asyncio.create_task(pack.execute("SeedanceT2V", prompt="grey", takes=2))
        await until(lambda: len(told(pack)) == 1)
        interrupt()
        with pytest.raises(host("comfy.model_management").InterruptProcessingException):
            await node

    asyncio.run(cancelled())
    assert all(job.cancelled.is_set() for job in runner.jobs)
    assert told(pack)[-1]["results"] == []
    assert told(pack)[-1]["notes"] == ["It goes on and is billed."]


def test_every_item_of_a_list_sees_the_one_cancel(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, interrupt: Callable[[], None]
) -> None:
    """Whoever sees ComfyUI's flag first clears it, and ComfyUI waits for all items of a node."""
    runner = scripted(pack, monkeypatch)

    async def cancelled() -> list[Any]:
        items = [
            asyncio.create_task(pack.execute("SeedanceT2V", prompt="grey", seed=seed))
            for seed in range(4)
        ]
        await until(lambda: len(runner.jobs) == 4)
        interrupt()
        return await asyncio.gather(*items, return_exceptions=True)

    interrupted = host("comfy.model_management").InterruptProcessingException
    assert [type(error) for error in asyncio.run(cancelled())] == [interrupted] * 4
    assert all(job.cancelled.is_set() for job in runner.jobs)


def test_a_cancel_of_another_prompt_is_not_ours(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, interrupt: Callable[[], None], clip: Path
) -> None:
    runner = scripted(pack, monkeypatch)

    async def first() -> None:
        node = asyncio.create_task(pack.execute("SeedanceT2V", prompt="grey"))
        await until(lambda: len(runner.jobs) == 1)
        interrupt()
        await asyncio.gather(node, return_exceptions=True)

    asyncio.run(first())
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    assert pack.run("SeedanceT2V", prompt="grey").args[5] == ["preview:0"]


def busy_processors(pack: Pack, go_on: threading.Event) -> list[Future[bool]]:
    """Work on every processor, which ends when `go_on` is set."""
    begun: queue.SimpleQueue[None] = queue.SimpleQueue()

    def work() -> bool:
        begun.put(None)
        return go_on.wait()

    busy = [pack.threads.in_processor_thread(work) for _ in range(os.cpu_count() or 1)]
    for _ in busy:
        begun.get()
    return busy


def test_values_that_nobody_waits_for_any_more_are_not_read(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, interrupt: Callable[[], None], clip: Path
) -> None:
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    read, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(pack.outputs, "values", lambda *_, **__: read.set())
    busy = busy_processors(pack, go_on)

    async def cancelled() -> None:
        node = asyncio.create_task(pack.execute("SeedanceT2V", prompt="grey"))
        await until(lambda: len(told(pack)) > 0)  # what was made; its values are next
        interrupt()
        with pytest.raises(host("comfy.model_management").InterruptProcessingException):
            await node

    asyncio.run(cancelled())
    go_on.set()
    assert all(each.result(10) for each in busy)
    pack.threads.in_processor_thread(lambda: None).result(10)
    assert not read.is_set()


def notes(pack: Pack) -> list[str]:
    return [note["text"] for data in told(pack) for note in data.get("notes", ())]


def test_how_much_of_the_frames_is_read_is_told(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    monkeypatch.setattr(pack.takes, "PATIENCE", 0.0)
    half = 6 * 96 * 64 * 3 * 4
    go_on = threading.Event()

    def slowly(file: Path, part: Any, memory: Any) -> str:
        memory.filled(half)
        assert go_on.wait(10)
        return "frames"

    monkeypatch.setattr(pack.outputs.tensors, "frames", slowly)

    async def watch() -> None:
        node = asyncio.create_task(pack.execute("SeedanceT2V", prompt="grey"))
        await until(lambda: "Reading the frames of the video: 50 %." in notes(pack))
        assert told(pack)[-1]["results"][0]["width"] == 96
        go_on.set()
        assert (await node).args[0] == ["frames"]

    asyncio.run(watch())
    assert told(pack)[-1]["notes"] == []


def test_an_order_whose_media_are_read_for_long_says_so(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    runner = scripted(pack, monkeypatch, lambda order: result(pack, clip, order))
    monkeypatch.setattr(pack.takes, "PATIENCE", 0.0)
    go_on, begin = threading.Event(), runner.start

    def slow_start(*given: Any, **named: Any) -> Any:
        assert go_on.wait(10)
        return begin(*given, **named)

    monkeypatch.setattr(runner, "start", slow_start)

    async def watch() -> None:
        node = asyncio.create_task(pack.execute("SeedanceT2V", prompt="grey"))
        await until(lambda: under_way(pack) == [["preparing"]])
        go_on.set()
        await node

    asyncio.run(watch())


def test_takes_that_are_still_being_started_are_cancelled_once_they_are(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, interrupt: Callable[[], None]
) -> None:
    runner = scripted(pack, monkeypatch)
    starting, go_on = threading.Event(), threading.Event()
    begin = runner.start

    def slow_start(order: Any, *, takes: int = 1, spending: Any = None) -> Any:
        starting.set()
        go_on.wait()
        return begin(order, takes=takes)

    monkeypatch.setattr(runner, "start", slow_start)

    async def cancelled() -> None:
        node = asyncio.create_task(pack.execute("SeedanceT2V", prompt="grey"))
        await until(starting.is_set)
        interrupt()
        with pytest.raises(host("comfy.model_management").InterruptProcessingException):
            await node

    asyncio.run(cancelled())
    assert not runner.jobs
    go_on.set()
    assert runner.started.wait(10)
    assert runner.jobs[0].cancelled.wait(10)


def end_by_comfyui(pack: Pack, runner: ScriptedRunner, event: str) -> None:
    """Run a node whose prompt ComfyUI ends, because of `event`, while it waits."""
    pack.server.prompt_queue.running.append((0, "p", {}, {}, []))

    async def ended() -> None:
        node = asyncio.create_task(pack.execute("SeedanceT2V", prompt="grey"))
        await until(lambda: len(told(pack)) == 1)
        node.cancel()
        with pytest.raises(asyncio.CancelledError):
            await node

    asyncio.run(ended())
    status = {"status_str": "error", "messages": [("execution_start", {}), (event, {})]}
    pack.server.prompt_queue.history["p"] = {"status": status}
    pack.server.prompt_queue.running.clear()


def looked_at_the_status(pack: Pack) -> None:
    """Wait until the node's look at the prompt's status is over."""

    async def others() -> None:
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    asyncio.run_coroutine_threadsafe(others(), pack.server.loop).result(30)


def test_a_cancel_that_another_node_saw_cancels_the_takes(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = scripted(pack, monkeypatch)
    end_by_comfyui(pack, runner, "execution_interrupted")
    assert runner.jobs[0].cancelled.wait(30)


def test_the_failure_of_another_node_leaves_the_takes_running(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = scripted(pack, monkeypatch)
    end_by_comfyui(pack, runner, "execution_error")
    looked_at_the_status(pack)
    assert not runner.jobs[0].cancelled.is_set()
    assert runner.jobs[0].released, "it no longer counts as waiting"
    assert told(pack)[-1]["left"] is True
