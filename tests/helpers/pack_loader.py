"""Loads the pack as ComfyUI loads it, over the stand-in in host_stub/, and runs its nodes."""

from __future__ import annotations

import asyncio
import atexit
import importlib
import importlib.util
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from paths import HELPERS, ROOT

STUB = HELPERS / "host_stub"
STUB_MODULES = (
    *("comfy", "comfy_api", "comfy_execution", "execution", "folder_paths", "nodes", "server"),
)


class Pack:
    """The loaded pack: `pack.generate` is its nodes/generate.py, `pack.core("order")` its
    seedance/order.py (not the `seedance` that tests import), `pack.server` the server."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.extension: Any = asyncio.run(sys.modules[name].comfy_entrypoint())
        self.nodes: dict[str, Any] = {
            node.GET_SCHEMA().node_id: node for node in asyncio.run(self.extension.get_node_list())
        }

    def __getattr__(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self.name}.nodes.{name}")

    def core(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self.name}.seedance.{name}")

    def load(self) -> None:
        """What ComfyUI does with the extension."""
        asyncio.run(self.extension.on_load())
        host("nodes").NODE_CLASS_MAPPINGS.update(self.nodes)

    def quick_previews(self) -> None:
        """The clips of the preview have one frame a second from now on."""
        self.core("preview.render").FPS = 1  # type: ignore[attr-defined]

    @property
    def server(self) -> Any:
        return host("server").PromptServer.instance

    def run(self, node_id: str, **inputs: Any) -> Any:
        """Execute a node as ComfyUI does, in an event loop of its own."""
        return asyncio.run(self.execute(node_id, **inputs))

    async def execute(
        self, node_id: str, *, at: str = "1", prompt_id: str = "p", item: int = 0, **inputs: Any
    ) -> Any:
        self.execution_context(at, prompt_id, item)
        return await self.nodes[node_id].execute(**inputs)

    def fingerprint(self, node_id: str, at: str = "1", **inputs: Any) -> Any:
        """What ComfyUI's cache asks before it runs a node; linked inputs are None."""
        self.execution_context(at, "p")
        return self.nodes[node_id].fingerprint_inputs(**inputs)

    def execution_context(self, node_id: str, prompt_id: str, item: int = 0) -> None:
        utils = host("comfy_execution.utils")
        utils.current.set(utils.ExecutionContext(prompt_id, node_id, item))


def host(name: str) -> Any:
    """A module of the stand-in."""
    return importlib.import_module(name)


@contextmanager
def loaded_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pack]:
    """The pack, loaded afresh into a server of its own. Skips the test where aiohttp is not: it
    comes with ComfyUI, not with the core."""
    pytest.importorskip("aiohttp")
    monkeypatch.syspath_prepend(str(STUB))
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "person"))
    monkeypatch.delenv("SEEDANCE_HOME", raising=False)
    monkeypatch.delenv("SEEDANCE_OUTPUT", raising=False)
    before = set(sys.modules)
    filters = {logger.name: list(logger.filters) for logger in _loggers()}
    host("folder_paths").base = tmp_path
    server = host("server").PromptServer.instance = host("server").PromptServer()
    name = str(ROOT).replace(".", "_x_")  # as ComfyUI names it
    spec = importlib.util.spec_from_file_location(name, ROOT / "__init__.py")
    assert spec and spec.loader
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    try:
        yield Pack(name)
    finally:
        server.close()
        if ran := sys.modules.get(f"{name}.seedance.runner.shared_runner"):
            for runner in ran._shared.values():
                runner.close()
        # What would keep this copy of the pack, or let it hear what later ones log.
        if served := sys.modules.get(f"{name}.nodes.host"):
            atexit.unregister(served._end)
        for logger in _loggers():
            logger.filters[:] = filters.get(logger.name, [])
        for module in set(sys.modules) - before:
            if module.startswith((name, *STUB_MODULES)):
                del sys.modules[module]


def _loggers() -> list[logging.Logger]:
    found = logging.root.manager.loggerDict.values()
    return [logger for logger in found if isinstance(logger, logging.Logger)]


# -------------------------------------------------------------------- jobs that tests play through


class ScriptedJob:
    """A take that ends when the test says so."""

    def __init__(self, pack: Pack, order: Any, result: Any = None) -> None:
        self.order, self.changes, self.notes = order, (), ()
        self.progress = pack.core("runner").Progress("queued", fraction=0.0)
        self.cancelled = threading.Event()
        self.released = False
        self.cancel_note = ""
        self.ended: Future[Any] = Future()
        if isinstance(result, BaseException):
            self.ended.set_exception(result)
        elif result is not None:
            self.ended.set_result(result)

    async def wait_async(self, on_progress: Any = None) -> Any:
        while not self.ended.done():
            await asyncio.sleep(0.01)
        return self.ended.result()

    def release(self) -> None:
        self.released = True

    def when_ended(self, tell: Callable[[Any], None]) -> None:
        self.ended.add_done_callback(lambda ended: tell(ended.exception() or ended.result()))

    def cancel(self) -> None:
        self.cancel_note = "It goes on and is billed."
        self.cancelled.set()


class ScriptedRunner:
    """Gives out what `outcome(order)` says: a result, an error, or None for a take that runs on."""

    def __init__(self, pack: Pack, outcome: Callable[[Any], Any]) -> None:
        self.pack, self.outcome = pack, outcome
        self.jobs: list[ScriptedJob] = []
        self.started = threading.Event()

    def start(self, order: Any, *, takes: int = 1, spending: Any = None) -> list[ScriptedJob]:
        jobs = [
            ScriptedJob(self.pack, take, self.outcome(take))
            for take in map(order.take, range(takes))
        ]
        self.jobs += jobs
        self.started.set()
        return jobs


def scripted(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, outcome: Callable[[Any], Any] = lambda order: None
) -> ScriptedRunner:
    """Let the pack's nodes use a scripted runner."""
    runner = ScriptedRunner(pack, outcome)
    monkeypatch.setattr(pack.host, "runner", lambda: runner)
    return runner


def result(pack: Pack, clip: Path, order: Any, **values: Any) -> Any:
    """A finished take over `clip`."""
    base = {
        **dict(task=f"preview:{order.seed}", provider="preview", model=order.model, state="saved"),
        "file": clip,
        "last_frame": clip.with_name(f"{clip.stem}.last.png"),
        "sidecar": clip.with_name(f"{clip.stem}.seedance.json"),
        **dict(seed=order.seed, width=96, height=64, fps=24.0, frames=12, duration=0.5),
        **dict(has_audio=False, cost=None, changes=(), row=1, reused=False),
    }
    return pack.core("runner").Result(**{**base, **values})


def told(pack: Pack, node_id: str = "1") -> list[dict[str, Any]]:
    """What the page was told of a node, the oldest first."""
    sent = [data for event, data, _ in pack.server.sent if event == "seedance.node"]
    return [data for data in sent if data["node"] == node_id]


def under_way(pack: Pack) -> list[list[str]]:
    """Of what the page was told: how far each take is, in English."""
    return [[each["text"] for each in data["takes"]] for data in told(pack) if "takes" in data]
