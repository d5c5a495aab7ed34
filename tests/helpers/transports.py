"""A transport with a key that can be recognised, for tests of what lies below a provider."""

from __future__ import annotations

from seedance.addresses import origin
from seedance.transport import Credentials, Transport

KEY = "sk-the-key-that-nobody-may-see"


def transport_for(*urls: str, key: str = KEY) -> Transport:
    """A transport whose key belongs to the origins of these addresses."""
    return Transport(Credentials("Bearer", key, frozenset(map(origin, urls))))
