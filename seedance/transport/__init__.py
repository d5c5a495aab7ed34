"""Performs a Call over requests. Knows no provider.

session     one attempt to send a Call, and whether anything was sent
bodies      what is sent: JSON, forms, files
redaction   the key, taken out of what comes back
"""

from __future__ import annotations

from .session import Credentials, Lost, NotSent, Transport

__all__ = ["Credentials", "Lost", "NotSent", "Transport"]
