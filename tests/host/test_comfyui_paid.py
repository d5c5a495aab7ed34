"""What nodes in a real ComfyUI do about money when a take or a neighbour fails, after Cancel, and
after a crash.

The provider is a fake one on loopback that counts what it was paid for. Runs on each ComfyUI
of COMFY_HOSTS.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from comfyui import ComfyUI, Host, Page, until
from fakes import Answer, Request
from fakes.lumenfall import FakeLumenfall

FOREVER = 10**9  # polls


@pytest.fixture(scope="module")
def provider(comfy_host: Host) -> Iterator[FakeLumenfall]:
    with FakeLumenfall() as fake:
        yield fake


@pytest.fixture(scope="module")
def base(comfy_host: Host, guard_log: Any, tmp_path_factory: pytest.TempPathFactory) -> ComfyUI:
    return ComfyUI(tmp_path_factory.mktemp("paid") / "base", host=comfy_host)


def variables(provider: FakeLumenfall) -> dict[str, str]:
    return {**provider.environment(), "SEEDANCE_POLL_INTERVAL": "0.2"}


@pytest.fixture(scope="module")
def server(base: ComfyUI, provider: FakeLumenfall) -> Iterator[ComfyUI]:
    with base.running(**variables(provider)):
        yield base


@pytest.fixture(autouse=True)
def quick(provider: FakeLumenfall) -> None:
    provider.polls_until_done = 2


def text(seed: int, **inputs: Any) -> dict[str, Any]:
    values = {"provider": "lumenfall", "prompt": "a hill", "seed": seed, **inputs}
    return {"class_type": "SeedanceT2V", "inputs": values}


def show(*link: Any) -> dict[str, Any]:
    return {"class_type": "PreviewAny", "inputs": {"source": list(link)}}


def status_of(entry: dict[str, Any]) -> str:
    return str(entry["status"]["messages"][-1][0])


def refuse(provider: FakeLumenfall, seed: int) -> None:
    """The next create with this seed is refused."""

    def matches(request: Request) -> bool:
        return request.method == "POST" and request.json.get("seed") == seed

    error = {"message": "Not this one.", "type": "invalid_request_error", "code": "INVALID_REQUEST"}
    provider.fault(matches, Answer(400, json={"error": error}))


def test_a_failed_take_leaves_the_other_and_queueing_again_sends_only_it(
    server: ComfyUI, provider: FakeLumenfall
) -> None:
    paid = provider.creates
    refuse(provider, 12)
    graph = {"1": text(11, takes=2), "2": show("1", 5)}
    with Page(server) as page:
        first = server.history(server.queue(graph, page.client_id))
    (good,) = first["outputs"]["2"]["text"]
    assert provider.creates == paid + 1
    (blocked,) = page.of_type("execution_error")
    assert "Not this one." in blocked["exception_message"]

    again = server.run(graph)
    assert again["outputs"]["2"]["text"] == [good, server.rows()[-1].task]
    assert provider.creates == paid + 2

    server.run(graph)
    assert provider.creates == paid + 2


def test_the_failure_of_a_neighbour_cancels_nothing(
    server: ComfyUI, provider: FakeLumenfall
) -> None:
    provider.polls_until_done = FOREVER
    graph = {"1": text(21), "2": show("1", 5)}
    prompt_id = server.queue({**graph, "3": text(22), "4": show("3", 5)})
    until(lambda: [row.state for row in server.rows()[-2:]] == ["running"] * 2)
    failing = server.rows()[-1]
    provider.tasks[str(failing.task).partition(":")[2]].cancelled = True
    assert status_of(server.history(prompt_id)) == "execution_error"

    provider.polls_until_done = 2
    until(lambda: server.rows()[-2].state == "saved")
    assert not provider.sent("DELETE")


def test_the_next_queue_takes_what_went_on_and_pays_nothing(
    server: ComfyUI, provider: FakeLumenfall
) -> None:
    provider.polls_until_done = FOREVER
    graph = {"1": text(31), "2": show("1", 5)}
    prompt_id = server.queue(graph)
    until(lambda: server.rows()[-1].state == "running")
    server.send("POST", "/interrupt", {"prompt_id": prompt_id})
    assert status_of(server.history(prompt_id)) == "execution_interrupted"
    paid, row = provider.creates, server.rows()[-1]

    provider.polls_until_done = 2
    entry = server.run(graph)
    assert entry["outputs"]["2"]["text"] == [row.task]
    assert provider.creates == paid


def test_after_a_crash_the_next_start_takes_the_task_up_by_itself(
    tmp_path: Path, provider: FakeLumenfall
) -> None:
    provider.polls_until_done = FOREVER
    base = ComfyUI(tmp_path / "base")
    with base.running(**variables(provider)):
        base.queue({"1": text(41), "2": show("1", 5)})
        until(lambda: [row.state for row in base.rows()] == ["running"])
    paid = provider.creates
    provider.polls_until_done = 2
    with base.running(**variables(provider)):
        until(lambda: base.rows()[0].state == "saved")
    assert provider.creates == paid
