"""A runner's threads: one for each active order, who joins and leaves it, leases, and the end."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from running import until

from seedance.journal import Row, State
from seedance.runner import worker as worker_file
from seedance.runner.active import ActiveOrder
from seedance.runner.client import Stopped
from seedance.runner.progress import ENGLISH, Progress
from seedance.runner.worker import Worker, computing, side_by_side

SOON = 30.0  # seconds; far more than anything here takes
LONG = 3600.0


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker(lambda: None)
    yield made
    assert made.close()


def order(worker: Worker, row_id: int = 1, state: State = State.RUNNING) -> ActiveOrder:
    """An active order whose row lies in no journal."""
    row = cast(Row, SimpleNamespace(id=row_id, uid=str(row_id), state=state, task=None))
    return ActiveOrder(row, cast(Any, None), worker, cast(Any, None), cast(Any, None))


def carried(
    worker: Worker, work: Callable[[ActiveOrder], Any], row_id: int = 1, **row: Any
) -> ActiveOrder:
    return worker.carry(str(row_id), lambda: order(worker, row_id, **row), work)


def names_of_orders() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("seedance-order")]


def held_until(finish: threading.Event, result: str = "video") -> Callable[[ActiveOrder], Any]:
    def work(_: ActiveOrder) -> Any:
        assert finish.wait(SOON)
        return result

    return work


# ----------------------------------------------------------------------------------------- joining


def test_who_comes_second_joins_the_active_order(worker: Worker) -> None:
    finish = threading.Event()
    first = carried(worker, held_until(finish))
    assert carried(worker, held_until(finish)) is first
    finish.set()
    assert first.done.result(SOON) == "video"
    assert carried(worker, held_until(finish)) is not first


def test_orders_do_not_wait_for_each_other(worker: Worker) -> None:
    slow, fast = threading.Event(), threading.Event()
    first = carried(worker, held_until(slow), 1)
    second = carried(worker, held_until(fast, "other"), 2)
    fast.set()
    assert second.done.result(SOON) == "other"
    assert not first.done.done()
    slow.set()
    first.done.result(SOON)


def test_an_error_reaches_everybody_who_waits(worker: Worker) -> None:
    def work(_: ActiveOrder) -> Any:
        raise ValueError("no")

    active = carried(worker, work)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            active.done.result(SOON)


def test_a_worker_is_busy_while_an_order_is_active(worker: Worker) -> None:
    finish = threading.Event()
    assert not worker.busy
    active = carried(worker, held_until(finish))
    assert worker.busy
    assert worker.find(1) is active
    finish.set()
    active.done.result(SOON)
    assert not worker.busy
    assert worker.find(1) is None


def test_what_cannot_be_made_leaves_nothing_to_join(worker: Worker) -> None:
    def make() -> ActiveOrder:
        raise ValueError("not even begun")

    with pytest.raises(ValueError, match="not even begun"):
        worker.carry("1", make, lambda _: cast(Row, None))
    finish = threading.Event()
    finish.set()
    assert carried(worker, held_until(finish, "begun")).done.result(SOON) == "begun"


def test_a_hundred_orders_take_a_hundred_threads_and_a_heartbeat(worker: Worker) -> None:
    finish = threading.Event()
    before = set(threading.enumerate())
    actives = [carried(worker, held_until(finish), number) for number in range(100)]
    names = {"seedance-heartbeat", *(f"seedance-order-{n}" for n in range(100))}
    until(lambda: {thread.name for thread in set(threading.enumerate()) - before} == names)
    finish.set()
    for active in actives:
        active.done.result(SOON)
    until(lambda: not names_of_orders())


# ----------------------------------------------------------------------------------------- waiting


class Waiting:
    """Work that is to be called again after so many seconds, each time but the last."""

    def __init__(self, *seconds: float) -> None:
        self.left, self.calls = list(seconds), 0
        self.called = threading.Event()

    def __call__(self, active: ActiveOrder) -> Any:
        self.calls += 1
        self.called.set()
        active.pause(0.0)
        return self.left.pop(0) if self.left else "video"


def test_an_order_that_waits_is_brought_on_when_it_is_time(worker: Worker) -> None:
    work = Waiting(0.01, 0.0, 0.02)
    assert carried(worker, work).done.result(SOON) == "video"
    assert work.calls == 4


def test_orders_that_wait_have_no_thread_and_are_active(worker: Worker) -> None:
    works = [Waiting(LONG) for _ in range(100)]
    actives = [carried(worker, work, number) for number, work in enumerate(works)]
    until(lambda: len(worker._waiting) == 100)
    until(lambda: not names_of_orders())
    assert [work.calls for work in works] == [1] * 100
    assert worker.count == 100 and worker.find(7) is actives[7]
    assert carried(worker, Waiting(), 7) is actives[7]


def test_a_cancel_wakes_an_order_that_waits(worker: Worker) -> None:
    work = Waiting(LONG, LONG)
    active = carried(worker, work)
    until(lambda: active in worker._waiting)
    active.request_cancel()
    until(lambda: work.calls == 2)
    until(lambda: active in worker._waiting)
    active.request_cancel()
    assert active.done.result(SOON) == "video"


def test_a_cancel_that_comes_before_the_wait_begins_wakes_it_too(worker: Worker) -> None:
    begun, cancelled = threading.Event(), threading.Event()
    calls: list[int] = []

    def work(active: ActiveOrder) -> Any:
        calls.append(1)
        begun.set()
        assert cancelled.wait(SOON)
        return LONG if len(calls) == 1 else "video"

    active = carried(worker, work)
    assert begun.wait(SOON)
    active.request_cancel()
    cancelled.set()
    assert active.done.result(SOON) == "video"


def test_closing_stops_orders_that_wait() -> None:
    worker = Worker(lambda: None)
    actives = [carried(worker, Waiting(LONG), number) for number in range(20)]
    until(lambda: len(worker._waiting) == 20)
    assert worker.close()
    for active in actives:
        with pytest.raises(Stopped):
            active.done.result(0)
    assert names_of_orders() == []


def test_an_order_waits_on_where_the_system_gives_no_thread(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_file, "THREADLESS_SECONDS", 0.01)
    run, refused = worker._orders.run, list[str]()

    def scarce(name: str, work: Callable[[], None]) -> None:
        if worker.busy and len(refused) < 3:
            refused.append(name)
            raise RuntimeError("can't start new thread")
        run(name, work)

    active = order(worker)
    work = Waiting(0.01)
    worker._active.append(active)
    worker._bring_on_in(0.0, active, work)
    monkeypatch.setattr(worker._orders, "run", scarce)
    assert active.done.result(SOON) == "video"


# ---------------------------------------------------------------------------------------- progress


def test_who_listens_late_hears_how_far_it_is(worker: Worker) -> None:
    active, heard = order(worker), list[Progress]()
    active.say("rendering_part", 0.4, 12.0, percent=40)
    active.listen(heard.append)
    active.unlisten(heard.append)
    active.say("saved", 1.0)
    assert heard == [Progress("rendering_part", {"percent": 40}, 0.4, 12.0)]
    assert str(heard[0]) == "rendering 40 %, about 12 s left"
    assert str(replace(heard[0], seconds_left=0.4)) == "rendering 40 %"


def test_a_listener_may_leave_while_it_listens(worker: Worker) -> None:
    active, heard = order(worker), list[str]()

    def once(progress: Progress) -> None:
        heard.append(progress.code)
        if progress.code == "queued":
            active.unlisten(once)

    active.listen(once)
    active.listen(lambda progress: heard.append(progress.code))
    active.say("queued")
    active.say("rendering")
    assert heard == ["starting", "starting", "queued", "queued", "rendering"]
    active.unlisten(once)  # once more changes nothing


def test_every_sentence_about_progress_has_its_numbers() -> None:
    numbers = dict.fromkeys(
        ("number", "count", "busy", "seconds", "ahead", "percent", "megabytes", "total", "minutes"),
        7,
    )
    for code in ENGLISH:
        text = str(Progress(code, numbers))
        assert "{" not in text
        assert text == text.strip() != ""


# ------------------------------------------------------------------------------------------ cancel


def pausing(paused: threading.Event, seconds: float = LONG) -> Callable[[ActiveOrder], Any]:
    def work(active: ActiveOrder) -> Any:
        paused.set()
        active.pause(seconds)
        return "awake"

    return work


def test_a_cancel_wakes_a_pause(worker: Worker) -> None:
    paused = threading.Event()
    active = carried(worker, pausing(paused))
    assert paused.wait(SOON)
    active.request_cancel()
    assert active.done.result(SOON) == "awake"


def test_a_cancel_before_the_first_pause_is_not_missed(worker: Worker) -> None:
    active = order(worker)
    active.request_cancel()
    active.pause(LONG)
    assert active.cancelled()


def test_a_pause_ends_without_a_cancel_too(worker: Worker) -> None:
    active = order(worker)
    active.pause(0.01)
    active.pause(-5.0)
    assert not active.cancelled()


def test_a_refused_cancel_is_answered_and_forgotten(worker: Worker) -> None:
    active = order(worker)
    refusal = active.request_cancel()
    assert active.stop.is_set()
    active.refuse_cancel("it is too late")
    assert refusal.result(SOON) == "it is too late"
    assert not active.cancelled()
    assert not active.stop.is_set()


def test_a_cancel_counts_only_while_nobody_else_waits(worker: Worker) -> None:
    active = order(worker)
    active.waiters = 1
    refusal = active.request_cancel()
    assert not active.cancelled()
    assert "somebody else waits" in refusal.result(SOON)


def test_who_joins_while_an_order_is_cancelled_hears_when_that_is_decided(worker: Worker) -> None:
    active = order(worker)
    assert active.join() is None
    active.leave()
    active.request_cancel()
    assert active.cancelled()
    decided = active.join()
    assert decided is not None and not decided.done()
    active.refuse_cancel("the provider goes on")
    assert decided.result(SOON) == "the provider goes on"
    assert active.join() is None


def test_a_finished_video_is_not_cut_off_by_a_cancel(worker: Worker) -> None:
    active = order(worker, state=State.SUCCEEDED)
    active.request_cancel()
    assert not active.stop.is_set()


def test_whoever_cancels_an_order_that_ends_hears_of_it(worker: Worker) -> None:
    paused = threading.Event()
    active = carried(worker, pausing(paused))
    assert paused.wait(SOON)
    assert active.request_cancel().result(SOON) == "it has ended"
    assert active.done.done()


# --------------------------------------------------------------------------------- money in flight


def test_nothing_in_flight_is_settled(worker: Worker) -> None:
    finish = threading.Event()
    active = carried(worker, held_until(finish))
    assert worker.settle(0)
    finish.set()
    active.done.result(SOON)


def test_settling_waits_for_a_paid_call(worker: Worker) -> None:
    finish = threading.Event()
    active = carried(worker, held_until(finish))
    active.spending = True
    assert not worker.settle(0)
    waiting = threading.Thread(target=worker.settle, daemon=True)
    waiting.start()
    active.spending = False
    worker.note_settled()
    waiting.join(SOON)
    assert not waiting.is_alive()
    finish.set()
    active.done.result(SOON)


def test_settling_waits_no_longer_for_an_order_that_has_ended(worker: Worker) -> None:
    def work(active: ActiveOrder) -> Any:
        active.spending = True
        raise ValueError

    with pytest.raises(ValueError):
        carried(worker, work).done.result(SOON)
    assert worker.settle(0)


# --------------------------------------------------------------------------------------- heartbeat


def test_a_heartbeat_goes_on_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_file, "HEARTBEAT_SECONDS", 0.01)
    beats = []

    def beat() -> None:
        beats.append(1)
        raise OSError("the disk is gone")

    made = Worker(beat)
    made.start_heartbeat()
    made.start_heartbeat()
    until(lambda: len(beats) >= 3)
    assert made.close()


def test_leases_are_kept_while_every_order_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_file, "HEARTBEAT_SECONDS", 0.01)
    beats: list[int] = []
    made, finish = Worker(lambda: beats.append(1)), threading.Event()
    for number in range(20):
        carried(made, held_until(finish), number)
    heard = len(beats)
    until(lambda: len(beats) > heard + 1)
    finish.set()
    assert made.close()


# ------------------------------------------------------------------------------ what orders share


def test_what_has_a_lock_is_done_one_after_the_other(worker: Worker) -> None:
    inside, most = [0], [0]

    def work(active: ActiveOrder) -> Any:
        with worker.lock("upload", active):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            threading.Event().wait(0.001)
            inside[0] -= 1

    for active in [carried(worker, work, number) for number in range(5)]:
        active.done.result(SOON)
    assert most[0] == 1
    assert list(worker._locks) == []


def test_who_waits_for_a_lock_can_be_cancelled(worker: Worker) -> None:
    first, second = order(worker, 1), order(worker, 2)
    with worker.lock("upload", first):
        second.request_cancel()
        with pytest.raises(Stopped), worker.lock("upload", second):
            pass


def test_no_more_is_computed_at_once_than_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_file, "_turns", threading.BoundedSemaphore(2))
    begun, go = threading.Semaphore(0), threading.Event()

    def compute() -> None:
        with computing():
            begun.release()
            assert go.wait(SOON)

    threads = [threading.Thread(target=compute, daemon=True) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert [begun.acquire(timeout=SOON) for _ in range(2)] == [True, True]
    assert worker_file._turns._value == 0  # the third waits
    go.set()
    for thread in threads:
        thread.join(SOON)
    assert worker_file._turns._value == 2


def test_items_are_worked_on_side_by_side_and_come_back_in_order() -> None:
    together = threading.Barrier(3)

    def work(item: int) -> int:
        together.wait(SOON)
        return item * 2

    assert side_by_side(work, [1, 2, 3], 3, lambda: None) == [2, 4, 6]
    assert side_by_side(work, [], 3, lambda: None) == []


def test_after_a_failure_nothing_more_is_begun_and_nobody_is_waited_for() -> None:
    begun, go = list[int](), threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item == 1:
            assert go.wait(SOON)
        if item == 2:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        side_by_side(work, [1, 2, 3, 4], 2, lambda: None)
    go.set()
    until(lambda: not any(t.name == "seedance-media" for t in threading.enumerate()))
    assert 4 not in begun


# --------------------------------------------------------------------------------------- the end


def test_closing_stops_orders_and_ends_every_thread() -> None:
    made, paused = Worker(lambda: None), threading.Event()
    active = carried(made, pausing(paused))
    assert paused.wait(SOON)
    with made.watchdog.limit(LONG, lambda: None):
        assert made.close()
    with pytest.raises(Stopped):
        active.done.result(SOON)
    assert not [t for t in threading.enumerate() if t.name.startswith("seedance-")]
    with pytest.raises(RuntimeError, match="closed"):
        carried(made, pausing(paused), 2)


def test_closing_cuts_off_also_what_is_being_saved(worker: Worker) -> None:
    active = order(worker, state=State.SUCCEEDED)
    active.close()
    assert active.stop.is_set()
    with pytest.raises(Stopped):
        active.cancelled()


HANG = """
import threading, time
from types import SimpleNamespace
from seedance.runner.active import ActiveOrder
from seedance.runner.worker import Worker
worker, working = Worker(lambda: None), threading.Event()

def hang(active):
    working.set()
    time.sleep(3600)

row = SimpleNamespace(id=1, uid="1", state="running", task=None)
worker.carry("1", lambda: ActiveOrder(row, None, worker, None, None), hang)
assert working.wait(20)
print("over")
"""


def test_a_process_ends_while_an_order_hangs() -> None:
    child = subprocess.run([sys.executable, "-c", HANG], capture_output=True, text=True, timeout=60)
    assert (child.returncode, child.stdout, child.stderr) == (0, "over\n", "")
