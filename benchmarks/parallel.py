"""How long many nodes at once take in a real ComfyUI, compared with one.

Every task takes so many seconds at a fake provider (a process of its own) and gives a 720p clip of
5 s, which is saved. One node, eight nodes, and eight nodes with eight takes each, whose last frames
nothing uses or something does, in turns; the best of the rounds counts. Lumenfall gives no last
frame, so that it is decoded; BytePlus gives it. Needs COMFYUI_PATH (and
COMFYUI_PYTHON, its interpreter).

    python benchmarks/parallel.py [--seconds 20 --rounds 2]
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import stage
from comfyui import ComfyUI, missing

# Seconds. A poll that falls on the very end of a task would see it or not by chance.
POLL = "3"
VIDEO, LAST_FRAME = 1, 4
PROVIDERS = LUMENFALL, BYTEPLUS = "lumenfall", "byteplus"
WAYS = {
    "one node": (1, 1, VIDEO, LUMENFALL),
    "8 nodes": (8, 1, VIDEO, LUMENFALL),
    "8 nodes with 8 takes each (64 tasks)": (8, 8, VIDEO, LUMENFALL),
    "the same, and their last frames are used": (8, 8, LAST_FRAME, LUMENFALL),
    "the same, of a provider that gives them": (8, 8, LAST_FRAME, BYTEPLUS),
}
REST_SECONDS, REST = 3.0, 0.3  # in which so little processor time means that it rests
_seeds = itertools.count(0, 100)


def nodes(count: int, takes: int, output: int, provider: str = LUMENFALL) -> dict[str, Any]:
    """A graph of so many nodes, none of which has run before, and of which that output is used."""
    graph: dict[str, Any] = {}
    for number in range(count):
        inputs = {"provider": provider, "prompt": "a fox", "seed": next(_seeds), "takes": takes}
        graph[f"make {number}"] = {"class_type": "SeedanceT2V", "inputs": inputs}
        graph[f"show {number}"] = {
            "class_type": "PreviewAny",
            "inputs": {"source": [f"make {number}", output]},
        }
    return graph


def processor() -> float:
    """Seconds of processor time that ComfyUI has taken so far."""
    (comfyui,) = (one for one in psutil.Process().children() if "main.py" in one.cmdline())
    times = comfyui.cpu_times()
    return float(times.user + times.system)


def seconds(
    comfyui: ComfyUI, count: int, takes: int, output: int, provider: str = LUMENFALL
) -> tuple[float, float]:
    """Until the graph has run: seconds, and those of the processor. Returns when nothing that could
    wait is left."""
    began, spent = time.perf_counter(), processor()
    entry = comfyui.run(nodes(count, takes, output, provider))
    took, spent = time.perf_counter() - began, processor() - spent
    assert entry["status"]["status_str"] == "success", entry["status"]
    before = 0.0
    while (now := processor()) - before > REST:
        before = now
        time.sleep(REST_SECONDS)
    return took, spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    if missing():
        print(f"Left out: {missing()}.")
        return
    with tempfile.TemporaryDirectory() as folder:
        clip = stage.make_clip(Path(folder) / "clip.mp4", 1280, 720, 121)
        comfyui = ComfyUI(Path(folder) / "base")
        with (
            stage.providers(options.seconds, clip, *PROVIDERS) as variables,
            comfyui.running(**variables, SEEDANCE_MAX_USD="0", SEEDANCE_POLL_INTERVAL=POLL),
        ):
            seconds(comfyui, 1, 1, LAST_FRAME)  # the first node imports what all need
            rounds = [
                {name: seconds(comfyui, *way) for name, way in WAYS.items()}
                for _ in range(options.rounds)
            ]
    best = {name: min(done[name] for done in rounds) for name in WAYS}
    one, _ = best["one node"]
    stage.table(
        (f"tasks of {options.seconds:g} s", "time", "time / one node", "CPU time a task"),
        [
            (name, f"{took:.1f} s", f"{took / one:.2f}", f"{spent / count / takes:.2f} s")
            for name, (took, spent) in best.items()
            for count, takes, *_ in [WAYS[name]]
        ],
    )


if __name__ == "__main__":
    main()
