"""How long ComfyUI's page takes to draw many of our nodes, compared with as many of ComfyUI's own.

A page in Chromium is moved a little each time, seen as a person works (`--scale 0.6`) or from so
far that all nodes are on it: what one call of the canvas's `draw` takes, and what one frame of the
page takes with all that hangs on it. Needs COMFYUI_PATH (and COMFYUI_PYTHON, its interpreter), and
what the browser tests need.

    python benchmarks/canvas.py [--nodes 200 --rounds 3 --scale 0.15]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from statistics import fmean, median
from typing import Any

import stage
from comfyui import ComfyUI, missing

SCRIPT = Path(__file__).with_suffix(".mjs")
# The node's type, and a widget that is taken away.
KINDS = {
    ("SeedanceI2V",): "ours, each with its line",
    ("SeedanceI2V", "seedance_estimate"): "ours, without the line",
    ("ByteDanceImageToVideoNode",): "ComfyUI's own",
}
BASE = ("ByteDanceImageToVideoNode",)


def measure(comfyui: ComfyUI, kind: tuple[str, ...], count: int, scale: float) -> dict[str, Any]:
    """What the page needed for so many nodes of a kind."""
    command = ["node", str(SCRIPT), comfyui.url, kind[0], str(count), str(scale), *kind[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=0.15, help="0.6 as one works")
    options = parser.parse_args()
    if why := missing():
        raise SystemExit(f"It cannot be measured: {why}.")
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        # Its own nodes are there only with an address for their service, which nothing asks here.
        comfyui = ComfyUI(Path(folder) / "base", "--comfy-api-base", "http://127.0.0.1:1")
        with comfyui.running():
            for _ in range(options.rounds):
                for kind in KINDS:
                    found[kind].append(measure(comfyui, kind, options.nodes, options.scale))
    best = {
        # The page draws with the screen, 60 times a second, so their mean counts.
        kind: [
            min(median(each["drawn"]) for each in rounds),
            min(fmean(each["frames"]) for each in rounds),
        ]
        for kind, rounds in found.items()
    }
    others = best[BASE]
    stage.table(
        (f"{options.nodes} nodes", "drawing", "/ ComfyUI's", "a frame", "/ ComfyUI's", "checks"),
        [
            (
                words,
                f"{best[kind][0]:.1f} ms",
                f"{best[kind][0] / others[0]:.2f}",
                f"{best[kind][1]:.1f} ms",
                f"{best[kind][1] / others[1]:.2f}",
                max(each["checks"] for each in found[kind]),
            )
            for kind, words in KINDS.items()
        ],
    )


if __name__ == "__main__":
    main()
