"""A saved video carries the graph of the order that made it, and no key."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest
from PIL import Image
from running import Desk, left_running

from seedance.files import sha256_of
from seedance.runner import Graph, Result, graphs

FIRST = {"prompt": '{"1": {}}', "workflow": '{"nodes": ["first"]}'}
SECOND = {"prompt": '{"2": {}}', "workflow": '{"nodes": ["second"]}'}


def graph_in(video: Path) -> Graph:
    with av.open(str(video)) as container:
        return {name: container.metadata.get(name, "") for name in FIRST}


def graph_in_picture(picture: Path) -> Graph:
    with Image.open(picture) as image:
        image.load()
        return {name: image.info.get(name, "") for name in FIRST}


def made(desk: Desk, graph: Graph | None, **environment: str) -> Result:
    (job,) = desk.runner(**environment).start(desk.order(), graph=graph)
    return job.wait()


def test_video_and_picture_carry_the_graph_and_the_digest_is_that_of_the_file(desk: Desk) -> None:
    result = made(desk, FIRST)
    assert graph_in(result.file) == graph_in_picture(result.last_frame) == FIRST
    sidecar = json.loads(result.sidecar.read_text("utf-8"))
    assert sidecar["sha256"] == desk.row().result["sha256"] == sha256_of(result.file)
    assert sidecar["bytes"] == result.file.stat().st_size


def test_it_is_the_graph_of_the_order_that_made_it(desk: Desk) -> None:
    made(desk, FIRST)
    again = made(desk, SECOND)
    assert graph_in(again.file) == FIRST
    for path in desk.output.iterdir():
        path.unlink()
    fetched = made(desk, SECOND)
    assert graph_in(fetched.file) == graph_in_picture(fetched.last_frame) == FIRST
    assert desk.sent_creates == 1


def test_who_takes_an_order_up_puts_its_graph_in(desk: Desk) -> None:
    desk.fake.polls_until_done = 10**6
    runner = desk.runner(SEEDANCE_TIMEOUT="0")
    (job,) = runner.start(desk.order(), graph=FIRST)
    with pytest.raises(Exception, match="still running"):
        job.wait()
    runner.close()
    desk.fake.polls_until_done = 0
    assert graph_in(made(desk, SECOND).file) == FIRST


def test_without_a_graph_a_file_stays_as_it_came(desk: Desk) -> None:
    result = made(desk, None)
    assert result.file.read_bytes() == desk.fake.clip
    assert graph_in(result.file) == {"prompt": "", "workflow": ""}


def test_a_collected_task_gets_the_graph_that_collects_it(desk: Desk, tmp_path: Path) -> None:
    ticket = left_running(desk)
    other = Desk(desk.fake, tmp_path / "other")
    result = other.runner().collect(ticket, graph=SECOND).wait()
    assert graph_in(result.file) == SECOND


@pytest.mark.safety
def test_a_key_that_stands_in_a_graph_is_taken_out(desk: Desk) -> None:
    key = "sk-typed-into-a-node-by-mistake"
    workflow = json.dumps({"nodes": [{"widgets_values": [key]}]})
    result = made(desk, {"workflow": workflow}, OPENAI_API_KEY=key)
    assert graph_in(result.file)["workflow"] == workflow.replace(key, "(your key)")
    kept = [path for path in desk.settings().home.rglob("*") if path.is_file()]
    assert not [
        path for path in (*kept, *desk.output.iterdir()) if key.encode() in path.read_bytes()
    ]
    assert graphs.of(desk.settings(), desk.row())["workflow"].count("(your key)") == 1


@pytest.mark.safety
def test_a_stored_signing_key_that_stands_in_a_graph_is_taken_out(desk: Desk) -> None:
    halves = ("AKTP-the-id-of-a-signing-key", "the-secret-half-of-a-signing-key")
    desk.settings().set_signing_key("byteplus", *halves)
    workflow = json.dumps({"nodes": [{"widgets_values": list(halves)}]})
    result = made(desk, {"workflow": workflow})
    assert json.loads(graph_in(result.file)["workflow"]) == {
        "nodes": [{"widgets_values": ["(your key)", "(your key)"]}]
    }


def test_where_the_graph_cannot_be_kept_the_video_is_made(desk: Desk) -> None:
    home = desk.settings().home
    home.mkdir(parents=True)
    (home / "graphs").write_text("no folder")
    assert graph_in(made(desk, FIRST).file)["workflow"] == ""
