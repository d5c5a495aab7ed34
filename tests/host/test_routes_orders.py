"""Orders over the page's routes: what would be sent and paid, and what became of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core

from pack_site import KEY, PREVIEW, Site, check
from running import until

pytestmark = pytest.mark.safety


# --------------------------------------------------------------------------------------- check


def test_a_node_is_checked_at_every_provider(site: Site) -> None:
    quotes = check(site, "SeedanceT2V", resolution="720p", ratio="16:9", takes=3)
    assert quotes.keys() == {provider["id"] for provider in site.get("/seedance/providers")}
    assert quotes["preview"]["price"]["amount"] == 0
    assert quotes["lumenfall"]["payload"]["prompt"] == "a hill"


def test_a_node_without_words_or_pictures_has_a_price_all_the_same(site: Site) -> None:
    quote = check(site, "SeedanceI2V", prompt="", ratio="16:9")["lumenfall"]
    assert quote["price"]["amount"] > 0
    assert quote["problem"] is None
    assert quote["media"] == ["the first frame: inline, inside the request"]


def test_what_nearest_would_change_is_listed(site: Site) -> None:
    quote = check(site, "SeedanceT2V", resolution="4k", ratio="16:9")["lumenfall"]
    (change,) = quote["changes"]
    assert (change["field"], change["asked"], change["given"]) == ("resolution", "4k", "720p")
    assert quote["problem"]["kind"] == "BadOrder"


def test_what_nearest_changes_is_no_problem(site: Site) -> None:
    quotes = check(site, "SeedanceT2V", resolution="4k", ratio="16:9", on_unsupported="nearest")
    assert quotes["lumenfall"]["problem"] is None


def test_sockets_that_grew_are_counted_with_the_addresses(site: Site) -> None:
    sockets = ("images.image_1", "images.image_3", "videos.video_1", "seed")
    quote = check(site, "SeedanceReference", sockets, urls="audio: https://x.example/a")["preview"]
    assert [line.split(":")[0] for line in quote["media"]] == [
        *("picture 1", "picture 2", "clip 1", "sound 1"),
    ]


def test_a_pictures_number_in_the_prompt_waits_for_the_graph(site: Site) -> None:
    """One socket may bring a batch."""
    quotes = check(site, "SeedanceReference", ("images.image_1",), prompt="@Image3 runs")
    assert quotes["preview"]["problem"] is None


def test_auto_is_the_cheapest_that_has_a_key(site: Site) -> None:
    body = {"node": "SeedanceT2V", "inputs": {"prompt": "a hill", "ratio": "16:9"}}
    assert site.ask("POST", "/seedance/check", body).json["auto"] is None
    site.put("/seedance/keys/lumenfall", {"key": KEY})
    reply = site.ask("POST", "/seedance/check", body)
    assert reply.json["auto"] == "lumenfall"
    assert KEY.encode() not in reply.body


def test_an_order_can_be_checked_without_a_node(site: Site) -> None:
    order = {**PREVIEW, "first_frame": "https://x.example/a.png"}
    quotes = site.ask("POST", "/seedance/check", order).json["quotes"]
    assert quotes[0]["media"] == ["the first frame: as the address given"]


@pytest.mark.parametrize(
    "body",
    [
        {"node": "KSampler"},
        {"node": 5},
        {"node": "SeedanceT2V", "inputs": []},
        {"node": "SeedanceT2V", "inputs": {"steps": 20}},
        {"node": "SeedanceT2V", "inputs": {"duration": "5"}},
        {"node": "SeedanceT2V", "inputs": {"resolution": "8k"}},
        {"node": "SeedanceT2V", "inputs": {"extra": "{"}},
        {"node": "SeedanceT2V", "sockets": [5]},
        {"node": "SeedanceI2V", "inputs": {"image_url": "file:///etc/passwd"}},
        {"first_frame": "/etc/passwd"},
        {"references": "x"},
        {"references": [{"kind": "text", "address": "https://x.example"}]},
        {"steps": 20},
        {"media": 1},
        {"describe": 1},
        {"__class__": 1},
        {"duration": True},
        {"extra": []},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(site: Site, body: dict[str, Any]) -> None:
    reply = site.ask("POST", "/seedance/check", body)
    assert (reply.status, reply.error["kind"]) == (400, "BadOrder")


# ------------------------------------------------------------------------------------- journal


def test_a_finished_task_has_its_picture_and_its_video(site: Site) -> None:
    result = site.made(seed=5)
    (row,) = site.get("/seedance/tasks")
    assert (row["row"], row["state"], row["seed"]) == (result.row, "saved", 5)
    assert (row["mode"], row["picture"], row["there"], row["live"]) == ("text", True, True, False)
    picture = site.ask("GET", f"/seedance/tasks/{result.row}/thumbnail")
    assert picture.headers["Content-Type"] == "image/jpeg"
    assert picture.body[:2] == b"\xff\xd8"
    video = site.ask("GET", f"/seedance/tasks/{result.row}/video", Range="bytes=0-99")
    assert (video.status, video.headers["Content-Type"]) == (206, "video/mp4")
    assert video.body == result.file.read_bytes()[:100]


def test_the_order_of_a_task_can_be_had_again(site: Site) -> None:
    result = site.made(seed=6, ratio="1:1")
    order = site.get(f"/seedance/tasks/{result.row}")["order"]
    assert (order["prompt"], order["seed"], order["ratio"]) == ("a hill", 6, "1:1")


def test_a_look_since_now_gives_nothing_old(site: Site) -> None:
    site.made()
    assert len(site.get("/seedance/tasks?since=1")) == 1
    for later in ("99999999999", "9" * 12):
        assert site.get(f"/seedance/tasks?since={later}") == []


def test_a_task_under_way_says_how_far_it_is_however_late_one_looks(site: Site) -> None:
    order = site.pack.core("order").Order(**{**PREVIEW, "resolution": "1080p", "duration": 15})
    (job,) = site.pack.host.runner().start(order)
    try:
        until(lambda: site.get("/seedance/tasks")[0]["progress"]["code"] == "rendering_part")
        (row,) = site.get("/seedance/tasks?since=99999999999")
        assert row["live"] is True
        progress = row["progress"]
        assert progress["code"] == "rendering_part"
        assert progress["text"].startswith(f"rendering {progress['values']['percent']} %")
        assert 0 <= progress["fraction"] <= 1
    finally:
        job.cancel()
    until(lambda: not site.get("/seedance/tasks")[0]["live"])
    assert site.get("/seedance/tasks")[0]["progress"] is None


def test_a_forgotten_task_can_be_made_again(site: Site) -> None:
    row = site.made().row
    reply = site.ask("POST", f"/seedance/tasks/{row}/forget", {})
    assert reply.json["state"] == "cancelled"
    assert site.made().row != row


def test_a_task_that_has_ended_cannot_be_cancelled(site: Site) -> None:
    reply = site.ask("POST", f"/seedance/tasks/{site.made().row}/cancel", {})
    assert reply.status == 400
    assert "nothing to cancel" in reply.error["message"]


def test_a_lost_video_is_collected_again(site: Site) -> None:
    result = site.made()
    result.file.unlink()
    assert site.get("/seedance/tasks")[0]["there"] is False
    reply = site.ask("POST", f"/seedance/tasks/{result.row}/collect", {})
    assert reply.json == {"row": result.row}
    site.pack.host.runner().collect(result.task).wait()
    assert site.get("/seedance/tasks")[0]["there"] is True


def test_what_is_free_is_no_part_of_the_totals(site: Site) -> None:
    site.made()
    assert site.get("/seedance/totals?days=7") == []


@pytest.mark.parametrize("name", ["secret.txt", "page.html", "passwd", "clip.mp4.html", "."])
def test_only_a_video_is_served_whatever_the_journal_says(
    site: Site, name: str, tmp_path: Path
) -> None:
    """A journal may be shared by several machines, and so be written by others."""
    row = site.made().row
    path = tmp_path / name
    if name != ".":
        path.write_text("<script>alert('s3cret')</script>")
    write_into_row(site, row, file=str(path))
    for what in ("video", "thumbnail"):
        reply = site.ask("GET", f"/seedance/tasks/{row}/{what}")
        assert (reply.status, reply.error["kind"]) == (400, "BadOrder")
        assert b"s3cret" not in reply.body


def test_a_last_frame_that_is_a_program_is_not_run(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import EpsImagePlugin

    ran: list[Any] = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *args, **_: ran.append(args))
    result = site.made()
    result.last_frame.write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
    )
    reply = site.ask("GET", f"/seedance/tasks/{result.row}/thumbnail")
    assert (reply.status, reply.error["kind"]) == (400, "BadOrder")
    assert ran == []


def write_into_row(site: Site, row: int, **values: Any) -> None:
    """Change the journal behind the pack's back."""
    with closing(sqlite3.connect(site.pack.host.settings().home / "journal.db")) as database:
        for name, value in values.items():
            database.execute(f"UPDATE orders SET {name} = ? WHERE id = ?", (value, row))
        database.commit()
