"""When to ask for a task next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seedance.runner.poll import DENSE_POLLS, Pace

seconds = st.floats(0, 10_000)
intervals = st.floats(0.1, 60)


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
