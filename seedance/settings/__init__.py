"""What is configured: folders, keys, addresses, budgets and the bucket, from the environment first,
then from the key file.

settings    all of it: Settings
provider    what concerns one provider: key, address, options
"""

from __future__ import annotations

from .provider import Access, KeySource
from .settings import MAX_USD, PACK, TIMEOUT, Section, Settings, problems

__all__ = [
    "MAX_USD",
    "PACK",
    "TIMEOUT",
    "Access",
    "KeySource",
    "Section",
    "Settings",
    "problems",
]
