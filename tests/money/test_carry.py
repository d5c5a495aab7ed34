"""What a carry promises at its edges: cancels that race, money in flight, a process that ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from seedance.runner.worker import Carry, Follower, Progress

LONG = 3600.0
SOON = 20.0  # seconds after which a test that hangs fails


def held_until(event: threading.Event, result: object = None) -> Any:
    """What carries until `event` is set, without holding a worker."""

    async def run() -> object:
        while not event.is_set():
            await asyncio.sleep(0.005)
        return result

    return lambda _: run()


# ------------------------------------------------------------------------------------- joining


def test_a_carry_ends_with_its_result() -> None:
    async def carry_through() -> str:
        return "a video"

    assert Follower().carry(1, lambda _: carry_through()).done.result(SOON) == "a video"


def test_other_orders_are_carried_beside_it() -> None:
    follow, first, second = Follower(), threading.Event(), threading.Event()
    slow = follow.carry(1, held_until(first))
    fast = follow.carry(2, held_until(second, "other"))
    second.set()
    assert fast.done.result(SOON) == "other"
    assert not slow.done.done()
    first.set()
    slow.done.result(SOON)


def test_a_follower_is_busy_while_it_carries() -> None:
    follow, finish = Follower(), threading.Event()
    assert not follow.busy
    carry = follow.carry(1, held_until(finish))
    assert follow.busy
    finish.set()
    carry.done.result(SOON)
    assert not follow.busy


def test_a_start_that_fails_leaves_nothing_to_join() -> None:
    def start(_: Carry) -> Coroutine[Any, Any, Any]:
        raise ValueError("not even begun")

    follow, finish = Follower(), threading.Event()
    finish.set()
    with pytest.raises(ValueError, match="not even begun"):
        follow.carry(1, start)
    assert follow.carry(1, held_until(finish, "begun")).done.result(SOON) == "begun"


# ------------------------------------------------------------------------------------- progress


def test_a_listener_may_leave_while_it_listens() -> None:
    carry, heard = Carry(1), []

    def once(progress: Progress) -> None:
        heard.append(progress)
        if progress.text == "queued":
            carry.unlisten(once)

    carry.listen(once)
    carry.listen(heard.append)
    carry.report(Progress("queued"))
    carry.report(Progress("rendering"))
    heard_words = [progress.text for progress in heard]
    assert heard_words == ["starting", "starting", "queued", "queued", "rendering"]


def test_leaving_twice_is_leaving() -> None:
    carry = Carry(1)
    carry.unlisten(print)


# -------------------------------------------------------------------------------------- cancel


def pausing(started: threading.Event, seconds: float = LONG) -> Any:
    def start(carry: Carry) -> Coroutine[Any, Any, str]:
        async def run() -> str:
            started.set()
            await carry.pause(seconds)
            return "awake"

        return run()

    return start


def test_a_cancel_wakes_a_pause() -> None:
    started = threading.Event()
    carry = Follower().carry(1, pausing(started))
    assert started.wait(SOON)
    carry.request_cancel()
    assert carry.done.result(SOON) == "awake"


def test_a_cancel_before_the_first_pause_is_not_missed() -> None:
    def start(carry: Carry) -> Coroutine[Any, Any, str]:
        carry.request_cancel()
        return pausing(threading.Event())(carry)  # type: ignore[no-any-return]

    assert Follower().carry(1, start).done.result(SOON) == "awake"


def test_a_pause_ends_without_a_cancel_too() -> None:
    assert Follower().carry(1, pausing(threading.Event(), 0.01)).done.result(SOON) == "awake"


def test_a_cancel_that_was_answered_does_not_end_the_next_pause() -> None:
    def start(carry: Carry) -> Coroutine[Any, Any, None]:
        async def run() -> None:
            carry.request_cancel()
            await carry.pause(LONG)
            carry.cancel_wanted.clear()
            await asyncio.wait_for(carry.pause(LONG), 0.05)

        return run()

    with pytest.raises(asyncio.TimeoutError):
        Follower().carry(1, start).done.result(SOON)


# ------------------------------------------------------------------------------ money in flight


def test_nothing_in_flight_is_settled() -> None:
    assert Follower().settle(0)


def test_settling_waits_for_a_create() -> None:
    follow, finish = Follower(), threading.Event()
    carry = follow.carry(1, held_until(finish))
    follow.spends(carry)
    assert not follow.settle(0.01)
    waiting = threading.Thread(target=follow.settle, daemon=True)
    waiting.start()
    follow.spent(carry)
    waiting.join(SOON)
    assert not waiting.is_alive()
    finish.set()
    carry.done.result(SOON)


def test_settling_waits_no_longer_for_what_has_ended() -> None:
    follow = Follower()

    def start(carry: Carry) -> Coroutine[Any, Any, None]:
        async def run() -> None:
            follow.spends(carry)
            raise ValueError

        return run()

    with pytest.raises(ValueError):
        follow.carry(1, start).done.result(SOON)
    assert follow.settle(0)


def test_settling_does_not_wait_for_a_carry_that_has_not_spent() -> None:
    follow, finish = Follower(), threading.Event()
    carry = follow.carry(1, held_until(finish))
    assert follow.settle(0)
    finish.set()
    carry.done.result(SOON)


# ------------------------------------------------------------------------------- blocking calls


def run(follow: Follower, coroutine: Coroutine[Any, Any, Any]) -> Any:
    return follow.carry(object(), lambda _: coroutine).done.result(SOON)


def test_a_blocking_call_runs_in_a_daemon_of_its_own() -> None:
    follow = Follower()
    worker = run(follow, follow.blocking(threading.current_thread))
    assert worker.daemon
    assert worker is not threading.current_thread()
    assert worker.name == "seedance-worker"


def test_a_blocking_call_gets_its_arguments_and_raises_its_error() -> None:
    follow = Follower()
    assert run(follow, follow.blocking(int, "11", base=2)) == 3
    with pytest.raises(ValueError, match="invalid literal"):
        run(follow, follow.blocking(int, "x"))


def test_what_has_a_lock_is_done_one_after_the_other() -> None:
    follow, inside, most = Follower(), [0], [0]

    async def one() -> None:
        async with follow.lock("upload"):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            await asyncio.sleep(0.001)
            inside[0] -= 1

    async def several() -> None:
        await asyncio.gather(*(one() for _ in range(5)))

    run(follow, several())
    assert most[0] == 1


def test_a_lock_is_forgotten_when_nobody_holds_it() -> None:
    follow = Follower()
    held = follow.lock("upload")
    assert follow.lock("upload") is held
    assert follow.lock("other") is not held
    del held
    assert list(follow._locks) == []


HANG = """
import threading, time
from seedance.runner.worker import Follower
follow, working = Follower(), threading.Event()

def hang():
    working.set()
    time.sleep(3600)

follow.carry(1, lambda _: follow.blocking(hang))
assert working.wait(20)
print("over")
"""


def test_a_process_ends_while_a_worker_hangs() -> None:
    child = subprocess.run([sys.executable, "-c", HANG], capture_output=True, text=True, timeout=60)
    assert (child.returncode, child.stdout, child.stderr) == (0, "over\n", "")
