"""What providers said lately of their models and prices, each in a file of its own below the home.

Only what a provider's `catalog` gives is kept, and only for the origin that said it. Reading it
touches no network; the runner decides when it is asked for again.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .addresses import origin
from .files import write_atomically
from .wire import Provider

LARGEST = 1 << 20  # bytes
FRESH_SECONDS = 24 * 3600.0


def read(home: Path, provider: type[Provider], base_url: str) -> Mapping[str, Any]:
    """The catalog of a provider, with the day when it was read as `as_of`; empty where there is
    none that its present address gave."""
    record = _record(home, provider, base_url)
    catalog, at = record.get("catalog"), record.get("at")
    if not isinstance(catalog, dict) or not isinstance(at, (int, float)) or not 0 <= at < 1e11:
        return {}
    day = datetime.fromtimestamp(at, timezone.utc).date().isoformat()
    return {**catalog, "as_of": day}


def is_fresh(home: Path, provider: type[Provider], base_url: str) -> bool:
    """Whether a provider's catalog was read within a day."""
    at = _record(home, provider, base_url).get("at")
    return isinstance(at, (int, float)) and 0 <= time.time() - at < FRESH_SECONDS


def write(home: Path, provider: type[Provider], base_url: str, catalog: Mapping[str, Any]) -> None:
    """Keep a catalog. Raises OSError where it cannot be written, ValueError where it is too
    large."""
    text = json.dumps({"at": time.time(), "origin": origin(base_url), "catalog": dict(catalog)})
    if len(text) > LARGEST:
        raise ValueError(f"{len(text)} bytes")
    _file(home, provider).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(_file(home, provider), text)


def _file(home: Path, provider: type[Provider]) -> Path:
    return home / "catalogs" / f"{provider.id}.json"


def _record(home: Path, provider: type[Provider], base_url: str) -> dict[str, Any]:
    if not provider.can("catalog"):
        return {}
    with contextlib.suppress(OSError, ValueError, RecursionError):
        file = _file(home, provider)
        if file.stat().st_size <= LARGEST:
            record = json.loads(file.read_text("utf-8"))
            if isinstance(record, dict) and record.get("origin") == origin(base_url):
                return record
    return {}
