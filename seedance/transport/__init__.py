"""Performs a Call over requests. Knows no provider.

session     one attempt to send a Call, and whether anything was sent
credentials who may see a key, or what it has signed
bodies      what is sent: JSON, forms, files
interrupts  time limits, and calls that are cut off
machine     proxies and certificates of this machine that keep a connection from being made
redaction   takes the key out of what comes back
"""

from __future__ import annotations

from .credentials import Credentials, SigningCredentials
from .interrupts import Stop, Watchdog
from .redaction import Redaction
from .session import (
    LONGEST_SPEND_SECONDS,
    Gate,
    Lost,
    NotSent,
    Transport,
    Withheld,
    retry_after,
    seconds_until,
)

__all__ = [
    "LONGEST_SPEND_SECONDS",
    "Credentials",
    "Gate",
    "Lost",
    "NotSent",
    "Redaction",
    "SigningCredentials",
    "Stop",
    "Transport",
    "Watchdog",
    "Withheld",
    "retry_after",
    "seconds_until",
]
