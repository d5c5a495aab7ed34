"""Where calls of `import seedance` run: event loops, threads, forked and spawned processes; what
importing it does."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fakes
import pytest
from running import until

import seedance
from seedance.runner import lending

ORDER: dict[str, Any] = {"provider": "lumenfall"}


def run(script: str, *, warnings: str = "default") -> str:
    """What a Python of its own prints for a script."""
    command = [sys.executable, "-W", warnings, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_opens_nothing_and_starts_no_thread(tmp_path: Path) -> None:
    home, output = tmp_path / "home", tmp_path / "output"
    script = (
        "import sys, threading, os, seedance; dir(seedance)\n"
        "print(len(threading.enumerate()), len(os.listdir('/proc/self/fd')) <= 4)\n"
        "print(*(m for m in sys.modules if m.startswith('seedance')))\n"
        "from seedance import *\n"
        "assert issubclass(BadOrder, SeedanceError) and callable(generate)\n"
        "print(len(threading.enumerate()))"
    )
    first, modules, last = run(script).splitlines()
    assert first.split()[0] == "1" and last == "1"
    if sys.platform == "linux":
        assert first.split()[1] == "True"
    assert modules.split() == ["seedance"]
    assert not home.exists() and not output.exists()


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        seedance.nonsense  # type: ignore[attr-defined]  # noqa: B018
    assert seedance.errors.BadOrder is seedance.BadOrder
    assert set(seedance.__all__) <= set(dir(seedance))


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(seedance.__file__).parent / "py.typed").is_file()


# ----------------------------------------------------------------------------------- event loops


def test_several_at_once_in_an_event_loop(lumenfall: fakes.Fake) -> None:
    loop_thread = threading.current_thread()
    heard: list[bool] = []

    async def several() -> list[seedance.Video]:
        orders = (
            seedance.generate_async(
                "a fox",
                seed=seed,
                on_progress=lambda _: heard.append(threading.current_thread() is loop_thread),
                **ORDER,
            )
            for seed in range(4)
        )
        return await asyncio.gather(*orders)

    videos = asyncio.run(several())
    assert [video.seed for video in videos] == [0, 1, 2, 3]
    assert heard and all(heard)
    assert lumenfall.creates == 4


def test_the_blocking_call_works_where_a_loop_runs(lumenfall: fakes.Fake) -> None:
    """As in a cell of a notebook."""

    async def cell() -> seedance.Video:
        return seedance.generate("a fox", **ORDER)

    assert asyncio.run(cell()).task
    assert lumenfall.creates == 1


def test_cancelling_stops_the_waiting_alone(lumenfall: fakes.Fake) -> None:
    lumenfall.polls_until_done = 10**6

    async def stop() -> None:
        waiting = asyncio.ensure_future(seedance.generate_async("a fox", **ORDER))
        while not lumenfall.creates:
            await asyncio.sleep(0.02)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting

    asyncio.run(stop())
    (lent,) = lending._open
    assert lent.runner.busy and not lent.users
    (active,) = lent.runner._worker._active
    until(lambda: active.waiters == 0)
    lumenfall.polls_until_done = 0
    assert seedance.generate("a fox", **ORDER).task == active.row.task
    assert lumenfall.creates == 1


def test_an_error_is_raised_in_the_loop(lumenfall: fakes.Fake) -> None:
    with pytest.raises(seedance.BadOrder):
        asyncio.run(seedance.generate_async("a fox", duration=99, **ORDER))
    assert lending._open[0].users == 0


# ------------------------------------------------------------------------------ threads, processes


def test_the_same_order_from_many_threads_is_paid_once(lumenfall: fakes.Fake) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(seedance.generate, "a fox", **ORDER) for _ in range(8)]
        tasks = {each.result().task for each in asked}
    assert len(tasks) == 1 and lumenfall.creates == 1
    assert len(lending._open) == 1


def test_a_runner_for_settings_that_are_over_is_closed(
    lumenfall: fakes.Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        monkeypatch.setenv("SEEDANCE_OUTPUT", str(tmp_path / str(number)))
        seedance.generate("a fox", **ORDER)
    assert len(lending._open) == 1


FORK = """
import os, sys, threading
import seedance

def make(seed):
    return seedance.generate("a fox", provider="lumenfall", seed=seed).task

if __name__ == "__main__":
    first = make(0)                      # the parent has threads, connections and a journal
    children = []
    for seed in (0, 1, 2):
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                task = make(seed)
                assert (task == first) == (seed == 0), task
                code = 0
            finally:
                sys.stdout.flush()
                os._exit(code)
        children.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0, 0, 0]
    assert make(0) == first and make(3) != first
    print("well")
"""

POOL = """
import multiprocessing, sys
import seedance

def make(seed):
    video = seedance.generate("a fox", provider="lumenfall", seed=seed)
    return video

def fail(seed):
    return seedance.generate("a fox", provider="lumenfall", duration=99)

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    make(0)
    with context.Pool(2) as pool:
        videos = pool.map(make, [0, 1, 0, 1])
        assert videos[0] == videos[2].__class__(**{**vars(videos[2]), "reused": True}), videos
        try:
            pool.map(fail, [0])
        except seedance.BadOrder as error:
            assert error.spent == "no" and error.hint
        else:
            raise AssertionError("no error came back")
    print("well")
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="this system has no fork")
def test_a_forked_process_orders_and_the_journal_stays_whole(
    lumenfall: fakes.Fake, tmp_path: Path
) -> None:
    script = tmp_path / "forking.py"
    script.write_text(FORK)
    assert started(script).stdout == "well\n"
    assert lumenfall.creates == 4
    assert [row.state.value for row in rows()] == ["saved"] * 4


@pytest.mark.slow
@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_a_pool_of_processes(lumenfall: fakes.Fake, tmp_path: Path, way: str) -> None:
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    assert started(script, way).stdout == "well\n"
    assert lumenfall.creates == 2


def started(script: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(script), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done


def rows() -> list[Any]:
    with lending.lent_runner() as runner:
        return runner.tasks()


@pytest.mark.slow
def test_a_script_that_ends_keeps_the_answer_to_what_was_paid(
    lumenfall: fakes.Fake, tmp_path: Path
) -> None:
    """A cancelled coroutine, whose paid call is answered while the process ends."""
    script = tmp_path / "leaving.py"
    script.write_text(
        "import asyncio, seedance, sys\n"
        "async def go():\n"
        "    task = asyncio.ensure_future(seedance.generate_async('a fox', provider='lumenfall'))\n"
        "    await asyncio.to_thread(sys.stdin.readline)\n"
        "    task.cancel()\n"
        "asyncio.run(go())\n"
        "print('left', flush=True)\n"
    )
    lumenfall.polls_until_done = 10**6
    lumenfall.fault(lambda request: request.method == "POST", "hang")
    pipe = subprocess.PIPE
    child = subprocess.Popen([sys.executable, str(script)], stdin=pipe, stdout=pipe, text=True)
    until(lambda: lumenfall.creates, 60)
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write("\n")
    child.stdin.flush()
    assert child.stdout.readline() == "left\n"
    lumenfall.let_go()
    assert child.wait(60) == 0
    child.stdin.close()
    child.stdout.close()
    assert not list((tmp_path / "home").glob("journal.db-*"))
    (row,) = rows()
    assert (row.state.value, bool(row.task)) == ("running", True)
