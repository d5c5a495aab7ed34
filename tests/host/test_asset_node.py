"""The node that adds an asset, against a library on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fakes
import pytest
import torch
from pack_loader import Pack, host, told

from seedance.providers import get

pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core

PICTURE = torch.full((1, 400, 500, 3), 0.5)
PAGE = "https://liveness.example/authorization?pl=1&uid=1"


@pytest.fixture
def ark(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A BytePlus with a library that this server uses, and a bucket that keeps nothing."""
    with fakes.all()["byteplus"](polls_until_done=0) as fake:
        variables = fake.library.environment(get("byteplus").asset_key_variables)
        bucket = {"SEEDANCE_S3_BUCKET": "mine", "SEEDANCE_S3_ENDPOINT": "https://127.0.0.1:1"}
        monkeypatch.setenv("SEEDANCE_POLL_INTERVAL", "0.05")
        for name, value in {**fake.environment(), **variables, **bucket}.items():
            monkeypatch.setenv(name, value)
        hosting = pack.core("hosting")
        monkeypatch.setattr(hosting, "put", lambda *_: None)
        monkeypatch.setattr(hosting, "remove", lambda *_: None)
        monkeypatch.setattr(hosting, "address", lambda _, name: f"https://127.0.0.1:1/{name}")
        monkeypatch.setattr(pack.core("runner.library"), "CHECK_SECONDS", 0.01)
        yield fake


def add(pack: Pack, **inputs: Any) -> Any:
    values = {"name": "Hero", "image": PICTURE, "provider": "byteplus", **inputs}
    return pack.run("SeedanceAsset", **values)


def stages(words: list[Any]) -> list[str]:
    """What the node said it was doing, each once."""
    return list(dict.fromkeys(news["takes"][0]["code"] for news in words if "takes" in news))


# ------------------------------------------------------------------------------ what comes out


def test_the_handle_comes_out_once_the_library_has_it(pack: Pack, ark: Any) -> None:
    output = add(pack)
    (handle,) = output.args
    (asset,) = ark.library.assets.values()
    assert handle == f"asset://{asset['Id']}"
    words = told(pack)
    assert stages(words) == ["preparing", "uploading", "asset_processing"]
    assert {news["link"] for news in words if "takes" in news} == {None}
    assert words[-1]["asset"] == {"name": "Hero", "handle": handle}
    assert [shown["asset"] for shown in output.ui["seedance"]] == [words[-1]["asset"]]


def test_the_same_picture_is_there_already(pack: Pack, ark: Any) -> None:
    first, again = add(pack), add(pack)
    assert first.args == again.args
    assert len(ark.library.made("CreateAsset")) == 1


def test_any_keeps_it_on_this_machine_and_gives_the_name(pack: Pack, ark: Any) -> None:
    output = add(pack, provider="any")
    assert output.args == ("@Asset:Hero",)
    assert ark.requests == []
    folder = pack.host.settings().home / "assets" / "Hero"
    assert [file.suffix for file in folder.iterdir()] == [".png"]


def test_a_clip_is_taken(pack: Pack, ark: Any, tmp_path: Path) -> None:
    import clips

    file = clips.write(tmp_path / "clip.mp4", frames=72, width=800, height=600)
    add(pack, image=None, video=host("comfy_api.latest").InputImpl.VideoFromFile(str(file)))
    (asset,) = ark.library.assets.values()
    assert asset["AssetType"] == "Video"


# --------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"image": None}, "nothing is connected"),
        ({"audio": {"waveform": None}}, "image and audio are connected"),
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"kind": "robot"}, "There is no kind .robot."),
        ({"provider": "fal"}, "fal"),
    ],
)
def test_what_cannot_be_added_is_refused_before_anything_is_sent(
    pack: Pack, ark: Any, inputs: dict[str, Any], message: str
) -> None:
    with pytest.raises(pack.core("errors").BadOrder, match=message):
        add(pack, **inputs)
    assert ark.requests == []
    (failed,) = told(pack)[-1]["results"]
    assert failed["error"]["kind"] == "BadOrder"


def test_an_account_without_the_right_is_told_so(pack: Pack, ark: Any) -> None:
    ark.library.subscribed = False
    with pytest.raises(pack.core("errors").SeedanceError) as caught:
        add(pack)
    assert "plan" in f"{caught.value}".lower()


def test_nothing_of_the_signing_key_is_on_the_node(pack: Pack) -> None:
    names = [item.id for item in pack.nodes["SeedanceAsset"].define_schema().inputs]
    assert names == ["image", "video", "audio", "name", "provider", "kind"]


# ------------------------------------------------------------------------------------ real people


def test_a_person_gets_a_link_and_is_waited_for(pack: Pack, ark: Any) -> None:
    def confirm_when_shown() -> bool:
        if [news for news in told(pack) if news.get("link") == PAGE] and not ark.library.groups:
            ark.library.confirm()
        return False

    (handle,) = asyncio.run(alongside(pack, confirm_when_shown, kind="person")).args
    assert handle.startswith("asset://")
    assert stages(told(pack)) == ["preparing", "asset_person", "uploading", "asset_processing"]
    assert told(pack)[-1]["asset"]["handle"] == handle


async def alongside(pack: Pack, watch: Callable[[], bool], **inputs: Any) -> Any:
    """Run the node and call `watch` meanwhile, until it says True or the node has ended."""
    values = {"name": "Hero", "image": PICTURE, "provider": "byteplus", **inputs}
    node = asyncio.create_task(pack.execute("SeedanceAsset", **values))
    while not node.done() and not watch():
        await asyncio.sleep(0.01)
    return await node


def test_cancel_ends_the_wait_for_a_person(pack: Pack, ark: Any) -> None:
    management = host("comfy.model_management")

    def interrupt_when_shown() -> bool:
        shown = any(news.get("link") == PAGE for news in told(pack))
        if shown:
            management.interrupt_current_processing()
        return shown

    try:
        with pytest.raises(management.InterruptProcessingException):
            asyncio.run(alongside(pack, interrupt_when_shown, kind="person"))
    finally:
        management.interrupt_current_processing(False)
    assert ark.library.made("CreateAsset") == []


# ------------------------------------------------------------------------------ run again or not


def test_a_removal_makes_the_node_run_again(pack: Pack, ark: Any) -> None:
    before = pack.fingerprint("SeedanceAsset")
    assert pack.fingerprint("SeedanceAsset") == before
    pack.asset.count_removal()
    assert pack.fingerprint("SeedanceAsset") != before


# --------------------------------------------------------------------------------- used by a node


def ordered(ark: Any) -> list[dict[str, Any]]:
    """The content of the one order that came."""
    bodies = (request.json for request in ark.requests if request.path.endswith("/tasks"))
    content: list[dict[str, Any]] = next(bodies)["content"]
    return content


def pictures(ark: Any) -> list[str]:
    return [part["image_url"]["url"] for part in ordered(ark) if "image_url" in part]


def test_the_handle_is_an_address_for_other_nodes(pack: Pack, ark: Any) -> None:
    (handle,) = add(pack).args
    pack.run("SeedanceReference", prompt="@Image1 walks", urls=handle, provider="byteplus", takes=1)
    assert pictures(ark) == [handle]


def test_a_handle_that_nobody_knows_needs_its_kind(pack: Pack, ark: Any) -> None:
    with pytest.raises(pack.core("errors").BadOrder, match="picture, a clip or a sound"):
        pack.run("SeedanceReference", prompt="it walks", urls="asset://a-1", provider="byteplus")
    assert ark.creates == 0


def test_the_name_in_a_prompt_is_enough(pack: Pack, ark: Any) -> None:
    (handle,) = add(pack).args
    pack.run("SeedanceReference", prompt="@Asset:Hero walks", provider="byteplus")
    assert pictures(ark) == [handle]
    (text,) = [part["text"] for part in ordered(ark) if part["type"] == "text"]
    assert "Asset" not in text and "1" in text
