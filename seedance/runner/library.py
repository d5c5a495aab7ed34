"""The asset library of an account: adds to it, waits until it has looked at what was added, lists
and removes.

The journal knows what was made, so that the same bytes under the same name are made once. What may
have been made without an answer is looked for before anything is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from .. import download, forks, hosting, media
from ..addresses import ForbiddenAddress, check_public_url, is_loopback, origin
from ..errors import BadOrder, Cancelled, Refused, SeedanceError, StillRunning, Unreachable
from ..journal import MAKING, AssetKey, AssetRow, Journal
from ..order import Medium, is_asset_name
from ..said import say
from ..settings import Settings
from ..texts import logger_of
from ..transport import Stop
from ..wire import Asset, AssetLibrary, Blob, Flow
from .client import Client, Stopped
from .delivery import check_bucket
from .progress import Progress
from .worker import computing

logger = logger_of(__name__)

CHECK_SECONDS = 3.0  # between two looks at an asset, or for a person's result
WAIT_SECONDS = 600.0  # for an asset; usually 10 to 30 s
STALE_SECONDS = 180.0  # after which nobody is making it any more; it takes about a minute at most
LARGEST_PICTURE = 30 * 2**20  # bytes
DESCRIPTION = "Made by the Seedance pack for ComfyUI"

T = TypeVar("T")
Tell = Callable[[Progress], None]
ShowLink = Callable[[str, float], None]
"""Is given the page that a person has to open, and the seconds for which it can be used."""

_names: dict[tuple[str, str, str], threading.Lock] = {}  # of which one asset at a time is added
forks.in_child(_names.clear)


class Library:
    """The library of one provider, by the signing key that is set for it."""

    def __init__(self, client: Client, settings: Settings, journal: Journal) -> None:
        self._client, self._settings, self._journal = client, settings, journal
        self._library: AssetLibrary = client.provider.assets()
        self.provider = client.provider
        self.account = client.account

    # ------------------------------------------------------------------------------- adding

    def add(
        self,
        medium: Medium,
        name: str,
        *,
        person: bool = False,
        tell: Tell = lambda _: None,
        show_link: ShowLink | None = None,
        stop: Stop | None = None,
    ) -> AssetRow:
        """Put a medium into the library under a name; returns it once it is active. The same bytes
        under the same name are there already. `person`: it shows a real person, who has to confirm
        on the provider's page, once for a name.

        Raises BadOrder for a medium that the library does not take, Refused with the library's
        reason, StillRunning where it looks at it for too long, Cancelled if `stop` is set.
        """
        stop = stop or Stop()
        try:
            with _one_at_a_time((self.provider.id, self.account, name), stop):
                return self._add(medium, name, person, tell, show_link, stop)
        except Stopped:
            raise Cancelled(
                "Stopped waiting for the asset {name}; nothing was spent.",
                hint="What the library has of it is found again next time.",
                spent="no",
                name=name,
            ) from None

    def _add(
        self,
        medium: Medium,
        name: str,
        person: bool,
        tell: Tell,
        show_link: ShowLink | None,
        stop: Stop,
    ) -> AssetRow:
        key = AssetKey(self.provider.id, self.account, name, medium.digest)
        tell(Progress("preparing"))
        known = self._journal.assets.find(key)
        if known is not None and known.asset and known.state != "failed":
            self._check_kind(known.person, person, name)
            if (there := self._still_there(known, stop)) is not None:
                return self._until_active(there, tell, stop)
            self._journal.assets.forget(key)
        with tempfile.TemporaryDirectory(prefix="seedance-") as folder:
            sending = _Sending(self, medium, Path(folder))  # raises where it cannot be sent
            group = self._group(name, person, tell, show_link, stop)
            if known is not None and known.state == "failed" and known.asset:
                self._ask(self._library.remove(known.asset), stop)
            tell(Progress("uploading", {"number": 1, "count": 1}))
            # The library fetches it while it looks at it.
            with sending.address() as address:
                row = self._made(key, medium, person, group, address, tell, stop)
                return self._until_active(row, tell, stop)

    def _made(
        self,
        key: AssetKey,
        medium: Medium,
        person: bool,
        group: str,
        address: str,
        tell: Tell,
        stop: Stop,
    ) -> AssetRow:
        """The row of an asset that the library has: made now, by another process, or by an earlier
        attempt whose answer was lost."""
        while True:
            row, mine = self._journal.assets.reserve(
                key, kind=medium.kind, person=person, group=group, stale=STALE_SECONDS
            )
            if mine:
                break
            if row.asset is not None:
                return row
            tell(Progress("other_process"))
            _pause(stop, CHECK_SECONDS)
        try:
            asset = self._lost(row, stop)
            if asset is None:
                flow = self._library.add(group, address, medium.kind, key.name)
                asset = self._ask(flow, stop)
        except Refused:  # a clear no: nothing was made
            self._journal.assets.forget(key)
            raise
        except BaseException:
            self._journal.assets.leave(key)
            raise
        return self._noted(key, "processing", asset)

    def _lost(self, row: AssetRow, stop: Stop) -> str | None:
        """The one asset that may be what an earlier attempt has made without an answer."""
        if row.updated == row.created:
            return None  # there was none
        known = self._journal.assets.all(self.provider.id, self.account)
        ids = {each.asset for each in known}
        makers = [each for each in known if each.group == row.group and each.state == MAKING]
        flow = self._library.assets(person=row.person, groups=[row.group], name=row.key.name)
        found = [
            asset.id
            for asset in self._ask(flow, stop)
            if asset.id not in ids and asset.kind in (None, row.kind)
        ]
        return found[0] if len(found) == len(makers) == 1 else None

    def _noted(self, key: AssetKey, state: str, asset: str | None = None) -> AssetRow:
        row = self._journal.assets.note(key, state, asset=asset)
        if row is None:
            raise BadOrder(
                "The asset {name} was removed meanwhile.", hint="Add it again.", name=key.name
            )
        return row

    def _still_there(self, row: AssetRow, stop: Stop) -> AssetRow | None:
        """The row of an asset, or None if the library does not have it any more. Where it cannot be
        asked, the journal is believed."""
        assert row.asset is not None
        try:
            asset = self._ask(self._library.asset(row.asset), stop)
        except Unreachable as error:
            logger.warning("The asset %s could not be looked at: %s", row.key.name, error)
            return row
        if asset is None or asset.state == "failed":
            return None
        return row if asset.state == row.state else self._noted(row.key, asset.state)

    def _until_active(self, row: AssetRow, tell: Tell, stop: Stop) -> AssetRow:
        """The row once the library has looked at its asset. Raises Refused where it has failed."""
        began = time.monotonic()
        while row.state != "active":
            assert row.asset is not None
            seconds = round(time.monotonic() - began)
            tell(Progress("asset_processing", {"seconds": seconds}))
            asset = self._looked_at(row.asset, stop)
            if asset is not None and asset.state == "failed":
                self._journal.assets.note(row.key, "failed", problem=asset.problem)
                raise Refused(
                    "{provider} does not take {name} as an asset: {why}.",
                    hint="Nothing is billed. Change the file, or add it again to have it looked at "
                    "once more.",
                    provider=self.provider.name,
                    name=row.key.name,
                    why=asset.problem or say("no reason is given"),
                )
            if asset is not None and asset.state == "active":
                return self._noted(row.key, "active")
            if time.monotonic() - began > WAIT_SECONDS:
                raise StillRunning(
                    "{provider} still looks at the asset {name} after {minutes} minutes.",
                    hint="Add it again later: it is not made twice.",
                    spent="no",
                    provider=self.provider.name,
                    name=row.key.name,
                    minutes=WAIT_SECONDS / 60,
                )
            _pause(stop, CHECK_SECONDS)
        return row

    def _looked_at(self, asset_id: str, stop: Stop) -> Asset | None:
        """The asset as it is now; None where there is no answer for now."""
        try:
            asset = self._ask(self._library.asset(asset_id), stop)
        except Unreachable as error:
            logger.info("An asset could not be looked at: %s", error)
            return None
        if asset is None:
            raise Refused(
                "{provider} does not have the asset {asset} any more.",
                provider=self.provider.name,
                asset=asset_id,
            )
        if asset.unknown:
            logger.warning("The asset %s is %r, which no document has.", asset_id, asset.unknown)
        return asset

    # ------------------------------------------------------------------------------- groups

    def _group(
        self, name: str, person: bool, tell: Tell, show_link: ShowLink | None, stop: Stop
    ) -> str:
        """The group of a name: the one that is known, the one that the library has, a new one, or
        that of a person who confirms now."""
        known = self._journal.assets.group(self.provider.id, self.account, name)
        if known is not None and self._ask(self._library.group(known.group), stop) is not None:
            self._check_kind(known.person, person, name)
            return known.group
        found = self._ask(self._library.groups(person=person, name=name), stop)
        if found:
            group = found[0].id
        elif person:
            group = self._confirmed(name, tell, show_link, stop)
        else:
            group = self._ask(self._library.new_group(name, DESCRIPTION), stop)
        self._journal.assets.keep_group(self.provider.id, self.account, name, group, person=person)
        return group

    def _check_kind(self, there: bool, asked: bool, name: str) -> None:
        if there != asked:
            raise BadOrder(
                "The asset {name} is a real person at {provider}, and the kind asked for is "
                "{asked}."
                if there
                else "The asset {name} is no real person at {provider}, and the kind asked for is "
                "{asked}.",
                hint="Use another name for what is of the kind {asked}.",
                name=name,
                provider=self.provider.name,
                asked="person" if asked else "other",
            )

    def _confirmed(self, name: str, tell: Tell, show_link: ShowLink | None, stop: Stop) -> str:
        """The group of a person who confirms on the provider's page. What the page sees of them
        stays at the provider."""
        if show_link is None:
            raise BadOrder(
                "{name} has not confirmed at {provider} yet.",
                hint="The person opens the provider's page, which the node Seedance Asset and "
                "seedance asset add --kind person show.",
                name=name,
                provider=self.provider.name,
            )
        asked = self._ask(self._library.ask_liveness(), stop)
        self._check_link(asked.link)
        show_link(asked.link, self._library.seconds)
        began, said = time.monotonic(), ""
        while (passed := time.monotonic() - began) < self._library.seconds:
            left = round((self._library.seconds - passed) / 60)
            tell(Progress("asset_person", {"minutes": max(left, 1)}))
            _pause(stop, CHECK_SECONDS)
            try:
                result = self._ask(self._library.liveness(asked.token), stop)
            except Unreachable as error:
                logger.info("Whether the person has confirmed could not be asked: %s", error)
                continue
            if result.group is not None:
                self._name(result.group, name, stop)
                return result.group
            said = result.said or said
            if result.over:
                break
        raise Refused(
            "{name} was not confirmed at {provider}: {said}."
            if said
            else "{name} was not confirmed at {provider} in time.",
            hint="Nothing was made and nothing is billed. Start again for a new page.",
            name=name,
            provider=self.provider.name,
            said=said,
        )

    def _name(self, group: str, name: str, stop: Stop) -> None:
        """Let other machines find the group of a person, who then need not confirm again."""
        try:
            self._ask(self._library.rename_group(group, name), stop)
        except SeedanceError as error:
            logger.warning("The group of %s has no name in the library: %s", name, error)

    def _check_link(self, link: str) -> None:
        if is_loopback(link) and is_loopback(self.provider.config.asset_url or ""):
            return
        try:
            check_public_url(link)
        except ForbiddenAddress as error:
            raise Refused(
                "{provider}'s page for the person: {said}",
                provider=self.provider.name,
                said=error.message,
            ) from None

    # ------------------------------------------------------------------- looking, removing

    def asset(self, asset_id: str) -> Asset | None:
        """One asset as it is now."""
        return self._ask(self._library.asset(asset_id))

    def probe(self) -> None:
        """A question that only the right key is answered."""
        self._ask(self._library.groups(person=False, name="seedance-test"))

    def refresh(self) -> None:
        """Let the journal know what the library has: also what another machine has added, and what
        was removed elsewhere."""
        before = self._ids()
        listed = [(asset, person) for person in (False, True) for asset in self._all(person)]
        there = {asset.id for asset, _ in listed}
        now = self._ids()  # others may have added some while the list was read
        for asset_id, row in before.items():
            if asset_id not in there:
                self._journal.assets.forget(row.key)
        for asset, person in listed:
            if (known := now.get(asset.id)) is not None:
                if asset.state != known.state:
                    self._journal.assets.note(known.key, asset.state, problem=asset.problem)
            elif (
                is_asset_name(asset.name) and asset.kind is not None and not self._in_making(asset)
            ):
                digest = hashlib.sha256(f"asset {asset.id}".encode()).hexdigest()
                self._journal.assets.adopt(
                    AssetKey(self.provider.id, self.account, asset.name, digest),
                    kind=asset.kind,
                    person=person,
                    group=asset.group,
                    state=asset.state,
                    asset=asset.id,
                    problem=asset.problem,
                )

    def _ids(self) -> dict[str, AssetRow]:
        rows = self._journal.assets.all(self.provider.id, self.account)
        return {row.asset: row for row in rows if row.asset is not None}

    def _in_making(self, asset: Asset) -> bool:
        """Whether it may be one whose id is not in the journal yet."""
        rows = self._journal.assets.all(self.provider.id, self.account)
        return any(row.state == MAKING and row.group == asset.group for row in rows)

    def _all(self, person: bool) -> list[Asset]:
        return self._ask(self._library.assets(person=person))

    def fetch(self, address: str, part: Path) -> None:
        """Fetch what the library shows at an address, without any key."""
        download.fetch(
            self._client.transport,
            address,
            part,
            own_origin=origin(self.provider.config.asset_url or ""),
            largest=LARGEST_PICTURE,
            with_key=False,
        )

    def remove(self, row: AssetRow) -> None:
        """Delete an asset in the library and in the journal."""
        if row.asset is not None:
            self._ask(self._library.remove(row.asset))
        self._journal.assets.forget(row.key)

    def _ask(self, flow: Flow[T], stop: Stop | None = None) -> T:
        return self._client.ask(flow, stop)


class _Sending:
    """A medium on its way into a library, which reads it from a public address."""

    def __init__(self, library: Library, medium: Medium, folder: Path) -> None:
        self.medium = medium
        self._settings = library._settings
        self._blob: Blob | None = None
        provider = library.provider
        host = provider.config.asset_url or ""
        if medium.address is not None:
            self._check_address(medium.address, host)
            return
        limits = library._library.limits[medium.kind]
        media.check_fits(media.measure(medium), limits, nearest=False)
        if not hosting.configured(self._settings):
            raise BadOrder(
                "{provider}'s asset library takes media only by a public address, and this is a "
                "file.",
                hint="Give an https address instead, or set up your own S3-compatible bucket: "
                "SEEDANCE_S3_BUCKET and what belongs to it (see the README). For an asset of this "
                "machine, which needs none of it, the provider is any.",
                provider=provider.name,
            )
        check_bucket(provider.name, host, self._settings)
        make = media.clip_blob if medium.kind == "video" else media.sound_blob
        with computing():
            if medium.kind == "image":
                self._blob, _ = media.picture_blob(medium, limits)
            else:
                self._blob, _ = make(medium, limits, nearest=False, work_dir=folder)

    def _check_address(self, address: str, host: str) -> None:
        if not re.match(r"https?://", address, re.IGNORECASE):
            raise BadOrder("An asset is made of a file or of a web address, not of a handle.")
        if is_loopback(address) and is_loopback(host):
            return
        try:
            check_public_url(address)
        except ForbiddenAddress as error:
            raise BadOrder(error.message, hint="Use an address that anybody can reach.") from None

    @contextlib.contextmanager
    def address(self) -> Iterator[str]:
        """Where the library finds it, during the block. Nothing of it is left in the bucket, unless
        the user wants that."""
        if self._blob is None:
            assert self.medium.address is not None
            yield self.medium.address
            return
        name = hosting.new_name(self._settings, self._blob)
        hosting.put(self._settings, self._blob, name)
        try:
            yield hosting.address(self._settings, name)
        finally:
            if not hosting.keeps(self._settings):
                try:
                    hosting.remove(self._settings, name)
                except SeedanceError as error:
                    logger.warning("The file of an asset stays in the bucket: %s", error)


@contextlib.contextmanager
def _one_at_a_time(name: tuple[str, str, str], stop: Stop) -> Iterator[None]:
    """One asset of a name at a time, in this process: two nodes with the same picture make one, and
    a person is asked once."""
    lock = _names.setdefault(name, threading.Lock())
    while not lock.acquire(timeout=0.2):
        if stop.is_set():
            raise Stopped
    try:
        yield
    finally:
        lock.release()


def _pause(stop: Stop, seconds: float) -> None:
    if stop.wait(seconds):
        raise Stopped
