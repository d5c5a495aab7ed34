"""Who waits for whom at the page's routes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core

from pack_site import PREVIEW, Reply, Site, check

pytestmark = pytest.mark.safety


# ------------------------------------------------------------------------- who waits for whom


class SlowProviders:
    """Providers that answer key tests and cancels when `answer` is set, and not before."""

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self.site, self.answer = site, threading.Event()
        self.replies: list[Reply] = []
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._askers: list[threading.Thread] = []
        runner = site.pack.host.runner()
        monkeypatch.setattr(runner, "probe_key", self._probe_key)
        monkeypatch.setattr(runner, "cancel", self._cancel)

    def _probe_key(self, _provider: str) -> Any:
        self._wait()
        return self.site.pack.core("wire").Balance(account="ours")

    def _cancel(self, row: int) -> str:
        self._wait()
        return f"Row {row} is cancelled."

    def _wait(self) -> None:
        self._asked.put(None)
        self.answer.wait()

    def ask(self, *paths: str) -> None:
        """Post to each path; returns when the providers have been asked by all of them."""
        for path in paths:
            ask = threading.Thread(
                target=lambda path: self.replies.append(self.site.ask("POST", path, {})),
                args=(path,),
            )
            ask.start()
            self._askers.append(ask)
        for _ in paths:
            self._asked.get()

    def end(self) -> None:
        self.answer.set()
        for ask in self._askers:
            ask.join()


@pytest.fixture
def slow(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowProviders]:
    slow = SlowProviders(site, monkeypatch)
    try:
        yield slow
    finally:
        slow.end()


CANCELS = [f"/seedance/tasks/{row}/cancel" for row in range(1, 9)]
KEY_TESTS = ["/seedance/keys/fal/test"] * 8


def test_the_page_is_answered_while_nodes_decode(site: Site) -> None:
    go_on = threading.Event()
    decoding = [site.pack.threads.in_processor_thread(go_on.wait) for _ in range(20)]
    try:
        assert site.get("/seedance/tasks") == []
    finally:
        go_on.set()
    assert all(each.result(10) for each in decoding)


@pytest.mark.parametrize("paths", [CANCELS, KEY_TESTS], ids=["cancels", "key tests"])
def test_slow_providers_stop_neither_the_tab_nor_a_node(
    site: Site, slow: SlowProviders, paths: list[str]
) -> None:
    slow.ask(*paths)
    assert site.get("/seedance/tasks") == []
    assert check(site, "SeedanceT2V")["preview"]["price"]["amount"] == 0
    output = site.pack.run("SeedanceT2V", **PREVIEW, decode_frames=False)
    assert output.args[5] == [site.get("/seedance/tasks")[0]["task"]]
    assert slow.replies == []
    slow.end()
    assert [reply.status for reply in slow.replies] == [200] * 8


def test_more_than_sixteen_do_not_wait_for_providers_at_once(
    site: Site, slow: SlowProviders
) -> None:
    slow.ask(*CANCELS, *KEY_TESTS)
    reply = site.ask("POST", KEY_TESTS[0], {})
    assert (reply.status, reply.error["kind"]) == (503, "Unreachable")
    assert "Try again" in reply.error["hint"]
    slow.end()
    assert [reply.status for reply in slow.replies] == [200] * 16
    assert site.ask("POST", CANCELS[0], {}).json == {"message": "Row 1 is cancelled."}


def test_checks_of_a_whole_graph_stop_neither_the_tab_nor_a_node(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a graph is opened, the page asks for each of its nodes."""
    go_on, begun = threading.Event(), queue.SimpleQueue[None]()
    checked = site.pack.host.runner().check

    def slow_check(order: Any) -> Any:
        begun.put(None)
        go_on.wait()
        return checked(order)

    monkeypatch.setattr(site.pack.host.runner(), "check", slow_check)
    body = {"node": "SeedanceT2V", "inputs": {"prompt": "a hill"}}
    replies: list[Reply] = []
    asking = [
        threading.Thread(target=lambda: replies.append(site.ask("POST", "/seedance/check", body)))
        for _ in range(12)
    ]
    for each in asking:
        each.start()
    try:
        for _ in range(site.pack.threads.MOST_CHECKS):
            begun.get()
        assert site.get("/seedance/tasks") == []
        output = site.pack.run("SeedanceT2V", **PREVIEW, decode_frames=False)
        assert output.args[5] == [site.get("/seedance/tasks")[0]["task"]]
        assert begun.empty() and replies == []
    finally:
        go_on.set()
        for each in asking:
            each.join()
    assert [reply.status for reply in replies] == [200] * 12


def test_checks_beyond_a_number_are_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.pack.threads, "_checks_waiting", threading.BoundedSemaphore(1))
    assert site.pack.threads._checks_waiting.acquire()
    reply = site.ask("POST", "/seedance/check", {"node": "SeedanceT2V"})
    assert (reply.status, reply.error["kind"]) == (503, "Unreachable")


def test_a_wait_that_fails_makes_room_for_the_next(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreachable = site.pack.core("errors").Unreachable("Nobody answers.")

    def probe_key(_provider: str) -> None:
        raise unreachable

    monkeypatch.setattr(site.pack.host.runner(), "probe_key", probe_key)
    replies = [site.ask("POST", KEY_TESTS[0], {}) for _ in range(20)]
    assert [reply.status for reply in replies] == [409] * 20
