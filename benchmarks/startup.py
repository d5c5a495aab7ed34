"""How long the pack takes where nobody asked for it yet: at ComfyUI's start, and in a shell.

Loads the pack with ComfyUI's own loader, after ComfyUI has imported what it needs, each time in a
new process, and says what was opened, listed or connected to outside the pack's folder meanwhile.
Needs COMFYUI_PATH (and COMFYUI_PYTHON, its interpreter). Then times `seedance --help` beside a
Python that does nothing.

    python benchmarks/startup.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import stage
from comfyui import hosts, missing

# Runs in ComfyUI's folder. Bytecode is written when a module is first imported, as ever.
LOAD = """
import asyncio, json, os, sys, time
pack, base = sys.argv[1:]
sys.argv = ["main.py", "--cpu", "--base-directory", base]
sys.path.insert(0, os.getcwd())
import comfy.options
comfy.options.enable_args_parsing()
import utils.extra_config, nodes, server
from comfy_config import config_parser

touched, loading = [], False

def hook(event, arguments):
    watched = ("open", "os.listdir", "os.mkdir", "socket.connect", "subprocess.Popen")
    if loading and event in watched:
        ours = (pack, os.path.realpath(pack), sys.pycache_prefix)
        if not str(arguments[0]).startswith(ours):
            touched.append(f"{event} {arguments[0]}")

async def main():
    global loading
    server.PromptServer(asyncio.get_running_loop())
    config_parser.extract_node_configuration(os.getcwd())
    sys.addaudithook(hook)
    modules, loading = set(sys.modules), True
    began = time.perf_counter()
    assert await nodes.load_custom_node(pack)
    took, loading = time.perf_counter() - began, False
    ours = pack.replace(".", "_x_")
    others = sorted(name for name in set(sys.modules) - modules if not name.startswith(ours))
    print(json.dumps({"seconds": took, "touched": touched, "modules": others}))

asyncio.run(main())
"""


def load(folder: Path) -> dict[str, Any]:
    """What happened when ComfyUI loaded the pack."""
    host = hosts()[0]
    done = subprocess.run(
        [host.python, "-c", LOAD, str(stage.ROOT), str(folder / "base")],
        cwd=host.folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _environment(folder: Path) -> dict[str, str]:
    """Ours, with bytecode in a folder of its own, so that the first start is one."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "PYTHONPATH": str(stage.ROOT)}


def shell(folder: Path, *words: str) -> float:
    began = time.perf_counter()
    command = [sys.executable, *words]
    subprocess.run(command, env=_environment(folder), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if missing():
            print(f"ComfyUI's start is left out: {missing()}.\n")
        else:
            (folder / "base" / "custom_nodes").mkdir(parents=True)
            first, *later = [load(folder) for _ in range(1 + rounds)]
            times = [each["seconds"] for each in later]
            rows.append(("ComfyUI loads the pack", _shown(median(times)), _shown(max(times))))
            rows.append(("the first time, nothing compiled yet", _shown(first["seconds"]), ""))
            for what, key in (
                ("Opened or connected to, outside of the pack's folder", "touched"),
                ("Imported, beside the pack's own modules", "modules"),
            ):
                print(f"{what}: {', '.join(later[-1][key]) or 'nothing'}.\n")
        for what, *words in (
            ("python -c pass", "-c", "pass"),
            ("seedance --help", "-m", "seedance", "--help"),
        ):
            shell(folder, *words)
            times = [shell(folder, *words) for _ in range(4 * rounds)]
            rows.append((what, _shown(median(times)), _shown(max(times))))
    stage.table(("", "median", "longest"), rows)


def _shown(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


if __name__ == "__main__":
    main()
