"""The registry: every module in this folder that defines a `Provider` subclass is a provider.

To add one:

1. Write `providers/<id>.py` with a subclass of `wire.Provider`: its `id`, `name`, `key_variable`,
   `default_base_url` and `limits`, and the flows `submit` and `check`; `upload`, `cancel` and the
   rest where the provider documents them. Import nothing but `wire`, `order` and `errors`.
2. Write its recorded exchanges in `tests/wire/<id>.json`, from the provider's document.

Nothing else has to change: nodes, the command line, the key dialog, the README table and the
contract tests read this registry. A module whose name starts with an underscore is shared code.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABCMeta
from functools import cache

from ..errors import BadOrder
from ..wire import Provider


@cache
def registry() -> dict[str, type[Provider]]:
    """Provider classes by id, `preview` first, then by name of the id."""
    found: dict[str, type[Provider]] = {}
    for module_info in pkgutil.iter_modules(__path__):
        if module_info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for item in vars(module).values():
            if (
                type(item) is ABCMeta  # isinstance takes an alias for a class in Python 3.10
                and issubclass(item, Provider)
                and item.__module__.startswith(module.__name__)
                and "id" in vars(item)
            ):
                found[item.id] = item
    return dict(sorted(found.items(), key=lambda entry: (entry[0] != "preview", entry[0])))


def ids() -> list[str]:
    """The ids of all providers, `preview` first."""
    return list(registry())


def get(provider_id: str) -> type[Provider]:
    """The provider class of an id. Raises BadOrder for an unknown one, naming those that exist."""
    try:
        return registry()[provider_id]
    except KeyError:
        raise BadOrder(
            f"There is no provider {provider_id!r} in this version.",
            hint=f"Choose one of: {', '.join(['auto', *ids()])}.",
        ) from None
