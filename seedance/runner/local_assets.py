"""Assets of this machine: for each name a folder with pictures, clips and sounds, which are sent to
any provider as ordinary references.

A folder can be zipped and unpacked on another machine. Who unpacks one did not write it: only files
of known kinds are taken, by their names, and no link is followed.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import forks, media
from ..errors import BadOrder
from ..files import replacing, write_atomically
from ..order import Kind, Medium, is_asset_name, kind_by_ending

FOLDER = "assets"
ABOUT = "asset.json"  # in a folder: {"person": true} for one that shows a real person
MOST_FILES = 50  # that are taken of a folder; no order may have more references
LARGEST_ABOUT = 4096  # bytes

ENDINGS: dict[Kind, str] = {"image": ".png", "video": ".mp4", "audio": ".wav"}
_NOT_IN_A_NAME = re.compile(r"[^\w.-]+")
_adding = forks.Lock()  # two that add at the same time would take the same name


@dataclass(frozen=True)
class LocalAsset:
    """A named set of files. `media` stand in the order of the files' names."""

    name: str
    folder: Path
    person: bool
    media: tuple[Medium, ...]


class LocalAssets:
    """The assets below a home folder. Methods block."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    def names(self) -> list[str]:
        """The names that there are."""
        with contextlib.suppress(OSError):
            return sorted(
                unicodedata.normalize("NFC", each.name)
                for each in self.folder.iterdir()
                if is_asset_name(unicodedata.normalize("NFC", each.name))
                and each.is_dir()
                and not each.is_symlink()
            )
        return []

    def all(self) -> list[LocalAsset]:
        """All of them, by name."""
        found = (self.find(name) for name in self.names())
        return [asset for asset in found if asset is not None]

    def find(self, name: str) -> LocalAsset | None:
        """The asset of a name; None where there is none with a file in it."""
        folder = self._folder(name)
        if folder is None:
            return None
        person = _person(folder)
        files = tuple(
            Medium(kind, path=path, asset=name, person=person) for path, kind in _files(folder)
        )
        return LocalAsset(name, folder, person, files) if files else None

    def add(self, name: str, medium: Medium, *, person: bool = False) -> Path:
        """Put a medium into the set of a name; returns its file. The same bytes are there already.

        Raises BadOrder for an address, and where the folder cannot be written or is another kind's.
        """
        if medium.address is not None or medium.unknown:
            raise BadOrder(
                "An asset of this machine is made of a file, not of an address.",
                hint="Save the file first, or choose the provider whose library shall fetch it "
                "(--provider ID on the command line).",
            )
        if medium.pixels is not None:
            medium = Medium.from_data("image", media.encode_png(medium.pixels))
        media.measure(medium)  # raises for what cannot be read
        with _adding:
            return self._add(name, medium, person)

    def _add(self, name: str, medium: Medium, person: bool) -> Path:
        there = self.find(name)
        if there is not None:
            for known in there.media:
                if known.digest == medium.digest and known.path is not None:
                    return known.path
            if there.person != person:
                raise BadOrder(
                    "The asset {name} of this machine is of the kind {kind}.",
                    hint="Use another name, or the same kind.",
                    name=name,
                    kind="person" if there.person else "other",
                )
        count = len(there.media) if there is not None else 0
        if count >= MOST_FILES:
            raise BadOrder(
                "The asset {name} has {count} files; more are not used.", name=name, count=count
            )
        folder = self._folder(name) or self.folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = _free_name(folder, count + 1, medium)
            with replacing(file) as part:
                _write(medium, part)
            if person:
                write_atomically(folder / ABOUT, json.dumps({"person": True}))
        except OSError as error:
            raise BadOrder(
                "The folder {folder} cannot be written: {reason}.",
                folder=folder,
                reason=error.strerror,
            ) from error
        return file

    def remove(self, name: str) -> bool:
        """Delete the set of a name; says whether there was one."""
        folder = self._folder(name)
        if folder is None:
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return True

    def _folder(self, name: str) -> Path | None:
        """The folder of a name, however its letters are composed; None where there is none."""
        with contextlib.suppress(OSError):
            for each in self.folder.iterdir():
                same = unicodedata.normalize("NFC", each.name) == name
                if same and each.is_dir() and not each.is_symlink():
                    return each
        return None


def _files(folder: Path) -> Iterator[tuple[Path, Kind]]:
    """The pictures, clips and sounds in a folder, by their endings."""
    with contextlib.suppress(OSError):
        found = sorted(folder.iterdir(), key=lambda path: path.name)
        usable = [path for path in found if path.is_file() and not path.is_symlink()]
        for path in usable[: MOST_FILES + 1]:
            kind = kind_by_ending(path.name)
            if kind is not None and not path.name.startswith("."):
                yield path, kind


def _person(folder: Path) -> bool:
    try:
        file = folder / ABOUT
        if file.is_symlink() or file.stat().st_size > LARGEST_ABOUT:
            return False
        about = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(about, dict) and about.get("person") is True


def _free_name(folder: Path, number: int, medium: Medium) -> Path:
    """A name for its file after those that are there: that which it has, of letters that any system
    takes."""
    stem, suffix = "", ENDINGS[medium.kind]
    if medium.path is not None:
        stem = _NOT_IN_A_NAME.sub("-", medium.path.stem).strip(".-")[:60]
        if kind_by_ending(medium.path.name) == medium.kind:
            suffix = medium.path.suffix.lower()
    taken = {each.name.partition("-")[0] for each in folder.iterdir()}
    while f"{number:02d}" in taken:
        number += 1
    return folder / f"{number:02d}-{stem or medium.kind}{suffix}"


def _write(medium: Medium, part: Path) -> None:
    if medium.path is not None:
        shutil.copyfile(medium.path, part)
    else:
        part.write_bytes(medium.data or b"")
