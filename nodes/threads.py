"""The threads of the rim. Nothing that blocks runs on an event loop: neither the server's, nor that
of a prompt, which would wait for the threads of `asyncio.to_thread` before it ends and so hold up a
Cancel.

    in_node_thread       a node's start: reading its media, the first writes to the journal
    in_page_thread       a route that reads files and the journal
    in_check_thread      a route that compares an order with all providers; when a graph is opened,
                         the page asks for each of its nodes
    in_waiting_thread    a node that waits for a provider's library, or for a person
    in_network_thread    a route that waits for a provider
    in_processor_thread  decoding

Each kind has threads of its own, so that none waits behind another: while providers are slow to
answer a cancel, the page still shows its tasks and nodes still start.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

from ..seedance.said import Said, say

Value = TypeVar("Value")
Run = Callable[[Callable[[], Value]], Future[Value]]

MOST_STARTS = 8
MOST_REQUESTS = 8
MOST_CHECKS = 2
MOST_CHECKS_WAITING = 256  # each holds its body, of at most `handler.MAX_BODY`
MOST_NETWORK_WAITS = 16

_nodes = ThreadPoolExecutor(MOST_STARTS, thread_name_prefix="seedance-node")
_page = ThreadPoolExecutor(MOST_REQUESTS, thread_name_prefix="seedance-page")
_checks = ThreadPoolExecutor(MOST_CHECKS, thread_name_prefix="seedance-check")
_checks_waiting = threading.BoundedSemaphore(MOST_CHECKS_WAITING)
_network = threading.BoundedSemaphore(MOST_NETWORK_WAITS)


class Busy(Exception):
    """As many requests as there may be are waiting already, for what the message says."""

    def __init__(self, message: Said) -> None:
        super().__init__(message)
        self.message = message


def in_node_thread(work: Callable[[], Value]) -> Future[Value]:
    """Run a node's start; more than `MOST_STARTS` at once queue."""
    return _nodes.submit(work)


def in_page_thread(work: Callable[[], Value]) -> Future[Value]:
    """Run a route's work; more than `MOST_REQUESTS` at once queue."""
    return _page.submit(work)


def in_check_thread(work: Callable[[], Value]) -> Future[Value]:
    """Run a check; more than `MOST_CHECKS` at once queue. Raises `Busy` if `MOST_CHECKS_WAITING` do
    so already."""
    if not _checks_waiting.acquire(blocking=False):
        raise Busy(say("Too many requests are waiting to be checked."))
    checking = _checks.submit(work)
    checking.add_done_callback(lambda _: _checks_waiting.release())
    return checking


def in_network_thread(work: Callable[[], Value]) -> Future[Value]:
    """Run what waits for a provider. Raises `Busy` if `MOST_NETWORK_WAITS` do so already.

    The process can end while it waits.
    """
    if not _network.acquire(blocking=False):
        raise Busy(say("Too many requests are waiting for providers."))
    return _in_daemon_thread(work, "seedance-network", _network_wait)


def in_waiting_thread(work: Callable[[], Value]) -> Future[Value]:
    """Run a node's work that waits for a provider or a person, for up to half an hour.

    The process can end while it waits.
    """
    return _in_daemon_thread(work, "seedance-asset", nullcontext)


def in_processor_thread(work: Callable[[], Value]) -> Future[Value]:
    """Run what keeps a processor busy, when one is free. Can be cancelled until then."""
    return _in_daemon_thread(work, "seedance-decoding", processor)


def processor() -> AbstractContextManager[None]:
    """Hold one of the process's processors in a `with` block. Waits until one is free."""
    from ..seedance.runner.worker import computing

    return computing()


@contextmanager
def _network_wait() -> Iterator[None]:
    try:
        yield
    finally:
        _network.release()


def _in_daemon_thread(
    work: Callable[[], Value], name: str, slot: Callable[[], AbstractContextManager[None]]
) -> Future[Value]:
    """Run `work` in a thread of its own while it holds `slot`."""
    done: Future[Value] = Future()

    def run() -> None:
        try:
            with slot():
                if not done.set_running_or_notify_cancel():
                    return
                result = work()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return done
