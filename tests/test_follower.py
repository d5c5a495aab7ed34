"""The follower carries on whoever waits, wakes for a Cancel, and never keeps a process alive."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedance import follower
from seedance.follower import WORKERS, Carry, Follower, Pace, Progress

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


def test_a_carry_ends_with_its_error() -> None:
    async def fail() -> None:
        raise ValueError("no video")

    with pytest.raises(ValueError, match="no video"):
        Follower().carry(1, lambda _: fail()).done.result(SOON)


def test_who_comes_later_joins() -> None:
    follow, finish = Follower(), threading.Event()
    first = follow.carry(1, held_until(finish, "a video"))
    second = follow.carry(1, lambda _: pytest.fail("started twice"))
    finish.set()
    assert first is second
    assert second.done.result(SOON) == "a video"


def test_other_orders_are_carried_beside_it() -> None:
    follow, first, second = Follower(), threading.Event(), threading.Event()
    slow = follow.carry(1, held_until(first))
    fast = follow.carry(2, held_until(second, "other"))
    second.set()
    assert fast.done.result(SOON) == "other"
    assert not slow.done.done()
    first.set()
    slow.done.result(SOON)


def test_an_ended_carry_is_not_joined() -> None:
    follow, finish = Follower(), threading.Event()
    finish.set()
    first = follow.carry(1, held_until(finish, 1))
    first.done.result(SOON)
    assert follow.carry(1, held_until(finish, 2)).done.result(SOON) == 2


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


def test_a_listener_hears_how_far_it_is_and_then_all_news() -> None:
    carry, heard = Carry(1), []
    carry.report(Progress("queued"))
    carry.listen(heard.append)
    carry.report(Progress("rendering", 0.4, 50))
    carry.unlisten(heard.append)
    carry.report(Progress("downloading"))
    assert [progress.text for progress in heard] == ["queued", "rendering"]
    assert carry.progress.text == "downloading"


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


def test_only_so_many_calls_block_at_once() -> None:
    follow, enough, lock = Follower(), threading.Event(), threading.Lock()
    running, most = [0], [0]

    def block() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
            if running[0] == WORKERS:
                enough.set()
        enough.wait(SOON)
        with lock:
            running[0] -= 1

    async def many() -> None:
        await asyncio.gather(*(follow.blocking(block) for _ in range(2 * WORKERS)))

    run(follow, many())
    assert most[0] == WORKERS


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
from seedance.follower import Follower
follow, working = Follower(), threading.Event()

def hang():
    working.set()
    time.sleep(3600)

follow.carry(1, lambda _: follow.blocking(hang))
assert working.wait(20)
print("over")
"""


def test_a_process_ends_while_a_worker_hangs() -> None:
    child = subprocess.run(
        [sys.executable, "-c", HANG], capture_output=True, text=True, timeout=60
    )
    assert (child.returncode, child.stdout, child.stderr) == (0, "over\n", "")


# ------------------------------------------------------------------------------------ heartbeat


def test_the_heart_beats_without_any_carry_and_survives_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(follower, "HEARTBEAT_SECONDS", 0.005)
    beats, again, rest = [], threading.Event(), threading.Event()

    def beat() -> None:
        beats.append(threading.current_thread().name)
        if len(beats) == 1:
            raise OSError("the journal is locked")
        again.set()
        rest.wait(SOON)  # no further beats while other tests run

    Follower(beat).wake()
    assert again.wait(SOON)
    assert beats == ["seedance-worker"] * 2
    assert "could not be renewed: the journal is locked" in caplog.text


# ----------------------------------------------------------------------------- the pace of polls

seconds = st.floats(0, 1e5)


@pytest.mark.parametrize(
    ("elapsed", "pause"),
    [
        (0, 40.0),  # seldom at first
        (80, 16.0),  # not beyond the start of the dense part
        (94, 5.0),
        (96, 5.0),  # at the provider's interval around the expected end
        (167, 5.0),
        (368, 50.0),  # ever less often for what is overdue
    ],
)
def test_polls_home_in_on_the_expected_end(elapsed: float, pause: float) -> None:
    assert Pace(5.0, expected=120.0).after(elapsed) == pytest.approx(pause)


@pytest.mark.parametrize(("elapsed", "pause"), [(0, 2.0), (20, 2.0), (300, 30.0)])
def test_without_experience_a_poll_is_felt_by_a_tenth(elapsed: float, pause: float) -> None:
    assert Pace(2.0).after(elapsed) == pytest.approx(pause)


@given(interval=st.floats(0.1, 60), expected=st.none() | st.floats(1, 3600), elapsed=seconds)
def test_no_poll_is_sooner_than_the_provider_asks(
    interval: float, expected: float | None, elapsed: float
) -> None:
    assert Pace(interval, expected).after(elapsed) >= interval


@given(expected=st.none() | st.floats(1, 3600), elapsed=seconds)
def test_an_interval_set_by_the_user_is_kept(expected: float | None, elapsed: float) -> None:
    assert Pace(10.0, expected, fixed=0.5).after(elapsed) == 0.5
