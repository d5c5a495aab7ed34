"""A provider's asset library: pictures, clips and sounds that it keeps under an id of its own, so
that an order names them instead of sending them.

Assets stand in groups: one for each thing or invented person, and one for each real person who has
shown, on the provider's own page, that it is them (`liveness`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ..order import Kind
from ..texts import LONGEST_NAME, LONGEST_SENTENCE, sentence, shown
from .calls import Flow
from .limits import MediaLimits
from .signature import Scope

AssetState: TypeAlias = Literal["processing", "active", "failed"]


@dataclass(frozen=True)
class AssetGroup:
    """A group of assets: of a real person where `person` is set."""

    id: str
    name: str
    person: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", shown(self.name[:LONGEST_NAME]))


@dataclass(frozen=True)
class Asset:
    """One asset as its provider has it. Only an active one can be used; `problem` says why one has
    failed. `address` leads to it for a limited time, where the provider tells it. `unknown` is a
    state that no document has: such an asset counts as processing."""

    id: str
    state: AssetState
    name: str = ""
    group: str = ""
    kind: Kind | None = None
    problem: str = ""
    address: str | None = field(default=None, repr=False)
    unknown: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", shown(self.name[:LONGEST_NAME]))
        object.__setattr__(self, "problem", shown(sentence(self.problem, 2 * LONGEST_SENTENCE)))
        object.__setattr__(self, "unknown", shown(self.unknown[:LONGEST_NAME]))


@dataclass(frozen=True)
class Liveness:
    """A person is asked to show that it is them: `link` leads to the provider's page, `token` asks
    for the result. Whoever has the token gets the group, so that it is kept nowhere."""

    token: str = field(repr=False)
    link: str


@dataclass(frozen=True)
class LivenessResult:
    """What became of it so far: the person's group; else whether it is over, and what the provider
    said."""

    group: str | None = None
    over: bool = False
    said: str = ""


class AssetLibrary(ABC):
    """The conversations about assets. As those of `Provider` they are flows: they send nothing.

    Their calls go to the library's own host, signed by a signing key. They raise Refused for a
    clear no. `seconds`: how long a person's link can be used. `limits` are what the library takes.
    """

    scope: Scope
    seconds: float
    limits: Mapping[Kind, MediaLimits]

    # -- groups

    @abstractmethod
    def groups(self, *, person: bool, name: str = "") -> Flow[list[AssetGroup]]:
        """The groups of real persons, or the others; with `name` only those of this very name."""

    @abstractmethod
    def group(self, group_id: str) -> Flow[AssetGroup | None]:
        """One group; None where there is none."""

    @abstractmethod
    def new_group(self, name: str, description: str = "") -> Flow[str]:
        """Make a group that is no real person's; returns its id. Made once: where no answer comes,
        it may be there all the same."""

    @abstractmethod
    def rename_group(self, group_id: str, name: str) -> Flow[None]:
        """Give a group another name."""

    @abstractmethod
    def remove_group(self, group_id: str) -> Flow[None]:
        """Delete a group with all its assets."""

    # -- assets

    @abstractmethod
    def assets(
        self, *, person: bool, groups: Sequence[str] = (), name: str = ""
    ) -> Flow[list[Asset]]:
        """The assets of real persons, or the others; of these groups, and of this very name, where
        they are given."""

    @abstractmethod
    def asset(self, asset_id: str) -> Flow[Asset | None]:
        """One asset as it is now; None where there is none."""

    @abstractmethod
    def add(self, group_id: str, address: str, kind: Kind, name: str) -> Flow[str]:
        """Make an asset of the file at a public address; returns its id. Made once, as a group."""

    @abstractmethod
    def rename(self, asset_id: str, name: str) -> Flow[None]:
        """Give an asset another name."""

    @abstractmethod
    def remove(self, asset_id: str) -> Flow[None]:
        """Delete an asset, whether it is there or not."""

    # -- real persons

    @abstractmethod
    def ask_liveness(self) -> Flow[Liveness]:
        """Begin to ask a person to show that it is them."""

    @abstractmethod
    def liveness(self, token: str) -> Flow[LivenessResult]:
        """Ask once what became of it."""
