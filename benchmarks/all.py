"""Every benchmark, one after the other, as Markdown: `python benchmarks/all.py`.

Takes about three quarters of an hour on two cores, and means little on a machine that does
something else meanwhile. COMFYUI_PATH (a ComfyUI folder) and COMFYUI_PYTHON (its interpreter)
bring in what runs in ComfyUI; OpenCV and imageio take part where they are installed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import stage

# Name, arguments, what the table shows.
EVERYTHING = (
    ("decode", (), "A 1080p clip of 5 s becomes an IMAGE batch"),
    ("colour", (), "Colours of decoded frames"),
    ("chain", (), "Chains of shots, and films"),
    ("pictures", (), "Pictures become PNG files"),
    ("beside_core", (), "Beside ComfyUI's own nodes, in ComfyUI"),
    ("parallel", (), "Many nodes at once, in ComfyUI"),
    ("latency", (), "How soon ComfyUI's server answers meanwhile"),
    ("canvas", (), "Many nodes on the page"),
    ("startup", (), "ComfyUI's start, and the command line's"),
    ("journal", (), "A journal that grows"),
    ("scale", (), "Many live tasks in one process"),
    ("load", ("--tasks", "500", "--minutes", "2"), "500 live tickets, and faults"),
    ("farm", (), "Workers of a farm, killed and asleep"),
    ("polling", (), "How late the end of a task is seen (simulated)"),
)


def main() -> int:
    """Run them; returns 1 if one failed."""
    names = [name for name, _, _ in EVERYTHING]
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("only", nargs="*", metavar="NAME", help=", ".join(names))
    only = parser.parse_args().only
    if not set(only) <= set(names):
        parser.error(f"choose from: {', '.join(names)}")
    print(f"{stage.machine()}.", flush=True)
    failed = []
    for name, arguments, title in EVERYTHING:
        if only and name not in only:
            continue
        print(f"\n## {title} (`{name}.py`)\n", flush=True)
        began = time.perf_counter()
        command = [sys.executable, str(stage.ROOT / "benchmarks" / f"{name}.py"), *arguments]
        if subprocess.run(command).returncode:
            failed.append(name)
        print(f"\nTook {time.perf_counter() - began:.0f} s.", flush=True)
    if failed:
        print(f"\nFailed: {', '.join(failed)}.", flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
