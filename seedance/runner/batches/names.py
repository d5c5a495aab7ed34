"""The files that shots are saved as in a folder that a person named.

A shot is `NAME.mp4`, its further takes `NAME-2.mp4` and so on. Nothing that another order made is
replaced: a shot that was changed is `NAME_v2.mp4`, and what was there stays.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...errors import BadOrder
from ...journal import Row
from .. import check_target, files, places
from .plan import ShotTake

MOST_VERSIONS = 1000


class Names:
    """Chooses the files in `folder`, which is made if it does not exist; None leaves them to the
    runner. Each is chosen once in the life of this object; `going_to` gives the order under way
    that is to be saved as a file. Raises BadOrder for a folder that cannot be written."""

    def __init__(
        self, folder: Path | None, going_to: Callable[[Path], Row | None] = lambda path: None
    ) -> None:
        self._folder, self._going_to = folder, going_to
        self._chosen: dict[Path, tuple[str, int]] = {}
        if folder is not None:
            if folder.exists() and not folder.is_dir():
                raise BadOrder(f"{folder} is no folder.", hint="Give the name of a folder.")
            files.check_writable(folder)

    @property
    def matter(self) -> bool:
        """Whether a person named a folder."""
        return self._folder is not None

    def of(self, take: ShotTake, row: Row | None) -> Path | None:
        """The file of a take. `row` is the one that its order has in the journal."""
        if self._folder is None:
            return None
        mine = (take.shot.name, take.number)
        if row is not None:
            for known in (row.file or Path(), Path(row.target or "")):
                named = known.parent == self._folder and is_named(take, known.stem)
                if named and self._is_ours(known, mine) and places.is_free(known, row):
                    return self._choose(known, mine)
        ending = take.shot.values.get("output_format") or "mp4"
        for version in range(1, MOST_VERSIONS):
            stem = take.shot.stem + (f"_v{version}" if version > 1 else "")
            target = files.numbered(self._folder / f"{stem}.{ending}", take.number)
            if self._is_ours(target, mine) and self._is_free(target, row):
                check_target(target, ending)
                return self._choose(target, mine)
        raise BadOrder(f"There are too many versions of {take.shot.stem} in {self._folder}.")

    def _is_free(self, target: Path, row: Row | None) -> bool:
        other = self._going_to(target)
        nobodys = other is None or (row is not None and other.uid == row.uid)
        return nobodys and places.is_free(target, row)

    def _is_ours(self, target: Path, mine: tuple[str, int]) -> bool:
        return self._chosen.get(target, mine) == mine

    def _choose(self, target: Path, mine: tuple[str, int]) -> Path:
        self._chosen[target] = mine
        return target


def is_named(take: ShotTake, stem: str) -> bool:
    """Whether a file of a take may have this name, without its ending."""
    number = f"-{take.number + 1}" if take.number else ""
    if not (stem.startswith(take.shot.stem) and stem.endswith(number)):
        return False
    version = stem[len(take.shot.stem) : len(stem) - len(number)]
    return not version or (version.startswith("_v") and version[2:].isdecimal())
