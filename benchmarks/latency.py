"""How soon ComfyUI's server answers while nodes of ours work, in a real ComfyUI.

Asks `GET /prompt` 20 times a second, as a page does, and counts from the moment at which each
request was due, so that one that hangs makes the next ones late too. Meanwhile: nothing; eight
nodes that wait for their tasks and save them; a 1080p clip of 5 s that becomes an IMAGE batch, with
ComfyUI's own nodes and with ours; a clip of 50 MB that goes up. Providers are fakes in a process of
their own. Needs COMFYUI_PATH (and COMFYUI_PYTHON, its interpreter).

    python benchmarks/latency.py [--repeat 2]
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import os
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlsplit

import stage
from comfyui import ComfyUI, missing

A_SECOND = 20

_seeds = itertools.count(1)


class Probe:
    """Asks the server all the time, in a thread, until the `with` block ends."""

    def __init__(self, url: str) -> None:
        self.milliseconds: list[float] = []
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Probe:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._connection.close()

    def _ask(self) -> None:
        due = time.perf_counter()
        while not self._ended.wait(max(due - time.perf_counter(), 0)):
            self._connection.request("GET", "/prompt")
            self._connection.getresponse().read()
            self.milliseconds.append(1000 * (time.perf_counter() - due))
            due += 1 / A_SECOND


# ---------------------------------------------------------------------------------------- graphs


def show(*link: object) -> dict[str, Any]:
    return {"class_type": "PreviewAny", "inputs": {"source": list(link)}}


def ours(node: str = "SeedanceT2V", **inputs: Any) -> dict[str, Any]:
    values = {"provider": "lumenfall", "prompt": "a fox", "seed": next(_seeds), **inputs}
    return {"class_type": node, "inputs": values}


def eight_nodes() -> dict[str, Any]:
    graph = {}
    for number in range(8):
        graph |= {str(number): ours(), f"show {number}": show(str(number), 5)}
    return graph


def frames_of(node: dict[str, Any], **more: Any) -> dict[str, Any]:
    size = {"class_type": "GetImageSize", "inputs": {"image": ["1", 0]}}
    return {**more, "1": node, "size": size, "show": show("size", 0)}


def comfyui_decodes() -> dict[str, Any]:
    # A file of another name each time, or the result would come from ComfyUI's cache.
    load = {"class_type": "LoadVideo", "inputs": {"file": f"clip{next(_seeds) % 100}.mp4"}}
    own = {"class_type": "GetVideoComponents", "inputs": {"video": ["load", 0]}}
    return frames_of(own, load=load)


def upload() -> dict[str, Any]:
    load = {"class_type": "LoadVideo", "inputs": {"file": f"large{next(_seeds) % 100}.mp4"}}
    order = {"provider": "aihubmax", "videos.video_1": ["load", 0]}
    return {"load": load, "1": ours("SeedanceReference", **order), "show": show("1", 5)}


SITUATIONS: dict[str, Callable[[], dict[str, Any]] | None] = {
    "nothing": None,
    "8 nodes wait for their tasks, then save": eight_nodes,
    "ComfyUI's Load Video, Get Video Components: 1080p": comfyui_decodes,
    "our node makes and decodes 1080p": lambda: frames_of(ours()),
    "our node sends a clip of 50 MB": upload,
}


def large_clip(path: Path, size: int) -> Path:
    """A good clip of `size` bytes: a box that players skip makes it as large as that."""
    import clips

    clips.write(path, width=640, height=480, frames=72)
    with path.open("r+b") as file:
        written = file.seek(0, os.SEEK_END)
        file.write(struct.pack(">I4s", size - written, b"free"))
        file.truncate(size)
    return path


def measure(comfyui: ComfyUI, graph: Callable[[], dict[str, Any]] | None) -> tuple[float, Probe]:
    began = time.perf_counter()
    with Probe(comfyui.url) as probe:
        if graph is None:
            time.sleep(5)
        else:
            entry = comfyui.run(graph())
            assert entry["status"]["status_str"] == "success", entry["status"]
    return time.perf_counter() - began, probe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--repeat", type=int, default=2)
    options = parser.parse_args()
    if missing():
        print(f"Left out: {missing()}.")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = stage.make_clip(folder / "clip.mp4", 1920, 1080, 121)
        large = large_clip(folder / "large.mp4", 50_000_000)
        comfyui = ComfyUI(folder / "base")
        for number in range(100):
            (comfyui.base / "input" / f"clip{number}.mp4").symlink_to(clip)
            (comfyui.base / "input" / f"large{number}.mp4").symlink_to(large)
        results: dict[str, list[tuple[float, Probe]]] = {name: [] for name in SITUATIONS}
        with (
            stage.providers(3, clip, "lumenfall", "aihubmax") as variables,
            comfyui.running(**variables, SEEDANCE_MAX_USD="0", SEEDANCE_POLL_INTERVAL="1"),
        ):
            comfyui.run(frames_of(ours()))  # the first node imports what all need
            for _ in range(options.repeat):
                for name, graph in SITUATIONS.items():
                    results[name].append(measure(comfyui, graph))
    rows = []
    for name, runs in results.items():
        times = [each for _, probe in runs for each in probe.milliseconds]
        p95 = quantiles(times, n=20)[-1]
        rows.append(
            (
                name,
                f"{min(took for took, _ in runs):.1f} s",
                f"{median(times):.1f} ms",
                f"{p95:.1f} ms",
                f"{max(times):.0f} ms",
            )
        )
    stage.table(("meanwhile", "takes", "median answer", "p95", "longest"), rows)


if __name__ == "__main__":
    main()
