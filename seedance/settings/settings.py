"""Folders, keys, budgets and the bucket: from the environment first, then from the key file."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from .. import providers
from ..addresses import origin
from ..errors import BadOrder
from ..key_file import Key, KeyFile
from ..said import say
from ..wire import Config, Provider, SigningKey
from .provider import (
    SIGNING,
    Access,
    KeySource,
    ProviderSettings,
    check_choice,
    check_models,
    check_stored_url,
    check_url,
    clean,
    move,
)

Section = Literal["s3", "budget"]

PACK = Path(__file__).resolve().parents[2]

TIMEOUT = 3600.0
MAX_USD = 50.0
SHORTEST_POLL = 0.05  # seconds; asking without a pause helps nobody
BUDGETS = {
    "day": "SEEDANCE_BUDGET_DAY",
    "month": "SEEDANCE_BUDGET_MONTH",
    "unknown_price": "SEEDANCE_UNKNOWN_PRICE",
}
_PROJECTS_HINT = say('It looks like {"trailer": 200}.')
_SECRET_VARIABLES = ("KEY", "KEY_ID", "TOKEN")  # what their names end with


class Settings:
    """Everything that is configured. Reading it never touches the network.

    `home` holds the key file, the journal and caches; `output` receives videos. `journal_url` is an
    SQLAlchemy URL, or the path of an SQLite file. Times are seconds; a `timeout` of 0 waits for
    nothing.
    """

    def __init__(self, home: Path, output: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self.output = output
        self._environment = {
            name: Key(value) if name.endswith(_SECRET_VARIABLES) else value
            for name, value in environment.items()
        }
        self._keys = KeyFile(home / "keys.json")
        self._journal = home / "journal.db"
        # A path, not a URL of it: there a `?` in the path would begin the query.
        self.journal_url: str | Path = environment.get("SEEDANCE_JOURNAL_URL") or self._journal
        interval = self._seconds("SEEDANCE_POLL_INTERVAL")
        self.poll_interval = None if interval is None else max(interval, SHORTEST_POLL)
        timeout = self._seconds("SEEDANCE_TIMEOUT")
        self.timeout = TIMEOUT if timeout is None else timeout

    @property
    def unused(self) -> bool:
        """Whether nothing was ever ordered here, as far as that shows without opening a journal."""
        return "SEEDANCE_JOURNAL_URL" not in self._environment and not os.path.exists(self._journal)

    @classmethod
    def load(
        cls,
        *,
        home: Path | None = None,
        output: Path | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> Settings:
        """The settings of this process; `SEEDANCE_HOME` and `SEEDANCE_OUTPUT` win."""
        chosen_home = environment.get("SEEDANCE_HOME") or home or Path.home() / ".seedance"
        chosen_output = environment.get("SEEDANCE_OUTPUT") or output or Path.cwd()
        return cls(
            Path(chosen_home).expanduser().absolute(),
            Path(chosen_output).expanduser().absolute(),
            environment,
        )

    def same_as(self, other: Settings) -> bool:
        """Whether both say the same, whatever else of the environment differs."""
        return self._all == other._all

    @property
    def _all(self) -> tuple[Path, Path, dict[str, str]]:
        known = {provider.key_variable for provider in providers.registry().values()}
        ours = {
            name: value
            for name, value in self._environment.items()
            if name.startswith("SEEDANCE_")
            or name in known
            or name.endswith(_SECRET_VARIABLES)
            or name.upper().endswith("_PROXY")
        }
        return self.home, self.output, ours

    # ------------------------------------------------------------------------- providers

    def _of(self, provider_id: str) -> ProviderSettings:
        """What is configured for a provider now. Raises BadOrder for an unknown one, and if the key
        file cannot be used."""
        provider, record = providers.get(provider_id), self._keys.record(provider_id)
        return ProviderSettings(provider, self._environment, record, self.home)

    def config(self, provider_id: str) -> Config:
        """The provider's configuration. Raises BadOrder where no usable base URL is known."""
        return self._of(provider_id).config

    def configured(self, provider_id: str) -> Provider | type[Provider]:
        """A provider as it is configured here, with the models that are named for it; its class
        where that cannot be."""
        try:
            return providers.get(provider_id)(self.config(provider_id))
        except BadOrder:
            return providers.get(provider_id)

    def own(self, provider_id: str) -> dict[str, Any]:
        """What a person sets for a provider beside its address and key; see
        `ProviderSettings.own`."""
        return self._of(provider_id).own

    def key(self, provider_id: str) -> str:
        """The key to use, empty where none is needed. Raises NeedsKey if there is none that may
        go to the configured base URL, BadOrder if there is one and no usable base URL."""
        provider = providers.get(provider_id)
        return "" if provider.key_variable is None else self._of(provider_id).key

    def access(self, provider_id: str) -> Access:
        """How to reach a provider, found out once. Raises BadOrder where no usable base URL is
        known."""
        return self._of(provider_id).access

    def key_source(self, provider_id: str) -> KeySource | None:
        """Where a usable key comes from, None if there is none."""
        if providers.get(provider_id).key_variable is None:
            return "not needed"
        try:
            return self._of(provider_id).key_source
        except BadOrder:  # the key file cannot be used
            return None

    def has_key(self, provider_id: str) -> bool:
        """Whether there is a key of the provider, even if it may not go to the configured base
        URL. Raises BadOrder if the key file cannot be used."""
        variable = providers.get(provider_id).key_variable or ""
        stored = self._keys.record(provider_id).get("key")
        return bool(self._environment.get(variable, "").strip() or stored)

    def key_in(self, text: str) -> str | None:
        """The name of the provider whose key stands in `text`, None if none does. Raises BadOrder
        if the key file cannot be used."""
        stored = self._keys.secrets()
        for provider in providers.registry().values():
            variables = (provider.key_variable or "", *provider.asset_key_variables)
            typed = (self._environment.get(name, "").strip() for name in variables)
            for key in (*typed, *stored.get(provider.id, ())):
                if len(key) >= 8 and key in text:
                    return provider.name
        return None

    def secrets(self) -> list[Key]:
        """Every key of the environment and the key file that is long enough to be one."""
        stored = self._keys.secrets().values()
        keys = [each for each in self._environment.values() if isinstance(each, Key)]
        keys.extend(each for group in stored for each in group)
        return list(dict.fromkeys(key for key in keys if len(key) >= 8))

    def set_key(self, provider_id: str, key: str) -> None:
        """Store a key for the origin of the present base URL."""
        provider = providers.get(provider_id)
        if provider.key_variable is None:
            raise BadOrder("{provider} needs no key.", provider=provider.name)
        key = clean(Key(key.strip()), provider)
        base = origin(self.config(provider_id).base_url)
        with self._editing() as records:
            records.setdefault(provider_id, {}).update(key=key, origin=base)

    def remove_key(self, provider_id: str) -> bool:
        """Forget the stored key; says whether there was one."""
        providers.get(provider_id)
        with self._editing() as records:
            record = records.get(provider_id, {})
            record.pop("origin", None)
            return record.pop("key", None) is not None

    def signing_key(self, provider_id: str) -> SigningKey:
        """The key that signs what goes to the provider's asset library, and goes nowhere else.

        Raises BadOrder for a provider that has no such library, NeedsKey if there is no key that
        may go to the configured host.
        """
        return self._of(provider_id).signing_key

    def signing_key_source(self, provider_id: str) -> KeySource | None:
        """Where a usable signing key comes from, None if there is none."""
        try:
            return self._of(provider_id).signing_key_source
        except BadOrder:
            return None

    def set_signing_key(self, provider_id: str, key_id: str, secret: str) -> None:
        """Store a signing key for the origin of the present asset host."""
        key_id, secret = Key(key_id.strip()), Key(secret.strip())  # no traceback shows them
        provider, host = providers.get(provider_id), self._of(provider_id).asset_host
        halves = [clean(half, provider) for half in (key_id, secret)]
        with self._editing() as records:
            record = records.setdefault(provider_id, {})
            record["assets"] = {**dict(zip(SIGNING, halves)), "origin": origin(host)}

    def remove_signing_key(self, provider_id: str) -> bool:
        """Forget the stored signing key; says whether there was one."""
        providers.get(provider_id)
        with self._editing() as records:
            return records.get(provider_id, {}).pop("assets", None) is not None

    # ----------------------------------------------------------------------- base URLs

    def set_base_url(self, provider_id: str, url: str | None) -> bool:
        """Store a base URL, None for the default. A key stored for another origin is removed:
        whoever can change an address must not be able to collect the key. Says whether it was."""
        return bool(self.change({provider_id: url}))

    def change(
        self,
        base_urls: Mapping[str, str | None],
        sections: Mapping[Section, Mapping[str, str | None]] | None = None,
        own: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> list[str]:
        """`set_base_url` and `set_section` for several, all of it or, where one is refused,
        nothing. `own` has, for provider ids, `models` and the provider's `choices`, each with None
        to remove it. Returns the providers whose key was removed."""
        for provider_id, url in base_urls.items():
            if url:
                check_url(url, providers.get(provider_id))
                check_stored_url(url, providers.get(provider_id))
        for provider_id, values in (own or {}).items():
            for name, value in values.items():
                if name == "models":
                    check_models(value or {}, providers.get(provider_id))
                elif value is not None:
                    check_choice(providers.get(provider_id), name, value)
        with self._editing() as records:
            moved = [
                move(records.setdefault(name, {}), providers.get(name), url)
                for name, url in base_urls.items()
            ]
            for provider_id, values in (own or {}).items():
                _put(records.setdefault(provider_id, {}), values)
            for section, values in (sections or {}).items():
                _put(records.setdefault(section, {}), values)
        return [name for name, lost in zip(base_urls, moved) if lost]

    # ------------------------------------------------------------------- bucket and budget

    def section(self, name: Section, prefix: str) -> dict[str, str]:
        """A group of values: `<prefix>_<NAME>` from the environment over the key file's."""
        mine = {
            variable[len(prefix) + 1 :].lower(): value
            for variable, value in self._environment.items()
            if variable.startswith(prefix + "_") and value
        }
        if "secret_access_key" in mine:
            return mine  # this key must not go to an endpoint that was stored from the page
        stored = {
            key: value if isinstance(value, str) else str(value)
            for key, value in self._keys.record(name).items()
        }
        return stored | mine

    def set_section(self, name: Section, values: Mapping[str, str | None]) -> None:
        """Store values of a group; None removes one."""
        self.change({}, {name: values})

    @property
    def budget(self) -> dict[str, float]:
        """`day`, `month` and `unknown_price` in USD, those that are set."""
        values = self.section("budget", "SEEDANCE_BUDGET")
        values.pop("unknown_price", None)
        stored = self._keys.record("budget").get("unknown_price")
        if unknown := self._environment.get("SEEDANCE_UNKNOWN_PRICE") or stored:
            values["unknown_price"] = str(unknown)
        return {
            name: _amount(values[name], variable)
            for name, variable in BUDGETS.items()
            if name in values
        }

    def budget_of(self, project: str) -> dict[str, float]:
        """The budget, with that of a `project` where it has one. Raises BadOrder for budgets of
        projects that cannot be read, also where an order has none: they limit nothing then."""
        stored: Any = self._keys.record("budget").get("projects") or {}
        budgets = _projects(self._environment.get("SEEDANCE_BUDGET_PROJECTS", "").strip(), stored)
        limit = budgets.get(project) if project else None
        return self.budget if limit is None else {**self.budget, "project": limit}

    @property
    def max_usd(self) -> float:
        """The most that one queued graph or one command may cost, in USD; 0 for no limit."""
        stored = self._keys.record("budget").get("max_usd")
        text = self._environment.get("SEEDANCE_MAX_USD", "").strip() or stored
        return MAX_USD if text is None or text == "" else _amount(str(text), "SEEDANCE_MAX_USD")

    def is_set(self, variable: str) -> bool:
        """Whether the environment has a value for `variable`."""
        return bool(self._environment.get(variable))

    # ----------------------------------------------------------------------- the key file

    @property
    def key_file(self) -> Path:
        """Where stored keys are."""
        return self._keys.path

    def check_key_file(self) -> None:
        """Raise BadOrder if there is a key file that cannot be used, saying how to mend it."""
        self._keys.read()

    @contextlib.contextmanager
    def _editing(self) -> Iterator[dict[str, Any]]:
        if PACK in self.key_file.resolve().parents:
            raise BadOrder(
                "{home} is inside the pack's own folder, where no key is written.",
                hint="Choose another folder (SEEDANCE_HOME): the pack's is shared and replaced.",
                home=self.home,
            )
        with self._keys.editing() as records:
            yield records

    def _seconds(self, variable: str) -> float | None:
        text = self._environment.get(variable, "").strip()
        return _seconds_of(text, variable) if text else None


def problems(environment: Mapping[str, str]) -> dict[str, BadOrder]:
    """What is wrong with variables that hold numbers, by their names: all of it, where `Settings`
    raises the first."""
    found = {}
    checks: dict[str, Callable[[str, str], object]] = {
        **dict.fromkeys(("SEEDANCE_POLL_INTERVAL", "SEEDANCE_TIMEOUT"), _seconds_of),
        **dict.fromkeys((*BUDGETS.values(), "SEEDANCE_MAX_USD"), _amount),
        "SEEDANCE_BUDGET_PROJECTS": lambda text, _variable: _projects(text, {}),
    }
    for variable, check in checks.items():
        if text := environment.get(variable, "").strip():
            try:
                check(text, variable)
            except BadOrder as error:
                found[variable] = error
    return found


def _put(record: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Write values into an object of the key file; None removes one."""
    for name, value in values.items():
        if value is None:
            record.pop(name, None)
        else:
            record[name] = value


def _number(text: str) -> float | None:
    """A number that is not negative, None for any other text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None


def _seconds_of(text: str, variable: str) -> float:
    seconds = _number(text)
    if seconds is None:
        raise BadOrder(
            "{variable} must be a number of seconds, not {text}.",
            hint="Set it like {variable}=60, or leave it out for what fits most.",
            variable=variable,
            text=repr(text[:40]),
        )
    return seconds


def _amount(text: str, what: str, hint: str = "") -> float:
    amount = _number(text)
    if amount is None:
        raise BadOrder(
            "{what} must be a number that is not negative, not {text}.",
            hint=hint or say("It is in USD; set it like {what}=20, or leave it out.", what=what),
            what=what,
            text=repr(text[:40]),
        )
    return amount


def _projects(text: str, stored: Any) -> dict[str, float]:
    """USD by project: what the environment has (`text`), else what is `stored`."""
    budgets = stored
    if text:
        try:
            budgets = json.loads(text)
        except ValueError as error:
            raise BadOrder(
                "SEEDANCE_BUDGET_PROJECTS is not JSON: {said}.",
                hint=_PROJECTS_HINT,
                said=str(error),
            ) from error
    if not isinstance(budgets, dict):
        raise BadOrder(
            "SEEDANCE_BUDGET_PROJECTS must be a JSON object from project to USD.",
            hint=_PROJECTS_HINT,
        )
    return {
        project: _amount(
            str(limit), say("The budget of {project}", project=project), hint=_PROJECTS_HINT
        )
        for project, limit in budgets.items()
    }
