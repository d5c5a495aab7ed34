"""Asks providers what they can do and what that costs, for those that list it: at most once a day,
and only where a key is set. What they say is kept by `seedance.catalogs`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from .. import catalogs, providers
from ..errors import SeedanceError
from ..settings import Settings
from ..texts import logger_of
from . import prices
from .client import Client

logger = logger_of(__name__)


class Catalogs:
    """The lists of one runner's providers. Safe to use from any thread."""

    def __init__(self, settings: Settings, client_for: Callable[[str], Client]) -> None:
        self._settings, self._client_for = settings, client_for
        self._failed: dict[str, float] = {}

    def refresh(self, provider_id: str = providers.AUTO, *, anew: bool = False) -> None:
        """Read the lists that are older than a day: of one provider, or of all for `auto`. With
        `anew`, whatever their age. Where one cannot be read, what is known of it stays. Takes a few
        seconds at most."""
        for provider in providers.registry().values():
            if provider_id in (providers.AUTO, provider.id) and provider.can("catalog"):
                with contextlib.suppress(SeedanceError):
                    self._read(provider.id, anew=anew)

    def _read(self, provider_id: str, *, anew: bool) -> None:
        if not self._settings.key_source(provider_id):
            return
        provider, home = providers.get(provider_id), self._settings.home
        client = self._client_for(provider_id)
        base_url = client.provider.config.base_url
        failed = self._failed.get(base_url)
        failed_lately = failed is not None and time.monotonic() - failed < prices.FAILURE_SECONDS
        if not anew and (failed_lately or catalogs.is_fresh(home, provider, base_url)):
            return
        catalog = prices.ask_briefly(client, client.provider.catalog())
        try:
            if catalog is None:
                self._failed[base_url] = time.monotonic()
            else:
                catalogs.write(home, provider, base_url, catalog)
        except (OSError, ValueError) as error:
            self._failed[base_url] = time.monotonic()
            logger.info("What %s can do now could not be kept: %s", provider.name, error)
