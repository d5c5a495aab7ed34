"""Seedance orders through any provider: from Python, without ComfyUI and without torch.

    import seedance

    video = seedance.generate("A red fox runs through fresh snow", provider="preview")
    print(video.file, video.cost)

    generate, generate_async   make a video; the same order again gives the same video, free
    collect                    fetch the video of a paid task by its ticket
    finish                     make a draft into its final video
    check                      what each provider would make of an order; sends nothing
    batch                      make all shots of a list
    Video                      a finished video: its files, ticket, seed, cost and sizes
    SeedanceError, ...         the errors (see `seedance.errors`)

Importing this package imports nothing else, opens nothing and starts no thread.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import errors as errors
    from .api import Video as Video
    from .api import batch as batch
    from .api import check as check
    from .api import collect as collect
    from .api import finish as finish
    from .api import generate as generate
    from .api import generate_async as generate_async
    from .errors import BadOrder as BadOrder
    from .errors import Cancelled as Cancelled
    from .errors import Moderated as Moderated
    from .errors import NeedsKey as NeedsKey
    from .errors import OddReply as OddReply
    from .errors import OutOfCredit as OutOfCredit
    from .errors import OverBudget as OverBudget
    from .errors import Refused as Refused
    from .errors import SeedanceError as SeedanceError
    from .errors import StillRunning as StillRunning
    from .errors import TaskFailed as TaskFailed
    from .errors import Unclear as Unclear
    from .errors import Unreachable as Unreachable

__version__ = "0.2.0"

_API = ("Video", "batch", "check", "collect", "finish", "generate", "generate_async")
_ERRORS = (
    *("BadOrder", "Cancelled", "Moderated", "NeedsKey", "OddReply", "OutOfCredit", "OverBudget"),
    *("Refused", "SeedanceError", "StillRunning", "TaskFailed", "Unclear", "Unreachable"),
)
__all__ = [*_API, *_ERRORS, "errors"]


def __getattr__(name: str) -> object:
    if name == "errors":
        return importlib.import_module(".errors", __name__)
    module = ".api" if name in _API else ".errors" if name in _ERRORS else None
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(module, __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
