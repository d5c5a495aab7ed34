"""`@Asset:NAME` in a prompt: what it stands for at each provider, and what is said where it stands
for nothing."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import clips
import fakes
import numpy as np
import pytest
from fakes import Fake
from running import Desk

from seedance.errors import BadOrder
from seedance.fit import DoesNotFit, fit
from seedance.order import Medium, NamedAsset, Order, asked_fingerprint
from seedance.prompt_names import asset_names, spelled
from seedance.providers import get
from seedance.runner import Runner, local_assets

LIBRARY = Medium.from_library("image", "asset://asset-1", "byteplus", "Hero")


def local(name: str = "Hero", *kinds: str) -> tuple[Medium, ...]:
    return tuple(
        Medium(kind, data=f"{name}{n}".encode(), asset=name)  # type: ignore[arg-type]
        for n, kind in enumerate(kinds or ("image",))
    )


def order(prompt: str, *assets: NamedAsset, **fields: Any) -> Order:
    return Order(prompt=prompt, ratio="16:9", assets=assets, **fields)


def sent(asked: Order, provider: str = "byteplus") -> str:
    """The prompt as the provider gets it."""
    kind = get(provider)
    return spelled(fit(asked, kind).order, kind).prompt


# ------------------------------------------------------------------------------ names in a text


@pytest.mark.parametrize(
    ("prompt", "known", "found"),
    [
        ("@Asset:Hero walks", ["Hero"], [("Hero", "Hero")]),
        ("@asset:hero, @ASSET:Dog.", ["Hero", "Dog"], [("hero", "Hero"), ("Dog", "Dog")]),
        ("@Asset:Hero's dog", ["Hero"], [("Hero", "Hero")]),
        ("@Asset:Heroes", ["Hero"], [("Heroes", None)]),
        ("@Asset:Hero-2 and @Asset:Hero-like", ["Hero", "Hero-2"], [
            ("Hero-2", "Hero-2"), ("Hero-like", "Hero")]),
        ("@Asset:小明走进房间", ["小明", "小"], [("小明走进房间", "小明")]),
        ("@Asset:Hero走", ["Hero"], [("Hero走", "Hero")]),
        ("@Asset:José", ["José"], [("José", "José")]),
        ("@Asset:Josépha", ["José"], [("Josépha", None)]),
        ("mail@asset:Hero @@asset:Hero @Asset: Hero @Image1", ["Hero"], []),
    ],
)  # fmt: skip
def test_a_name_ends_where_it_can_end(
    prompt: str, known: list[str], found: list[tuple[str, str | None]]
) -> None:
    assert list(asset_names(prompt, known)) == found


def test_a_name_is_a_reference_in_the_providers_own_spelling() -> None:
    hero = NamedAsset("Hero", local("Hero", "image", "image", "audio"))
    asked = order("@Asset:Hero walks. @asset:hero sings, @Image1.", hero)
    assert sent(asked) == (
        "@Image1, @Image2, @Audio1 walks. @Image1, @Image2, @Audio1 sings, @Image1."
    )
    one = order("@Asset:Hero走", NamedAsset("Hero", local()))
    other = get("fal").limits.spelling["image"].replace("{n}", "1")
    assert sent(one, "fal") == f"{other}走"


def test_they_are_counted_after_the_references_that_are_given() -> None:
    mine = Medium.from_address("image", "https://media.example/mine.png")
    hero, dog = NamedAsset("Hero", local()), NamedAsset("Dog", local("Dog"))
    asked = order("@Asset:Dog sees @Image1 and @Asset:Hero", dog, hero, references=(mine,))
    assert sent(asked) == "@Image2 sees @Image1 and @Image3"
    fitted = fit(asked, get("byteplus")).order
    assert [medium.asset for medium in fitted.references] == ["", "Dog", "Hero"]
    assert fitted.prompt == asked.prompt  # the journal and the sidecar keep it as it was written
    assert fitted.mode == "reference"


def test_a_library_comes_before_files_at_its_own_provider() -> None:
    hero = NamedAsset("Hero", local(), {"byteplus": (LIBRARY,)})
    at_byteplus = fit(order("@Asset:Hero", hero), get("byteplus")).order
    assert [medium.address for medium in at_byteplus.references] == ["asset://asset-1"]
    at_fal = fit(order("@Asset:Hero", hero), get("fal")).order
    assert at_fal.references == hero.files


def test_a_provider_that_cannot_take_it_says_which_can() -> None:
    hero = NamedAsset("Hero", handles={"byteplus": (LIBRARY,)})
    with pytest.raises(DoesNotFit, match="cannot take the asset Hero: it is in byteplus only"):
        fit(order("@Asset:Hero", hero), get("volcengine"))


def test_one_that_is_not_active_is_not_sent_as_a_file_instead() -> None:
    hero = NamedAsset("Hero", local(), lacking={"byteplus": "is still being looked at"})
    with pytest.raises(DoesNotFit, match="Hero is still being looked at in the library"):
        fit(order("@Asset:Hero", hero), get("byteplus"))
    assert fit(order("@Asset:Hero", hero), get("fal")).order.references == hero.files


def test_frames_exclude_assets_too() -> None:
    frame = Medium.from_address("image", "https://media.example/mine.png")
    asked = order("@Asset:Hero", NamedAsset("Hero", local()), first_frame=frame)
    with pytest.raises(BadOrder, match="exclude references, and so assets"):
        fit(asked, get("byteplus"))


def test_the_identity_of_an_order_is_that_of_the_files() -> None:
    hero = NamedAsset("Hero", local())
    more = NamedAsset("Hero", local(), {"byteplus": (LIBRARY,)})
    other = NamedAsset("Hero", local("Other"))
    asked = [asked_fingerprint(order("@Asset:Hero", each)) for each in (hero, more, other)]
    assert asked[0] == asked[1] != asked[2]  # a library that has it too makes no other order
    assert asked_fingerprint(order("@Asset:Hero")) != asked[0]


# ------------------------------------------------------------------------------- on this machine


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "My hero!.png"
    path.write_bytes(clips.picture_bytes(400, 400))
    return path


def runner_at(folder: Path, **environment: str) -> Runner:
    from seedance.settings import Settings

    return Runner(Settings(folder / "home", folder / "output", environment))


def test_a_set_is_a_folder_and_the_same_bytes_are_in_it_once(tmp_path: Path, file: Path) -> None:
    assets = runner_at(tmp_path).assets
    first = assets.add(Medium.from_path("image", file), "Hero", "any")
    assert (first.provider, first.state, first.handle) == ("any", "local", None)
    assert first.file == str(tmp_path / "home" / "assets" / "Hero" / "01-My-hero.png")
    assert assets.add(Medium.from_path("image", file), "hero", "any") == first
    pixels = Medium.from_pixels(np.zeros((64, 64, 3), "uint8"))
    second = assets.add(pixels, "Hero", "any")
    assert assets.add(pixels, "Hero", "any") == second
    sound = assets.add(Medium.from_data("audio", clips_wav()), "Hero", "any")
    assert [Path(each.file or "").name for each in (first, second, sound)] == [
        *("01-My-hero.png", "02-image.png", "03-audio.wav")
    ]
    assert [view.name for view in assets.all()] == ["Hero"] * 3
    assert Path(first.file).read_bytes() == file.read_bytes()
    assert assets.remove("Hero") and assets.all() == []
    assert not (tmp_path / "home" / "assets" / "Hero").exists()


def test_nodes_that_add_at_the_same_time_take_different_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = runner_at(tmp_path).assets
    named, both = local_assets._free_name, threading.Barrier(2)

    def together(*given: Any) -> Path:
        name = named(*given)
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.5)  # until the other has chosen too, unless it has to wait for this one
        return name

    monkeypatch.setattr(local_assets, "_free_name", together)
    pictures = [Medium.from_pixels(np.full((64, 64, 3), grey, "uint8")) for grey in (0, 255)]
    with ThreadPoolExecutor(2) as pool:
        views = list(pool.map(lambda each: assets.add(each, "Hero", "any"), pictures))
    assert len({view.file for view in views}) == len(assets.all()) == 2


def clips_wav() -> bytes:
    from seedance import media

    return media.encode_wav(clips.samples(3.0), 48000)


def test_what_cannot_be_read_is_not_added(tmp_path: Path) -> None:
    broken = tmp_path / "a.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(BadOrder):
        runner_at(tmp_path).assets.add(Medium.from_path("image", broken), "Hero", "any")
    assert runner_at(tmp_path).assets.all() == []
    with pytest.raises(BadOrder, match="of a file, not of an address"):
        medium = Medium.from_address("image", "https://media.example/a.png")
        runner_at(tmp_path).assets.add(medium, "Hero", "any")


def test_a_set_of_a_person_says_so_and_is_no_other(tmp_path: Path, file: Path) -> None:
    assets = runner_at(tmp_path).assets
    assert assets.add(Medium.from_path("image", file), "Anna", "any", person=True).person
    assert [view.person for view in assets.all()] == [True]
    with pytest.raises(BadOrder, match="of the kind person"):
        file.write_bytes(clips.picture_bytes(400, 401))
        assets.add(Medium.from_path("image", file), "Anna", "any")


@pytest.mark.parametrize("strange", ["link", "about", "names"])
def test_a_folder_of_strangers_is_read_with_care(tmp_path: Path, file: Path, strange: str) -> None:
    assets = runner_at(tmp_path).assets
    view = assets.add(Medium.from_path("image", file), "Hero", "any")
    folder = Path(view.file or "").parent
    secret = tmp_path / "secret.png"
    secret.write_bytes(file.read_bytes())
    if strange == "link":
        (folder / "02-x.png").symlink_to(secret)
        (folder.parent / "Other").symlink_to(tmp_path)
    elif strange == "about":
        (folder / "asset.json").write_text("[" * 100_000)
    else:
        for name in (".hidden.png", "readme.txt", "keys.json"):
            (folder / name).write_bytes(file.read_bytes())
        (folder.parent / "two words").mkdir()
        (folder.parent / "a.png").write_bytes(file.read_bytes())
    assert assets.all() == [view]


def test_a_folder_can_be_taken_to_another_machine(tmp_path: Path, file: Path) -> None:
    here, there = runner_at(tmp_path / "here"), runner_at(tmp_path / "there")
    here.assets.add(Medium.from_path("image", file), "Hero", "any", person=True)
    zipped = shutil.make_archive(
        str(tmp_path / "hero"), "zip", tmp_path / "here" / "home" / "assets", "Hero"
    )
    with pytest.raises(BadOrder, match="names the asset 'Hero', which is missing here") as caught:
        there.check(Order(prompt="@Asset:Hero walks"))
    assert str(tmp_path / "there" / "home" / "assets" / "Hero") in caught.value.hint
    shutil.unpack_archive(zipped, tmp_path / "there" / "home" / "assets")
    asked = Order(prompt="@Asset:Hero walks", ratio="16:9")
    quotes = {quote.provider: quote for quote in there.check(asked)}
    assert quotes["preview"].problem is None
    one, other = here.assets.named(asked), there.assets.named(asked)
    assert asked_fingerprint(one) == asked_fingerprint(other)


def test_a_name_that_is_nearly_right_is_suggested(tmp_path: Path, file: Path) -> None:
    runner = runner_at(tmp_path)
    runner.assets.add(Medium.from_path("image", file), "Heroine", "any")
    with pytest.raises(BadOrder) as caught:
        runner.start(Order(prompt="@Asset:Heroin walks", provider="preview"))
    assert "Did you mean Heroine?" in caught.value.hint
    assert "There are: Heroine." in caught.value.hint
    assert caught.value.spent == "no"


def test_an_order_without_names_reads_no_assets(tmp_path: Path) -> None:
    runner = runner_at(tmp_path)
    asked = Order(prompt="a fox", references=(Medium.from_address("image", "https://a.example/1"),))
    assert runner.assets.named(asked) is asked
    assert not (tmp_path / "home" / "journal.db").exists()


# ------------------------------------------------------------------- through to two providers


@pytest.fixture
def hero(desk: Desk, file: Path) -> Runner:
    """A runner that has the same character on this machine and in the library."""
    runner = desk.runner()
    runner.assets.add(Medium.from_path("image", file), "Hero", "any")
    web = Medium.from_address("image", "https://media.example/1.png")
    runner.assets.add(web, "Hero", "byteplus")
    return runner


def content(fake: Fake) -> list[Any]:
    return fake.sent("POST", "/tasks")[-1].json["content"]  # type: ignore[no-any-return]


def test_one_prompt_serves_two_providers(
    desk: Desk, hero: Runner, ark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = "@Asset:Hero opens the door"
    result = desk.video(hero, prompt=prompt)
    assert content(ark) == [
        {"type": "text", "text": "@Image1 opens the door"},
        {
            "type": "image_url",
            "image_url": {"url": "asset://asset-20261204090000-00001"},
            "role": "reference_image",
        },
    ]
    assert desk.video(hero, prompt=prompt).task == result.task  # not paid again
    sidecar = json.loads(Path(result.file).with_suffix(".seedance.json").read_text())
    assert sidecar["order"]["prompt"] == prompt
    assert sidecar["order"]["references"][0]["asset"] == "Hero"
    with fakes.all()["fal"](polls_until_done=0) as fal:
        other = desk.runner(**fal.environment())
        done = other.start(Order(prompt=prompt, provider="fal", ratio="16:9"))[0].wait()
        assert done.provider == "fal"
        creates = [request for request in fal.requests if "reference-to-video" in request.path]
        body = creates[0].json
        assert body["prompt"] == "@Image1 opens the door"
        assert len(body["image_urls"]) == 1
        # The next shot sends the picture no second time.
        uploads = [one for one in fal.requests if one.method == "PUT"]
        other.start(Order(prompt=f"{prompt} again", provider="fal", ratio="16:9"))[0].wait()
        assert [one for one in fal.requests if one.method == "PUT"] == uploads


def test_in_the_library_alone_others_say_so_before_anything_is_sent(desk: Desk, ark: Any) -> None:
    runner = desk.runner()
    web = Medium.from_address("image", "https://media.example/1.png")
    runner.assets.add(web, "Hero", "byteplus")
    with fakes.all()["lumenfall"]() as other:
        there = desk.runner(**other.environment())
        with pytest.raises(BadOrder, match="Lumenfall cannot take the asset Hero") as caught:
            there.start(Order(prompt="@Asset:Hero", provider="lumenfall", ratio="16:9"))
        assert "As asked it would work with: byteplus." in caught.value.hint
        assert "--provider any" in caught.value.hint
        assert other.requests == []
        # `auto` takes the one that can.
        done = there.start(Order(prompt="@Asset:Hero", ratio="16:9"))[0].wait()
        assert (done.provider, other.creates) == ("byteplus", 0)


def test_a_handle_of_a_library_is_refused_elsewhere_before_anything_is_sent(
    desk: Desk, ark: Any
) -> None:
    runner = desk.runner()
    web = Medium.from_address("image", "https://media.example/1.png")
    handle = runner.assets.add(web, "Hero", "byteplus").handle
    assert handle is not None
    reference = (Medium.from_address("image", handle),)
    asked = Order(prompt="@Image1", references=reference)
    takes = [each.provider for each in runner.check(asked) if each.problem is None]
    assert takes == ["byteplus"]
    unknown = (Medium.from_address("image", "asset://asset-of-somebody"),)
    quotes = {each.provider: each for each in runner.check(Order(prompt="a", references=unknown))}
    assert quotes["volcengine"].problem is None  # it may be there
    assert "in the library of byteplus or volcengine" in str(quotes["fal"].problem)
    assert "in the library of byteplus" in str(quotes["leonardo"].problem)


# ---------------------------------------------------------------------------------- real people


@pytest.mark.parametrize(
    ("provider", "says"),
    [
        ("fal", "fal is reported to refuse pictures and clips of real people, and Anna is marked"),
        ("byteplus", "BytePlus ModelArk refuses pictures and clips of real people"),
        ("evolink", "EvoLink refuses pictures and clips of real people"),
        ("preview", ""),
        ("lumenfall", ""),
    ],
)
def test_where_people_are_refused_it_is_said_before_it_is_paid(
    tmp_path: Path, file: Path, provider: str, says: str
) -> None:
    runner = runner_at(tmp_path)
    runner.assets.add(Medium.from_path("image", file), "Anna", "any", person=True)
    runner.assets.add(Medium.from_path("image", file), "Hero", "any")

    def said(prompt: str) -> list[str]:
        quotes = runner.check(Order(prompt=prompt, ratio="16:9"))
        (quote,) = (each for each in quotes if each.provider == provider)
        return [note for note in quote.notes if "real people" in note]

    found = said("@Asset:Anna smiles")
    assert len(found) == bool(says)
    if says:
        assert found[0].startswith(says)
        assert "BytePlus ModelArk and Volcano Engine Ark take those who have confirmed" in found[0]
        assert "--kind person" in found[0]
    assert said("@Asset:Hero smiles") == []  # nothing looks for faces


def test_of_a_person_who_has_confirmed_nothing_is_said(desk: Desk, ark: Any, file: Path) -> None:
    runner = desk.runner()
    runner.assets.add(Medium.from_path("image", file), "Anna", "any", person=True)
    web = Medium.from_address("image", "https://media.example/1.png")
    runner.assets.add(
        web, "Anna", "byteplus", person=True, show_link=lambda *_: ark.library.confirm()
    )
    quotes = {each.provider: each for each in runner.check(Order(prompt="@Asset:Anna smiles"))}
    assert not [note for note in quotes["byteplus"].notes if "real people" in note]
    assert [note for note in quotes["volcengine"].notes if "real people" in note]
