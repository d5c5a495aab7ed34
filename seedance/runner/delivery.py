"""How each medium of an order reaches the provider: which way, and doing it.

Owns the choice between address, inline, upload and bucket, and the cache of uploads. Must not know
what an order costs or when it is submitted.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from .. import download, hosting, media
from ..addresses import ForbiddenAddress, check_public_url, is_loopback, origin
from ..errors import BadOrder, Cancelled, SeedanceError
from ..fit import KIND_WORDS, Change
from ..journal import BUCKET, SPARE_SECONDS, Journal, Row
from ..order import Kind, Medium, Mode, Order
from ..settings import Settings
from ..wire import Blob, Delivered, MediaLimits, Provider, Size
from .client import Talk, held_free
from .worker import Follower

logger = logging.getLogger(__name__)

# Where no document says how long an upload lives, it is only used again for takes side by side and
# the next click: the journal stops giving it out SPARE_SECONDS before this is over.
UNDATED_UPLOAD_SECONDS = SPARE_SECONDS + 900
SLACK_SECONDS = 0.05
LARGEST_FETCH = 200 * 2**20

Way = Literal["address", "handle", "inline", "upload", "bucket"]
WAY_WORDS: dict[Way, str] = {
    "address": "as the address given",
    "handle": "as the provider's own id",
    "inline": "inline, inside the request",
    "upload": "by the provider's own upload",
    "bucket": "by your bucket",
}


@dataclass(frozen=True)
class Item:
    """One medium on its way. `label` is what a person calls it, e.g. `picture 2`."""

    medium: Medium
    label: str
    way: Way
    size: Size | None = None


@dataclass(frozen=True)
class Ways:
    """The ways of all media of an order."""

    first_frame: Item | None
    last_frame: Item | None
    video: Item | None
    references: tuple[Item, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        """Every item, in a fixed order."""
        single = (self.first_frame, self.last_frame, self.video)
        return tuple(item for item in single if item is not None) + self.references

    def delivered(self, find: Callable[[Item], str]) -> Delivered:
        """The media as references that `find` gives for each item."""

        def one(item: Item | None) -> str | None:
            return find(item) if item is not None else None

        def several(kind: Kind) -> tuple[str, ...]:
            return tuple(find(item) for item in self.references if item.medium.kind == kind)

        return Delivered(
            first_frame=one(self.first_frame),
            last_frame=one(self.last_frame),
            video=one(self.video),
            images=several("image"),
            videos=several("video"),
            audios=several("audio"),
        )


_LABELS: dict[Kind, str] = {"image": "picture", "video": "clip", "audio": "sound"}


def choose_ways(order: Order, provider: Provider, settings: Settings) -> Ways:
    """Choose the way of each medium. Raises BadOrder where there is none, saying what to set."""
    size = None
    if order.ratio != "adaptive":
        size = provider.model(order).sizes.get(order.resolution, {}).get(order.ratio)

    def item(medium: Medium | None, label: str, size: Size | None = None) -> Item | None:
        if medium is None:
            return None
        return Item(medium, label, _way(medium, label, provider, settings), size)

    counts: dict[Kind, int] = {"image": 0, "video": 0, "audio": 0}
    references = []
    for medium in order.references:
        counts[medium.kind] += 1
        label = f"{_LABELS[medium.kind]} {counts[medium.kind]}"
        references.append(Item(medium, label, _way(medium, label, provider, settings)))
    return Ways(
        item(order.first_frame, "the first frame", size),
        item(order.last_frame, "the last frame", size),
        item(order.video, "the clip"),
        tuple(references),
    )


def _way(medium: Medium, label: str, provider: Provider, settings: Settings) -> Way:
    ways = provider.delivery(medium.kind)
    address = medium.address
    if address is not None and not re.match(r"https?://", address, re.IGNORECASE):
        return _handle_way(address, medium.kind, label, provider)
    if address is not None:
        # An own gateway may give addresses of its own, which it can read itself.
        if origin(address) != origin(provider.config.base_url):
            _check_public(address, label, "connect the file itself")
        if "address" in ways:
            return "address"
    for way in ways:
        if way in ("inline", "upload"):
            return way
        if way == "address" and hosting.configured(settings):
            _check_bucket(provider, settings)
            return "bucket"
    raise BadOrder(
        f"{provider.name} takes {KIND_WORDS[medium.kind]} only by a public address, and {label} is "
        "a file.",
        hint="Give an https address instead, or set up your own S3-compatible bucket: "
        "SEEDANCE_S3_BUCKET, SEEDANCE_S3_ENDPOINT, SEEDANCE_S3_ACCESS_KEY_ID and "
        "SEEDANCE_S3_SECRET_ACCESS_KEY (see the README).",
    )


def _check_public(address: str, label: str, instead: str) -> None:
    try:
        check_public_url(address)
    except ForbiddenAddress as error:
        raise BadOrder(
            f"{label.capitalize()}: {error.message}",
            hint=f"Give an https address that anybody can reach, or {instead}.",
        ) from None


def _check_bucket(provider: Provider, settings: Settings) -> None:
    """Raise BadOrder for a bucket that the provider cannot reach: it would fail when it is paid."""
    endpoint = hosting.endpoint(settings)
    if endpoint is None or is_loopback(provider.config.base_url):
        return
    try:
        check_public_url(endpoint)
    except ForbiddenAddress as error:
        raise BadOrder(
            f"{provider.name} cannot read from your bucket: {error.message}",
            hint="Set SEEDANCE_S3_ENDPOINT to a service that can be reached by https from "
            "everywhere.",
        ) from None


def _handle_way(address: str, kind: Kind, label: str, provider: Provider) -> Way:
    owner = address.partition(":")[0]
    if owner not in ("asset", provider.id) or "handle" not in provider.delivery(kind):
        raise BadOrder(
            f"{label.capitalize()} is {address[:60]!r}, which only {owner} knows.",
            hint=f"Choose the provider {owner}, or give a picture or an https address.",
        )
    return "handle"


def stand_in(provider: Provider, item: Item) -> str:
    """What stands for a medium in the preview of a payload, before anything is sent."""
    name = item.label.replace(" ", "-")
    if item.way in ("address", "handle"):
        return item.medium.address or ""
    if item.way == "inline":
        return f"data:({name}, inline)"
    if "address" in provider.delivery(item.medium.kind):
        return f"https://upload.invalid/{name}"
    return f"{provider.id}:UPLOADED:{name}"


class Placing:
    """Brings the media of one row on their ways. `changes` says what had to be changed of them."""

    def __init__(
        self,
        talk: Talk,
        follower: Follower,
        journal: Journal,
        settings: Settings,
        row: Row,
        *,
        model: str,
        mode: Mode,
        nearest: bool,
        work_dir: Path,
        report: Callable[[str], None],
    ) -> None:
        self.talk, self.follower, self.journal = talk, follower, journal
        self.settings, self.row = settings, row
        self.model, self.mode, self.nearest = model, mode, nearest
        self.work_dir, self.report = work_dir, report
        self.changes: list[Change] = []
        self._files = itertools.count(1)
        self._given_up = False

    async def place(self, ways: Ways) -> Delivered:
        """Send up what must go up, side by side, and return the references.

        Nothing is spent here. Raises BadOrder for a medium outside the documented limits,
        Unreachable or Refused where an upload does not succeed.
        """
        try:
            made = await asyncio.gather(*(self._make(item) for item in ways.items))
            made = await self._within_totals(made)
            self.changes = [one.change for one in made if one.change is not None]
            references = await self._send_all(made)
        except BaseException:
            self._given_up = True
            raise
        by_item = {id(one.item): ref for one, ref in zip(made, references, strict=True)}
        return ways.delivered(lambda item: by_item[id(item)])

    # ------------------------------------------------------------------- making the file

    async def _make(self, item: Item) -> _Made:
        if item.way in ("address", "handle"):
            return _Made(item, item.medium)
        medium = item.medium
        if medium.address is not None:
            medium = await self.follower.blocking(self._fetch, item)
        return await self._encoded(item, medium, self._limits(medium.kind))

    async def _encoded(self, item: Item, medium: Medium, limits: MediaLimits) -> _Made:
        try:
            blob, reasons = await self.follower.computing(self._encode, medium, item.size, limits)
        except BadOrder as error:
            text = f"{item.label.capitalize()}: {error.message}"
            raise BadOrder(text, hint=error.hint) from error
        change = None
        if reasons:
            why = "; ".join(reasons).rstrip(".")
            change = Change(item.label, "as given", described(blob), why)
        return _Made(item, medium, blob, change)

    def _limits(self, kind: Kind) -> MediaLimits:
        return self.talk.provider.limits.of(kind, self.model, self.mode) or MediaLimits(())

    def _encode(
        self, medium: Medium, size: Size | None, limits: MediaLimits
    ) -> tuple[Blob, list[str]]:
        if medium.kind == "image":
            blob, note = media.picture_blob(medium, limits, size=size)
            return blob, [note] if note else []
        make = media.clip_blob if medium.kind == "video" else media.sound_blob
        return make(medium, limits, nearest=self.nearest, work_dir=self.work_dir)

    def _fetch(self, item: Item) -> Medium:
        """The file at an address that the provider cannot read itself."""
        part = self.work_dir / f"fetched-{next(self._files)}"
        try:
            download.fetch(
                self.talk.transport,
                item.medium.address or "",
                part,
                own_origin=origin(self.talk.provider.config.base_url),
                largest=self._limits(item.medium.kind).max_bytes or LARGEST_FETCH,
                with_key=False,
            )
        except (SeedanceError, OSError) as error:
            said = error.message if isinstance(error, SeedanceError) else error.strerror
            raise BadOrder(
                f"{item.label.capitalize()} could not be fetched from its address: {said}",
                hint="Check the address, or connect the file itself.",
            ) from error
        return Medium.from_path(item.medium.kind, part)

    async def _within_totals(self, made: Sequence[_Made]) -> list[_Made]:
        """All clips (and all sounds) together within the documented seconds; shortened in
        proportion, where the order says `nearest`."""
        made = list(made)
        for kind in ("video", "audio"):
            limits = self._limits(kind)
            ours = [number for number, one in enumerate(made) if one.seconds_of(kind)]
            if not ours or limits.total_seconds is None:
                continue
            low, high = limits.total_seconds
            total = sum(made[number].seconds_of(kind) for number in ours)
            if total > high + SLACK_SECONDS and self.nearest:
                # A written file may be longer than asked by the rest of a block of sound.
                share = (high - SLACK_SECONDS * len(ours)) / total
                why = f"{low:g} to {high:g} s in all are taken"
                for number in ours:
                    made[number] = await self._shortened(made[number], share, why)
                total = sum(made[number].seconds_of(kind) for number in ours)
            if not low - SLACK_SECONDS <= total <= high + SLACK_SECONDS:
                raise self._wrong_total([made[number] for number in ours], limits.total_seconds)
        return made

    async def _shortened(self, one: _Made, share: float, why: str) -> _Made:
        limits = self._limits(one.item.medium.kind)
        low = limits.seconds[0] if limits.seconds else 0.0
        most = max(one.seconds_of(one.item.medium.kind) * share, low)
        short = await self._encoded(one.item, one.medium, replace(limits, seconds=(low, most)))
        if short.change is None:
            return short
        reasons = [one.change.why, why] if one.change else [why]
        return replace(short, change=replace(short.change, why="; ".join(reasons)))

    def _wrong_total(self, ours: Sequence[_Made], bounds: tuple[float, float]) -> BadOrder:
        kind = ours[0].item.medium.kind
        seconds = [one.seconds_of(kind) for one in ours]
        named = " and ".join(
            f"{one.item.label} ({own:.1f} s)" for one, own in zip(ours, seconds, strict=True)
        )
        together = f" are {sum(seconds):.1f} s long together" if len(ours) > 1 else " does not fit"
        return BadOrder(
            f"{named[:1].upper()}{named[1:]}{together}: {self.talk.provider.name} takes "
            f"{bounds[0]:g} to {bounds[1]:g} s of {KIND_WORDS[kind]} in all.",
            hint="Set on_unsupported to nearest to have them shortened, or change them yourself."
            if sum(seconds) > bounds[1]
            else "Use longer ones.",
        )

    # ----------------------------------------------------------------------- sending it

    async def _send_all(self, made: Sequence[_Made]) -> list[str]:
        count = sum(one.item.way in ("upload", "bucket") for one in made)
        done = 0
        if count:
            self.report(f"uploading 1 of {count}")

        async def send(one: _Made) -> str:
            nonlocal done
            reference = await self._send(one.item, one.blob)
            if one.item.way in ("upload", "bucket"):
                done += 1
                self.report(f"uploading {min(done + 1, count)} of {count}")
            return reference

        return list(await asyncio.gather(*map(send, made)))

    async def _send(self, item: Item, blob: Blob | None) -> str:
        if blob is None:
            return item.medium.address or ""
        if item.way == "inline":
            return await self.follower.blocking(_data_uri, blob)
        send = self._by_upload if item.way == "upload" else self._by_bucket
        return await send(blob)

    async def _by_upload(self, blob: Blob) -> str:
        key = (self.talk.provider.id, self.row.account, blob.digest)
        async with self.follower.lock(("upload", *key)):
            known = await self.follower.blocking(self.journal.uploads.find, *key)
            if known:
                return str(known)
            uploaded = await held_free(self.talk, self.talk.provider.upload(blob))
            expires_at = uploaded.expires_at or time.time() + UNDATED_UPLOAD_SECONDS
            await self.follower.blocking(
                self.journal.uploads.keep, *key, uploaded.reference, expires_at
            )
            return uploaded.reference

    async def _by_bucket(self, blob: Blob) -> str:
        async with self.follower.lock(("bucket", hosting.account(self.settings), blob.digest)):
            return await self.follower.blocking(self._host, blob)

    def _host(self, blob: Blob) -> str:
        """An address of the file in the user's bucket; it is put there if it is not."""
        account, known = hosting.account(self.settings), self.journal.bucket_objects
        user = None if hosting.keeps(self.settings) else self.row.id
        name = known.find(account, blob.digest, user)
        if name is None:
            name = hosting.new_name(self.settings, blob)
            if user is not None:
                known.note(user, account, name)
            hosting.put(self.settings, blob, name)
            if self._given_up:  # meanwhile; what was put too late for `clear_bucket` goes here
                hosting.remove(self.settings, name)
                raise Cancelled("Given up while a file went up; nothing was spent.", spent="no")
            expires_at = time.time() + hosting.PRESIGNED_SECONDS
            self.journal.uploads.keep(BUCKET, account, blob.digest, name, expires_at)
        return hosting.address(self.settings, name)


@dataclass(frozen=True)
class _Made:
    """An item as it goes up. `blob` is None for what travels by an address or a handle."""

    item: Item
    medium: Medium
    blob: Blob | None = None
    change: Change | None = None

    def seconds_of(self, kind: Kind) -> float:
        """Its length if it is a file of this kind, else 0."""
        if self.blob is None or self.blob.kind != kind:
            return 0.0
        return self.blob.seconds or 0.0


def clear_bucket(journal: Journal, settings: Settings) -> None:
    """Delete our objects in the user's bucket that no order needs any more, also those of orders
    that ended in a process that was killed. What cannot be deleted now is tried again next time."""
    try:
        if not hosting.configured(settings) or hosting.keeps(settings):
            return
        account = hosting.account(settings)
        for name in journal.bucket_objects.unused(account, hosting.PRESIGNED_SECONDS):
            hosting.remove(settings, name)
            journal.bucket_objects.forget(account, name)
    except SeedanceError as error:
        logger.warning("Media that are not needed any more stay in the bucket: %s", error)


def described(blob: Blob) -> str:
    """A file in a few words: `1280x720, 15.0 s, 24 fps, 3.2 MB, video/mp4`."""
    parts = [
        f"{blob.width}x{blob.height}" if blob.width else "",
        f"{blob.seconds:.1f} s" if blob.seconds else "",
        f"{blob.fps:.4g} fps" if blob.fps else "",
        f"{blob.size / 1e6:.1f} MB",
        blob.mime,
    ]
    return ", ".join(filter(None, parts))


def _data_uri(blob: Blob) -> str:
    data = blob.data if blob.data is not None else (blob.path or Path()).read_bytes()
    return f"data:{blob.mime};base64,{base64.b64encode(data).decode()}"
