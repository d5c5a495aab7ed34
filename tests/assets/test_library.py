"""Media in a provider's asset library: made once, waited for, looked at again, removed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import Answer
from fakes._ark_assets import throttled
from running import Desk, until

from seedance.errors import (
    BadOrder,
    Cancelled,
    NeedsKey,
    Refused,
    SeedanceError,
    StillRunning,
    Unreachable,
)
from seedance.journal import MAKING
from seedance.order import Medium
from seedance.runner import AssetView, Runner, library
from seedance.runner.progress import Progress
from seedance.transport import Stop

PICTURE = Medium.from_address("image", "https://media.example/1.png")
OTHER = Medium.from_address("image", "https://media.example/2.png")
HANDLE = "asset://asset-20261204090000-00001"


def add(runner: Runner, medium: Medium = PICTURE, name: str = "Hero", **more: Any) -> AssetView:
    return runner.assets.add(medium, name, "byteplus", **more)


def is_action(name: str) -> Callable[[Any], bool]:
    return lambda request: request.query.get("Action") == name


# ------------------------------------------------------------------------------------- made once


def test_a_medium_becomes_an_active_asset_in_a_group_of_its_name(desk: Desk, ark: Any) -> None:
    said: list[Progress] = []
    view = add(desk.runner(), tell=said.append)
    assert view == AssetView("Hero", "byteplus", "image", False, "active", handle=HANDLE)
    (group,) = ark.library.groups.values()
    assert (group["Name"], group["GroupType"]) == ("Hero", "AIGC")
    (made,) = ark.library.made("CreateAsset")
    assert (made["Name"], made["URL"], made["GroupId"]) == ("Hero", PICTURE.address, group["Id"])
    codes = [progress.code for progress in said]
    assert codes[0] == "preparing" and codes[-1] == "asset_processing"
    assert "the library looks at it, for 0 s now" in map(str, said)


def test_the_same_bytes_and_name_are_made_once(desk: Desk, ark: Any) -> None:
    first = add(desk.runner())
    assert add(desk.runner()) == first
    assert add(desk.runner(), name=" hero ") == first  # whatever its capitals
    assert len(ark.library.made("CreateAsset")) == 1
    add(desk.runner(), OTHER)
    add(desk.runner(), name="Villain")
    assert len(ark.library.made("CreateAsset")) == 3
    assert len(ark.library.groups) == 2


def test_many_threads_and_processes_make_one(desk: Desk, ark: Any) -> None:
    ark.library.checks_until_active = 3
    runners = [desk.runner(), desk.runner()]
    views: list[AssetView] = []
    threads = [
        threading.Thread(target=lambda runner=runner: views.append(add(runner)))
        for runner in runners * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(views) == 6 and len(set(views)) == 1
    assert len(ark.library.made("CreateAsset")) == 1
    assert len(ark.library.made("CreateAssetGroup")) == 1


def test_another_account_has_assets_of_its_own(desk: Desk, ark: Any) -> None:
    add(desk.runner())
    ark.library.key_id = "AKTPanother"
    add(desk.runner(BYTEPLUS_ACCESS_KEY_ID="AKTPanother"))
    assert len(ark.library.made("CreateAsset")) == 2


def test_one_that_was_deleted_elsewhere_is_made_again(desk: Desk, ark: Any) -> None:
    add(desk.runner())
    ark.library.assets.clear()
    assert add(desk.runner()).handle == "asset://asset-20261204090000-00002"
    ark.library.groups.clear()
    ark.library.assets.clear()
    add(desk.runner())
    assert len(ark.library.groups) == 1


def test_a_library_that_cannot_be_asked_does_not_hold_up_what_is_active(
    desk: Desk, ark: Any
) -> None:
    view = add(desk.runner())
    ark.fault(lambda request: True, "status:503", times=99)
    monkey = desk.runner()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seedance.providers._ark_assets.READ_PAUSES", (0.01,))
        assert add(monkey) == view


# -------------------------------------------------------------------------------- lost answers


@pytest.mark.parametrize("fault", ["reset-after", "truncate"])
def test_what_was_made_without_an_answer_is_found_again(desk: Desk, ark: Any, fault: str) -> None:
    ark.fault(is_action("CreateAsset"), fault)
    with pytest.raises(Unreachable) as caught:
        add(desk.runner())
    assert caught.value.spent == "no"
    assert add(desk.runner()).handle == HANDLE
    assert len(ark.library.assets) == 1


def test_what_did_not_arrive_is_made(desk: Desk, ark: Any) -> None:
    ark.fault(is_action("CreateAsset"), "status:500")
    with pytest.raises(Unreachable):
        add(desk.runner())
    assert add(desk.runner()).state == "active"
    assert len(ark.library.assets) == 1


def test_a_group_that_was_made_without_an_answer_is_found_again(desk: Desk, ark: Any) -> None:
    ark.fault(is_action("CreateAssetGroup"), "reset-after")
    with pytest.raises(Unreachable):
        add(desk.runner())
    add(desk.runner())
    assert len(ark.library.groups) == 1


def test_a_process_that_died_in_between_is_replaced_after_a_while(
    desk: Desk, ark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = desk.runner()
    with monkeypatch.context() as patch:
        patch.setattr(runner.journal.assets, "leave", lambda key: None)
        ark.fault(is_action("CreateAsset"), "reset-after")
        with pytest.raises(Unreachable):
            add(runner)
    said: list[str] = []
    stop = Stop()

    def tell(progress: Progress) -> None:
        said.append(progress.code)
        if progress.code == "other_process":
            stop.set()

    with pytest.raises(Cancelled):
        add(desk.runner(), tell=tell, stop=stop)
    monkeypatch.setattr(library, "STALE_SECONDS", 0.0)
    assert add(desk.runner()).handle == HANDLE
    assert len(ark.library.assets) == 1


def test_throttling_is_waited_out(desk: Desk, ark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedance.providers._ark_assets.READ_PAUSES", (0.01,) * 4)
    monkeypatch.setattr("seedance.providers._ark_assets.CREATE_PAUSES", (0.01,) * 4)
    ark.library.throttles = [throttled(), throttled(429), throttled(200)]
    assert add(desk.runner()).state == "active"


# ------------------------------------------------------------------------------------ what ends


def test_one_that_fails_says_why_and_may_be_tried_again(desk: Desk, ark: Any) -> None:
    ark.library.fail_with = {"Code": "DownloadFailed", "Message": "HTTP 403."}
    with pytest.raises(Refused, match=r"could not fetch it.*HTTP 403 \(DownloadFailed\)") as caught:
        add(desk.runner())
    assert "Nothing is billed" in caught.value.hint
    (view,) = desk.runner().assets.all()
    assert (view.state, "DownloadFailed" in view.problem) == ("failed", True)
    ark.library.fail_with = None
    assert add(desk.runner()).state == "active"
    assert len(ark.library.assets) == 1  # the one that failed is removed


def test_a_clear_no_leaves_nothing_behind(desk: Desk, ark: Any) -> None:
    ark.library.subscribed = False
    with pytest.raises(Refused, match="has not switched on its asset library"):
        add(desk.runner())
    assert desk.runner().assets.all() == []
    error = {"Code": "InputImageSensitiveContentDetected", "Message": "A face."}
    refusal = Answer(400, json={"ResponseMetadata": {"Error": error}})
    ark.library.subscribed = True
    ark.fault(is_action("CreateAsset"), refusal)
    with pytest.raises(Refused, match="content policy"):
        add(desk.runner())
    assert desk.runner().assets.all() == []


def test_waiting_has_an_end(desk: Desk, ark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ark.library.checks_until_active = 10**6
    monkeypatch.setattr(library, "WAIT_SECONDS", 0.05)
    with pytest.raises(StillRunning, match="still looks at") as caught:
        add(desk.runner())
    assert caught.value.spent == "no"
    ark.library.checks_until_active = 0
    assert add(desk.runner()).state == "active"
    assert len(ark.library.made("CreateAsset")) == 1


def test_a_state_that_no_document_has_is_waited_for(desk: Desk, ark: Any) -> None:
    ark.library.checks_until_active = 10**6
    stop = Stop()
    said: list[Progress] = []

    def wait() -> None:
        with pytest.raises(Cancelled):
            add(desk.runner(), tell=said.append, stop=stop)

    thread = threading.Thread(target=wait)
    thread.start()
    until(lambda: ark.library.assets)
    for asset in ark.library.assets.values():
        asset["Status"] = "Dreaming"
    count = len(said)
    until(lambda: len(said) > count + 3)
    stop.set()
    thread.join(60)
    assert not thread.is_alive()


def test_a_person_may_stop_waiting(desk: Desk, ark: Any) -> None:
    ark.library.checks_until_active = 10**6
    stop = Stop()

    def tell(progress: Progress) -> None:
        if progress.code == "asset_processing":
            stop.set()

    with pytest.raises(Cancelled, match="nothing was spent") as caught:
        add(desk.runner(), tell=tell, stop=stop)
    assert caught.value.spent == "no"
    ark.library.checks_until_active = 0
    add(desk.runner())
    assert len(ark.library.made("CreateAsset")) == 1


# ---------------------------------------------------------------------------- before anything


@pytest.mark.parametrize("name", ["", "two words", "a/b", "..", "-x", "x" * 65, "a@b"])
def test_what_is_no_name_is_refused(desk: Desk, ark: Any, name: str) -> None:
    with pytest.raises(BadOrder, match="cannot be the name"):
        add(desk.runner(), name=name)
    assert ark.requests == []


def test_without_a_signing_key_it_says_which_to_set(ark: Any, tmp_path: Path) -> None:
    with pytest.raises(NeedsKey, match="no signing key"):
        add(Desk(ark, tmp_path).runner())
    assert ark.requests == []


def test_a_provider_without_a_library_names_those_that_have_one(desk: Desk) -> None:
    with pytest.raises(BadOrder, match="fal has no asset library") as caught:
        desk.runner().assets.add(PICTURE, "Hero", "fal")
    assert "byteplus, volcengine" in caught.value.hint
    assert "any" in caught.value.hint


@pytest.mark.parametrize(
    "address", ["http://media.example/a.png", "https://10.0.0.1/a.png", "asset://asset-1"]
)
def test_an_address_that_the_library_cannot_read_is_refused(
    desk: Desk, ark: Any, address: str
) -> None:
    with pytest.raises(BadOrder):
        add(desk.runner(), Medium.from_address("image", address))
    assert ark.requests == []


def test_a_file_needs_a_bucket(desk: Desk, ark: Any, tmp_path: Path) -> None:
    from running import picture

    with pytest.raises(BadOrder, match="only by a public address") as caught:
        add(desk.runner(), picture())
    assert "SEEDANCE_S3_BUCKET" in caught.value.hint
    assert ark.requests == []


# ---------------------------------------------------------------------------- list and remove


def test_what_another_machine_added_is_taken_in(desk: Desk, ark: Any, tmp_path: Path) -> None:
    add(desk.runner())
    group = ark.library._new_group({"Name": "two words"})
    ark.library._CreateAsset({"GroupId": group, "AssetType": "Image", "Name": "two words"})
    elsewhere = Desk(ark, tmp_path / "elsewhere", **desk._environment).runner()
    assert elsewhere.assets.all() == []
    assert elsewhere.assets.refresh() == []
    (view,) = elsewhere.assets.all()  # that with a name that no prompt can say is left out
    assert (view.name, view.handle, view.state) == ("Hero", HANDLE, "active")
    elsewhere.assets.refresh()
    assert elsewhere.assets.all() == [view]
    elsewhere.assets.remove("Hero")
    assert HANDLE.removeprefix("asset://") not in ark.library.assets
    desk.runner().assets.refresh()
    assert desk.runner().assets.all() == []


def test_what_is_being_made_is_not_taken_in_twice(desk: Desk, ark: Any) -> None:
    runner = desk.runner()
    add(runner)
    (row,) = runner.journal.assets.all()
    runner.journal.assets.forget(row.key)
    runner.journal.assets.reserve(row.key, kind="image", person=False, group=row.group, stale=60.0)
    runner.assets.refresh()
    assert [each.state for each in runner.journal.assets.all()] == [MAKING]


def test_libraries_that_cannot_be_asked_are_named(desk: Desk, ark: Any) -> None:
    runner = desk.runner(BYTEPLUS_SECRET_ACCESS_KEY="wrong")
    (problem,) = runner.assets.refresh()
    assert isinstance(problem, Refused)


def test_one_of_a_name_or_all_can_be_removed(desk: Desk, ark: Any) -> None:
    runner = desk.runner()
    first, second = add(runner), add(runner, OTHER)
    assert first.handle and second.handle
    assert runner.assets.remove(first.handle) == [first]
    assert runner.assets.remove("hero", "byteplus") == [second]
    assert ark.library.assets == {}
    with pytest.raises(BadOrder, match="There is no asset 'Hero'"):
        runner.assets.remove("Hero")


# ------------------------------------------------------------------------------- by the bucket


@pytest.mark.slow  # a server with TLS, and boto3
def test_a_file_goes_by_the_bucket_and_is_gone_from_it_afterwards(
    desk: Desk, ark: Any, bucket: Any, tmp_path: Path
) -> None:
    import clips
    import numpy as np
    from PIL import Image

    read: list[bytes] = []
    ark.library.fetch = lambda url: read.append(bucket.read(url))
    file = tmp_path / "hero.png"
    Image.fromarray(np.full((400, 500, 3), 200, np.uint8)).save(file)
    runner = desk.runner(**bucket.environment)
    assert add(runner, Medium.from_path("image", file)).state == "active"
    assert read[0].startswith(b"\x89PNG")
    clip = clips.write(tmp_path / "clip.mp4", frames=72, width=800, height=600)
    assert add(runner, Medium.from_path("video", clip), "Dog").kind == "video"
    assert b"ftyp" in read[1][:32]
    assert bucket.names == [] and bucket.puts() == 2
    small = tmp_path / "small.png"
    Image.fromarray(np.full((100, 100, 3), 200, np.uint8)).save(small)
    with pytest.raises(SeedanceError) as caught:
        add(runner, Medium.from_path("image", small), "Small")
    assert caught.value.kind == "BadOrder"
    assert len(ark.library.made("CreateAsset")) == 2
