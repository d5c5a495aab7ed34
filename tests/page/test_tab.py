"""The life of the sidebar tabs, in node: all that their modules import is a stand-in.

Its looks, on ComfyUI's own page, are in test_page.py.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from paths import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")

STAND_INS = {
    "page.mjs": """
        export const listening = new Set();
        export const onRuns = (listener) => {
            listening.add(listener);
            return () => listening.delete(listener);
        };
        export const [confirm, putIntoPrompt, toast] = [];""",
    "seedance/dom.mjs": """
        export const h = () => ({ replaceChildren() {} });
        export const button = h;
        export const icon = h;
        export const style = () => {};""",
    "seedance/words.mjs": """
        const waiting = [];
        export const ready = () => new Promise((resolve) => waiting.push(resolve));
        export const loaded = () => waiting.splice(0).forEach((resolve) => resolve());
        export const t = (key) => key;
        export const known = t;""",
    "seedance/server.mjs": """
        export const providers = async () => [];
        export const assets = async () => [];
        export const tasks = async () => [];
        export const totals = async () => [];""",
    "seedance/tasks/filter.mjs": """
        export class Filter {
            offer() {}
            shows() { return true; }
        }""",
    "seedance/tasks/list.mjs": """
        export const lists = { made: 0, stopped: 0 };
        export class List {
            constructor() { lists.made++; }
            show() {}
            stop() { lists.stopped++; }
        }""",
    "seedance/tasks/totals.mjs": "export const drawTotals = () => {};",
}
PLAY = """
    import { listening } from "./page.mjs";
    import { loaded } from "./seedance/words.mjs";
    import { lists } from "./seedance/tasks/list.mjs";
    import { destroy, render } from "./seedance/MODULE/tab.mjs";

    globalThis.document = { hidden: false };
    const timers = new Set();
    let last = 0;
    globalThis.setTimeout = () => (timers.add(++last), last);
    globalThis.clearTimeout = (timer) => timers.delete(timer);
    const place = () => ({ classList: { add() {} }, replaceChildren() {} });
    const drawn = [];
    const steps = {
        render: () => drawn.push(render(place())),
        destroy,
        loaded: async () => (loaded(), await Promise.all(drawn)),
    };
    for (const step of process.argv.slice(2)) await steps[step]();
    console.log(JSON.stringify({
        open: lists.made - lists.stopped, timers: timers.size, listeners: listening.size,
    }));"""
NOTHING = {"open": 0, "timers": 0, "listeners": 0}
ONE = {"tasks": {"open": 1, "timers": 1, "listeners": 1}}
ONE["assets"] = {"open": 0, "timers": 0, "listeners": 1}  # it has no list of its own


@pytest.mark.parametrize("tab", ["tasks", "assets"])
@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ("render loaded", 1),
        ("render loaded destroy", 0),
        ("render destroy loaded", 0),
        ("render render loaded", 1),
        ("render render loaded destroy", 0),
        ("render destroy render loaded", 1),
        ("render loaded render loaded destroy", 0),
    ],
)
def test_a_tab_that_is_closed_asks_for_nothing(
    tmp_path: Path, tab: str, steps: str, left: int
) -> None:
    module = f"seedance/{tab}/tab.mjs"
    real = (ROOT / "web" / module).read_text(encoding="utf-8")
    files = {**STAND_INS, module: real, "play.mjs": PLAY.replace("MODULE", tab)}
    files["package.json"] = '{"type": "module"}'
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["node", str(tmp_path / "play.mjs"), *steps.split()],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == (ONE[tab] if left else NOTHING)
