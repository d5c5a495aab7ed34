"""The class that each provider is a subclass of, what it is configured with and what it is given.

Owns what is the same for most providers. Must not know any one of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ..errors import BadOrder, OutOfCredit, Refused, SeedanceError
from ..money import Money
from ..order import Kind, Order
from .calls import Blob, Flow, Reply
from .limits import Delivery, Limits, ModelLimits
from .reading import error_code, error_text
from .statuses import CannotCancel, Status, TaskCancelled, Ticket


@dataclass(frozen=True)
class Config:
    """What the user configured for a provider; never a workflow's doing, and never the key.

    `models` replaces provider model ids; `options` are the provider's own switches, by their name
    in the environment, lower case (`create_path` for `SEEDANCE_UNIALL_CREATE_PATH`).
    """

    base_url: str
    upload_url: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Uploaded:
    """What the provider calls a medium that went up: an address or an id.

    `expires_at`: Unix seconds until which it can be used again, None where no document says.
    """

    reference: str
    expires_at: float | None = None


@dataclass(frozen=True)
class Delivered:
    """The media of an order as the provider can read them: addresses, data URIs or ids."""

    first_frame: str | None = None
    last_frame: str | None = None
    images: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()
    audios: tuple[str, ...] = ()
    video: str | None = None


@dataclass(frozen=True)
class Balance:
    """What the account has left, and a name (at most 100 letters) to recognise it by."""

    account: str
    left: Money | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "account", self.account[:100])


class Provider(ABC):
    """One service that makes Seedance videos. See `providers/__init__` on how to add one."""

    id: ClassVar[str]
    name: ClassVar[str]
    key_variable: ClassVar[str | None]
    default_base_url: ClassVar[str | None]
    default_upload_url: ClassVar[str | None] = None
    limits: ClassVar[Limits]
    auth_scheme: ClassVar[str] = "Bearer"
    options: ClassVar[tuple[str, ...]] = ()
    # True only where a document says that a cancelled task is not billed.
    cancel_is_free: ClassVar[bool] = False

    def __init__(self, config: Config) -> None:
        self.config = config

    # -- what every provider describes

    def upload(self, blob: Blob) -> Flow[Uploaded]:
        """Send one picture, clip or sound up. Raises BadOrder where there is no upload."""
        raise BadOrder(f"{self.name} has no upload for a {blob.kind}.")
        yield  # makes this a generator

    @abstractmethod
    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        """Create the task. Exactly one Call has `spends=True`.

        Raises Refused (or a kind of it) for a clear no, OddReply for a 2xx that makes no sense.
        """

    @abstractmethod
    def check(self, ticket: Ticket) -> Flow[Status]:
        """Ask once how the task stands. Raises what `explain` gives for an HTTP error."""

    def cancel(self, ticket: Ticket) -> Flow[TaskCancelled | CannotCancel]:
        """Ask the provider to cancel."""
        return CannotCancel(f"{self.name} documents no way to cancel a task.")
        yield

    # -- what some of them offer

    def probe_key(self) -> Flow[Balance]:
        """Check the key free of charge; says whose it is. Raises Refused if it is not taken."""
        raise BadOrder(f"{self.name} documents no free way to test a key.")
        yield

    def find(self, order: Order, since: float, known: Collection[str] = ()) -> Flow[Ticket | None]:
        """Look for a task made from `order` after `since` (Unix seconds): clears an Unclear.

        `known` are the tickets of other orders, which cannot be it. None means that there is
        certainly none. Raises BadOrder where nothing lists tasks, Unclear where the list does not
        settle which task it is.
        """
        raise BadOrder(f"{self.name} has no list of tasks to look into.")
        yield

    def estimate(self, order: Order) -> Money | None:
        """The price of a fitted order by the published list, or None if there is none."""
        return None

    # -- reading answers

    def explain(self, reply: Reply) -> SeedanceError:
        """The error that an answer other than 2xx stands for, in words for a person.

        By default: 401 and 403 speak of the key, 402 of credit; the provider's own sentence is
        always part of it.
        """
        said = error_text(reply)
        tail = f": {said}" if said else "."
        if reply.status in (401, 403):
            can_test = type(self).probe_key is not Provider.probe_key
            return Refused(
                f"{self.name} refused the key (HTTP {reply.status}){tail}",
                hint=f"Check it with: seedance key test {self.id}."
                if can_test
                else f"Replace it with: seedance key set {self.id}.",
            )
        if reply.status == 402:
            return OutOfCredit(f"{self.name} says there is no credit left{tail}")
        return Refused(f"{self.name} refused the request (HTTP {reply.status}){tail}")

    def quota_used_up(self, reply: Reply) -> bool:
        """Whether a 429 means that a quota is used up, so that waiting does not help."""
        code = error_code(reply).lower()
        return any(word in code for word in ("quota", "insufficient", "balance", "billing"))

    # -- small helpers

    def can(self, capability: str) -> bool:
        """Whether this provider has an optional capability, such as `find`."""
        return getattr(type(self), capability) is not getattr(Provider, capability)

    def url(self, path: str) -> str:
        """`path` under the configured base URL."""
        return self.config.base_url.rstrip("/") + path

    def delivery(self, kind: Kind) -> tuple[Delivery, ...]:
        """How a medium of this kind may reach the provider as configured, best first."""
        return self.limits.delivery.get(kind, ())

    def model(self, order: Order) -> ModelLimits:
        """The limits of the order's model."""
        return self.limits.models[order.model]

    def model_id(self, order: Order, mode: str = "") -> str:
        """The provider's id for the order's model, with the user's replacement if there is one."""
        template = self.config.models.get(order.model) or self.model(order).id
        return template.replace("{resolution}", order.resolution).replace("{mode}", mode)
