"""The pack beside ComfyUI's own ByteDance nodes, end to end, in one ComfyUI.

Both order the same model at one fake provider (a process of its own): ours at BytePlus' address,
ComfyUI's through its proxy. Tasks take the same times and give the same clip. The same graphs run
in turns, with ComfyUI's cache emptied before each: only the video; its frames; three shots, each
from the last frame of the one before; eight nodes side by side; the graph with the frames again, at
once, after ComfyUI has forgotten it, and after a restart.

What is measured: the time beyond that until the provider said that its tasks are over; how late
that was seen, which is chance where the ends of tasks are not known; ComfyUI's processor time;
the most memory that it took beyond what it had; the requests, and the bytes that the provider sent;
the creates, each of which would be paid; and how far the pictures are from those of the clip, by
the formulas of BT.709, in a strip of patches (in the chain: the pictures that the provider was
given as first frames).

Needs COMFYUI_PATH, a ComfyUI with these nodes, and COMFYUI_PYTHON, its interpreter.

    python benchmarks/beside_core.py [--seconds 20 --sizes 720p 1080p --lengths 5 15] [--quick]
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import stage
from colour import BT709, PATCH, reference
from comfyui import ComfyUI, missing
from partner import TOLD, FakePartner

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
OURS, CORE = "ours", "ComfyUI's"
WAYS = (OURS, CORE)
SECONDS, LATE = "time over the provider's own, s", "ends seen late by, s"
PROCESSOR, MEMORY, READ = "processor time, s", "peak memory, MB", "MB read"
MIDDLE = 8  # pixels of a patch that are looked at, a side
# What ComfyUI's way of decoding was seen to take, of the size of the result.
MOST = {OURS: 1.2, CORE: 3.2}
# What cannot be told from chance.
NOTHING = {SECONDS: 0.25, LATE: 0.1, PROCESSOR: 0.1, MEMORY: 2.0, READ: 0.01}
_seeds = itertools.count(1)

# Nodes that write the strip of the first and the last picture to a file, and give memory back.
NODES = f"""
import ctypes
import gc
import numpy


class BenchmarkStrip:
    INPUT_TYPES = classmethod(lambda cls: {{"required": cls.inputs}})
    inputs = {{"images": ("IMAGE",), "file": ("STRING",)}}
    RETURN_TYPES, FUNCTION, OUTPUT_NODE, CATEGORY = (), "run", True, "benchmark"

    def run(self, images, file):
        strip = images[[0, -1], -{PATCH}:].cpu().numpy()
        numpy.savez(file, strip=strip, count=len(images))
        return ()


class BenchmarkTrim:
    INPUT_TYPES = classmethod(lambda cls: {{"required": {{}}}})
    RETURN_TYPES, FUNCTION, OUTPUT_NODE, CATEGORY = (), "run", True, "benchmark"
    IS_CHANGED = classmethod(lambda cls: float("nan"))

    def run(self):
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        return ()


NODE_CLASS_MAPPINGS = {{"BenchmarkStrip": BenchmarkStrip, "BenchmarkTrim": BenchmarkTrim}}
"""


@dataclass
class Cell:
    """What one graph took, in one way."""

    seconds: float
    late: float
    processor: float
    memory: int
    requests: int
    down: int
    creates: int
    colour: float | None  # the largest error in levels of 255

    def shown(self) -> dict[str, float | None]:
        return {
            SECONDS: self.seconds,
            LATE: self.late,
            PROCESSOR: self.processor,
            MEMORY: self.memory / 1e6,
            "requests": self.requests,
            READ: self.down / 1e6,
            "creates": self.creates,
            "colour off by at most, / 255": self.colour,
        }


# ------------------------------------------------------------------------------------------- graphs

Graph = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """What is ordered."""

    resolution: str
    seconds: int

    @property
    def frames(self) -> int:
        return 24 * self.seconds + 1

    @property
    def bytes(self) -> int:
        """Of its frames as an IMAGE."""
        width, height = SIZES[self.resolution]
        return self.frames * width * height * 3 * 4

    def __str__(self) -> str:
        return f"{self.resolution}, {self.seconds} s"


def order(way: str, size: Size, name: str, seed: int, first: list[Any] | None = None) -> Graph:
    """A node that orders a clip, from a first frame if there is one. ComfyUI's gives the last frame
    through two more nodes."""
    common = {"prompt": "a fox", "resolution": size.resolution, "duration": size.seconds}
    if way == OURS:
        inputs = {"provider": "byteplus", "ratio": "16:9", "seed": seed, **common}
        kind = "SeedanceI2V" if first else "SeedanceT2V"
        return {name: node(kind, **inputs, **({"image": first} if first else {}))}
    model = {**common, "ratio": "16:9", "generate_audio": True}
    inputs = {"model": "Seedance 2.0", "seed": seed, "watermark": False}
    inputs |= {f"model.{key}": value for key, value in model.items()}
    kind = "ByteDance2FirstLastFrameNode" if first else "ByteDance2TextToVideoNode"
    return {name: node(kind, **inputs, **({"first_frame": first} if first else {}))}


def node(kind: str, **inputs: Any) -> Graph:
    return {"class_type": kind, "inputs": inputs}


def video_of(way: str, name: str) -> list[Any]:
    return [name, 1 if way == OURS else 0]


def saved(way: str, name: str) -> Graph:
    options = {"filename_prefix": "film", "format": "auto", "codec": "auto"}
    return {f"save {name}": node("SaveVideo", video=video_of(way, name), **options)}


def only_video(way: str, size: Size, seed: int, strip: str) -> Graph:
    return {**order(way, size, "1", seed), **saved(way, "1")}


def frames_used(way: str, size: Size, seed: int, strip: str) -> Graph:
    graph, frames = order(way, size, "1", seed), ["1", 0]
    if way == CORE:
        graph["parts"], frames = node("GetVideoComponents", video=["1", 0]), ["parts", 0]
    return {**graph, "strip": node("BenchmarkStrip", images=frames, file=strip)}


def chained(way: str, size: Size, seed: int, strip: str) -> Graph:
    graph: Graph = {}
    last: list[Any] | None = None
    for name in ("1", "2", "3"):
        # Of another seed each: the clips are the same, and ours would find one in its journal.
        graph |= {**order(way, size, name, seed + int(name), last), **saved(way, name)}
        last = [name, 4]
        if way == CORE:
            graph[f"parts {name}"] = node("GetVideoComponents", video=[name, 0])
            pick = node("ImageFromBatch", image=[f"parts {name}", 0], batch_index=-1, length=1)
            graph[f"last {name}"], last = pick, [f"last {name}", 0]
    # The last shot is followed by none.
    return {key: each for key, each in graph.items() if key not in ("parts 3", "last 3")}


def side_by_side(way: str, size: Size, seed: int, strip: str) -> Graph:
    graph: Graph = {}
    for number in range(8):
        name = str(number)
        graph |= {**order(way, size, name, seed + number), **saved(way, name)}
    return graph


FRAMES = "frames used"
AT_ONCE = "8 nodes side by side"
GRAPHS = {
    "only the video, saved": only_video,
    FRAMES: frames_used,
    "3 shots, each from the last frame": chained,
    AT_ONCE: side_by_side,
}
AGAIN = "frames used, again at once"
LATER = "again, forgotten by ComfyUI"
RESTARTED = "again, after a restart"


# ------------------------------------------------------------------------------------------ measure


@dataclass
class Stage:
    """One ComfyUI and one fake, for one size."""

    comfyui: ComfyUI
    fake: str
    size: Size
    true: np.ndarray  # the patches of the first and the last picture, (2, n, 3) in levels of 255
    folder: Path
    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)

    def settle(self) -> None:
        """Nothing in ComfyUI's cache, and no memory held that is not used."""
        self.comfyui.send("POST", "/free", {"unload_models": True, "free_memory": True})
        self.run({"trim": node("BenchmarkTrim")})
        self.told()

    def told(self) -> dict[str, Any]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.fake + TOLD) as answer:
            return dict(json.loads(answer.read()))

    def run(self, graph: Graph) -> None:
        body = {"prompt": graph, "extra_data": {"api_key_comfy_org": FakePartner.key}}
        status, answer = self.comfyui.send("POST", "/prompt", body)
        assert status == 200, answer
        entry = self.comfyui.history(answer["prompt_id"])
        assert entry["status"]["status_str"] == "success", entry["status"]

    def measure(self, name: str, way: str, graph: Graph, strip: Path) -> None:
        process = psutil.Process(self.comfyui.pid)
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the peak begins anew
        held = process.memory_info().rss
        before, began = process.cpu_times(), time.perf_counter()
        self.run(graph)
        seconds, after = time.perf_counter() - began, process.cpu_times()
        told = self.told()
        whole = max if name == AT_ONCE else sum
        own, seen = whole(told["lengths"] or [0.0]), whole(told["seen"] or [0.0])
        self.cells.setdefault(name, {})[way] = Cell(
            seconds=seconds - seen,
            late=seen - own,
            processor=after.user + after.system - before.user - before.system,
            memory=max(_peak(process.pid) - held, 0),
            requests=told["requests"],
            down=told["down"],
            creates=told["creates"],
            colour=self._off(strip, told["pictures"]),
        )

    def _off(self, strip: Path, pictures: list[str]) -> float | None:
        """How far what a graph gave, or handed on as first frames, is from the clip."""
        if strip.is_file():
            with np.load(strip) as kept:
                assert kept["count"] == self.size.frames, "frames were lost"
                got = middles(kept["strip"] * 255.0)
            strip.unlink()
            return float(np.abs(got - self.true).max())
        if not pictures:
            return None
        from PIL import Image

        given = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in pictures])
        return float(np.abs(middles(given[:, -PATCH:]) - self.true[1]).max())


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def middles(strip: np.ndarray) -> np.ndarray:
    """The mean of the middle of each patch, (pictures, patches, 3)."""
    at = (PATCH - MIDDLE) // 2
    count = strip.shape[2] // PATCH
    patches = strip[:, at : at + MIDDLE].reshape(len(strip), MIDDLE, count, PATCH, 3)
    return patches[:, :, :, at : at + MIDDLE].mean(axis=(1, 3))


def true_patches(clip: Path) -> np.ndarray:
    """The same of the first and the last picture of a clip, from its planes, by BT.709."""
    import av

    with av.open(str(clip)) as container:
        pictures = list(container.decode(video=0))
    both = []
    for picture in (pictures[0], pictures[-1]):
        assert picture.format.name == "yuv420p", picture.format.name
        levels = []
        for plane, share in zip(picture.planes, (1, 2, 2)):
            rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
            patch, middle = PATCH // share, MIDDLE // share
            at = (patch - middle) // 2
            strip = rows[-patch:, : plane.width].reshape(patch, plane.width // patch, patch)
            levels.append(strip[at : at + middle, :, at : at + middle].mean(axis=(0, 2)))
        both.append(reference(np.array(levels)[:, None], BT709, 8)[0])
    return np.array(both)


@contextmanager
def partner(clip: Path, seconds: float, folder: Path) -> Iterator[dict[str, str]]:
    """The fake in a process of its own; gives the variables that point the pack at it."""
    with stage.in_a_process(_serve, clip, seconds, folder) as variables:
        yield variables


def _serve(clip: Path, seconds: float, folder: Path, pipe: Any) -> None:
    with FakePartner(clip.read_bytes(), seconds, folder) as fake:
        pipe.send(fake.environment())
        pipe.poll(None)


def measured(size: Size, seconds: float, folder: Path) -> dict[str, dict[str, Cell]]:
    """All cells of one size. What would not fit into memory is left out."""
    width, height = SIZES[size.resolution]
    colours = np.random.default_rng(2).integers(20, 236, (width // PATCH, 3), np.uint8)
    below = colours.repeat(PATCH, axis=0)[None].repeat(PATCH, axis=0)
    clip = stage.make_clip(folder / "clip.mp4", width, height, size.frames, below)
    ways = [way for way in WAYS if MOST[way] * size.bytes < psutil.virtual_memory().available]
    with partner(clip, seconds, folder) as variables:
        fake = variables["SEEDANCE_BYTEPLUS_BASE_URL"].partition("/api")[0]
        comfyui = ComfyUI(folder / "base", "--comfy-api-base", fake)
        (comfyui.base / "custom_nodes" / "benchmark.py").write_text(NODES)
        at = Stage(comfyui, fake, size, true_patches(clip), folder)
        strip = folder / "strip.npz"
        frames: dict[str, Graph] = {}
        with comfyui.running(**variables, SEEDANCE_MAX_USD="0"):
            for way in WAYS:  # the first node of each imports what all need
                at.run(only_video(way, size, next(_seeds), ""))
            for name, graph_of in GRAPHS.items():
                seed = next(_seeds) * 100
                for way in WAYS:
                    if way not in ways and graph_of in (frames_used, chained):
                        continue
                    graph = graph_of(way, size, seed, str(strip))
                    at.settle()
                    at.measure(name, way, graph, strip)
                    if name == FRAMES:
                        frames[way] = graph
                        at.measure(AGAIN, way, graph, strip)
            for way in frames:
                at.settle()
                at.measure(LATER, way, frames[way], strip)
        with comfyui.running(**variables, SEEDANCE_MAX_USD="0"):
            for way in frames:
                at.settle()
                at.measure(RESTARTED, way, frames[way], strip)
    if missed := [way for way in WAYS if way not in ways]:
        needs = ", ".join(f"{way} {MOST[way] * size.bytes / 1e9:.0f} GB" for way in missed)
        print(f"Frames that do not fit into this machine's memory: {needs}.\n")
    return at.cells


# ------------------------------------------------------------------------------------------- report


def report(size: Size, cells: dict[str, dict[str, Cell]]) -> list[str]:
    """A table; returns the cells in which ours is behind."""
    behind, rows = [], []
    for name, by_way in cells.items():
        row = [name]
        shown = [by_way[way].shown() if way in by_way else {} for way in WAYS]
        for what in next(each for each in shown if each):
            mine, theirs = (each.get(what) for each in shown)
            row.append(f"{_number(mine)}, {_number(theirs)}{_ratio(what, mine, theirs)}")
            if mine is None or theirs is None or mine - theirs <= NOTHING.get(what, 0):
                continue
            told = f"{what}: {_number(mine)} beside {_number(theirs)}"
            behind.append(f"{size}, {name}, {told}")
        rows.append(row)
    stage.table((f"{size}: ours, ComfyUI's (ComfyUI's / ours)", *shown_names(cells)), rows)
    return behind


def shown_names(cells: dict[str, dict[str, Cell]]) -> list[str]:
    return list(next(iter(next(iter(cells.values())).values())).shown())


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return (
        str(value) if isinstance(value, int) else f"{value:.2f}" if value < 20 else f"{value:.0f}"
    )


def _ratio(what: str, mine: float | None, theirs: float | None) -> str:
    if mine is None or theirs is None or what == LATE or min(mine, theirs) <= NOTHING.get(what, 0):
        return ""
    return f" ({theirs / mine:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=20, help="what a task takes, about")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["720p", "1080p"])
    parser.add_argument("--lengths", nargs="+", type=int, default=[5, 15], help="seconds, 4 to 15")
    parser.add_argument("--quick", action="store_true", help="tasks of 3 s, one clip: 720p, 5 s")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.sizes, options.lengths = 3, ["720p"], [5]
    if missing():
        print(f"Left out: {missing()}.")
        return
    behind = []
    for resolution, length in itertools.product(options.sizes, options.lengths):
        size = Size(resolution, length)
        with tempfile.TemporaryDirectory() as folder:
            behind += report(size, measured(size, options.seconds, Path(folder)))
        print(flush=True)
    print(f"Tasks of {options.seconds:g} s, 10 % more or less.")
    print("\n".join(["Behind:", *behind]) if behind else "Behind in no cell.")


if __name__ == "__main__":
    main()
