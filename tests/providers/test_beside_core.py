"""The fakes of `benchmarks/beside_core.py`: what others' nodes say to them, and what the pack says,
become the same tasks."""

from __future__ import annotations

import base64
import importlib.util
from pathlib import Path
from typing import Any

import requests
from paths import ROOT

TASKS = "/api/v3/contents/generations/tasks"
PICTURE = b"a picture"


def partner() -> Any:
    spec = importlib.util.spec_from_file_location("partner", ROOT / "benchmarks" / "partner.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def create(first: str) -> dict[str, Any]:
    picture = {"type": "image_url", "image_url": {"url": first}, "role": "first_frame"}
    return {
        "model": "dreamina-seedance-2-0-260128",
        "content": [{"type": "text", "text": "a fox"}, picture],
    }


def test_both_ways_lead_to_tasks_of_the_same_lengths_and_clip(tmp_path: Path) -> None:
    module = partner()
    with module.FakePartner(b"the clip", 0.0, tmp_path) as fake:
        session = requests.Session()
        session.trust_env = False
        key = {"x-api-key": fake.key}
        root = f"{fake.url}/proxy"

        place = session.post(
            f"{fake.url}/customers/storage", json={"file_name": "a.png"}, headers=key
        ).json()
        session.put(place["upload_url"], data=PICTURE)
        stored = {"url": place["download_url"], "hash": "00"}
        library = f"{root}/seedance/virtual-library/assets"
        name = session.post(library, json=stored, headers=key).json()["asset_id"]
        asset = session.get(f"{root}/seedance/assets/{name}", headers=key).json()
        assert (asset["status"], asset["asset_type"]) == ("Active", "Image")
        body = create(f"asset://{name}")
        assert session.post(f"{root}/byteplus{TASKS}", json=body).status_code == 401
        task = session.post(f"{root}/byteplus{TASKS}", json=body, headers=key).json()["id"]
        theirs = session.get(f"{root}/byteplus-seedance2{TASKS}/{task}", headers=key).json()
        through_proxy = session.get(fake.url + module.TOLD).json()

        own = {"authorization": f"Bearer {fake.key}"}
        inline = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
        task = session.post(f"{fake.url}{TASKS}", json=create(inline), headers=own).json()["id"]
        ours = session.get(f"{fake.url}{TASKS}/{task}", headers=own).json()
        direct = session.get(fake.url + module.TOLD).json()

        assert ours["status"] == theirs["status"] == "succeeded"
        assert ours["content"] == theirs["content"]
        assert session.get(ours["content"]["video_url"]).content == b"the clip"
    for told, count in ((through_proxy, 7), (direct, 2)):
        assert (told["requests"], told["creates"], told["lengths"]) == (count, 1, [0.0])
        assert len(told["seen"]) == 1
        assert [Path(file).read_bytes() for file in told["pictures"]] == [PICTURE]


def test_fal_client_and_the_pack_hand_the_same_first_frame_to_fal(tmp_path: Path) -> None:
    module = partner()
    with module.FakeFalHost(b"the clip", 0.0, tmp_path) as fake:
        session = requests.Session()
        session.trust_env = False
        key = {"authorization": f"Key {fake.key}"}
        model = f"{fake.url}/bytedance/seedance-2.0/image-to-video"
        wrong = {"authorization": "Bearer none", "x-fal-file-name": "a.png"}
        files = f"{fake.url}/files/upload"
        assert session.post(files, data=PICTURE, headers=wrong).status_code == 401
        said = session.post(f"{fake.url}/storage/auth/token", json={}).json()
        right = {**wrong, "authorization": f"{said['token_type']} {said['token']}"}
        theirs = session.post(files, data=PICTURE, headers=right).json()["access_url"]

        place = session.post(
            f"{fake.url}/storage/upload/initiate?storage_type=fal-cdn-v3",
            json={"content_type": "image/png", "file_name": "a.png"},
            headers=key,
        ).json()
        session.put(place["upload_url"], data=PICTURE, headers={"content-type": "image/png"})
        session.get(fake.url + module.TOLD)
        for address in (theirs, place["file_url"]):
            body = {"prompt": "a fox", "image_url": address}
            task = session.post(model, json=body, headers=key).json()
            status = session.get(task["status_url"], headers=key).json()
            assert status["status"] == "COMPLETED"
            clip = session.get(task["response_url"], headers=key).json()["video"]["url"]
            assert session.get(clip).content == b"the clip"
            told = session.get(fake.url + module.TOLD).json()
            assert (told["requests"], told["creates"], told["lengths"]) == (4, 1, [0.0])
            assert len(told["seen"]) == 1
            assert [Path(file).read_bytes() for file in told["pictures"]] == [PICTURE]
