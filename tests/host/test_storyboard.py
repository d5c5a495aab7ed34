"""The storyboard node: its shots, its film, what the page is told, Cancel, what it costs."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clips
import fakes
import numpy as np
import pytest

pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core

import torch
from pack_loader import Pack, host, loaded_pack, told
from pack_site import Site

from seedance import media

SHOTS = "# wide\nA fox runs\n\n6s: It stops\n\n# end\nIt looks back"
TEXT, IMAGE = 0.303, 0.302  # USD a second at Lumenfall
AT = {"provider": "lumenfall"}


@pytest.fixture
def fake() -> Iterator[fakes.Fake]:
    with fakes.all()["lumenfall"](polls_until_done=1) as fake:
        yield fake


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: fakes.Fake) -> Iterator[Pack]:
    for name, value in {**fake.environment(), "SEEDANCE_POLL_INTERVAL": "0.05"}.items():
        monkeypatch.setenv(name, value)
    with loaded_pack(tmp_path, monkeypatch) as pack:
        yield pack


def run(pack: Pack, shots: str = SHOTS, **inputs: Any) -> Any:
    return pack.run("SeedanceStoryboard", shots=shots, **{**AT, **inputs})


def prompts(fake: fakes.Fake) -> list[str]:
    return sorted(task.body["prompt"] for task in fake.tasks.values())


def orders(pack: Pack) -> dict[str, Any]:
    """The orders in the journal, by prompt."""
    return {row.prompt: row.order for row in pack.host.runner().tasks()}


def test_its_names_are_those_of_the_contract(pack: Pack) -> None:
    schema = pack.nodes["SeedanceStoryboard"].define_schema()
    assert (schema.display_name, schema.category) == ("Seedance Storyboard", "Seedance")
    names = [item.id for item in schema.inputs]
    assert names[:4] == ["image", "shots", "chain", "provider"]
    assert not {"takes", "decode_frames"} & set(names)
    required = [item.id for item in schema.inputs if not item.options.get("optional")]
    assert required == ["shots"]
    assert {item.id: item.options["default"] for item in schema.inputs[2:4]} == {
        "chain": True,
        "provider": "auto",
    }
    assert [(item.id, item.io_type, item.is_output_list) for item in schema.outputs] == [
        ("film", "VIDEO", False),
        ("audio", "AUDIO", False),
        ("fps", "FLOAT", False),
        ("video", "VIDEO", True),
        ("last_frame", "IMAGE", True),
        ("task", "STRING", True),
    ]
    assert all(item.tooltip for item in schema.outputs)
    assert not getattr(schema, "is_output_node", False)


@pytest.mark.parametrize("gone", ["shot", "film", "row"])
def test_what_is_gone_since_is_made_again(pack: Pack, gone: str) -> None:
    given = {"shots": SHOTS, **AT}
    before = pack.fingerprint("SeedanceStoryboard", **given)
    film, _, _, videos, *_ = run(pack).args
    assert pack.fingerprint("SeedanceStoryboard", **given) == before
    if gone == "row":
        pack.partial_failures.partial_failures.forget(2)
    else:
        Path((videos[1] if gone == "shot" else film).get_stream_source()).unlink()
    assert pack.fingerprint("SeedanceStoryboard", **given) != before


def test_a_chain_is_made_and_joined(pack: Pack, fake: fakes.Fake) -> None:
    film, audio, fps, videos, last_frames, tickets = run(pack).args
    assert prompts(fake) == ["A fox runs", "It looks back", "It stops"]
    path = Path(film.get_stream_source())
    assert path.parent.name == "seedance" and path.name.startswith("storyboard_")
    assert media.probe(path).frames == 36
    assert (audio, fps) == (None, 24.0)
    assert [len(each) for each in (videos, last_frames, tickets)] == [3, 3, 3]
    assert all(ticket.startswith("lumenfall:") for ticket in tickets)
    made = orders(pack)
    first = made["A fox runs"]
    assert (first["first_frame"], first["ratio"], first["duration"]) == (None, "16:9", 5)
    for before, after in (("A fox runs", "It stops"), ("It stops", "It looks back")):
        rows = {row.prompt: row for row in pack.host.runner().tasks()}
        png = rows[before].file.with_name(rows[before].file.stem + ".last.png")
        digest = pack.core("order").Medium.from_pixels(media.read_picture(png)).digest
        assert made[after]["first_frame"]["sha256"] == digest
        assert made[after]["ratio"] == "16:9"
    assert made["It stops"]["duration"] == 6


def test_how_much_of_the_film_is_written_is_told(
    pack: Pack, fake: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches, half = pack.core("runner.batches"), "Joining the shots: 50 %."
    make_film = batches.make_film

    def notes() -> list[str]:
        return [note["text"] for data in told(pack) for note in data.get("notes", ())]

    def slowly(shots: Any, target: Path, on_part: Any) -> Any:
        on_part(0.5)
        for _ in range(500):
            if half in notes():
                break
            threading.Event().wait(0.02)
        return make_film(shots, target, on_part)

    monkeypatch.setattr(batches, "make_film", slowly)
    run(pack)
    assert half in notes()
    assert told(pack)[-1]["notes"] == []


def test_shots_that_are_there_are_free_and_so_is_the_film(pack: Pack, fake: fakes.Fake) -> None:
    first = run(pack)
    path = Path(first.args[0].get_stream_source())
    made = path.stat().st_mtime_ns
    again = run(pack)
    assert again.args[5] == first.args[5]
    assert again.args[0].get_stream_source() == str(path)
    assert path.stat().st_mtime_ns == made
    assert fake.creates == 3
    run(pack, SHOTS.replace("looks back", "runs away"))
    assert fake.creates == 4


def test_without_a_chain_each_shot_stands_alone(pack: Pack, fake: fakes.Fake) -> None:
    run(pack, chain=False)
    assert all(order["first_frame"] is None for order in orders(pack).values())


def test_a_picture_starts_the_first_shot(pack: Pack, fake: fakes.Fake) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (90, 160, 3)).astype(np.uint8)
    image = torch.from_numpy(pixels / np.float32(255))[None]
    run(pack, image=image)
    digest = pack.core("order").Medium.from_pixels(pixels).digest
    assert orders(pack)["A fox runs"]["first_frame"]["sha256"] == digest
    assert orders(pack)["It stops"]["ratio"] == "adaptive"  # that of the picture
    with pytest.raises(pack.core("errors").BadOrder, match="has image too"):
        run(pack, json.dumps([{"prompt": "A", "image": "asset://a"}]), image=image)


def test_what_the_list_says_goes_before_the_widgets(pack: Pack, fake: fakes.Fake) -> None:
    shots = {
        "defaults": {"duration": 7},
        "shots": ["A", {"prompt": "B", "seed": 9, "ratio": "1:1"}],
    }
    run(
        pack, json.dumps(shots), duration=4, seed=2, ratio="9:16", generate_audio=False, chain=False
    )
    made = orders(pack)
    assert [made[name]["duration"] for name in "AB"] == [7, 7]
    assert [made[name]["seed"] for name in "AB"] == [2, 9]
    assert [made[name]["ratio"] for name in "AB"] == ["9:16", "1:1"]
    assert [made[name]["generate_audio"] for name in "AB"] == [False, False]


def test_linked_values_are_what_they_mean(pack: Pack, fake: fakes.Fake) -> None:
    run(pack, "A\n\nB", chain="false", duration=7.0, seed="3", generate_audio=None)
    made = orders(pack)
    assert {(each["duration"], each["seed"]) for each in made.values()} == {(7, 3)}
    assert made["B"]["first_frame"] is None


@pytest.mark.parametrize(
    ("shots", "words"),
    [
        ("", "There are no shots"),
        ("  \n ", "There are no shots"),
        ('[{"prompt": "A", "ratio": "16x9"}]', "Did you mean 16:9"),
        ('[{"prompt": "A", "image": "/etc/passwd"}]', "names no files"),
        ("A\n\n" * 201, "201 shots"),
        ("x" * 200_001, "200001 letters"),
        ("8s: A\n\n20s: B", "Shot 002, line 3: Lumenfall does not support duration 20"),
    ],
)
def test_a_list_that_cannot_be_sends_nothing(
    pack: Pack, fake: fakes.Fake, shots: str, words: str
) -> None:
    with pytest.raises(pack.core("errors").BadOrder, match=words) as caught:
        run(pack, shots)
    assert type(caught.value).__module__ == "seedance"
    (news,) = [each for each in told(pack) if "results" in each]
    assert news["results"][0]["error"]["spent"] == "no"
    assert fake.requests == []


def test_the_limit_of_a_graph_holds_for_a_storyboard(
    pack: Pack, fake: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDANCE_MAX_USD", "4")
    with pytest.raises(pack.core("errors").OverBudget, match="SEEDANCE_MAX_USD"):
        run(pack)
    assert fake.requests == []


# --------------------------------------------------------------------------------- what goes wrong


def test_a_shot_that_fails_blocks_what_hangs_on_it(pack: Pack, fake: fakes.Fake) -> None:
    fake.fault(lambda request: b"stops" in request.body, "status:400")
    output = run(pack)
    film, audio, fps, videos, last_frames, tickets = output.args
    failure = type(film)
    assert failure.__name__ == "Failure" and "film was not made" in film.message
    assert type(audio) is type(fps) is failure
    assert tickets[0].startswith("lumenfall:")
    assert [type(each) is failure for each in videos] == [False, True, True]
    assert "starts on the last frame of 002, which failed" in last_frames[2].message
    news = told(pack)[-1]
    assert [each["name"] for each in news["results"]] == ["wide", "002", "end"]
    assert [("error" in each) for each in news["results"]] == [False, True, True]
    assert len(output.ui.values) == 1  # what was made can be looked at
    run(pack)  # what is there is free, and the rest is tried again
    assert fake.creates == 3


def test_if_all_fail_the_node_raises(pack: Pack, fake: fakes.Fake) -> None:
    fake.fault(lambda request: request.method == "POST", "status:400", times=9)
    with pytest.raises(pack.core("errors").Refused):
        run(pack, chain=False)


# ---------------------------------------------------------------------------------------- the page


def test_the_page_is_told_how_far_each_shot_is_and_gets_all_clips(
    pack: Pack, fake: fakes.Fake
) -> None:
    output = run(pack)
    said = told(pack)
    names = {each["name"] for news in said for each in news.get("takes", [])}
    assert names <= {"wide", "002", "end"} and names
    assert {"ended", "all"} == set(next(n["shots"] for n in said if "shots" in n))
    results = said[-1]["results"]
    assert [each["name"] for each in results] == ["wide", "002", "end"]
    assert all(each["row"] and each["cost"] for each in results)
    files = [each["filename"] for each in output.ui.values]
    assert len(files) == 4 and files[0].startswith("storyboard_")


@pytest.fixture
def site(pack: Pack) -> Iterator[Site]:
    site = Site(pack)
    try:
        yield site
    finally:
        site.close()


def check(site: Site, shots: str = SHOTS, sockets: tuple[str, ...] = (), **inputs: Any) -> Any:
    body = {
        "node": "SeedanceStoryboard",
        "inputs": {"shots": shots, "chain": True, "ratio": "adaptive", **AT, **inputs},
        "sockets": list(sockets),
    }
    return site.ask("POST", "/seedance/check", body).json["storyboard"]


def test_the_line_says_what_is_to_be_made_and_what_it_costs(
    site: Site, pack: Pack, fake: fakes.Fake
) -> None:
    said = check(site)
    assert said == {
        "shots": 3,
        "to_make": 3,
        "free": False,
        "usd": pytest.approx(5 * TEXT + 11 * IMAGE),
        "unknown": 0,
        "problem": None,
    }
    run(pack)
    assert check(site)["to_make"] == 0
    changed = check(site, SHOTS.replace("It stops", "It halts"))
    assert (changed["to_make"], changed["usd"]) == (2, pytest.approx(11 * IMAGE))
    assert check(site, seed=1)["to_make"] == 3
    assert check(site, provider="preview")["free"] is True


def test_the_line_of_a_storyboard_with_a_picture_that_only_the_run_knows(
    site: Site, pack: Pack, fake: fakes.Fake
) -> None:
    assert check(site, sockets=("image",))["to_make"] == 3
    run(pack, image=torch.full((1, 900, 1600, 3), 0.5))
    assert check(site, sockets=("image",))["to_make"] == 0


def test_what_was_made_without_a_picture_is_not_there_with_one(
    site: Site, pack: Pack, fake: fakes.Fake
) -> None:
    """Neither with another ratio, nor silent: each of these is paid."""
    run(pack)
    assert check(site)["to_make"] == 0
    assert check(site, sockets=("image",))["to_make"] == 3
    run(pack, image=torch.full((1, 900, 1600, 3), 0.5))
    assert check(site, sockets=("image",))["to_make"] == 0
    assert check(site, sockets=("image",), generate_audio=False)["to_make"] == 3
    assert check(site, sockets=("image",), ratio="1:1")["to_make"] == 3


def test_the_line_says_what_is_wrong(site: Site, fake: fakes.Fake) -> None:
    assert "no shots" in check(site, "")["problem"]["message"]
    assert check(site, '[{"prompt": "A", "seed": "x"}]')["problem"]["kind"] == "BadOrder"
    reply = site.ask("POST", "/seedance/check", {"node": "SeedanceStoryboard", "inputs": 3})
    assert reply.json["error"]["kind"] == "BadOrder"


def test_the_line_says_the_price_also_without_a_key(
    site: Site, pack: Pack, fake: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LUMENFALL_API_KEY")
    said = check(site)
    assert (said["to_make"], said["problem"]["kind"]) == (3, "NeedsKey")
    assert said["usd"] == pytest.approx(5 * TEXT + 11 * IMAGE)
    with pytest.raises(pack.core("errors").NeedsKey):
        run(pack)
    assert fake.requests == []


def test_what_nothing_uses_is_not_decoded(pack: Pack, fake: fakes.Fake, tmp_path: Path) -> None:
    fake._clip = clips.write(tmp_path / "loud.mp4", audio=True).read_bytes()
    film, audio, _, videos, last_frames, _ = run(
        pack, decode_last_frame=False, decode_audio=False
    ).args
    assert "decode_audio" in audio.message
    assert ["decode_last_frame" in each.message for each in last_frames] == [True] * 3
    assert [Path(each.get_stream_source()).is_file() for each in (film, *videos)] == [True] * 4


def test_a_switch_that_cannot_be_one_is_refused_before_anything_is_sent(
    pack: Pack, fake: fakes.Fake
) -> None:
    with pytest.raises(Exception, match="decode_audio"):
        run(pack, decode_audio="perhaps")
    assert fake.requests == []


def test_the_sum_of_a_graph_has_its_storyboards(site: Site, pack: Pack, fake: fakes.Fake) -> None:
    inputs = {"shots": SHOTS, **AT, "decode_frames": False}
    prompt = {"1": {"class_type": "SeedanceStoryboard", "inputs": inputs}}
    said = site.ask("POST", "/seedance/check", {"prompt": prompt}).json
    assert (said["usd"], said["orders"]) == (pytest.approx(5 * TEXT + 11 * IMAGE), 3)
    run(pack)
    assert site.ask("POST", "/seedance/check", {"prompt": prompt}).json["usd"] == 0


def test_what_preview_made_costs_again_elsewhere(site: Site, pack: Pack, fake: fakes.Fake) -> None:
    """A graph that was tried with preview is not free at a provider that is paid."""
    order = {"prompt": "A fox", "ratio": "16:9", "resolution": "720p", "duration": 5}
    pack.host.runner().start(pack.core("order").Order(provider="preview", **order))
    prompt = {"1": {"class_type": "SeedanceT2V", "inputs": {**order, **AT}}}
    assert site.ask("POST", "/seedance/check", {"prompt": prompt}).json["orders"] == 1


# ----------------------------------------------------------------------------------------- Cancel


def test_a_cancel_begins_nothing_more(pack: Pack, fake: fakes.Fake) -> None:
    fake.polls_until_done = 10**6
    management = host("comfy.model_management")
    interrupt = management.interrupt_current_processing

    async def cancelled() -> None:
        running = asyncio.ensure_future(pack.execute("SeedanceStoryboard", shots=SHOTS, **AT))
        while not fake.creates or not any("takes" in news for news in told(pack)):
            await asyncio.sleep(0.02)
        interrupt()
        await running

    try:
        with pytest.raises(management.InterruptProcessingException):
            asyncio.run(cancelled())
    finally:
        interrupt(False)
    gone = threading.Event()
    for _ in range(200):
        said = [news for news in told(pack) if news.get("notes")]
        if said:
            break
        gone.wait(0.05)
    assert "goes on" in said[-1]["notes"][0]["text"]
    assert prompts(fake) == ["A fox runs"]
