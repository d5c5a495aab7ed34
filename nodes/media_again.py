"""The media of an order that was made before, for ComfyUI's Load nodes: found among the files of
its input and output folders, or put into the input folder from where they are kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

import folder_paths

from ..seedance.errors import BadOrder
from ..seedance.order import Kind, Medium
from . import host

MOST = 50  # of one order
FOLDER = "seedance"  # below the input folder


def bring(media: object) -> list[dict[str, Any]]:
    """For each medium, as the journal and the sidecar have it, the file as a Load node names it
    (`seedance/ab12.png`, `clip.mp4 [output]`), None where it is not here. Raises BadOrder for what
    is no list of media."""
    if not isinstance(media, list) or len(media) > MOST or not all(map(_is_medium, media)):
        raise BadOrder("media must be a list of at most {most} media of an order.", most=MOST)
    return [{"file": _named(each) or _kept(each)} for each in media]


def _is_medium(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.get("kind") in ("image", "video", "audio")
        and all(isinstance(value.get(name, ""), str) for name in ("sha256", "name"))
    )


def _named(medium: Mapping[str, Any]) -> str | None:
    """By its name, where that file is still what it was."""
    name, kind = medium.get("name", ""), medium["kind"]
    if not name or PurePath(name).name != name or name.startswith("."):
        return None
    for file, shown in _places(name):
        if file.is_file() and _same(file, kind, medium.get("sha256", "")):
            return shown
    return None


def _places(name: str) -> Iterator[tuple[Path, str]]:
    inputs = Path(folder_paths.get_input_directory())
    yield inputs / name, name
    yield inputs / FOLDER / name, f"{FOLDER}/{name}"
    outputs = Path(folder_paths.get_output_directory()).absolute()
    for folder in (host.settings().output, outputs, outputs / "video"):
        if folder.is_relative_to(outputs):
            place = (folder / name).relative_to(outputs).as_posix()
            yield folder / name, f"{place} [output]"


def _same(file: Path, kind: Kind, digest: str) -> bool:
    try:
        return Medium.from_path(kind, file).digest == digest
    except BadOrder:
        return False


def _kept(medium: Mapping[str, Any]) -> str | None:
    """From where media of orders are kept, put into the input folder."""
    from ..seedance.runner import kept

    found = kept.find(host.settings().home, medium["kind"], medium.get("sha256", ""))
    if found is None:
        return None
    name = found.stem[:16] + found.suffix
    target = Path(folder_paths.get_input_directory()) / FOLDER / name
    try:
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, target)
    except OSError as error:
        raise BadOrder(
            "{target} cannot be written: {reason}.",
            hint="Nothing was sent.",
            target=target,
            reason=error.strerror,
        ) from error
    return f"{FOLDER}/{name}"
