"""Assets by name: those of this machine and those of providers' libraries, and what the names in a
prompt stand for."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from .. import providers
from ..errors import BadOrder, SeedanceError
from ..journal import MAKING, AssetRow, Journal
from ..order import (
    ASSET,
    LONGEST_ASSET_NAME,
    Kind,
    Medium,
    NamedAsset,
    Order,
    is_asset_name,
    names_assets,
)
from ..prompt_names import asset_names
from ..providers import ANY
from ..said import Said, both, say
from ..settings import Settings
from ..texts import logger_of, nearest, quoted
from ..transport import Stop
from .client import Client
from .library import Library, ShowLink, Tell
from .local_assets import LocalAssets

logger = logger_of(__name__)

STATE_WORDS = {
    MAKING: say("is being made"),
    "processing": say("is still being looked at"),
    "failed": say("has failed"),
}


@dataclass(frozen=True)
class AssetView:
    """One asset as a person sees it. `provider` is `any` for one of this machine. `state` is
    `local`, `making`, `processing`, `active` or `failed`; `handle` is what an input takes
    (`asset://...`), `file` the file of one of this machine."""

    name: str
    provider: str
    kind: str
    person: bool
    state: str
    problem: str = ""
    handle: str | None = None
    file: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return dict(vars(self))


class Assets:
    """Part of the runner. Methods block; `add`, `refresh` and `remove` wait for providers."""

    def __init__(
        self, settings: Settings, journal: Journal, client_for: Callable[[str], Client]
    ) -> None:
        self.local = LocalAssets(settings.home)
        self._settings, self._journal, self._client_for = settings, journal, client_for

    def add(
        self,
        medium: Medium,
        name: str,
        provider_id: str,
        *,
        person: bool = False,
        tell: Tell = lambda _: None,
        show_link: ShowLink | None = None,
        stop: Stop | None = None,
    ) -> AssetView:
        """Add a medium to the assets of a name: in the library of a provider (see `Library.add`),
        or, for `any`, on this machine. The same bytes under the same name are there already.

        Raises BadOrder for a name that cannot be one and for a provider without a library, NeedsKey
        without a signing key.
        """
        name = self._spelled(checked_name(name))
        if provider_id == ANY:
            file = self.local.add(name, medium, person=person)
            return AssetView(name, ANY, medium.kind, person, "local", file=str(file))
        row = self._library(provider_id).add(
            medium, name, person=person, tell=tell, show_link=show_link, stop=stop
        )
        return _view(row)

    def all(self) -> list[AssetView]:
        """Those of this machine, then those of libraries as the journal knows them."""
        return [
            *(
                AssetView(
                    asset.name, ANY, medium.kind, asset.person, "local", file=str(medium.path)
                )
                for asset in self.local.all()
                for medium in asset.media
            ),
            *map(_view, self._journal.assets.all()),
        ]

    def of(self, name: str) -> list[AssetView]:
        """Those of a name. Raises BadOrder where there is none."""
        found = [view for view in self.all() if _same(view.name, name) or view.handle == name]
        if not found:
            raise BadOrder("There is no asset {name}.", hint=self._known_hint(), name=quoted(name))
        return found

    def probe_key(self, provider_id: str) -> None:
        """Test the signing key of a provider free of charge. Raises NeedsKey, or Refused where it
        is not taken."""
        self._library(provider_id).probe()

    def refresh(self) -> list[SeedanceError]:
        """Let the journal know what the libraries have, where a signing key is set; returns why one
        of them could not be asked."""
        problems = []
        for provider_id in providers.WITH_ASSETS:
            try:
                if self._settings.signing_key_source(provider_id) is not None:
                    self._library(provider_id).refresh()
            except SeedanceError as error:
                problems.append(error)
        return problems

    def remove(self, name: str, provider_id: str | None = None) -> list[AssetView]:
        """Delete the assets of a name, or the one of a handle: everywhere, or at one provider.
        Returns what was removed. Raises BadOrder where there is none."""
        gone = [
            view
            for view in self.all()
            if (_same(view.name, name) or view.handle == name.strip())
            and provider_id in (None, view.provider)
        ]
        if not gone:
            raise BadOrder(
                "There is no asset {name} at {provider}."
                if provider_id
                else "There is no asset {name}.",
                hint=self._known_hint(),
                name=quoted(name),
                provider=provider_id,
            )
        handles = {view.handle for view in gone}
        for row in self._journal.assets.all():
            if _view(row) in gone and _view(row).handle in handles:
                self._library(row.key.provider).remove(row)
        if any(view.provider == ANY for view in gone):
            self.local.remove(self._spelled(name))
        return gone

    def fetch_picture(self, provider_id: str, handle: str, part: Path) -> None:
        """Fetch a picture of a library into a file. Raises BadOrder where it shows none, and what
        `download.fetch` raises."""
        row = self._row(handle, provider_id)
        library = self._library(provider_id)
        asset = library.asset(row.asset or "")
        if asset is None or asset.address is None or row.kind != "image":
            raise BadOrder("There is no picture of it.")
        library.fetch(asset.address, part)

    def _row(self, handle: str, provider_id: str) -> AssetRow:
        for row in self._journal.assets.all(provider_id):
            if row.asset is not None and _handle(row) == handle:
                return row
        raise BadOrder("The journal knows no asset {handle}.", handle=quoted(handle))

    def _library(self, provider_id: str) -> Library:
        if not providers.get(provider_id).can("assets"):
            raise BadOrder(
                "{provider} has no asset library.",
                hint="These have one: {known}. An asset of this machine, which every provider "
                "takes as ordinary references: {any}.",
                provider=providers.get(provider_id).name,
                known=providers.WITH_ASSETS,
                any=ANY,
            )
        return Library(self._client_for(provider_id), self._settings, self._journal)

    # ------------------------------------------------------------------------ in an order

    def named(self, order: Order) -> Order:
        """The order with what the names in its prompt stand for, and with the library of each
        handle that the journal knows. Raises BadOrder, saying what is missing, for a name that
        stands for nothing here."""
        order = self._with_libraries(order)
        if not names_assets(order.prompt):
            return order
        local = {asset.name: asset for asset in self.local.all()}
        rows = self._usable_rows()
        known = dict.fromkeys([*local, *(row.key.name for row in rows)])
        found: dict[str, NamedAsset] = {}
        for written, name in asset_names(order.prompt, known):
            if name is None:
                raise self._missing(written, known)
            files = local[name].media if name in local else ()
            found.setdefault(name, _named(name, files, [r for r in rows if r.key.name == name]))
        return replace(order, assets=tuple(found.values()))

    def _usable_rows(self) -> list[AssetRow]:
        """The rows of each library: of the account whose signing key is set, or of any where none
        is set here."""
        rows = []
        for provider_id in providers.WITH_ASSETS:
            account = None
            if self._settings.signing_key_source(provider_id) is not None:
                account = self._client_for(provider_id).account
            rows += self._journal.assets.all(provider_id, account)
        return rows

    def _with_libraries(self, order: Order) -> Order:
        handles = [medium for medium in order.media if (medium.address or "").startswith(ASSET)]
        if not handles:
            return order
        rows = {_handle(row): row for row in self._journal.assets.all()}

        def owned(medium: Medium | None) -> Medium | None:
            if medium is None or not (medium.address or "").startswith(ASSET):
                return medium
            row = rows.get(medium.address or "")
            if row is not None:
                medium = replace(medium, library=row.key.provider)
            if not medium.untold:
                return medium
            if row is None:
                raise BadOrder(
                    "Whether {handle} is a picture, a clip or a sound is not known here.",
                    hint="Write image:, video: or audio: before it.",
                    handle=quoted(medium.address or ""),
                )
            return replace(medium, kind=cast(Kind, row.kind), untold=False)

        return replace(
            order,
            first_frame=owned(order.first_frame),
            last_frame=owned(order.last_frame),
            video=owned(order.video),
            references=tuple(filter(None, map(owned, order.references))),
        )

    def _missing(self, written: str, known: Iterable[str]) -> BadOrder:
        near = nearest(written, known)
        there = self._known_hint(known)
        return BadOrder(
            "The prompt names the asset {name}, which is missing here: it is neither on this "
            "machine nor in an asset library that the journal knows.",
            hint="{there} One of another machine is a folder there: copy it to {folder}. What a "
            "library has is taken in by: seedance asset list.",
            name=quoted(written),
            there=both(say("Did you mean {near}?", near=near), there) if near else there,
            folder=self.local.folder / written,
        )

    def _known_hint(self, known: Iterable[str] | None = None) -> Said:
        names = list(dict.fromkeys(view.name for view in self.all())) if known is None else known
        shown = list(names)[:20]
        return say("There are: {known}.", known=shown) if shown else say("There is none yet.")

    def _spelled(self, name: str) -> str:
        """A name as it is known already, whatever its capitals."""
        names = (view.name for view in self.all())
        return next((known for known in names if _same(known, name)), name)


def checked_name(name: str) -> str:
    """A name without blanks at its ends. Raises BadOrder for one that no asset may have."""
    name = unicodedata.normalize("NFC", name.strip())
    if not is_asset_name(name):
        raise BadOrder(
            "{name} cannot be the name of an asset.",
            hint="Use letters, digits, _ and -, at most {most}: a prompt names it @Asset:NAME.",
            name=quoted(name),
            most=LONGEST_ASSET_NAME,
        )
    return name


def _same(one: str, other: str) -> bool:
    return one.casefold() == unicodedata.normalize("NFC", other.strip()).casefold()


def _handle(row: AssetRow) -> str | None:
    return f"{ASSET}{row.asset}" if row.asset is not None else None


def _view(row: AssetRow) -> AssetView:
    return AssetView(
        row.key.name,
        row.key.provider,
        row.kind,
        row.person,
        row.state,
        problem=row.problem,
        handle=_handle(row),
    )


def _named(name: str, files: tuple[Medium, ...], rows: Iterable[AssetRow]) -> NamedAsset:
    handles: dict[str, list[Medium]] = {}
    lacking: dict[str, str] = {}
    for row in rows:
        provider, handle = row.key.provider, _handle(row)
        if row.state == "active" and handle is not None:
            kind: Kind = row.kind  # type: ignore[assignment]
            medium = Medium.from_library(kind, handle, provider, name)
            handles.setdefault(provider, []).append(medium)
        else:
            words = STATE_WORDS.get(row.state, row.state)
            lacking[provider] = (
                say("{what} ({why})", what=words, why=row.problem) if row.problem else words
            )
    return NamedAsset(name, files, {each: tuple(m) for each, m in handles.items()}, lacking)
