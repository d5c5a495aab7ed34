"""The pack's settings, tab, menu and nodes on ComfyUI's own page, in a real browser.

Runs on each ComfyUI of COMFY_HOSTS where node, playwright-core (in a folder of NODE_PATH, or
PLAYWRIGHT_CORE itself) and Chromium (CHROMIUM, /usr/bin/chromium by default) are there. The
modules' types are checked where the packages of browser/package.json are installed beside it.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import SCRIPTS, in_browser, installed, play
from comfyui import ComfyUI, Host
from fakes.gateway import FakeArkClone
from paths import ROOT
from situations import QUOTED, english_in, situations

from seedance.providers import registry

KEY = "sk-nobody-may-see-this"  # as browser/keys.mjs has it
# Words of people and of providers in what browser/looks.mjs shows.
THEIRS = ("A lighthouse above the sea, waves, gulls, evening light.", "The provider says: no.")
TSC = SCRIPTS / "node_modules" / "typescript" / "bin" / "tsc"


@pytest.fixture(scope="module")
def server(
    comfy_host: Host, guard_log: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ComfyUI]:
    base = ComfyUI(tmp_path_factory.mktemp("page") / "base", host=comfy_host)
    with base.running():
        yield base


@pytest.mark.skipif(not TSC.is_file(), reason=f"npm install was not run in {SCRIPTS}")
def test_types_hold_against_comfyuis_published_ones() -> None:
    done = subprocess.run(
        ["node", str(TSC), "-p", str(ROOT / "jsconfig.json")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@in_browser
def test_nothing_is_requested_before_somebody_looks(server: ComfyUI) -> None:
    asked = play(server, "quiet.mjs")
    assert asked["before"] == []
    assert "POST /api/seedance/check" in asked["after"]


@in_browser
def test_a_key_is_set_and_removed_and_leaves_no_trace(server: ComfyUI) -> None:
    found = play(server, "keys.mjs")
    assert (found["first"], found["set"], found["removed"]) == ("No key", "Key stored", "No key")
    assert all(width > 500 for width in found["widths"]), "in the search, and in its own place"
    assert ["https://fal.ai/dashboard/keys", "noopener noreferrer"] in found["links"]
    assert found["hidden"] is True
    assert "key that was stored for the old one was removed" in found["moved"]
    assert found["leaks"] == 0
    assert KEY not in found["settings"]
    kept = [path for path in server.base.rglob("*") if path.is_file() and not path.is_symlink()]
    ours = server.base / "user" / "__seedance"
    assert not any(KEY.encode() in path.read_bytes() for path in kept if ours not in path.parents)
    records = json.loads((ours / "keys.json").read_text())
    assert records["budget"] == {"day": "7.5"}
    assert records["s3"] == {"access_key_id": "an id"}
    assert (found["stored"], found["left"], found["typed"]) == ("stored; never shown", 0, "eu")
    assert "key" not in records.get("uniall", {})


@in_browser
def test_a_gateway_is_set_up_and_tested_by_its_form(server: ComfyUI) -> None:
    with FakeArkClone() as fake:
        address = fake.base_url
        found = play(server, "gateway.mjs", address)
        assert {request.method for request in fake.requests} == {"GET"}
    server.send("DELETE", "/seedance/keys/gateway")
    assert found["dialects"] == ["openai", "ark", "fal"]
    assert "is not a public address" in found["refused"]
    assert found["kept"] == [address, "ark", "sd-2", ""]
    assert found["tested"] == "The key works. Account: a gateway of the dialect ark."


@in_browser
@pytest.mark.parametrize(("rendering", "seed"), [("classic", 1), ("vue", 2)])
def test_a_node_narrows_marks_and_runs(server: ComfyUI, rendering: str, seed: int) -> None:
    found = play(server, "node.mjs", rendering, str(seed))
    impossible = found["impossible"]
    assert impossible["lists"]["resolution"] == ["720p"]
    assert impossible["values"]["resolution"] == "4k", "a saved value is never changed"
    assert impossible["labels"]["resolution"] == "⚠ resolution"
    assert impossible["red"] == (["4k"] if rendering == "vue" else [])
    assert impossible["marked"] == (["⚠ resolution"] if rendering == "vue" else [])
    assert "nearest: 720p" in impossible["line"]
    assert "no key" in impossible["line"]
    preview = found["preview"]
    assert preview["lists"]["resolution"] == ["480p", "720p", "1080p", "4k"]
    assert preview["labels"]["resolution"] == "resolution"
    assert preview["red"] == []
    assert "free" in preview["line"]
    assert len(found["saved"]) == 23, "what the page adds to a node is no part of a workflow"
    assert "subfolder=seedance" in found["clip"]
    assert re.match(r"rendering \d+ %", found["first"])
    assert found["words"] == f"preview · seed {seed} · 864×496 · 4.04 s · free"


@in_browser
def test_a_node_speaks_chinese(server: ComfyUI) -> None:
    found = play(server, "node.mjs", "vue", "zh", "3")
    assert found["impossible"]["labels"]["resolution"] == "⚠ 分辨率"
    assert "没有密钥" in found["impossible"]["line"]
    assert "免费" in found["preview"]["line"]
    assert re.match(r"生成中 \d+ %", found["first"])
    assert found["words"].split("\n")[0] == "preview · 种子 3 · 864×496 · 4.04 秒 · 免费"


@in_browser
def test_a_chinese_page_has_no_english_sentence_of_ours(server: ComfyUI, tmp_path: Path) -> None:
    errors = {name: error.as_dict() for name, error in situations(tmp_path)}
    found = play(server, "chinese.mjs", "vue", "zh", json.dumps(errors))
    names = [provider.name for provider in registry().values()]
    prompts = [row["prompt"] for row in server.get("/seedance/tasks")]
    for part, said in found.items():
        for text in said if isinstance(said, list) else [said]:
            assert english_in(text, *names, *prompts, *QUOTED, *THEIRS) == "", part
    for part in errors:
        assert re.search("[\u4e00-\u9fff]", found[part]), part
    assert "没有密钥" in found["changes"]
    assert "只有把“不支持时”设为“取最接近值”才会运行。" in found["changes"]
    assert re.search("约 [0-9.]+ CNY，按 [-0-9]+ 的汇率约 [0-9.]+ USD，据称", found["price"])
    assert found["options"] == ["自适应", "取最接近值", "停止", "自动", "16:9"]
    assert "之前已生成，不再付费" in found["made"]
    assert found["live"].split("\n") == ["1：正在开始", "2：正在保存"]
    assert "取消" in found["cancel"]


@in_browser
@pytest.mark.parametrize("rendering", ["classic", "vue"])
def test_a_node_says_how_far_its_takes_are_and_what_came_of_them(
    server: ComfyUI, rendering: str
) -> None:
    found = play(server, "said.mjs", rendering)
    assert found["one"] == ["rendering 40 %, about 12 s left"]
    assert found["two"] == ["1: queued, 2 ahead", "2: in English"]
    assert found["items"] == [*found["two"], "3: saving"], "items of a list stand side by side"
    assert found["others"] == found["items"], "what is said of other nodes is not said here"
    markup = '<img src=x onerror="window.ran = 1"><b>bold</b>'
    assert found["ended"] == [
        "fal · seed 1 · 1280×720 · 5.04 s · ≈ 1.50 USD",
        "fal · seed 2 · 1280×720 · 5.04 s · cost unknown",
        "fal · seed 3 · 1280×720 · 5.04 s · made before, not paid again",
        f"seed 4: {markup} Change the prompt.",
        f"duration: 30 → {markup}",
        markup,
        "noted once",
    ]
    assert (found["markup"], found["ran"]) == (0, 0), "a provider's words are text"
    assert found["fits"] == 0, "the node is as high as its words"
    assert found["back"] == found["ended"], "another workflow was looked at meanwhile"
    assert found["left"] == [
        "Nobody waits for this run any more. What was sent goes on; the Seedance tab shows how "
        "far it is."
    ]
    assert found["task"] == ["downloading 3 of 8 MB"]


@in_browser
@pytest.mark.parametrize(("rendering", "seed"), [("classic", 41), ("vue", 42)])
def test_what_a_node_says_stays_and_is_true(server: ComfyUI, rendering: str, seed: int) -> None:
    found = play(server, "stays.mjs", rendering, str(seed))
    made = f"preview · seed {seed} · 864×496 · 4.04 s · free"
    assert (found["over"], found["reloaded"], found["again"]) == (made, made, made)
    assert found["cancelled"] == f"seed {seed}: Cancelled at the provider; nothing is billed."
    assert found["keyless"].startswith("There is no key for any provider yet. Set one in Settings")
    assert found["line"].count("key") == 1, "it is said once, not for each provider"
    assert found["buttons"] == 1


@in_browser
@pytest.mark.parametrize("rendering", ["classic", "vue"])
def test_a_node_sees_what_is_wrong_with_its_prompt_and_offers_names(
    server: ComfyUI, rendering: str
) -> None:
    found = play(server, "prompts.mjs", rendering)
    assert "The prompt is empty." in found["empty"]
    assert found["offered"] == ["@Image1", "@Image2"]
    assert found["typed"] == found["kept"] == "A cat looks at @Image4 and @Image2 "
    assert found["left"] == 0
    assert "The prompt names @Image4, but only 2 of that kind are connected." in found["line"]
    assert "not named in the prompt: @Image1" in found["line"]
    assert "empty" not in found["line"]


@in_browser
@pytest.mark.parametrize("rendering", ["classic", "vue"])
def test_the_sum_of_a_graph_is_seen_wherever_its_nodes_are(server: ComfyUI, rendering: str) -> None:
    found = play(server, "sum.mjs", rendering)
    assert found["sum"] == "3 nodes, 6 videos, about 9.10 USD"
    asked = sorted((provider, takes) for _, provider, takes in found["asked"])
    assert asked == [("fal", 2), ("fal", 3), ("lumenfall", 2)], (
        "collapsed and inside a subgraph, not muted"
    )
    wanted = 1 if rendering == "classic" else 2  # a text that is painted twice is one here
    assert found["labels"] == ["2 videos, ≈ 3.05 USD"] * wanted, "collapsed, and a subgraph"
    assert "63 USD, 2 without a known price" in found["over"]
    assert "Above the limit of 50 USD (SEEDANCE_MAX_USD): nothing will be sent." in found["over"]


@in_browser
@pytest.mark.parametrize("rendering", ["classic", "vue"])
def test_equal_orders_of_a_graph_are_checked_once_and_nothing_is_complained_of(
    server: ComfyUI, rendering: str
) -> None:
    found = play(server, "many.mjs", rendering)
    assert found["lines"] == 60
    assert (found["orders"], found["graphs"]) == (1, 1), "the order, and the sum of the graph"
    assert [
        line for line in found["said"] if "seedance" in line.lower() or "input.link" in line
    ] == []


@in_browser
def test_what_a_page_miswires_in_a_subgraph_is_refused(server: ComfyUI) -> None:
    """Frontend 1.58 does; others connect it as it was."""
    before = len(server.rows())
    found = play(server, "inside.mjs", "51")
    right = {
        "images.image_1": "EmptyImage",
        "images.image_2": "EmptyImage",
        "videos.video_1": "CreateVideo",
    }
    if found["sent"] == right:
        assert found["event"] == "execution_success"
    else:
        assert found["event"] == "refused"
        assert "Return type mismatch" in found["data"], "as the help page of the node calls it"
        assert len(server.rows()) == before


def test_the_settings_search_finds_keys_by_each_providers_name() -> None:
    entry = (ROOT / "web" / "seedance.js").read_text(encoding="utf-8")
    for language in ("en", "zh"):
        file = ROOT / "locales" / language / "settings.json"
        name = json.loads(file.read_text(encoding="utf-8"))["Seedance_Providers"]["name"]
        assert "api key" in name.lower()
        for provider in registry().values():
            if provider.key_variable:
                assert provider.name in name
                assert f'"{provider.name}"' in entry
                # A gateway's key is made wherever its owner says.
                assert provider.key_page or provider.names_no_models, provider.id


# What only web/page.mjs, and the entry that ComfyUI loads, may name.
OF_THE_PAGE = re.compile(
    r"scripts/app\.js|\bapp\.|LiteGraph|Comfy\.|data-testid|querySelector|_state\b|nodeData"
)


def test_one_module_knows_comfyuis_page() -> None:
    modules = {path: path.read_text(encoding="utf-8") for path in (ROOT / "web").rglob("*.*js")}
    known = {path.name for path, text in modules.items() if OF_THE_PAGE.search(text)}
    # style() looks for our own style sheet, list.mjs and totals.mjs for elements of our own.
    assert known - {"dom.mjs", "list.mjs", "totals.mjs"} == {"page.mjs", "seedance.js"}
    for name in ("dom.mjs", "list.mjs", "totals.mjs"):
        (text,) = (text for path, text in modules.items() if path.name == name)
        others = OF_THE_PAGE.findall(text.replace("querySelector", ""))
        assert others == []


@in_browser
@pytest.mark.parametrize(
    ("options", "inputs", "fits"),
    [
        (["en"], "Inputs", "Who makes the video."),
        (["zh", "vue"], "输入", "由谁生成。"),
    ],
    ids=["en", "zh"],
)
def test_each_node_has_help_that_fits_its_panel(
    server: ComfyUI, options: list[str], inputs: str, fits: str
) -> None:
    found = play(server, "help.mjs", *options)
    assert len(found) == 5
    for page in found.values():
        assert inputs in page["heads"]
        assert fits in page["words"]
        assert page["tooWide"] == 0


@in_browser
@pytest.mark.parametrize("rendering", ["classic", "vue"])
def test_providers_are_compared_and_one_is_taken(server: ComfyUI, rendering: str) -> None:
    found = play(server, "compare.mjs", rendering)
    rows = {row[0].splitlines()[0]: row for row in found["rows"]}
    assert rows["Preview (offline, free)"][1:3] == ["As asked", "free"]
    assert "resolution: 1080p → 720p" in rows["Lumenfall"][1]
    assert "base URL must be set" in rows["UniAll"][1]
    assert found["now"]["values"]["provider"] == "byteplus"


@in_browser
@pytest.mark.skipif(not installed("axe-core"), reason="no folder of NODE_PATH holds axe-core")
@pytest.mark.parametrize(
    "options", [["dark"], ["light"], ["dark", "vue"], ["light", "vue"]], ids=" ".join
)
def test_everything_can_be_read_and_reached(server: ComfyUI, options: list[str]) -> None:
    found = play(server, "accessible.mjs", *options)
    for part in ("node", "tab", "settings", "compare", "whole"):
        assert found[part] == [], part
    assert found["focus"] == "fal: Set key", "Escape gives the focus back"
    assert found["open"] == 0, "Escape closes the dialog"


@in_browser
@pytest.mark.parametrize(("rendering", "seed"), [("classic", 61), ("vue", 71)])
def test_every_take_is_reached_on_the_node_and_a_sidecar_can_be_dropped(
    server: ComfyUI, rendering: str, seed: int
) -> None:
    output = str(server.base / "output" / "seedance")
    found = play(server, "takes.mjs", output, rendering, str(seed))
    assert found["takes"] == [str(seed), str(seed + 1), str(seed + 2)]
    assert "three takes" in found["whole"]
    assert str(seed + 1) in found["whole"]
    assert found["together"] == found["takes"], "one entry of the tab has all takes of an order"
    assert found["shown"] == [str(seed + 2), str(seed)]
    assert str(seed) in found["details"]
    assert found["focused"] == "true"
    assert found["prompt"] == "three takes"
    kinds = [kind for kind, _ in found["loaders"]]
    assert kinds == ["LoadVideo", "LoadImage", "LoadVideo"]
    for kind, file in found["loaders"]:
        ending = ".mp4 [output]" if kind == "LoadVideo" else ".last.png [output]"
        assert file.startswith("seedance/")
        assert file.endswith(ending)


@in_browser
@pytest.mark.parametrize(("rendering", "seed"), [("classic", 81), ("vue", 82)])
def test_a_saved_file_that_is_dropped_brings_its_graph(
    server: ComfyUI, rendering: str, seed: int
) -> None:
    output = str(server.base / "output" / "seedance")
    found = play(server, "drop.mjs", output, rendering, str(seed))
    assert found["ran"] == "execution_success"
    assert found["prompts"] == dict.fromkeys([".mp4", ".png", ".json"], f"dropped {seed}")
    # The graph has the node after ours; the sidecar holds the order alone.
    assert found["others"] == {".mp4": 1, ".png": 1, ".json": 0}
    assert found["errors"] == []


@in_browser
def test_an_order_that_is_loaded_brings_its_picture_back(server: ComfyUI) -> None:
    found = play(server, "again.mjs", "91")
    assert (found["first"], found["second"]) == ("execution_success", "execution_success")
    assert re.fullmatch(r"seedance/[0-9a-f]{16}\.png", found["file"])
    assert "made before, not paid again" in found["said"]


@in_browser
def test_a_classic_node_is_as_high_as_what_it_shows(server: ComfyUI) -> None:
    found = play(server, "heights.mjs", "classic")
    advanced = {"on_unsupported", "watermark", "camera_fixed", "extra", "draft"}
    text, video, task, used = found["folded"]
    for node in (text, video, task, used):
        assert 0 <= node["more"] < 1
        assert node["room"] == len(node["shown"]), "no row is kept for what is not shown"
        assert not [name for name in node["shown"] if name.startswith("decode_")]
    assert not advanced & {*text["shown"], *video["shown"]}
    assert advanced <= set(used["shown"]), "one of them is used"
    assert advanced <= set(found["open"]), "Show Advanced, in ComfyUI's own menu"


@in_browser
@pytest.mark.parametrize("palette", ["dark", "light"])
def test_templates_have_titles_moving_pictures_and_their_own_pictures(
    server: ComfyUI, palette: str
) -> None:
    for path in (server.base / "input").glob("seedance_*.png"):
        path.unlink()
    found = play(server, "templates.mjs", palette)
    index = json.loads((ROOT / "example_workflows" / "index.json").read_text(encoding="utf-8"))
    titles = {entry["title"] for entry in index[0]["templates"]}
    assert titles & set(found["titles"]) and "index" not in found["titles"]
    assert found["pictures"] and all(width == 400 for width in found["pictures"])
    assert found["loaded"] == [
        ["seedance_windmill_day.png", True, 1280],
        ["seedance_windmill_night.png", True, 1280],
    ]
    for name in ("provider", "resolution", "duration"):
        assert name in found["app"]
    assert "on_unsupported" not in found["app"], "as an app, only what it shows"


@in_browser
def test_the_tab_is_searched_and_filtered_and_shows_all_of_a_task(server: ComfyUI) -> None:
    found = play(server, "filter.mjs")
    assert (found["all"], found["live"], found["ended"]) == (10, 4, 4)
    assert (found["other"], found["says"]) == (0, "Nothing fits this search.")
    assert (found["ticket"], found["error"]) == (1, 3)
    assert (found["away"], found["put"]) == (6, 4)
    for words in ("The provider says: no.", "A lighthouse above the sea", "fal:5"):
        assert words in found["whole"]
    assert found["closed"] == 0


@in_browser
def test_tasks_are_followed_loaded_forgotten_and_cancelled(server: ComfyUI) -> None:
    found = play(server, "tasks.mjs", str(server.base / "output" / "seedance"))
    assert "the reload" in found["reloaded"]
    assert found["collected"] == 1
    assert found["progress"] == 1
    assert found["picture"] > 100
    assert found["opens"].endswith("/video")
    loaded = found["loaded"]
    assert (loaded["prompt"], loaded["seed"], loaded["duration"]) == ("the reload", 1, 4)
    assert "the cancel" in found["cancelled"]
    assert [row.state for row in server.rows()[-2:]] == ["cancelled", "cancelled"]
