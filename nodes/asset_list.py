"""Assets as the page shows them: those of this machine and of providers' libraries, with pictures.

A file is found by the names of an asset alone, so that no path comes in. What a library shows of a
picture is fetched when somebody looks, and kept in memory only.
"""

from __future__ import annotations

import tempfile
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..seedance.errors import BadOrder, SeedanceError
from ..seedance.providers import ANY
from . import from_page, history, host
from .asset import count_removal

if TYPE_CHECKING:
    from ..seedance.runner import AssetView

Body = Mapping[str, Any]

MOST_PICTURES = 64  # of libraries, in memory; each has a few KiB
_pictures: OrderedDict[str, bytes] = OrderedDict()
_lock = threading.Lock()


def rows() -> list[dict[str, Any]]:
    """All assets as the journal and this machine know them: `{name, provider, kind, person, state,
    problem, handle, file, picture}`, `file` without its folder."""
    return [_shown(view) for view in host.runner().assets.all()]


def _shown(view: AssetView) -> dict[str, Any]:
    file = Path(view.file).name if view.file else None
    seen = view.kind == "image" and (file is not None or view.state == "active")
    return {**view.as_dict(), "file": file, "picture": seen}


def refreshed() -> dict[str, Any]:
    """The same after the libraries were asked, and why one could not be."""
    problems = host.runner().assets.refresh()
    return {"assets": rows(), "problems": [str(problem) for problem in problems]}


def remove(body: Body) -> list[dict[str, Any]]:
    """Delete the assets of a name, or the one of a handle, at one provider."""
    name, provider = from_page.text(body, "name"), from_page.text(body, "provider")
    gone = host.runner().assets.remove(name, provider)
    count_removal()
    return [_shown(view) for view in gone]


def picture(query: Body) -> bytes:
    """A picture of an asset, small, as JPEG. Raises BadOrder where there is none."""
    provider = from_page.text(query, "provider")
    if provider == ANY:
        return _local(from_page.text(query, "name"), from_page.text(query, "file"))
    handle = from_page.text(query, "handle")
    with _lock:
        known = _pictures.get(handle)
    if known is None:
        known = _of_library(provider, handle)
        with _lock:
            _pictures[handle] = known
            while len(_pictures) > MOST_PICTURES:
                _pictures.popitem(last=False)
    return known


def _local(name: str, file: str) -> bytes:
    asset = host.runner().assets.local.find(name)
    for medium in asset.media if asset is not None else ():
        if medium.path is not None and medium.path.name == file and medium.kind == "image":
            return history.small(medium.path, medium.path.stat().st_mtime_ns)
    raise BadOrder("This asset has no such picture.")


def _of_library(provider: str, handle: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="seedance-") as folder:
        part = Path(folder) / "picture"
        try:
            host.runner().assets.fetch_picture(provider, handle, part)
            return history.small_of(part)
        except SeedanceError as error:
            raise BadOrder(
                "The library shows no picture of it: {said}", said=error.message
            ) from None
