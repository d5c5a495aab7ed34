"""How a provider is described: calls and replies, tickets and statuses, limits, and Provider.

A provider describes a conversation and does not hold it: its methods are generators that yield a
`Call` (or a `Pause`), receive a `Reply`, and return the result. So the same description serves the
runner, the tests (dictionaries in, dictionaries out) and the free preview of a payload.

    calls       what is sent, and what came back
    assets      a provider's library of assets
    signature   how requests to one are signed
    statuses    tickets, and how a task stands
    limits      what a provider can do, as data
    provider    the base class, and what it is given
    reading     reading answers of any shape
    extra       the user's own fields
"""

from __future__ import annotations

from .assets import Asset, AssetGroup, AssetLibrary, AssetState, Liveness, LivenessResult
from .calls import Blob, Call, FilePart, Flow, Pause, Reply, given
from .extra import add_extra
from .limits import UNDOCUMENTED, Delivery, Limits, MediaLimits, ModelLimits, Size, Source
from .provider import (
    AboutKey,
    Balance,
    Capability,
    Config,
    Delivered,
    Idempotency,
    Provider,
    Uploaded,
)
from .reading import (
    address,
    dig,
    error_code,
    error_codes,
    error_text,
    number_at,
    object_at,
    plain_word,
    text_at,
    unix_seconds,
)
from .signature import Scope, SigningKey
from .statuses import (
    Cancelling,
    CancelRequested,
    CannotCancel,
    Done,
    Expired,
    Failed,
    Phase,
    Running,
    Status,
    TaskCancelled,
    Ticket,
    Words,
)

__all__ = [
    "UNDOCUMENTED",
    "AboutKey",
    "Asset",
    "AssetGroup",
    "AssetLibrary",
    "AssetState",
    "Balance",
    "Blob",
    "Call",
    "CancelRequested",
    "Cancelling",
    "CannotCancel",
    "Capability",
    "Config",
    "Delivered",
    "Delivery",
    "Done",
    "Expired",
    "Failed",
    "FilePart",
    "Flow",
    "Idempotency",
    "Limits",
    "Liveness",
    "LivenessResult",
    "MediaLimits",
    "ModelLimits",
    "Pause",
    "Phase",
    "Provider",
    "Reply",
    "Running",
    "Scope",
    "SigningKey",
    "Size",
    "Source",
    "Status",
    "TaskCancelled",
    "Ticket",
    "Uploaded",
    "Words",
    "add_extra",
    "address",
    "dig",
    "error_code",
    "error_codes",
    "error_text",
    "given",
    "number_at",
    "object_at",
    "plain_word",
    "text_at",
    "unix_seconds",
]
