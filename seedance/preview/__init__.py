"""The service behind `preview://`: renders placeholder clips inside this process.

server   a requests adapter that answers; tasks and files on disk
scene    an order as it reached the service
render   the pictures, frame by frame
text     the writing on them
sound    the tones
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter

SCHEME = "preview://"


def adapters(base_url: str, home: Path) -> dict[str, BaseAdapter]:
    """What has to be mounted in a requests session so that this service answers at `base_url`:
    nothing for any other address. Tasks and files are kept in `home`/preview."""
    if not base_url.startswith(SCHEME):
        return {}
    from .server import PreviewAdapter

    return {SCHEME: PreviewAdapter(home)}
