"""The registry: every module in this folder that defines a `Provider` subclass is a provider.

`new_provider.md` is the recipe for one. A module whose name starts with an underscore is shared
code.

Comments cite the five documents that the pack began with by number; a seed wins over other sources:

    seed 000  docs.leonardo.ai/docs/seedance-20
    seed 001  docs.uniall.ai/models/video/seedance-2-0
    seed 002  docs.sinancode.com/en/api-reference/endpoint/seedance-2-0
    seed 003  lumenfall.ai/models/bytedance/seedance-2.0/api
    seed 004  docs.aihubmax.com, seedance-2.0-image-to-video
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABCMeta
from functools import cache
from typing import TYPE_CHECKING

from ..errors import BadOrder
from ..said import both, say
from ..texts import nearest, quoted

if TYPE_CHECKING:
    from ..wire import Provider

# Those with an asset library, named here because ComfyUI asks while it starts.
WITH_ASSETS = ("byteplus", "volcengine")
AUTO = "auto"  # stands for the provider that an order is cheapest at
ANY = "any"  # stands for a provider where an asset is one of this machine, for all of them


@cache
def registry() -> dict[str, type[Provider]]:
    """Provider classes by id, in the order of `ids`."""
    from ..wire import Provider

    found: dict[str, type[Provider]] = {}
    for name in ids():
        module = importlib.import_module(f"{__name__}.{name}")
        for item in vars(module).values():
            if (
                type(item) is ABCMeta  # isinstance takes an alias for a class in Python 3.10
                and issubclass(item, Provider)
                and item.__module__.startswith(module.__name__)
                and "id" in vars(item)
            ):
                found[item.id] = item
    return found


def ids() -> list[str]:
    """The ids of all providers, `preview` first, then by name. Imports none of them: ComfyUI asks
    while it starts."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted(
        (name for name in names if not name.startswith("_")),
        key=lambda name: (name != "preview", name),
    )


def is_free(provider_id: str) -> bool:
    """Whether a provider needs no key and costs nothing, so that `auto` never takes it."""
    return get(provider_id).key_variable is None


def get(provider_id: str) -> type[Provider]:
    """The provider class of an id. Raises BadOrder for an unknown one, naming those that exist."""
    try:
        return registry()[provider_id]
    except KeyError:
        near = nearest(str(provider_id), ids())
        raise BadOrder(
            "There is no provider {provider} in this version.",
            hint=both(
                say("Did you mean {near}?", near=near) if near else "",
                say("Choose one of: {known}.", known=[AUTO, *ids()]),
            ),
            provider=quoted(provider_id),
        ) from None
