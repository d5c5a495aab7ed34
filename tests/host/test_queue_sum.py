"""What a queued graph costs in all: said before it runs, and refused beyond `SEEDANCE_MAX_USD`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakes
import pytest

pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core

from pack_loader import Pack, loaded_pack
from pack_site import Site

pytestmark = pytest.mark.safety

ORDER = {"prompt": "a hill", "provider": "lumenfall", "ratio": "16:9", "duration": 15}
PRICE = 4.545


@pytest.fixture
def fake() -> Iterator[fakes.Fake]:
    with fakes.all()["lumenfall"](polls_until_done=0) as fake:
        yield fake


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: fakes.Fake) -> Iterator[Pack]:
    for name, value in {**fake.environment(), "SEEDANCE_POLL_INTERVAL": "0.05"}.items():
        monkeypatch.setenv(name, value)
    with loaded_pack(tmp_path, monkeypatch) as pack:
        yield pack


def graph(count: int, takes: int = 1, **inputs: Any) -> dict[str, Any]:
    """So many generating nodes with different seeds, each with a node that saves its video."""
    nodes: dict[str, Any] = {}
    for number in range(1, count + 1):
        given = {**ORDER, "seed": 100 * number, "takes": takes, **inputs}
        nodes[str(number)] = {"class_type": "SeedanceT2V", "inputs": given}
        nodes[f"s{number}"] = {"class_type": "SaveVideo", "inputs": {"video": [str(number), 1]}}
    return nodes


def queued(pack: Pack, nodes: dict[str, Any], prompt_id: str = "p") -> None:
    outputs = [name for name in nodes if name.startswith("s")]
    pack.server.prompt_queue.running = [(1, prompt_id, nodes, {}, outputs)]


def run(pack: Pack, nodes: dict[str, Any], node_id: str, prompt_id: str = "p") -> Any:
    inputs = {
        name: value
        for name, value in nodes[node_id]["inputs"].items()
        if not isinstance(value, list)
    }
    return asyncio.run(
        pack.execute("SeedanceT2V", at=node_id, prompt_id=prompt_id, decode_frames=False, **inputs)
    )


def test_a_graph_beyond_the_limit_sends_nothing_at_all(pack: Pack, fake: fakes.Fake) -> None:
    """20 nodes with 8 takes each are 160 paid orders; one of them alone would be allowed."""
    nodes = graph(20, takes=8)
    queued(pack, nodes)
    for node_id in ("1", "2", "20"):
        with pytest.raises(pack.core("errors").OverBudget) as caught:
            run(pack, nodes, node_id)
    for words in (f"${160 * PRICE:.2f}", "$50.00", "SEEDANCE_MAX_USD", "not sent"):
        assert words in str(caught.value)
    assert fake.requests == []


def test_a_graph_within_the_limit_runs_and_may_run_again(pack: Pack, fake: fakes.Fake) -> None:
    nodes = graph(10)  # 45.45 USD
    queued(pack, nodes)
    run(pack, nodes, "1")
    assert fake.creates == 1
    nodes["11"] = {"class_type": "SeedanceT2V", "inputs": {**ORDER, "seed": 1100}}
    nodes["s11"] = {"class_type": "SaveVideo", "inputs": {"video": ["11", 1]}}
    queued(pack, nodes, "p2")
    run(pack, nodes, "11", "p2")  # what is there already costs nothing: 10 new ones again
    assert fake.creates == 2


def test_what_only_the_run_knows_counts_order_by_order(pack: Pack, fake: fakes.Fake) -> None:
    """A linked length is 5 s before the run, and 15 s in it."""
    nodes = graph(20, duration=["9", 0])
    queued(pack, nodes)
    refused = 0
    for number in range(1, 21):
        inputs = {**nodes[str(number)]["inputs"], "duration": 15}
        try:
            run(pack, {str(number): {"inputs": inputs}}, str(number))
        except pack.core("errors").OverBudget:
            refused += 1
    assert fake.creates == 11
    assert refused == 9


def test_nodes_that_no_output_needs_do_not_count(pack: Pack, fake: fakes.Fake) -> None:
    nodes = graph(20)
    pack.server.prompt_queue.running = [(1, "p", nodes, {}, ["s1"])]
    run(pack, nodes, "1")
    assert fake.creates == 1


def test_each_queue_has_a_sum_of_its_own(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDANCE_MAX_USD", "5")
    for number in range(1, 4):
        nodes = graph(number)
        one = {str(number): nodes[str(number)], f"s{number}": nodes[f"s{number}"]}
        queued(pack, one, f"p{number}")
        run(pack, one, str(number), f"p{number}")


# ------------------------------------------------------------------------------------ the page


@pytest.fixture
def site(pack: Pack) -> Iterator[Site]:
    site = Site(pack)
    try:
        yield site
    finally:
        site.close()


def test_the_page_learns_the_sum_before_it_runs_a_graph(site: Site, fake: fakes.Fake) -> None:
    prompt = graph(3, takes=2)
    prompt["free"] = {"class_type": "SeedanceT2V", "inputs": {**ORDER, "provider": "preview"}}
    prompt["linked"] = {
        "class_type": "SeedanceI2V",
        "inputs": {**ORDER, "image": ["x", 0], "prompt": ["y", 0], "duration": ["z", 0]},
    }
    reply = site.ask("POST", "/seedance/check", {"prompt": prompt})
    assert reply.json == {
        "usd": pytest.approx(6 * PRICE + 5 * 0.302),
        "orders": 7,
        "unknown": 0,
        "max_usd": 50.0,
    }
    assert fake.requests == []


@pytest.mark.parametrize(
    "prompt",
    [
        {},
        {"1": None},
        {"1": []},
        {"1": {"class_type": 5, "inputs": []}},
        {"1": {"class_type": "SeedanceT2V", "inputs": {**ORDER, "duration": "long"}}},
        {"1": {"class_type": "SeedanceT2V", "inputs": {**ORDER, "resolution": "9k"}}},
        {"1": {"class_type": "SeedanceV2V", "inputs": {"video_url": "file:///etc/passwd"}}},
        {"1": {"class_type": "SeedanceT2V", "inputs": {"extra": "{"}}},
    ],
)
def test_a_graph_that_makes_no_sense_costs_nothing(site: Site, prompt: Any) -> None:
    reply = site.ask("POST", "/seedance/check", {"prompt": prompt})
    assert (reply.status, reply.json["usd"]) == (200, 0)


def test_takes_of_a_stranger_are_as_many_as_a_node_makes(site: Site) -> None:
    for takes, orders in ((10**9, 8), (-5, 1), ("8", 1), (2.5, 1), (True, 1)):
        prompt = {"1": {"class_type": "SeedanceT2V", "inputs": {**ORDER, "takes": takes}}}
        reply = site.ask("POST", "/seedance/check", {"prompt": prompt})
        assert reply.json["orders"] == orders


@pytest.mark.parametrize(
    "node",
    [
        {"class_type": "SeedanceT2V", "inputs": {**ORDER, "takes": 8}},
        {"class_type": "SeedanceT2V", "inputs": {**ORDER, "provider": "preview"}},
        {"class_type": "SeedanceStoryboard", "inputs": {**ORDER, "shots": "a\n\n" * 150}},
        {"class_type": "SeedanceFinal", "inputs": {"draft": "byteplus:cgt-1"}},
    ],
    ids=lambda node: str(node["class_type"]),
)
def test_a_graph_without_end_is_priced_in_a_fixed_number_of_steps(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, node: dict[str, Any]
) -> None:
    """What is not priced is said to have no known price."""
    looked: list[int] = []

    def prices(given: Any, _prompt: Any, _runner: Any) -> list[Any]:
        looked.append(pack.queue_sum._steps(given))
        return []

    monkeypatch.setattr(pack.queue_sum, "_prices", prices)
    total = sum_of(pack, {str(number): node for number in range(5_000)})
    assert total.unknown == 5_000 - len(looked)
    assert 1_000 <= sum(looked) < 1_000 + 8 * 200


def test_the_limit_is_a_setting(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site.get("/seedance/settings")["max_usd"] == 50.0
    kept = site.put("/seedance/settings", {"budget": {"max_usd": "80.5"}})
    assert (kept["max_usd"], kept["budget"]) == (80.5, {})
    assert site.put("/seedance/settings", {"budget": {"max_usd": 0}})["max_usd"] == 0
    assert site.put("/seedance/settings", {"budget": {"max_usd": None}})["max_usd"] == 50.0
    assert site.ask("PUT", "/seedance/settings", {"budget": {"max_usd": "-1"}}).status == 400


# ------------------------------------------------------------------------------ drafts and finals

DRAFT = {**ORDER, "provider": "byteplus", "model": "seedance-2.5", "duration": 5, "draft": True}


@pytest.fixture
def ark(monkeypatch: pytest.MonkeyPatch) -> Iterator[fakes.Fake]:
    with fakes.all()["byteplus"](polls_until_done=0) as fake:
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        yield fake


def sum_of(pack: Pack, nodes: dict[str, Any]) -> Any:
    """The sum of a graph."""
    return pack.queue_sum.sum_of_graph(nodes, pack.host.runner())


def final(draft: Any, **inputs: Any) -> dict[str, Any]:
    return {"f": {"class_type": "SeedanceFinal", "inputs": {"draft": draft, **inputs}}}


def test_finals_of_drafts_in_the_graph_count_beside_them(pack: Pack, ark: fakes.Fake) -> None:
    drafts = {"1": {"class_type": "SeedanceT2V", "inputs": {**DRAFT, "takes": 2}}}
    alone, both = sum_of(pack, drafts), sum_of(pack, {**drafts, **final(["1", 5])})
    assert (alone.orders, both.orders, both.unknown) == (2, 4, 0)
    assert both.usd > 3 * alone.usd


def test_a_final_of_a_ticket_counts_until_it_is_made(pack: Pack, ark: fakes.Fake) -> None:
    drafts = {"1": {"class_type": "SeedanceT2V", "inputs": DRAFT}}
    planned = sum_of(pack, {**drafts, **final(["1", 5])}).usd - sum_of(pack, drafts).usd
    ticket = run(pack, drafts, "1").args[5][0]
    assert sum_of(pack, drafts).orders == 0
    for draft in (ticket, ["1", 5]):
        assert sum_of(pack, {**drafts, **final(draft)}).usd == pytest.approx(planned)
    pack.run("SeedanceFinal", draft=ticket, decode_frames=False)
    assert ark.creates == 2
    for draft in (ticket, ["1", 5], "no ticket", ["nowhere", 5], None, 7):
        assert sum_of(pack, {**drafts, **final(draft)}).orders == 0
