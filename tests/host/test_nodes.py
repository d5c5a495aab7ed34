"""The nodes as ComfyUI and saved workflows see them, and what runs with the server."""

from __future__ import annotations

import ast
import asyncio
import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from pack_loader import STUB, Pack, host, scripted
from paths import ROOT

pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core

SHARED = [
    *("provider", "model", "resolution", "ratio", "duration", "generate_audio", "seed", "takes"),
    *("on_unsupported", "watermark", "camera_fixed", "decode_frames", "extra", "draft"),
    *("web_search", "output_format", "project", "decode_last_frame"),
    *("frames_first", "frames_count", "frames_step", "decode_audio"),
]
INPUTS = {
    "SeedanceT2V": ["prompt", *SHARED],
    "SeedanceI2V": ["image", "prompt", "image_url", *SHARED],
    "SeedanceFrames": [
        *("first_frame", "last_frame", "prompt", "first_frame_url", "last_frame_url"),
        *SHARED,
    ],
    "SeedanceReference": ["images", "videos", "audios", "prompt", "urls", *SHARED],
    "SeedanceV2V": [
        *("video", "images", "prompt", "video_url", "operation", "keep_audio"),
        *SHARED,
    ],
    "SeedanceTask": ["task", "decode_frames", *SHARED[-5:]],
    "SeedanceFinal": ["draft", "resolution", "decode_frames", *SHARED[-5:]],
    "SeedanceAsset": ["image", "video", "audio", "name", "provider", "kind"],
}
OTHERS = ["SeedanceStoryboard"]  # which has tests of its own
OUTPUTS = [
    ("frames", "IMAGE"),
    ("video", "VIDEO"),
    ("audio", "AUDIO"),
    ("fps", "FLOAT"),
    ("last_frame", "IMAGE"),
    ("task", "STRING"),
]
MAKING = [node_id for node_id in INPUTS if node_id != "SeedanceAsset"]  # a video
GENERATING = [node_id for node_id in MAKING if node_id not in ("SeedanceTask", "SeedanceFinal")]


def inputs_of(pack: Pack, node_id: str) -> dict[str, Any]:
    return {item.id: item for item in pack.nodes[node_id].define_schema().inputs}


# --------------------------------------------------------------------------- names that last


def test_the_pack_has_these_nodes(pack: Pack) -> None:
    assert list(pack.nodes) == [*INPUTS, *OTHERS]


@pytest.mark.parametrize("node_id", INPUTS)
def test_inputs_stand_in_the_order_that_saved_workflows_hold(pack: Pack, node_id: str) -> None:
    assert list(inputs_of(pack, node_id)) == INPUTS[node_id]


@pytest.mark.parametrize("node_id", INPUTS)
def test_only_prompt_task_and_name_are_required(pack: Pack, node_id: str) -> None:
    required = [
        name for name, item in inputs_of(pack, node_id).items() if not item.options.get("optional")
    ]
    other = {"SeedanceTask": ["task"], "SeedanceFinal": ["draft"], "SeedanceAsset": ["name"]}
    assert required == other.get(node_id, ["prompt"])


@pytest.mark.parametrize("node_id", MAKING)
def test_every_output_is_a_list_with_an_item_a_take(pack: Pack, node_id: str) -> None:
    outputs = pack.nodes[node_id].define_schema().outputs
    assert [(item.id, item.io_type) for item in outputs] == OUTPUTS
    assert all(item.is_output_list for item in outputs)


@pytest.mark.parametrize("node_id", INPUTS)
def test_no_node_runs_or_asks_for_keys_by_itself(pack: Pack, node_id: str) -> None:
    schema = pack.nodes[node_id].define_schema()
    assert schema.category == "Seedance"
    assert not getattr(schema, "is_output_node", False)
    assert not getattr(schema, "is_api_node", False)


@pytest.mark.parametrize("node_id", INPUTS)
def test_every_input_and_output_is_explained(pack: Pack, node_id: str) -> None:
    schema = pack.nodes[node_id].define_schema()
    assert schema.description
    for item in schema.inputs:
        assert item.options["tooltip"], item.id
    for item in schema.outputs:
        assert item.tooltip, item.id


@pytest.mark.parametrize("node_id", GENERATING)
def test_defaults_are_those_of_the_contract(pack: Pack, node_id: str) -> None:
    defaults = {
        name: item.options.get("default") for name, item in inputs_of(pack, node_id).items()
    }
    ratio = "16:9" if node_id == "SeedanceT2V" else "adaptive"
    expected = [
        "auto",
        "seedance-2.0",
        "720p",
        ratio,
        5,
        True,
        0,
        1,
        "error",
        False,
        False,
        True,
        "",
        False,
        False,
        "mp4",
        "",
        True,
        *(0, 0, 1),
        True,
    ]
    assert [defaults[name] for name in SHARED] == expected


def test_ranges_are_those_of_the_contract(pack: Pack) -> None:
    inputs = inputs_of(pack, "SeedanceI2V")
    ranges = {
        name: (inputs[name].options["min"], inputs[name].options["max"])
        for name in ("duration", "seed", "takes")
    }
    assert ranges == {"duration": (-1, 30), "seed": (0, 2**32 - 1), "takes": (1, 8)}


def test_choices_are_those_of_the_contract(pack: Pack) -> None:
    inputs = inputs_of(pack, "SeedanceV2V")
    assert inputs["resolution"].options["options"] == ["480p", "720p", "1080p", "4k"]
    ratios = ["adaptive", "16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "9:21"]
    assert inputs["ratio"].options["options"] == ratios
    assert inputs["operation"].options["options"] == ["edit", "extend"]
    providers = pack.core("providers").ids()
    assert inputs["provider"].options["options"] == ["auto", *providers]


def test_the_choice_of_providers_needs_none_of_them_imported(pack: Pack) -> None:
    """Their ids are read off file names."""
    providers = pack.core("providers")
    assert providers.ids() == list(providers.registry())


def test_the_seed_starts_as_fixed_so_that_queueing_does_not_pay(pack: Pack) -> None:
    assert inputs_of(pack, "SeedanceT2V")["seed"].options["control_after_generate"] == "fixed"


def test_sockets_that_grow_have_our_own_names(pack: Pack) -> None:
    inputs = inputs_of(pack, "SeedanceReference")
    names = {
        name: inputs[name].options["template"].names for name in ("images", "videos", "audios")
    }
    assert names == {
        "images": [f"image_{number}" for number in range(1, 31)],
        "videos": [f"video_{number}" for number in range(1, 11)],
        "audios": [f"audio_{number}" for number in range(1, 11)],
    }


def test_the_manager_finds_every_node_by_parsing() -> None:
    found = set()
    for path in (ROOT / "nodes").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any(
                ast.unparse(base) == "io.ComfyNode" for base in node.bases
            ):
                found |= {
                    keyword.value.value
                    for call in ast.walk(node)
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == "io.Schema"
                    for keyword in call.keywords
                    if keyword.arg == "node_id" and isinstance(keyword.value, ast.Constant)
                }
    assert found == {*INPUTS, *OTHERS}


LOAD = f"""
import asyncio, importlib.util, os, sys
sys.path.insert(0, {str(STUB)!r})
import comfy_api.latest, server
server.PromptServer.instance = server.PromptServer()

async def load():
    spec = importlib.util.spec_from_file_location("pack", {str(ROOT / "__init__.py")!r})
    module = sys.modules["pack"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    extension = await module.comfy_entrypoint()
    await extension.on_load()
    await extension.get_node_list()

def heard(event, arguments):
    if event in ("open", "os.listdir", "os.mkdir") or event.startswith(("socket.", "subprocess.")):
        events.append((event, str(arguments[0]) if arguments else ""))
"""


def loading(script: str) -> list[str]:
    """What a script prints that loads the pack, over the stand-in, in a process of its own."""
    child = subprocess.run(
        [sys.executable, "-c", LOAD + script], capture_output=True, text=True, check=True
    )
    return child.stdout.splitlines()


def test_loading_the_pack_imports_nothing_heavy() -> None:
    modules = loading(
        "before = set(sys.modules)\n"
        "asyncio.run(load())\n"
        "print(*(set(sys.modules) - before), sep='\\n')"
    )
    assert "pack" in modules
    heavy = {"torch", "numpy", "av", "PIL", "requests", "sqlalchemy", "alembic"}
    assert not {name.partition(".")[0] for name in modules} & heavy
    assert "pack.seedance.runner" not in modules


def test_loading_the_pack_touches_no_file_but_its_own_and_no_network() -> None:
    # Twice: what it imports of Python's own library is opened by the first.
    events = loading(
        "asyncio.run(load())\n"
        "for name in [name for name in sys.modules if name.startswith('pack')]:\n"
        "    del sys.modules[name]\n"
        "events = []\n"
        "async def main():\n"
        "    sys.addaudithook(heard)\n"
        "    await load()\n"
        "    print(*(event + ' ' + what for event, what in list(events)), sep='\\n')\n"
        "asyncio.run(main())"
    )
    assert any(str(ROOT / "nodes") in event for event in events)
    prefix = sys.pycache_prefix or str(ROOT)
    places = [event.partition(" ")[2] for event in events]
    assert [place for place in places if not place.startswith((str(ROOT), prefix))] == []


# -------------------------------------------------------------------------- before a prompt runs


def test_an_unknown_provider_gets_our_sentence(pack: Pack) -> None:
    said = pack.nodes["SeedanceT2V"].validate_inputs(provider="klang")
    assert "There is no provider 'klang'" in said
    assert "lumenfall" in said


@pytest.mark.parametrize("provider", ["auto", "lumenfall", None])
def test_a_known_or_linked_provider_is_let_through(pack: Pack, provider: str | None) -> None:
    assert pack.nodes["SeedanceT2V"].validate_inputs(provider=provider) is True


def graph(**nodes: Any) -> dict[str, Any]:
    return {"prompt": {key.replace("_", ":"): value for key, value in nodes.items()}}


def decode_frames_after_hook(
    pack: Pack, inputs: dict[str, Any], *uses: Any, name: str = "decode_frames"
) -> Any:
    """What the hook makes of the input of node 1:2, whose outputs `uses` link to."""
    pack.load()
    users = {
        f"n{number}": {"class_type": "SaveImage", "inputs": {"images": link}}
        for number, link in enumerate(uses)
    }
    request = graph(**{"1_2": {"class_type": "SeedanceT2V", "inputs": inputs}}, **users)
    (hook,) = pack.server.prompt_handlers
    return hook(request)["prompt"]["1:2"]["inputs"][name]


def test_only_nodes_whose_prompt_may_name_something_say_so(pack: Pack) -> None:
    says = {
        node_id: inputs_of(pack, node_id)["prompt"].options["tooltip"] for node_id in GENERATING
    }
    assert {node_id for node_id, words in says.items() if "@Image1" in words} == {
        "SeedanceReference",
        "SeedanceV2V",
    }
    ratio = inputs_of(pack, "SeedanceT2V")["ratio"].options["tooltip"]
    assert "picture" not in ratio


def test_frames_are_decoded_where_something_uses_them(pack: Pack) -> None:
    assert decode_frames_after_hook(pack, {"decode_frames": False}, ["1:2", 0]) is True


def test_frames_are_not_decoded_where_only_the_video_is_used(pack: Pack) -> None:
    assert decode_frames_after_hook(pack, {"decode_frames": True}, ["1:2", 1]) is False


@pytest.mark.parametrize("output", range(6))
@pytest.mark.parametrize(("name", "used"), [("decode_last_frame", 4), ("decode_audio", 2)])
def test_each_output_is_decoded_where_something_uses_it(
    pack: Pack, name: str, used: int, output: int
) -> None:
    decoded = decode_frames_after_hook(pack, {name: output != used}, ["1:2", output], name=name)
    assert decoded is (output == used)


def test_another_nodes_first_output_does_not_count(pack: Pack) -> None:
    assert decode_frames_after_hook(pack, {}, ["2", 0]) is False


def test_a_linked_decode_frames_is_left_alone(pack: Pack) -> None:
    assert decode_frames_after_hook(pack, {"decode_frames": ["7", 0]}) == ["7", 0]


@pytest.mark.parametrize(
    "value", [[[0, 0], [1, 1]], [{}, 0], ["1:2", [0]], ["1:2", None], {"a": [[0], 0]}, [None, 0]]
)
@pytest.mark.parametrize("used", [False, True])
def test_another_packs_value_is_no_link(pack: Pack, value: Any, used: bool) -> None:
    links = [["1:2", 0]] if used else []
    assert decode_frames_after_hook(pack, {}, value, *links) is used


@pytest.mark.parametrize("value", [["a"], [[0, 0], [1, 1]]])
def test_a_list_that_is_no_link_gives_way(pack: Pack, value: Any) -> None:
    assert decode_frames_after_hook(pack, {"decode_frames": value}) is False


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"prompt": None},
        {"prompt": ["1"]},
        {"prompt": "1"},
        {"prompt": {"1": "odd"}},
        {"prompt": {"1": {}}},
        {"prompt": {"1": {"class_type": ["SeedanceT2V"], "inputs": []}}},
        {"prompt": {"1": {"class_type": "SeedanceT2V", "inputs": ["a"]}}},
    ],
)
def test_the_hook_bears_odd_prompts(pack: Pack, request_: dict[str, Any]) -> None:
    pack.load()
    assert pack.server.prompt_handlers[0](request_) is request_


# ------------------------------------------------------------------------------- with the server


async def start(server: Any) -> None:
    for begin in server.app.on_startup:
        await begin(server.app)


@pytest.fixture
def recovered(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when the runner is made and takes up unfinished tasks."""
    recovered = threading.Event()

    class Runner:
        def recover(self) -> int:
            recovered.set()
            return 0

    monkeypatch.setattr(pack.host, "runner", Runner)
    return recovered


def begin_to_serve(pack: Pack) -> None:
    """Start the server, and wait for the threads that this starts."""
    asyncio.run(start(pack.server))
    for thread in threading.enumerate():
        if thread.name == "seedance-recovery":
            thread.join(10)


def test_unfinished_tasks_are_taken_up_when_the_server_starts_and_not_before(
    pack: Pack, recovered: threading.Event
) -> None:
    home = pack.host.settings().home
    home.mkdir(parents=True)
    (home / "journal.db").touch()
    pack.load()
    assert not recovered.is_set()
    begin_to_serve(pack)
    assert recovered.is_set()


def test_where_nothing_was_ever_ordered_nothing_is_loaded_at_the_start(
    pack: Pack, recovered: threading.Event
) -> None:
    pack.load()
    begin_to_serve(pack)
    assert not recovered.is_set()
    assert not pack.host.settings().home.exists()


def test_where_something_is_ordered_later_rows_are_taken_up_from_then_on(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack.load()
    begin_to_serve(pack)
    monkeypatch.setattr(pack.core("runner.worker"), "HEARTBEAT_SECONDS", 0.02)
    looked = threading.Event()
    recovery = pack.core("runner.recovery").Recovery
    monkeypatch.setattr(recovery, "recover", lambda self: looked.set())
    pack.host.runner()
    assert looked.wait(60)


def test_a_journal_elsewhere_is_looked_at_when_the_server_starts(
    pack: Pack, recovered: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDANCE_JOURNAL_URL", "postgresql://127.0.0.1/journal")
    pack.load()
    begin_to_serve(pack)
    assert recovered.is_set()


def test_the_log_names_a_node_id_that_another_pack_took(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pack.host, "runner", lambda: scripted(pack, monkeypatch))
    pack.load()
    other = type("Other", (), {"RELATIVE_PYTHON_MODULE": "custom_nodes.other_pack"})
    monkeypatch.setitem(host("nodes").NODE_CLASS_MAPPINGS, "SeedanceT2V", other)
    with caplog.at_level(logging.WARNING, "seedance"):
        pack.host.warn_of_taken_ids(pack.nodes)
    (record,) = caplog.records
    assert "SeedanceT2V" in record.message
    assert "custom_nodes.other_pack" in record.message


def test_state_is_kept_where_the_web_interface_cannot_reach(pack: Pack, tmp_path: Path) -> None:
    settings = pack.host.settings()
    assert settings.home == tmp_path / "user" / "__seedance"
    assert settings.output == tmp_path / "output" / "seedance"
