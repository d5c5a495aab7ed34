"""Brings the media of an order to its provider, each by its delivery. Nothing is spent here."""

from __future__ import annotations

import base64
import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from .. import download, hosting, media
from ..addresses import origin
from ..errors import BadOrder, SeedanceError
from ..fit import Change
from ..journal import BUCKET, SPARE_SECONDS, Journal
from ..order import Kind, Medium
from ..said import Said, clauses, say
from ..settings import Settings
from ..texts import logger_of
from ..units import size_in_words
from ..wire import Blob, Delivered, MediaLimits
from . import kept
from .active import ActiveOrder
from .client import Stopped
from .delivery import SLACK_SECONDS, Item, limits_of, notes_of, wrong_total
from .worker import computing, side_by_side

T = TypeVar("T")
R = TypeVar("R")

logger = logger_of(__name__)

# Where no document says how long an upload lives, it is used again for 15 minutes: for other takes
# and for the next click. (The journal stops using an upload SPARE_SECONDS before it expires.)
UNDATED_UPLOAD_SECONDS = SPARE_SECONDS + 900
LARGEST_FETCH = 200 * 2**20  # bytes, where no document gives a limit
AT_ONCE = 4  # media of one order that are encoded or sent at the same time


@dataclass(frozen=True)
class _Encoded:
    """An item as it goes up. `blob` is None for what is delivered by an address or a handle."""

    item: Item
    medium: Medium
    blob: Blob | None = None
    change: Change | None = None

    def seconds_of(self, kind: Kind) -> float:
        """Its length if it is a file of this kind, else 0."""
        if self.blob is None or self.blob.kind != kind:
            return 0.0
        return self.blob.seconds or 0.0


def upload(active: ActiveOrder, work_dir: Path) -> tuple[Delivered, list[Change]]:
    """Bring the media of an order to its provider, several at a time.

    Returns the addresses or ids by which the provider reads them, and what had to be changed of
    them. `work_dir` is a folder for temporary files.

    Raises BadOrder for a medium outside the documented limits, Unreachable or Refused where an
    upload does not succeed, Stopped if the order is to stop.
    """
    return _Uploading(active, work_dir).run()


class _Uploading:
    def __init__(self, active: ActiveOrder, work_dir: Path) -> None:
        assert active.prepared is not None
        self.active, self.work_dir = active, work_dir
        self.deliveries = active.prepared.deliveries
        self.order = active.prepared.order
        self.provider = active.client.provider
        self._files = itertools.count(1)
        self._sent = 0
        self._counting = threading.Lock()
        self._given_up = threading.Event()

    def run(self) -> tuple[Delivered, list[Change]]:
        try:
            return self._run()
        except BaseException:
            self._given_up.set()
            raise

    def _each(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        return side_by_side(work, items, AT_ONCE, self.active.check_stop)

    def _run(self) -> tuple[Delivered, list[Change]]:
        encoded = self._each(self._encode_item, self.deliveries.items)
        encoded = self._within_totals(encoded)
        references = self._send_all(encoded)
        by_item = {id(one.item): ref for one, ref in zip(encoded, references)}
        changes = [one.change for one in encoded if one.change is not None]
        return self.deliveries.delivered(lambda item: by_item[id(item)]), changes

    # ------------------------------------------------------------------- making the file

    def _encode_item(self, item: Item) -> _Encoded:
        self.active.check_stop()
        if item.delivery in ("address", "handle"):
            return _Encoded(item, item.medium)
        if item.medium.address is None:
            return self._encoded(item, item.medium, self._limits(item.medium.kind))
        medium = self._fetch(item)
        return self._encoded(item, medium, self._limits(medium.kind), fetched=True)

    def _encoded(
        self, item: Item, medium: Medium, limits: MediaLimits, *, fetched: bool = False
    ) -> _Encoded:
        """An item as a file. What was `fetched` has not been measured before."""
        try:
            with computing():
                kept.keep(self.active.settings.home, item.medium)
                blob, reasons = self._encode(item, medium, limits)
                if fetched:
                    reasons = [*notes_of(item, medium, limits), *reasons]
        except BadOrder as error:
            text = say("{label}: {said}", label=item.label.capital(), said=error.message)
            raise BadOrder(text, hint=error.hint) from error
        change = None
        if reasons:
            why = clauses(reasons).rstrip(".")
            change = Change(item.label, say("as given"), described(blob), why)
        return _Encoded(item, medium, blob, change)

    def _limits(self, kind: Kind) -> MediaLimits:
        return limits_of(self.provider, self.order, kind)

    def _encode(self, item: Item, medium: Medium, limits: MediaLimits) -> tuple[Blob, list[Said]]:
        if medium.kind == "image":
            blob, note = media.picture_blob(medium, limits, size=item.size, ratio=item.ratio)
            return blob, [note] if note else []
        make = media.clip_blob if medium.kind == "video" else media.sound_blob
        nearest = self.order.on_unsupported == "nearest"
        return make(medium, limits, nearest=nearest, work_dir=self.work_dir)

    def _fetch(self, item: Item) -> Medium:
        """The file at an address that the provider cannot read itself."""
        part = self.work_dir / f"fetched-{next(self._files)}"
        try:
            download.fetch(
                self.active.client.transport,
                item.medium.address or "",
                part,
                own_origin=origin(self.provider.config.base_url),
                largest=self._limits(item.medium.kind).max_bytes or LARGEST_FETCH,
                with_key=False,
                stop=self.active.stop,
            )
        except (SeedanceError, OSError) as error:
            self.active.check_stop()
            said = error.message if isinstance(error, SeedanceError) else error.strerror
            raise BadOrder(
                "{label} could not be fetched from its address: {said}",
                hint="Check the address, or connect the file itself.",
                label=item.label.capital(),
                said=said,
            ) from error
        return Medium.from_path(item.medium.kind, part)

    def _within_totals(self, encoded: Sequence[_Encoded]) -> list[_Encoded]:
        """All clips (and all sounds) together within the documented seconds; shortened in
        proportion, where the order says `nearest`."""
        encoded = list(encoded)
        for kind in ("video", "audio"):
            limits = self._limits(kind)
            ours = [number for number, one in enumerate(encoded) if one.seconds_of(kind)]
            if not ours or limits.total_seconds is None:
                continue
            low, high = limits.total_seconds
            below, above = (max(SLACK_SECONDS, some) for some in limits.tolerance)
            total = sum(encoded[number].seconds_of(kind) for number in ours)
            if total > high + above and self.order.on_unsupported == "nearest":
                # A written file may be longer than asked by the rest of a block of sound.
                share = (high - SLACK_SECONDS * len(ours)) / total
                why = say("{low} to {high} s in all are taken", low=low, high=high)
                for number in ours:
                    encoded[number] = self._shortened(encoded[number], share, why)
                total = sum(encoded[number].seconds_of(kind) for number in ours)
            if not low - below <= total <= high + above:
                named = [
                    (encoded[number].item.label, encoded[number].seconds_of(kind))
                    for number in ours
                ]
                raise wrong_total(kind, named, limits.total_seconds, self.provider)
        return encoded

    def _shortened(self, one: _Encoded, share: float, why: Said) -> _Encoded:
        limits = self._limits(one.item.medium.kind)
        low = limits.seconds[0] if limits.seconds else 0.0
        most = max(one.seconds_of(one.item.medium.kind) * share, low)
        exact = replace(limits, seconds=(low, most), tolerance=(0.0, 0.0))
        short = self._encoded(one.item, one.medium, exact)
        if short.change is None:
            return short
        reasons = [one.change.why, why] if one.change else [why]
        return replace(short, change=replace(short.change, why=clauses(reasons)))

    # ----------------------------------------------------------------------- sending it

    def _send_all(self, encoded: Sequence[_Encoded]) -> list[str]:
        count = sum(one.item.delivery in ("upload", "bucket") for one in encoded)
        if count:
            self.active.say("uploading", number=1, count=count)

        def send(one: _Encoded) -> str:
            self.active.check_stop()
            reference = self._send(one.item, one.blob)
            if one.item.delivery in ("upload", "bucket"):
                with self._counting:
                    self._sent += 1
                    number = min(self._sent + 1, count)
                    self.active.say("uploading", number=number, count=count)
            return reference

        return self._each(send, encoded)

    def _send(self, item: Item, blob: Blob | None) -> str:
        if blob is None:
            return item.medium.address or ""
        if item.delivery == "inline":
            return _data_uri(blob)
        return self._by_upload(blob) if item.delivery == "upload" else self._by_bucket(blob)

    def _by_upload(self, blob: Blob) -> str:
        known = self.active.journal.uploads
        key = (self.provider.id, self._place, blob.digest)
        with self.active.worker.lock(("upload", *key), self.active):
            if reference := known.find(*key):
                return reference
            uploaded = self.active.client.ask(self.provider.upload(blob), self.active.stop)
            expires_at = uploaded.expires_at or time.time() + UNDATED_UPLOAD_SECONDS
            known.keep(*key, uploaded.reference, expires_at)
            return uploaded.reference

    @property
    def _place(self) -> str:
        """A short name for where an upload is: the account, and the addresses that took it."""
        config = self.provider.config
        name = f"{self.active.row.account} {config.base_url} {config.upload_url}"
        return hashlib.sha256(name.encode()).hexdigest()[:16]

    def _by_bucket(self, blob: Blob) -> str:
        account = hosting.account(self.active.settings)
        with self.active.worker.lock(("bucket", account, blob.digest), self.active):
            return self._in_bucket(blob, account)

    def _in_bucket(self, blob: Blob, account: str) -> str:
        """An address of the file in the user's bucket; it is put there if it is not."""
        settings, journal, row_id = self.active.settings, self.active.journal, self.active.row.id
        user = None if hosting.keeps(settings) else row_id
        name = journal.bucket_objects.find(account, blob.digest, user)
        if name is None:
            name = hosting.new_name(settings, blob)
            if user is not None:
                journal.bucket_objects.note(user, account, name)
            hosting.put(settings, blob, name)
            if self._given_up.is_set():  # `clear_bucket` may have run before the object was put
                hosting.remove(settings, name)
                raise Stopped
            expires_at = time.time() + hosting.PRESIGNED_SECONDS
            journal.uploads.keep(BUCKET, account, blob.digest, name, expires_at)
        return hosting.address(settings, name)


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
        size_in_words(blob.size),
        blob.mime,
    ]
    return ", ".join(filter(None, parts))


def _data_uri(blob: Blob) -> str:
    data = blob.data if blob.data is not None else (blob.path or Path()).read_bytes()
    return f"data:{blob.mime};base64,{base64.b64encode(data).decode()}"
