"""The follower by itself: carries, who joins them, blocking calls, and the pace of polls."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import until

from seedance.runner import worker
from seedance.runner.worker import DENSE_POLLS, Carry, Follower, Pace, Progress

seconds = st.floats(0, 10_000)
intervals = st.floats(0.1, 60)


# ---------------------------------------------------------------------------------------- carries


def test_who_comes_second_joins_the_carry_under_way() -> None:
    ours, go = Follower(), threading.Event()

    async def carried(carry: Carry) -> str:
        await ours.blocking(go.wait)
        return "video"

    first = ours.carry("row", carried)
    second = ours.carry("row", carried)
    assert second is first
    go.set()
    assert first.done.result(10) == "video"
    assert ours.carry("row", carried) is not first


def test_an_error_reaches_everybody_who_waits() -> None:
    async def carried(carry: Carry) -> None:
        raise ValueError("no")

    carry = Follower().carry("row", carried)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            carry.done.result(10)


def test_who_listens_late_hears_how_far_it_is() -> None:
    heard: list[str] = []
    carry = Carry("row")
    carry.report(Progress("rendering"))
    listener = lambda progress: heard.append(progress.text)  # noqa: E731
    carry.listen(listener)
    carry.unlisten(listener)
    carry.report(Progress("saved"))
    assert heard == ["rendering"]


def test_a_cancel_ends_the_longest_pause() -> None:
    async def carried(carry: Carry) -> str:
        await carry.pause(3600)
        return "woken"

    carry = Follower().carry("row", carried)
    carry.request_cancel()
    assert carry.done.result(10) == "woken"


def test_the_process_is_held_while_a_create_is_under_way() -> None:
    ours, go = Follower(), threading.Event()

    async def carried(carry: Carry) -> None:
        ours.spends(carry)
        await ours.blocking(go.wait)

    carry = ours.carry("row", carried)
    until(lambda: carry.spending)
    assert not ours.settle(0.05)
    go.set()
    assert ours.settle(10)


# --------------------------------------------------------------------------------- worker threads


def hang_all_workers(ours: Follower, go: threading.Event) -> list[Carry]:
    hanging = threading.Semaphore(0)

    def hang() -> None:
        hanging.release()
        go.wait()

    async def carried(carry: Carry) -> None:
        await ours.blocking(hang)

    carries = [ours.carry(number, carried) for number in range(worker.WORKERS + 5)]
    for _ in range(worker.WORKERS):
        assert hanging.acquire(timeout=10)
    return carries


def test_leases_are_renewed_while_all_workers_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.05)
    beats: list[Any] = []
    ours, go = Follower(lambda: beats.append(1)), threading.Event()
    carries = hang_all_workers(ours, go)
    heard = len(beats)
    until(lambda: len(beats) > heard + 1)
    go.set()
    for carry in carries:
        carry.done.result(10)


def test_the_journal_is_written_while_all_workers_hang() -> None:
    ours, go = Follower(), threading.Event()
    carries = hang_all_workers(ours, go)

    async def carried(carry: Carry) -> str:
        return await ours.quickly(lambda: "written")

    assert ours.carry("row", carried).done.result(10) == "written"
    assert not any(carry.done.done() for carry in carries)
    go.set()


def test_no_more_is_computed_at_once_than_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "COMPUTING_WORKERS", 2)
    ours, go, begun = Follower(), threading.Event(), threading.Semaphore(0)

    def compute() -> None:
        begun.release()
        go.wait()

    async def carried(carry: Carry) -> None:
        await ours.computing(compute)

    async def other(carry: Carry) -> str:
        return await ours.blocking(lambda: "polled")

    carries = [ours.carry(number, carried) for number in range(5)]
    assert [begun.acquire(timeout=10) for _ in range(2)] == [True, True]
    assert ours.carry("row", other).done.result(10) == "polled"
    assert not begun.acquire(timeout=0.2)
    go.set()
    for carry in carries:
        carry.done.result(10)


def test_a_failing_heartbeat_beats_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.02)
    beats: list[Any] = []

    def beat() -> None:
        beats.append(1)
        raise OSError("the disk is gone")

    Follower(beat).wake()
    until(lambda: len(beats) >= 3)


def test_more_calls_than_workers_wait_without_a_thread() -> None:
    ours, go = Follower(), threading.Event()
    hang_all_workers(ours, go)
    workers = [each for each in threading.enumerate() if each.name == "seedance-worker"]
    assert len(workers) <= worker.WORKERS + worker.QUICK_WORKERS
    go.set()


# ------------------------------------------------------------------------------------------- pace


@given(intervals, st.none() | st.floats(1, 5000), seconds, st.floats(0, 1))
def test_nobody_is_asked_faster_than_the_interval(
    interval: float, expected: float | None, elapsed: float, dice: float
) -> None:
    assert Pace(interval, expected).after(elapsed, dice) >= interval


@given(intervals, seconds, st.floats(0, 1))
def test_without_a_history_the_end_is_seen_within_a_seventh_of_what_it_took(
    interval: float, elapsed: float, dice: float
) -> None:
    assert Pace(interval).after(elapsed, dice) <= max(interval, elapsed / 7)


@given(intervals, st.floats(1, 5000), st.floats(-1, 1))
def test_around_the_expected_end_the_interval_is_used(
    interval: float, expected: float, part: float
) -> None:
    half = min(DENSE_POLLS * interval, expected / 2) * 0.999
    assert Pace(interval, expected).after(expected + part * half) == interval


@given(intervals, st.floats(1, 5000), seconds)
def test_no_early_wait_reaches_far_into_the_dense_time(
    interval: float, expected: float, elapsed: float
) -> None:
    dense_from = expected - min(DENSE_POLLS * interval, expected / 2)
    if elapsed < dense_from:
        asked = elapsed + Pace(interval, expected).after(elapsed)
        assert asked <= dense_from + interval


@given(intervals, st.none() | st.floats(1, 5000), st.floats(0, 1e9), st.floats(0, 1))
def test_a_task_is_never_left_alone_for_longer_than_a_minute_or_two(
    interval: float, expected: float | None, elapsed: float, dice: float
) -> None:
    """A task of last month that is taken up again, or a clock that was set, is no reason to."""
    assert Pace(interval, expected).after(elapsed, dice) <= max(interval, 120)


def test_the_users_interval_is_used_always() -> None:
    assert Pace(5.0, 100.0, fixed=0.05).after(3.0) == 0.05


def test_usual_tasks_are_asked_for_at_most_thirty_times() -> None:
    for interval in (2.0, 5.0, 10.0):
        for expected in (60.0, 110.0, 170.0):
            for history in (None, expected):
                pace, now, polls = Pace(interval, history), interval, 1
                while now < expected:
                    now += pace.after(now)
                    polls += 1
                assert polls <= 30
