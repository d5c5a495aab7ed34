"""`--comfyui DIR`: which keys, journal and output folder the command line finds for a ComfyUI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Command
from pack_loader import Pack, host, loaded_pack

from seedance import servers

PREVIEW = {"provider": "preview", "resolution": "480p", "duration": 4, "prompt": "a hill"}


class Comfy:
    """The folders of a ComfyUI, all apart from each other."""

    def __init__(self, folder: Path) -> None:
        self.code, self.base = folder / "code", folder / "base"
        self.user, self.output = folder / "user", folder / "videos"
        for each in (self.code, self.base, self.user):
            each.mkdir(parents=True)
        (self.code / "folder_paths.py").touch()

    def serve(self, pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
        """Start it, and make a video there."""
        paths = host("folder_paths")
        monkeypatch.setattr(paths, "__file__", str(self.code / "folder_paths.py"))
        monkeypatch.setattr(paths, "base_path", str(self.base), raising=False)
        monkeypatch.setattr(paths, "get_output_directory", lambda: str(self.output))
        name = "get_system_user_directory"
        monkeypatch.setattr(paths, name, lambda name: str(self.user / f"__{name}"))
        pack.quick_previews()
        pack.run("SeedanceT2V", **PREVIEW)


@pytest.mark.parametrize(
    ("named", "own_home"), [("code", True), ("base", True), ("user", True), ("user", False)]
)
def test_any_folder_of_a_server_leads_to_its_journal(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Command,
    named: str,
    own_home: bool,
) -> None:
    comfy = Comfy(tmp_path / "comfy")
    with loaded_pack(tmp_path, monkeypatch) as pack:
        comfy.serve(pack, monkeypatch)
        home = pack.host.settings().home
    if not own_home:  # another user's server: only what lies in its own folders tells
        (servers.personal() / servers.FILE).unlink()
    (row,) = command("--comfyui", getattr(comfy, named), "tasks", "--json").json
    assert Path(row["file"]).parent == comfy.output / "seedance"
    assert home == comfy.user / "__seedance"
    said = command("--comfyui", getattr(comfy, named), "doctor").out
    assert f"home: {home}" in said
    assert f"output: {comfy.output}/seedance" in said


@pytest.mark.parametrize("folder", ["base", "portable", "desktop", "user"])
def test_a_folder_is_known_by_its_form(tmp_path: Path, command: Command, folder: str) -> None:
    base = tmp_path / "portable" / "ComfyUI" if folder == "portable" else tmp_path / "base"
    for name in ("custom_nodes", "models", "user/__seedance", "output"):
        (base / name).mkdir(parents=True)
    given = {"base": base, "portable": base.parent, "user": base / "user"}.get(folder)
    if given is None:
        given = tmp_path / "settings"
        given.mkdir()
        (given / "config.json").write_text(json.dumps({"basePath": str(base)}))
    said = command("--comfyui", given, "doctor").out
    assert f"home: {base}/user/__seedance" in said
    assert f"output: {base}/output/seedance" in said


@pytest.mark.parametrize("wrong", ["nothing", "a file", "custom_nodes"])
def test_what_is_no_comfyui_is_refused(tmp_path: Path, command: Command, wrong: str) -> None:
    folder = tmp_path / "folder"
    if wrong == "a file":
        folder.touch()
    elif wrong == "custom_nodes":
        (folder / wrong).mkdir(parents=True)
    ran = command("--comfyui", folder, "tasks")
    assert (ran.code, "is not a ComfyUI" in ran.err) == (2, True)


def test_of_several_servers_the_last_is_taken_and_the_others_named(
    tmp_path: Path, command: Command
) -> None:
    code = tmp_path / "code"
    for name in ("one", "two"):
        home = tmp_path / name / "user" / "__seedance"
        home.mkdir(parents=True)
        server = servers.Server(
            *(str(home), str(tmp_path / name / "output"), str(code)),
            *(str(tmp_path / name), str(home.parent)),
        )
        servers.note(server)
    ran = command("--comfyui", code, "doctor")
    assert f"home: {tmp_path}/two/user/__seedance" in ran.out
    assert f"{tmp_path}/one/user/__seedance" in ran.err
    assert "one" in command("--comfyui", tmp_path / "one", "doctor").out


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "[1]", '[{"home": 5, "output": ""}]', '[{"home": "x"}]', "[" * 9999]
)
def test_a_note_that_cannot_be_read_changes_nothing(tmp_path: Path, content: str) -> None:
    base: Any = tmp_path / "base"
    (base / "user" / "__seedance").mkdir(parents=True)
    (base / "output").mkdir()
    (base / "user" / "__seedance" / servers.FILE).write_text(content)
    server, others = servers.find(base)
    assert (server.home, others) == (str(base / "user" / "__seedance"), [])
