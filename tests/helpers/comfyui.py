"""A real ComfyUI for tests, in folders of its own: start it, queue prompts, read what it says.

`COMFY_HOSTS` names the installations, "FOLDER|PYTHON;FOLDER|PYTHON": each with the interpreter that
has its packages. For one installation, `COMFYUI_PATH` is its folder and `COMFYUI_PYTHON` its
interpreter. An interpreter that is not named is the one that runs the tests.

A test takes the fixture `comfy_host` and runs once on each.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paths import ROOT

from seedance.journal import Journal, Row
from seedance.providers import registry


@dataclass(frozen=True)
class Host:
    """An installation of ComfyUI."""

    folder: Path
    python: str

    @property
    def name(self) -> str:
        return self.folder.name


def hosts() -> list[Host]:
    """The installations that the environment names."""
    named = os.environ.get("COMFY_HOSTS", "")
    if not named and (path := os.environ.get("COMFYUI_PATH")):
        named = f"{path}|{os.environ.get('COMFYUI_PYTHON', '')}"
    pairs = [entry.strip().partition("|") for entry in named.split(";") if entry.strip()]
    return [Host(Path(folder), python or sys.executable) for folder, _, python in pairs]


def missing() -> str:
    """Why there is no ComfyUI to test with; empty if there is one."""
    wrong = [str(host.folder) for host in hosts() if not (host.folder / "main.py").is_file()]
    if wrong:
        return f"{', '.join(wrong)}: there is no main.py"
    return "" if hosts() else "neither COMFY_HOSTS nor COMFYUI_PATH is set"


def parameters() -> list[Any]:
    """For the fixture `comfy_host`: each installation, or one parameter that skips its tests."""
    import pytest

    mark = pytest.mark.comfyui
    if missing():
        return [pytest.param(None, id="none", marks=(mark, pytest.mark.skip(reason=missing())))]
    return [pytest.param(host, id=host.name, marks=mark) for host in hosts()]


class ComfyUI:
    """One base folder, in which a ComfyUI can be started more than once, with the same `flags`.

    `host` is the first that the environment names, if not given. ComfyUI's partner nodes are left
    out unless a flag says where their service is. `pid` is the process that runs, or ran last.
    """

    def __init__(self, base: Path, *flags: str, host: Host | None = None) -> None:
        self.base, self.flags = base, flags
        self.host = host or hosts()[0]
        for name in ("custom_nodes", "input", "output", "temp", "user", "models"):
            (base / name).mkdir(parents=True)
        (base / "custom_nodes" / "comfyui-seedance").symlink_to(ROOT)
        shutil.copy(self.host.folder / "input" / "example.png", base / "input")
        self.log_file = base / "log"
        self.url = ""
        self.pid = 0

    @contextmanager
    def running(self, **variables: str) -> Iterator[None]:
        """ComfyUI, with these variables in its environment, until the block ends."""
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        partners = [] if "--comfy-api-base" in self.flags else ["--disable-api-nodes"]
        command = [
            *(self.host.python, "main.py", "--cpu"),
            *("--listen", "127.0.0.1", "--port", str(port), "--base-directory", str(self.base)),
            *("--database-url", "sqlite:///:memory:", *partners, *self.flags),
        ]
        with self.log_file.open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                command,
                cwd=self.host.folder,
                env={**_environment(), "HOME": str(self.base / "person"), **variables},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.pid = process.pid
        try:
            self._wait_until_up(process)
            yield
        finally:
            process.terminate()
            process.wait()

    def _wait_until_up(self, process: subprocess.Popen[bytes]) -> None:
        while True:
            try:
                self.get("/system_stats")
                return
            except OSError:
                assert process.poll() is None, f"ComfyUI ended:\n{self.log}"
                time.sleep(0.2)

    # ------------------------------------------------------------------------------- requests

    def get(self, path: str) -> Any:
        return self.send("GET", path)[1]

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The status and the JSON of the answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **headers} if data else headers
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as reply:
                return reply.status, json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def queue(self, prompt: dict[str, Any], client_id: str | None = None) -> str:
        """Queue an API prompt; gives its id."""
        body = {"prompt": prompt, **({"client_id": client_id} if client_id else {})}
        status, answer = self.send("POST", "/prompt", body)
        assert status == 200, answer
        return str(answer["prompt_id"])

    def history(self, prompt_id: str) -> dict[str, Any]:
        """The prompt's entry in the history, once it has ended."""
        while True:
            entry = self.get(f"/history/{prompt_id}").get(prompt_id)
            if entry:
                return dict(entry)
            time.sleep(0.1)

    def run(self, prompt: dict[str, Any]) -> dict[str, Any]:
        """Queue a prompt and wait for its end."""
        return self.history(self.queue(prompt))

    # -------------------------------------------------------------------------- what is there

    @property
    def log(self) -> str:
        """What ComfyUI has printed, without colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.log_file.read_text(encoding="utf-8"))

    @property
    def import_seconds(self) -> float:
        """The pack's import time as ComfyUI prints it."""
        found = re.search(r"([\d.]+) seconds: .*comfyui-seedance$", self.log, re.MULTILINE)
        assert found, self.log
        return float(found[1])

    def rows(self) -> list[Row]:
        """The rows of the pack's journal, the oldest first."""
        journal = Journal(f"sqlite:///{self.base / 'user' / '__seedance' / 'journal.db'}")
        try:
            return journal.newest()[::-1]
        finally:
            journal.close()

    def outputs(self, pattern: str) -> list[Path]:
        return sorted((self.base / "output").glob(pattern))


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come; the test's time-out is the limit."""
    while not condition():
        time.sleep(0.1)


class Page:
    """What a page would hear on its web socket."""

    def __init__(self, comfyui: ComfyUI) -> None:
        self.client_id = uuid.uuid4().hex
        self.messages: list[dict[str, Any]] = []
        self._address = f"{comfyui.url}/ws?clientId={self.client_id}"
        self._connected = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Page:
        self._thread.start()
        assert self._connected.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._task
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def _run(self) -> None:
        self._task = self._loop.create_task(self._listen())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        finally:
            self._loop.close()

    async def _listen(self) -> None:
        import aiohttp

        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(self._address, max_msg_size=0) as socket_,
        ):
            self._connected.set()
            async for message in socket_:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self.messages.append(json.loads(message.data))

    def of_type(self, name: str) -> list[dict[str, Any]]:
        """The data of the messages of one type."""
        return [message["data"] for message in self.messages if message["type"] == name]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment() -> dict[str, str]:
    """This process's environment without keys, settings of ours, and proxies."""
    keys = {
        name
        for provider in registry().values()
        for name in (provider.key_variable, *provider.asset_key_variables)
    }
    return {
        name: value
        for name, value in os.environ.items()
        if name not in keys
        and (not name.startswith("SEEDANCE_") or name == "SEEDANCE_GUARD_LOG")
        and not name.upper().endswith("_PROXY")
    }
