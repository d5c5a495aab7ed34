"""An order that is loaded into a node gets its pictures, clips and sounds again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")  # it comes with ComfyUI, not with the core

import clips
import numpy as np
import torch
from pack_loader import host, loaded_pack
from pack_site import PREVIEW, Site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with loaded_pack(tmp_path, monkeypatch) as pack:
        pack.core("preview.render").FPS = 1  # type: ignore[attr-defined]
        site = Site(pack)
        try:
            yield site
        finally:
            site.close()


def order_of(site: Site, row: int = 1) -> dict[str, Any]:
    return dict(site.get(f"/seedance/tasks/{row}")["order"])


def bring(site: Site, *media: Any) -> list[str | None]:
    reply = site.ask("POST", "/seedance/media", {"media": list(media)})
    assert reply.status == 200, reply.body
    return [each["file"] for each in reply.json]


def test_a_picture_comes_back_to_the_pixel_and_the_order_is_not_made_again(
    site: Site, tmp_path: Path
) -> None:
    image = torch.from_numpy(clips.pattern(320, 300)[None] / np.float32(255))
    site.pack.run("SeedanceI2V", **PREVIEW, image=image, decode_frames=False)
    (file,) = bring(site, order_of(site)["first_frame"])
    assert file is not None and file.startswith("seedance/") and file.endswith(".png")
    pixels = site.pack.core("media").read_picture(tmp_path / "input" / file)
    assert np.array_equal(pixels, clips.pattern(320, 300))
    again = torch.from_numpy(pixels[None] / np.float32(255))
    site.pack.run("SeedanceI2V", **PREVIEW, image=again, decode_frames=False)
    assert len(site.get("/seedance/tasks")) == 1


def test_a_clip_is_found_by_its_name_while_it_is_what_it_was(site: Site, tmp_path: Path) -> None:
    (tmp_path / "input").mkdir(exist_ok=True)
    clip = clips.write(tmp_path / "input" / "tram.mp4", width=320, height=320, frames=96)
    video = host("comfy_api.latest").VideoFromFile(str(clip))
    site.pack.run("SeedanceV2V", **PREVIEW, video=video, decode_frames=False)
    record = order_of(site)["video"]
    assert record["name"] == "tram.mp4"
    assert bring(site, record) == ["tram.mp4"]
    clip.write_bytes(clip.read_bytes() + bytes(8))
    assert bring(site, record) == [None]


def test_a_saved_video_is_found_in_the_output_folder(site: Site) -> None:
    made = site.made()
    video = host("comfy_api.latest").VideoFromFile(str(made.file))
    site.pack.run("SeedanceV2V", **PREVIEW, video=video, decode_frames=False)
    record = order_of(site, 2)["video"]
    assert bring(site, record) == [f"seedance/{made.file.name} [output]"]


@pytest.mark.safety
@pytest.mark.parametrize(
    "name", ["../user/__seedance/keys.json", "/etc/passwd", ".hidden.mp4", "..", "a/b.mp4"]
)
def test_no_name_leads_out_of_the_folders(site: Site, tmp_path: Path, name: str) -> None:
    assert bring(site, {"kind": "video", "sha256": "0" * 64, "name": name}) == [None]
    assert bring(site, {"kind": "image", "sha256": "../../keys", "name": ""}) == [None]
    assert not (tmp_path / "input" / "seedance").exists()


@pytest.mark.parametrize(
    "media", ["all", [1], [{"kind": "text"}], [{"kind": "image", "sha256": 3}], [{}] * 51]
)
def test_what_is_no_list_of_media_is_refused(site: Site, media: Any) -> None:
    reply = site.ask("POST", "/seedance/media", {"media": media})
    assert (reply.status, reply.error["kind"]) == (400, "BadOrder")


def test_takes_of_one_order_are_told_apart_from_other_orders(site: Site) -> None:
    for seed in (3, 4):
        site.made(seed=seed)
    site.made(prompt="another hill")
    takes = [task["takes_of"] for task in site.get("/seedance/tasks")]
    assert takes[1] == takes[2] != takes[0]
