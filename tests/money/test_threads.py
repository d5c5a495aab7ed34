"""Threads for pieces of work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from running import until

from seedance.runner import threads
from seedance.runner.threads import Threads

SOON = 30.0  # seconds; far more than anything here takes


@pytest.fixture
def pool() -> Iterator[Threads]:
    made = Threads()
    yield made
    assert made.close(time.monotonic() + SOON)


def test_pieces_that_wait_for_each_other_all_run(pool: Threads) -> None:
    together = threading.Barrier(20)
    done: list[str] = []

    def work() -> None:
        together.wait(SOON)
        done.append(threading.current_thread().name)

    for number in range(20):
        pool.run(f"piece {number}", work)
    until(lambda: len(done) == 20)
    assert sorted(done) == sorted(f"piece {number}" for number in range(20))


def test_a_thread_without_work_takes_the_next_piece(pool: Threads) -> None:
    seen: list[int] = []
    for number in range(50):
        pool.run("piece", lambda: seen.append(threading.get_ident()))
        until(lambda number=number: len(seen) == number + 1)
        until(lambda: pool._idle == 1)
    assert len(set(seen)) == 1


def test_threads_without_work_end(pool: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "IDLE_SECONDS", 0.01)
    pool.run("piece", lambda: None)
    until(lambda: not any(thread.is_alive() for thread in pool._all))
    done = threading.Event()
    pool.run("piece", done.set)
    assert done.wait(SOON)


def test_closing_waits_for_what_runs_and_for_what_it_begins() -> None:
    pool, done = Threads(), threading.Event()
    closing = threading.Event()

    def first() -> None:
        assert closing.wait(SOON)
        pool.run("second", done.set)

    pool.run("first", first)
    assert not pool.close(time.monotonic())  # it runs
    closing.set()
    assert pool.close(time.monotonic() + SOON) and done.is_set()


def test_without_a_thread_from_the_system_one_of_those_there_does_it_later(
    pool: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, done = threading.Event(), threading.Event()
    pool.run("first", lambda: bool(go.wait(SOON)))

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    pool.run("second", done.set)
    go.set()
    assert done.wait(SOON)
    with pytest.raises(RuntimeError):
        Threads().run("third", done.set)


def test_after_closing_no_thread_is_left() -> None:
    for _ in range(200):
        pool, done = Threads(), threading.Event()
        pool.run("piece", done.set)
        assert done.wait(SOON)
        assert pool.close(time.monotonic() + SOON)
        assert not [t for t in threading.enumerate() if t.name in ("piece", threads.IDLE_NAME)]
