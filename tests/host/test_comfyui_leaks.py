"""A key in a real ComfyUI: in none of what it keeps, sends, logs or saves, at its most talkative.

One key comes from the environment, another is stored by the page. Runs on each ComfyUI
of COMFY_HOSTS.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from comfyui import ComfyUI, Host, Page
from fakes import Answer, Request
from fakes.byteplus import FakeBytePlus
from fakes.lumenfall import FakeLumenfall
from key_search import KEY, World

pytestmark = pytest.mark.safety

STORED = "sk-STORED/4b1d+canary=2f~77aa-zyxwvutsrq"
# What ComfyUI and its page ask, and what anybody on the network could.
ROUTES = (
    *("history", "queue", "prompt", "settings", "users", "system_stats", "features"),
    *("internal/logs", "internal/logs/raw", "internal/folder_paths", "internal/files/output"),
    *("extensions", "object_info/SeedanceT2V", "userdata?dir=.&recurse=true", "api/jobs"),
    *("seedance/providers", "seedance/settings", "seedance/tasks", "seedance/totals"),
    *("seedance/tasks/1", "seedance/tasks/2", "seedance/tasks/3", "seedance/tasks/1/thumbnail"),
    *("seedance/tasks/1/video", "userdata/..%2f__seedance%2fkeys.json", "api/seedance/tasks"),
    *("view?filename=keys.json&subfolder=..%2fuser%2f__seedance", "view?filename=keys.json"),
)


@pytest.fixture(scope="module")
def servers(comfy_host: Host) -> Iterator[tuple[FakeLumenfall, FakeBytePlus]]:
    with FakeLumenfall() as lumenfall, FakeBytePlus() as byteplus:
        lumenfall.key, byteplus.key = KEY, STORED
        yield lumenfall, byteplus


def node(seed: int, provider: str) -> dict[str, Any]:
    inputs = {"provider": provider, "prompt": "a hill", "seed": seed, "ratio": "16:9"}
    return {"class_type": "SeedanceT2V", "inputs": inputs}


def saved(seed: int, provider: str) -> dict[str, Any]:
    """A graph whose files hold the whole graph, as ComfyUI's own saving nodes write it."""
    video = {"format": "auto", "codec": "auto", "video": ["1", 1]}
    return {
        "1": node(seed, provider),
        "2": {"class_type": "SaveVideo", "inputs": {**video, "filename_prefix": "clip"}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["1", 4], "filename_prefix": "p"}},
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["1", 5]}},
    }


def ask(server: ComfyUI, path: str) -> tuple[int, bytes]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{server.url}/{path}", timeout=60) as reply:
            return reply.status, str(reply.headers).encode() + bytes(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, str(error.headers).encode() + error.read()


def test_no_key_is_in_what_comfyui_keeps_sends_logs_or_saves(
    servers: tuple[FakeLumenfall, FakeBytePlus],
    comfy_host: Host,
    guard_log: Any,
    tmp_path: Path,
) -> None:
    lumenfall, byteplus = servers
    worlds = [World(KEY), World(STORED)]

    def see(where: str, what: str | bytes) -> None:
        for world in worlds:
            world.add(where, what)

    (tmp_path / "tmp").mkdir()
    server = ComfyUI(tmp_path / "base", "--verbose", "DEBUG", host=comfy_host)
    variables = {**lumenfall.environment(), **byteplus.environment()}
    del variables["BYTEPLUS_API_KEY"]
    variables |= {"SEEDANCE_POLL_INTERVAL": "0.2", "TMPDIR": str(tmp_path / "tmp")}

    def quoting(request: Request) -> bool:
        return request.method == "POST" and b'"seed": 2' in request.body

    with server.running(**variables), Page(server) as page:
        status, stored = server.send("PUT", "/seedance/keys/byteplus", {"key": STORED})
        assert (status, stored) == (200, {"key": "file"})
        for fake, key in ((lumenfall, KEY), (byteplus, STORED)):
            entry = server.history(server.queue(saved(1, fake.provider), page.client_id))
            assert entry["status"]["messages"][-1][0] == "execution_success"
            error = {"message": f"bad key {key}", "code": key}
            fake.fault(quoting, Answer(401, json={"error": error}))
            entry = server.history(server.queue(saved(2, fake.provider), page.client_id))
            assert entry["status"]["messages"][-1][0] == "execution_error"
            assert "(your key)" in json.dumps(entry)
            see(f"history of {fake.provider}", json.dumps(entry))
        for path in ROUTES:
            status, answer = ask(server, path)
            if path.startswith(("seedance", "history", "queue", "internal/logs")):
                assert status == 200, path
            if "keys.json" in path:
                assert status >= 400, path
            see(path, answer)
        for world in worlds:
            world.add_processes()
    see("messages", json.dumps(page.messages))
    see("the log", server.log)
    assert page.of_type("seedance.node") and server.log
    for world in worlds:
        world.add_files(tmp_path)
    assert {path.suffix for path in (tmp_path / "base" / "output").iterdir()} >= {".mp4", ".png"}
    see("what the provider received", repr([bytes(each.body) for each in lumenfall.requests]))
    for fake, own in ((lumenfall, worlds[0]), (byteplus, worlds[1])):
        assert any(own.key in each.headers.get("authorization", "") for each in fake.requests)
        for world in worlds:
            world.add_requests(
                fake.provider, fake.requests, "authorization" if world is own else ""
            )
    assert [world.leaks() for world in worlds] == [[], []]
