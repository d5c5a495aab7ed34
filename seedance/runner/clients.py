"""Clients for the providers of rows, with the transports of a process, which they share."""

from __future__ import annotations

import threading

from .. import preview, providers
from ..addresses import origin
from ..errors import NeedsKey, StillRunning
from ..journal import Row
from ..said import both
from ..settings import Access, Settings
from ..transport import Credentials, SigningCredentials, Transport, Watchdog
from . import places, quotes
from .client import Client
from .outcomes import told


class Clients:
    """One transport for each provider, address, key and scheme. Safe to use from any thread."""

    def __init__(self, settings: Settings, watchdog: Watchdog) -> None:
        self.settings = settings
        self._watchdog = watchdog
        self._transports: dict[tuple[str, ...], Transport] = {}
        self._lock = threading.Lock()

    def for_row(self, row: Row, access: Access | None = None) -> Client:
        """A client for the provider of a row. Get it before you change the row: without a key, or
        with another base URL than the order's, this raises an error and the row keeps its state."""
        try:
            client = self.at(row.provider, access, row.mark or "")
        except NeedsKey as error:
            error.hint = both(error.hint, places.words(row))
            raise told(row, error) from None
        here = origin(client.provider.config.base_url)
        if row.origin is not None and row.origin != here and row.task is not None:
            raise told(
                row,
                StillRunning(
                    "{ticket} was ordered at {origin}, and the base URL is {here} now. "
                    "Another address is not asked for it.",
                    hint="Set the base URL of {provider} to that of the order, then: seedance "
                    "collect {ticket}",
                    ticket=row.task,
                    origin=row.origin,
                    here=here,
                    provider=client.provider.name,
                ),
            )
        return client

    def at(self, provider_id: str, access: Access | None = None, mark: str = "") -> Client:
        """A client for a provider. Raises NeedsKey or BadOrder where `access`, that of the settings
        unless it is given, has a problem."""
        access = access or self.settings.access(provider_id)
        if access.problem is not None:
            raise access.problem
        config, key = access.config, access.key
        provider = providers.get(provider_id)(config, mark)
        account = quotes.account_of(provider_id, key)
        urls = [url for url in (config.base_url, config.upload_url, config.history_url) if url]
        identity = (provider.id, provider.auth_scheme, *urls, account)
        with self._lock:
            transport = self._transports.get(identity)
            if transport is None:
                origins = frozenset(map(origin, urls))
                credentials = Credentials(provider.auth_scheme, key, origins, provider.auth_header)
                adapters = preview.adapters(config.base_url, self.settings.home)
                transport = Transport(credentials, adapters, self._watchdog)
                self._transports[identity] = transport
        return Client(provider, transport, account)

    def for_assets(self, provider_id: str) -> Client:
        """A client for the asset library of a provider, by its signing key, which goes to the
        library's host alone. Raises NeedsKey or BadOrder where there is none."""
        config, key = self.settings.config(provider_id), self.settings.signing_key(provider_id)
        provider = providers.get(provider_id)(config)
        account = quotes.account_of(provider_id, key.id)
        host = config.asset_url or ""
        identity = (provider.id, f"{host} assets", account + quotes.account_of("", key.secret))
        with self._lock:
            transport = self._transports.get(identity)
            if transport is None:
                origins = frozenset({origin(host)})
                credentials = SigningCredentials(key, provider.assets().scope, origins)
                transport = Transport(credentials, watchdog=self._watchdog)
                self._transports[identity] = transport
        return Client(provider, transport, account)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            transports, self._transports = list(self._transports.values()), {}
        for transport in transports:
            transport.close()
