"""The pack beside ComfyUI's own ByteDance nodes and other packs, end to end, in one ComfyUI.

All order the same model at the same fake providers (a process of its own): ours and other packs at
their addresses, ComfyUI's nodes through its proxy. Tasks take the same times and give the same
clip. The same graphs run in turns, with ComfyUI's cache emptied before each: only the video; its
frames; three shots, each from the last frame of the one before; eight nodes side by side; the graph
with the frames again, at once, after ComfyUI has forgotten it, and after a restart.

What is measured: the time beyond that until the provider said that its tasks are over (that the
last is over, where they are side by side: who orders one after the other adds them up); how late
that was seen, which is chance where the ends of tasks are not known; ComfyUI's processor time;
the most memory that it took beyond what it had; the requests, and the bytes that the provider sent;
the creates, each of which would be paid; and how far the pictures are from those of the clip, by
the formulas of BT.709, in a strip of patches (in the chain: the pictures that the provider was
given as first frames).

Needs COMFYUI_PATH, a ComfyUI with these nodes, and COMFYUI_PYTHON, its interpreter. Another pack
takes part if it is there, and COMFYUI_PYTHON has what its requirements.txt names.

    python benchmarks/beside_core.py [--seconds 20 --sizes 720p 1080p --lengths 5 15] [--quick]
        [--fal-pack FOLDER] [--byteplus-pack FOLDER]
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import stage
from colour import BT709, PATCH, reference
from comfyui import ComfyUI, missing
from partner import TOLD, FakeFalHost, FakePartner
from ways import PACKS, SIZES, Core, Graph, Ours, Size, Way, node, settings

SECONDS, LATE = "time over the provider's own, s", "ends seen late by, s"
PROCESSOR, MEMORY, READ = "processor time, s", "peak memory, MB", "MB read"
MIDDLE = 8  # pixels of a patch that are looked at, a side
# What cannot be told from chance.
NOTHING = {SECONDS: 0.25, LATE: 0.1, PROCESSOR: 0.1, MEMORY: 2.0, READ: 0.01}
_numbers = itertools.count(1)

# Nodes that write the strip of the first and the last picture to a file, and give memory back. The
# settings of fal_client name hosts that are reached by https, and not all of fal's.
NODES = f"""
import ctypes
import gc
import numpy
import os

if address := os.environ.get("BENCHMARK_FAL"):
    import fal_client.client

    fal_client.client.REST_URL = fal_client.client.CDN_URL = address
    fal_client.client.QUEUE_URL_FORMAT = address + "/"


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


def only_video(way: Way, size: Size, number: int, strip: str) -> Graph:
    return {**way.order(size, "1", number), **way.saved("1")}


def frames_used(way: Way, size: Size, number: int, strip: str) -> Graph:
    nodes, frames = way.frames("1")
    used = node("BenchmarkStrip", images=frames, file=strip)
    return {**way.order(size, "1", number), **nodes, "strip": used}


def chained(way: Way, size: Size, number: int, strip: str) -> Graph:
    graph: Graph = {**way.order(size, "1", number), **way.saved("1")}
    for key, before in (("2", "1"), ("3", "2")):
        nodes, last = way.last(before)
        graph |= {**nodes, **way.order(size, key, number + int(key), last), **way.saved(key)}
    return graph


def side_by_side(way: Way, size: Size, number: int, strip: str) -> Graph:
    graph: Graph = {}
    for each in range(8):
        graph |= {**way.order(size, str(each), number + each), **way.saved(str(each))}
    return graph


FRAMES = "frames used"
CHAIN = "3 shots, each from the last frame"
AT_ONCE = "8 nodes side by side"
GRAPHS = {
    "only the video, saved": only_video,
    FRAMES: frames_used,
    CHAIN: chained,
    AT_ONCE: side_by_side,
}
AGAIN = "frames used, again at once"
LATER = "again, forgotten by ComfyUI"
RESTARTED = "again, after a restart"


# ------------------------------------------------------------------------------------------ measure


@dataclass
class Stage:
    """One ComfyUI and the fakes, for one size. `fakes`: their addresses, by provider."""

    comfyui: ComfyUI
    fakes: dict[str, str]
    size: Size
    true: np.ndarray  # the patches of the first and the last picture, (2, n, 3) in levels of 255
    folder: Path
    cells: dict[str, dict[Way, Cell]] = field(default_factory=dict)

    def settle(self) -> None:
        """Nothing in ComfyUI's cache, and no memory held that is not used."""
        self.comfyui.send("POST", "/free", {"unload_models": True, "free_memory": True})
        self.run({"trim": node("BenchmarkTrim")})
        for provider in self.fakes:
            self.told(provider)

    def told(self, provider: str) -> dict[str, Any]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.fakes[provider] + TOLD) as answer:
            return dict(json.loads(answer.read()))

    def run(self, graph: Graph) -> None:
        body = {"prompt": graph, "extra_data": {"api_key_comfy_org": FakePartner.key}}
        status, answer = self.comfyui.send("POST", "/prompt", body)
        assert status == 200, answer
        entry = self.comfyui.history(answer["prompt_id"])
        assert entry["status"]["status_str"] == "success", entry["status"]

    def measure(self, name: str, way: Way, graph: Graph, strip: Path) -> None:
        process = psutil.Process(self.comfyui.pid)
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the peak begins anew
        held = process.memory_info().rss
        before, began = process.cpu_times(), time.perf_counter()
        self.run(graph)
        seconds, after = time.perf_counter() - began, process.cpu_times()
        told = self.told(way.provider)
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
        pictures = container.decode(video=0)
        first = last = next(pictures)
        for picture in pictures:
            last = picture
    both = []
    for picture in (first, last):
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


def _serve(clip: Path, seconds: float, folder: Path, pipe: Any) -> None:
    stage.give_last_frame(clip)
    with ExitStack() as stack:
        variables: dict[str, str] = {}
        for kind in (FakePartner, FakeFalHost):
            variables |= stack.enter_context(kind(clip.read_bytes(), seconds, folder)).environment()
        pipe.send(variables)
        pipe.poll(None)


def measured(
    size: Size, seconds: float, folder: Path, packs: dict[str, Path]
) -> dict[str, dict[Way, Cell]]:
    """All cells of one size. What would not fit into memory is left out."""
    width, height = SIZES[size.resolution]
    colours = np.random.default_rng(2).integers(20, 236, (width // PATCH, 3), np.uint8)
    below = colours.repeat(PATCH, axis=0)[None].repeat(PATCH, axis=0)
    clip = stage.make_clip(folder / "clip.mp4", width, height, size.frames, below)
    with stage.in_a_process(_serve, clip, seconds, folder) as variables:
        fakes = {
            "byteplus": variables["SEEDANCE_BYTEPLUS_BASE_URL"].partition("/api")[0],
            "fal": variables["SEEDANCE_FAL_BASE_URL"].rstrip("/"),
        }
        variables |= {"SEEDANCE_MAX_USD": "0", **settings(packs, fakes)}
        comfyui = ComfyUI(folder / "base", "--comfy-api-base", fakes["byteplus"])
        nodes = comfyui.base / "custom_nodes"
        (nodes / "benchmark.py").write_text(NODES)
        for pack in packs.values():
            (nodes / pack.name).symlink_to(pack.resolve())
        at = Stage(comfyui, fakes, size, true_patches(clip), folder)
        strip = folder / "strip.npz"
        frames: dict[Way, Graph] = {}
        with comfyui.running(**variables):
            ways = ways_in(comfyui, packs)
            for way in ways:  # the first node of each imports what all need
                at.run(only_video(way, size, next(_numbers), ""))
            for name, graph_of in GRAPHS.items():
                number = next(_numbers) * 100
                for way in ways:
                    graph = graph_of(way, size, number, str(strip))
                    at.settle()
                    if _too_large(way, size, name):
                        continue
                    at.measure(name, way, graph, strip)
                    if name == FRAMES:
                        frames[way] = graph
                        at.measure(AGAIN, way, graph, strip)
            for way in frames:
                at.settle()
                at.measure(LATER, way, frames[way], strip)
        with comfyui.running(**variables):
            for way in frames:
                at.settle()
                at.measure(RESTARTED, way, frames[way], strip)
    return at.cells


def ways_in(comfyui: ComfyUI, packs: dict[str, Path]) -> list[Way]:
    """Ours and ComfyUI's, and those of the packs, with ours at the same provider before them."""
    version = comfyui.get("/system_stats")["system"]["comfyui_version"]
    ways: list[Way] = [Ours("byteplus"), Core(tuple(map(int, version.split(".")[:2])))]
    for option, kind in PACKS.items():
        if option in packs:
            new = kind()
            known = {way.provider for way in ways}
            ways += [new] if new.provider in known else [Ours(new.provider), new]
    for way in ways:
        there = comfyui.get(f"/object_info/{way.needs}")
        assert there, f"{way.name}: there is no {way.needs}. ComfyUI says:\n{comfyui.log}"
    return ways


def _too_large(way: Way, size: Size, name: str) -> bool:
    """Whether this machine now lacks the memory that a graph would take; says so."""
    take = {FRAMES: way.frames_take, CHAIN: way.chain_takes}.get(name, 0) * size.bytes
    free = psutil.virtual_memory().available
    if take >= free:
        told = f"would take {take / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"
        print(f"Left out: {size}, {name}, {way.name}: {told}.\n")
    return take >= free


# ------------------------------------------------------------------------------------------- report


def report(size: Size, cells: dict[str, dict[Way, Cell]]) -> list[str]:
    """A table for each provider; returns the cells in which ours is behind."""
    behind = []
    ways = list(cells[AT_ONCE])
    for provider in dict.fromkeys(way.provider for way in ways):
        here = [way for way in ways if way.provider == provider]
        rows = []
        for name, by_way in cells.items():
            row = [name]
            shown = [by_way[way].shown() if way in by_way else {} for way in here]
            for what in shown_names(cells):
                mine, *others = (each.get(what) for each in shown)
                row.append(_compared(what, mine, others))
                for way, theirs in zip(here[1:], others):
                    if mine is None or theirs is None or mine - theirs <= NOTHING.get(what, 0):
                        continue
                    told = f"{what}: {_number(mine)} beside {_number(theirs)} ({way.name})"
                    behind.append(f"{size}, {provider}, {name}, {told}")
            rows.append(row)
        names = ", ".join(way.name for way in here[1:])
        head = f"{size}, {provider}: ours, {names} (each / ours)"
        stage.table((head, *shown_names(cells)), rows)
        print(flush=True)
    return behind


def _compared(what: str, mine: float | None, others: list[float | None]) -> str:
    ratios = [_ratio(what, mine, each) for each in others]
    after = f" ({', '.join(each or '-' for each in ratios)})" if any(ratios) else ""
    return ", ".join(map(_number, [mine, *others])) + after


def shown_names(cells: dict[str, dict[Way, Cell]]) -> list[str]:
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
    return f"{theirs / mine:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=20, help="what a task takes, about")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["720p", "1080p"])
    parser.add_argument("--lengths", nargs="+", type=int, default=[5, 15], help="seconds, 4 to 15")
    parser.add_argument("--quick", action="store_true", help="tasks of 3 s, one clip: 720p, 5 s")
    for option in PACKS:
        name = f"--{option.replace('_', '-')}"
        parser.add_argument(name, type=Path, metavar="FOLDER", help=PACKS[option].__doc__)
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.sizes, options.lengths = 3, ["720p"], [5]
    if missing():
        print(f"Left out: {missing()}.")
        return
    packs = {option: getattr(options, option) for option in PACKS if getattr(options, option)}
    for option, kind in PACKS.items():
        if option not in packs:
            print(f"Left out: {kind.name}. Say where it is with --{option.replace('_', '-')}.\n")
    behind = []
    for resolution, length in itertools.product(options.sizes, options.lengths):
        size = Size(resolution, length)
        with tempfile.TemporaryDirectory() as folder:
            behind += report(size, measured(size, options.seconds, Path(folder), packs))
    print(f"Tasks of {options.seconds:g} s, 10 % more or less.")
    print("\n".join(["Behind:", *behind]) if behind else "Behind in no cell.")


if __name__ == "__main__":
    main()
