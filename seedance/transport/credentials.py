"""Who may see what: a key or a signing key, and the origins to which it may go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import ClassVar, TypeAlias, Union

import requests

from ..addresses import origin
from ..wire import Scope, SigningKey
from ..wire.signature import signature


@dataclass(frozen=True)
class Credentials:
    """A key, how it is presented, and the origins that may see it. `header_name` is the header
    that it stands in; an empty `scheme` puts the key there alone."""

    escaped: ClassVar[bool] = False  # whether JSON goes out as ASCII

    scheme: str
    key: str = field(repr=False)
    origins: frozenset[str]
    header_name: str = "Authorization"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nobody else may see."""
        return (self.key,)

    def auth(self, url: str) -> requests.auth.AuthBase:
        """The key in its header."""
        may_go = bool(self.key) and origin(url) in self.origins
        return Header(f"{self.scheme} {self.key}".strip() if may_go else None, self.header_name)


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class SigningCredentials:
    """A signing key, what it signs for, and the origins that may see its signatures."""

    escaped: ClassVar[bool] = True  # as the services' own SDKs send it

    key: SigningKey
    scope: Scope
    origins: frozenset[str]
    clock: Callable[[], datetime] = _now

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nobody else may see."""
        return (self.key.secret, self.key.id, self.key.token)

    def auth(self, url: str) -> requests.auth.AuthBase:
        """A signature of the request."""
        return _Signed(self) if origin(url) in self.origins else Header()


Authorizing: TypeAlias = Union[Credentials, SigningCredentials]


class Header(requests.auth.AuthBase):
    """Sets our header, or none: without an auth object requests would look into .netrc."""

    def __init__(self, header: str | None = None, name: str = "Authorization") -> None:
        self._header, self._name = header, name

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._header:
            request.headers[self._name] = self._header
        return request


class _Signed(requests.auth.AuthBase):
    def __init__(self, credentials: SigningCredentials) -> None:
        self._by = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        made = signature(
            request.method or "",
            request.url or "",
            request.headers,
            body if isinstance(body, bytes) else body.encode(),
            self._by.key,
            self._by.scope,
            self._by.clock(),
        )
        request.headers.update(made)
        return request
