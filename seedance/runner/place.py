"""How each medium of an order reaches the provider: which way, and doing it.

Owns the choice between address, inline, upload and bucket, and the cache of uploads. Must not know
what an order costs or when it is submitted.
"""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .. import download, hosting, media
from ..errors import BadOrder, SeedanceError
from ..fit import KIND_WORDS
from ..follower import Follower
from ..journal import Journal
from ..order import Kind, Medium, Order
from ..settings import Settings, origin
from ..transport import ForbiddenAddress, check_public_url
from ..wire import Blob, MediaLimits, Placed, Provider, Size
from .talk import Talk, held_free

# Where no document says how long an upload lives, it is only used again for takes side by side and
# the next click: the journal stops giving it out an hour before this is over.
UNDATED_UPLOAD_SECONDS = 3600 + 900

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
class Plan:
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

    def placed(self, find: Callable[[Item], str]) -> Placed:
        """The media as references that `find` gives for each item."""

        def one(item: Item | None) -> str | None:
            return find(item) if item is not None else None

        def several(kind: Kind) -> tuple[str, ...]:
            return tuple(find(item) for item in self.references if item.medium.kind == kind)

        return Placed(
            first_frame=one(self.first_frame),
            last_frame=one(self.last_frame),
            video=one(self.video),
            images=several("image"),
            videos=several("video"),
            audios=several("audio"),
        )


_LABELS: dict[Kind, str] = {"image": "picture", "video": "clip", "audio": "sound"}


def plan(order: Order, provider: Provider, settings: Settings) -> Plan:
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
    return Plan(
        item(order.first_frame, "the first frame", size),
        item(order.last_frame, "the last frame", size),
        item(order.video, "the clip"),
        tuple(references),
    )


def _way(medium: Medium, label: str, provider: Provider, settings: Settings) -> Way:
    ways = provider.travel(medium.kind)
    address = medium.address
    if address is not None and not re.match(r"https?://", address, re.IGNORECASE):
        return _handle_way(address, medium.kind, label, provider)
    if address is not None:
        try:
            check_public_url(address)
        except ForbiddenAddress as error:
            raise BadOrder(
                f"{label.capitalize()}: {error.message}",
                hint="Give an https address that anybody can reach, or connect the file itself.",
            ) from None
        if "address" in ways:
            return "address"
    for way in ways:
        if way in ("inline", "upload"):
            return way
        if way == "address" and hosting.configured(settings):
            return "bucket"
    raise BadOrder(
        f"{provider.name} takes {KIND_WORDS[medium.kind]} only by a public address, and {label} is "
        "a file.",
        hint="Give an https address instead, or set up your own S3-compatible bucket: "
        "SEEDANCE_S3_BUCKET, SEEDANCE_S3_ENDPOINT and its keys (see the README).",
    )


def _handle_way(address: str, kind: Kind, label: str, provider: Provider) -> Way:
    owner = address.partition(":")[0]
    if owner not in ("asset", provider.id) or "handle" not in provider.travel(kind):
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
    if "address" in provider.travel(item.medium.kind):
        return f"https://upload.invalid/{name}"
    return f"{provider.id}:UPLOADED:{name}"


class Placing:
    """Carries out a plan for one provider and account."""

    def __init__(
        self,
        talk: Talk,
        follower: Follower,
        journal: Journal,
        settings: Settings,
        account: str,
        *,
        model: str,
        nearest: bool,
        work_dir: Path,
        report: Callable[[str], None],
    ) -> None:
        self.talk, self.follower, self.journal = talk, follower, journal
        self.settings, self.account = settings, account
        self.model, self.nearest = model, nearest
        self.work_dir, self.report = work_dir, report
        self.notes: list[str] = []
        self.hosted: list[str] = []

    async def place(self, plan: Plan) -> Placed:
        """Send up what must go up, side by side, and return the references.

        Nothing is spent here. Raises BadOrder for a medium outside the documented limits,
        Unreachable or Refused where an upload does not succeed.
        """
        blobs = await asyncio.gather(*(self._blob(item) for item in plan.items))
        self._check_totals(plan, blobs)
        going = [item for item in plan.items if item.way in ("upload", "bucket")]
        done = 0
        if going:
            self.report(f"uploading 1 of {len(going)}")

        async def send(item: Item, blob: Blob | None) -> str:
            nonlocal done
            reference = await self._send(item, blob)
            if item in going:
                done += 1
                self.report(f"uploading {min(done + 1, len(going))} of {len(going)}")
            return reference

        references = await asyncio.gather(
            *(send(item, blob) for item, blob in zip(plan.items, blobs, strict=True))
        )
        by_item = {id(item): ref for item, ref in zip(plan.items, references, strict=True)}
        return plan.placed(lambda item: by_item[id(item)])

    # ------------------------------------------------------------------- making the file

    async def _blob(self, item: Item) -> Blob | None:
        if item.way in ("address", "handle"):
            return None
        medium = item.medium
        if medium.address is not None:
            medium = await self.follower.blocking(self._fetch, medium)
        try:
            blob, notes = await self.follower.blocking(self._encode, medium, item.size)
        except BadOrder as error:
            text = f"{item.label.capitalize()}: {error.message}"
            raise BadOrder(text, hint=error.hint) from error
        self.notes.extend(f"{item.label}: {note}" for note in notes)
        return blob

    def _limits(self, kind: Kind) -> MediaLimits | None:
        return self.talk.provider.limits.of(kind, self.model)

    def _encode(self, medium: Medium, size: Size | None) -> tuple[Blob, list[str]]:
        limits = self._limits(medium.kind) or MediaLimits(())
        if medium.kind == "image":
            blob, note = media.picture_blob(medium, limits, size=size)
            return blob, [note] if note else []
        make = media.clip_blob if medium.kind == "video" else media.sound_blob
        return make(medium, limits, nearest=self.nearest, work_dir=self.work_dir)

    def _fetch(self, medium: Medium) -> Medium:
        """The file at an address that the provider cannot read itself."""
        limits = self._limits(medium.kind)
        part = self.work_dir / f"{medium.digest[:16]}.part"
        try:
            download.fetch(
                self.talk.transport,
                medium.address or "",
                part,
                own_origin=origin(self.talk.provider.config.base_url),
                largest=(limits.max_bytes if limits else None) or 200 * 2**20,
            )
        except (SeedanceError, OSError) as error:
            raise BadOrder(
                f"The {medium.kind} at the address given could not be fetched: {error}",
                hint="Check the address, or connect the file itself.",
            ) from error
        return Medium.from_path(medium.kind, part)

    def _check_totals(self, plan: Plan, blobs: list[Blob | None]) -> None:
        """The seconds of all clips (and of all sounds) together."""
        for kind in ("video", "audio"):
            limits = self._limits(kind)
            if limits is None or limits.total_seconds is None:
                continue
            seconds = [blob.seconds or 0.0 for blob in blobs if blob and blob.kind == kind]
            low, high = limits.total_seconds
            if seconds and not low - 0.05 <= sum(seconds) <= high + 0.05:
                raise BadOrder(
                    f"The {KIND_WORDS[kind]} are {sum(seconds):.1f} s long together; "
                    f"{self.talk.provider.name} takes {low:g} to {high:g} s.",
                    hint="Shorten or remove one.",
                )

    # ----------------------------------------------------------------------- sending it

    async def _send(self, item: Item, blob: Blob | None) -> str:
        if blob is None:
            address = item.medium.address or ""
            return address
        if item.way == "inline":
            return await self.follower.blocking(_data_uri, blob)
        where = self.talk.provider.id if item.way == "upload" else "s3"
        account = self.account if item.way == "upload" else hosting.account(self.settings)
        async with self.follower.lock(("upload", where, account, blob.digest)):
            known = await self.follower.blocking(
                self.journal.find_upload, where, account, blob.digest
            )
            if known:
                return str(known)
            if item.way == "bucket":
                uploaded = await self.follower.blocking(hosting.put, self.settings, blob)
                self.hosted.append(uploaded.reference)
            else:
                uploaded = await held_free(self.talk, self.talk.provider.upload(blob))
            expires_at = uploaded.expires_at or time.time() + UNDATED_UPLOAD_SECONDS
            await self.follower.blocking(
                self.journal.keep_upload,
                where,
                account,
                blob.digest,
                uploaded.reference,
                expires_at,
            )
            return str(uploaded.reference)


def _data_uri(blob: Blob) -> str:
    data = blob.data if blob.data is not None else (blob.path or Path()).read_bytes()
    return f"data:{blob.mime};base64,{base64.b64encode(data).decode()}"
