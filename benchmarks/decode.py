"""How fast, and in how much memory, a finished clip becomes an IMAGE batch.

Compares `seedance.media.decode_frames` with ComfyUI's own `VideoFromFile.get_components` and with
the usual ways of OpenCV and imageio (a list of frames, then stacked), side by side: every
contestant runs in a process of its own, in turns, on the same clip. The best of the rounds counts.

    python benchmarks/decode.py [--width 1920 --height 1080 --frames 121 --rounds 3 --busy 1]

With `--busy N`, so many other processes keep a core each busy all the while.

COMFYUI_PATH names a ComfyUI folder, COMFYUI_PYTHON its interpreter (default: this one). What is not
installed is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import stage

# --------------------------------------------------------------------------- the contestants
# Each imports and prepares what it needs for a clip, and returns what shall be measured.

Contestant = Callable[[], Any]


def bare_decode(path: str) -> Contestant:
    import av

    def run() -> int:
        with av.open(path) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            return sum(1 for _ in container.decode(stream))

    return run


def fill_array(path: str) -> Contestant:
    import numpy as np

    from seedance import media

    def run() -> Any:
        info = media.probe(Path(path))
        array = np.empty((info.frames, info.height, info.width, 3), np.float32)
        array.fill(0.5)
        return array

    return run


def fill_pages(path: str) -> Contestant:
    from seedance import media
    from seedance.media import huge_pages

    def run() -> Any:
        info = media.probe(Path(path))
        array, _ = huge_pages.empty((info.frames, info.height, info.width, 3))
        array.fill(0.5)
        return array

    return run


def seedance(path: str) -> Contestant:
    from seedance.media import frames

    return lambda: frames.decode_frames(Path(path))


def seedance_again(path: str) -> Contestant:
    from seedance.media import frames

    used = frames.decode_frames(Path(path))
    return lambda: frames.decode_frames(Path(path), out=used)


def comfyui(path: str) -> Contestant:
    sys.path.insert(0, os.environ["COMFYUI_PATH"])
    from comfy_api.latest._input_impl.video_types import VideoFromFile

    return lambda: VideoFromFile(path).get_components().images.numpy()


def opencv(path: str) -> Contestant:
    import cv2
    import numpy as np

    def run() -> Any:
        capture, frames = cv2.VideoCapture(path), []
        while True:
            found, frame = capture.read()
            if not found:
                return np.stack(frames)
            frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB).astype(np.float32) / 255)

    return run


def imageio(path: str) -> Contestant:
    import imageio.v3
    import numpy as np

    return lambda: np.stack(
        [frame.astype(np.float32) / 255 for frame in imageio.v3.imiter(path, plugin="pyav")]
    )


CONTESTANTS: dict[str, tuple[str, Callable[[str], Contestant]]] = {
    "seedance": ("seedance.media.decode_frames", seedance),
    "again": ("the same, into an array that was used before", seedance_again),
    "comfyui": ("ComfyUI VideoFromFile.get_components", comfyui),
    "opencv": ("OpenCV, list and stack", opencv),
    "imageio": ("imageio (PyAV), list and stack", imageio),
    "bare": ("bare decode, nothing kept", bare_decode),
    "fill": ("filling the array, nothing decoded", fill_array),
    "pages": ("the same, in huge pages where the system has them, as ours", fill_pages),
}


# -------------------------------------------------------------------------------- measuring


def measure(name: str, path: str) -> None:
    """Run one contestant in this process; prints seconds, peak memory and size of the result."""
    sys.argv = sys.argv[:1]  # ComfyUI reads it
    try:
        run = CONTESTANTS[name][1](path)
    except (ImportError, KeyError) as error:
        print(json.dumps({"missing": str(error)}))
        return
    before = peak()
    start, cpu = time.perf_counter(), time.process_time()
    result = run()
    measured = {
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "memory": peak() - before,
        "size": getattr(result, "nbytes", 0),
    }
    print(json.dumps(measured))


def peak() -> int:
    """The most memory that this process has held so far, in bytes."""
    with contextlib.suppress(OSError):  # Linux: what getrusage tells there includes the parent's
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def in_own_process(name: str, path: Path) -> dict[str, float] | None:
    python = sys.executable
    if name == "comfyui":
        if "COMFYUI_PATH" not in os.environ:
            return None
        python = os.environ.get("COMFYUI_PYTHON", sys.executable)
    command = [python, __file__, "--run", name, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    return None if "missing" in answer else answer


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that compute until the block ends."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for each in others:
            each.kill()
            each.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--frames", type=int, default=121)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", type=int, default=0, metavar="N")
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        measure(*options.run)
        return
    results: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder, busy(options.busy):
        size = (options.width, options.height, options.frames)
        clip = stage.make_clip(Path(folder) / "clip.mp4", *size)
        names = list(CONTESTANTS)
        for number in range(options.rounds):
            # Each begins a round once: who comes first may meet memory that nobody has touched yet.
            for name in names[number % len(names) :] + names[: number % len(names)]:
                if answer := in_own_process(name, clip):
                    results.setdefault(name, []).append(answer)
    report(results)


def report(results: dict[str, list[dict[str, float]]]) -> None:
    """A Markdown table, with ratios to the first contestant."""
    best = {
        name: {key: min(done[key] for done in results[name]) for key in results[name][0]}
        for name in CONTESTANTS
        if name in results
    }
    ours = best["seedance"]["seconds"]
    rows = []
    for name, row in best.items():
        memory = f"{row['memory'] / row['size']:.2f}" if row["size"] and name != "again" else "-"
        times = (f"{row['seconds']:.2f} s", f"{row['seconds'] / ours:.2f}", f"{row['cpu']:.2f} s")
        rows.append((CONTESTANTS[name][0], *times, memory))
    stage.table(("", "time", "time / ours", "CPU time", "peak memory / result"), rows)
    bare = best["bare"]["seconds"]
    for name, which in (("fill", "the array"), ("pages", "an array of huge pages")):
        ratio = ours / (bare + best[name]["seconds"])
        print(f"\nours / (bare decode + filling {which}): {ratio:.2f}")


if __name__ == "__main__":
    main()
