"""How a provider is described: calls and replies, tickets and statuses, limits, and Provider.

A provider describes a conversation and does not hold it: its methods are generators that yield a
`Call` (or a `Pause`), receive a `Reply`, and return the result. So the same description serves the
runner, the tests (dictionaries in, dictionaries out) and the free preview of a payload. Nothing
here does I/O, sleeps, or knows the journal, the clock or a key.

    calls       what is sent, and what came back
    tasks       tickets, statuses, money
    limits      what a provider can do, as data
    provider    the base class, and what it is given
    answers     reading answers of any shape
    extra       the user's own fields
"""

from __future__ import annotations

from .answers import dig, error_code, error_codes, error_text, number_at, plain_word, text_at
from .calls import Blob, Call, FilePart, Flow, Pause, Reply
from .extra import add_extra
from .limits import Limits, MediaLimits, ModelLimits, Size, Travel
from .provider import Balance, Config, Placed, Provider, Uploaded
from .tasks import Cancelled, CannotCancel, Done, Expired, Failed, Money, Running, Status, Ticket

__all__ = [
    "Balance",
    "Blob",
    "Call",
    "Cancelled",
    "CannotCancel",
    "Config",
    "Done",
    "Expired",
    "Failed",
    "FilePart",
    "Flow",
    "Limits",
    "MediaLimits",
    "ModelLimits",
    "Money",
    "Pause",
    "Placed",
    "Provider",
    "Reply",
    "Running",
    "Size",
    "Status",
    "Ticket",
    "Travel",
    "Uploaded",
    "add_extra",
    "dig",
    "error_code",
    "error_codes",
    "error_text",
    "number_at",
    "plain_word",
    "text_at",
]
