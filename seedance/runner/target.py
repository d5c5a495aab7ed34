"""The file that the video of a take is saved as, where a person names one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from . import files
from .graphs import Graph


@dataclass(frozen=True)
class Target:
    """Where the video of one take goes, beside the output folder: to `file`, where one is named,
    and in place of another order's file only with `overwrite`. `graph` is put into new files."""

    file: Path | None
    overwrite: bool
    graph: Graph | None = None

    @classmethod
    def absolute(cls, file: Path | None, overwrite: bool, graph: Graph | None = None) -> Target:
        return cls(file.absolute() if file else None, overwrite, graph)

    def of_take(self, number: int) -> Target:
        """The same for take `number` (from 0) of several."""
        return replace(self, file=files.numbered(self.file, number)) if self.file else self


ANYWHERE = Target(None, False)
"""No file is named: the video is in the output folder."""
